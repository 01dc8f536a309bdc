//! Conversion prediction behind the [`Mechanism`] trait: rule sets in, scores and weights out.
//!
//! Translation only: facts become the arguments of `round` and `average`, results become events' bodies. No formula lives
//! here, and no text needs vectors or verdicts: the only evidence is the label.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::synapse::Submission;
use super::{derivation, evaluation, task};
use crate::events::{Challenge, ResponseScored};
use crate::mechanism::{
    self, Derivation, EpochFacts, Evaluation, EvaluationError, LabelFacts, Mechanism, MinerState, RoundFacts, Rules,
    Synapse, Weakness,
};
use crate::ruleset::RuleSet;
use crate::types::{Hotkey, Micros};

/// The mechanism under one rule set.
pub type Conversion = Rules<Constants>;

impl Mechanism for Conversion {
    fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        mechanism::Constants::weaknesses(self.constants())
    }

    fn miners_per_round(&self) -> u16 {
        self.constants.collection.miners
    }

    fn validator_stake(&self) -> Option<f64> {
        Some(self.constants.collection.permit_stake)
    }

    fn deadline_ms(&self) -> u32 {
        self.constants.collection.deadline_ms
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        Submission::parse(body).map(|answer| answer.to_json()).map_err(|error| error.to_string())
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let text = challenge.task.as_deref().ok_or("the challenge has no task")?;
        let features = task::read(text).map_err(|error| error.to_string())?;
        let body = task::request(&features).map_err(|error| error.to_string())?;
        Ok(Some(Synapse { kind: &task::KIND, body }))
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

    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], at: Micros) {
        derivation::absorb(&self.constants, miners, scores, at);
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        derivation::derive(&self.constants, facts)
    }
}

#[cfg(test)]
#[path = "mechanism_tests.rs"]
mod tests;
