//! Epochs of the validator in memory: derivation, checkpoint, anchor, submission, and their fate on chain.

use std::sync::Arc;

use domain::epoch::EpochFold;
use domain::events::*;
use domain::types::*;

use super::{Draft, TEMPO, World, digest};

impl World {
    pub fn open_epoch(&mut self) {
        let chain_epoch = self.block / (u64::from(TEMPO) + 1);
        let (epoch, block) = (self.epoch, BlockNumber(self.block));
        self.chain.tempos.insert(block, TEMPO);
        self.push(EpochOpened { epoch, block, chain_epoch, rule_set: self.rules.hash() });
    }

    /// The weights that follow, from the last full observation.
    pub fn derivation(&self) -> WeightsDerived {
        let (mechanism, own) = (Arc::clone(&self.mechanism), self.opened.hotkey);
        let mut fold = match &self.previous {
            None => EpochFold::genesis(mechanism, own),
            Some(previous) => EpochFold::carry(mechanism, own, previous).unwrap(),
        };
        let from = fold.from().0 as usize;
        let at = |index: usize| Position(index as u64);
        let before = &self.drafts[..from];
        let antecedents = [
            before.iter().rposition(|draft| matches!(&draft.event, Event::MetagraphObserved(o) if o.full)),
            before.iter().rposition(|draft| matches!(&draft.event, Event::ExternalScoresFetched(_))),
        ];
        for index in antecedents.into_iter().flatten() {
            fold.antecedent(at(index), &self.drafts[index].event);
        }
        let full = |draft: &Draft| matches!(&draft.event, Event::MetagraphObserved(observed) if observed.full);
        let to = self.drafts.iter().rposition(full).unwrap();
        for index in from..=to {
            fold.apply(at(index), Micros(self.drafts[index].recorded_at), &self.drafts[index].event);
        }
        fold.derive()
    }

    pub fn derive(&mut self) -> WeightsDerived {
        let derived = self.derivation();
        self.previous = Some(derived.clone());
        self.derived_at = self.push(derived.clone());
        derived
    }

    /// A checkpoint of everything so far; root and note are filled in when the log is sealed.
    pub fn checkpoint(&mut self) -> u64 {
        let size = self.next().0;
        self.push(CheckpointPublished { size, root: digest(""), note: String::new() });
        size
    }

    pub fn anchor(&mut self, size: u64, outcome: ChainOutcome) {
        let extrinsic = digest(&format!("anchor {} {outcome:?}", self.next()));
        self.chain.extrinsics.insert(extrinsic, outcome.clone());
        let (epoch, root) = (self.epoch, digest(""));
        self.push(CheckpointAnchored { epoch, size, root, extrinsic, outcome });
    }

    /// The next block, with which something is included.
    pub fn included(&mut self) -> ChainOutcome {
        self.wait(12);
        ChainOutcome::Included { block: BlockNumber(self.block), block_hash: self.block_hash() }
    }

    pub fn submit(&mut self, derived: &WeightsDerived) -> Digest {
        let extrinsic = digest(&format!("weights {}", self.next()));
        self.nonce += 1;
        self.push(WeightsSubmitted {
            epoch: self.epoch,
            derived: self.derived_at,
            extrinsic,
            nonce: self.nonce,
            era_birth: BlockNumber(self.block),
            era_period: 64,
            version_key: 1,
            uids: derived.weights.iter().map(|weight| weight.uid).collect(),
            weights: derived.weights.iter().map(|weight| weight.weight).collect(),
        });
        extrinsic
    }

    pub fn weights_stand(&mut self, derived: &WeightsDerived) {
        let weights = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
        self.chain.weights.insert(BlockNumber(self.block), weights);
    }

    pub fn include(&mut self, derived: &WeightsDerived, extrinsic: Digest) {
        let outcome = self.included();
        self.chain.extrinsics.insert(extrinsic, outcome.clone());
        let ChainOutcome::Included { block, block_hash } = outcome else { return };
        self.weights_stand(derived);
        self.push(WeightsIncluded { epoch: self.epoch, extrinsic, block, block_hash });
    }

    pub fn close(&mut self, outcome: EpochOutcome, reason: &str) {
        self.push(EpochClosed { epoch: self.epoch, outcome, reason: reason.to_owned() });
        self.epoch += 1;
        self.wait(12);
        self.open_epoch();
    }

    /// The usual way of an epoch: derived, anchored, submitted, included, closed.
    pub fn finish_epoch(&mut self) {
        self.wait(24);
        self.observe(true);
        let derived = self.derive();
        let size = self.checkpoint();
        let outcome = self.included();
        self.anchor(size, outcome);
        let extrinsic = self.submit(&derived);
        self.include(&derived, extrinsic);
        self.close(EpochOutcome::Included, "");
    }

    /// Pushes events of another epoch than the one that is open.
    pub fn of_epoch(&mut self, epoch: u64, push: impl FnOnce(&mut Self)) {
        let open = std::mem::replace(&mut self.epoch, epoch);
        push(self);
        self.epoch = open;
    }

    /// Derived, anchored, submitted and committed, to be revealed after so many blocks; the next epoch opens at once.
    pub fn commit_epoch(&mut self, blocks: u64) -> (WeightsDerived, Digest) {
        self.wait(24);
        self.observe(true);
        let derived = self.derive();
        let size = self.checkpoint();
        let outcome = self.included();
        self.anchor(size, outcome);
        let extrinsic = self.submit(&derived);
        let outcome = self.included();
        self.chain.extrinsics.insert(extrinsic, outcome);
        let (epoch, block) = (self.epoch, BlockNumber(self.block));
        let commitment = digest(&format!("locked {epoch}"));
        let reveal_at = BlockNumber(self.block + blocks);
        self.push(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at });
        self.epoch += 1;
        self.wait(12);
        self.open_epoch();
        (derived, extrinsic)
    }

    /// The chain reveals committed weights, and their epoch ends.
    pub fn reveal_weights(&mut self, derived: &WeightsDerived) {
        self.of_epoch(derived.epoch, |world| {
            let (epoch, block_hash) = (world.epoch, world.block_hash());
            world.weights_stand(derived);
            world.push(WeightsRevealed { epoch, block: BlockNumber(world.block), block_hash });
            world.push(EpochClosed { epoch, outcome: EpochOutcome::Included, reason: String::new() });
        });
    }
}
