//! A subnet's incentive mechanism: pure functions from recorded facts to scores and weights.
//!
//! **Architecture invariant:** a mechanism never calls a model, a clock or a random source, and its signatures take no
//! configuration and no chain handle. The validator and the audit call the same functions.

mod facts;
mod rules;

pub use facts::{
    AWAITS_LABEL, Derivation, EpochFacts, Evaluation, ExternalScores, FailedCall, JudgementFact, JudgementRequest,
    LabelFacts, MAX_PARTS, MinerState, NO_REPLY, NO_VERDICT, OFFLINE, ResponseFact, RoundFacts, Seeking, Stage,
    Synapse, SynapseKind, TextParts, TextVectors, Want, WithoutVerdict, is_verdict,
};

pub(crate) use rules::in_force;
pub use rules::{Check, Constants, Rules, Weakness, rule_set};

use crate::bettertherapy::mechanism::BetterTherapy;
use crate::cgp::mechanism::Cgp;
use crate::conversion::mechanism::Conversion;
use crate::events::{Challenge, EmbeddingModel, Exclusion, Neuron, ResponseScored, TextRole, ZeroReason, ZeroWeight};
use crate::loosh::mechanism::Loosh;
use crate::ruleset::{RuleSet, RuleSetError};
use crate::twitter::mechanism::Twitter;
use crate::types::{Digest, Hotkey, Micros, Position, Uid};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Debug;
use std::sync::Arc;

/// Why a round cannot be evaluated from its facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Evidence that the mechanism needs is not recorded.
    #[error("no vectors are recorded for the text with hash {0}")]
    MissingVectors(Digest),
    /// Evidence of a model that the rule set does not list.
    #[error("embedding model {name} with weights {weights} is not accepted by rule set {rule_set}")]
    ModelNotAccepted {
        /// The model.
        name: String,
        /// SHA-256 of its weights.
        weights: Digest,
        /// The rule set.
        rule_set: String,
    },
    /// Recorded vectors that do not have the shape that the text and model ask for.
    #[error("vectors of the text with hash {text} are malformed: {problem}")]
    MalformedVectors {
        /// The text.
        text: Digest,
        /// What is wrong.
        problem: String,
    },
    /// A verdict that the mechanism needs is not recorded.
    #[error("no verdict {purpose:?} is recorded{}", about.map(|hotkey| format!(" about the answer of {hotkey}")).unwrap_or_default())]
    MissingJudgement {
        /// What was to be asked.
        purpose: String,
        /// About whose answer, if one's.
        about: Option<Hotkey>,
    },
    /// A recorded verdict that cannot be read.
    #[error("the verdict {purpose:?}{} cannot be used: {problem}", about.map(|hotkey| format!(" about the answer of {hotkey}")).unwrap_or_default())]
    UnusableJudgement {
        /// What was asked.
        purpose: String,
        /// About whose answer, if one's.
        about: Option<Hotkey>,
        /// What is wrong.
        problem: String,
    },
    /// The challenge's task is missing, or not one of this mechanism.
    #[error("the task is not one of rule set {rule_set}: {problem}")]
    MalformedTask {
        /// The rule set.
        rule_set: String,
        /// What is wrong.
        problem: String,
    },
    /// A label for a mechanism that waits for none, or one that cannot be read.
    #[error("the label cannot be used: {0}")]
    Label(String),
}

/// One incentive mechanism under one rule set.
pub trait Mechanism: Send + Sync + Debug {
    /// The rule set whose constants it uses.
    fn rule_set(&self) -> &RuleSet;

    /// Known weaknesses of its rule set: the constant that lets each happen, and what happens. For whoever chooses rules;
    /// nothing is computed from it.
    fn weaknesses(&self) -> Vec<Weakness> {
        Vec::new()
    }

    /// How many miners are asked per round at most.
    fn miners_per_round(&self) -> u16;

    /// Whom the rule set's quotas leave out, though nothing else does: for each slot, in order of uid, with why it is not asked
    /// already. By default there are no quotas.
    fn over_quota(&self, slots: &[(&Neuron, Option<Exclusion>)]) -> Vec<Option<Exclusion>> {
        vec![None; slots.len()]
    }

    /// Stake in TAO up to which a slot with a validator permit is a miner that is asked and paid all the same. None: a permit
    /// alone makes a validator.
    fn validator_stake(&self) -> Option<f64> {
        None
    }

    /// Milliseconds until the collector gives up.
    fn deadline_ms(&self) -> u32;

    /// Whether its rounds need vectors at all. Where they do, [`Self::accepts`] and [`Self::text_parts`] say which.
    fn needs_vectors(&self) -> bool {
        false
    }

    /// Whether evidence of the model may be used.
    fn accepts(&self, _: &EmbeddingModel) -> bool {
        false
    }

    /// The answer's text in a response body.
    ///
    /// # Errors
    /// Says what is wrong with the body; such a response failed as malformed.
    fn parse_response(&self, body: &[u8]) -> Result<String, String>;

    /// The parts of a text that need vectors. A pure function of the text.
    fn text_parts(&self, _: TextRole, _: &str) -> TextParts {
        TextParts::default()
    }

    /// The evidence that is missing at a stage, in the order in which it is to be recorded. What depends on other evidence is
    /// asked for once that is recorded.
    fn wants(&self, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
        match stage {
            Stage::AfterAnswers if self.needs_vectors() => texts(facts),
            Stage::BeforeIssue | Stage::AfterAnswers => Vec::new(),
        }
    }

    /// Within how many milliseconds miners answer the availability sweep that a round begins with; none where rounds use the last
    /// sweep that there is.
    fn sweep_before_round(&self) -> Option<u32> {
        None
    }

    /// How a verdict of the purpose is sought from a model that fails.
    fn seeking(&self, _: &str) -> Seeking {
        Seeking::default()
    }

    /// A verdict that needs no model: what is recorded where no model is configured. None when only a model can tell.
    fn offline(&self, _: &JudgementRequest) -> Option<String> {
        None
    }

    /// What becomes of a call for a verdict of the purpose that leads to none.
    fn without_verdict(&self, _: &str) -> WithoutVerdict {
        WithoutVerdict::EndsAttempt
    }

    /// What miners are sent; none where the challenge itself is the request.
    ///
    /// # Errors
    /// Says what is wrong with the challenge's task.
    fn synapse(&self, _: &Challenge) -> Result<Option<Synapse>, String> {
        Ok(None)
    }

    /// Scores a round.
    ///
    /// # Errors
    /// When evidence is missing or malformed.
    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError>;

    /// Whether rounds wait for labels: their scores are kept until one is revealed.
    fn awaits_labels(&self) -> bool {
        false
    }

    /// Scores a round once more, now that its label is known.
    ///
    /// # Errors
    /// A label that is not expected or cannot be read.
    fn evaluate_label(&self, _: &LabelFacts) -> Result<Evaluation, EvaluationError> {
        Err(EvaluationError::Label(format!("rule set {} waits for none", self.rule_set().name())))
    }

    /// Takes the scores of a round into what is known of the miners. By default counted scores go into the window.
    fn absorb(&self, miners: &mut BTreeMap<Hotkey, MinerState>, scores: &[ResponseScored], at: Micros) {
        for scored in scores.iter().filter(|scored| scored.counted) {
            miners.entry(scored.hotkey).or_default().window.push((at, scored.score));
        }
    }

    /// Outside scores in a raw reply; none when the reply is not understood.
    fn external_scores(&self, _: &[u8]) -> Option<ExternalScores> {
        None
    }

    /// Derives weights.
    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation;
}

/// Vectors of the prompt and of each distinct answer, as far as they are not recorded.
fn texts(facts: &RoundFacts) -> Vec<Want> {
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut found = vec![(TextRole::Prompt, facts.prompt.as_str(), vec![facts.accepted])];
    for response in &facts.responses {
        match places.entry(response.text_hash) {
            Entry::Occupied(place) => found[*place.get()].2.push(response.position),
            Entry::Vacant(place) => {
                place.insert(found.len());
                found.push((TextRole::Answer, response.text.as_str(), vec![response.position]));
            }
        }
    }
    found.retain(|(role, text, _)| facts.vectors_of(*role, text).is_none());
    let want =
        |(role, text, sources): (TextRole, &str, Vec<Position>)| Want::Vectors { role, text: text.to_owned(), sources };
    found.into_iter().map(want).collect()
}

/// The mechanism that a rule set names.
///
/// # Errors
/// An unknown algorithm, or constants that are missing, unknown, mistyped or out of their domain.
pub fn open(rule_set: &RuleSet) -> Result<Arc<dyn Mechanism>, RuleSetError> {
    match rule_set.algorithm() {
        "cgp" => Ok(Arc::new(Cgp::new(rule_set.clone())?)),
        "loosh" => Ok(Arc::new(Loosh::new(rule_set.clone())?)),
        "conversion" => Ok(Arc::new(Conversion::new(rule_set.clone())?)),
        "twitter" => Ok(Arc::new(Twitter::new(rule_set.clone())?)),
        "bettertherapy" => Ok(Arc::new(BetterTherapy::new(rule_set.clone())?)),
        other => Err(RuleSetError::UnknownAlgorithm(other.to_owned())),
    }
}

/// The rule sets that this program ships.
#[must_use]
pub fn shipped() -> Vec<RuleSet> {
    [Loosh::shipped(), Cgp::shipped(), Conversion::shipped(), Twitter::shipped(), BetterTherapy::shipped()].concat()
}

/// A shipped rule set by its name.
///
/// # Errors
/// Lists the shipped ones when there is none of this name.
pub fn shipped_by_name(name: &str) -> Result<RuleSet, RuleSetError> {
    let all = shipped();
    let known = all.iter().map(RuleSet::name).collect::<Vec<_>>().join(", ");
    let found = all.into_iter().find(|rule_set| rule_set.name() == name);
    found.ok_or_else(|| RuleSetError::UnknownName { name: name.to_owned(), known })
}

/// A zero for the neuron.
#[must_use]
pub fn zero(uid: Uid, hotkey: Hotkey, reason: ZeroReason) -> ZeroWeight {
    ZeroWeight { uid, hotkey, reason }
}

#[cfg(test)]
#[path = "shipped_tests.rs"]
mod tests;
