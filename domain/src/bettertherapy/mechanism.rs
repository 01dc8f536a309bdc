//! BetterTherapy behind the [`Mechanism`] trait: rule sets in, requests, scores and weights out.
//!
//! Translation only: facts become the arguments of this directory's functions, results become events' bodies. A rule set whose
//! constants are outside of their domain is refused before anything is scored.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::task::{Asked, output};
use super::{derivation, evaluation, evidence, selection};
use crate::events::{Challenge, Exclusion, Neuron, ResponseScored};
use crate::mechanism::{
    self, Derivation, EpochFacts, Evaluation, EvaluationError, JudgementRequest, LabelFacts, Mechanism, MinerState,
    RoundFacts, Rules, Stage, Synapse, Want, Weakness, WithoutVerdict,
};
use crate::ruleset::RuleSet;
use crate::types::{Hotkey, Micros};
use crate::wire;

/// The mechanism under one rule set.
pub type BetterTherapy = Rules<Constants>;

impl Mechanism for BetterTherapy {
    fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        mechanism::Constants::weaknesses(self.constants())
    }

    fn miners_per_round(&self) -> u16 {
        self.constants.collection.miners
    }

    fn over_quota(&self, slots: &[(&Neuron, Option<Exclusion>)]) -> Vec<Option<Exclusion>> {
        selection::over_quota(slots, &self.constants.selection)
    }

    fn validator_stake(&self) -> Option<f64> {
        Some(self.constants.selection.permit_stake)
    }

    fn deadline_ms(&self) -> u32 {
        self.constants.collection.deadline_ms
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        output(body)
    }

    fn wants(&self, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
        evidence::wants(stage, facts, &self.constants)
    }

    fn offline(&self, request: &JudgementRequest) -> Option<String> {
        evidence::offline_reply(request, &self.constants)
    }

    fn without_verdict(&self, purpose: &str) -> WithoutVerdict {
        match (self.constants.judge.upstream_collection, evidence::is_quality(purpose)) {
            (false, _) => WithoutVerdict::CostsMiner,
            (true, true) => WithoutVerdict::IsScored,
            (true, false) => WithoutVerdict::EndsAttempt,
        }
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let prompt = wire::evaluation_prompt(challenge);
        Asked::of(&challenge.id, challenge.task.as_deref(), &prompt)?.synapse().map(Some)
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        evaluation::evaluate(self, facts)
    }

    fn awaits_labels(&self) -> bool {
        self.constants.judge.ready_after_seconds > 0
    }

    fn evaluate_label(&self, facts: &LabelFacts) -> Result<Evaluation, EvaluationError> {
        if !self.awaits_labels() {
            return Err(EvaluationError::Label(format!("rule set {} waits for none", self.rule_set.name())));
        }
        evaluation::of_label(self, facts)
    }

    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], _: Micros) {
        derivation::absorb(miners, scores, &self.constants);
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        derivation::derive(&self.constants, facts)
    }
}

#[cfg(test)]
#[path = "mechanism_tests.rs"]
mod tests;
