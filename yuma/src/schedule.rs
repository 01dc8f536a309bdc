//! When a subnet's epoch is due: by the block's number alone on older runtimes ([`legacy`]), by state of the subnet's own
//! since the tempo became dynamic ([`stateful`]). Which one a chain follows is seen from its metadata: the second stores
//! `LastEpochBlock`.

/// Epochs at every block with `(block + netuid + 1) mod (tempo + 1) = tempo`. The chain's own comment says `= 0`, its code
/// counts down to the last block of the period: what an epoch computes is read from the block with remainder 0 on.
pub mod legacy {
    /// Blocks from `block` to the next epoch, 0 if it is due in this block; `None` for a tempo of 0, which never is.
    pub fn blocks_until(netuid: u16, tempo: u16, block: u64) -> Option<u64> {
        if tempo == 0 {
            return None;
        }
        let period = u64::from(tempo) + 1;
        let into = (block % period + (u64::from(netuid) + 1) % period) % period;
        Some(u64::from(tempo) - into)
    }

    /// The number of the epoch that `block` belongs to, as commits of weights are counted by; 0 at the chain's beginning.
    pub fn number(netuid: u16, tempo: u16, block: u64) -> u64 {
        block.saturating_add(u64::from(netuid) + 1) / (u64::from(tempo) + 1)
    }

    /// The first block of the epoch of that number.
    pub fn first_block(netuid: u16, tempo: u16, number: u64) -> u64 {
        number.saturating_mul(u64::from(tempo) + 1).saturating_sub(u64::from(netuid) + 1)
    }

    /// Whether the epoch is computed in this block.
    pub fn is_due(netuid: u16, tempo: u16, block: u64) -> bool {
        blocks_until(netuid, tempo, block) == Some(0)
    }
}

/// Epochs by `LastEpochBlock`, `PendingEpochAt` and `BlocksSinceLastStep`.
pub mod stateful {
    use std::collections::BTreeMap;

    /// Blocks after which an epoch is due whatever the tempo says (`MAX_TEMPO`).
    pub const BLOCKS_SINCE_MAXIMUM: u64 = 50_400;

    /// How many subnets have their epoch in one block unless the chain stores another number (`MaxEpochsPerBlock`).
    pub const EPOCHS_PER_BLOCK: u8 = 2;

    /// What the chain stores of a subnet's schedule, at the end of a block.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct State {
        /// `Tempo`; with 0 no epoch is ever due.
        pub tempo: u16,
        /// `LastEpochBlock`.
        pub last_epoch_block: u64,
        /// `PendingEpochAt`: the block from which an epoch that was put off or asked for is due; 0 for none.
        pub pending_epoch_at: u64,
        /// `BlocksSinceLastStep`.
        pub blocks_since_last_step: u64,
        /// `SubnetEpochIndex`: how many epochs there were.
        pub epoch_index: u64,
    }

    impl State {
        /// Whether the state as it stands is due in `block`.
        pub fn is_due(&self, block: u64) -> bool {
            let pending = self.pending_epoch_at > 0 && block >= self.pending_epoch_at;
            let overdue = self.blocks_since_last_step > BLOCKS_SINCE_MAXIMUM;
            let elapsed = block.saturating_sub(self.last_epoch_block) >= u64::from(self.tempo);
            self.tempo > 0 && (pending || overdue || elapsed)
        }

        /// The block in which the epoch is computed next, this being the state at the end of `block`: each block adds one to
        /// `BlocksSinceLastStep` before it asks. `None` for a tempo of 0. Without others that take the places of a block.
        pub fn next_epoch(&self, block: u64) -> Option<u64> {
            if self.tempo == 0 {
                return None;
            }
            let elapsed = self.last_epoch_block.saturating_add(u64::from(self.tempo));
            let overdue = block.saturating_add((BLOCKS_SINCE_MAXIMUM + 1).saturating_sub(self.blocks_since_last_step));
            let pending = if self.pending_epoch_at > 0 { self.pending_epoch_at } else { u64::MAX };
            Some(elapsed.min(overdue).min(pending).max(block.saturating_add(1)))
        }

        /// Blocks from the end of `block` to the one with the next epoch, at least 1; `None` for a tempo of 0.
        pub fn blocks_until(&self, block: u64) -> Option<u64> {
            self.next_epoch(block).map(|next| next.saturating_sub(block))
        }

        /// The state after an epoch in `block`. It counts even where the epoch itself was skipped for bad input.
        #[must_use]
        pub fn after_epoch(&self, block: u64) -> Self {
            Self {
                tempo: self.tempo,
                last_epoch_block: block,
                pending_epoch_at: 0,
                blocks_since_last_step: 0,
                epoch_index: self.epoch_index.saturating_add(1),
            }
        }
    }

    /// Moves all subnets, by netuid, through `block` and returns those whose epoch is computed in it. Of those that are due the
    /// first `limit` have theirs; the others are put off to the next block.
    pub fn advance(subnets: &mut BTreeMap<u16, State>, block: u64, limit: u8) -> Vec<u16> {
        let mut computed = Vec::new();
        for (netuid, state) in subnets {
            state.blocks_since_last_step = state.blocks_since_last_step.saturating_add(1);
            if !state.is_due(block) {
                continue;
            }
            if computed.len() < usize::from(limit) {
                *state = state.after_epoch(block);
                computed.push(*netuid);
            } else {
                state.pending_epoch_at = block.saturating_add(1);
            }
        }
        computed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::stateful::{State, advance};
    use super::*;

    #[test]
    fn the_legacy_schedule_is_a_remainder() {
        for (netuid, tempo, block, expected) in [
            (0, 360, 0, Some(359)),
            (1, 360, 358, Some(0)),
            (1, 360, 359, Some(360)),
            (1, 1, 1, Some(0)),
            (0, 100, 99, Some(0)),
            (78, 99, 21, Some(99)),
            (78, 99, 20, Some(0)),
            (7, 0, 5, None),
            (u16::MAX, u16::MAX, u64::MAX, Some(0)),
        ] {
            assert_eq!(legacy::blocks_until(netuid, tempo, block), expected, "{netuid} {tempo} {block}");
            assert_eq!(legacy::is_due(netuid, tempo, block), expected == Some(0));
        }
    }

    #[test]
    fn legacy_epochs_are_numbered_from_the_block_after_the_computed_one() {
        for (netuid, tempo) in [(0, 360), (1, 360), (1, 1), (78, 99), (u16::MAX, u16::MAX)] {
            for block in 0..2_000 {
                let (number, after) = (legacy::number(netuid, tempo, block), legacy::number(netuid, tempo, block + 1));
                assert_eq!(after - number, u64::from(legacy::is_due(netuid, tempo, block)), "{netuid} {tempo} {block}");
                let first = legacy::first_block(netuid, tempo, number);
                assert!(
                    first <= block && (first == 0 || legacy::is_due(netuid, tempo, first - 1)),
                    "{netuid} {tempo} {block}"
                );
            }
        }
    }

    #[test]
    fn the_next_epoch_is_the_first_block_that_is_due() {
        let base = State { tempo: 360, last_epoch_block: 1000, ..State::default() };
        for (state, block, expected) in [
            (base, 1010, Some(1360)),
            (base, 1360, Some(1361)),
            (State { pending_epoch_at: 1050, ..base }, 1010, Some(1050)),
            (State { blocks_since_last_step: 50_395, ..base }, 1010, Some(1016)),
            (State { tempo: 0, ..base }, 1010, None),
            (State { last_epoch_block: u64::MAX, ..base }, 1010, Some(51_411)),
        ] {
            assert_eq!(state.next_epoch(block), expected, "{state:?}");
            let mut subnets = BTreeMap::from([(4, state)]);
            let stepped = (block + 1..block + 60_000).find(|next| advance(&mut subnets, *next, 2) == [4]);
            assert_eq!(stepped, expected, "{state:?} step by step");
        }
    }

    #[test]
    fn a_block_has_two_epochs_and_the_others_wait_one_block() {
        let due = State { tempo: 360, last_epoch_block: 640, ..State::default() };
        let mut subnets: BTreeMap<u16, State> = (1..=5).map(|netuid| (netuid, due)).collect();
        let ran: Vec<Vec<u16>> = (1000..1004).map(|block| advance(&mut subnets, block, 2)).collect();
        assert_eq!(ran, [vec![1, 2], vec![3, 4], vec![5], vec![]]);
        assert_eq!(subnets[&5], State { last_epoch_block: 1002, epoch_index: 1, blocks_since_last_step: 1, ..due });
    }
}
