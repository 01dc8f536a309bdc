//! Moving averages as they stand at a frame, between two derivations: what a derivation there would carry out, by the fold
//! that derives weights.
//!
//! **Architecture invariant:** there is no formula here. State, scores and statistics go into [`EpochFold`] as recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::epoch::EpochFold;
use domain::events::{CarriedMiner, Event, WeightsDerived};
use domain::mechanism::{self, Mechanism};
use domain::ruleset::RuleSet;
use domain::types::{Block, Hotkey, Micros, Position};
use futures::TryStreamExt;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::columns::Columns;
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, View};

/// What gives the uids; mechanisms that average by slot need it.
const METAGRAPH: &str = "MetagraphObserved";

/// What the fold looks at and the read models keep whole. Outside scores change weights, not averages.
const FOLDED: [&str; 4] = ["AvailabilitySwept", METAGRAPH, "ResponseScored", "RoundEvaluated"];

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
    let previous = match derived_epoch {
        Some(epoch) => Some(derivation(view, frame, epoch).await?),
        None => None,
    };
    let derived = previous.as_ref().map_or_else(BTreeMap::new, |previous| by_hotkey(&previous.carried));
    let Some(mechanism) = in_force(view, frame).await? else {
        return Ok(Averages { live: false, current: derived.clone(), derived, derived_epoch });
    };
    let fold = folded(view, frame, mechanism, previous.as_ref()).await?;
    Ok(Averages { live: true, current: by_hotkey(&fold.derive().carried), derived, derived_epoch })
}

fn by_hotkey(carried: &[CarriedMiner]) -> BTreeMap<String, f64> {
    carried.iter().filter_map(|miner| Some((miner.hotkey.to_string(), miner.average?))).collect()
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

/// The derivation of an epoch as recorded, with the state that it carried out.
async fn derivation(view: &View, frame: &Frame, epoch: u64) -> Result<WeightsDerived> {
    let failed = || Error::database("read the carried state");
    let row = sqlx::query(
        "SELECT position, kind, version, json, carried_window FROM events JOIN derivations USING (ledger_id, position)
          WHERE ledger_id = $1 AND derivations.epoch = $2 AND revision = 0",
    )
    .bind(frame.id())
    .bind(signed(epoch))
    .fetch_one(&mut **view.connection().await)
    .await
    .map_err(failed())?;
    let Some((_, Event::WeightsDerived(mut derived))) = event(frame, &row)? else {
        return Err(Error::Damaged { what: format!("the feed does not hold the derivation of epoch {epoch}") });
    };
    let window: &[u8] = row.try_get("carried_window").map_err(failed())?;
    derived.window = Block::new(window.to_vec());
    Ok(derived)
}

/// Everything since the last derivation up to the frame.
async fn folded(
    view: &View,
    frame: &Frame,
    mechanism: Arc<dyn Mechanism>,
    previous: Option<&WeightsDerived>,
) -> Result<EpochFold> {
    let own: Hotkey =
        (frame.ledger.hotkey.parse()).map_err(|error| Error::Damaged { what: format!("hotkey of ledger: {error}") })?;
    let mut fold = match previous {
        None => EpochFold::genesis(mechanism, own),
        Some(previous) => EpochFold::carry(mechanism, own, previous)
            .map_err(|error| Error::Damaged { what: format!("carried state: {error}") })?,
    };
    if let Some(previous) = previous {
        // The observation that gave its uids is a full one; the next differences go on from it.
        let seen = previous.metagraph.0..=previous.to.0;
        each(view, frame, seen, &[METAGRAPH], |position, _, event| fold.antecedent(position, event)).await?;
    }
    let range = fold.from().0..=frame.position;
    each(view, frame, range, &FOLDED, |position, at, event| fold.apply(position, at, event)).await?;
    fold.reach(Position(frame.position), Micros(frame.at));
    Ok(fold)
}

/// Hands over the events of some kinds, in order. What is erased is left out, as where weights are derived.
async fn each(
    view: &View,
    frame: &Frame,
    range: std::ops::RangeInclusive<u64>,
    kinds: &[&str],
    mut take: impl FnMut(Position, Micros, &Event),
) -> Result<()> {
    let failed = || Error::database("read scores since the last derivation");
    let mut connection = view.connection().await;
    let mut rows = sqlx::query(
        "SELECT position, recorded_at, kind, version, json FROM events
          WHERE ledger_id = $1 AND position BETWEEN $2 AND $3 AND kind = ANY($4) ORDER BY position",
    )
    .bind(frame.id())
    .bind(signed(*range.start()))
    .bind(signed(*range.end()))
    .bind(kinds)
    .fetch(&mut **connection);
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        if let Some((position, event)) = event(frame, &row)? {
            take(position, Micros(Columns(&row).number("recorded_at")?), &event);
        }
    }
    Ok(())
}

/// An event without its blocks; none when it is erased.
fn event(frame: &Frame, row: &PgRow) -> Result<Option<(Position, Event)>> {
    let columns = Columns(row);
    let Some(json) = columns.get::<Option<&str>>("json")? else { return Ok(None) };
    let (position, version) = (columns.number("position")?, columns.small("version")?);
    let event = Event::decode_json(columns.get("kind")?, version, json.as_bytes());
    let origin = || frame.ledger.origin.clone();
    let event = event.map_err(|source| Error::Payload { origin: origin(), position, source })?;
    Ok(Some((Position(position), event)))
}
