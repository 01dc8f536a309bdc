//! Which nonces were used: a memory that stays within its bounds whatever is sent, and forgets nothing that could count again.
//!
//! Of each signer the newest nonces are kept, so that requests of one signer may overtake each other. What is dropped to keep
//! the bounds raises a floor, and nothing at or below a floor counts: a used nonce is refused for ever, and the only price of a
//! bound is that a request which is *late as well* is refused though it is new.

use std::collections::{BTreeMap, BTreeSet};

/// Bounds of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceLimits {
    /// Signers.
    pub signers: usize,
    /// Nonces of one signer: how far its requests may overtake each other.
    pub each: usize,
}

impl Default for NonceLimits {
    /// 4,096 × 512 nonces of 8 bytes: about 20 MiB at the very most, with the trees around them.
    fn default() -> Self {
        Self { signers: 4096, each: 512 }
    }
}

type Public = [u8; 32];

/// Processes of one old sender.
const MOST_PROCESSES: usize = 8;

#[derive(Debug, Default)]
struct Used {
    nonces: BTreeSet<u64>,
    floor: u64,
}

impl Used {
    fn newest(&self) -> u64 {
        self.nonces.last().copied().unwrap_or(self.floor)
    }
}

/// Nonces that are times.
#[derive(Debug, Default)]
pub struct TimedNonces {
    limits: NonceLimits,
    signers: BTreeMap<Public, Used>,
    /// Signers by their newest nonce.
    by_newest: BTreeSet<(u64, Public)>,
    /// The newest nonce of all signers that were dropped while it might have counted.
    floor: u64,
}

impl TimedNonces {
    /// An empty memory. Bounds of nothing are bounds of one.
    #[must_use]
    pub fn new(limits: NonceLimits) -> Self {
        let limits = NonceLimits { signers: limits.signers.max(1), each: limits.each.max(1) };
        Self { limits, ..Self::default() }
    }

    /// Whether a nonce may still be used.
    #[must_use]
    pub fn is_unused(&self, signer: &Public, nonce: u64) -> bool {
        match self.signers.get(signer) {
            Some(used) => nonce > used.floor && !used.nonces.contains(&nonce),
            None => nonce > self.floor,
        }
    }

    /// Uses a nonce; false where it cannot be used. Nonces up to `expired` are refused elsewhere, for being too old. One may be
    /// ahead of `now`; a signer is refused where room could be made only by raising the floor above `now`, which nobody's honest
    /// nonce would pass.
    pub fn use_up(&mut self, signer: &Public, nonce: u64, (expired, now): (u64, u64)) -> bool {
        if !self.is_unused(signer, nonce) {
            return false;
        }
        if !self.signers.contains_key(signer) && !self.make_room(expired, now) {
            return false;
        }
        let floor = self.floor;
        let used = self.signers.entry(*signer).or_insert_with(|| Used { nonces: BTreeSet::new(), floor });
        self.by_newest.remove(&(used.newest(), *signer));
        used.nonces.insert(nonce);
        while used.nonces.len() > self.limits.each {
            used.floor = used.nonces.pop_first().unwrap_or(used.floor);
        }
        // What is too old anyway needs no room.
        while used.nonces.len() > 1 && used.nonces.first().is_some_and(|first| *first <= expired) {
            used.floor = used.nonces.pop_first().unwrap_or(used.floor);
        }
        self.by_newest.insert((used.newest(), *signer));
        true
    }

    /// Drops signers of whom nothing can count any more, and else the one that was silent longest. False where all are ahead.
    fn make_room(&mut self, expired: u64, now: u64) -> bool {
        while let Some((newest, signer)) = self.by_newest.first().copied() {
            let full = self.signers.len() >= self.limits.signers;
            if newest > expired && !full {
                return true;
            }
            if newest > now {
                return false;
            }
            self.by_newest.remove(&(newest, signer));
            self.signers.remove(&signer);
            if newest > expired {
                self.floor = self.floor.max(newest);
            }
        }
        true
    }

    /// How many signers and nonces are held.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.signers.len(), self.signers.values().map(|used| used.nonces.len()).sum())
    }
}

/// Nonces of old senders, which count from the start of their machine: of each signer and process only greater ones count. They
/// never become too old, so none is ever dropped, and when the memory is full no further sender is taken in. A signer has a few
/// processes only, so that no one of them fills it alone.
#[derive(Debug)]
pub struct UptimeNonces {
    most: usize,
    newest: BTreeMap<(Public, String), u64>,
}

/// Why a nonce of an old sender does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UptimeRefusal {
    /// A greater one was used.
    Used,
    /// The memory is full, or the signer has as many processes as it may have.
    Full,
}

impl UptimeNonces {
    /// An empty memory for so many senders.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, newest: BTreeMap::new() }
    }

    /// Whether a nonce may still be used.
    ///
    /// # Errors
    /// [`UptimeRefusal`].
    pub fn check(&self, signer: &Public, uuid: &str, nonce: u64) -> Result<(), UptimeRefusal> {
        match self.newest.get(&(*signer, uuid.to_owned())) {
            Some(newest) if nonce <= *newest => Err(UptimeRefusal::Used),
            None if self.newest.len() >= self.most || self.has_its_processes(signer) => Err(UptimeRefusal::Full),
            _ => Ok(()),
        }
    }

    fn has_its_processes(&self, signer: &Public) -> bool {
        let own = self.newest.range((*signer, String::new())..).take_while(|((of, _), _)| of == signer);
        own.take(MOST_PROCESSES).count() >= MOST_PROCESSES
    }

    /// Uses a nonce.
    ///
    /// # Errors
    /// [`UptimeRefusal`].
    pub fn use_up(&mut self, signer: &Public, uuid: &str, nonce: u64) -> Result<(), UptimeRefusal> {
        self.check(signer, uuid, nonce)?;
        self.newest.insert((*signer, uuid.to_owned()), nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const A: Public = [1; 32];
    const B: Public = [2; 32];
    const C: Public = [3; 32];
    /// Nothing is too old, and nothing ahead.
    const NOW: (u64, u64) = (0, 100);

    #[test]
    fn requests_may_overtake_each_other_but_not_repeat() {
        let mut nonces = TimedNonces::new(NonceLimits { signers: 2, each: 3 });
        for (signer, nonce, expected) in [
            (A, 10, true),
            (A, 12, true),
            (A, 11, true),
            (A, 11, false),
            (B, 11, true),
            (A, 13, true),
            // 10 made room for 13.
            (A, 10, false),
            (A, 9, false),
        ] {
            assert_eq!(nonces.use_up(&signer, nonce, NOW), expected, "{nonce}");
        }
        assert_eq!(nonces.held(), (2, 4));
    }

    #[test]
    fn a_dropped_signer_cannot_repeat_itself() {
        let mut nonces = TimedNonces::new(NonceLimits { signers: 2, each: 3 });
        assert!(nonces.use_up(&A, 10, NOW) && nonces.use_up(&B, 20, NOW) && nonces.use_up(&C, 30, NOW));
        assert_eq!(nonces.held().0, 2);
        assert!(!nonces.use_up(&A, 10, NOW), "its nonce is at the floor");
        assert!(nonces.use_up(&A, 31, NOW), "newer ones count");
        // B made room; C, which stays, is judged by its own nonces.
        assert!(!nonces.use_up(&B, 20, NOW) && nonces.use_up(&C, 21, NOW));
    }

    #[test]
    fn what_is_too_old_leaves_without_a_trace() {
        let mut nonces = TimedNonces::new(NonceLimits { signers: 100, each: 3 });
        assert!(nonces.use_up(&A, 10, NOW) && nonces.use_up(&B, 20, (5, 100)));
        assert!(nonces.use_up(&C, 30, (25, 100)));
        assert_eq!(nonces.held(), (1, 1));
        assert!(nonces.is_unused(&A, 26));
    }

    #[test]
    fn memory_is_flat_under_fresh_nonces() {
        let limits = NonceLimits { signers: 64, each: 16 };
        let mut nonces = TimedNonces::new(limits);
        for at in 0..100_000u64 {
            let mut signer = [0; 32];
            signer[..8].copy_from_slice(&(at % 1000).to_le_bytes());
            assert!(nonces.use_up(&signer, 1_000 + at, (at.saturating_sub(500), 1_000 + at)));
            let (signers, held) = nonces.held();
            assert!(signers <= 64 && held <= 64 * 16 && nonces.by_newest.len() == signers);
        }
    }

    #[test]
    fn old_senders_only_count_up() {
        let mut nonces = UptimeNonces::new(2);
        assert_eq!(nonces.use_up(&A, "u", 5), Ok(()));
        assert_eq!(nonces.use_up(&A, "u", 5), Err(UptimeRefusal::Used));
        assert_eq!(nonces.use_up(&A, "u", 6), Ok(()));
        assert_eq!(nonces.use_up(&A, "v", 1), Ok(()));
        assert_eq!(nonces.use_up(&B, "u", 1), Err(UptimeRefusal::Full));
        assert_eq!(nonces.use_up(&A, "u", 7), Ok(()));
    }

    #[test]
    fn one_old_sender_does_not_crowd_out_the_others() {
        let mut nonces = UptimeNonces::new(100);
        assert_eq!(nonces.use_up(&A, "z", 1), Ok(()));
        let taken = (0..50).filter(|process| nonces.use_up(&B, &process.to_string(), 1).is_ok()).count();
        assert_eq!(taken, MOST_PROCESSES);
        assert_eq!(nonces.use_up(&B, "7", 2), Ok(()), "those that are known go on");
        assert_eq!((nonces.use_up(&A, "a", 1), nonces.use_up(&C, "a", 1)), (Ok(()), Ok(())));
    }

    #[test]
    fn nonces_of_tomorrow_do_not_raise_the_floor_above_now() {
        let mut nonces = TimedNonces::new(NonceLimits { signers: 2, each: 3 });
        assert!(nonces.use_up(&A, 105, (0, 100)) && nonces.use_up(&B, 104, (0, 100)));
        assert!(!nonces.use_up(&C, 100, (0, 100)), "both are ahead, and neither is forgotten");
        assert!(nonces.use_up(&A, 101, (0, 100)) && !nonces.use_up(&B, 104, (0, 100)));
        assert!(nonces.use_up(&C, 105, (0, 104)), "B lies in the past by now");
        assert!(!nonces.is_unused(&B, 104) && nonces.is_unused(&[4; 32], 105));
    }

    proptest! {
        #[test]
        fn nothing_counts_twice(uses in proptest::collection::vec((0u8..6, 1u64..40), 0..300), signers in 1usize..4, each in 1usize..4, ahead in 0u64..40) {
            let mut nonces = TimedNonces::new(NonceLimits { signers, each });
            let mut used = BTreeSet::new();
            for (at, (signer, nonce)) in uses.into_iter().enumerate() {
                let expired = (at / 20) as u64;
                let now = expired + ahead;
                // Older ones never reach the memory.
                if nonce > expired && nonces.use_up(&[signer; 32], nonce, (expired, now)) {
                    prop_assert!(used.insert((signer, nonce)));
                }
                let (held_signers, held) = nonces.held();
                prop_assert!(held_signers <= signers && held <= signers * each);
                prop_assert!(nonces.floor <= now, "the floor is never ahead");
            }
        }
    }
}
