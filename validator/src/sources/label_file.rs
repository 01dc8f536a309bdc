//! Labels from a file of JSON lines that somebody goes on writing: `{"challenge_id", "source", "label"}`, as `POST /labels` takes
//! them.
//!
//! What is there at the start must be sound; a line that is added later and cannot be read is said once and left out. Lines of
//! rounds that are not evaluated yet wait for them. A later line of a challenge stands in the place of an earlier one until its
//! label is recorded. The file is never written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::events::Challenge;
use domain::types::Micros;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::LabelSource;

/// The longest line, in bytes: a label of 64 KiB, written as a string of JSON at worst.
const LONGEST_LINE: usize = 512 << 10;
/// Labels that are held; lines beyond them are left out.
const MOST_LABELS: usize = 200_000;
/// Bytes that are read in one go.
const MOST_READ: u64 = 16 << 20;
/// Between two looks into the file.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    challenge_id: String,
    /// As the route takes it. A challenge is evaluated in one attempt only, so that it decides nothing.
    #[serde(default, rename = "attempt")]
    _attempt: Option<u32>,
    source: String,
    label: Box<RawValue>,
}

/// A challenge, and its source and label.
type Told = (String, (String, String));

/// A file that is followed.
#[derive(Debug)]
struct Book {
    path: PathBuf,
    /// Bytes that were read.
    read: u64,
    /// Lines that were read.
    lines: u64,
    /// Source and label by challenge.
    labels: BTreeMap<String, (String, String)>,
    looked: Option<Instant>,
}

/// Tells labels from a file, at the earliest some time after a round's evaluation.
#[derive(Debug, Clone)]
pub struct FileLabels {
    book: Arc<Mutex<Book>>,
    after: Duration,
}

impl FileLabels {
    /// Opens a file and reads what is in it. Blocks.
    ///
    /// # Errors
    /// A file that cannot be read, and the first line that is no label.
    pub fn open(path: &Path, after: Duration) -> Result<Self, String> {
        let mut book = Book { path: path.to_owned(), read: 0, lines: 0, labels: BTreeMap::new(), looked: None };
        loop {
            let before = book.read;
            if let Some(problem) = book.look()?.into_iter().next() {
                return Err(problem);
            }
            if book.read == before {
                return Ok(Self { book: Arc::new(Mutex::new(book)), after });
            }
        }
    }
}

#[async_trait]
impl LabelSource for FileLabels {
    async fn label(&self, challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)> {
        let after = u64::try_from(self.after.as_micros()).unwrap_or(u64::MAX);
        if now.0 < evaluated.0.saturating_add(after) {
            return None;
        }
        let mut book = Arc::clone(&self.book).lock_owned().await;
        if book.looked.is_none_or(|looked| looked.elapsed() >= PAUSE) {
            let looking = tokio::task::spawn_blocking(move || {
                let problems = book.look();
                (book, problems)
            });
            let (found, problems) = looking.await.ok()?;
            book = found;
            match problems {
                Ok(problems) => problems.iter().for_each(|problem| tracing::warn!(problem, "a label is left out")),
                Err(problem) => tracing::warn!(problem, "labels cannot be read; trying again"),
            }
        }
        book.labels.get(&challenge.id).cloned()
    }
}

impl Book {
    /// Reads on. Gives what is wrong with lines that are left out.
    fn look(&mut self) -> Result<Vec<String>, String> {
        self.looked = Some(Instant::now());
        let wrong = |error: std::io::Error| format!("file of labels {}: {error}", self.path.display());
        let mut file = File::open(&self.path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        if length < self.read {
            // Begun anew by whoever writes it.
            (self.read, self.lines) = (0, 0);
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read)).map_err(wrong)?;
        file.take(MOST_READ).read_to_end(&mut bytes).map_err(wrong)?;
        let mut problems = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.last() == Some(&b'\n');
            let found = parse(line);
            // The last line may be half written.
            if !whole && found.is_err() && line.len() <= LONGEST_LINE {
                break;
            }
            self.read += line.len() as u64;
            self.lines += 1;
            let told = found.and_then(|told| self.keep(told));
            if let Err(problem) = told {
                problems.push(format!("file of labels {}, line {}: {problem}", self.path.display(), self.lines));
            }
        }
        Ok(problems)
    }

    fn keep(&mut self, told: Option<Told>) -> Result<(), String> {
        let Some((challenge, label)) = told else { return Ok(()) };
        if self.labels.len() >= MOST_LABELS && !self.labels.contains_key(&challenge) {
            return Err(format!("{MOST_LABELS} labels are held, which is the limit"));
        }
        self.labels.insert(challenge, label);
        Ok(())
    }
}

/// Challenge, source and label of a line; none of a blank one.
fn parse(line: &[u8]) -> Result<Option<Told>, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("it has over {LONGEST_LINE} bytes"));
    }
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let Line { challenge_id, source, label, .. } = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let label = match label.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(label.get()).map_err(|error| error.to_string())?,
        Some(b'{') => label.get().to_owned(),
        _ => return Err("its label is neither a string nor an object".to_owned()),
    };
    if source.trim().is_empty() {
        return Err("its source is blank; say who knows the label".to_owned());
    }
    Ok(Some((challenge_id, (source, label))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::io::Write;

    fn challenge(id: &str) -> Challenge {
        crate::sources::task(id.to_owned(), String::new(), "{}".to_owned())
    }

    async fn of(labels: &FileLabels, id: &str, seconds: u64) -> Option<(String, String)> {
        labels.book.lock().await.looked = None;
        labels.label(&challenge(id), Micros(1_000_000), Micros(seconds * 1_000_000)).await
    }

    #[tokio::test]
    async fn lines_are_followed_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let mut file = File::create(&path).unwrap();
        let mut write = |text: &str| file.write_all(text.as_bytes()).unwrap();
        write("{\"challenge_id\":\"a\",\"source\":\"crm\",\"label\":{\"b\":1, \"a\":2}}\n\n");
        let labels = FileLabels::open(&path, Duration::from_secs(5)).unwrap();
        let told = |label: &str| Some(("crm".to_owned(), label.to_owned()));
        assert_eq!(of(&labels, "a", 5).await, None, "before its time");
        assert_eq!(of(&labels, "a", 6).await, told(r#"{"b":1, "a":2}"#));
        assert_eq!(of(&labels, "b", 6).await, None);
        write(r#"{"challenge_id":"b","attempt":1,"source":"#);
        assert_eq!(of(&labels, "b", 6).await, None, "half a line");
        write(r#""crm","label":"{\"c\":3}"}"#);
        assert_eq!(of(&labels, "b", 6).await, told(r#"{"c":3}"#), "its end of line may be missing");
        write("\nno label\n{\"challenge_id\":\"a\",\"source\":\"crm\",\"label\":\"later\"}\n");
        assert_eq!(of(&labels, "a", 6).await, told("later"), "the line before is left out");
        let begun_anew = r#"{"challenge_id":"c","source":"crm","label":"x"}"#;
        std::fs::write(&path, begun_anew).unwrap();
        assert_eq!(of(&labels, "c", 6).await, told("x"));
        assert_eq!(of(&labels, "a", 6).await, told("later"), "what was read stays");
    }

    #[tokio::test]
    async fn what_is_there_at_the_start_must_be_sound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels.jsonl");
        let open = || FileLabels::open(&file, Duration::ZERO).map(drop);
        assert!(open().unwrap_err().contains("labels.jsonl"));
        for bad in [
            "no label\n",
            "{}\n",
            "{\"challenge_id\":\"a\",\"source\":\"b\",\"label\":1}\n",
            "{\"challenge_id\":\"a\",\"source\":\" \",\"label\":\"\"}\n",
            "{\"challenge_id\":\"a\",\"source\":\"b\",\"label\":\"c\",\"more\":1}\n",
            "{\"challenge_id\":\"a\",\"attempt\":-1,\"source\":\"b\",\"label\":\"c\"}\n",
        ] {
            std::fs::write(&file, format!("\n{bad}")).unwrap();
            let problem = open().unwrap_err();
            assert!(problem.contains("line 2"), "{bad}: {problem}");
        }
        std::fs::write(&file, " ".repeat(LONGEST_LINE + 1)).unwrap();
        assert!(open().unwrap_err().contains("line 1"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(open(), Ok(()));
    }
}
