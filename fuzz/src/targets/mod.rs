//! The readers, and what they promise of what they accept.

mod answers;
mod asked;
mod legacy;
mod node;
mod scale;
mod sealed;
mod signed;

use std::collections::BTreeMap;

/// A reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder of its seeds.
    pub name: &'static str,
    /// Panics where a promise is broken; says whether the reader took the input for what it reads.
    pub check: fn(&[u8]) -> bool,
    /// Seeds besides the kept ones.
    pub made: fn() -> Vec<Vec<u8>>,
    /// The longest input: enough for its structure, and beyond the reader's own limit where that is near.
    pub longest: usize,
}

impl Target {
    const fn new(name: &'static str, check: fn(&[u8]) -> bool, made: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, check, made, longest: 48 << 10 }
    }
}

/// Seeds that are all kept as files.
fn none() -> Vec<Vec<u8>> {
    Vec::new()
}

/// All targets.
#[must_use]
pub fn targets() -> Vec<Target> {
    vec![
        Target::new("headers", legacy::headers, none),
        Target::new("body", legacy::body, none),
        Target::new("btauth", legacy::btauth, none),
        Target::new("fernet", legacy::fernet, legacy::token),
        Target::new("address", legacy::address, none),
        Target::new("fiber", signed::fiber, signed::fiber_seeds),
        Target::new("loosh", signed::loosh, signed::loosh_seeds),
        Target::new("epistula", signed::epistula, signed::epistula_seeds),
        Target::new("timelock", sealed::timelock, sealed::timelock_seeds),
        Target::new("key_file", sealed::key_file, sealed::key_file_seeds),
        Target::new("vault", sealed::vault, sealed::vault_seeds),
        Target::new("sealed_file", sealed::sealed_file, sealed::sealed_file_seeds),
        Target { longest: 1 << 20, ..Target::new("metadata", scale::metadata, scale::metadata_seeds) },
        Target::new("storage", scale::storage, scale::storage_seeds),
        Target::new("runtime_api", scale::runtime_api, scale::runtime_api_seeds),
        Target::new("events", scale::events, scale::events_seeds),
        Target::new("extrinsic", scale::extrinsic, scale::extrinsic_seeds),
        Target::new("header", scale::header, none),
        Target { longest: 160 << 10, ..Target::new("submitted", scale::submitted, scale::extrinsic_seeds) },
        Target::new("called", scale::called, scale::called_seeds),
        Target::new("answers", answers::answers, answers::answer_seeds),
        Target::new("replies", answers::replies, answers::reply_seeds),
        Target::new("labels", answers::labels, answers::label_seeds),
        Target { longest: 288 << 10, ..Target::new("challenge", asked::challenge, asked::challenge_seeds) },
        Target { longest: 160 << 10, ..Target::new("question", asked::question, asked::question_seeds) },
        Target::new("synapse", asked::synapse, asked::synapse_seeds),
        Target::new("service", asked::service, asked::service_seeds),
    ]
}

/// Lines of `name: value` and, after an empty line, a body.
fn request(input: &[u8]) -> (BTreeMap<String, String>, &[u8]) {
    let gap = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = gap.map_or((input, &[][..]), |at| (&input[..at], &input[at + 2..]));
    let fields = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    (fields.collect(), body)
}

/// The bytes of such a request.
fn request_bytes(fields: &[(&'static str, String)], body: &[u8]) -> Vec<u8> {
    let head: String = fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    [head.as_bytes(), b"\n", body].concat()
}

/// The first byte chooses one of `all`, the others are for it.
fn choice<'a, 'i, T>(all: &'a [T], input: &'i [u8]) -> Option<(&'a T, &'i [u8])> {
    let (first, rest) = input.split_first_chunk::<2>()?;
    let number = usize::from(u16::from_le_bytes(*first));
    Some((all.get(number % all.len().max(1))?, rest))
}

/// The input that chooses `number` with `bytes`.
fn choosing(number: usize, bytes: &[u8]) -> Vec<u8> {
    [&(number as u16).to_le_bytes(), bytes].concat()
}
