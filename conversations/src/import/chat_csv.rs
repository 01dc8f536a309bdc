//! Chats as tables. The heading says which column is which, in any case:
//!
//! - one message a row: a text (`text`, `message`, `content`, `body`, `tweet`), who said it (`speaker`, `author`, `user`,
//!   `username`, `sender`, `from`, `name`, `author_id`, `authorid`), and, if the file holds several, which conversation
//!   (`conversation`, `conversation_id`, `chat_id`, `channel`, `channel_id`, `thread`, `thread_id`). Rows stay in their order;
//! - one chat a row: a column `chat`, in which each line is the turn of one of two speakers.

use std::collections::BTreeMap;

use crate::conversation::{Collected, Conversation, Draft, MAX_CONVERSATIONS, Source};
use crate::error::Error;
use crate::text;

use super::csv::{Row, Rows};

const TEXT: &[&str] = &["text", "message", "content", "body", "tweet"];
const SPEAKER: &[&str] = &["speaker", "author", "user", "username", "sender", "from", "name", "author_id", "authorid"];
const CONVERSATION: &[&str] =
    &["conversation", "conversation_id", "chat_id", "channel", "channel_id", "thread", "thread_id"];
const CHAT: &[&str] = &["chat"];

/// Which column is which.
struct Heading {
    fields: usize,
    kind: Kind,
}

enum Kind {
    Messages { text: (usize, String), speaker: (usize, String), conversation: Option<usize> },
    Chats { chat: (usize, String) },
}

impl Heading {
    fn read(file: &str, row: &Row) -> Result<Self, Error> {
        let names: Vec<String> = row.fields.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        // The first of the known names that there is, so that `author` goes before `author_id`.
        let find = |known: &[&str]| {
            let found = known.iter().find_map(|name| Some((names.iter().position(|column| column == name)?, *name)));
            found.map(|(at, name)| (at, name.to_owned()))
        };
        let missing = |what: &str, known: &[&str]| {
            let problem = format!("no column of the heading is {what}: {}", known.join(", "));
            Error::Line { file: file.to_owned(), line: row.line, problem }
        };
        let kind = match (find(CHAT), find(TEXT)) {
            (Some(chat), None) => Kind::Chats { chat },
            (_, text) => Kind::Messages {
                text: text.ok_or_else(|| missing("the text", TEXT))?,
                speaker: find(SPEAKER).ok_or_else(|| missing("the speaker", SPEAKER))?,
                conversation: find(CONVERSATION).map(|(at, _)| at),
            },
        };
        Ok(Self { fields: names.len(), kind })
    }
}

/// The conversations of a table; those without a word are left out.
///
/// # Errors
/// By line and column: a heading without the columns above, rows of another length, quotes that do not close, limits.
pub fn chat_csv(file: &str, bytes: &[u8], source: Source) -> Result<Vec<Conversation>, Error> {
    let text = text::decode(file, bytes)?;
    let mut rows = Rows::new(file, text, separator(text));
    let Some(first) = rows.next().transpose()? else { return Ok(Vec::new()) };
    let heading = Heading::read(file, &first)?;
    let mut collected = Collected::new(file);
    let mut drafts: BTreeMap<String, (usize, u64, Draft)> = BTreeMap::new();
    for row in rows {
        let row = row?;
        if row.fields.len() != heading.fields {
            let problem = format!("{} fields where the heading has {}", row.fields.len(), heading.fields);
            return Err(Error::Line { file: file.to_owned(), line: row.line, problem });
        }
        let problem = |field: &str, problem: String| Error::Field {
            file: file.to_owned(),
            line: row.line,
            field: field.to_owned(),
            problem,
        };
        let field = |at: usize| row.fields.get(at).map(String::as_str).unwrap_or_default();
        match &heading.kind {
            Kind::Chats { chat: (at, name) } => {
                if let Some(found) = chat(field(*at), source).map_err(|what| problem(name, what))? {
                    collected.push(row.line, found)?;
                }
            }
            Kind::Messages { text: (text, text_name), speaker: (speaker, speaker_name), conversation } => {
                let key = conversation.map(field).unwrap_or_default().trim();
                let order = drafts.len();
                if !drafts.contains_key(key) && order >= MAX_CONVERSATIONS {
                    let what = format!("more than {MAX_CONVERSATIONS} conversations in one file");
                    return Err(Error::Line { file: file.to_owned(), line: row.line, problem: what });
                }
                let (_, _, draft) = drafts.entry(key.to_owned()).or_insert_with(|| (order, row.line, Draft::default()));
                draft
                    .say(field(*speaker).trim(), field(*text))
                    .map_err(|(part, what)| problem(if part == "speaker" { speaker_name } else { text_name }, what))?;
            }
        }
    }
    let mut drafts: Vec<_> = drafts.into_values().collect();
    drafts.sort_by_key(|(order, _, _)| *order);
    for (_, line, draft) in drafts {
        if let Some(found) = draft.finish(None, source) {
            collected.push(line, found)?;
        }
    }
    Ok(collected.finish())
}

/// A chat in one field: lines of two speakers in turn.
fn chat(field: &str, source: Source) -> Result<Option<Conversation>, String> {
    let mut draft = Draft::default();
    let turns = text::lines(field).map(|(_, turn)| turn).filter(|turn| !turn.trim().is_empty());
    for (at, turn) in turns.enumerate() {
        let speaker = if at % 2 == 0 { "first" } else { "second" };
        draft.say(speaker, turn).map_err(|(_, problem)| problem)?;
    }
    Ok(draft.finish(None, source))
}

/// What the heading is separated by: most often comma, semicolon or tab.
fn separator(text: &str) -> char {
    let heading = text::lines(text).map(|(_, line)| line).find(|line| !line.is_empty()).unwrap_or_default();
    let count = |separator: char| heading.matches(separator).count();
    // The first of the most frequent ones.
    [',', ';', '\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        for (text, expected) in [
            ("a,b\n1,2", "f, line 1: no column of the heading is the text: text, message, content, body, tweet"),
            (
                "when,Text\n1,2",
                "f, line 1: no column of the heading is the speaker: speaker, author, user, username, sender, from, name, author_id, authorid",
            ),
            ("author,text\nA,Hi\nA\n", "f, line 3: 1 fields where the heading has 2"),
            ("author,text\nA,\"Hi\nthere\nB,Hello\n", "f, line 2: a quote opens here and never closes"),
        ] {
            assert_eq!(chat_csv("f", text.as_bytes(), Source::Chat).unwrap_err().to_string(), expected);
        }
        let long = format!("author,message\nA,Hi\nA,{}\n", "x".repeat(16_385));
        assert_eq!(
            chat_csv("f", long.as_bytes(), Source::Chat).unwrap_err().to_string(),
            "f, line 3, message: 16385 bytes are over the limit of 16384"
        );
        let crowd: String = (0..=1000).map(|number| format!("u{number};x\n")).collect();
        assert_eq!(
            chat_csv("f", format!("user;text\n{crowd}").as_bytes(), Source::Chat).unwrap_err().to_string(),
            "f, line 1002, user: more than 1000 speakers in one conversation"
        );
    }

    #[test]
    fn nothing_is_no_conversation() {
        for text in ["", "\n", "author,text\n", "author,text\nA,  \n", "id,chat\n1,\n"] {
            assert!(chat_csv("f", text.as_bytes(), Source::Chat).unwrap().is_empty(), "{text:?}");
        }
    }
}
