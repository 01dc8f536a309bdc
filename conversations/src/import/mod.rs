//! Importers: from what people have to conversations. Each is a function of a file's name and bytes; the name only stands in
//! errors.
//!
//! **Invariant:** labels of speakers end here. What people say is kept as they said it, with the names in it: anonymous are the
//! participants, not the words.

use std::path::Path;

use crate::conversation::{Conversation, Source};
use crate::error::Error;
use crate::text;

mod chat_csv;
mod csv;
mod cues;
mod json_lines;
mod srt;
mod vtt;

pub use chat_csv::chat_csv;
pub use json_lines::json_lines;
pub use srt::srt;
pub use vtt::vtt;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line: the store's own format, and what conversation servers keep.
    JsonLines,
    /// A table with a heading: one message a row, or one whole chat a row.
    Csv,
    /// WebVTT captions.
    Vtt,
    /// SubRip captions.
    Srt,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::JsonLines, Self::Csv, Self::Vtt, Self::Srt];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json-lines",
            Self::Csv => "csv",
            Self::Vtt => "vtt",
            Self::Srt => "srt",
        }
    }

    /// What the file's extension says.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" | "tsv" => Some(Self::Csv),
            "vtt" => Some(Self::Vtt),
            "srt" => Some(Self::Srt),
            _ => None,
        }
    }
}

/// The conversations of a file. `source` stands where a record does not state its own, which only JSON lines can.
///
/// # Errors
/// [`Error::Read`], and what is wrong with the file, by line and field. A file without any conversation is an error.
pub fn file(path: &Path, format: Option<Format>, source: Option<Source>) -> Result<Vec<Conversation>, Error> {
    let name = path.display().to_string();
    let whole = |problem: String| Error::File { file: name.clone(), problem };
    let format = format.or_else(|| Format::of(path)).ok_or_else(|| {
        whole(format!(
            "the extension does not tell the format; say --format {}",
            Format::ALL.map(Format::name).join("|")
        ))
    })?;
    let stated = || source.ok_or_else(|| whole(format!("say --source {}", Source::ALL.map(Source::name).join("|"))));
    let bytes = text::read(path)?;
    let found = match format {
        Format::JsonLines => json_lines(&name, &bytes, source)?,
        Format::Csv => chat_csv(&name, &bytes, stated()?)?,
        Format::Vtt => vtt(&name, &bytes, stated()?)?,
        Format::Srt => srt(&name, &bytes, stated()?)?,
    };
    if found.is_empty() { Err(whole("there is no conversation in it".to_owned())) } else { Ok(found) }
}
