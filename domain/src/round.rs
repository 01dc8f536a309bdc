//! One attempt at one challenge: the consistency boundary of its responses, evidence and scores.
//!
//! The state is the round's recorded facts and nothing else; [`Round::facts`] turns them into what a mechanism sees. The
//! live round and the audit build the same state with the same `apply`.

mod facts;

pub use facts::{decode_vectors, events};

use crate::Aggregate;
use crate::events::{
    AbandonReason, Challenge, ChallengeIssued, DrawnMiner, EmbeddingComputed, Event, JudgementRecorded, MinersSelected,
    ResponseFailed, ResponseReceived, RoundAbandoned, Statistic,
};
use crate::mechanism::{EvaluationError, Mechanism};
use crate::types::{Digest, Hotkey, Position};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Type of a round's stream; its id is [`stream_id`].
pub const STREAM_TYPE: &str = "round";

/// Type of the stream of a round's label, with the round's id: the label, and the scores that follow from it.
pub const LABEL_STREAM_TYPE: &str = "label";

/// Type of the stream of a round's deliveries, with the round's id: attempts to bring its results to whoever asked.
pub const DELIVERY_STREAM_TYPE: &str = "delivery";

/// Id of a round's stream: `<challenge>/<attempt>`.
#[must_use]
pub fn stream_id(challenge_id: &str, attempt: u32) -> String {
    format!("{challenge_id}/{attempt}")
}

/// A challenge is drawn at most so often.
pub const MAX_ATTEMPTS: u32 = 3;

/// Whether a challenge ends with an attempt that was given up: when there was nobody to ask or nobody answered, and with
/// the last attempt allowed. Otherwise it is drawn again.
#[must_use]
pub fn abandonment_is_last(reason: AbandonReason, attempt: u32) -> bool {
    matches!(reason, AbandonReason::NoMiners | AbandonReason::NoResponses) || attempt >= MAX_ATTEMPTS
}

/// The recorded facts of one attempt.
#[derive(Debug, Clone, Default)]
pub struct Round {
    selected: Option<MinersSelected>,
    issued: BTreeMap<Hotkey, ChallengeIssued>,
    responses: Vec<ResponseReceived>,
    failures: Vec<ResponseFailed>,
    answered: BTreeSet<Hotkey>,
    embeddings: Vec<EmbeddingComputed>,
    judgements: Vec<JudgementRecorded>,
    /// Where answers are recorded, as far as the caller said so.
    places: BTreeMap<Hotkey, Position>,
    ended: bool,
}

/// What can be done in a round.
#[derive(Debug, Clone)]
pub enum RoundCommand {
    /// Begin the attempt with its draw.
    Select(Box<MinersSelected>),
    /// Record that requests are about to leave.
    Issue(Vec<ChallengeIssued>),
    /// Record an answer.
    Receive(Box<ResponseReceived>),
    /// Record that there is none.
    Fail(Box<ResponseFailed>),
    /// Record evidence.
    Embed(Vec<EmbeddingComputed>),
    /// Record a verdict.
    Judge(Box<JudgementRecorded>),
    /// Score the round; the scores follow from the recorded facts alone.
    Evaluate {
        /// The challenge as accepted.
        challenge: Box<Challenge>,
        /// The mechanism under the rule set of the draw.
        mechanism: Arc<dyn Mechanism>,
        /// Running statistics as the round evaluated last left them.
        statistics: Vec<Statistic>,
    },
    /// End without scores.
    Abandon(RoundAbandoned),
}

/// Why a round refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// It has no draw yet, or already has one.
    #[error("round {0} is {1}")]
    Order(String, &'static str),
    /// A miner that was not drawn, or has answered already.
    #[error("round {round}: miner {hotkey} {problem}")]
    Miner {
        /// The round.
        round: String,
        /// The miner.
        hotkey: Hotkey,
        /// What is wrong.
        problem: &'static str,
    },
    /// A fact of another round.
    #[error("round {round}: {kind} belongs to round {other}")]
    Foreign {
        /// The round.
        round: String,
        /// The event's kind.
        kind: &'static str,
        /// Where it belongs.
        other: String,
    },
    /// The rule set is not that of the draw.
    #[error("round {round} was drawn under rule set {drawn}, not {given}")]
    RuleSet {
        /// The round.
        round: String,
        /// Of the draw.
        drawn: Digest,
        /// Of the mechanism given.
        given: Digest,
    },
    /// The evidence does not suffice.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

impl Round {
    /// The draw, once there is one.
    #[must_use]
    pub fn selected(&self) -> Option<&MinersSelected> {
        self.selected.as_ref()
    }

    /// The issued request of a miner.
    #[must_use]
    pub fn issued(&self, hotkey: &Hotkey) -> Option<&ChallengeIssued> {
        self.issued.get(hotkey)
    }

    /// Whether anybody was asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        !self.issued.is_empty()
    }

    /// Answers in order of arrival.
    #[must_use]
    pub fn responses(&self) -> &[ResponseReceived] {
        &self.responses
    }

    /// Verdicts, and calls that led to none, in order.
    #[must_use]
    pub fn judgements(&self) -> &[JudgementRecorded] {
        &self.judgements
    }

    /// Drawn miners that have neither answered nor failed.
    pub fn outstanding(&self) -> impl Iterator<Item = &DrawnMiner> {
        let drawn = self.selected.iter().flat_map(|selected| &selected.drawn);
        drawn.filter(|miner| !self.answered.contains(&miner.hotkey))
    }

    /// Whether it was evaluated or abandoned.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn name(&self) -> String {
        self.selected
            .as_ref()
            .map_or_else(|| "(not drawn)".to_owned(), |selected| stream_id(&selected.challenge_id, selected.attempt))
    }

    fn open(&self) -> Result<&MinersSelected, RoundError> {
        let selected = self.selected.as_ref().ok_or_else(|| RoundError::Order(self.name(), "not drawn yet"))?;
        if self.ended { Err(RoundError::Order(self.name(), "ended")) } else { Ok(selected) }
    }

    fn own(&self, kind: &'static str, challenge_id: &str, attempt: u32) -> Result<&MinersSelected, RoundError> {
        let selected = self.open()?;
        if selected.challenge_id == challenge_id && selected.attempt == attempt {
            return Ok(selected);
        }
        Err(RoundError::Foreign { round: self.name(), kind, other: stream_id(challenge_id, attempt) })
    }

    fn miner_error(&self, hotkey: Hotkey, problem: &'static str) -> RoundError {
        RoundError::Miner { round: self.name(), hotkey, problem }
    }

    fn awaits(&self, hotkey: Hotkey) -> Result<(), RoundError> {
        if !self.issued.contains_key(&hotkey) {
            return Err(self.miner_error(hotkey, "was not asked"));
        }
        if self.answered.contains(&hotkey) {
            return Err(self.miner_error(hotkey, "has answered or failed already"));
        }
        Ok(())
    }

    /// Says where a miner's answer is recorded: evidence names its sources by position.
    pub fn place(&mut self, hotkey: Hotkey, position: Position) {
        self.places.insert(hotkey, position);
    }
}

impl Aggregate for Round {
    const STREAM_TYPE: &'static str = STREAM_TYPE;
    type Command = RoundCommand;
    type Error = RoundError;

    fn decide(&self, command: RoundCommand) -> Result<Vec<Event>, RoundError> {
        match command {
            RoundCommand::Select(selected) => match &self.selected {
                Some(_) => Err(RoundError::Order(self.name(), "already drawn")),
                None => Ok(vec![Event::MinersSelected(*selected)]),
            },
            RoundCommand::Issue(issued) => {
                for issue in &issued {
                    let selected = self.own("ChallengeIssued", &issue.challenge_id, issue.attempt)?;
                    if !selected.drawn.iter().any(|miner| miner.hotkey == issue.hotkey) {
                        return Err(self.miner_error(issue.hotkey, "was not drawn"));
                    }
                    if self.issued.contains_key(&issue.hotkey) {
                        return Err(self.miner_error(issue.hotkey, "was asked already"));
                    }
                }
                Ok(issued.into_iter().map(Event::ChallengeIssued).collect())
            }
            RoundCommand::Receive(response) => {
                self.own("ResponseReceived", &response.challenge_id, response.attempt)?;
                self.awaits(response.hotkey)?;
                Ok(vec![Event::ResponseReceived(*response)])
            }
            RoundCommand::Fail(failure) => {
                self.own("ResponseFailed", &failure.challenge_id, failure.attempt)?;
                self.awaits(failure.hotkey)?;
                Ok(vec![Event::ResponseFailed(*failure)])
            }
            RoundCommand::Embed(embeddings) => {
                for embedding in &embeddings {
                    self.own("EmbeddingComputed", &embedding.challenge_id, embedding.attempt)?;
                }
                Ok(embeddings.into_iter().map(Event::EmbeddingComputed).collect())
            }
            RoundCommand::Judge(judgement) => {
                self.own("JudgementRecorded", &judgement.challenge_id, judgement.attempt)?;
                Ok(vec![Event::JudgementRecorded(*judgement)])
            }
            RoundCommand::Evaluate { challenge, mechanism, statistics } => {
                self.evaluate(&challenge, mechanism.as_ref(), &statistics)
            }
            RoundCommand::Abandon(abandoned) => {
                self.own("RoundAbandoned", &abandoned.challenge_id, abandoned.attempt)?;
                Ok(vec![Event::RoundAbandoned(abandoned)])
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::MinersSelected(selected) => self.selected = Some(selected.clone()),
            Event::ChallengeIssued(issued) => {
                self.issued.insert(issued.hotkey, issued.clone());
            }
            Event::ResponseReceived(response) => {
                self.answered.insert(response.hotkey);
                self.responses.push(response.clone());
            }
            Event::ResponseFailed(failure) => {
                self.answered.insert(failure.hotkey);
                self.failures.push(failure.clone());
            }
            Event::EmbeddingComputed(embedding) => self.embeddings.push(embedding.clone()),
            Event::JudgementRecorded(judgement) => self.judgements.push(judgement.clone()),
            Event::RoundEvaluated(_) | Event::RoundAbandoned(_) => self.ended = true,
            _ => {}
        }
    }
}
