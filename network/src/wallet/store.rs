//! Files of keys: bounded, private to their owner, written whole or not at all, never overwritten.
//!
//! A file is written and synchronised under another name and then linked to its own, which fails when that exists.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Error;

/// A wallet file with a phrase has about 600 bytes; in an Ansible vault, which writes hexadecimal twice, 2,600.
pub(crate) const MAXIMUM_BYTES: u64 = 16 * 1024;

/// The bytes of a secret file that nobody but its owner can read.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    read(path, true)
}

/// The bytes of a file without secrets; others may read it.
pub(crate) fn read_public(path: &Path) -> Result<Vec<u8>, Error> {
    read(path, false).map(|bytes| bytes.to_vec())
}

fn read(path: &Path, private: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |action| move |source| Error::KeyFile { path: path.to_owned(), action, source };
    let file = File::open(path).map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("stat"))?;
    if !metadata.is_file() {
        return Err(content(path, "it is not a regular file"));
    }
    let mode = metadata.mode() & 0o7777;
    if private && mode & 0o077 != 0 {
        return Err(Error::KeyFileMode { path: path.to_owned(), mode });
    }
    if metadata.len() > MAXIMUM_BYTES {
        return Err(content(path, format!("it has {} bytes, a key file has at most {MAXIMUM_BYTES}", metadata.len())));
    }
    // Capacity up front: a buffer that grows leaves copies of the secret behind.
    let capacity = usize::try_from(MAXIMUM_BYTES).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAXIMUM_BYTES).read_to_end(&mut text).map_err(failed("read"))?;
    Ok(text)
}

/// Writes a new file of mode 0600.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |action| move |source| Error::KeyFile { path: path.to_owned(), action, source };
    let mut suffix = [0u8; 8];
    crate::random::fill(&mut suffix)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", hex::encode(suffix)));
    let temporary = PathBuf::from(temporary);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    // The name under which it was written goes in every case; the link has its own.
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::KeyFileExists(path.to_owned()));
        }
        Err(error) => return Err(failed("create")(error)),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(failed("synchronise the folder"))
}

/// Makes a folder and those above it, for the owner only where they are new.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| Error::KeyFile {
        path: path.to_owned(),
        action: "make the folder",
        source,
    })
}

/// What is wrong with a file's content.
pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Error {
    Error::KeyFileContent { path: path.to_owned(), reason: reason.into() }
}
