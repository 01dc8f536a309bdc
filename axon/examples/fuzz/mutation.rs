//! Changed inputs: bytes flipped, cut, repeated, spliced, and replaced by what readers stumble over.

/// A small generator (splitmix64): the same seed gives the same inputs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 where the limit is.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
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

/// One to eight changes to one of the inputs.
pub(crate) fn mutated(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool.get(random.below(pool.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        change(&mut input, pool, random);
    }
    input
}

fn change(input: &mut Vec<u8>, pool: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() + 1 - at).min(64);
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.next() as u8,
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
        _ => input.insert(at, random.next() as u8),
    }
}
