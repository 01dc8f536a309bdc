//! Extrinsics that wait for a block. In memory only: a node that is started again has forgotten them, as a real one has.

use std::collections::BTreeMap;

use domain::types::{Digest, Hotkey};

use super::extrinsic::Extrinsic;
use super::state::{State, Turn};
use crate::error::Error;

/// All waiting extrinsics together, and in one block.
const MAXIMUM_WAITING: usize = 1024;
/// How far ahead of its account a nonce may be.
const MAXIMUM_AHEAD: u64 = 64;
/// Extrinsics in one block.
const MAXIMUM_IN_BLOCK: usize = 256;

#[derive(Debug)]
struct Waiting {
    hash: Digest,
    arrival: u64,
    extrinsic: Extrinsic,
}

/// At most one extrinsic per account and nonce.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: BTreeMap<(Hotkey, u64), Waiting>,
    hashes: BTreeMap<Digest, (Hotkey, u64)>,
    arrivals: u64,
}

impl Pool {
    pub(crate) fn contains(&self, hash: &Digest) -> bool {
        self.hashes.contains_key(hash)
    }

    /// Takes in an extrinsic that is in no block and not in the pool.
    pub(crate) fn insert(&mut self, state: &State, hash: Digest, extrinsic: Extrinsic) -> Result<(), Error> {
        let payload = &extrinsic.payload;
        match state.turn(&extrinsic) {
            Turn::Now | Turn::Later => {}
            Turn::Stale => return rejected("Stale", "its nonce was used: transaction is outdated"),
            Turn::Invalid("AncientBirthBlock") => return rejected("AncientBirthBlock", "its era is over"),
            Turn::Invalid(name) => return rejected(name, "its era or chain is not this chain's"),
        }
        if payload.nonce - state.nonce(&payload.signer) > MAXIMUM_AHEAD {
            return rejected("Future", "its nonce is more than 64 ahead of its account");
        }
        let place = (payload.signer, payload.nonce);
        if self.waiting.contains_key(&place) {
            return rejected("PriorityTooLow", "another extrinsic with its nonce waits already (1014)");
        }
        if self.waiting.len() >= MAXIMUM_WAITING {
            return rejected("ImmediatelyDropped", "the pool is full (1016)");
        }
        if !extrinsic.is_signed() {
            return rejected("BadProof", "its signature is not its signer's");
        }
        self.hashes.insert(hash, place);
        self.waiting.insert(place, Waiting { hash, arrival: self.arrivals, extrinsic });
        self.arrivals += 1;
        Ok(())
    }

    /// The next nonce of an account, those that wait without a gap counted.
    pub(crate) fn next_nonce(&self, state: &State, account: &Hotkey) -> u64 {
        let mut nonce = state.nonce(account);
        while self.waiting.contains_key(&(*account, nonce)) {
            nonce += 1;
        }
        nonce
    }

    /// What the next block includes: of each account the nonces that follow without a gap, in the order of arrival. All of
    /// them are in their era: [`Pool::prune`] runs after each block.
    pub(crate) fn ready(&self, state: &State) -> Vec<Extrinsic> {
        let mut ready: Vec<(u64, u64, &Waiting)> = Vec::new();
        let mut run: Option<(Hotkey, u64, u64)> = None;
        for ((account, nonce), waiting) in &self.waiting {
            let (expected, arrival) = match run {
                Some((last, expected, arrival)) if last == *account => (expected, arrival),
                _ => (state.nonce(account), 0),
            };
            if *nonce == expected {
                // One that overtook its predecessor waits for it.
                let arrival = arrival.max(waiting.arrival);
                ready.push((arrival, *nonce, waiting));
                run = Some((*account, expected + 1, arrival));
            } else {
                // A gap: nothing after it is ready, and no nonce equals u64::MAX.
                run = Some((*account, u64::MAX, arrival));
            }
        }
        ready.sort_by_key(|(arrival, nonce, _)| (*arrival, *nonce));
        ready.into_iter().take(MAXIMUM_IN_BLOCK).map(|(_, _, waiting)| waiting.extrinsic.clone()).collect()
    }

    /// Forgets what is in a block or can no longer get into one.
    pub(crate) fn prune(&mut self, state: &State) {
        self.waiting.retain(|_, waiting| matches!(state.turn(&waiting.extrinsic), Turn::Now | Turn::Later));
        let waiting = &self.waiting;
        self.hashes.retain(|hash, place| waiting.get(place).is_some_and(|waiting| waiting.hash == *hash));
    }
}

fn rejected(name: &str, message: &str) -> Result<(), Error> {
    Err(Error::Rejected { name: name.to_owned(), message: message.to_owned() })
}
