//! A round told in sentences.

use async_graphql::{Enum, SimpleObject};
use projections::queries;

/// What a paragraph of a narrative is about.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "queries::NarrativeSubject")]
pub(crate) enum NarrativeSubject {
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

/// One paragraph of a narrative.
#[derive(SimpleObject)]
pub(crate) struct NarrativeTopic {
    /// What it is about.
    subject: NarrativeSubject,
    /// One or more sentences.
    text: String,
}

/// A round told in sentences, made by rules from its recorded facts: the same facts give the same text.
#[derive(SimpleObject)]
pub(crate) struct RoundNarrative {
    /// What made the text. It is no language model.
    made_by: &'static str,
    /// The whole text, a paragraph a line.
    text: String,
    /// The paragraphs.
    topics: Vec<NarrativeTopic>,
}

impl From<queries::Narrative> for RoundNarrative {
    fn from(told: queries::Narrative) -> Self {
        let (made_by, text) = (told.made_by, told.text());
        let topic = |topic: queries::NarrativeTopic| NarrativeTopic { subject: topic.subject.into(), text: topic.text };
        Self { made_by, text, topics: told.topics.into_iter().map(topic).collect() }
    }
}
