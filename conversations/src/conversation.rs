//! A conversation, and how one is put together from what an importer finds: speakers become numbers in order of their first
//! word, texts become single clean lines, and every size has a limit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use domain::cgp::conversation::Line;
use domain::types::sha256;
use serde::Serialize;

use crate::error::Error;

/// Lines of a conversation at most: what a client accepts from a conversation server.
pub(crate) const MAX_LINES: usize = domain::cgp::reserved::MAX_LINES;
/// Speakers of a conversation at most.
pub(crate) const MAX_PARTICIPANTS: usize = 1000;
/// Bytes of one line's text at most.
pub(crate) const MAX_TEXT: usize = 16 << 10;
/// Bytes of all texts of a conversation at most: half of what the task of a round may have, which repeats them as JSON.
pub(crate) const MAX_BYTES: usize = 512 << 10;
/// Conversations of a file or a store at most.
pub(crate) const MAX_CONVERSATIONS: usize = 200_000;

/// Where a conversation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The transcript of a video.
    Youtube,
    /// The transcript of a podcast.
    Podcast,
    /// Messages of a Discord channel.
    Discord,
    /// A thread of tweets.
    Twitter,
    /// Any other chat.
    Chat,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Youtube, Self::Podcast, Self::Discord, Self::Twitter, Self::Chat];

    /// Its name, as the store and the command line spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Youtube => "youtube",
            Self::Podcast => "podcast",
            Self::Discord => "discord",
            Self::Twitter => "twitter",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|source| source.name() == name);
        found.ok_or_else(|| format!("{name:?} is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A conversation. As JSON it is a line of the store, with the guid as a bare number of up to 128 bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// Its id.
    pub guid: u128,
    /// Where it comes from.
    pub source: Source,
    /// `SPEAKER_0`, `SPEAKER_1`, … in order of their first line.
    pub participants: Vec<String>,
    /// Who said what; never empty.
    pub lines: Vec<Line>,
}

impl Conversation {
    /// Bytes of its texts.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text().len()).sum()
    }
}

/// A conversation in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    speakers: BTreeMap<String, u32>,
    lines: Vec<Line>,
    bytes: usize,
}

impl Draft {
    /// Adds what somebody said; a text without words is left out.
    ///
    /// Names the part (`speaker`, `text`, or `lines` for what is too many) and says what is wrong with it.
    pub(crate) fn say(&mut self, label: &str, text: &str) -> Result<(), (&'static str, String)> {
        let text = clean(text);
        if text.is_empty() {
            return Ok(());
        }
        if text.len() > MAX_TEXT {
            return Err(("text", format!("{} bytes are over the limit of {MAX_TEXT}", text.len())));
        }
        if self.lines.len() >= MAX_LINES {
            return Err(("lines", format!("more than {MAX_LINES} lines in one conversation")));
        }
        self.bytes += text.len();
        if self.bytes > MAX_BYTES {
            return Err(("lines", format!("more than {MAX_BYTES} bytes of text in one conversation")));
        }
        let next = self.speakers.len();
        let number = match self.speakers.get(label) {
            Some(number) => *number,
            None if next >= MAX_PARTICIPANTS => {
                return Err(("speaker", format!("more than {MAX_PARTICIPANTS} speakers in one conversation")));
            }
            None => {
                let number = u32::try_from(next).unwrap_or(u32::MAX);
                self.speakers.insert(label.to_owned(), number);
                number
            }
        };
        self.lines.push(Line(number, text));
        Ok(())
    }

    /// The conversation, unless nothing was said. Without a guid of its own it gets one from what it says.
    pub(crate) fn finish(self, guid: Option<u128>, source: Source) -> Option<Conversation> {
        if self.lines.is_empty() {
            return None;
        }
        let participants = (0..self.speakers.len()).map(|number| format!("SPEAKER_{number}")).collect();
        let guid = guid.unwrap_or_else(|| derived_guid(source, &self.lines));
        Some(Conversation { guid, source, participants, lines: self.lines })
    }
}

/// The first 128 bits of SHA-256("assay/conversation/1" ‖ 0 ‖ source ‖ 0 ‖ each line's speaker as u32, length as u64, text): the
/// same conversation gets the same guid each time it is imported.
fn derived_guid(source: Source, lines: &[Line]) -> u128 {
    let mut bytes = b"assay/conversation/1\0".to_vec();
    bytes.extend_from_slice(source.name().as_bytes());
    bytes.push(0);
    for line in lines {
        bytes.extend_from_slice(&line.speaker().to_be_bytes());
        bytes.extend_from_slice(&(line.text().len() as u64).to_be_bytes());
        bytes.extend_from_slice(line.text().as_bytes());
    }
    sha256(&bytes).0.iter().take(16).fold(0, |guid, byte| guid << 8 | u128::from(*byte))
}

/// Words between single spaces; control characters separate words like spaces do.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        if !word.is_empty() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(word);
        }
    }
    clean
}

/// The conversations of a file, each once.
#[derive(Debug)]
pub(crate) struct Collected<'a> {
    file: &'a str,
    found: Vec<Conversation>,
    places: BTreeMap<u128, (usize, u64)>,
}

impl<'a> Collected<'a> {
    pub(crate) fn new(file: &'a str) -> Self {
        Self { file, found: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds one that begins at a line. The same once more is left out; another one with the same guid is an error.
    pub(crate) fn push(&mut self, line: u64, conversation: Conversation) -> Result<(), Error> {
        if let Some((at, before)) = self.places.get(&conversation.guid) {
            if self.found.get(*at) == Some(&conversation) {
                return Ok(());
            }
            let problem = format!("{} is the guid of another conversation, in line {before}", conversation.guid);
            return Err(Error::Field { file: self.file.to_owned(), line, field: "guid".to_owned(), problem });
        }
        if self.found.len() >= MAX_CONVERSATIONS {
            let problem = format!("more than {MAX_CONVERSATIONS} conversations in one file");
            return Err(Error::Line { file: self.file.to_owned(), line, problem });
        }
        self.places.insert(conversation.guid, (self.found.len(), line));
        self.found.push(conversation);
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<Conversation> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_become_numbers_and_texts_become_lines() {
        let mut draft = Draft::default();
        for (who, what) in [("Ann", "  Hello\n\tthere. "), ("Bob", "\u{7}\u{85}"), ("Bob", "Hi."), ("Ann", "So\u{a0}…")]
        {
            draft.say(who, what).unwrap();
        }
        let found = draft.finish(None, Source::Chat).unwrap();
        assert_eq!(found.participants, ["SPEAKER_0", "SPEAKER_1"]);
        let expected = [Line(0, "Hello there.".into()), Line(1, "Hi.".into()), Line(0, "So …".into())];
        assert_eq!(found.lines, expected);
        assert!(Draft::default().finish(Some(3), Source::Chat).is_none());
    }

    #[test]
    fn every_size_has_a_limit() {
        let mut draft = Draft::default();
        assert_eq!(draft.say("a", &"x".repeat(MAX_TEXT + 1)).unwrap_err().0, "text");
        for _ in 0..MAX_BYTES / MAX_TEXT {
            draft.say("a", &"x".repeat(MAX_TEXT)).unwrap();
        }
        assert_eq!(draft.say("a", "x").unwrap_err().0, "lines");
        let mut draft = Draft::default();
        for _ in 0..MAX_LINES {
            draft.say("a", "x").unwrap();
        }
        assert_eq!(draft.say("a", "x").unwrap_err().0, "lines");
        let mut draft = Draft::default();
        for number in 0..MAX_PARTICIPANTS {
            draft.say(&number.to_string(), "x").unwrap();
        }
        assert_eq!(draft.say("one more", "x").unwrap_err().0, "speaker");
        draft.say("0", "somebody who spoke before").unwrap();
    }

    #[test]
    fn a_derived_guid_depends_on_everything_that_is_said() {
        let guid = |source, lines: &[(&str, &str)]| {
            let mut draft = Draft::default();
            for (who, what) in lines {
                draft.say(who, what).unwrap();
            }
            draft.finish(None, source).unwrap().guid
        };
        let base = guid(Source::Chat, &[("a", "x"), ("b", "y")]);
        assert_eq!(base, guid(Source::Chat, &[("other", "x"), ("names", "y")]), "names are not in it");
        for other in [
            guid(Source::Podcast, &[("a", "x"), ("b", "y")]),
            guid(Source::Chat, &[("a", "x"), ("a", "y")]),
            guid(Source::Chat, &[("a", "x"), ("b", "z")]),
            guid(Source::Chat, &[("a", "x")]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_guid_stands_for_one_conversation() {
        let conversation = |text: &str| {
            let mut draft = Draft::default();
            draft.say("a", text).unwrap();
            draft.finish(Some(7), Source::Chat).unwrap()
        };
        let mut collected = Collected::new("f");
        collected.push(1, conversation("x")).unwrap();
        collected.push(2, conversation("x")).unwrap();
        let error = collected.push(3, conversation("y")).unwrap_err().to_string();
        assert_eq!(error, "f, line 3, guid: 7 is the guid of another conversation, in line 1");
        assert_eq!(collected.finish().len(), 1);
    }
}
