//! Moving averages as they stand at a frame, between two derivations: the mechanism's own function over the carried window
//! and the counted scores since.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::mechanism::{self, EpochFacts, Mechanism, MinerState};
use domain::metagraph::Metagraph;
use domain::ruleset::RuleSet;
use domain::types::{Hotkey, Micros};
use sqlx::Row;

use super::columns::Columns;
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// Averages by hotkey, and whether they are live (otherwise those of the last derivation, because the rule set in force is
/// not one that this program can open).
#[derive(Debug, Default)]
pub(super) struct Averages {
    pub(super) live: bool,
    pub(super) current: BTreeMap<String, f64>,
    pub(super) derived: BTreeMap<String, f64>,
    pub(super) derived_epoch: Option<u64>,
}

pub(super) async fn averages(view: &View, frame: &Frame) -> Result<Averages> {
    let derived_epoch = frame.open_epoch.checked_sub(1);
    let (mut miners, derived, since) = match derived_epoch {
        Some(epoch) => carried(view, frame, epoch).await?,
        None => (BTreeMap::new(), BTreeMap::new(), None),
    };
    let Some(mechanism) = in_force(view, frame).await? else {
        return Ok(Averages { live: false, current: derived.clone(), derived, derived_epoch });
    };
    add_scores(view, frame, since, &mut miners).await?;
    let own = frame.ledger.hotkey.parse::<Hotkey>();
    let own = own.map_err(|error| Error::Damaged { what: format!("hotkey of ledger: {error}") })?;
    let derivation = mechanism.derive(&EpochFacts {
        now: Micros(frame.at),
        own,
        metagraph: &Metagraph::default(),
        miners: &miners,
        external: None,
        statistics: &[],
    });
    let current = derivation.averages.into_iter().map(|(hotkey, average)| (hotkey.to_string(), average)).collect();
    Ok(Averages { live: true, current, derived, derived_epoch })
}

/// The mechanism of the newest rule set at the frame; none when this program does not have it.
async fn in_force(view: &View, frame: &Frame) -> Result<Option<Arc<dyn Mechanism>>> {
    let bytes: Option<String> = sqlx::query_scalar(
        "SELECT bytes FROM rule_sets WHERE ledger_id = $1 AND position <= $2 ORDER BY position DESC LIMIT 1",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("read the rule set in force"))?;
    let opened = bytes.map(|bytes| RuleSet::parse(&bytes).and_then(|rule_set| mechanism::open(&rule_set)));
    match opened {
        None => Ok(None),
        Some(Ok(mechanism)) => Ok(Some(mechanism)),
        Some(Err(error)) => {
            tracing::debug!(%error, origin = frame.ledger.origin, "averages are those of the last derivation");
            Ok(None)
        }
    }
}

type Carried = (BTreeMap<Hotkey, MinerState>, BTreeMap<String, f64>, Option<i64>);

/// State as the derivation carried it out: windows, averages, and the last position it covers.
async fn carried(view: &View, frame: &Frame, epoch: u64) -> Result<Carried> {
    let failed = || Error::database("read the carried state");
    let mut connection = view.connection().await;
    let row = sqlx::query(
        "SELECT range_to, carried_window FROM derivations WHERE ledger_id = $1 AND epoch = $2 AND revision = 0",
    )
    .bind(frame.id())
    .bind(signed(epoch))
    .fetch_one(&mut **connection)
    .await
    .map_err(failed())?;
    let rows = sqlx::query("SELECT * FROM averages WHERE ledger_id = $1 AND epoch = $2 ORDER BY place")
        .bind(frame.id())
        .bind(signed(epoch))
        .fetch_all(&mut **connection)
        .await
        .map_err(failed())?;
    let since: i64 = row.try_get("range_to").map_err(failed())?;
    let window: &[u8] = row.try_get("carried_window").map_err(failed())?;
    let (halves, _) = window.as_chunks::<8>();
    let (pairs, _) = halves.as_chunks::<2>();
    let mut items = pairs
        .iter()
        .map(|[time, score]| (Micros(u64::from_be_bytes(*time)), f64::from_bits(u64::from_be_bytes(*score))));
    let (mut miners, mut averages) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let columns = Columns(row);
        let name: String = columns.get("hotkey")?;
        let count = usize::try_from(columns.number("items")?).unwrap_or(usize::MAX);
        if let Some(average) = columns.get::<Option<f64>>("average")? {
            averages.insert(name.clone(), average);
        }
        let state = MinerState {
            last_seen: columns.number_if("last_seen")?.map(Micros),
            drawn: columns.number("drawn")?,
            window: items.by_ref().take(count).collect(),
            average: averages.get(&name).copied(),
        };
        miners.insert(parse(&name)?, state);
    }
    Ok((miners, averages, Some(since)))
}

async fn add_scores(
    view: &View,
    frame: &Frame,
    since: Option<i64>,
    miners: &mut BTreeMap<Hotkey, MinerState>,
) -> Result<()> {
    let rows = sqlx::query(
        "SELECT hotkey, recorded_at, score, counted FROM scores
          WHERE ledger_id = $1 AND position > $2 AND position <= $3 ORDER BY position",
    )
    .bind(frame.id())
    .bind(since.unwrap_or(-1))
    .bind(frame.position_signed())
    .fetch_all(&mut **view.connection().await)
    .await
    .map_err(Error::database("read scores since the last derivation"))?;
    for row in &rows {
        let columns = Columns(row);
        let miner = miners.entry(parse(columns.get("hotkey")?)?).or_default();
        miner.drawn += 1;
        if columns.get("counted")? {
            miner.window.push((Micros(columns.number("recorded_at")?), columns.get("score")?));
        }
    }
    Ok(())
}

fn parse(hotkey: &str) -> Result<Hotkey> {
    hotkey.parse().map_err(|error| Error::Damaged { what: format!("hotkey {hotkey}: {error}") })
}
