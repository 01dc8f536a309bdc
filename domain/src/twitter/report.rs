//! What is recorded of a round: rewards with their components, a reason for each zero, and what went wrong.
//!
//! What upstream gets wrong is counted under every rule set, whether it has a remedy or not, so that a record shows how often it
//! mattered:
//!
//! | components | weakness |
//! |---|---|
//! | `blank_answers` | an answer of white space is measured like any other |
//! | `equal_answers`, `near_copies` | one text earns for many miners |
//! | `not_finite_rewards`, `…_not_finite`, `unscaled_models` | NaN spoils a model's statistics for ever |
//! | `unreadable_verdicts`, `own_words_analysis` | one reply that cannot be read ends the round; where it does, the abandonment says so |
//! | `template_words` | the judge's template takes ordinary words out of an answer |
//! | `marks_in_words`, `mark_in_words` | the first number of a talkative reply is the mark |
//! | `penalised_tokens` | tokens that repeat once are charged wherever they stand |
//! | `task_criteria` | 0: the validation penalty takes nothing |
//! | `signed_terms`, `empty_terms` | everybody is charged for `##term`; an empty term excuses everybody |
//! | `keyword_hits`, `keywords_inside_words` | one keyword is enough, inside of another word too |
//! | `inherited_slots`, `inherited_total` | a slot is paid for what another hotkey earned in it |

use super::analysis::QueryAnalysis;
use super::constants::Constants;
use super::evaluation::Drawn;
use super::numbers;
use super::penalty::{empty_terms, keyword_hits, signed_terms};
use super::running::{Holders, MODELS};
use super::step::{Outcome, Statistics};
use super::{judge, payout};
use crate::events::{Component, ResponseScored, ZeroReason};
use crate::mechanism::{ResponseFact, RoundFacts};
use crate::text::strip;

/// What is to be reported of the verdicts on one answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    /// Replies that could not be read.
    pub(super) unreadable: u64,
    /// The mark stands among words.
    pub(super) mark_in_words: bool,
    /// Distinct tokens that the preference reward penalises, as far as the reply says which there are.
    pub(super) penalised_tokens: u64,
}

/// A round that is computed. Lists are in the order of the outcome.
pub(super) struct Scored<'a> {
    pub(super) facts: &'a RoundFacts,
    pub(super) constants: &'a Constants,
    pub(super) analysis: &'a QueryAnalysis,
    /// The analysis is that of the prompt's own words, because the model's could not be read.
    pub(super) own_words: bool,
    /// How many criteria there were.
    pub(super) criteria: usize,
    pub(super) outcome: &'a Outcome<f32>,
    pub(super) heard: &'a [Heard],
    /// Among how many equal answers each is, whether they share or not.
    pub(super) equal: Vec<u64>,
    /// The same with those that are nearly equal.
    pub(super) near: Vec<u64>,
    pub(super) holders: &'a Holders,
}

impl Scored<'_> {
    /// The score of a drawn miner.
    pub(super) fn score(&self, drawn: &Drawn<'_>, place: usize) -> ResponseScored {
        let reward = self.outcome.rewards[place];
        let mut components = drawn.answer.map_or_else(|_| Vec::new(), |answer| self.parts(answer, place));
        if let Some(inherited) = self.holders.inherited(drawn.miner.uid) {
            components.push(component("inherited_total", f64::from(inherited)));
        }
        ResponseScored {
            challenge_id: self.facts.challenge_id.clone(),
            attempt: self.facts.attempt,
            hotkey: drawn.miner.hotkey,
            uid: drawn.miner.uid,
            score: f64::from(reward),
            counted: true,
            filtered: None,
            reason: (reward == 0.0).then(|| self.reason(drawn, place)),
            components,
        }
    }

    /// Why a reward is 0.
    fn reason(&self, drawn: &Drawn<'_>, place: usize) -> ZeroReason {
        let outcome = self.outcome;
        match drawn.answer {
            Err(reason) => reason.into(),
            Ok(_) if !outcome.measured[place] => ZeroReason::EmptyAnswer,
            Ok(_) if outcome.weighted[place] > 0.0 => ZeroReason::Penalised,
            // A raw reward that is no finite number, or one that such a number spoilt.
            Ok(_)
                if outcome
                    .models
                    .iter()
                    .flatten()
                    .any(|model| !numbers::is_finite(model.raw[place]) || numbers::is_nan(model.logged[place])) =>
            {
                ZeroReason::NoJudgement
            }
            Ok(_) => ZeroReason::JudgedZero,
        }
    }

    /// Components of an answer under upstream's names.
    fn parts(&self, answer: &ResponseFact, place: usize) -> Vec<Component> {
        let outcome = self.outcome;
        let mut parts = vec![
            component("response_time_ms", f64::from(answer.response_time_ms)),
            component("first_token_ms", f64::from(answer.first_byte_ms)),
        ];
        for (name, model) in MODELS.into_iter().zip(&outcome.models) {
            let Some(model) = model.as_ref().filter(|_| outcome.measured[place]) else { continue };
            let raw = model.raw[place];
            // The record holds no NaN: the verdict's reply does.
            parts.push(match numbers::is_finite(raw) {
                true => component(name, f64::from(raw)),
                false => component(&format!("{name}_not_finite"), 1.0),
            });
            parts.push(component(&format!("{name}_normalized"), f64::from(model.normalised[place])));
        }
        parts.push(component("weighted_reward", f64::from(outcome.weighted[place])));
        let penalties =
            [("task_validation_penalty", &outcome.task_validation), ("accuracy_match_penalty", &outcome.accuracy)];
        for (name, penalty) in penalties {
            parts.push(component(&format!("{name}_raw"), f64::from(penalty.raw[place])));
            parts.push(component(&format!("{name}_adjusted"), f64::from(penalty.adjusted[place])));
            parts.push(component(&format!("{name}_applied"), f64::from(penalty.applied[place])));
        }
        let (found, inside) = keyword_hits(self.analysis, &answer.text, &self.constants.penalties);
        parts.push(component("keyword_hits", found as f64));
        parts.push(component("keywords_inside_words", inside as f64));
        let heard = self.heard[place];
        parts.push(component("unreadable_verdicts", heard.unreadable as f64));
        if self.constants.rewards.prompt.weight > 0.0 {
            parts.push(component("template_words", judge::template_words(&answer.text) as f64));
            parts.push(component("mark_in_words", f64::from(u8::from(heard.mark_in_words))));
        }
        if self.constants.rewards.dpo.weight > 0.0 {
            parts.push(component("penalised_tokens", heard.penalised_tokens as f64));
        }
        parts.push(component("equal_answers", self.equal[place] as f64));
        parts.push(component("near_copies", self.near[place] as f64));
        parts.push(component("shared_by", outcome.sharing[place] as f64));
        parts
    }

    /// Mean reward of the drawn miners; 0 for nobody.
    pub(super) fn mean(&self) -> f64 {
        f64::from(payout::mean_or_zero(&self.outcome.rewards))
    }

    /// What is said of the round as a whole. `statistics` are those after it.
    pub(super) fn components(&self, scores: &[ResponseScored], statistics: &Statistics<f32>) -> Vec<Component> {
        let count = |what: usize| what as f64;
        let Self { outcome, analysis, constants, .. } = self;
        let copies = |groups: &[u64]| count(groups.iter().filter(|copies| **copies > 1).count());
        let heard = |what: fn(&Heard) -> u64| self.heard.iter().map(what).sum::<u64>() as f64;
        let template_words = match constants.rewards.prompt.weight > 0.0 {
            true => self.facts.responses.iter().map(|answer| judge::template_words(&answer.text)).sum::<u64>(),
            false => 0,
        };
        let inherited = scores.iter().filter(|scored| self.holders.inherited(scored.uid).is_some()).count();
        let blank = self.facts.responses.iter().filter(|answer| strip(&answer.text).is_empty()).count();
        let not_finite = (0..outcome.measured.len()).filter(|at| {
            outcome.measured[*at] && outcome.models.iter().flatten().any(|model| !numbers::is_finite(model.raw[*at]))
        });
        let states = [&statistics.rlhf, &statistics.prompt, &statistics.dpo];
        let least = constants.normalisation.minimum_variance as f32;
        let unscaled = states.into_iter().zip(&outcome.models).filter(|(state, model)| {
            let scales = state.variance.0 > least;
            model.is_some() && !scales
        });
        vec![
            component("mean_reward", self.mean()),
            component("answers", count(self.facts.responses.len())),
            component("measured_answers", count(outcome.measured.iter().filter(|measured| **measured).count())),
            component("blank_answers", count(blank)),
            component("equal_answers", copies(&self.equal)),
            component("near_copies", copies(&self.near)),
            component("not_finite_rewards", count(not_finite.count())),
            component("unscaled_models", count(unscaled.count())),
            component("unreadable_verdicts", heard(|heard| heard.unreadable)),
            component("own_words_analysis", f64::from(u8::from(self.own_words))),
            component("template_words", template_words as f64),
            component("marks_in_words", heard(|heard| u64::from(heard.mark_in_words))),
            component("penalised_tokens", heard(|heard| heard.penalised_tokens)),
            component("inherited_slots", count(inherited)),
            component("task_criteria", count(self.criteria)),
            component("signed_terms", signed_terms(analysis) as f64),
            component("empty_terms", empty_terms(analysis) as f64),
            component("keywords", count(analysis.keywords.len())),
            component("hashtags", count(analysis.hashtags.len())),
            component("user_mentions", count(analysis.user_mentions.len())),
        ]
    }
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}
