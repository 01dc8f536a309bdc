//! The store: a file of JSON lines, one conversation a line, with the guid as a bare number.
//!
//! `{"guid":302…,"source":"podcast","participants":["SPEAKER_0"],"lines":[[0,"Good morning."]]}`
//!
//! Lines are added and never changed. One process adds at a time; an addition that fails leaves the file as it was.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::conversation::{Conversation, MAX_CONVERSATIONS, Source};
use crate::error::Error;
use crate::{import, text};

/// The conversations of a store, or of any other file of JSON lines. A record that does not say where it comes from is a chat.
///
/// # Errors
/// As of [`import::json_lines`].
pub fn read(path: &Path) -> Result<Vec<Conversation>, Error> {
    import::json_lines(&path.display().to_string(), &text::read(path)?, Some(Source::Chat))
}

/// What became of conversations that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Now in the store.
    pub added: usize,
    /// Left out, because they were there.
    pub known: usize,
    /// In the store altogether.
    pub total: usize,
}

/// Adds conversations to a store, which is made if it is not there. All of them, or none.
///
/// # Errors
/// [`Error::File`] for a guid that stands for another conversation there, and over the limits; [`Error::Read`],
/// [`Error::Write`]; what is wrong with the store itself, by line.
pub fn append(path: &Path, conversations: &[Conversation]) -> Result<Added, Error> {
    let name = path.display().to_string();
    let writing = |source| Error::Write { file: name.clone(), source };
    let whole = |problem: String| Error::File { file: name.clone(), problem };
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(writing)?;
    file.try_lock().map_err(|error| whole(format!("cannot be locked: {error}")))?;
    let bytes = text::read_from(&file, &name)?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        return Err(whole("the last line is not complete; end it with a line feed, or remove it".to_owned()));
    }
    let known = import::json_lines(&name, &bytes, Some(Source::Chat))?;
    let mut by_guid: BTreeMap<u128, &Conversation> =
        known.iter().map(|conversation| (conversation.guid, conversation)).collect();
    let mut lines = Vec::new();
    let mut added = 0;
    for conversation in conversations {
        match by_guid.insert(conversation.guid, conversation) {
            Some(other) if other == conversation => {}
            Some(_) => return Err(whole(format!("guid {} stands for another conversation there", conversation.guid))),
            None => {
                serde_json::to_writer(&mut lines, conversation).map_err(|error| whole(error.to_string()))?;
                lines.push(b'\n');
                added += 1;
            }
        }
    }
    let total = by_guid.len();
    if total > MAX_CONVERSATIONS || bytes.len() + lines.len() > text::MAX_FILE {
        let problem = format!("over the limit of {MAX_CONVERSATIONS} conversations or {} bytes", text::MAX_FILE);
        return Err(whole(problem));
    }
    let written = file.write_all(&lines).and_then(|()| file.sync_data());
    if let Err(source) = written {
        // If this fails, too, the incomplete line is told of at the next start.
        let _ = file.set_len(bytes.len() as u64);
        return Err(writing(source));
    }
    Ok(Added { added, known: conversations.len() - added, total })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::Line;

    fn conversation(guid: u128, text: &str) -> Conversation {
        let lines = vec![Line(0, text.to_owned())];
        Conversation { guid, source: Source::Discord, participants: vec!["SPEAKER_0".to_owned()], lines }
    }

    #[test]
    fn what_is_added_is_read_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.jsonl");
        let first = [conversation(u128::MAX, "Good \"morning\"."), conversation(0, "Snow ☃.")];
        assert_eq!(append(&path, &first).unwrap(), Added { added: 2, known: 0, total: 2 });
        let bytes = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            bytes.lines().next().unwrap(),
            r#"{"guid":340282366920938463463374607431768211455,"source":"discord","participants":["SPEAKER_0"],"lines":[[0,"Good \"morning\"."]]}"#
        );
        let second = [conversation(0, "Snow ☃."), conversation(5, "Rain.")];
        assert_eq!(append(&path, &second).unwrap(), Added { added: 1, known: 1, total: 3 });
        assert_eq!(read(&path).unwrap(), [first[0].clone(), first[1].clone(), second[1].clone()]);
    }

    #[test]
    fn a_guid_is_not_given_twice_and_a_torn_line_is_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.jsonl");
        append(&path, &[conversation(1, "a")]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = append(&path, &[conversation(2, "b"), conversation(1, "c")]).unwrap_err().to_string();
        assert!(error.ends_with("guid 1 stands for another conversation there"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "all of them, or none");
        std::fs::write(&path, before.strip_suffix(b"\n").unwrap()).unwrap();
        let error = append(&path, &[conversation(2, "b")]).unwrap_err().to_string();
        assert!(error.contains("the last line is not complete"), "{error}");
    }

    #[test]
    fn one_process_adds_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.jsonl");
        let other = std::fs::File::create(&path).unwrap();
        other.lock().unwrap();
        assert!(append(&path, &[conversation(1, "a")]).unwrap_err().to_string().contains("cannot be locked"));
        other.unlock().unwrap();
        assert_eq!(append(&path, &[conversation(1, "a")]).unwrap().added, 1);
    }
}
