//! Conversion prediction behind the [`Mechanism`] trait: rule sets in, scores and weights out.
//!
//! Translation only: facts become the arguments of `round` and `average`, results become events' bodies. No formula lives
//! here, and no text needs vectors or verdicts: the only evidence is the label.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::synapse::Submission;
use super::{derivation, evaluation, task};
use crate::events::{Challenge, EmbeddingModel, ResponseScored, TextRole};
use crate::mechanism::{
    Derivation, EpochFacts, Evaluation, EvaluationError, LabelFacts, Mechanism, MinerState, RoundFacts, Stage, Synapse,
    TextParts, Want,
};
use crate::ruleset::{Body, RuleSet, RuleSetError};
use crate::types::{Hotkey, Micros};

/// The mechanism under one rule set.
#[derive(Debug, Clone)]
pub struct Conversion {
    rule_set: RuleSet,
    constants: Constants,
}

impl Conversion {
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

/// `conversion/readme`, `conversion/0.1.0` and `conversion/assay-1`.
#[must_use]
pub fn shipped() -> Vec<RuleSet> {
    Constants::shipped()
        .into_iter()
        .filter_map(|(version, constants)| {
            let body = Body { algorithm: "conversion".to_owned(), version: version.to_owned(), constants };
            // Finite constants always serialise; the golden test would miss a rule set that did not.
            RuleSet::from_body(&body).ok()
        })
        .collect()
}

impl Mechanism for Conversion {
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
        Submission::parse(body).map(|answer| answer.to_json()).map_err(|error| error.to_string())
    }

    fn text_parts(&self, _: TextRole, _: &str) -> TextParts {
        TextParts::default()
    }

    fn wants(&self, _: Stage, _: &RoundFacts) -> Vec<Want> {
        Vec::new()
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let text = challenge.task.as_deref().ok_or("the challenge has no task")?;
        let features = task::read(text).map_err(|error| error.to_string())?;
        let body = task::request(&features).map_err(|error| error.to_string())?;
        Ok(Some(Synapse { name: task::SYNAPSE, body }))
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        evaluation::evaluate(self, facts)
    }

    fn awaits_labels(&self) -> bool {
        self.constants.label.awaited
    }

    fn evaluate_label(&self, facts: &LabelFacts) -> Result<Evaluation, EvaluationError> {
        evaluation::evaluate_label(self, facts)
    }

    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], _: Micros) {
        derivation::absorb(&self.constants.average, miners, scores);
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        derivation::derive(&self.constants, facts)
    }
}

#[cfg(test)]
#[path = "mechanism_tests.rs"]
mod tests;
