//! The record against what a chain said. A question that the chain did not answer is counted and held against nobody.

use domain::events::{ChainOutcome, Event, MetagraphObserved, Neuron};
use domain::metagraph::Metagraph;
use domain::types::{BlockNumber, Digest, Uid};
use domain::wire;

use super::Replay;
use crate::chain_view::ChainView;
use crate::findings::At;

impl Replay {
    pub(super) fn compare_with_chain(&mut self, at: At<'_>, event: &Event) {
        let Some(chain) = self.settings.chain.take() else { return };
        match event {
            Event::LedgerOpened(opened) => {
                if let Some(genesis) = chain.genesis_hash {
                    let message = "the ledger is of the chain that was asked";
                    self.findings.equal(at, "genesis_hash", &opened.genesis_hash, &genesis, message);
                }
            }
            Event::MetagraphObserved(observed) => self.metagraph_on_chain(at, &chain, observed),
            Event::ChallengeAccepted(accepted) => self.block_on_chain(at, &chain, accepted.block, accepted.block_hash),
            Event::EpochOpened(opened) => {
                // Where a chain does not have the block, the tempo that it had last before: nodes discard the oldest states first, so that
                // it is missing only of blocks that never were.
                if let Some((_, tempo)) = chain.tempos.range(..=opened.block).next_back() {
                    let expected = opened.block.0 / (u64::from(*tempo) + 1);
                    if opened.chain_epoch != expected {
                        let message = "the chain's epoch is the block divided by tempo + 1";
                        let recorded = opened.chain_epoch;
                        self.findings.differ_involving(at, "chain_epoch", &["block"], recorded, expected, message);
                    }
                }
            }
            Event::CheckpointAnchored(anchored) => {
                // An anchor whose fate is open when patience is over counts as expired, whatever becomes of it.
                if anchored.outcome != ChainOutcome::Expired {
                    self.fate_on_chain(at, &chain, anchored.extrinsic, &anchored.outcome, "outcome");
                }
                if let ChainOutcome::Included { block, .. } = anchored.outcome {
                    let data = wire::anchor_data(&anchored.root, anchored.size);
                    self.answered(chain.anchors.get(&block), at, "root", &["size"], &data, |data| hex::encode(data));
                }
            }
            Event::WeightsIncluded(included) => {
                let (block, block_hash) = (included.block, included.block_hash);
                let outcome = ChainOutcome::Included { block, block_hash };
                self.fate_on_chain(at, &chain, included.extrinsic, &outcome, "block");
                self.weights_on_chain(at, &chain, included.epoch, block);
            }
            Event::WeightsCommitted(committed) => {
                // The event has no hash of its block: where the node gave none either, the block's number is compared.
                let told = match chain.extrinsics.get(&committed.extrinsic) {
                    Some(ChainOutcome::Included { block_hash, .. }) => *block_hash,
                    _ => domain::types::HexBytes([0; 32]),
                };
                let block_hash = chain.block_hashes.get(&committed.block).copied().unwrap_or(told);
                let outcome = ChainOutcome::Included { block: committed.block, block_hash };
                self.fate_on_chain(at, &chain, committed.extrinsic, &outcome, "block");
            }
            Event::WeightsRevealed(revealed) => {
                self.block_on_chain(at, &chain, revealed.block, revealed.block_hash);
                self.weights_on_chain(at, &chain, revealed.epoch, revealed.block);
            }
            // The extrinsic stands on chain, as its `WeightsCommitted` says; what came of it, or did not, is no question here.
            Event::WeightsRejected(rejected) if domain::epoch::is_about_the_reveal(&rejected.error) => {
                self.counts.unanswered += 1;
            }
            Event::WeightsRejected(rejected) => {
                let outcome = match rejected.error.as_str() {
                    "expired" => ChainOutcome::Expired,
                    error => ChainOutcome::Rejected { error: error.to_owned() },
                };
                self.fate_on_chain(at, &chain, rejected.extrinsic, &outcome, "error");
            }
            _ => {}
        }
        self.settings.chain = Some(chain);
    }

    /// Compares with the chain's answer, if there is one.
    fn answered<T: PartialEq>(
        &mut self,
        answer: Option<&T>,
        at: At<'_>,
        field: &str,
        involves: &[&str],
        recorded: &T,
        show: impl Fn(&T) -> String,
    ) -> bool {
        match answer {
            None => self.counts.unanswered += 1,
            Some(answer) if answer == recorded => {
                self.counts.confirmed += 1;
                return true;
            }
            Some(answer) => {
                let message = "the chain says otherwise";
                self.findings.differ_involving(at, field, involves, show(recorded), show(answer), message);
            }
        }
        false
    }

    fn block_on_chain(&mut self, at: At<'_>, chain: &ChainView, block: BlockNumber, hash: Digest) {
        let answer = chain.block_hashes.get(&block);
        self.answered(answer, at, "block_hash", &["block"], &hash, ToString::to_string);
    }

    fn metagraph_on_chain(&mut self, at: At<'_>, chain: &ChainView, observed: &MetagraphObserved) {
        self.block_on_chain(at, chain, observed.block, observed.block_hash);
        let Some((owner, neurons)) = chain.metagraphs.get(&observed.block) else {
            self.counts.unanswered += 1;
            return;
        };
        let before = self.facts.metagraphs.iter().rev().find(|(position, _)| position.0 < at.position);
        let before = before.map(|(_, metagraph)| metagraph.clone()).unwrap_or_default();
        let variant = |full: bool, neurons: &[Neuron]| {
            let (block, hash) = (observed.block, observed.block_hash);
            if full {
                Metagraph::full(block, hash, *owner, neurons)
            } else {
                before.difference(block, hash, *owner, neurons)
            }
        };
        let message = "the chain's metagraph at that block is another";
        let expected = variant(observed.full, neurons);
        if self.findings.same_event(at, &observed.clone().into(), &expected.into(), message) {
            self.pending.metagraphs_confirmed += 1;
            return;
        }
        let other = variant(!observed.full, neurons);
        if other.neurons == observed.neurons && other.removed == observed.removed {
            self.findings.differ(at, "full", observed.full, !observed.full, message);
        }
    }

    /// Compares the recorded fate of an extrinsic. One that the pool refused, or that was given up as expired after its
    /// time, is in no block as far as the validator could know: the chain contradicts it only by an inclusion.
    fn fate_on_chain(
        &mut self,
        at: At<'_>,
        chain: &ChainView,
        extrinsic: Digest,
        recorded: &ChainOutcome,
        field: &str,
    ) {
        let show = |outcome: &ChainOutcome| format!("{outcome:?}");
        let involves = ["extrinsic", "block", "block_hash", "outcome"];
        let answer = chain.extrinsics.get(&extrinsic);
        if matches!((recorded, answer), (ChainOutcome::Rejected { .. }, Some(ChainOutcome::Expired))) {
            self.counts.confirmed += 1;
        } else if self.answered(answer, at, field, &involves, recorded, show) {
            self.counts.extrinsics_confirmed += 1;
        }
    }

    fn weights_on_chain(&mut self, at: At<'_>, chain: &ChainView, epoch: u64, block: BlockNumber) {
        // Of an epoch from before the audit's beginning the weights are not at hand.
        let Some(derived) = self.epochs.derived_of(epoch) else { return };
        let weights: Vec<(Uid, u16)> = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
        let show = |weights: &Vec<(Uid, u16)>| {
            let shown: Vec<String> = weights.iter().map(|(uid, weight)| format!("{uid}:{weight}")).collect();
            shown.join(" ")
        };
        if self.answered(chain.weights.get(&block), at, "block", &[], &weights, show) {
            self.counts.weights_confirmed += weights.len() as u64;
        }
    }
}
