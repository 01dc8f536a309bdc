//! Overlapping windows of a conversation, and which of them go out (spec 1.2 and 1.3).

use std::ops::Range;

use super::constants::{Batch, Windows};
use crate::draw::{Stream, sample};

/// Windows of `size` items, each sharing `overlap` items with the one before; as places in the array.
///
/// step = size − overlap; at most ⌊n/step⌋ + 1 windows, and none after the first that reaches the end. Nothing gives one
/// empty window. A step of 0 or less gives one window with everything, or none of nothing.
pub fn split(items: usize, size: usize, overlap: usize) -> Vec<Range<usize>> {
    let Some(step) = size.checked_sub(overlap).filter(|step| *step > 0) else {
        return if items > 0 { std::iter::once(0..items).collect() } else { Vec::new() };
    };
    let mut windows = Vec::new();
    for start in (0..=items / step).map(|at| at * step) {
        let end = start.saturating_add(size);
        windows.push(start.min(items)..end.min(items));
        if end >= items {
            break;
        }
    }
    windows
}

/// The windows of a conversation of `lines` lines: with the usual size, and with the fall-back size when that makes fewer
/// than two.
///
/// Upstream's 2.30.65 falls back to size 2 with overlap 2, which is always a single window.
pub fn of_conversation(lines: usize, rule: &Windows) -> Vec<Range<usize>> {
    let lines = rule.maximum_lines.map_or(lines, |limit| lines.min(limit as usize));
    let windows = split(lines, rule.size as usize, rule.overlap as usize);
    if windows.len() < 2 { split(lines, rule.fallback_size as usize, rule.overlap as usize) } else { windows }
}

/// Whether a conversation has enough windows: more than the minimum, which the conversation itself may state.
pub fn enough(windows: usize, stated_minimum: Option<u64>, rule: &Windows) -> bool {
    windows as u64 > stated_minimum.unwrap_or(rule.minimum)
}

/// Which of a conversation's windows are sent, in order of the draw.
///
/// All in order when the rule set has no limit or there are no more; else a uniform sample. Upstream draws with its own
/// random source; here it is the stream `cgp/windows/1` of the conversation.
pub fn choose(windows: usize, rule: &Batch, stream: &mut Stream) -> Vec<usize> {
    match rule.windows {
        Some(limit) if windows as u64 > limit => sample(stream, &vec![1; windows], limit as usize),
        _ => (0..windows).collect(),
    }
}

/// The order in which the pieces of a batch are sent: a uniform shuffle from the stream `cgp/pieces/1`, or as they are
/// where the rule set does not shuffle.
pub fn order(pieces: usize, rule: &Batch, stream: &mut Stream) -> Vec<usize> {
    if rule.shuffle { sample(stream, &vec![1; pieces], pieces) } else { (0..pieces).collect() }
}

/// Whether a batch of so many pieces is sent at all.
pub fn complete(pieces: usize, rule: &Batch) -> bool {
    pieces as u64 >= rule.minimum_pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgp::constants::Constants;
    use crate::types::HexBytes;
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_specification() {
        for (items, size, overlap, expected) in [
            (0, 10, 2, std::iter::once(0..0).collect()),
            (0, 2, 2, vec![]),
            (7, 2, 3, std::iter::once(0..7).collect()),
            (10, 10, 2, std::iter::once(0..10).collect()),
            (11, 10, 2, vec![0..10, 8..11]),
            (10, 5, 2, vec![0..5, 3..8, 6..10]),
        ] {
            assert_eq!(split(items, size, overlap), expected, "{items} {size} {overlap}");
        }
        assert_eq!(split(300, 10, 2).len(), 38);
    }

    #[test]
    fn short_conversations_fall_back_and_upstream_then_drops_them() {
        let counts = |rule: &Constants| -> Vec<usize> {
            (1..=10).map(|lines| of_conversation(lines, &rule.windows).len()).collect()
        };
        let document = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3];
        assert_eq!(counts(&Constants::readme()), document);
        assert_eq!(counts(&Constants::assay_1()), document);
        let running = Constants::v2_30_65();
        assert_eq!(counts(&running), [1; 10]);
        assert!(!enough(1, None, &running.windows) && enough(2, None, &running.windows));
        assert!(enough(1, Some(0), &running.windows));
        assert_eq!(of_conversation(1000, &running.windows).len(), 38, "cut to 300 lines");
    }

    proptest! {
        #[test]
        fn windows_cover_everything_in_order(items in 1usize..400, size in 1usize..30, overlap in 0usize..30) {
            let windows = split(items, size, overlap);
            prop_assert_eq!(windows.first().map(|window| window.start), Some(0));
            prop_assert_eq!(windows.last().map(|window| window.end), Some(items));
            for pair in windows.windows(2) {
                prop_assert!(pair[0].start < pair[1].start && pair[1].start <= pair[0].end);
                prop_assert_eq!(pair[0].end - pair[1].start, overlap);
            }
        }

        #[test]
        fn chosen_windows_are_distinct(windows in 0usize..40, seed: [u8; 32]) {
            let rule = Constants::v2_30_65().batch;
            let mut stream = Stream::new(HexBytes(seed), "cgp/windows/1");
            let mut chosen = choose(windows, &rule, &mut stream);
            prop_assert_eq!(chosen.len(), windows.min(5));
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert_eq!(chosen.len(), windows.min(5));
            let mut all = order(windows, &rule, &mut stream);
            all.sort_unstable();
            prop_assert_eq!(all, (0..windows).collect::<Vec<_>>());
        }
    }
}
