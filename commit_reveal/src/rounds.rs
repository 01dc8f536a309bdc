//! Which round a commit is made for: the one that the beacon signs shortly after the chain begins to reveal.
//!
//! The chain opens a commit at the start of the epoch that lies `RevealPeriodEpochs` after the commit's own. It needs the round's
//! signature by then, and nobody may have it much earlier.

use yuma::schedule::legacy;
use yuma::schedule::stateful::State;

use crate::{Beacon, Error};

/// Blocks after the first block of the reveal for which the round is chosen, as the SDK does.
pub const SECURITY_BLOCKS: u64 = 3;

/// The longest reveal period that the chain allows, in epochs.
pub const REVEAL_PERIOD_MAXIMUM: u64 = 100;

/// When a commit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The newest block.
    pub block: u64,
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Milliseconds between two blocks: 12,000 on public networks, 250 on fast ones.
    pub block_ms: u64,
}

/// How a subnet's epochs follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// By the block's number alone.
    Legacy {
        /// The subnet.
        netuid: u16,
        /// Its tempo.
        tempo: u16,
    },
    /// By the subnet's state at the newest block, where the chain stores `LastEpochBlock`.
    Stateful(State),
}

/// The round for which a commit is encrypted, at least 1.
///
/// # Errors
/// A reveal period that the chain does not allow, a subnet without epochs, or a beacon without a period.
pub fn reveal_round(beacon: &Beacon, schedule: Schedule, reveal_period: u64, moment: Moment) -> Result<u64, Error> {
    let first = reveal_block(schedule, reveal_period, moment.block)?;
    let blocks = first.saturating_add(SECURITY_BLOCKS).saturating_sub(moment.block);
    let at = moment.now_ms.saturating_add(blocks.saturating_mul(moment.block_ms));
    let round = at.saturating_sub(beacon.genesis_ms).checked_div(beacon.period_ms).ok_or(Error::Period)?;
    Ok(round.max(1))
}

/// The first block in which the chain reveals what is committed right after `block`.
///
/// # Errors
/// As [`reveal_round`].
pub fn reveal_block(schedule: Schedule, reveal_period: u64, block: u64) -> Result<u64, Error> {
    if reveal_period == 0 || reveal_period > REVEAL_PERIOD_MAXIMUM {
        return Err(Error::RevealPeriod { found: reveal_period });
    }
    match schedule {
        Schedule::Legacy { tempo: 0, .. } => Err(Error::NoTempo),
        Schedule::Legacy { netuid, tempo } => {
            let epoch = legacy::number(netuid, tempo, block).saturating_add(reveal_period);
            Ok(legacy::first_block(netuid, tempo, epoch))
        }
        Schedule::Stateful(state) => stateful(state, reveal_period, block).ok_or(Error::NoTempo),
    }
}

/// The chain reveals before it computes epochs, and counts an epoch that is due in the same block as begun already; an epoch that
/// is only overdue by the block's own count is not seen until the next block.
fn stateful(mut state: State, reveal_period: u64, mut block: u64) -> Option<u64> {
    let mut next = state.next_epoch(block)?;
    // The commit lies in the next block, after that block's own epoch.
    let epochs = reveal_period + u64::from(next == block.saturating_add(1));
    for left in (1..=epochs).rev() {
        let quiet = next.saturating_sub(1).saturating_sub(block);
        let before = State { blocks_since_last_step: state.blocks_since_last_step.saturating_add(quiet), ..state };
        if left == 1 && before.is_due(next) {
            return Some(next);
        }
        state = state.after_epoch(next);
        block = next;
        next = state.next_epoch(block)?;
    }
    Some(block.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QUICKNET;
    use proptest::prelude::*;

    const BASE: State =
        State { tempo: 360, last_epoch_block: 1000, pending_epoch_at: 0, blocks_since_last_step: 0, epoch_index: 0 };

    #[test]
    fn the_stateful_schedule_gives_these_blocks() {
        for (state, period, current, target) in [
            (BASE, 1, 1010, 1363),
            (BASE, 1, 1358, 1363),
            (BASE, 1, 1359, 1723),
            (BASE, 1, 1360, 1724),
            (State { pending_epoch_at: 1050, ..BASE }, 1, 1010, 1053),
            (BASE, 2, 1010, 1723),
            (State { blocks_since_last_step: 50_395, ..BASE }, 1, 1010, 1020),
            (State { epoch_index: u64::MAX, ..BASE }, 1, 1010, 1363),
        ] {
            let found = reveal_block(Schedule::Stateful(state), period, current);
            assert_eq!(found.map(|block| block + SECURITY_BLOCKS), Ok(target), "{state:?} {period} {current}");
        }
    }

    #[test]
    fn the_legacy_schedule_gives_these_blocks() {
        for (netuid, tempo, period, current, first) in [
            (1, 360, 1, 0, 359),
            (1, 360, 1, 358, 359),
            (1, 360, 1, 359, 720),
            (1, 360, 3, 358, 1081),
            (78, 99, 1, 1000, 1021),
        ] {
            let found = reveal_block(Schedule::Legacy { netuid, tempo }, period, current);
            assert_eq!(found, Ok(first), "{netuid} {tempo} {period} {current}");
            // The block after one in which the legacy schedule has its epoch.
            assert!(legacy::is_due(netuid, tempo, first - 1));
        }
    }

    #[test]
    fn a_round_is_counted_from_the_beacons_genesis() {
        let moment = Moment { block: 1010, now_ms: 1_700_000_000_000, block_ms: 12_000 };
        let schedule = Schedule::Stateful(BASE);
        // 353 blocks of 12 s are 4,236 s: (1_700_004_236 - 1_692_803_367) / 3.
        assert_eq!(reveal_round(&QUICKNET, schedule, 1, moment), Ok(2_400_289));
        // A quarter of a second a block: 88.25 s.
        assert_eq!(reveal_round(&QUICKNET, schedule, 1, Moment { block_ms: 250, ..moment }), Ok(2_398_907));
        assert_eq!(reveal_round(&QUICKNET, schedule, 1, Moment { now_ms: 0, ..moment }), Ok(1));
        let stopped = Beacon { period_ms: 0, ..QUICKNET };
        assert_eq!(reveal_round(&stopped, schedule, 1, moment), Err(Error::Period));
    }

    #[test]
    fn periods_and_tempos_without_a_reveal_are_refused() {
        for period in [0, 101, u64::MAX] {
            assert_eq!(reveal_block(Schedule::Stateful(BASE), period, 1), Err(Error::RevealPeriod { found: period }));
        }
        assert_eq!(reveal_block(Schedule::Stateful(State { tempo: 0, ..BASE }), 1, 1), Err(Error::NoTempo));
        assert_eq!(reveal_block(Schedule::Legacy { netuid: 1, tempo: 0 }, 1, 1), Err(Error::NoTempo));
    }

    /// The same by going through every block.
    fn step_by_step(mut state: State, period: u64, current: u64) -> u64 {
        let advance = |state: &mut State, block| {
            let mut subnets = std::collections::BTreeMap::from([(0, *state)]);
            yuma::schedule::stateful::advance(&mut subnets, block, 1);
            *state = subnets[&0];
        };
        let mut committed = state;
        advance(&mut committed, current + 1);
        let mut block = current + 1;
        while state.epoch_index + u64::from(state.is_due(block)) < committed.epoch_index + period {
            advance(&mut state, block);
            block += 1;
        }
        block
    }

    proptest! {
        #[test]
        fn leaping_from_epoch_to_epoch_is_stepping_through_blocks(
            (tempo, last, pending, since, current, period) in
                (1u16..400, 0u64..2000, prop_oneof![Just(0), 1u64..3000], prop_oneof![0u64..500, 50_000u64..50_600], 0u64..2500, 1u64..5)
        ) {
            let state = State { tempo, last_epoch_block: last, pending_epoch_at: pending, blocks_since_last_step: since, epoch_index: 9 };
            prop_assert_eq!(reveal_block(Schedule::Stateful(state), period, current), Ok(step_by_step(state, period, current)));
        }

        #[test]
        fn absurd_schedules_give_some_round(
            (tempo, last, pending, since, index) in (any::<u16>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
            (block, now_ms, block_ms, netuid, period) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u16>(), 0u64..200)
        ) {
            let state = State { tempo, last_epoch_block: last, pending_epoch_at: pending, blocks_since_last_step: since, epoch_index: index };
            for schedule in [Schedule::Stateful(state), Schedule::Legacy { netuid, tempo }] {
                let round = reveal_round(&QUICKNET, schedule, period, Moment { block, now_ms, block_ms });
                prop_assert_eq!(round.is_ok(), tempo > 0 && (1..=REVEAL_PERIOD_MAXIMUM).contains(&period));
                prop_assert!(round != Ok(0));
            }
        }
    }
}
