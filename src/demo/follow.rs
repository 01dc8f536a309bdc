//! What the user sees while rounds go by: the log itself, read as anybody could read it.

use crate::output;
use anyhow::{Context, Result};
use domain::events::{ChainOutcome, EpochClosed, Event, Payload};
use futures::StreamExt;
use ledger::LedgerReader;
use std::collections::{BTreeMap, BTreeSet};

/// Challenges accepted since the beginning. One that an earlier demo has pushed may end, too, and does not count.
#[derive(Default)]
struct Count {
    open: BTreeSet<String>,
    pushed: usize,
    ended: usize,
    evaluated: usize,
}

impl Count {
    fn accept(&mut self, challenge: &str) {
        self.pushed += usize::from(self.open.insert(challenge.to_owned()));
    }

    /// Says whether it was accepted since the beginning.
    fn end(&mut self, challenge: &str) -> bool {
        let ours = self.open.remove(challenge);
        self.ended += usize::from(ours);
        ours
    }
}

/// Reads the log from where it stopped and keeps count.
pub struct Follower {
    reader: LedgerReader,
    next: u64,
    answered: BTreeMap<String, (u32, u32)>,
    count: Count,
    wanted: usize,
    /// Rounds above the wanted ones are not told.
    brief: bool,
    /// Epochs that are closed, in order, with their outcome.
    pub closed: Vec<(u64, String)>,
}

impl Follower {
    /// Begins at a position; so many rounds are wanted, and those above them are told unless it is to be `brief`.
    pub fn new(reader: LedgerReader, next: u64, wanted: usize, brief: bool) -> Self {
        let count = Count::default();
        Self { reader, next, answered: BTreeMap::new(), count, wanted, brief, closed: Vec::new() }
    }

    /// Up to where the log has been read.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Counts in, without telling of them, the epochs that closed between an earlier position and the beginning.
    pub async fn recall(&mut self, from: u64) -> Result<()> {
        let reader = self.reader.clone();
        let mut events = reader.events(from, self.next, Some(&[EpochClosed::KIND]));
        while let Some(stored) = events.next().await {
            let stored = stored.context("the ledger cannot be read")?;
            let Some(payload) = &stored.payload else { continue };
            if let Event::EpochClosed(closed) = Event::decode(&stored.kind, stored.version, payload)? {
                self.close(&closed);
            }
        }
        Ok(())
    }

    fn close(&mut self, closed: &EpochClosed) -> String {
        let outcome = format!("{:?}", closed.outcome).to_lowercase();
        self.closed.push((closed.epoch, outcome.clone()));
        outcome
    }

    /// Challenges accepted since the beginning and not ended.
    pub fn open(&self) -> usize {
        self.count.open.len()
    }

    /// Challenges accepted since the beginning and ended.
    pub fn ended(&self) -> usize {
        self.count.ended
    }

    /// Challenges accepted since the beginning and scored.
    pub fn evaluated(&self) -> usize {
        self.count.evaluated
    }

    /// Reads what is new and prints a line for each round and each step of an epoch.
    pub async fn catch_up(&mut self) -> Result<()> {
        let size = self.reader.head().await.context("the ledger cannot be read")?.size;
        if size <= self.next {
            return Ok(());
        }
        let reader = self.reader.clone();
        let mut events = reader.events(self.next, size, None);
        while let Some(stored) = events.next().await {
            let stored = stored.context("the ledger cannot be read")?;
            self.next = stored.position + 1;
            let Some(payload) = &stored.payload else { continue };
            self.show(stored.position, &Event::decode(&stored.kind, stored.version, payload)?);
        }
        Ok(())
    }

    fn show(&mut self, position: u64, event: &Event) {
        match event {
            Event::ChallengeAccepted(accepted) => self.count.accept(&accepted.challenge.id),
            Event::ResponseReceived(response) => {
                self.answered.entry(response.challenge_id.clone()).or_default().0 += 1;
            }
            Event::ResponseFailed(failure) => self.answered.entry(failure.challenge_id.clone()).or_default().1 += 1,
            // The label of a round that was shown already.
            Event::RoundEvaluated(round) if round.label.is_some() => {}
            Event::RoundEvaluated(round) => {
                let (answered, failed) = self.answered.remove(&round.challenge_id).unwrap_or_default();
                let count = if self.count.end(&round.challenge_id) {
                    self.count.evaluated += 1;
                    if self.brief && self.count.ended > self.wanted {
                        return;
                    }
                    format!("{:>3}/{}", self.count.ended, self.count.pushed.max(self.wanted))
                } else {
                    "earlier".into()
                };
                output::line(format!(
                    "  round {count}  {:<24} {answered} answered, {failed} failed, consensus {:.4}  (position {position})",
                    round.challenge_id, round.consensus,
                ));
            }
            Event::RoundAbandoned(round) => {
                self.answered.remove(&round.challenge_id);
                if round.last {
                    self.count.end(&round.challenge_id);
                }
                let again = if round.last { "" } else { "; it is drawn again" };
                output::line(format!("  round abandoned  {} ({:?}{again})", round.challenge_id, round.reason));
            }
            Event::WeightsDerived(derived) => output::line(format!(
                "  epoch {}: {} weights derived from positions {}..{} (position {position})",
                derived.epoch,
                derived.weights.len(),
                derived.from,
                derived.to,
            )),
            Event::CheckpointAnchored(anchored) => output::line(format!(
                "  epoch {}: checkpoint of {} leaves {}",
                anchored.epoch,
                anchored.size,
                fate(&anchored.outcome)
            )),
            Event::WeightsIncluded(included) => output::line(format!(
                "  epoch {}: weights included in block {} (extrinsic {})",
                included.epoch, included.block, included.extrinsic
            )),
            Event::EpochClosed(closed) => {
                let outcome = self.close(closed);
                output::line(format!("  epoch {} closed: {outcome} {}", closed.epoch, closed.reason).trim_end());
            }
            _ => {}
        }
    }
}

fn fate(outcome: &ChainOutcome) -> String {
    match outcome {
        ChainOutcome::Included { block, .. } => format!("anchored in block {block}"),
        ChainOutcome::Rejected { error } => format!("not anchored: {error}"),
        ChainOutcome::Expired => "not anchored: the extrinsic expired".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn a_round_of_an_earlier_demo_does_not_count() {
        let mut count = Count::default();
        count.accept("ours");
        assert!(!count.end("theirs"), "a killed demo has pushed it");
        assert_eq!((count.open.len(), count.pushed, count.ended), (1, 1, 0));
        assert!(count.end("ours"));
        assert!(!count.end("ours"));
        assert_eq!((count.open.len(), count.pushed, count.ended), (0, 1, 1));
    }
}
