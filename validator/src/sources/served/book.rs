//! Which conversations' results are still to be brought back: a fold of the log, and a small file of what was brought.
//!
//! The file says up to where everything is brought back and, beyond that, which conversations are. Without it everything that
//! the ledger holds is sent again: too much rather than too little.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use domain::types::Position;
use serde::{Deserialize, Serialize};

/// Positions read without anything to bring back after which the file is written all the same.
const WRITTEN_EACH: u64 = 10_000;

/// Largest file that is read: some hundred thousand conversations.
const LARGEST_FILE: u64 = 32 << 20;

/// A conversation of a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    /// The batch.
    pub(super) batch: u64,
    /// The conversation.
    pub(super) guid: String,
}

/// A conversation whose results are to be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// Where its first window was accepted.
    first: u64,
    /// How many windows its batch has of it.
    stated: u32,
    /// Its windows that were accepted: where, and the challenge.
    pub(super) windows: Vec<(Position, String)>,
    /// Whether the validator's own record is there.
    pub(super) whole_is_there: bool,
    /// Windows whose records are there.
    pub(super) there: usize,
    /// How often the server said no to it.
    pub(super) refusals: u32,
    /// How often it was put off.
    put_off: u32,
    /// Since when it is tried.
    pub(super) tried_since: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    origin: String,
    next: u64,
    delivered: Vec<Delivered>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivered {
    key: Key,
    last: u64,
}

/// The conversations of one ledger.
#[derive(Debug)]
pub(super) struct Book {
    file: PathBuf,
    origin: String,
    /// The next position to be read.
    pub(super) read_to: u64,
    pending: BTreeMap<Key, Pending>,
    /// Brought back, with the position of the last window, as long as one before it is pending.
    delivered: BTreeMap<Key, u64>,
    /// From where the file lets the next process read.
    saved: u64,
}

impl Book {
    /// As an earlier process left it.
    ///
    /// # Errors
    /// A file that cannot be read or is of another ledger.
    pub(super) fn open(file: PathBuf, origin: &str) -> Result<Self, String> {
        let named = |problem: String| format!("{}: {problem}", file.display());
        let written = match read(&file).map_err(|error| named(error.to_string()))? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| named(error.to_string()))?,
            None => Written { origin: origin.to_owned(), next: 0, delivered: Vec::new() },
        };
        if written.origin != origin {
            return Err(named(format!("is of ledger {}", written.origin)));
        }
        let delivered = written.delivered.into_iter().map(|entry| (entry.key, entry.last)).collect();
        let (read_to, pending, saved) = (written.next, BTreeMap::new(), written.next);
        Ok(Self { file, origin: origin.to_owned(), read_to, pending, delivered, saved })
    }

    /// How many are pending.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Notes a window that was accepted. Positions come in order.
    pub(super) fn note(&mut self, key: Key, stated: u32, at: Position, challenge: String) {
        if self.delivered.contains_key(&key) {
            return;
        }
        let pending = self.pending.entry(key).or_insert_with(|| Pending {
            first: at.0,
            stated,
            windows: Vec::new(),
            whole_is_there: false,
            there: 0,
            refusals: 0,
            put_off: 0,
            tried_since: None,
        });
        pending.windows.push((at, challenge));
    }

    /// Those that were put off least first, of these the oldest: the conversations whose windows have all ended and of which no more come. `feeding` is the batch of
    /// which more may come.
    pub(super) fn complete(&self, feeding: Option<u64>, ended: impl Fn(&str) -> bool) -> Vec<Key> {
        let all_accepted = |key: &Key, pending: &Pending| {
            Some(key.batch) != feeding || pending.windows.len() >= pending.stated as usize
        };
        let mut complete: Vec<(u32, u64, &Key)> = self
            .pending
            .iter()
            .filter(|(key, pending)| all_accepted(key, pending))
            .filter(|(_, pending)| pending.windows.iter().all(|(_, challenge)| ended(challenge)))
            .map(|(key, pending)| (pending.put_off, pending.first, key))
            .collect();
        complete.sort_unstable();
        complete.into_iter().map(|(.., key)| key.clone()).collect()
    }

    /// A pending conversation.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Pending> {
        self.pending.get_mut(key)
    }

    /// Gives others their turn first.
    pub(super) fn put_off(&mut self, key: &Key) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.put_off = pending.put_off.saturating_add(1);
        }
    }

    /// Notes that nothing more is to be brought back of a conversation.
    pub(super) fn settle(&mut self, key: &Key) {
        if let Some(pending) = self.pending.remove(key) {
            let last = pending.windows.last().map_or(pending.first, |(at, _)| at.0);
            self.delivered.insert(key.clone(), last);
        }
    }

    /// From where a later process must read again.
    fn next(&self) -> u64 {
        self.pending.values().map(|pending| pending.first).min().unwrap_or(self.read_to)
    }

    /// What is to be written now; none while the file is new enough.
    pub(super) fn page(&mut self, settled: bool) -> Option<Page> {
        let next = self.next();
        if !settled && next < self.saved.saturating_add(WRITTEN_EACH) {
            return None;
        }
        self.delivered.retain(|_, last| *last >= next);
        let entry = |(key, last): (&Key, &u64)| Delivered { key: key.clone(), last: *last };
        let delivered = self.delivered.iter().map(entry).collect();
        self.saved = next;
        Some(Page { file: self.file.clone(), written: Written { origin: self.origin.clone(), next, delivered } })
    }
}

/// The next state of the file.
#[derive(Debug)]
pub(super) struct Page {
    file: PathBuf,
    written: Written,
}

impl Page {
    /// Puts it in the place of the one before. Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let fresh = self.file.with_extension("new");
        let mut file = std::fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(&self.written)?)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.file)
    }
}

fn read(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(found) if found.len() > LARGEST_FILE => {
            Err(std::io::Error::other(format!("{} bytes are over the limit of {LARGEST_FILE}", found.len())))
        }
        Ok(_) => std::fs::read(file).map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn key(batch: u64, guid: &str) -> Key {
        Key { batch, guid: guid.to_owned() }
    }

    /// Windows of two conversations of batch 1 and one of batch 2, as the log holds them.
    fn read_log(book: &mut Book) {
        let log = [(3, 1, "a"), (5, 1, "b"), (9, 1, "a"), (12, 2, "a"), (20, 1, "b")];
        let from = book.read_to;
        for (at, batch, guid) in log.into_iter().filter(|(at, ..)| *at >= from) {
            book.note(key(batch, guid), 2, Position(at), format!("c{at}"));
        }
        book.read_to = 21;
    }

    #[test]
    fn a_conversation_is_complete_when_nothing_of_it_is_open_or_to_come() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path().join("conversations.json"), "o").unwrap();
        read_log(&mut book);
        assert_eq!(book.len(), 3);
        let ended = |open: &'static [&str]| move |id: &str| !open.contains(&id);
        assert_eq!(book.complete(Some(2), ended(&[])), [key(1, "a"), key(1, "b")], "batch 2 may go on");
        assert_eq!(book.complete(Some(1), ended(&[])), [key(1, "a"), key(1, "b"), key(2, "a")], "the rest never came");
        assert_eq!(book.complete(None, ended(&["c9", "c12"])), [key(1, "b")]);
    }

    #[test]
    fn a_conversation_that_cannot_be_brought_lets_others_pass() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path().join("conversations.json"), "o").unwrap();
        read_log(&mut book);
        let mut first = || {
            let key = book.complete(None, |_| true).remove(0);
            book.put_off(&key);
            key
        };
        let tried: Vec<Key> = std::iter::repeat_with(&mut first).take(4).collect();
        assert_eq!(tried, [key(1, "a"), key(1, "b"), key(2, "a"), key(1, "a")], "all have their turn");
    }

    #[test]
    fn what_was_brought_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("conversations.json");
        let mut book = Book::open(file.clone(), "o").unwrap();
        read_log(&mut book);
        book.settle(&key(1, "b"));
        book.page(true).unwrap().write().unwrap();
        assert!(book.page(false).is_none());

        let mut book = Book::open(file.clone(), "o").unwrap();
        assert_eq!(book.read_to, 3, "from the first one that is pending");
        read_log(&mut book);
        assert_eq!(book.complete(None, |_| true), [key(1, "a"), key(2, "a")]);
        book.settle(&key(1, "a"));
        book.page(true).unwrap().write().unwrap();

        let mut book = Book::open(file.clone(), "o").unwrap();
        assert_eq!(book.read_to, 12);
        read_log(&mut book);
        assert_eq!(book.complete(None, |_| true), [key(2, "a")], "the second window of b is known, too");
        book.settle(&key(2, "a"));
        let page = book.page(true).unwrap();
        assert_eq!((page.written.next, page.written.delivered.len()), (21, 0), "nothing is kept for ever");
        page.write().unwrap();
        assert_eq!(Book::open(file.clone(), "o").unwrap().read_to, 21);
        assert!(Book::open(file.clone(), "other").unwrap_err().contains("is of ledger o"));
        std::fs::write(&file, "{").unwrap();
        assert!(Book::open(file, "o").unwrap_err().contains("conversations.json"));
    }

    #[test]
    fn the_file_follows_a_ledger_without_conversations_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path().join("conversations.json"), "o").unwrap();
        book.read_to = WRITTEN_EACH - 1;
        assert!(book.page(false).is_none());
        book.read_to = WRITTEN_EACH;
        assert_eq!(book.page(false).unwrap().written.next, WRITTEN_EACH);
    }
}
