//! `assay compare`: an epoch's derived weights beside the rows that stand on chain: this hotkey's own, other validators', and
//! what they agree on. For a shadow, and for whoever wonders why they get less of the dividends than others.

use crate::chain_connection::{self, Endpoints};
use crate::cli::CompareArgs;
use crate::demo::state::DemoState;
use crate::home::Home;
use crate::ledgers::{self, OpenLedger};
use crate::operator::Network;
use crate::output::{self, Align};
use anyhow::{Context, Result, bail, ensure};
use audit::comparison::{self, Comparison, Gap, Shares, StakedRow};
use chain::{Chain, Metagraph, Neuron};
use domain::Aggregate;
use domain::epoch::{self, Epoch};
use domain::events::{Event, LedgerOpened, WeightsDerived};
use domain::types::{BlockNumber, Hotkey, NetUid, Rao, Uid};
use ledger::LedgerReader;
use serde::Serialize;
use std::process::ExitCode;

/// The mechanism that rows are read of: the subnet's first, for which weights are derived.
const MECHANISM: u8 = 0;
/// Rao in a TAO.
const TAO: f64 = 1e9;

/// Everything that is said.
#[derive(Debug, Serialize)]
struct Compared {
    ledger: String,
    netuid: NetUid,
    epoch: u64,
    /// The block at which uids were read for the derivation.
    derived_block: BlockNumber,
    /// The block after which the chain's rows were read.
    block: BlockNumber,
    /// How many slots the derivation pays.
    slots: usize,
    /// Paid slots that another hotkey holds at `block`: what stands there for them is another miner's.
    changed_hands: Vec<Uid>,
    /// The row of this hotkey; none when it has set no weights, or none that the chain shows.
    own: Option<Row>,
    consensus: Consensus,
    /// Every other validator with a row, by uid.
    validators: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    uid: Uid,
    hotkey: Hotkey,
    stake: Rao,
    /// The block of its last setting.
    last_update: BlockNumber,
    #[serde(flatten)]
    comparison: Comparison,
}

#[derive(Debug, Serialize)]
struct Consensus {
    /// Who computed it.
    computed: Source,
    /// Rows of validators with a permit at the block, this hotkey's among them.
    rows: usize,
    #[serde(flatten)]
    comparison: Comparison,
}

/// Where a consensus comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// The chain's last epoch before the block.
    Chain,
    /// Here, from the rows: the chain keeps none.
    StakeWeightedMedian,
}

/// Compares and prints.
pub async fn run(args: &CompareArgs) -> Result<ExitCode> {
    let open = ledgers::open(&args.ledger).await?;
    let opened = open.reader.get(0).await?.context("the ledger is empty")?;
    let Some(Event::LedgerOpened(opened)) = opened.fact()? else { bail!("position 0 is no LedgerOpened") };
    let Recorded { derived, on_chain } = recorded(&open.reader, args.epoch).await?;
    let Some(derived) = derived else {
        bail!("epoch {} is not derived yet; `assay epochs` lists those that are", args.epoch)
    };
    let endpoints = endpoints(args, &open)?;
    let chain = chain_connection::open(&endpoints).await?;
    let genesis = chain.genesis_hash().await?;
    ensure!(
        genesis == opened.genesis_hash,
        "the chain at {endpoints} is another one than the ledger's: its genesis hash is {genesis}, the ledger's {}",
        opened.genesis_hash
    );
    let block = match args.block {
        Some(block) => BlockNumber(block),
        None => {
            let next = recorded(&open.reader, args.epoch.saturating_add(1)).await?.derived;
            match answered_at(on_chain, next.map(|next| next.block)) {
                Some(block) => block,
                None => chain.head().await?.number,
            }
        }
    };
    let compared = compared(usize::from(args.differences), chain.as_ref(), &opened, &derived, block).await?;
    if args.json {
        output::json(&compared)?;
    } else {
        print(&compared);
    }
    Ok(ExitCode::SUCCESS)
}

/// What the ledger holds of an epoch.
#[derive(Debug, Default)]
struct Recorded {
    /// The newest derivation.
    derived: Option<WeightsDerived>,
    /// The block since which the weights stand on chain: of their inclusion, or of their reveal.
    on_chain: Option<BlockNumber>,
}

async fn recorded(reader: &LedgerReader, number: u64) -> Result<Recorded> {
    let stored = reader.stream(epoch::STREAM_TYPE, &epoch::stream_id(number), 1).await?;
    let facts = stored.iter().map(|stored| stored.fact()).filter_map(Result::transpose);
    Ok(Recorded::of(&facts.collect::<Result<Vec<_>, _>>()?))
}

impl Recorded {
    fn of(facts: &[Event]) -> Self {
        let mut epoch = Epoch::default();
        facts.iter().for_each(|fact| epoch.apply(fact));
        let block = |fact: &Event| match fact {
            Event::WeightsIncluded(included) => Some(included.block),
            Event::WeightsRevealed(revealed) => Some(revealed.block),
            _ => None,
        };
        Self { derived: epoch.derived().cloned(), on_chain: facts.iter().rev().find_map(block) }
    }
}

/// The block whose rows are the answer to a derivation: those that stood when the next one was made, by when others have set theirs and
/// the chain has agreed; but not before the epoch's own row stands there, which under commit-reveal may be several epochs later.
fn answered_at(on_chain: Option<BlockNumber>, next_derived: Option<BlockNumber>) -> Option<BlockNumber> {
    on_chain.max(next_derived)
}

fn endpoints(args: &CompareArgs, open: &OpenLedger) -> Result<Endpoints> {
    if Network::is_named(&args.network) {
        // The ledger says which chain it must be.
        return Ok(Network::of(&args.network)?.endpoints.of_any_network());
    }
    let demo = DemoState::load(&Home::find()?.demo())?.filter(|state| open.database.is_of(state));
    demo.map(|state| Endpoints::from(&state.chain))
        .context("which chain to ask is not said; add --network NAME or --chain URL")
}

async fn compared(
    most: usize,
    chain: &dyn Chain,
    opened: &LedgerOpened,
    derived: &WeightsDerived,
    block: BlockNumber,
) -> Result<Compared> {
    let netuid = opened.netuid;
    let metagraph = chain.metagraph(netuid, block).await;
    let metagraph =
        metagraph.with_context(|| format!("subnet {netuid} at block {block}; --block N names another one"))?;
    let weights: Vec<(Uid, u16)> = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
    let ours = Shares::of(&weights);
    let rows = rows(chain, &metagraph, &opened.hotkey).await?;
    let staked = rows.iter().filter(|(neuron, _)| neuron.validator_permit);
    let staked: Vec<StakedRow> =
        staked.map(|(neuron, shares)| StakedRow { stake: neuron.stake.0, shares: shares.clone() }).collect();
    let (computed, agreed) = consensus(chain, netuid, block, &staked).await?;
    let comparison = comparison::compare(&ours, &agreed, most);
    let consensus = Consensus { computed, rows: staked.len(), comparison };
    let row = |(neuron, shares): &(Neuron, Shares)| Row {
        uid: neuron.uid,
        hotkey: neuron.hotkey,
        stake: neuron.stake,
        last_update: neuron.last_update,
        comparison: comparison::compare(&ours, shares, most),
    };
    let (own, others): (Vec<_>, Vec<_>) = rows.iter().partition(|(neuron, _)| neuron.hotkey == opened.hotkey);
    let holder = |uid: Uid| metagraph.neurons.iter().find(|neuron| neuron.uid == uid).map(|neuron| neuron.hotkey);
    let changed = derived.weights.iter().filter(|weight| holder(weight.uid) != Some(weight.hotkey));
    Ok(Compared {
        ledger: opened.origin.clone(),
        netuid,
        epoch: derived.epoch,
        derived_block: derived.block,
        block,
        slots: ours.slots(),
        changed_hands: changed.map(|weight| weight.uid).collect(),
        own: own.into_iter().map(row).next(),
        consensus,
        validators: others.into_iter().map(row).collect(),
    })
}

/// The chain's own consensus where it keeps one, else that of the rows.
async fn consensus(
    chain: &dyn Chain,
    netuid: NetUid,
    block: BlockNumber,
    rows: &[StakedRow],
) -> Result<(Source, Shares)> {
    let kept = match chain.standing(netuid, MECHANISM, block).await {
        Ok(standing) => standing.consensus,
        Err(chain::Error::NotOffered { .. }) => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("the consensus of subnet {netuid} at block {block}")),
    };
    let kept: Vec<(Uid, u16)> = (0..=u16::MAX).map(Uid).zip(kept).collect();
    let kept = Shares::of(&kept);
    Ok(match kept.is_empty() {
        true => (Source::StakeWeightedMedian, comparison::stake_weighted_median(rows)),
        false => (Source::Chain, kept),
    })
}

/// The rows of everybody who may set weights, and of this hotkey; who has none is left out.
async fn rows(chain: &dyn Chain, metagraph: &Metagraph, own: &Hotkey) -> Result<Vec<(Neuron, Shares)>> {
    let (netuid, block) = (metagraph.netuid, metagraph.block);
    let rows = chain.weight_rows(netuid, MECHANISM, block).await;
    let rows = rows.with_context(|| format!("the rows of subnet {netuid} at block {block}"))?;
    let neuron = |uid: Uid| metagraph.neurons.iter().find(|neuron| neuron.uid == uid);
    let counted = |neuron: &&Neuron| neuron.validator_permit || neuron.hotkey == *own;
    let rows = rows.iter().filter_map(|row| Some((neuron(row.uid).filter(counted)?.clone(), Shares::of(&row.weights))));
    Ok(rows.filter(|(_, shares)| !shares.is_empty()).collect())
}

fn print(compared: &Compared) {
    let Compared { ledger, epoch, derived_block, block, slots, .. } = compared;
    output::line(format!(
        "epoch {epoch} of {ledger}: {slots} slots paid, uids of block {derived_block}; rows of block {block}"
    ));
    if !compared.changed_hands.is_empty() {
        let uids: Vec<String> = compared.changed_hands.iter().map(ToString::to_string).collect();
        output::line(format!("in other hands since: uid {}", uids.join(", ")));
    }
    let columns = [
        ("row", Align::Left),
        ("uid", Align::Right),
        ("hotkey", Align::Left),
        ("stake", Align::Right),
        ("set at", Align::Right),
        ("cosine", Align::Right),
        ("rank", Align::Right),
        ("moved", Align::Right),
    ];
    let mut table: Vec<Vec<String>> = Vec::new();
    table.extend(compared.own.iter().map(|row| line("own", row)));
    let [cosine, rank, moved] = figures(&compared.consensus.comparison);
    let dash = || "-".to_owned();
    let of = format!("{} rows", compared.consensus.rows);
    table.push(vec!["consensus".to_owned(), dash(), of, dash(), dash(), cosine, rank, moved]);
    table.extend(compared.validators.iter().map(|row| line("validator", row)));
    output::table(&columns, &table);
    if compared.own.is_none() {
        output::notice("This hotkey has no row there: it has set no weights, or they are committed and not revealed.");
    }
    if let Some(own) = &compared.own {
        differences("own row", &own.comparison.largest);
    }
    differences("consensus", &compared.consensus.comparison.largest);
    output::notice(match compared.consensus.computed {
        Source::Chain => "consensus is the chain's, of its last epoch before that block",
        Source::StakeWeightedMedian => {
            "consensus is the stake-weighted median of these rows: this chain keeps none that could be read"
        }
    });
}

fn line(name: &str, row: &Row) -> Vec<String> {
    let Row { uid, hotkey, stake, last_update, comparison } = row;
    let [cosine, rank, moved] = figures(comparison);
    let stake = format!("{:.3}", stake.0 as f64 / TAO);
    vec![name.to_owned(), uid.to_string(), hotkey.to_string(), stake, last_update.to_string(), cosine, rank, moved]
}

fn figures(comparison: &Comparison) -> [String; 3] {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"));
    let moved = comparison.moved.map_or_else(|| "-".to_owned(), |moved| format!("{:.3} %", moved * 100.0));
    [number(comparison.cosine), number(comparison.rank_correlation), moved]
}

fn differences(name: &str, largest: &[Gap]) {
    if largest.is_empty() {
        output::line(format!("derived and {name}: no difference"));
        return;
    }
    output::line(format!("derived and {name}, the largest differences:"));
    let percent = |share: f64| format!("{:.4} %", share * 100.0);
    let rows: Vec<Vec<String>> = largest
        .iter()
        .map(|gap| {
            let difference = format!("{:+.4} %", gap.difference() * 100.0);
            vec![gap.uid.to_string(), percent(gap.share), percent(gap.other), difference]
        })
        .collect();
    let columns =
        [("uid", Align::Right), ("derived", Align::Right), (name, Align::Right), ("difference", Align::Right)];
    output::table(&columns, &rows);
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
