//! What a mechanism sees of a round and of an epoch, and what it makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::events::{
    DrawnMiner, FailureReason, ResponseScored, RoundEvaluated, SkipReason, Statistic, TextPart, TextRole, Weight,
    WeightMode, ZeroWeight,
};
use crate::metagraph::Metagraph;
use crate::types::{Digest, Hotkey, Micros, Position, sha256};

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
    /// Where the answer is recorded.
    pub position: Position,
    /// The miner with what the chain said of it.
    pub miner: DrawnMiner,
    /// Whole milliseconds from just before sending to just after reading.
    pub response_time_ms: u32,
    /// Whole milliseconds until the first byte of the answer's body.
    pub first_byte_ms: u32,
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
    /// Where the challenge is accepted.
    pub accepted: Position,
    /// What the answers are measured against.
    pub prompt: String,
    /// The mechanism's own task, as JSON text.
    pub task: Option<String>,
    /// Answers in order of arrival.
    pub responses: Vec<ResponseFact>,
    /// Drawn miners without a usable answer, in order of the events.
    pub failures: Vec<(DrawnMiner, FailureReason)>,
    /// Recorded vectors by role and hash of the text.
    pub vectors: BTreeMap<(TextRole, Digest), Arc<TextVectors>>,
    /// Recorded judgements, in order.
    pub judgements: Vec<JudgementFact>,
    /// Recorded calls that led to no verdict, as far as the mechanism [reads](WithoutVerdict::IsScored) them.
    pub failed_calls: Vec<FailedCall>,
    /// Running statistics as the round before left them.
    pub statistics: Vec<Statistic>,
}

/// A recorded verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgementFact {
    /// What was asked.
    pub purpose: String,
    /// Whose answer it is about, if one's.
    pub hotkey: Option<Hotkey>,
    /// The raw reply.
    pub reply: Vec<u8>,
}

/// A call for a verdict that led to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    /// What was asked.
    pub purpose: String,
    /// Whose answer it is about, if one's.
    pub hotkey: Option<Hotkey>,
    /// Whether the model refused this very request. Otherwise no reply came at all.
    pub refused: bool,
}

impl RoundFacts {
    /// The vectors of a text, if they are recorded.
    #[must_use]
    pub fn vectors_of(&self, role: TextRole, text: &str) -> Option<&TextVectors> {
        self.vectors.get(&(role, sha256(text.as_bytes()))).map(Arc::as_ref)
    }

    /// The first recorded verdict of a purpose, about a miner's answer or about the round.
    #[must_use]
    pub fn judgement(&self, purpose: &str, hotkey: Option<Hotkey>) -> Option<&JudgementFact> {
        self.judgements.iter().find(|judged| judged.purpose == purpose && judged.hotkey == hotkey)
    }

    /// The first recorded call of a purpose that led to no verdict.
    #[must_use]
    pub fn failed_call(&self, purpose: &str, hotkey: Option<Hotkey>) -> Option<&FailedCall> {
        self.failed_calls.iter().find(|failed| failed.purpose == purpose && failed.hotkey == hotkey)
    }

    /// The values of a running statistic; none before it was first recorded.
    #[must_use]
    pub fn statistic(&self, name: &str) -> Option<&[f64]> {
        self.statistics.iter().find(|statistic| statistic.name == name).map(|statistic| statistic.values.as_slice())
    }
}

/// When evidence is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// After the draw, before any miner is asked.
    BeforeIssue,
    /// Once every drawn miner has answered or failed.
    AfterAnswers,
}

/// Evidence that a mechanism needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Vectors of a text and of the parts that [`Mechanism::text_parts`](super::Mechanism::text_parts) takes from it.
    Vectors {
        /// What the text is.
        role: TextRole,
        /// The text.
        text: String,
        /// Events that hold it, or what it is made of.
        sources: Vec<Position>,
    },
    /// A verdict of a model.
    Judgement(JudgementRequest),
}

/// The model that stands in a verdict which the mechanism made itself.
pub const OFFLINE: &str = "offline";

/// The model that stands in a verdict which says that there is none: the model refused this very request. The reply says why.
pub const NO_VERDICT: &str = "none";

/// The model that stands in a verdict which says that no reply came to this request, though to others of the round. The reply
/// says why.
pub const NO_REPLY: &str = "no_reply";

/// Whether a recorded verdict of the model is one. False for [`NO_VERDICT`] and [`NO_REPLY`].
#[must_use]
pub fn is_verdict(model: &str) -> bool {
    model != NO_VERDICT && model != NO_REPLY
}

/// What becomes of a call for a verdict that leads to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutVerdict {
    /// The attempt at the round ends for everybody.
    EndsAttempt,
    /// A refusal to judge one answer costs its miner alone; anything else ends the attempt.
    CostsMiner,
    /// It is a fact that the scores depend on: [`RoundFacts::failed_calls`]. Only where no call of the round is answered at all,
    /// the attempt ends.
    IsScored,
}

/// How a verdict is sought from a model that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeking {
    /// How often it is asked at most.
    pub attempts: u32,
    /// When it failed each time, the mechanism's own verdict is recorded, as where no model is configured. Otherwise the attempt at
    /// the round is given up.
    pub own_verdict_stands_in: bool,
}

impl Default for Seeking {
    fn default() -> Self {
        Self { attempts: 1, own_verdict_stands_in: false }
    }
}

/// What a model is asked: a pure function of the round's facts, so that an audit can repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementRequest {
    /// What for; the operator's configuration chooses a model by it.
    pub purpose: String,
    /// Whose answer it is about, if one's.
    pub hotkey: Option<Hotkey>,
    /// The request as canonical JSON text. Its SHA-256 is recorded.
    pub request: String,
}

impl JudgementRequest {
    /// SHA-256 of the request.
    #[must_use]
    pub fn hash(&self) -> Digest {
        sha256(self.request.as_bytes())
    }
}

/// The type of a request, as the subnet's own clients declare it.
#[derive(Debug, PartialEq, Eq)]
pub struct SynapseKind {
    /// Its name, which is its route as well.
    pub name: &'static str,
    /// Fields without a default, each with the empty value of its type as JSON: an SDK axon makes the request's type of these
    /// before it reads the body.
    pub required: &'static [(&'static str, &'static str)],
    /// Fields that the hash of the body covers, in order; most subnets' signatures cover none.
    pub hashed: &'static [&'static str],
    /// Whether an answer may be a bare text that was streamed, `text/event-stream`, instead of an object.
    pub streamed: bool,
}

/// What a miner is sent: its type and its JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synapse {
    /// The type.
    pub kind: &'static SynapseKind,
    /// The body, a JSON object.
    pub body: String,
}

/// The component of a round whose scores wait for a label.
pub const AWAITS_LABEL: &str = "awaits_label";

/// A label that became known, and the round that it is about, as that was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelFacts {
    /// Where it is recorded.
    pub position: Position,
    /// Where it comes from.
    pub source: String,
    /// The label, canonical JSON text.
    pub label: String,
    /// When it was recorded.
    pub revealed: Micros,
    /// When the round was evaluated.
    pub evaluated: Micros,
    /// The round's scores and evaluation.
    pub round: Evaluation,
    /// Running statistics as the round evaluated last left them.
    pub statistics: Vec<Statistic>,
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
    /// The moving average as it runs, for mechanisms that keep no window.
    pub average: Option<f64>,
}

/// Scores of an outside service, parsed from its raw reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExternalScores {
    /// Draw weights in millionths.
    pub priorities: BTreeMap<Hotkey, u64>,
    /// Sybil scores, 0 to 1.
    pub sybil: BTreeMap<Hotkey, f64>,
    /// Validators that the service knows, with or without a permit of the chain: nobody draws or pays them.
    pub validators: BTreeSet<Hotkey>,
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
    /// Running statistics as the round evaluated last left them.
    pub statistics: &'a [Statistic],
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
