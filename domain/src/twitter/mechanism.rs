//! The Twitter scraper behind the [`Mechanism`] trait: rule sets in, scores and weights out.
//!
//! Translation only: no formula lives here. A rule set whose constants are outside of their domain is refused before anything
//! is scored. No vectors are asked for: answers are judged by verdicts alone.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::task::{KIND, Task, completion, synapse};
use super::verdicts::QUERY_ANALYSIS;
use super::{derivation, evaluation, offline};
use crate::events::{Challenge, ResponseScored};
use crate::mechanism::{
    self, Derivation, EpochFacts, Evaluation, EvaluationError, JudgementRequest, Mechanism, MinerState, RoundFacts,
    Rules, Seeking, Stage, Synapse, Want, Weakness, WithoutVerdict,
};
use crate::ruleset::RuleSet;
use crate::types::{Hotkey, Micros};
use crate::wire::evaluation_prompt;

/// The mechanism under one rule set.
pub type Twitter = Rules<Constants>;

impl Mechanism for Twitter {
    fn rule_set(&self) -> &RuleSet {
        &self.rule_set
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        mechanism::Constants::weaknesses(self.constants())
    }

    fn miners_per_round(&self) -> u16 {
        self.constants.collection.miners
    }

    fn deadline_ms(&self) -> u32 {
        self.constants.collection.deadline_ms
    }

    /// Upstream pings every miner before each question.
    fn sweep_before_round(&self) -> Option<u32> {
        Some(self.constants.collection.availability_ms)
    }

    fn seeking(&self, purpose: &str) -> Seeking {
        let constants = &self.constants;
        match purpose {
            QUERY_ANALYSIS => Seeking {
                attempts: constants.analysis.attempts,
                own_verdict_stands_in: constants.remedies.own_words_replace_unusable_analysis,
            },
            _ => Seeking::default(),
        }
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        completion(body)
    }

    fn wants(&self, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
        evaluation::wants(self, stage, facts)
    }

    fn offline(&self, request: &JudgementRequest) -> Option<String> {
        offline::reply(&request.purpose, &request.request, &self.constants)
    }

    fn without_verdict(&self, _: &str) -> WithoutVerdict {
        let alone = self.constants.remedies.unreadable_verdicts_stand_alone;
        if alone { WithoutVerdict::CostsMiner } else { WithoutVerdict::EndsAttempt }
    }

    fn synapse(&self, challenge: &Challenge) -> Result<Option<Synapse>, String> {
        let task = Task::of(challenge.task.as_deref(), &evaluation_prompt(challenge))?;
        let body = synapse(&task, &self.constants.collection)?;
        Ok(Some(Synapse { kind: &KIND, body }))
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
