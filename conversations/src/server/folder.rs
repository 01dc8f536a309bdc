//! The server's folder: one server at a time, and files to which whole lines are added.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

pub(super) fn reading(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let file = path.display().to_string();
    move |source| Error::Read { file: file.clone(), source }
}

pub(super) fn writing(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let file = path.display().to_string();
    move |source| Error::Write { file: file.clone(), source }
}

/// Makes the folder if need be and takes it; it is free again when the result is dropped.
pub(super) fn take(folder: &Path) -> Result<File, Error> {
    std::fs::create_dir_all(folder).map_err(writing(folder))?;
    let path = folder.join("lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(writing(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::FolderInUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(writing(&path)(source)),
    }
}

/// A file of lines that only grows.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Whether an addition failed and could not be undone.
    broken: bool,
}

impl Lines {
    /// Opens or makes the file. A last line that is not complete was never acknowledged and is removed.
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(&path).map_err(writing(&path))?;
        let found = file.metadata().map_err(reading(&path))?.len();
        let bytes = complete(&mut file, found).map_err(reading(&path))?;
        if bytes < found {
            tracing::warn!(file = %path.display(), bytes = found - bytes, "removing an incomplete last line");
            file.set_len(bytes).map_err(writing(&path))?;
        }
        // The name of a new file must outlive a crash, too.
        sync_folder(&path)?;
        Ok(Self { path, file, bytes, broken: false })
    }

    /// Puts the file in the place of another one.
    pub(super) fn rename(&mut self, path: &Path) -> Result<(), Error> {
        std::fs::rename(&self.path, path).map_err(writing(path))?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a line and waits until it is on disk. After an error the file is as before, or takes nothing more.
    pub(super) fn add(&mut self, mut line: Vec<u8>) -> Result<(), Error> {
        line.push(b'\n');
        if self.broken {
            return Err(writing(&self.path)(std::io::Error::other("an earlier line is incomplete; start again")));
        }
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.broken = self.file.set_len(self.bytes).is_err();
            return Err(writing(&self.path)(source));
        }
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// Waits until the names in a file's folder are on disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(writing(folder))
}

/// Bytes up to the last line feed.
fn complete(file: &mut File, length: u64) -> std::io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = length;
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut buffer)?;
        if let Some(at) = buffer.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_torn_line_goes_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let torn = "x".repeat(100_000);
        for (before, after) in
            [("", ""), ("torn", ""), ("a\n", "a\n"), ("a\nb\nto", "a\nb\n"), (&format!("a\n{torn}"), "a\n")]
        {
            std::fs::write(&path, before).unwrap();
            let mut lines = Lines::open(path.clone()).unwrap();
            lines.add(b"new".to_vec()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{after}new\n"));
            assert_eq!(lines.bytes(), after.len() as u64 + 4);
        }
    }

    #[test]
    fn a_folder_has_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path()).unwrap();
        assert!(matches!(take(folder.path()), Err(Error::FolderInUse(_))));
        drop(held);
        assert!(take(folder.path()).is_ok());
    }
}
