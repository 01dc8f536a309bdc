//! One attempt at one challenge: the consistency boundary of its responses, evidence and scores.
//!
//! The state is the round's recorded facts and nothing else; [`Round::facts`] turns them into what a mechanism sees. The
//! live round and the audit build the same state with the same `apply`.

use crate::Aggregate;
use crate::events::{
    AbandonReason, Challenge, ChallengeIssued, DrawnMiner, EmbeddingComputed, Event, JudgementRecorded, MinersSelected,
    ResponseFailed, ResponseReceived, RoundAbandoned, TextRole, VectorEncoding,
};
use crate::half;
use crate::mechanism::{EvaluationError, Mechanism, ResponseFact, RoundFacts, TextVectors};
use crate::types::{Digest, Hotkey, sha256};
use crate::wire;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Type of a round's stream; its id is [`stream_id`].
pub const STREAM_TYPE: &str = "round";

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

    /// What the mechanism sees of this round.
    ///
    /// # Errors
    /// When evidence is missing, malformed, or of a model that the rule set does not accept.
    pub fn facts(&self, challenge: &Challenge, mechanism: &dyn Mechanism) -> Result<RoundFacts, EvaluationError> {
        let mut facts = RoundFacts { prompt: wire::evaluation_prompt(challenge), ..RoundFacts::default() };
        let Some(selected) = &self.selected else { return Ok(facts) };
        facts.challenge_id.clone_from(&selected.challenge_id);
        facts.attempt = selected.attempt;
        facts.seed = Some(selected.seed);
        let drawn: BTreeMap<Hotkey, &DrawnMiner> = selected.drawn.iter().map(|miner| (miner.hotkey, miner)).collect();
        for response in &self.responses {
            // A body that does not parse was recorded as a failure, never as a response.
            let (Some(miner), Ok(text)) =
                (drawn.get(&response.hotkey), mechanism.parse_response(response.body.bytes()))
            else {
                continue;
            };
            let text_hash = sha256(text.as_bytes());
            let response_time_ms = response.response_time_ms;
            facts.responses.push(ResponseFact { miner: (*miner).clone(), response_time_ms, text, text_hash });
        }
        for failure in &self.failures {
            if let Some(miner) = drawn.get(&failure.hotkey) {
                facts.failures.push(((*miner).clone(), failure.reason));
            }
        }
        let prompt_hash = sha256(facts.prompt.as_bytes());
        facts.prompt_vectors = self.vectors(TextRole::Prompt, prompt_hash, &facts.prompt, mechanism)?;
        for response in &facts.responses {
            if let Entry::Vacant(place) = facts.answer_vectors.entry(response.text_hash) {
                let vectors = self.vectors(TextRole::Answer, response.text_hash, &response.text, mechanism)?;
                place.insert(Arc::new(vectors));
            }
        }
        Ok(facts)
    }

    fn vectors(
        &self,
        role: TextRole,
        text_hash: Digest,
        text: &str,
        mechanism: &dyn Mechanism,
    ) -> Result<TextVectors, EvaluationError> {
        let found = self.embeddings.iter().find(|event| event.role == role && event.text_hash == text_hash);
        let event = found.ok_or(EvaluationError::MissingVectors(text_hash))?;
        if !mechanism.accepts(&event.model) {
            return Err(EvaluationError::ModelNotAccepted {
                name: event.model.name.clone(),
                weights: event.model.weights,
                rule_set: mechanism.rule_set().name(),
            });
        }
        let wanted = mechanism.text_parts(role, text);
        if wanted.parts != event.parts || wanted.cut != event.parts_cut {
            let problem = "its parts are not those that the rule set takes from the text".to_owned();
            return Err(EvaluationError::MalformedVectors { text: text_hash, problem });
        }
        decode_vectors(event)
    }
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
            RoundCommand::Evaluate { challenge, mechanism } => self.evaluate(&challenge, mechanism.as_ref()),
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
    pub fn evaluate(&self, challenge: &Challenge, mechanism: &dyn Mechanism) -> Result<Vec<Event>, RoundError> {
        let selected = self.open()?;
        let given = mechanism.rule_set().hash();
        if selected.rule_set != given {
            return Err(RoundError::RuleSet { round: self.name(), drawn: selected.rule_set, given });
        }
        if let Some(miner) = self.outstanding().next() {
            return Err(self.miner_error(miner.hotkey, "has neither answered nor failed yet"));
        }
        self.evaluate_as(challenge, mechanism)
    }

    /// The same under any rule set: what a "what if" replay asks.
    ///
    /// # Errors
    /// When evidence is missing or malformed.
    pub fn evaluate_as(&self, challenge: &Challenge, mechanism: &dyn Mechanism) -> Result<Vec<Event>, RoundError> {
        let evaluation = mechanism.evaluate(&self.facts(challenge, mechanism)?)?;
        let mut events: Vec<Event> = evaluation.scores.into_iter().map(Event::ResponseScored).collect();
        events.push(Event::RoundEvaluated(evaluation.round));
        Ok(events)
    }
}
