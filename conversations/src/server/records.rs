//! What clients bring back, as JSON lines in numbered files: `{"guid":…,"received_at":µs,"record":{…}}`.
//!
//! Files only grow; a full one is followed by the next. A record that comes again, as after a lost answer, counts once while
//! the server runs and remembers it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use domain::types::sha256;
use serde::Serialize;
use serde_json::value::RawValue;

use super::folder::{self, Lines};
use super::reservations::Micros;
use crate::error::Error;

/// Bytes after which a file is full.
const FILE_BYTES: u64 = 64 << 20;
/// Records that are remembered to tell repetitions.
const REMEMBERED: usize = 100_000;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is on disk.
    Stored,
    /// It was there.
    Known,
    /// There is no room.
    Full,
    /// It is no JSON object in UTF-8.
    Malformed,
}

#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
    number: u32,
    current: Lines,
    /// Bytes of the files before.
    before: u64,
    limit: u64,
    file_bytes: u64,
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

#[derive(Serialize)]
struct Entry<'a> {
    guid: u128,
    received_at: Micros,
    record: &'a RawValue,
}

fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("records-{number:06}.jsonl"))
}

impl Records {
    /// Goes on in the last file.
    pub(super) fn open(folder: &Path, limit: u64) -> Result<Self, Error> {
        let (mut number, mut all) = (1, 0);
        for entry in std::fs::read_dir(folder).map_err(folder::reading(folder))? {
            let entry = entry.map_err(folder::reading(folder))?;
            let name = entry.file_name();
            let found =
                name.to_str().and_then(|name| name.strip_prefix("records-")?.strip_suffix(".jsonl")?.parse().ok());
            if let Some(found) = found {
                number = number.max(found);
                all += entry.metadata().map_err(folder::reading(&entry.path()))?.len();
            }
        }
        let last = path(folder, number);
        let last_bytes = std::fs::metadata(&last).map_or(0, |data| data.len());
        let current = Lines::open(last)?;
        Ok(Self {
            folder: folder.to_owned(),
            number,
            current,
            before: all - last_bytes.min(all),
            limit,
            file_bytes: FILE_BYTES,
            known: BTreeSet::new(),
            order: VecDeque::new(),
        })
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> u64 {
        self.before + self.current.bytes()
    }

    /// Stores a record.
    pub(super) fn put(&mut self, guid: u128, body: &[u8], now: Micros) -> Result<Outcome, Error> {
        let Some(record) = object(body) else { return Ok(Outcome::Malformed) };
        let digest = sha256(&[guid.to_be_bytes().as_slice(), body].concat()).0;
        if self.known.contains(&digest) {
            return Ok(Outcome::Known);
        }
        let other = |error: serde_json::Error| folder::writing(&self.folder)(std::io::Error::other(error));
        let entry = Entry { guid, received_at: now, record: &record };
        let mut line = serde_json::to_vec(&entry).map_err(other)?;
        // Between the tokens of JSON these are white space; within a text they cannot stand bare.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        if self.bytes() + line.len() as u64 + 1 > self.limit {
            return Ok(Outcome::Full);
        }
        if self.current.bytes() >= self.file_bytes {
            let next = self.number.saturating_add(1);
            let lines = Lines::open(path(&self.folder, next))?;
            self.before += self.current.bytes();
            (self.number, self.current) = (next, lines);
        }
        self.current.add(line)?;
        self.known.insert(digest);
        self.order.push_back(digest);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Ok(Outcome::Stored)
    }
}

/// The bytes as a JSON object.
fn object(body: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn records_are_lines_that_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(records.put(u128::MAX, b" {\"a\":\n [1,\r\n2]}\n", 7).unwrap(), Outcome::Stored);
        assert_eq!(records.put(u128::MAX, b" {\"a\":\n [1,\r\n2]}\n", 8).unwrap(), Outcome::Known);
        assert_eq!(records.put(1, b" {\"a\":\n [1,\r\n2]}\n", 8).unwrap(), Outcome::Stored);
        for bad in [&b""[..], b"[]", b"{", b"{\"a\":\"\xff\"}", b"{}{}", b"{\"a\":\"\n\"}"] {
            assert_eq!(records.put(1, bad, 9).unwrap(), Outcome::Malformed, "{bad:?}");
        }
        let text = std::fs::read_to_string(folder.path().join("records-000001.jsonl")).unwrap();
        let mut lines = text.lines();
        let first = r#"{"guid":340282366920938463463374607431768211455,"received_at":7,"record":{"a":  [1,  2]}}"#;
        assert_eq!(lines.next().unwrap(), first);
        assert_eq!(lines.count(), 1);
    }

    #[test]
    fn files_follow_each_other_up_to_the_limit_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::open(folder.path(), 170).unwrap();
        records.file_bytes = 50;
        for number in 0..2_u8 {
            let body = format!("{{\"n\":{number}}}");
            assert_eq!(records.put(1, body.as_bytes(), 0).unwrap(), Outcome::Stored);
        }
        let bytes = records.bytes();
        let mut records = Records::open(folder.path(), 170).unwrap();
        records.file_bytes = 50;
        assert_eq!(records.bytes(), bytes);
        assert_eq!(records.put(1, b"{\"n\":2}", 0).unwrap(), Outcome::Stored);
        assert!(folder.path().join("records-000002.jsonl").exists());
        let mut outcome = Outcome::Stored;
        for number in 3..9_u8 {
            outcome = records.put(1, format!("{{\"n\":{number}}}").as_bytes(), 0).unwrap();
        }
        assert_eq!(outcome, Outcome::Full);
        assert!(records.bytes() <= 170);
    }
}
