//! The Twitter scraper behind the [`Mechanism`] trait: rule sets in, scores and weights out.
//!
//! Translation only: no formula lives here. A rule set whose constants are outside of their domain is refused before anything
//! is scored. No vectors are asked for: answers are judged by verdicts alone.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::task::{SYNAPSE, Task, completion, synapse};
use super::{derivation, evaluation, offline};
use crate::events::{Challenge, EmbeddingModel, ResponseScored, TextRole};
use crate::mechanism::{
    Derivation, EpochFacts, Evaluation, EvaluationError, JudgementRequest, Mechanism, MinerState, RoundFacts, Stage,
    Synapse, TextParts, Want,
};
use crate::ruleset::{RuleSet, RuleSetError};
use crate::types::{Hotkey, Micros};
use crate::wire::evaluation_prompt;

pub use super::constants::shipped;

/// The mechanism under one rule set.
#[derive(Debug, Clone)]
pub struct Twitter {
    rule_set: RuleSet,
    constants: Constants,
}

impl Twitter {
    /// Reads the rule set's constants.
    ///
    /// # Errors
    /// Constants that are missing, unknown, mistyped or outside of their domain, and bytes that are not canonical.
    pub fn new(rule_set: RuleSet) -> Result<Self, RuleSetError> {
        let constants: Constants = rule_set.constants()?;
        if let Some((constant, problem)) = constants.problem() {
            return Err(RuleSetError::Constant { name: rule_set.name(), constant, problem: problem.to_owned() });
        }
        Ok(Self { rule_set, constants })
    }

    /// Its constants.
    #[must_use]
    pub fn constants(&self) -> &Constants {
        &self.constants
    }
}

impl Mechanism for Twitter {
    fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    fn miners_per_round(&self) -> u16 {
        self.constants.collection.miners
    }

    fn deadline_ms(&self) -> u32 {
        self.constants.collection.deadline_ms
    }

    fn needs_vectors(&self) -> bool {
        false
    }

    fn accepts(&self, _: &EmbeddingModel) -> bool {
        false
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        completion(body)
    }

    fn text_parts(&self, _: TextRole, _: &str) -> TextParts {
        TextParts { parts: Vec::new(), cut: 0 }
    }

    fn wants(&self, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
        evaluation::wants(self, stage, facts)
    }

    fn offline(&self, request: &JudgementRequest) -> Option<String> {
        offline::reply(&request.purpose, &request.request, &self.constants)
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let task = Task::of(challenge.task.as_deref(), &evaluation_prompt(challenge))?;
        let body = synapse(&task, &self.constants.collection)?;
        Ok(Some(Synapse { name: SYNAPSE, body }))
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        evaluation::evaluate(self, facts)
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
