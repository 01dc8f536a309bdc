//! The chain on disk: one JSON line per block, appended and synchronised before anyone is told of the block.
//!
//! A last line without its end was never synchronised, so nobody knows of its block: it is cut off. Any other line that
//! does not fit is damage, and the chain does not start on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use codec::{DecodeAll as _, Encode as _};
use serde::{Deserialize, Serialize};

use crate::block::{Block, Genesis, Header};
use crate::error::Error;
use crate::state::State;

/// The extrinsics of a full block in hexadecimal, and a large genesis, are below.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Genesis(&'a Genesis),
    Block(StoredBlock),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ReadLine {
    Genesis(Box<Genesis>),
    Block(StoredBlock),
}

/// The SCALE forms in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBlock {
    header: String,
    extrinsics: Vec<String>,
}

impl StoredBlock {
    fn of(block: &Block) -> Self {
        Self {
            header: hex::encode(block.header.encode()),
            extrinsics: block.extrinsics.iter().map(hex::encode).collect(),
        }
    }

    fn read(&self) -> Option<Block> {
        let header = Header::decode_all(&mut hex::decode(&self.header).ok()?.as_slice()).ok()?;
        let extrinsics = self.extrinsics.iter().map(|bytes| hex::decode(bytes).ok()).collect::<Option<_>>()?;
        Some(Block::new(header, extrinsics))
    }
}

/// The blocks after genesis in a file that may be growing; a last line without its end is not there yet.
///
/// # Errors
/// [`Error::File`], [`Error::FileDamaged`].
pub fn read_blocks(path: &Path) -> Result<Vec<Block>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), action: "reading", source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate();
    let read = |(at, line): (usize, &str)| {
        let damaged = |reason: String| Error::FileDamaged { path: path.to_owned(), line: at + 1, reason };
        match serde_json::from_str(line).map_err(|error| damaged(error.to_string()))? {
            ReadLine::Genesis(_) => Ok(None),
            ReadLine::Block(stored) => stored.read().map(Some).ok_or_else(|| damaged("it is no block".to_owned())),
        }
    };
    whole.filter_map(|line| read(line).transpose()).collect()
}

/// The file, locked against other authors while it is open.
#[derive(Debug)]
pub struct BlockFile {
    path: PathBuf,
    file: File,
}

impl BlockFile {
    /// Opens or makes the file and replays what is in it; [`None`] when it holds no chain yet.
    ///
    /// # Errors
    /// [`Error::FileInUse`], [`Error::FileDamaged`], [`Error::File`].
    pub fn open(path: &Path) -> Result<(Self, Option<State>), Error> {
        let failed = |action| move |source| Error::File { path: path.to_owned(), action, source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::FileInUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let mut blocks = Self { path: path.to_owned(), file };
        let (state, whole) = blocks.replay()?;
        blocks.file.set_len(whole).map_err(failed("cut the torn line off"))?;
        blocks.file.seek(SeekFrom::Start(whole)).map_err(failed("seek"))?;
        blocks.file.sync_all().map_err(failed("synchronise"))?;
        Ok((blocks, state))
    }

    /// Writes the first line.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn begin(&mut self, genesis: &Genesis) -> Result<(), Error> {
        self.write(&Line::Genesis(genesis))?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(|source| Error::File {
            path: self.path.clone(),
            action: "synchronise the folder",
            source,
        })
    }

    /// Writes a block; it is on disk when this returns. After an error nothing may be appended any more: the file must be
    /// opened again.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn append(&mut self, block: &Block) -> Result<(), Error> {
        self.write(&Line::Block(StoredBlock::of(block)))
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(|source| Error::File {
            path: self.path.clone(),
            action: "append",
            source,
        })
    }

    /// The state after the whole lines, and how many bytes they take.
    fn replay(&mut self) -> Result<(Option<State>, u64), Error> {
        let mut reader = BufReader::new(&self.file);
        let (mut state, mut whole): (Option<State>, u64) = (None, 0);
        let mut text = Vec::new();
        for number in 1usize.. {
            text.clear();
            let length = reader
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut text)
                .map_err(|source| Error::File { path: self.path.clone(), action: "read", source })?;
            if text.last() != Some(&b'\n') {
                break;
            }
            let damaged = |reason: String| Error::FileDamaged { path: self.path.clone(), line: number, reason };
            let line: ReadLine = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
            match (&mut state, line) {
                (None, ReadLine::Genesis(genesis)) => state = Some(State::new(&genesis)?),
                (Some(state), ReadLine::Block(stored)) => {
                    let block = stored.read().ok_or_else(|| damaged("it is no block".to_owned()))?;
                    state.apply(&block).map_err(|error| damaged(error.to_string()))?;
                }
                (None, ReadLine::Block(_)) => return Err(damaged("a block before genesis".to_owned())),
                (Some(_), ReadLine::Genesis(_)) => return Err(damaged("a second genesis".to_owned())),
            }
            whole += length as u64;
        }
        Ok((state, whole))
    }
}
