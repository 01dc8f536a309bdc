//! Checkpoints outside the database: what the log cannot contradict later.
//!
//! A directory holds, for each ledger, `<ledger id>/checkpoint` (the newest signed note) and `<ledger id>/key` (the
//! verifier key of the log). Before a new one is signed, the log is checked against the last one: the first `n` leaves
//! that it covered must still make its root. A log that fails is never signed again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use audit::keys::note_verifier;
use domain::events::{CheckpointPublished, Event};
use domain::types::HexBytes;
use tlog::{Checkpoint, Frontier, NoteSigner, VerifierKey};

use crate::error::{Error, Result};
use crate::event::{Appended, Cause, Expected, NewEvent, Unit};
use crate::handle::Ledger;
use crate::ledger_id;
use crate::reader::LedgerReader;

/// Leaf hashes read at once while the tree is grown.
const LEAVES: u64 = 1 << 16;
/// The stream of a ledger's checkpoints.
const STREAM: &str = "checkpoint";

/// Where checkpoints are kept outside the database.
#[derive(Debug, Clone)]
pub struct CheckpointDirectory {
    path: PathBuf,
}

/// A checkpoint found outside the database, with its signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideCheckpoint {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note as it lies in the file.
    pub note: String,
    /// The log's key.
    pub key: VerifierKey,
}

/// How a log contradicts the checkpoint that lies outside of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It ends before what was vouched for: an older copy was restored, or events were removed.
    #[error(
        "the log has {size} events and the checkpoint outside vouches for {outside}: events are missing, {} at least",
        outside.saturating_sub(*size)
    )]
    Shorter {
        /// Events of the log.
        size: u64,
        /// Events that the checkpoint covers.
        outside: u64,
    },
    /// Its first events are not those that were vouched for: an older copy went on, or events were changed.
    #[error("the log contradicts the outside checkpoint of size {outside}")]
    Different {
        /// Events that the checkpoint covers.
        outside: u64,
    },
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// The `CheckpointPublished` event.
    pub appended: Appended,
}

impl CheckpointDirectory {
    /// A directory, made when the first checkpoint is written.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The newest checkpoint of a ledger.
    #[must_use]
    pub fn checkpoint_file(&self, origin: &str) -> PathBuf {
        self.path.join(format!("{:016x}", ledger_id(origin))).join("checkpoint")
    }

    /// The log's verifier key.
    #[must_use]
    pub fn key_file(&self, origin: &str) -> PathBuf {
        self.path.join(format!("{:016x}", ledger_id(origin))).join("key")
    }

    /// The newest checkpoint of a ledger, `None` when there is no file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the key or the note is not what it must be.
    pub fn read(&self, origin: &str) -> Result<Option<OutsideCheckpoint>> {
        let (file, key_file) = (self.checkpoint_file(origin), self.key_file(origin));
        let Some(note) = read_small(&file)? else { return Ok(None) };
        let refused = |reason: String| Error::Checkpoint { reason };
        let key = read_small(&key_file)?.ok_or_else(|| refused(format!("{key_file:?} is missing")))?;
        let key: VerifierKey =
            key.trim().parse().map_err(|error| refused(format!("{key_file:?} holds no verifier key: {error}")))?;
        let checkpoint = open_note(&note, origin, &key).map_err(|error| refused(format!("{file:?}: {error}")))?;
        Ok(Some(OutsideCheckpoint { checkpoint, note, key }))
    }

    fn write(&self, origin: &str, note: &str, key: &VerifierKey) -> Result<()> {
        let (file, key_file) = (self.checkpoint_file(origin), self.key_file(origin));
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
        }
        let key = format!("{key}\n");
        match read_small(&key_file)? {
            None => replace(&key_file, &key)?,
            Some(known) if known == key => {}
            Some(_) => return Err(Error::Checkpoint { reason: format!("{key_file:?} holds another key") }),
        }
        replace(&file, note)
    }
}

/// Signs and publishes checkpoints of one ledger. Keeps the tree of the last one, so that each costs the new leaves only.
#[derive(Debug)]
pub struct CheckpointPublisher {
    ledger: Ledger,
    directory: CheckpointDirectory,
    key: VerifierKey,
    /// The frontier at the last checkpoint, as grown from the stored leaves.
    checked: Frontier,
}

impl CheckpointPublisher {
    /// A publisher for a ledger. `key` is the log's own, of the first signer.
    #[must_use]
    pub fn new(ledger: Ledger, directory: CheckpointDirectory, key: VerifierKey) -> Self {
        Self { ledger, directory, key, checked: Frontier::new() }
    }

    /// Checks the log against the checkpoint outside, and gives that; `None` when there is none yet. Nothing is written.
    ///
    /// The leaf hashes that it covers are read once, 65,536 at a time; [`Self::publish`] goes on from there.
    ///
    /// # Errors
    /// [`Error::Contradiction`] when the log is shorter or another one; [`Error::Checkpoint`] when the file or its key is
    /// not what it must be.
    pub async fn check(&mut self) -> Result<Option<OutsideCheckpoint>> {
        let last = self.directory.read(self.ledger.origin())?;
        if let Some(last) = &last {
            let reader = self.ledger.reader().clone();
            self.check_last(&reader, last).await?;
        }
        Ok(last)
    }

    /// Checks the log against the last checkpoint, signs the present head, writes it outside, and then appends
    /// `CheckpointPublished`. `None` when nothing was appended since the last one but its own event.
    ///
    /// # Errors
    /// [`Error::Contradiction`] when the log contradicts the last checkpoint, [`Error::Checkpoint`] when it contradicts
    /// itself; nothing is signed then.
    pub async fn publish(&mut self, signers: &[&(dyn NoteSigner + Sync)], block: u64) -> Result<Option<Published>> {
        let reader = self.ledger.reader().clone();
        let origin = self.ledger.origin().to_owned();
        let last = self.check().await?;
        let head = reader.head().await?;
        if last.as_ref().is_some_and(|last| last.checkpoint.size + 1 >= head.size)
            && self.nothing_new(&reader, head.size, last.as_ref()).await?
        {
            return Ok(None);
        }
        let mut grown = self.checked.clone();
        grow(&reader, &mut grown, head.size).await?;
        if grown != head.frontier {
            let reason = format!("the stored leaves do not make the head's frontier at size {}", head.size);
            return Err(Error::Checkpoint { reason });
        }
        let checkpoint = Checkpoint { origin: origin.clone(), size: head.size, root: grown.root() };
        let note = sign(&checkpoint, signers)?;
        open_note(&note, &origin, &self.key).map_err(|error| Error::Checkpoint { reason: error.to_string() })?;
        self.directory.write(&origin, &note, &self.key)?;
        self.checked = grown;
        let appended = self.record(&checkpoint, &note, block).await?;
        Ok(Some(Published { checkpoint, note, appended }))
    }

    /// The leaves that the last checkpoint covered must still make its root.
    async fn check_last(&mut self, reader: &LedgerReader, last: &OutsideCheckpoint) -> Result<()> {
        let size = last.checkpoint.size;
        if last.key != self.key {
            return Err(Error::Checkpoint { reason: "the last checkpoint was signed with another key".to_owned() });
        }
        if self.checked.size() > size {
            self.checked = Frontier::new();
        }
        let head = reader.head().await?.size;
        if head < size {
            return Err(Contradiction::Shorter { size: head, outside: size }.into());
        }
        let mut grown = self.checked.clone();
        grow(reader, &mut grown, size).await?;
        if grown.root() != last.checkpoint.root {
            return Err(Contradiction::Different { outside: size }.into());
        }
        self.checked = grown;
        Ok(())
    }

    async fn nothing_new(&self, reader: &LedgerReader, size: u64, last: Option<&OutsideCheckpoint>) -> Result<bool> {
        let Some(last) = last else { return Ok(false) };
        if last.checkpoint.size == size {
            // It was written outside, and its event was not.
            return Ok(false);
        }
        let newest = reader.get(size - 1).await?;
        Ok(newest.is_some_and(|event| event.kind == "CheckpointPublished"))
    }

    async fn record(&self, checkpoint: &Checkpoint, note: &str, block: u64) -> Result<Appended> {
        let (size, root) = (checkpoint.size, HexBytes(checkpoint.root.0));
        let event = Event::from(CheckpointPublished { size, root, note: note.to_owned() });
        let cause = Cause::Position(size.saturating_sub(1));
        let event = NewEvent::of(STREAM, self.ledger.origin(), &event, block, cause)?;
        self.ledger.append(Unit::of(vec![event]).expecting(STREAM, self.ledger.origin(), Expected::Any)).await
    }
}

/// Appends the stored leaf hashes up to `size`.
async fn grow(reader: &LedgerReader, frontier: &mut Frontier, size: u64) -> Result<()> {
    while frontier.size() < size {
        let from = frontier.size();
        let to = size.min(from + LEAVES);
        for leaf in reader.leaf_hashes(from, to).await? {
            frontier.append(leaf);
        }
    }
    Ok(())
}

fn sign(checkpoint: &Checkpoint, signers: &[&(dyn NoteSigner + Sync)]) -> Result<String> {
    let signers: Vec<&dyn NoteSigner> = signers.iter().map(|signer| *signer as &dyn NoteSigner).collect();
    checkpoint.sign(&signers).map_err(|error| Error::Checkpoint { reason: error.to_string() })
}

fn open_note(note: &str, origin: &str, key: &VerifierKey) -> Result<Checkpoint, tlog::Error> {
    let verifier = note_verifier(key.clone())?;
    Ok(Checkpoint::open(note.as_bytes(), origin, verifier.as_ref(), &[])?.checkpoint)
}

/// The text of a file that a signed note fits into, `None` when there is none.
fn read_small(path: &Path) -> Result<Option<String>> {
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    if length > tlog::note::MAX_NOTE_LENGTH as u64 {
        return Err(Error::Checkpoint { reason: format!("{path:?} is too large for a signed note") });
    }
    std::fs::read_to_string(path).map(Some).map_err(Error::file("read", path))
}

/// Replaces a file so that a reader, or a crash, finds the old one or the new one, whole.
fn replace(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft).map_err(Error::file("create", &draft))?;
    file.write_all(text.as_bytes()).map_err(Error::file("write", &draft))?;
    file.sync_all().map_err(Error::file("write to disk", &draft))?;
    std::fs::rename(&draft, path).map_err(Error::file("replace", path))?;
    if let Some(directory) = path.parent() {
        let opened = File::open(directory).map_err(Error::file("open", directory))?;
        opened.sync_all().map_err(Error::file("write to disk", directory))?;
    }
    Ok(())
}
