//! The client's book: what the validator acknowledged, on disk before it counts.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One line of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The challenge.
    pub(crate) id: String,
    /// The position that a 201 named; none when the answer to the push was lost and a repetition met a 409, which says that
    /// the challenge is there.
    pub(crate) position: Option<u64>,
}

/// The open book.
pub(crate) struct Book {
    path: PathBuf,
    file: File,
}

impl Book {
    /// A new book.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line; it is on disk when this returns.
    pub(crate) fn write(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).context("the book of acknowledgements")
    }
}

/// Reads a book from disk.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).context("the book of acknowledgements is malformed")).collect()
}
