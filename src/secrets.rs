//! Secrets that are given as a word, or as a file of that word.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The secret of an option: what `--OPTION-file` holds, or else the word itself.
///
/// # Errors
/// A file that cannot be read or is empty.
pub fn given(option: &str, word: Option<&String>, file: Option<&Path>) -> Result<Option<String>> {
    let Some(file) = file else { return Ok(word.cloned()) };
    let text = std::fs::read_to_string(file).with_context(|| format!("{option}-file {}", file.display()))?;
    ensure!(!text.trim().is_empty(), "{option}-file {} is empty", file.display());
    Ok(Some(text.trim().to_owned()))
}
