//! Draws without a random source: a SHA-256 counter stream seeded by recorded facts.
//!
//! seed = SHA-256("assay/draw/1" ‖ newest block hash when the challenge was accepted ‖ origin ‖ commitment of the challenge).
//! Block *i* of the stream with a label = SHA-256("assay/stream/1" 0x00 ‖ seed ‖ u16 label length ‖ label ‖ u64 *i*), read as
//! four big-endian u64. A number below *n* is taken by rejection: the stream's next u64 is used unless it lies in the
//! incomplete last multiple of *n*.

use crate::types::{Digest, sha256_parts};

/// The seed of a challenge's draws.
#[must_use]
pub fn seed(block_hash: &Digest, origin: &str, commitment: &Digest) -> Digest {
    sha256_parts(&[b"assay/draw/1", &block_hash.0, origin.as_bytes(), &commitment.0])
}

/// A deterministic stream of numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    seed: Digest,
    label: String,
    counter: u64,
    words: [u64; 4],
    used: usize,
}

impl Stream {
    /// The stream of a seed under a label. Streams with different labels are independent.
    #[must_use]
    pub fn new(seed: Digest, label: &str) -> Self {
        Self { seed, label: label.to_owned(), counter: 0, words: [0; 4], used: 4 }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        if self.used == 4 {
            let label_length = u16::try_from(self.label.len()).unwrap_or(u16::MAX).to_be_bytes();
            let block = sha256_parts(&[
                b"assay/stream/1\0",
                &self.seed.0,
                &label_length,
                self.label.as_bytes(),
                &self.counter.to_be_bytes(),
            ]);
            let (words, _) = block.0.as_chunks::<8>();
            for (slot, word) in self.words.iter_mut().zip(words) {
                *slot = u64::from_be_bytes(*word);
            }
            self.counter += 1;
            self.used = 0;
        }
        let word = self.words[self.used];
        self.used += 1;
        word
    }

    /// A number in `0..bound`, each equally likely. `bound` 0 gives 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // 2⁶⁴ mod bound values at the top of the range would favour the small numbers.
        let incomplete = (u64::MAX % bound + 1) % bound;
        loop {
            let word = self.next_u64();
            if word <= u64::MAX - incomplete {
                return word % bound;
            }
        }
    }
}

/// Weighted sampling without replacement: indices of `weights` in order of the draw.
///
/// `count` times a number below the sum of the remaining weights picks the item in whose share it falls, and the item is
/// taken out. It stops early when no weight remains; if all weights are zero from the start, all count as one.
#[must_use]
pub fn sample(stream: &mut Stream, weights: &[u64], count: usize) -> Vec<usize> {
    let mut remaining: Vec<(usize, u64)> = weights.iter().copied().enumerate().collect();
    if weights.iter().all(|weight| *weight == 0) {
        remaining.iter_mut().for_each(|(_, weight)| *weight = 1);
    }
    let mut drawn = Vec::with_capacity(count.min(weights.len()));
    while drawn.len() < count {
        let total = remaining.iter().fold(0u64, |sum, (_, weight)| sum.saturating_add(*weight));
        if total == 0 {
            break;
        }
        let mut ticket = stream.below(total);
        let at = remaining.iter().position(|(_, weight)| {
            let hit = ticket < *weight;
            if !hit {
                ticket -= weight;
            }
            hit
        });
        let Some(at) = at else { break };
        drawn.push(remaining.remove(at).0);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::sha256;
    use proptest::prelude::*;

    #[test]
    fn golden_stream() {
        let seed = seed(&sha256(b"block"), "assay/0011223344556677/78/5F", &sha256(b"challenge"));
        assert_eq!(seed.to_string(), "64247eaacf36da92e22c228bcb26b79df3baaa53b1f3336083194a81803ef620");
        let mut stream = Stream::new(seed, "select/1");
        assert_eq!([stream.next_u64(), stream.next_u64()], [6_492_656_866_809_067_883, 9_263_945_560_532_972_217]);
        assert_eq!(sample(&mut stream, &[1, 5, 0, 3, 3], 3), [3, 1, 4]);
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut stream = Stream::new(sha256(b"shares"), "test");
        let mut hits = [0u32; 3];
        for _ in 0..8000 {
            for index in sample(&mut stream, &[1, 2, 5], 1) {
                hits[index] += 1;
            }
        }
        for (hit, share) in hits.iter().zip([1000, 2000, 5000]) {
            assert!(hit.abs_diff(share) < 250, "{hits:?}");
        }
    }

    proptest! {
        #[test]
        fn draws_are_distinct_and_stop(weights in prop::collection::vec(0u64..5, 0..20), count in 0usize..25, seed: [u8; 32]) {
            let mut stream = Stream::new(crate::types::HexBytes(seed), "law");
            let drawn = sample(&mut stream, &weights, count);
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), drawn.len());
            let eligible = weights.iter().filter(|weight| **weight > 0).count();
            let expected = if eligible == 0 { weights.len() } else { eligible };
            prop_assert_eq!(drawn.len(), expected.min(count));
        }

        #[test]
        fn below_is_below(bound in 1u64.., seed: [u8; 32]) {
            prop_assert!(Stream::new(crate::types::HexBytes(seed), "law").below(bound) < bound);
        }
    }
}
