//! Who may be handed a conversation, and until when nobody else. The clock comes in.
//!
//! Free conversations stand in a queue: the one that was free for longest is handed out first, so that all have their turn
//! before one comes again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::folder::{self, Lines};
use crate::error::Error;
use crate::text;

/// Lines of the journal that are written before it is made anew, beside those that are in force.
const WASTE: usize = 10_000;

/// Microseconds since 1970.
pub(super) type Micros = u64;

/// Which conversations are reserved.
#[derive(Debug)]
pub(super) struct Reservations {
    free: VecDeque<u128>,
    until: BTreeMap<u128, Micros>,
    ends: BTreeSet<(Micros, u128)>,
    /// The latest moment seen: a clock that goes back frees nothing early and nothing twice.
    now: Micros,
}

/// Why there is no reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// All, or the one asked for, are reserved until then.
    Until(Micros),
    /// There is no such conversation.
    Unknown,
}

impl Reservations {
    /// All of them free, in their order, but those that are reserved until a moment.
    pub(super) fn new(all: impl Iterator<Item = u128>, reserved: BTreeMap<u128, Micros>, now: Micros) -> Self {
        let mut free = VecDeque::new();
        let mut until = BTreeMap::new();
        for guid in all {
            match reserved.get(&guid) {
                Some(end) if *end > now => {
                    until.insert(guid, *end);
                }
                _ => free.push_back(guid),
            }
        }
        let ends = until.iter().map(|(guid, end)| (*end, *guid)).collect();
        Self { free, until, ends, now }
    }

    fn advance(&mut self, now: Micros) {
        self.now = self.now.max(now);
        while let Some((end, guid)) = self.ends.first().copied().filter(|(end, _)| *end <= self.now) {
            self.ends.remove(&(end, guid));
            self.until.remove(&guid);
            self.free.push_back(guid);
        }
    }

    /// Reserves the next one, or one that is asked for, for so many microseconds.
    pub(super) fn reserve(
        &mut self,
        wanted: Option<u128>,
        now: Micros,
        expiry: Micros,
    ) -> Result<(u128, Micros), Taken> {
        self.advance(now);
        let at = match wanted {
            Some(guid) => match self.free.iter().position(|free| *free == guid) {
                Some(at) => at,
                None => return Err(self.until.get(&guid).map_or(Taken::Unknown, |end| Taken::Until(*end))),
            },
            None => 0,
        };
        let Some(guid) = self.free.remove(at) else {
            return Err(self.ends.first().map_or(Taken::Unknown, |(end, _)| Taken::Until(*end)));
        };
        let end = self.now.saturating_add(expiry);
        self.until.insert(guid, end);
        self.ends.insert((end, guid));
        Ok((guid, end))
    }

    /// Takes a reservation back that could not be written down.
    fn undo(&mut self, guid: u128, end: Micros) {
        self.until.remove(&guid);
        self.ends.remove(&(end, guid));
        self.free.push_front(guid);
    }

    /// How many are reserved.
    pub(super) fn reserved(&mut self, now: Micros) -> usize {
        self.advance(now);
        self.until.len()
    }
}

#[derive(Serialize)]
struct Entry {
    guid: u128,
    until: Micros,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    guid: &'a RawValue,
    until: Micros,
}

/// Reservations that are on disk before they are told.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    lines: Lines,
    written: usize,
    pub(super) reservations: Reservations,
}

impl Journal {
    /// Those of earlier runs that are still in force, and a fresh file with just them.
    pub(super) fn open(folder: &Path, all: impl Iterator<Item = u128>, now: Micros) -> Result<Self, Error> {
        let path = folder.join("reservations.jsonl");
        let lines = Lines::open(path.clone())?;
        let reservations = Reservations::new(all, entries(&path)?, now);
        let mut journal = Self { path, lines, written: 0, reservations };
        journal.renew()?;
        Ok(journal)
    }

    /// [`Reservations::reserve`], written down.
    pub(super) fn reserve(
        &mut self,
        wanted: Option<u128>,
        now: Micros,
        expiry: Micros,
    ) -> Result<Result<(u128, Micros), Taken>, Error> {
        let (guid, until) = match self.reservations.reserve(wanted, now, expiry) {
            Ok(reserved) => reserved,
            Err(taken) => return Ok(Err(taken)),
        };
        if let Err(error) = self.write(guid, until) {
            self.reservations.undo(guid, until);
            return Err(error);
        }
        Ok(Ok((guid, until)))
    }

    fn write(&mut self, guid: u128, until: Micros) -> Result<(), Error> {
        if self.written > self.reservations.until.len() + WASTE {
            // The new one is in force already, so that this writes it down, too.
            return self.renew();
        }
        let other = |error: serde_json::Error| folder::writing(&self.path)(std::io::Error::other(error));
        let line = serde_json::to_vec(&Entry { guid, until }).map_err(other)?;
        self.lines.add(line)?;
        self.written += 1;
        Ok(())
    }

    /// Writes a file with what is in force and puts it in the place of the old one.
    fn renew(&mut self) -> Result<(), Error> {
        let writing = folder::writing(&self.path);
        let mut text = Vec::new();
        for (guid, until) in &self.reservations.until {
            let entry = Entry { guid: *guid, until: *until };
            serde_json::to_writer(&mut text, &entry).map_err(|error| writing(std::io::Error::other(error)))?;
            text.push(b'\n');
        }
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, &text).map_err(&writing)?;
        std::fs::File::open(&fresh).and_then(|file| file.sync_all()).map_err(&writing)?;
        let mut lines = Lines::open(fresh)?;
        lines.rename(&self.path)?;
        // From here on the old file has no name: what is added must go to the new one whatever happens.
        self.lines = lines;
        self.written = self.reservations.until.len();
        folder::sync_folder(&self.path)
    }
}

fn entries(path: &Path) -> Result<BTreeMap<u128, Micros>, Error> {
    let file = path.display().to_string();
    let bytes = text::read(path)?;
    let mut entries = BTreeMap::new();
    for (line, content) in text::lines(text::decode(&file, &bytes)?) {
        let entry = serde_json::from_str::<Read<'_>>(content).ok();
        let entry = entry.and_then(|read| Some((read.guid.get().parse::<u128>().ok()?, read.until)));
        let Some((guid, until)) = entry else {
            return Err(Error::Line { file, line, problem: "not a reservation".to_owned() });
        };
        entries.insert(guid, until);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_has_its_turn_and_comes_back_after_its_time() {
        let mut all = Reservations::new([1, 2].into_iter(), BTreeMap::new(), 0);
        assert_eq!(all.reserve(None, 10, 100), Ok((1, 110)));
        assert_eq!(all.reserve(Some(1), 11, 100), Err(Taken::Until(110)));
        assert_eq!(all.reserve(Some(3), 11, 100), Err(Taken::Unknown));
        assert_eq!(all.reserve(None, 20, 100), Ok((2, 120)));
        assert_eq!(all.reserve(None, 109, 100), Err(Taken::Until(110)));
        assert_eq!(all.reserved(109), 2);
        assert_eq!(all.reserve(None, 115, 100), Ok((1, 215)));
        // The clock goes back: what is reserved stays so.
        assert_eq!(all.reserve(None, 5, 100), Err(Taken::Until(120)));
        assert_eq!(all.reserve(Some(2), 130, 100), Ok((2, 230)));
    }

    #[test]
    fn reservations_outlive_the_process_and_the_journal_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let all = || [u128::MAX, 5, 6].into_iter();
        let mut journal = Journal::open(folder.path(), all(), 0).unwrap();
        assert_eq!(journal.reserve(None, 10, 100).unwrap(), Ok((u128::MAX, 110)));
        assert_eq!(journal.reserve(None, 60, 100).unwrap(), Ok((5, 160)));
        let mut journal = Journal::open(folder.path(), all(), 70).unwrap();
        assert_eq!(journal.reserve(None, 70, 100).unwrap(), Ok((6, 170)));
        assert_eq!(journal.reserve(None, 71, 100).unwrap(), Err(Taken::Until(110)));
        let mut journal = Journal::open(folder.path(), all(), 120).unwrap();
        assert_eq!(journal.reserve(None, 120, 100).unwrap(), Ok((u128::MAX, 220)));
        journal.written = WASTE + 100;
        let size = journal.lines.bytes();
        assert_eq!(journal.reserve(None, 165, 100).unwrap(), Ok((5, 265)));
        assert!(journal.lines.bytes() < size + 60 && journal.written == 3);
        let mut journal = Journal::open(folder.path(), all(), 166).unwrap();
        assert_eq!(journal.reservations.reserved(166), 3, "the one that came with the renewal is there, too");
    }

    #[test]
    fn a_journal_that_is_none_is_said_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("reservations.jsonl"),
            "{\"guid\":1,\"until\":2}\n{\"guid\":-1,\"until\":2}\n",
        )
        .unwrap();
        let error = Journal::open(folder.path(), [1].into_iter(), 0).unwrap_err().to_string();
        assert!(error.ends_with("reservations.jsonl, line 2: not a reservation"), "{error}");
    }

    proptest! {
        #[test]
        fn nobody_gets_what_another_holds(steps in prop::collection::vec((0u64..40, 1u64..60), 1..80)) {
            let mut all = Reservations::new(0..5, BTreeMap::new(), 0);
            let mut held: BTreeMap<u128, Micros> = BTreeMap::new();
            let mut now = 0;
            for (pause, expiry) in steps {
                now += pause;
                held.retain(|_, end| *end > now);
                match all.reserve(None, now, expiry) {
                    Ok((guid, end)) => {
                        prop_assert_eq!(end, now + expiry);
                        prop_assert!(held.insert(guid, end).is_none());
                    }
                    Err(taken) => {
                        prop_assert_eq!(held.len(), 5);
                        prop_assert_eq!(taken, Taken::Until(*held.values().min().unwrap()));
                    }
                }
            }
        }
    }
}
