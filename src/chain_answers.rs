//! Asks a chain what an audit would like to know. A question that the chain cannot answer stays open; the audit counts it.

use crate::chain_connection;
use anyhow::Result;
use audit::{ChainView, Wanted};
use chain::{Chain, Era, Error, ExtrinsicOutcome, ExtrinsicReference, ExtrinsicStatus};
use domain::events::ChainOutcome;
use domain::types::{BlockNumber, Hotkey, NetUid};

/// The answers to the questions about one subnet and one validator.
pub async fn ask(url: &str, netuid: NetUid, hotkey: &Hotkey, wanted: &Wanted) -> Result<ChainView> {
    let chain = chain_connection::open(url).await?;
    let mut view = ChainView { genesis_hash: Some(chain.genesis_hash().await?), ..ChainView::default() };
    for block in &wanted.tempos {
        if let Some(parameters) = answered(chain.hyperparameters(netuid, *block).await)? {
            view.tempos.insert(*block, parameters.tempo);
        }
    }
    for block in &wanted.blocks {
        if let Some(hash) = answered(chain.block_hash(*block).await)?.flatten() {
            view.block_hashes.insert(*block, hash);
        }
    }
    for block in &wanted.metagraphs {
        if let Some(metagraph) = answered(chain.metagraph(netuid, *block).await)? {
            let mut neurons: Vec<_> = metagraph.neurons.iter().map(chain::Neuron::recorded).collect();
            neurons.sort_by_key(|neuron| neuron.uid);
            view.metagraphs.insert(*block, (metagraph.owner, neurons));
        }
    }
    for block in &wanted.anchors {
        if let Some(anchor) = answered(chain.anchor_of(netuid, hotkey, *block).await)?.flatten() {
            view.anchors.insert(*block, anchor.data);
        }
    }
    for block in &wanted.weights {
        if let Some(weights) = weights(chain.as_ref(), netuid, hotkey, *block).await? {
            view.weights.insert(*block, weights);
        }
    }
    for extrinsic in &wanted.extrinsics {
        // Without nonce and era a chain can only be searched block by block.
        let (Some(nonce), Some((birth, period))) = (extrinsic.nonce, extrinsic.era) else { continue };
        let reference = ExtrinsicReference { hash: extrinsic.hash, signer: *hotkey, nonce, era: Era { period, birth } };
        if let Some(outcome) = answered(chain.extrinsic_status(&reference).await)?.and_then(outcome) {
            view.extrinsics.insert(extrinsic.hash, outcome);
        }
    }
    Ok(view)
}

async fn weights(
    chain: &dyn Chain,
    netuid: NetUid,
    hotkey: &Hotkey,
    block: BlockNumber,
) -> Result<Option<Vec<(domain::types::Uid, u16)>>> {
    let Some(uid) = answered(chain.uid_of(netuid, hotkey, block).await)?.flatten() else { return Ok(None) };
    answered(chain.weights(netuid, uid, block).await)
}

fn outcome(status: ExtrinsicStatus) -> Option<ChainOutcome> {
    match status {
        ExtrinsicStatus::Included(inclusion) => Some(match inclusion.outcome {
            ExtrinsicOutcome::Succeeded => {
                ChainOutcome::Included { block: inclusion.block, block_hash: inclusion.block_hash }
            }
            ExtrinsicOutcome::Failed { error } => ChainOutcome::Rejected { error },
        }),
        ExtrinsicStatus::Expired => Some(ChainOutcome::Expired),
        ExtrinsicStatus::Pending | ExtrinsicStatus::Unknown => None,
    }
}

/// A block or subnet that the chain does not know is no answer, nor is a state that the node has discarded: an ordinary node keeps
/// those of the last 256 blocks. A connection that fails is a failure.
fn answered<T>(result: Result<T, Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(
            Error::UnknownBlock { .. }
            | Error::UnknownSubnet { .. }
            | Error::NodeFailed { .. }
            | Error::NotOffered { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
