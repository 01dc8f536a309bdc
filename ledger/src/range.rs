//! What an audit of one epoch needs from a ledger: where its range begins, the state carried in, and the single events from
//! before it that it relies on.
//!
//! Nothing is judged here. Which events these are follows from the events themselves: `MinersSelected` and
//! `WeightsDerived` name by position what they use.

use std::collections::{BTreeMap, BTreeSet};

use audit::replay::{Progress, Replay};
use domain::events::{Event, MinersSelected, WeightsDerived};
use futures::TryStreamExt;
use tlog::Frontier;

use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::reader::LedgerReader;

/// Leaf hashes read by one statement.
const PAGE: u64 = 1 << 16;

/// One epoch's range and what leads up to it.
#[derive(Debug, Clone)]
pub struct EpochRange {
    /// The epoch.
    pub epoch: u64,
    /// First position of the range.
    pub from: u64,
    /// Where its derivation (revision 0) stands.
    pub derived: u64,
    /// One past the last event that says what became of its weights: its `EpochClosed`, or the log's end.
    pub end: u64,
    /// Whether the epoch is closed.
    pub closed: bool,
    /// The derivation of the epoch before, for all but the first epoch.
    pub previous: Option<StoredEvent>,
    /// Events from before `from` that the range relies on, in order of position.
    pub antecedents: Vec<StoredEvent>,
}

impl LedgerReader {
    /// The range of an epoch; none when its weights are not derived yet.
    ///
    /// # Errors
    /// What the database says, and [`Error::Damaged`] for events that cannot be read.
    pub async fn epoch_range(&self, epoch: u64) -> Result<Option<EpochRange>> {
        let id = epoch.to_string();
        // Revision 0 is the first of its stream. The state that it carries may be megabytes, so only its place is read.
        let Some(derived) = self.first_in_stream("epoch", &id, "WeightsDerived").await? else { return Ok(None) };
        let previous = match epoch.checked_sub(1) {
            Some(before) => {
                let missing = || damaged(derived, &format!("the derivation of epoch {before} is missing"));
                Some(self.derivation(before).await?.ok_or_else(missing)?)
            }
            None => None,
        };
        let from = previous.as_ref().map_or(0, |(_, derived)| derived.to.0 + 1);
        let closed = self.first_in_stream("epoch", &id, "EpochClosed").await?.map(|position| position + 1);
        let end = match closed {
            Some(end) => end,
            None => self.head().await?.size,
        };
        let before = previous.as_ref().map(|(_, derived)| derived);
        let antecedents = self.antecedents(from, end, before).await?;
        Ok(Some(EpochRange {
            epoch,
            from,
            derived,
            end,
            closed: closed.is_some(),
            previous: previous.map(|(stored, _)| stored),
            antecedents,
        }))
    }

    /// The numbers of the epochs whose weights are derived are 0 up to this, exclusive.
    ///
    /// # Errors
    /// As [`LedgerReader::epoch_range`].
    pub async fn derived_epochs(&self) -> Result<u64> {
        let Some(stored) = self.last_of_kind("WeightsDerived", u64::MAX >> 1).await? else { return Ok(0) };
        match stored.fact()? {
            Some(Event::WeightsDerived(derived)) => Ok(derived.epoch + 1),
            _ => Err(damaged(stored.position, "a WeightsDerived is erased")),
        }
    }

    /// Gives a replay everything that an audit of the range needs, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn feed(&self, range: &EpochRange, replay: &mut Replay) -> Result<()> {
        for antecedent in &range.antecedents {
            replay.antecedent(antecedent);
        }
        if let Some(previous) = &range.previous {
            replay.previous(previous);
        }
        replay.frontier(self.frontier_at(range.from).await?);
        self.feed_from(range.from, range.end, replay).await
    }

    /// Gives a replay the events `from..to` until it wants no more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn feed_from(&self, from: u64, to: u64, replay: &mut Replay) -> Result<()> {
        let mut events = self.events(from, to, None);
        while let Some(stored) = events.try_next().await? {
            if replay.push(stored) == Progress::Complete {
                break;
            }
        }
        Ok(())
    }

    /// The tree over the events before a position.
    ///
    /// # Errors
    /// What the database says, and [`Error::Damaged`] when events are missing.
    pub async fn frontier_at(&self, size: u64) -> Result<Frontier> {
        let mut frontier = Frontier::new();
        while frontier.size() < size {
            let from = frontier.size();
            let leaves = self.leaf_hashes(from, size.min(from + PAGE)).await?;
            if leaves.is_empty() {
                return Err(damaged(from, "the event is missing"));
            }
            leaves.into_iter().for_each(|leaf| frontier.append(leaf));
        }
        Ok(frontier)
    }

    async fn derivation(&self, epoch: u64) -> Result<Option<(StoredEvent, WeightsDerived)>> {
        for stored in self.stream("epoch", &epoch.to_string(), 1).await? {
            if let Some(Event::WeightsDerived(derived)) = stored.fact()?
                && derived.revision == 0
            {
                return Ok(Some((stored, derived)));
            }
        }
        Ok(None)
    }

    async fn antecedents(&self, from: u64, end: u64, previous: Option<&WeightsDerived>) -> Result<Vec<StoredEvent>> {
        if from == 0 {
            return Ok(Vec::new());
        }
        let mut positions = BTreeSet::from([0]);
        for kind in ["RuleSetAdopted", "AvailabilitySwept", "ExternalScoresFetched"] {
            positions.extend(self.last_of_kind(kind, from).await?.map(|stored| stored.position));
        }
        if let Some(previous) = previous {
            positions.extend(previous.external_scores.map(|position| position.0));
            let observed = self.events(previous.metagraph.0, from, Some(&["MetagraphObserved"]));
            positions.extend(observed.map_ok(|stored| stored.position).try_collect::<Vec<_>>().await?);
        }
        let mut drawn = self.events(from, end, Some(&["MinersSelected"]));
        while let Some(stored) = drawn.try_next().await? {
            let Some(Event::MinersSelected(selected)) = stored.fact()? else { continue };
            let used =
                [Some(selected.accepted), Some(selected.metagraph), Some(selected.sweep), selected.external_scores];
            positions.extend(used.into_iter().flatten().map(|position| position.0));
            positions.extend(self.earlier_attempts(&selected).await?);
        }
        positions.extend(self.rounds_of_labels(from, end).await?);
        positions.extend(self.rounds_of_deliveries(from, end).await?);
        let mut antecedents = Vec::new();
        for position in positions.into_iter().filter(|position| *position < from) {
            let stored = self.get(position).await?;
            antecedents.push(stored.ok_or_else(|| damaged(position, "the event is missing"))?);
        }
        Ok(antecedents)
    }

    /// Scores and evaluations of rounds from before the range whose labels stand in it.
    async fn rounds_of_labels(&self, from: u64, end: u64) -> Result<Vec<u64>> {
        let mut positions = Vec::new();
        let mut labels = self.events(from, end, Some(&["LabelRevealed"]));
        while let Some(stored) = labels.try_next().await? {
            let Some(Event::LabelRevealed(revealed)) = stored.fact()? else { continue };
            if revealed.evaluated.0 >= from {
                continue;
            }
            let id = domain::round::stream_id(&revealed.challenge_id, revealed.attempt);
            let stream = self.stream("round", &id, 1).await?;
            let scored = stream.iter().filter(|s| matches!(s.kind.as_str(), "ResponseScored" | "RoundEvaluated"));
            positions.extend(scored.map(|stored| stored.position));
        }
        Ok(positions)
    }

    /// Evaluations of rounds from before the range whose results were brought in it, and the last attempts before it.
    async fn rounds_of_deliveries(&self, from: u64, end: u64) -> Result<BTreeSet<u64>> {
        let mut rounds = BTreeMap::new();
        let mut deliveries = self.events(from, end, Some(&["DeliveryAttempted"]));
        while let Some(stored) = deliveries.try_next().await? {
            if let Some(Event::DeliveryAttempted(attempted)) = stored.fact()?
                && attempted.evaluated.0 < from
            {
                rounds.insert(stored.stream_id, attempted.evaluated.0);
            }
        }
        let mut positions = BTreeSet::new();
        for (id, evaluated) in rounds {
            let mut last = BTreeMap::new();
            for stored in self.stream(domain::round::DELIVERY_STREAM_TYPE, &id, 1).await? {
                if let Some(Event::DeliveryAttempted(attempted)) = stored.fact()?
                    && stored.position < from
                {
                    last.insert(attempted.item, stored.position);
                }
            }
            positions.insert(evaluated);
            positions.extend(last.into_values());
        }
        Ok(positions)
    }

    /// Where earlier attempts at the same challenge were given up.
    async fn earlier_attempts(&self, selected: &MinersSelected) -> Result<Vec<u64>> {
        let mut positions = Vec::new();
        for attempt in 1..selected.attempt.min(16) {
            let id = domain::round::stream_id(&selected.challenge_id, attempt);
            let stream = self.stream("round", &id, 1).await?;
            let abandoned = stream.iter().filter(|stored| stored.kind == "RoundAbandoned");
            positions.extend(abandoned.map(|stored| stored.position));
        }
        Ok(positions)
    }
}

fn damaged(position: u64, reason: &str) -> Error {
    Error::Damaged { position, reason: reason.to_owned() }
}
