//! The metagraph, as the chain gives it and as the log holds it.
//!
//! Observations follow each other: one task at a time reads the chain, compares with the fold, records, and waits until
//! the fold has the record. All of it is recorded at the start and right before each derivation, else what changed.

use std::sync::Arc;

use chain::BlockHeader;
use domain::events::{MetagraphObserved, Neuron};
use domain::metagraph::{Metagraph, announces_axon};
use domain::types::{Hotkey, Position};

use crate::Error;
use crate::journal::{Entry, is_final};
use crate::shared::{Shared, streams};

/// Records the whole metagraph at the newest block. Gives where it stands and the fold up to there.
///
/// # Errors
/// The chain's and the ledger's; nothing is retried.
pub(crate) async fn observe_all(shared: &Shared) -> Result<(Position, Arc<Metagraph>), Error> {
    let _one_at_a_time = shared.observing.lock().await;
    let (head, owner, neurons) = read(shared).await?;
    let observed = Metagraph::full(head.number, head.hash, owner, &neurons);
    record(shared, observed).await
}

/// Records what changed since the last observation; nothing when nothing did. Says whether somebody announced another axon.
///
/// # Errors
/// As [`observe_all`].
async fn observe_changes(shared: &Shared) -> Result<bool, Error> {
    let _one_at_a_time = shared.observing.lock().await;
    let (head, owner, neurons) = read(shared).await?;
    shared.settled().await?;
    let known = shared.board.read().metagraph.clone();
    let axon = |neuron: &Neuron| (neuron.hotkey, neuron.ip.clone(), neuron.port);
    let has_new_axon = known.as_ref().is_none_or(|(_, known)| {
        let differs = |neuron: &&Neuron| known.at(neuron.uid).map(axon) != Some(axon(neuron));
        neurons.iter().filter(differs).any(announces_axon)
    });
    let observed = match known {
        Some((_, known)) => known.difference(head.number, head.hash, owner, &neurons),
        None => Metagraph::full(head.number, head.hash, owner, &neurons),
    };
    if observed.full || !observed.neurons.is_empty() || !observed.removed.is_empty() {
        record(shared, observed).await?;
    }
    Ok(has_new_axon)
}

async fn read(shared: &Shared) -> Result<(BlockHeader, Option<Hotkey>, Vec<Neuron>), Error> {
    let head = shared.chain.head().await?;
    shared.chain_view.saw(head);
    let metagraph = shared.chain.metagraph(shared.config.netuid, head.number).await?;
    Ok((head, metagraph.owner, metagraph.neurons.iter().map(chain::Neuron::recorded).collect()))
}

async fn record(shared: &Shared, observed: MetagraphObserved) -> Result<(Position, Arc<Metagraph>), Error> {
    let position = shared.journal.append(Entry::new(streams::METAGRAPH, streams::ONLY, observed)).await?;
    shared.board.reach(position).await?;
    let fold = shared.board.read();
    // Nobody else records observations meanwhile, so the fold's newest is this one.
    let found = fold.metagraph.as_ref().filter(|(at, _)| *at == position);
    found.cloned().ok_or_else(|| Error::Refused(format!("the fold has no metagraph of position {position}")))
}

/// Looks every so many blocks, and when asked to, until the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut blocks = shared.chain_view.block();
    let mut looked_at = *blocks.borrow_and_update();
    loop {
        let asked = tokio::select! {
            changed = blocks.changed() => {
                if changed.is_err() { return Ok(()) }
                false
            }
            () = shared.look_now.notified() => true,
            () = shared.stop.stopped() => return Ok(()),
        };
        let block = *blocks.borrow_and_update();
        if !asked && block.0 < looked_at.0.saturating_add(shared.config.metagraph_blocks) {
            continue;
        }
        match observe_changes(&shared).await {
            Ok(has_new_axon) => {
                looked_at = block;
                // Who has just come need not wait for the next interval.
                if has_new_axon && !asked {
                    shared.sweep_now.notify_one();
                }
            }
            Err(Error::Chain(error)) => tracing::warn!(%error, "the metagraph cannot be read; next block again"),
            Err(Error::Ledger(error)) if !is_final(&error) => {
                tracing::warn!(%error, "the metagraph cannot be recorded; next block again");
            }
            Err(error) => return Err(error),
        }
        if asked {
            shared.sweep_now.notify_one();
        }
    }
}
