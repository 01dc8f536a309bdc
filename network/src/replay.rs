//! Which signed requests were seen already.
//!
//! A signature proves who wrote a request, not that it arrives for the first time. A request is remembered for as long as
//! its own time would let it pass, so that memory holds one window and no more; when it is full, new requests are refused,
//! because forgetting one would let it pass again. What is remembered is asked for only after the signature was verified:
//! strangers cannot fill it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::types::Hotkey;
use sha2::{Digest as _, Sha256};

/// Requests of all callers in one window. An entry takes about 150 bytes: 40 MB at most.
pub const MAXIMUM_ENTRIES: usize = 262_144;
/// Requests of one caller in one window: 400 a second for two minutes and some.
pub const MAXIMUM_OF_ONE: usize = 65_536;

type Digest = [u8; 32];

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The same caller used the same nonce before.
    Before,
    /// There is no room for another request, of this caller or at all.
    Full,
}

/// The requests of the current window.
#[derive(Debug)]
pub struct ReplayStore {
    entries: HashMap<Digest, Hotkey>,
    expiries: BTreeSet<(u64, Digest)>,
    callers: BTreeMap<Hotkey, usize>,
    most: usize,
    most_of_one: usize,
}

impl Default for ReplayStore {
    fn default() -> Self {
        Self::with_limits(MAXIMUM_ENTRIES, MAXIMUM_OF_ONE)
    }
}

impl ReplayStore {
    /// An empty store for so many requests, and for so many of one caller.
    #[must_use]
    pub fn with_limits(most: usize, most_of_one: usize) -> Self {
        Self { entries: HashMap::new(), expiries: BTreeSet::new(), callers: BTreeMap::new(), most, most_of_one }
    }

    /// Remembers a request until `expires`, after which its own time makes it too old. Times are in one unit of the
    /// caller's choice and of one clock.
    ///
    /// # Errors
    /// [`Seen`] says why the request must be refused.
    pub fn accept(&mut self, caller: &Hotkey, nonce: &str, expires: u64, now: u64) -> Result<(), Seen> {
        self.forget(now);
        let digest: Digest =
            Sha256::new().chain_update(caller.as_str()).chain_update([0]).chain_update(nonce).finalize().into();
        if self.entries.contains_key(&digest) {
            return Err(Seen::Before);
        }
        let of_one = self.callers.get(caller).copied().unwrap_or(0);
        if self.entries.len() >= self.most || of_one >= self.most_of_one {
            return Err(Seen::Full);
        }
        self.entries.insert(digest, *caller);
        self.expiries.insert((expires, digest));
        self.callers.insert(*caller, of_one + 1);
        Ok(())
    }

    /// How many requests are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn forget(&mut self, now: u64) {
        while let Some(&(expires, digest)) = self.expiries.first() {
            if expires >= now {
                return;
            }
            self.expiries.pop_first();
            let Some(caller) = self.entries.remove(&digest) else { continue };
            let left = self.callers.get(&caller).map_or(0, |count| count - 1);
            if left == 0 {
                self.callers.remove(&caller);
            } else {
                self.callers.insert(caller, left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: u8) -> Hotkey {
        Hotkey::from_public(&[number; 32])
    }

    #[test]
    fn a_request_passes_once_until_it_is_too_old_anyway() {
        let mut store = ReplayStore::default();
        assert_eq!(store.accept(&caller(1), "a", 10, 0), Ok(()));
        assert_eq!(store.accept(&caller(1), "a", 10, 10), Err(Seen::Before));
        assert_eq!(store.accept(&caller(1), "a", 12, 10), Err(Seen::Before), "whatever it says of its time");
        assert_eq!(store.accept(&caller(1), "b", 10, 0), Ok(()));
        assert_eq!(store.accept(&caller(2), "a", 10, 0), Ok(()), "nonces of one caller are no other's");
        assert_eq!(store.len(), 3);
        assert_eq!(store.accept(&caller(1), "a", 30, 11), Ok(()), "its window is over");
        assert_eq!((store.len(), store.expiries.len(), store.callers.len()), (1, 1, 1));
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_forgotten_for_room() {
        let mut store = ReplayStore::with_limits(5, 3);
        for number in 0..3 {
            assert_eq!(store.accept(&caller(1), &number.to_string(), 10, 0), Ok(()));
        }
        assert_eq!(store.accept(&caller(1), "3", 10, 0), Err(Seen::Full), "one caller's share");
        assert_eq!(store.accept(&caller(2), "0", 10, 0), Ok(()), "does not keep others out");
        assert_eq!(store.accept(&caller(3), "0", 10, 0), Ok(()));
        assert_eq!(store.accept(&caller(4), "0", 10, 0), Err(Seen::Full));
        assert_eq!(store.accept(&caller(1), "0", 10, 0), Err(Seen::Before));
        assert_eq!(store.accept(&caller(4), "0", 20, 11), Ok(()));
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn memory_is_flat_under_fresh_nonces() {
        let mut store = ReplayStore::with_limits(200, 200);
        for now in 0..20_000 {
            assert_eq!(store.accept(&caller(1), &now.to_string(), now + 100, now), Ok(()));
            assert!(store.len() <= 101 && store.expiries.len() == store.len());
        }
    }
}
