//! Conversations for the conversion subnet, and their labels: both follow from a seed and the subnet's public rule.
//!
//! A label is revealed some seconds after the round was evaluated, as the end of a real conversation would. Until then the
//! round's scores wait. A service that knows real conversations takes the place of the rule (`--labels pushed`, or a file): it
//! pushes conversations as challenges and tells their labels when it knows them.

use async_trait::async_trait;
use domain::conversion::constants::{Constants, LabelRule};
use domain::conversion::feature_set::FeatureSet;
use domain::conversion::generate::{LABEL, conversation};
use domain::conversion::task;
use domain::conversion::truth::{RULE_SOURCE, Truth};
use domain::draw::Stream;
use domain::events::Challenge;
use domain::types::{Digest, Micros, sha256_parts};
use tokio::task::JoinHandle;

use super::label_file::FileLabels;
use super::{LABEL_PAUSE, LabelSource, LabelsFrom, TaskSource, reveal};
use crate::service::Handle;

/// Microseconds between a round's evaluation and its label.
pub const LATENCY: Micros = Micros(5_000_000);

/// Rounds that may wait for a label before no more conversations are drawn: labels that never come must not fill the memory.
pub const MOST_WAITING: usize = 10_000;

/// Conversations drawn from a seed, one for each number.
#[derive(Debug, Clone)]
pub struct Conversations {
    seed: Digest,
}

impl Conversations {
    /// Those of a ledger: each has its own, and after a restart the same.
    #[must_use]
    pub fn of_ledger(origin: &str) -> Self {
        Self { seed: sha256_parts(&[b"assay/conversion/tasks/1\0", origin.as_bytes()]) }
    }

    /// Those that nobody can draw before this block is known.
    #[must_use]
    pub fn after(&self, block: &Digest) -> Self {
        Self { seed: sha256_parts(&[&self.seed.0, &block.0]) }
    }

    /// The challenge with this number.
    ///
    /// # Errors
    /// None with the features as they are; what is wrong with them otherwise.
    pub fn challenge(&self, number: u64) -> Result<Challenge, String> {
        let seed = sha256_parts(&[&self.seed.0, &number.to_be_bytes()]);
        let words = |error: domain::conversion::ConversionError| error.to_string();
        let features = conversation(&mut Stream::new(seed, LABEL)).map_err(words)?;
        let text = task::write(&features).map_err(words)?;
        Ok(super::task(format!("conversion-{number}"), described(&features), text))
    }
}

/// The conversation in a sentence, for people.
fn described(features: &FeatureSet) -> String {
    let number = |name| features.number(name).unwrap_or_default();
    let target = if number("has_target_entity") == 1.0 { "with" } else { "without" };
    format!(
        "Does this conversation convert, and when? {} messages in {:.0} seconds, {:.2} of the user for each of the agent, {} \
         entities collected, {target} the target among them.",
        number("total_messages"),
        number("conversation_duration_seconds"),
        number("message_ratio"),
        number("entities_collected_count"),
    )
}

#[async_trait]
impl TaskSource for Conversations {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        self.challenge(number)
    }
}

/// Conversations of a ledger, each drawn with the hash of the newest block besides: seed and number alone are public, and upstream's
/// start from 42 at every restart, so that whoever asks can compute them for all time ahead.
#[derive(Debug, Clone)]
pub struct Unforeseen {
    handle: Handle,
    conversations: Conversations,
}

impl Unforeseen {
    /// Those of a running validator.
    #[must_use]
    pub fn of(handle: Handle) -> Self {
        let conversations = Conversations::of_ledger(handle.origin());
        Self { handle, conversations }
    }
}

#[async_trait]
impl TaskSource for Unforeseen {
    async fn next(&self, number: u64) -> Result<Challenge, String> {
        let waiting = self.handle.awaited_count();
        if waiting >= MOST_WAITING {
            return Err(format!("{waiting} rounds wait for their labels; tell some of them"));
        }
        self.conversations.after(&self.handle.newest_block()?).challenge(number)
    }
}

/// Starts what tells the labels: the rule, a file, or nothing, where clients do.
///
/// # Errors
/// A file that cannot be used.
pub(super) fn labels(handle: &Handle, rule: RuleLabels) -> Result<Option<JoinHandle<()>>, String> {
    let settings = &handle.shared().config.labels;
    let handle = handle.clone();
    Ok(match &settings.from {
        LabelsFrom::Pushed => None,
        LabelsFrom::Rule => {
            let after = settings.after.map(|after| u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
            let latency = after.map_or(rule.latency, Micros);
            Some(tokio::spawn(reveal(handle, RuleLabels { latency, ..rule }, LABEL_PAUSE)))
        }
        LabelsFrom::File(path) => {
            let labels = FileLabels::open(path, settings.after.unwrap_or_default())?;
            Some(tokio::spawn(reveal(handle, labels, LABEL_PAUSE)))
        }
    })
}

/// Labels of the public rule.
#[derive(Debug, Clone)]
pub struct RuleLabels {
    /// The rule set's.
    pub rule: LabelRule,
    /// Between evaluation and label.
    pub latency: Micros,
}

impl Default for RuleLabels {
    /// The rule of the shipped rule sets, after [`LATENCY`].
    fn default() -> Self {
        Self { rule: Constants::readme().label.rule, latency: LATENCY }
    }
}

impl RuleLabels {
    /// Source and label of a challenge whose round was evaluated then; none before the latency has passed, and for a
    /// challenge that is no task of the subnet.
    #[must_use]
    pub fn of(&self, challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)> {
        if now.0 < evaluated.0.saturating_add(self.latency.0) {
            return None;
        }
        let features = task::read(challenge.task.as_deref()?).ok()?;
        let truth = Truth::of(&features, &self.rule).ok()?;
        Some((RULE_SOURCE.to_owned(), truth.to_label()))
    }
}

#[async_trait]
impl LabelSource for RuleLabels {
    async fn label(&self, challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)> {
        self.of(challenge, evaluated, now)
    }
}

/// Source and label under the shipped rule sets, [`LATENCY`] after the round's evaluation.
#[must_use]
pub fn label(challenge: &Challenge, evaluated: Micros, now: Micros) -> Option<(String, String)> {
    RuleLabels::default().of(challenge, evaluated, now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use domain::mechanism::{RoundFacts, open, shipped};

    #[test]
    fn every_number_has_a_conversation_of_its_own() {
        let source = Conversations::of_ledger("assay/0011223344556677/5/hotkey");
        let first = source.challenge(0).unwrap();
        assert_eq!(source.challenge(0).unwrap(), first);
        assert_ne!(source.challenge(1).unwrap().task, first.task);
        assert_ne!(Conversations::of_ledger("another").challenge(0).unwrap().task, first.task);
        assert_eq!(first.id, "conversion-0");
        assert!(first.prompt.unwrap().contains("messages in"));
    }

    #[test]
    fn nobody_draws_a_conversation_before_its_block_is_known() {
        // Upstream seeds with 42 at every start, and asks the same again.
        let source = Conversations::of_ledger("o");
        let after =
            |block: u8, number: u64| source.after(&domain::types::HexBytes([block; 32])).challenge(number).unwrap();
        assert_eq!(after(1, 0), after(1, 0));
        for other in [after(2, 0), after(1, 1), source.challenge(0).unwrap()] {
            assert_ne!(other.task, after(1, 0).task);
        }
        assert_eq!(after(1, 0).id, after(2, 0).id, "a number is one challenge, whatever the block");
    }

    #[test]
    fn a_label_comes_after_its_latency_and_is_what_every_rule_set_expects() {
        let challenge = Conversations::of_ledger("o").challenge(7).unwrap();
        let at = Micros(1_000_000);
        assert_eq!(label(&challenge, at, Micros(5_999_999)), None);
        let (source, text) = label(&challenge, at, Micros(6_000_000)).unwrap();
        let ours = shipped().into_iter().filter(|rules| rules.algorithm() == "conversion");
        let waiting: Vec<_> = ours.map(|rules| open(&rules).unwrap()).filter(|rules| rules.awaits_labels()).collect();
        assert_eq!(waiting.len(), 2);
        for mechanism in waiting {
            let facts = RoundFacts { task: challenge.task.clone(), ..RoundFacts::default() };
            let facts = domain::mechanism::LabelFacts {
                position: domain::types::Position(9),
                source: source.clone(),
                label: text.clone(),
                revealed: Micros(6_000_000),
                evaluated: at,
                round: mechanism.evaluate(&facts).unwrap(),
                statistics: Vec::new(),
            };
            assert!(mechanism.evaluate_label(&facts).is_ok());
        }
        assert_eq!(label(&Challenge { task: None, ..challenge }, at, Micros(u64::MAX)), None);
    }
}
