//! Extrinsics that wait for a block. In memory only: a node that is started again has forgotten them, as a real one has.

use std::collections::BTreeMap;

use crate::extrinsic::Extrinsic;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::state::{Invalid, State};

/// All waiting extrinsics together.
const MAXIMUM_WAITING: usize = 1024;
/// Their bytes together.
const MAXIMUM_WAITING_BYTES: usize = 20 * 1024 * 1024;
/// How far ahead of its account a nonce may be.
const MAXIMUM_AHEAD: u32 = 64;
/// Extrinsics in one block.
const MAXIMUM_IN_BLOCK: usize = 256;
/// Their bytes in one block: three quarters of 10 MiB, as subtensor has it.
const MAXIMUM_BLOCK_BYTES: usize = 7_864_320;

/// Why the pool does not take an extrinsic: Substrate's code, message and data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}: {data}")]
pub struct Refusal {
    /// The code of the JSON-RPC error.
    pub code: i32,
    /// The message.
    pub message: &'static str,
    /// What it is about.
    pub data: String,
}

impl Refusal {
    /// Bytes that are no extrinsic.
    pub(crate) fn bad_format(reason: String) -> Self {
        Self { code: 1001, message: "Extrinsic has invalid format", data: reason }
    }

    fn invalid(invalid: Invalid) -> Self {
        let data = match invalid {
            Invalid::Future => "Transaction will be valid in the future".to_owned(),
            Invalid::Stale => "Transaction is outdated".to_owned(),
            Invalid::AncientBirthBlock => "Transaction has an ancient birth block".to_owned(),
            Invalid::BadProof => "Transaction has a bad signature".to_owned(),
            Invalid::Custom(number) => format!("Custom error: {number}"),
        };
        Self { code: 1010, message: "Invalid Transaction", data }
    }

    fn banned(hash: &[u8; 32]) -> Self {
        Self { code: 1012, message: "Transaction is temporarily banned", data: format!("0x{}", hex::encode(hash)) }
    }

    fn already_imported(hash: &[u8; 32]) -> Self {
        Self { code: 1013, message: "Transaction Already Imported", data: format!("0x{}", hex::encode(hash)) }
    }

    fn too_low_priority() -> Self {
        let data = "The transaction has too low priority to replace another transaction already in the pool.";
        Self { code: 1014, message: "Priority is too low: (0 vs 0)", data: data.to_owned() }
    }

    fn immediately_dropped() -> Self {
        let data = "The transaction couldn't enter the pool because of the limit";
        Self { code: 1016, message: "Immediately Dropped", data: data.to_owned() }
    }
}

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    /// The first block that can no longer include it.
    death: u64,
    extrinsic: Extrinsic,
}

/// At most one extrinsic per account and nonce.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: BTreeMap<(AccountId32, u32), Waiting>,
    hashes: BTreeMap<[u8; 32], (AccountId32, u32)>,
    bytes: usize,
    arrivals: u64,
}

impl Pool {
    pub(crate) fn contains(&self, hash: &[u8; 32]) -> bool {
        self.hashes.contains_key(hash)
    }

    /// The bytes of what waits, in the order of accounts and nonces.
    pub(crate) fn pending(&self) -> Vec<Vec<u8>> {
        self.waiting.values().map(|waiting| waiting.extrinsic.bytes.clone()).collect()
    }

    /// Takes an extrinsic in.
    pub(crate) fn insert(&mut self, state: &State, extrinsic: Extrinsic) -> Result<(), Refusal> {
        let hash = extrinsic.hash;
        if self.contains(&hash) {
            return Err(Refusal::already_imported(&hash));
        }
        if state.inclusion(&hash).is_some() {
            return Err(Refusal::banned(&hash));
        }
        match state.validity(&extrinsic) {
            Ok(()) | Err(Invalid::Future) => {}
            Err(invalid) => return Err(Refusal::invalid(invalid)),
        }
        let place = (extrinsic.signer, extrinsic.nonce);
        if self.waiting.contains_key(&place) {
            return Err(Refusal::too_low_priority());
        }
        let ahead = extrinsic.nonce.saturating_sub(state.nonce(&extrinsic.signer));
        let bytes = self.bytes.saturating_add(extrinsic.bytes.len());
        if ahead > MAXIMUM_AHEAD || self.waiting.len() >= MAXIMUM_WAITING || bytes > MAXIMUM_WAITING_BYTES {
            return Err(Refusal::immediately_dropped());
        }
        let death = extrinsic.era.death(u64::from(state.height()) + 1);
        self.bytes = bytes;
        self.hashes.insert(hash, place);
        self.waiting.insert(place, Waiting { arrival: self.arrivals, death, extrinsic });
        self.arrivals += 1;
        Ok(())
    }

    /// The next nonce of an account, those that wait without a gap counted.
    pub(crate) fn next_nonce(&self, state: &State, account: &AccountId32) -> u32 {
        let mut nonce = state.nonce(account);
        while self.waiting.contains_key(&(*account, nonce)) {
            nonce = nonce.saturating_add(1);
        }
        nonce
    }

    /// What the next block includes: of each account the nonces that follow without a gap, in the order of arrival. All of
    /// them are in their era: [`Pool::prune`] runs after each block.
    pub(crate) fn ready(&self, state: &State) -> Vec<Extrinsic> {
        let mut ready: Vec<(u64, u32, &Waiting)> = Vec::new();
        let mut run: Option<(AccountId32, Option<u32>, u64)> = None;
        for ((account, nonce), waiting) in &self.waiting {
            let (expected, arrival) = match run {
                Some((last, expected, arrival)) if last == *account => (expected, arrival),
                _ => (Some(state.nonce(account)), 0),
            };
            if expected == Some(*nonce) {
                // One that overtook its predecessor waits for it.
                let arrival = arrival.max(waiting.arrival);
                ready.push((arrival, *nonce, waiting));
                run = Some((*account, nonce.checked_add(1), arrival));
            } else {
                // A gap: nothing after it is ready.
                run = Some((*account, None, arrival));
            }
        }
        ready.sort_by_key(|(arrival, nonce, _)| (*arrival, *nonce));
        let mut bytes = 0usize;
        let fits = |(_, _, waiting): &(u64, u32, &Waiting)| {
            bytes = bytes.saturating_add(waiting.extrinsic.bytes.len());
            bytes <= MAXIMUM_BLOCK_BYTES
        };
        ready
            .into_iter()
            .take(MAXIMUM_IN_BLOCK)
            .take_while(fits)
            .map(|(_, _, waiting)| waiting.extrinsic.clone())
            .collect()
    }

    /// Forgets what is in a block or can no longer get into one. Signatures are not checked again: their era is the same.
    pub(crate) fn prune(&mut self, state: &State) {
        let next = u64::from(state.height()) + 1;
        self.waiting.retain(|(account, nonce), waiting| {
            *nonce >= state.nonce(account) && next < waiting.death && state.still_allows(&waiting.extrinsic)
        });
        let waiting = &self.waiting;
        self.hashes.retain(|hash, place| waiting.get(place).is_some_and(|waiting| waiting.extrinsic.hash == *hash));
        self.bytes = waiting.values().map(|waiting| waiting.extrinsic.bytes.len()).sum();
    }
}
