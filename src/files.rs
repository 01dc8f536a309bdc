//! Small files that the program keeps: read if they are there, written whole or not at all.

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// What a JSON file holds; none where there is no file. `remedy` is what to do about one that is malformed.
pub fn read_json<T: DeserializeOwned>(file: &Path, remedy: &str) -> Result<Option<T>> {
    match std::fs::read(file) {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            Ok(Some(value.with_context(|| format!("{} is malformed; {remedy}", file.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Replaces a JSON file.
pub fn write_json(file: &Path, value: &impl Serialize) -> Result<()> {
    let fresh = file.with_extension("json.new");
    std::fs::write(&fresh, serde_json::to_vec_pretty(value)?)
        .and_then(|()| std::fs::rename(&fresh, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Whether something can be written in a folder. Nothing stays there.
pub fn is_writable(folder: &Path) -> Result<()> {
    let tried = tempfile::tempfile_in(folder);
    tried.map(drop).with_context(|| format!("nothing can be written in the folder {}", folder.display()))
}
