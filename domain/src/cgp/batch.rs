//! Which windows of a stock of conversations are sent in which order: one pass over the stock, batch by batch (spec 1.2).
//!
//! Upstream reserves a batch of conversations, draws windows of each and mixes them, with its own random source. Here a pass is a
//! function of its number: the streams `cgp/windows/1` and `cgp/pieces/1` of the seed SHA-256("assay/cgp/batch/1" 0x00 ‖ pass ‖
//! batch ‖ conversation, 0 for the pieces), each number a big-endian u64 and conversations counted from 1.

use std::collections::BTreeSet;
use std::ops::Range;

use super::constants::Constants;
use super::windows::{choose, complete, enough, of_conversation, order};
use crate::draw::Stream;
use crate::types::{Digest, sha256_parts};

/// What of a conversation decides about its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stocked {
    /// Its lines.
    pub lines: usize,
    /// How many windows it asks to be exceeded itself.
    pub minimum_windows: Option<u64>,
}

/// One window to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Place of the conversation in the stock.
    pub conversation: usize,
    /// Which of its windows.
    pub window_index: usize,
    /// Its lines.
    pub window: Range<usize>,
    /// Whether it is the first of its conversation in this pass.
    pub first: bool,
}

fn seed(pass: u64, batch: usize, conversation: usize) -> Digest {
    let (batch, conversation) = (batch as u64, conversation as u64);
    sha256_parts(&[b"assay/cgp/batch/1\0", &pass.to_be_bytes(), &batch.to_be_bytes(), &conversation.to_be_bytes()])
}

/// The pieces of a pass in the order in which they are sent. Every pass has the same number of them.
///
/// Conversations with too few windows are left out, and so are batches with too few pieces. The last batch is filled up from
/// the beginning of the stock when there are more conversations than one batch takes.
#[must_use]
pub fn pieces(stock: &[Stocked], rule: &Constants, pass: u64) -> Vec<Piece> {
    let usable: Vec<(usize, Vec<Range<usize>>)> = stock
        .iter()
        .enumerate()
        .map(|(at, stocked)| (at, of_conversation(stocked.lines, &rule.windows), stocked.minimum_windows))
        .filter(|(_, windows, minimum)| enough(windows.len(), *minimum, &rule.windows))
        .map(|(at, windows, _)| (at, windows))
        .collect();
    let size = usize::try_from(rule.batch.conversations).unwrap_or(usize::MAX).min(usable.len()).max(1);
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for batch in 0..usable.len().div_ceil(size) {
        let chosen = (batch * size..(batch + 1) * size).filter_map(|at| usable.get(at % usable.len()));
        let found: Vec<Piece> = chosen
            .flat_map(|(conversation, windows)| {
                let mut stream = Stream::new(seed(pass, batch, conversation + 1), "cgp/windows/1");
                let piece = |window_index: usize| Piece {
                    conversation: *conversation,
                    window_index,
                    window: windows[window_index].clone(),
                    first: false,
                };
                choose(windows.len(), &rule.batch, &mut stream).into_iter().map(piece).collect::<Vec<_>>()
            })
            .collect();
        if complete(found.len(), &rule.batch) {
            let mut stream = Stream::new(seed(pass, batch, 0), "cgp/pieces/1");
            out.extend(order(found.len(), &rule.batch, &mut stream).into_iter().map(|at| found[at].clone()));
        }
    }
    for piece in &mut out {
        piece.first = seen.insert(piece.conversation);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(lines: &[usize]) -> Vec<Stocked> {
        lines.iter().map(|lines| Stocked { lines: *lines, minimum_windows: None }).collect()
    }

    fn places(pieces: &[Piece]) -> Vec<(usize, usize)> {
        pieces.iter().map(|piece| (piece.conversation, piece.window_index)).collect()
    }

    #[test]
    fn the_document_sends_every_window_in_order() {
        let found = pieces(&stock(&[19, 3, 12]), &Constants::readme(), 7);
        assert_eq!(places(&found), [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)], "one window alone is left out");
        assert_eq!(found.iter().map(|piece| piece.first).collect::<Vec<_>>(), [true, false, false, true, false]);
        assert_eq!(found[2].window, 16..19);
        assert!(pieces(&[], &Constants::readme(), 0).is_empty());
    }

    #[test]
    fn upstream_draws_and_mixes() {
        let rule = Constants::v2_30_65();
        let stock = stock(&[100; 13]);
        let first = pieces(&stock, &rule, 0);
        assert_eq!(first.len(), 2 * 10 * 5, "two batches of ten conversations with five windows each");
        assert_eq!(first, pieces(&stock, &rule, 0));
        assert_ne!(places(&first), places(&pieces(&stock, &rule, 1)));
        assert_eq!(first.iter().filter(|piece| piece.first).count(), 13);
        let batch: BTreeSet<usize> = first[..50].iter().map(|piece| piece.conversation).collect();
        assert_eq!(batch, (0..10).collect());
        assert!(!places(&first[..50]).is_sorted());
        // Three conversations with two windows each are fewer than ten pieces.
        assert!(pieces(&self::stock(&[12; 3]), &rule, 0).is_empty());
    }
}
