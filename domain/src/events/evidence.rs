//! What an impure step produced and scoring needs.

use crate::types::{Block, Digest, Hotkey, Position};
use serde::{Deserialize, Serialize};

/// The model that computed a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingModel {
    /// Its public name.
    pub name: String,
    /// SHA-256 of its weights.
    pub weights: Digest,
    /// SHA-256 of its tokenizer.
    pub tokenizer: Digest,
    /// Length of a vector.
    pub dimensions: u16,
}

/// What a text is in the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextRole {
    /// The prompt: its document vector and its components.
    Prompt,
    /// An answer: its document vector and its sentences.
    Answer,
}

/// A part of the text that got a vector of its own: `text[start..end]` followed by `suffix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPart {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What the mechanism puts behind it (a question mark that the split removed), usually nothing.
    pub suffix: String,
}

/// How vectors are written in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorEncoding {
    /// IEEE binary16, big-endian, rounded from f32 to nearest even.
    F16,
    /// IEEE binary32, big-endian.
    F32,
}

/// The vectors of one distinct text of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingComputed {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// Prompt or answer.
    pub role: TextRole,
    /// SHA-256 of the text (UTF-8).
    pub text_hash: Digest,
    /// Positions of the events that hold the text (the acceptance, or the responses).
    pub sources: Vec<Position>,
    /// The model.
    pub model: EmbeddingModel,
    /// `onnxruntime 1.31.1`, `rten 0.27.0`, …
    pub runtime: String,
    /// Execution provider in use: `cpu`, `cuda`.
    pub provider: String,
    /// Parts of the text, in order, at most 64; the whole text comes first in the block and is not listed here.
    pub parts: Vec<TextPart>,
    /// How many further parts were cut off.
    pub parts_cut: u32,
    /// How each number is written.
    pub encoding: VectorEncoding,
    /// `(1 + parts) × dimensions` numbers: the whole text, then each part.
    pub vectors: Block,
}

/// An LLM's verdict on one response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgementRecorded {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// Whose response; none when the verdict is about the round.
    pub hotkey: Option<Hotkey>,
    /// What was asked: ground truth, score, summary, …
    pub purpose: String,
    /// Provider and model.
    pub model: String,
    /// SHA-256 of the request as the mechanism states it; how it was put to the model stands in `parameters`.
    pub request_hash: Digest,
    /// Sampling and other parameters as JSON text.
    pub parameters: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the completion.
    pub completion_tokens: u32,
    /// Milliseconds.
    pub latency_ms: u32,
    /// The raw reply.
    pub reply: Block,
}

/// The truth about an earlier challenge became known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRevealed {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt that was evaluated.
    pub attempt: u32,
    /// Where its `RoundEvaluated` stands, right behind its scores.
    pub evaluated: Position,
    /// Where the label comes from.
    pub source: String,
    /// The label as canonical JSON text.
    pub label: String,
}
