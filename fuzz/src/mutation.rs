//! Changed inputs: bytes flipped, cut, repeated, spliced, and replaced by what readers stumble over.

/// A small generator (splitmix64): the same seed gives the same inputs.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A generator.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 where the limit is.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.number() % limit as u64) as usize }
    }
}

/// What stands at the edges of numbers, texts and structures.
const TOKENS: [&str; 36] = [
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e309",
    "-0.0",
    "5e-324",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\u",
    "[[[[[[[[",
    "{\"a\":",
    ",",
    ":",
    "\r\n",
    "\0",
    "é",
    "\u{feff}",
    "😀",
    "0x",
    "=",
    "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
];

/// What stands at the edges of lengths and numbers in binary: little endian, SCALE's compact forms, nothing but zeros.
const BLOCKS: [&[u8]; 16] = [
    &[0; 4],
    &[0; 32],
    &[0xff; 2],
    &[0xff; 4],
    &[0xff; 8],
    &[0xff; 16],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    // Compact 63, 64, 16,383, 16,384, 2^30 - 1, 2^30, 2^32 - 1 and 2^64 - 1.
    &[0xfc],
    &[0x01, 0x01],
    &[0xfd, 0xff],
    &[0x02, 0x00, 0x01, 0x00],
    &[0xfe, 0xff, 0xff, 0xff],
    &[0x03, 0x00, 0x00, 0x00, 0x40],
    &[0x03, 0xff, 0xff, 0xff, 0xff],
    &[0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/// One to eight changes to one of the inputs.
pub fn mutated(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool.get(random.below(pool.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        change(&mut input, pool, random);
    }
    input
}

fn change(input: &mut Vec<u8>, pool: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() + 1 - at).min(64);
    match random.below(11) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.number() as u8,
        2 => drop(input.drain(at..end)),
        3 => {
            let token = TOKENS[random.below(TOKENS.len())].as_bytes();
            input.splice(at..end, token.iter().copied());
        }
        4 => {
            let part = input[at..end].to_vec();
            for _ in 0..random.below(32) {
                input.splice(at..at, part.iter().copied());
            }
        }
        5 => {
            // The beginning of one, the end of another.
            let other = pool.get(random.below(pool.len())).map(Vec::as_slice).unwrap_or_default();
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        6 => input.truncate(at),
        7 => {
            let block = BLOCKS[random.below(BLOCKS.len())];
            input.splice(at..at, block.iter().copied());
        }
        8 => {
            // In place, so that what follows stays where it is.
            let block = BLOCKS[random.below(BLOCKS.len())];
            for (byte, new) in input[at..].iter_mut().zip(block) {
                *byte = *new;
            }
        }
        9 if at < input.len() => input[at] = input[at].wrapping_add(if random.below(2) == 0 { 1 } else { 0xff }),
        _ => input.insert(at, random.number() as u8),
    }
}
