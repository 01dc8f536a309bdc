//! One attempt at one challenge: the consistency boundary of its responses, evidence and scores.
//!
//! The state is the round's recorded facts and nothing else; [`Round::facts`] turns them into what a mechanism sees. The
//! live round and the audit build the same state with the same `apply`.

use crate::Aggregate;
use crate::events::{
    AbandonReason, Challenge, ChallengeIssued, DrawnMiner, EmbeddingComputed, Event, JudgementRecorded, MinersSelected,
    ResponseFailed, ResponseReceived, RoundAbandoned, Statistic, VectorEncoding,
};
use crate::half;
use crate::mechanism::{Evaluation, EvaluationError, JudgementFact, Mechanism, ResponseFact, RoundFacts, TextVectors};
use crate::types::{Digest, Hotkey, Position, sha256};
use crate::wire;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Type of a round's stream; its id is [`stream_id`].
pub const STREAM_TYPE: &str = "round";

/// Type of the stream of a round's label, with the round's id: the label, and the scores that follow from it.
pub const LABEL_STREAM_TYPE: &str = "label";

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

    /// What the mechanism sees of this round, with as much evidence as is recorded.
    ///
    /// # Errors
    /// When evidence is malformed, or of a model that the rule set does not accept.
    pub fn facts(
        &self,
        challenge: &Challenge,
        mechanism: &dyn Mechanism,
        statistics: &[Statistic],
    ) -> Result<RoundFacts, EvaluationError> {
        let mut facts = RoundFacts {
            prompt: wire::evaluation_prompt(challenge),
            task: challenge.task.clone(),
            statistics: statistics.to_vec(),
            ..RoundFacts::default()
        };
        let Some(selected) = &self.selected else { return Ok(facts) };
        facts.challenge_id.clone_from(&selected.challenge_id);
        facts.attempt = selected.attempt;
        facts.accepted = selected.accepted;
        facts.seed = Some(selected.seed);
        let drawn: BTreeMap<Hotkey, &DrawnMiner> = selected.drawn.iter().map(|miner| (miner.hotkey, miner)).collect();
        for response in &self.responses {
            // A body that does not parse was recorded as a failure, never as a response.
            let (Some(miner), Ok(text)) =
                (drawn.get(&response.hotkey), mechanism.parse_response(response.body.bytes()))
            else {
                continue;
            };
            let first_byte_ms = response.first_byte_at.0.saturating_sub(response.sent_at.0) / 1000;
            facts.responses.push(ResponseFact {
                position: self.places.get(&response.hotkey).copied().unwrap_or_default(),
                miner: (*miner).clone(),
                response_time_ms: response.response_time_ms,
                first_byte_ms: u32::try_from(first_byte_ms).unwrap_or(u32::MAX),
                text_hash: sha256(text.as_bytes()),
                text,
            });
        }
        for failure in &self.failures {
            if let Some(miner) = drawn.get(&failure.hotkey) {
                facts.failures.push(((*miner).clone(), failure.reason));
            }
        }
        for judged in &self.judgements {
            facts.judgements.push(JudgementFact {
                purpose: judged.purpose.clone(),
                hotkey: judged.hotkey,
                reply: judged.reply.bytes().to_vec(),
            });
        }
        for embedding in &self.embeddings {
            if let Entry::Vacant(place) = facts.vectors.entry((embedding.role, embedding.text_hash)) {
                place.insert(Arc::new(accepted_vectors(embedding, mechanism)?));
            }
        }
        Ok(facts)
    }
}

fn accepted_vectors(event: &EmbeddingComputed, mechanism: &dyn Mechanism) -> Result<TextVectors, EvaluationError> {
    if !mechanism.accepts(&event.model) {
        return Err(EvaluationError::ModelNotAccepted {
            name: event.model.name.clone(),
            weights: event.model.weights,
            rule_set: mechanism.rule_set().name(),
        });
    }
    decode_vectors(event)
}

/// Reads the block of an [`EmbeddingComputed`].
///
/// # Errors
/// When the block does not hold `1 + parts` vectors, or holds a NaN or an infinity.
pub fn decode_vectors(event: &EmbeddingComputed) -> Result<TextVectors, EvaluationError> {
    let malformed = |problem: String| EvaluationError::MalformedVectors { text: event.text_hash, problem };
    let dimensions = usize::from(event.model.dimensions);
    let bytes = event.vectors.bytes();
    let numbers: Vec<f64> = match event.encoding {
        VectorEncoding::F16 => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(malformed(format!("{} bytes are no whole f16", bytes.len())));
            }
            pairs.iter().map(|pair| f64::from(half::to_f32(u16::from_be_bytes(*pair)))).collect()
        }
        VectorEncoding::F32 => {
            let (quads, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(malformed(format!("{} bytes are no whole f32", bytes.len())));
            }
            quads.iter().map(|quad| f64::from(f32::from_be_bytes(*quad))).collect()
        }
    };
    let wanted = (1 + event.parts.len()) * dimensions;
    if dimensions == 0 || numbers.len() != wanted {
        return Err(malformed(format!("{} numbers, expected {wanted}", numbers.len())));
    }
    if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
        return Err(malformed(format!("number {at} is not finite")));
    }
    let mut vectors = numbers.chunks_exact(dimensions).map(<[f64]>::to_vec);
    Ok(TextVectors { document: vectors.next().unwrap_or_default(), parts: vectors.collect() })
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

impl Round {
    /// The scores and the evaluation that follow from the recorded facts.
    ///
    /// # Errors
    /// When the round is not open, a drawn miner is still outstanding, or evidence is missing.
    pub fn evaluate(
        &self,
        challenge: &Challenge,
        mechanism: &dyn Mechanism,
        statistics: &[Statistic],
    ) -> Result<Vec<Event>, RoundError> {
        let selected = self.open()?;
        let given = mechanism.rule_set().hash();
        if selected.rule_set != given {
            return Err(RoundError::RuleSet { round: self.name(), drawn: selected.rule_set, given });
        }
        if let Some(miner) = self.outstanding().next() {
            return Err(self.miner_error(miner.hotkey, "has neither answered nor failed yet"));
        }
        self.evaluate_as(challenge, mechanism, statistics)
    }

    /// The same under any rule set: what a "what if" replay asks.
    ///
    /// # Errors
    /// When evidence is missing or malformed.
    pub fn evaluate_as(
        &self,
        challenge: &Challenge,
        mechanism: &dyn Mechanism,
        statistics: &[Statistic],
    ) -> Result<Vec<Event>, RoundError> {
        Ok(events(mechanism.evaluate(&self.facts(challenge, mechanism, statistics)?)?))
    }
}

/// The events of an evaluation, in order: the scores, then the round.
#[must_use]
pub fn events(evaluation: Evaluation) -> Vec<Event> {
    let mut events: Vec<Event> = evaluation.scores.into_iter().map(Event::ResponseScored).collect();
    events.push(Event::RoundEvaluated(evaluation.round));
    events
}
