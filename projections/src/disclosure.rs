//! What of the log may be shown, and when: one decision for GraphQL, the event feed and exports.
//!
//! Prompts, answers, judgements and vectors are shown once their challenge has ended: from its `RoundEvaluated`, or from the
//! `RoundAbandoned` that is its last. A failed attempt that is drawn again discloses nothing, because its answers could be
//! copied. Derived weights are shown once they stand on chain, are revealed, or their epoch is closed. Until then a reader
//! sees positions and hashes, which prove later that nothing was changed.
//!
//! An end whose payload is erased is an end all the same: its kind and its stream say of what.

use std::collections::BTreeSet;

use domain::events::Event;
use domain::round;
use futures::TryStreamExt;
use ledger::{EpochRange, LedgerReader, StoredEvent};

/// What is known of an event's subject at the position that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject {
    /// Its challenge was evaluated or finally abandoned.
    pub challenge_ended: bool,
    /// Its epoch's weights were included or revealed, or the epoch is closed.
    pub weights_public: bool,
}

/// What has ended, gathered from events. Whoever has no read models at hand asks this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    challenges: BTreeSet<String>,
    epochs: BTreeSet<u64>,
}

impl Ended {
    /// The kinds that [`Ended::note`] looks at.
    pub const KINDS: &[&str] =
        &["RoundEvaluated", "RoundAbandoned", "WeightsIncluded", "WeightsRevealed", "EpochClosed"];

    /// Takes an event in.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::RoundEvaluated(round) => drop(self.challenges.insert(round.challenge_id.clone())),
            Event::RoundAbandoned(round) if round.last => drop(self.challenges.insert(round.challenge_id.clone())),
            Event::WeightsIncluded(weights) => drop(self.epochs.insert(weights.epoch)),
            Event::WeightsRevealed(weights) => drop(self.epochs.insert(weights.epoch)),
            Event::EpochClosed(epoch) => drop(self.epochs.insert(epoch.epoch)),
            _ => {}
        }
    }

    /// Takes an event in whose payload is erased. An abandoned attempt is not known to be the last of its challenge, but
    /// for the last one that there can be.
    pub fn note_erased(&mut self, kind: &str, stream_id: &str) {
        let attempt = stream_id.rsplit_once('/').and_then(|(id, attempt)| Some((id, attempt.parse::<u32>().ok()?)));
        match (kind, attempt) {
            ("RoundEvaluated", Some((id, _))) => drop(self.challenges.insert(id.to_owned())),
            ("RoundAbandoned", Some((id, attempt))) if attempt >= round::MAX_ATTEMPTS => {
                self.challenges.insert(id.to_owned());
            }
            ("WeightsIncluded" | "WeightsRevealed" | "EpochClosed", None) => {
                self.epochs.extend(stream_id.parse::<u64>())
            }
            _ => {}
        }
    }

    /// Reads all ends from a position on.
    async fn since(reader: &LedgerReader, from: u64) -> ledger::Result<Self> {
        let mut ended = Self::default();
        let head = reader.head().await?.size;
        let mut abandoned = Vec::new();
        let mut ends = reader.events(from, head, Some(Self::KINDS));
        while let Some(stored) = ends.try_next().await? {
            match stored.fact()? {
                Some(event) => ended.note(&event),
                None => {
                    ended.note_erased(&stored.kind, &stored.stream_id);
                    abandoned.extend((stored.kind == "RoundAbandoned").then_some(stored.stream_id));
                }
            }
        }
        for stream_id in abandoned {
            let Some((id, attempt)) = stream_id.rsplit_once('/') else { continue };
            let next = attempt.parse::<u32>().map_or(0, |attempt| attempt.saturating_add(1));
            // Drawn again, it has another end; else this was the last.
            if reader.stream(round::STREAM_TYPE, &round::stream_id(id, next), 1).await?.is_empty() {
                ended.challenges.insert(id.to_owned());
            }
        }
        Ok(ended)
    }

    /// Whether the payload of an event may be shown.
    #[must_use]
    pub fn allows(&self, event: &Event) -> bool {
        let subject = Subject {
            challenge_ended: challenge_of(event).is_some_and(|challenge| self.challenges.contains(challenge)),
            weights_public: epoch_of(event).is_some_and(|epoch| self.epochs.contains(&epoch)),
        };
        is_public(event.kind(), subject)
    }
}

/// The first event of an epoch's range, or of what it relies on, that may not be shown yet: its position and kind. What is
/// erased hides nothing.
///
/// # Errors
/// What the ledger says.
pub async fn hidden(reader: &LedgerReader, range: &EpochRange) -> ledger::Result<Option<(u64, String)>> {
    let ended = Ended::since(reader, range.from).await?;
    let is_hidden = |stored: &StoredEvent| -> ledger::Result<bool> {
        Ok(stored.fact()?.is_some_and(|event| !ended.allows(&event)))
    };
    for stored in range.antecedents.iter().chain(&range.previous) {
        if is_hidden(stored)? {
            return Ok(Some((stored.position, stored.kind.clone())));
        }
    }
    let kinds = guarded();
    let mut guarded = reader.events(range.from, range.end, Some(&kinds));
    while let Some(stored) = guarded.try_next().await? {
        if is_hidden(&stored)? {
            return Ok(Some((stored.position, stored.kind)));
        }
    }
    Ok(None)
}

/// The challenge on whose end an event's payload waits.
fn challenge_of(event: &Event) -> Option<&str> {
    Some(match event {
        Event::ChallengeAccepted(accepted) => &accepted.challenge.id,
        Event::ResponseReceived(response) => &response.challenge_id,
        Event::ResponseFailed(failure) => &failure.challenge_id,
        Event::EmbeddingComputed(embedding) => &embedding.challenge_id,
        Event::JudgementRecorded(judgement) => &judgement.challenge_id,
        Event::LabelRevealed(label) => &label.challenge_id,
        _ => return None,
    })
}

/// The epoch on whose weights an event's payload waits.
fn epoch_of(event: &Event) -> Option<u64> {
    match event {
        Event::WeightsDerived(derived) => Some(derived.epoch),
        Event::WeightsSubmitted(submitted) => Some(submitted.epoch),
        _ => None,
    }
}

/// The kinds whose payloads are not always shown.
#[must_use]
pub fn guarded() -> Vec<&'static str> {
    Event::KINDS.iter().copied().filter(|kind| rule(kind) != Rule::Always).collect()
}

/// What has to happen before a payload may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Always,
    /// The challenge ends.
    AfterChallenge,
    /// The weights become public.
    AfterWeights,
    /// It is never shown: the kind is unknown to this program.
    Never,
}

/// The rule of a kind. A kind that this program does not know is never shown.
#[must_use]
pub fn rule(kind: &str) -> Rule {
    match kind {
        "ChallengeAccepted" | "ResponseReceived" | "ResponseFailed" | "EmbeddingComputed" | "JudgementRecorded"
        | "LabelRevealed" => Rule::AfterChallenge,
        "WeightsDerived" | "WeightsSubmitted" => Rule::AfterWeights,
        known if Event::KINDS.contains(&known) => Rule::Always,
        _ => Rule::Never,
    }
}

/// Whether the payload of an event of this kind may be shown.
#[must_use]
pub fn is_public(kind: &str, subject: Subject) -> bool {
    match rule(kind) {
        Rule::Always => true,
        Rule::AfterChallenge => subject.challenge_ended,
        Rule::AfterWeights => subject.weights_public,
        Rule::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::events::{AbandonReason, EpochClosed, EpochOutcome, LabelRevealed, RoundAbandoned};

    #[test]
    fn every_kind_has_a_rule_and_unknown_kinds_stay_hidden() {
        assert_eq!(
            guarded(),
            [
                "ChallengeAccepted",
                "ResponseReceived",
                "ResponseFailed",
                "EmbeddingComputed",
                "JudgementRecorded",
                "LabelRevealed",
                "WeightsDerived",
                "WeightsSubmitted"
            ]
        );
        assert_eq!(rule("SomethingNew"), Rule::Never);
    }

    #[test]
    fn each_rule_asks_for_its_own_fact() {
        let ended = Subject { challenge_ended: true, weights_public: false };
        let public = Subject { challenge_ended: false, weights_public: true };
        assert!(is_public("ResponseReceived", ended) && !is_public("ResponseReceived", public));
        assert!(is_public("WeightsDerived", public) && !is_public("WeightsDerived", ended));
        assert!(is_public("RoundEvaluated", Subject::default()));
        assert!(!is_public("SomethingNew", Subject { challenge_ended: true, weights_public: true }));
    }

    #[test]
    fn content_waits_for_the_end_of_its_own_challenge_and_weights_for_their_own_epoch() {
        let label = |id: &str| {
            Event::LabelRevealed(LabelRevealed {
                attempt: 1,
                evaluated: domain::types::Position(1),
                challenge_id: id.to_owned(),
                source: "test".to_owned(),
                label: "1".to_owned(),
            })
        };
        let abandoned = |id: &str, last: bool| {
            Event::RoundAbandoned(RoundAbandoned {
                challenge_id: id.to_owned(),
                attempt: 1,
                reason: AbandonReason::NoResponses,
                last,
                detail: String::new(),
            })
        };
        let closed = |epoch: u64| {
            Event::EpochClosed(EpochClosed { epoch, outcome: EpochOutcome::Skipped, reason: "test".to_owned() })
        };
        let mut ended = Ended::default();
        assert!(!ended.allows(&label("a")) && ended.allows(&abandoned("a", false)));
        ended.note(&abandoned("a", false));
        assert!(!ended.allows(&label("a")), "it is drawn again");
        ended.note(&abandoned("a", true));
        assert!(ended.allows(&label("a")) && !ended.allows(&label("b")));
        ended.note(&closed(3));
        assert_eq!((ended.epochs.contains(&3), ended.epochs.contains(&4)), (true, false));
        for kind in Ended::KINDS {
            assert!(Event::KINDS.contains(kind), "{kind}");
        }
    }
}
