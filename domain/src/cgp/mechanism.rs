//! Conversation Genome behind the [`Mechanism`] trait: rule sets in, scores and weights out. Translation only; no formula lives here.
//!
//! A round is one window of a conversation ([`Task`]). Before it is sent, models judge the transcript (where the rule set has a
//! gate) and tag the whole conversation; afterwards they validate each answer's tags. Where no model is configured, the rules of
//! `requests` stand in, and an audit repeats them.

use std::collections::BTreeMap;

use super::answer::{self, Answer, AnswerError};
use super::constants::Constants;
use super::evidence::{Canonical, Evidence};
use super::task::Task;
use super::{derivation, outcome, requests, synapse};
use crate::events::{Challenge, EmbeddingModel, ResponseScored, TextPart, TextRole};
use crate::mechanism::{
    self, Derivation, EpochFacts, Evaluation, EvaluationError, JudgementRequest, MAX_PARTS, Mechanism, MinerState,
    RoundFacts, Rules, Stage, Synapse, TextParts, Want, Weakness, WithoutVerdict,
};
use crate::ruleset::RuleSet;
use crate::types::{Hotkey, Micros};

/// The mechanism under one rule set.
pub type Cgp = Rules<Constants>;

impl Mechanism for Cgp {
    fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        mechanism::Constants::weaknesses(self.constants())
    }

    fn validator_stake(&self) -> Option<f64> {
        Some(self.constants.collection.validator_stake as f64)
    }

    fn miners_per_round(&self) -> u16 {
        self.constants.collection.miners
    }

    fn deadline_ms(&self) -> u32 {
        self.constants.collection.deadline_ms
    }

    fn needs_vectors(&self) -> bool {
        true
    }

    fn accepts(&self, model: &EmbeddingModel) -> bool {
        self.constants.models.iter().any(|listed| listed.is(model))
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        let found = match answer::parse(body) {
            // Such an answer fails alone, but for upstream: there it must be seen, because it fails the round.
            Err(AnswerError::NoTags) if !self.constants.isolates_empty() => Answer::default(),
            found => found.map_err(|error| error.to_string())?,
        };
        let canonical = Canonical { tags: found.tags, profiles: found.profiles };
        serde_json::to_string(&canonical).map_err(|error| error.to_string())
    }

    /// One part per line of the text: a tag, or what somebody said.
    fn text_parts(&self, _: TextRole, text: &str) -> TextParts {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut start = 0;
        let mut out = TextParts::default();
        for line in text.split('\n') {
            let end = start + line.len();
            if out.parts.len() < MAX_PARTS {
                out.parts.push(TextPart { start: number(start), end: number(end), suffix: String::new() });
            } else {
                out.cut = out.cut.saturating_add(1);
            }
            start = end + 1;
        }
        out
    }

    fn wants(&self, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
        // A task that is none is told when the window is to be sent.
        let Ok(task) = Task::parse(facts.task.as_deref()) else { return Vec::new() };
        let evidence = Evidence { constants: &self.constants, facts, task: &task };
        match stage {
            Stage::BeforeIssue => evidence.before_issue(),
            Stage::AfterAnswers => evidence.after_answers(),
        }
    }

    fn offline(&self, request: &JudgementRequest) -> Option<String> {
        requests::offline(request)
    }

    fn without_verdict(&self, _: &str) -> WithoutVerdict {
        let alone = self.constants.evaluator.as_ref().is_some_and(|evaluator| evaluator.isolate_empty);
        if alone { WithoutVerdict::CostsMiner } else { WithoutVerdict::EndsAttempt }
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let task = Task::parse(challenge.task.as_deref())?;
        synapse::of(&task, &self.constants.collection).map(Some).map_err(|error| error.to_string())
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        outcome::of(&self.rule_set, &self.constants, facts)
    }

    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], _: Micros) {
        derivation::absorb(&self.constants, miners, scores);
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        derivation::derive(&self.constants, facts)
    }
}

#[cfg(test)]
#[path = "mechanism_tests.rs"]
mod tests;
