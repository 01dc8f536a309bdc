//! A subnet's incentive mechanism: pure functions from recorded facts to scores and weights.
//!
//! **Architecture invariant:** a mechanism never calls a model, a clock or a random source, and its signatures take no
//! configuration and no chain handle. The validator and the audit call the same functions.

use crate::events::{
    DrawnMiner, EmbeddingModel, FailureReason, ResponseScored, RoundEvaluated, SkipReason, TextPart, TextRole, Weight,
    WeightMode, ZeroWeight,
};
use crate::metagraph::Metagraph;
use crate::ruleset::{RuleSet, RuleSetError};
use crate::types::{Digest, Hotkey, Micros, Uid};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// At most so many parts of a text get a vector of their own.
pub const MAX_PARTS: usize = 64;

/// The parts of a text that a mechanism wants vectors of, besides the whole text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextParts {
    /// At most [`MAX_PARTS`].
    pub parts: Vec<TextPart>,
    /// How many were cut off.
    pub cut: u32,
}

/// Recorded vectors of one text, decoded and as recorded (not normalised).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextVectors {
    /// Of the whole text.
    pub document: Vec<f64>,
    /// Of each part.
    pub parts: Vec<Vec<f64>>,
}

/// A usable answer of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseFact {
    /// The miner with what the chain said of it.
    pub miner: DrawnMiner,
    /// Whole milliseconds from just before sending to just after reading.
    pub response_time_ms: u32,
    /// The answer's text.
    pub text: String,
    /// SHA-256 of `text`: the key of its vectors.
    pub text_hash: Digest,
}

/// Everything that the scores of one round may depend on, in order of position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundFacts {
    /// The challenge.
    pub challenge_id: String,
    /// The attempt.
    pub attempt: u32,
    /// Seed of the round's draw streams.
    pub seed: Option<Digest>,
    /// What the answers are measured against.
    pub prompt: String,
    /// Vectors of the prompt (document, components).
    pub prompt_vectors: TextVectors,
    /// Answers in order of arrival.
    pub responses: Vec<ResponseFact>,
    /// Drawn miners without a usable answer, in order of the events.
    pub failures: Vec<(DrawnMiner, FailureReason)>,
    /// Vectors of each distinct answer.
    pub answer_vectors: BTreeMap<Digest, Arc<TextVectors>>,
}

/// What a round came to: one score per drawn miner, and the round as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// In order: answers as they arrived, then failures.
    pub scores: Vec<ResponseScored>,
    /// The round.
    pub round: RoundEvaluated,
}

/// What is known of a miner when weights are derived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MinerState {
    /// When it last answered an availability sweep.
    pub last_seen: Option<Micros>,
    /// Rounds in which it was ever drawn.
    pub drawn: u64,
    /// Counted scores with their times, ascending.
    pub window: Vec<(Micros, f64)>,
}

/// Scores of an outside service, parsed from its raw reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExternalScores {
    /// Draw weights in millionths.
    pub priorities: BTreeMap<Hotkey, u64>,
    /// Sybil scores, 0 to 1.
    pub sybil: BTreeMap<Hotkey, f64>,
}

/// Everything that a weight decision may depend on.
#[derive(Debug, Clone)]
pub struct EpochFacts<'a> {
    /// Recording time of the last event of the range.
    pub now: Micros,
    /// The validator.
    pub own: Hotkey,
    /// The metagraph that gives the uids.
    pub metagraph: &'a Metagraph,
    /// Known miners.
    pub miners: &'a BTreeMap<Hotkey, MinerState>,
    /// Outside scores, if any were recorded.
    pub external: Option<&'a ExternalScores>,
}

/// The weights that follow, and what of the window is carried on.
#[derive(Debug, Clone, PartialEq)]
pub struct Derivation {
    /// Which fall-back was in force.
    pub mode: WeightMode,
    /// Why nothing is to be submitted, if so.
    pub skip: Option<SkipReason>,
    /// Moving averages of miners with a counted score in the window.
    pub averages: BTreeMap<Hotkey, f64>,
    /// Items before this time are dropped from the window.
    pub window_start: Micros,
    /// Non-zero weights sorted by uid.
    pub weights: Vec<Weight>,
    /// Every other neuron with its reason, sorted by uid.
    pub zeros: Vec<ZeroWeight>,
}

/// Why a round cannot be evaluated from its facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Evidence that the mechanism needs is not recorded.
    #[error("no vectors are recorded for the text with hash {0}")]
    MissingVectors(Digest),
    /// Evidence of a model that the rule set does not list.
    #[error("embedding model {name} with weights {weights} is not accepted by rule set {rule_set}")]
    ModelNotAccepted {
        /// The model.
        name: String,
        /// SHA-256 of its weights.
        weights: Digest,
        /// The rule set.
        rule_set: String,
    },
    /// Recorded vectors that do not have the shape that the text and model ask for.
    #[error("vectors of the text with hash {text} are malformed: {problem}")]
    MalformedVectors {
        /// The text.
        text: Digest,
        /// What is wrong.
        problem: String,
    },
}

/// One incentive mechanism under one rule set.
pub trait Mechanism: Send + Sync + Debug {
    /// The rule set whose constants it uses.
    fn rule_set(&self) -> &RuleSet;

    /// How many miners are asked per round at most.
    fn miners_per_round(&self) -> u16;

    /// Milliseconds until the collector gives up.
    fn deadline_ms(&self) -> u32;

    /// Whether evidence of the model may be used.
    fn accepts(&self, model: &EmbeddingModel) -> bool;

    /// The answer's text in a response body.
    ///
    /// # Errors
    /// Says what is wrong with the body; such a response failed as malformed.
    fn parse_response(&self, body: &[u8]) -> Result<String, String>;

    /// The parts of a text that need vectors. A pure function of the text.
    fn text_parts(&self, role: TextRole, text: &str) -> TextParts;

    /// Scores a round.
    ///
    /// # Errors
    /// When evidence is missing or malformed.
    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError>;

    /// Outside scores in a raw reply; none when the reply is not understood.
    fn external_scores(&self, reply: &[u8]) -> Option<ExternalScores>;

    /// Derives weights.
    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation;
}

/// The mechanism that a rule set names.
///
/// # Errors
/// An unknown algorithm, or constants that are missing, unknown, mistyped or out of their domain.
pub fn open(rule_set: &RuleSet) -> Result<Arc<dyn Mechanism>, RuleSetError> {
    match rule_set.algorithm() {
        "loosh" => Ok(Arc::new(crate::loosh::mechanism::Loosh::new(rule_set.clone())?)),
        other => Err(RuleSetError::UnknownAlgorithm(other.to_owned())),
    }
}

/// The rule sets that this program ships.
#[must_use]
pub fn shipped() -> Vec<RuleSet> {
    crate::loosh::mechanism::shipped()
}

/// A shipped rule set by its name.
///
/// # Errors
/// Lists the shipped ones when there is none of this name.
pub fn shipped_by_name(name: &str) -> Result<RuleSet, RuleSetError> {
    let all = shipped();
    let known = all.iter().map(RuleSet::name).collect::<Vec<_>>().join(", ");
    let found = all.into_iter().find(|rule_set| rule_set.name() == name);
    found.ok_or_else(|| RuleSetError::UnknownName { name: name.to_owned(), known })
}

/// A zero for the neuron.
#[must_use]
pub fn zero(uid: Uid, hotkey: Hotkey, reason: crate::events::ZeroReason) -> ZeroWeight {
    ZeroWeight { uid, hotkey, reason }
}
