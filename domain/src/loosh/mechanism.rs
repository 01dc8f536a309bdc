//! Loosh behind the [`Mechanism`] trait: rule sets in, scores and weights out.
//!
//! Translation only: facts become the arguments of `round` and `payout`, results become events' bodies. No formula lives
//! here. A rule set whose constants are outside of their domain is refused before anything is scored.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

use super::constants::Constants;
use super::{derivation, evaluation};
use crate::events::{EmbeddingModel, TextPart, TextRole};
use crate::mechanism::{
    self, Derivation, EpochFacts, Evaluation, EvaluationError, ExternalScores, MAX_PARTS, Mechanism, RoundFacts, Rules,
    TextParts, Weakness,
};
use crate::ruleset::RuleSet;
use crate::text::patterns::{prompt_components, sentences};
use crate::types::{Hotkey, Micros};

/// Shorter sentences get no vector under rules that do not say otherwise: upstream's own constant.
const MINIMUM_SENTENCE_WORDS: usize = 3;

/// The mechanism under one rule set.
pub type Loosh = Rules<Constants>;

impl Mechanism for Loosh {
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

    fn needs_vectors(&self) -> bool {
        true
    }

    fn accepts(&self, model: &EmbeddingModel) -> bool {
        self.constants.models.iter().any(|listed| listed.is(model))
    }

    fn parse_response(&self, body: &[u8]) -> Result<String, String> {
        #[derive(Deserialize)]
        struct InferenceResponse {
            response_text: String,
        }
        let parsed: InferenceResponse = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if parsed.response_text.contains('\0') {
            return Err("response_text contains a NUL byte".to_owned());
        }
        Ok(parsed.response_text)
    }

    fn text_parts(&self, role: TextRole, text: &str) -> TextParts {
        // Generation 1 scores whole texts, but records what generation 2 needs: so one replays under the other's rules.
        let quality = self.constants.quality.as_ref();
        let minimum = quality.map_or(MINIMUM_SENTENCE_WORDS, |quality| quality.scorer.minimum_sentence_words as usize);
        let all: Vec<(&str, &str)> = match role {
            TextRole::Prompt => prompt_components(text).into_iter().map(|c| (c.part, c.suffix)).collect(),
            TextRole::Answer => sentences(text, minimum).into_iter().map(|sentence| (sentence, "")).collect(),
        };
        let cut = u32::try_from(all.len().saturating_sub(MAX_PARTS)).unwrap_or(u32::MAX);
        let place = |(part, suffix): &(&str, &str)| {
            // Parts are slices of the text, so that their places are differences of addresses.
            let start = part.as_ptr().addr() - text.as_ptr().addr();
            let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            TextPart { start: number(start), end: number(start + part.len()), suffix: (*suffix).to_owned() }
        };
        TextParts { parts: all.iter().take(MAX_PARTS).map(place).collect(), cut }
    }

    fn evaluate(&self, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
        evaluation::evaluate(self, facts)
    }

    fn external_scores(&self, reply: &[u8]) -> Option<ExternalScores> {
        self.constants.sybil_penalty.as_ref()?;
        parse_external(reply)
    }

    fn derive(&self, facts: &EpochFacts<'_>) -> Derivation {
        let window = Micros(self.constants.average.lookback_seconds.saturating_mul(1_000_000));
        derivation::derive(&self.constants, window, facts)
    }
}

/// Entries of a list of validators that are looked at; a subnet has 256 slots.
const MAXIMUM_VALIDATORS: usize = 4096;

/// `{"scores": {hotkey: number | {"sybil_score": …, "priority_weight": …}}, "validators": …}`, either of which may be missing;
/// keys that are no hotkeys and entries of another form are left out, so that one odd entry costs nobody else's.
fn parse_external(reply: &[u8]) -> Option<ExternalScores> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Number(f64),
        Detailed { sybil_score: Option<f64>, priority_weight: Option<f64> },
    }
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        scores: Option<&'a RawValue>,
        #[serde(borrow)]
        validators: Option<&'a RawValue>,
    }
    let parsed: Reply = serde_json::from_slice(reply).ok()?;
    let validators = parsed.validators.and_then(|listed| serde_json::from_str::<Value>(listed.get()).ok());
    let listed = validators.as_ref().and_then(listed_validators);
    let scores =
        parsed.scores.and_then(|scores| serde_json::from_str::<BTreeMap<String, &RawValue>>(scores.get()).ok());
    if scores.is_none() && listed.is_none() {
        return None;
    }
    let mut out = ExternalScores { validators: listed.unwrap_or_default(), ..ExternalScores::default() };
    for (key, entry) in scores.unwrap_or_default() {
        let Ok(hotkey) = key.parse::<Hotkey>() else { continue };
        let Ok(entry) = serde_json::from_str::<Entry>(entry.get()) else { continue };
        let (sybil, priority) = match entry {
            Entry::Number(score) => (Some(score), None),
            Entry::Detailed { sybil_score, priority_weight } => (sybil_score, priority_weight),
        };
        // A detailed entry without a score counts as clean, as upstream reads it.
        out.sybil.insert(hotkey, sybil.unwrap_or(0.0));
        if let Some(priority) = priority {
            // Saturates at both ends; negative priorities are none.
            out.priorities.insert(hotkey, crate::math::round_half_even(priority * 1e6) as u64);
        }
    }
    Some(out)
}

/// Of `[{"hotkey_ss58": …, "validator_permit": …, "metadata": {"admin_approved": …}}]`, bare or under `validators`, those that
/// the chain or the service's own word permits. What is no such entry is left out.
fn listed_validators(reply: &Value) -> Option<BTreeSet<Hotkey>> {
    let list = reply.as_array().or_else(|| reply["validators"].as_array())?;
    let permitted = |entry: &&Value| {
        entry["validator_permit"] == Value::Bool(true) || entry["metadata"]["admin_approved"] == Value::Bool(true)
    };
    let hotkey = |entry: &Value| {
        let text = entry["hotkey_ss58"].as_str().or_else(|| entry["hotkey"].as_str())?;
        text.parse::<Hotkey>().ok()
    };
    Some(list.iter().take(MAXIMUM_VALIDATORS).filter(permitted).filter_map(hotkey).collect())
}

#[cfg(test)]
#[path = "mechanism_tests.rs"]
mod tests;
