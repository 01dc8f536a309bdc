//! A round told in sentences, by rules: the same facts give the same text, whoever has them.
//!
//! The topics are the six that Loosh's upstream asks a language model for. No model is asked here, and the text says so: what a
//! prompt means or whether an answer is true is left to the reader.
//!
//! **Architecture invariant:** pure. The text is made of what it is given alone and quotes no answer, so it discloses nothing that its
//! caller does not disclose.

#![forbid(unsafe_code)]

pub mod facts;
mod reasons;
mod tell;
mod words;

pub use reasons::explain_reason;
pub use tell::narrate;

/// What a paragraph is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NarrativeSubject {
    /// What was asked.
    Prompt,
    /// How alike the answers are.
    Comparison,
    /// Who was drawn, who answered, and the figures of the mechanism.
    Process,
    /// What the filters dropped, and what that changed.
    Filtering,
    /// Who is in the consensus and who is not.
    Miners,
    /// What came out.
    Verdict,
}

/// One paragraph.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NarrativeTopic {
    /// What it is about.
    pub subject: NarrativeSubject,
    /// One or more sentences.
    pub text: String,
}

/// A round told in sentences.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Narrative {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What made the text.
    pub made_by: &'static str,
    /// The paragraphs, in upstream's order.
    pub topics: Vec<NarrativeTopic>,
}

/// Says what made a narrative.
pub const MADE_BY: &str = "rules over the recorded facts; no language model was asked";

impl NarrativeSubject {
    /// The heading of its paragraph.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Prompt => "Prompt",
            Self::Comparison => "Comparison",
            Self::Process => "Process",
            Self::Filtering => "Filtering",
            Self::Miners => "Miners",
            Self::Verdict => "Verdict",
        }
    }
}

impl Narrative {
    /// The whole text, a paragraph a line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("Round {}/{}, told by {}.", self.challenge_id, self.attempt, self.made_by);
        for topic in &self.topics {
            text.push_str(&format!("\n{}: {}", topic.subject.heading(), topic.text));
        }
        text
    }
}
