//! From recorded facts to what a mechanism sees, and from there to scores.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Round, RoundError};
use crate::events::{
    Challenge, DrawnMiner, EmbeddingComputed, Event, FailureReason, JudgementRecorded, Statistic, VectorEncoding,
};
use crate::half;
use crate::mechanism::{
    Evaluation, EvaluationError, FailedCall, JudgementFact, Mechanism, NO_VERDICT, ResponseFact, RoundFacts,
    TextVectors, WithoutVerdict, is_verdict,
};
use crate::types::{Hotkey, sha256};
use crate::wire;

impl Round {
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
        let unjudged = self.unjudged(mechanism)?;
        let drawn: BTreeMap<Hotkey, &DrawnMiner> = selected.drawn.iter().map(|miner| (miner.hotkey, miner)).collect();
        for response in self.responses.iter().filter(|response| !unjudged.contains(&response.hotkey)) {
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
        for miner in unjudged.iter().filter_map(|hotkey| drawn.get(hotkey)) {
            facts.failures.push(((*miner).clone(), FailureReason::NotJudged));
        }
        for judged in self.judgements.iter().filter(|judged| is_verdict(&judged.model)) {
            facts.judgements.push(JudgementFact {
                purpose: judged.purpose.clone(),
                hotkey: judged.hotkey,
                reply: judged.reply.bytes().to_vec(),
            });
        }
        facts.failed_calls = self.failed_calls(mechanism);
        for embedding in &self.embeddings {
            if let Entry::Vacant(place) = facts.vectors.entry((embedding.role, embedding.text_hash)) {
                place.insert(Arc::new(accepted_vectors(embedding, mechanism)?));
            }
        }
        Ok(facts)
    }

    /// Whose answers a model refused to judge.
    fn unjudged(&self, mechanism: &dyn Mechanism) -> Result<BTreeSet<Hotkey>, EvaluationError> {
        let mut found = BTreeSet::new();
        for judged in self.judgements.iter().filter(|judged| !is_verdict(&judged.model)) {
            match (mechanism.without_verdict(&judged.purpose), judged.hotkey) {
                (WithoutVerdict::IsScored, _) => {}
                (WithoutVerdict::CostsMiner, Some(hotkey)) => {
                    found.insert(hotkey);
                }
                (_, about) => {
                    let problem = String::from_utf8_lossy(judged.reply.bytes()).into_owned();
                    return Err(EvaluationError::UnusableJudgement { purpose: judged.purpose.clone(), about, problem });
                }
            }
        }
        Ok(found)
    }

    /// The calls without a verdict that the mechanism reads.
    fn failed_calls(&self, mechanism: &dyn Mechanism) -> Vec<FailedCall> {
        let is_read = |purpose: &str| mechanism.without_verdict(purpose) == WithoutVerdict::IsScored;
        let failed = self.judgements.iter().filter(|judged| !is_verdict(&judged.model) && is_read(&judged.purpose));
        let call = |judged: &JudgementRecorded| FailedCall {
            purpose: judged.purpose.clone(),
            hotkey: judged.hotkey,
            refused: judged.model == NO_VERDICT,
        };
        failed.map(call).collect()
    }

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
