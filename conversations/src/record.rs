//! What a validator brings back to the conversation server for a conversation (the body of `PUT …/record/{guid}`).

use std::collections::BTreeMap;

use serde::Serialize;

/// Window index of a record about the whole conversation.
pub const WHOLE_CONVERSATION: u32 = 999;

/// A result record with the fields of upstream's 2.x. `data` is whatever the mechanism found: tags and vectors. Scores are not
/// sent: they stand in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultRecord<T> {
    /// `validator` for the ground truth, `miner` for an answer.
    #[serde(rename = "type")]
    pub kind: String,
    /// `validator`, or what upstream calls the mode of the writer.
    pub mode: String,
    /// Model that made the tags.
    pub model: String,
    /// Model that made the vectors.
    pub embeddings_model: String,
    /// An operator's own mark.
    pub marker_id: Option<String>,
    /// Which window, from 0; [`WHOLE_CONVERSATION`] for the validator's.
    pub convo_window_index: u32,
    /// Hotkey that the record is about.
    pub hotkey: String,
    /// Provider of the model.
    pub llm_type: String,
    /// Version of upstream's scoring, `0.1` all along.
    pub scoring_version: String,
    /// Which batch of the validator's.
    pub batch_num: u64,
    /// Version of upstream that the record follows.
    pub cgp_version: String,
    /// The subnet.
    pub netuid: u16,
    /// The result itself.
    pub data: T,
}

/// The vector of a tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TagVector {
    /// Its numbers.
    pub vectors: Vec<f32>,
}

/// `data` of the validator's record: the whole conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthData {
    /// Labels of the speakers, as the conversation came with them.
    #[serde(rename = "participantProfiles")]
    pub participants: Vec<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Their vectors by tag; of the cleaned ones, and only where the rules need vectors.
    pub vectors: BTreeMap<String, TagVector>,
}

/// `data` of a miner's record: one window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerData {
    /// The miner's slot.
    pub uid: u16,
    /// Tags that count.
    pub tags: Vec<String>,
    /// Tags as the miner sent them.
    pub original_tags: Vec<String>,
    /// Nobody makes profiles of a window: always empty.
    pub profiles: [(); 0],
    /// Vectors by tag.
    pub vectors: BTreeMap<String, TagVector>,
}
