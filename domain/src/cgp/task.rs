//! The task of a round: one window of a conversation, with the whole conversation that its ground truth is made of.
//!
//! It stands in the challenge as canonical JSON and is read from there by validator and audit alike. Hostile bytes: a client can
//! push a challenge of its own.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::conversation::Line;

/// Longer tasks are refused, in bytes.
pub const LONGEST_TASK: usize = 1 << 20;

/// Lines of a conversation at most; the rule sets look at 300.
pub const MAX_LINES: usize = 2000;

/// Speakers of a conversation at most.
pub const MAX_PARTICIPANTS: usize = 1000;

/// A place in the conversation: lines `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First line, from 0.
    pub start: u32,
    /// One past the last line.
    pub end: u32,
}

/// One window of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The conversation: digits of a 128-bit integer, or another text.
    pub guid: String,
    /// Which of its windows, from 0.
    pub window_index: u32,
    /// Where that is.
    pub window: Window,
    /// Labels of the speakers by their numbers.
    pub participants: Vec<String>,
    /// The whole conversation.
    pub lines: Vec<Line>,
    /// Whether this round also records what the conversation is like (profiles, Boring Index): once is enough.
    pub describe: bool,
}

impl Task {
    /// Reads a challenge's task.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: Option<&str>) -> Result<Self, String> {
        let text = text.ok_or("the challenge has no task")?;
        if text.len() > LONGEST_TASK {
            return Err(format!("{} bytes are over the limit of {LONGEST_TASK}", text.len()));
        }
        let task: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        task.problem().map_or(Ok(task), Err)
    }

    fn problem(&self) -> Option<String> {
        if self.lines.len() > MAX_LINES {
            return Some(format!("{} lines are over the limit of {MAX_LINES}", self.lines.len()));
        }
        if self.participants.len() > MAX_PARTICIPANTS {
            return Some(format!("{} participants are over the limit of {MAX_PARTICIPANTS}", self.participants.len()));
        }
        let Range { start, end } = self.range();
        if start >= end || end > self.lines.len() {
            return Some(format!("window {start}..{end} is not within {} lines", self.lines.len()));
        }
        let texts = self.lines.iter().map(Line::text).chain(self.participants.iter().map(String::as_str));
        texts.chain([self.guid.as_str()]).any(|text| text.contains('\0')).then(|| "a text holds a NUL byte".to_owned())
    }

    fn range(&self) -> Range<usize> {
        self.window.start as usize..self.window.end as usize
    }

    /// The lines that miners see.
    #[must_use]
    pub fn window_lines(&self) -> &[Line] {
        self.lines.get(self.range()).unwrap_or_default()
    }

    /// The lines that the rules look at.
    #[must_use]
    pub fn whole(&self, maximum_lines: Option<u64>) -> &[Line] {
        let limit = maximum_lines.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        &self.lines[..self.lines.len().min(limit)]
    }

    /// The window for a person to read: a line each, with the speaker's label.
    #[must_use]
    pub fn readable(&self) -> String {
        let label = |speaker: u32| {
            let known = usize::try_from(speaker).ok().and_then(|at| self.participants.get(at)).cloned();
            known.unwrap_or_else(|| format!("SPEAKER_{speaker}"))
        };
        let line = |line: &Line| format!("{}: {}", label(line.speaker()), line.text());
        self.window_lines().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The canonical JSON.
    ///
    /// # Errors
    /// Never, as far as is known: it holds texts and numbers alone.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task() -> Task {
        Task {
            guid: "302165498713245781236549871324578123654".to_owned(),
            window_index: 0,
            window: Window { start: 0, end: 2 },
            participants: vec!["Ana".to_owned()],
            lines: ["Tea?", "Coffee.", "Fine."].map(|text| Line(0, text.to_owned())).to_vec(),
            describe: true,
        }
    }

    #[test]
    fn a_task_is_read_back() {
        let mut task = task();
        task.lines[1].0 = 1;
        let json = task.to_json().unwrap();
        assert!(json.ends_with(r#""lines":[[0,"Tea?"],[1,"Coffee."],[0,"Fine."]],"describe":true}"#), "{json}");
        assert_eq!(Task::parse(Some(&json)), Ok(task.clone()));
        assert_eq!(task.readable(), "Ana: Tea?\nSPEAKER_1: Coffee.");
        assert_eq!((task.whole(Some(2)).len(), task.whole(None).len()), (2, 3));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(Task::parse(None).unwrap_err().contains("no task"));
        assert!(Task::parse(Some("{}")).unwrap_err().contains("guid"));
        assert!(Task::parse(Some(&" ".repeat(LONGEST_TASK + 1))).unwrap_err().contains("limit"));
        let spoilt = |spoil: fn(&mut Task)| {
            let mut task = task();
            spoil(&mut task);
            Task::parse(Some(&task.to_json().unwrap())).unwrap_err()
        };
        assert!(spoilt(|task| task.window.end = 4).contains("window 0..4"));
        assert!(spoilt(|task| task.window.start = 2).contains("window 2..2"));
        assert!(spoilt(|task| task.lines[2].1 = "a\0".to_owned()).contains("NUL"));
        assert!(spoilt(|task| task.lines = vec![task.lines[0].clone(); MAX_LINES + 1]).contains("lines"));
        let unknown = task().to_json().unwrap().replace("\"describe\"", "\"other\":1,\"describe\"");
        assert!(Task::parse(Some(&unknown)).unwrap_err().contains("other"));
    }
}
