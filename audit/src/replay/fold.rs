//! The chain of epoch folds: each begins with the state that the one before carries out.
//!
//! A range ends with the full metagraph observation that gives the uids. Which one that is shows only when the derivation
//! follows, so the fold stops at each full observation, and what comes after it waits for a while: for the derivation, or
//! for too many events for one to follow.

use std::sync::Arc;

use domain::epoch::{CarriedStateError, EpochFold};
use domain::events::{Event, WeightsDerived};
use domain::mechanism::Mechanism;
use domain::types::{Hotkey, Micros, Position};

/// Outside scores of one range that are remembered; only the newest that a mechanism understands is ever used.
const MAX_FETCHED: usize = 256;

/// Facts that may lie between the end of a range and its derivation.
const MAX_BETWEEN: usize = 1024;

/// The running fold of an epoch and what the next one needs.
#[derive(Debug, Clone)]
pub(crate) struct FoldChain {
    mechanism: Arc<dyn Mechanism>,
    own: Hotkey,
    fold: EpochFold,
    /// The fold stands at a full metagraph observation of the range.
    at_full: bool,
    /// The newest full metagraph observation.
    full: Option<(Position, Event)>,
    /// Outside scores: the newest from before the range, then those of the range.
    fetched: Vec<(Position, Event)>,
    /// What comes after it, while the fold stands there.
    since_full: Vec<(Position, Micros, Event)>,
}

impl FoldChain {
    /// From the beginning of the ledger.
    pub(crate) fn genesis(mechanism: Arc<dyn Mechanism>, own: Hotkey) -> Self {
        Self::around(EpochFold::genesis(Arc::clone(&mechanism), own), mechanism, own)
    }

    /// After a recorded derivation, with the antecedents that its successor relies on.
    pub(crate) fn resume(
        mechanism: Arc<dyn Mechanism>,
        own: Hotkey,
        previous: &WeightsDerived,
        antecedents: &[(Position, Event)],
    ) -> Result<Self, CarriedStateError> {
        let fold = EpochFold::carry(Arc::clone(&mechanism), own, previous)?;
        let mut chain = Self::around(fold, mechanism, own);
        for (position, event) in antecedents {
            chain.remember(*position, event);
            if matches!(event, Event::MetagraphObserved(_)) {
                chain.fold.antecedent(*position, event);
            }
        }
        chain.fetched.drain(..chain.fetched.len().saturating_sub(1));
        chain.read_fetched();
        Ok(chain)
    }

    fn around(fold: EpochFold, mechanism: Arc<dyn Mechanism>, own: Hotkey) -> Self {
        let (fetched, since_full) = (Vec::new(), Vec::new());
        Self { mechanism, own, fold, at_full: false, full: None, fetched, since_full }
    }

    /// First position of the running range.
    pub(crate) fn from(&self) -> Position {
        self.fold.from()
    }

    /// The epoch from its beginning under another mechanism.
    pub(crate) fn adopt(&mut self, mechanism: Arc<dyn Mechanism>) {
        self.fold.set_mechanism(Arc::clone(&mechanism));
        self.mechanism = mechanism;
        self.read_fetched();
    }

    fn read_fetched(&mut self) {
        // What was fetched after the observation at which the fold stands waits in `since_full`.
        let end = if self.at_full { self.fold.to() } else { None };
        for (position, event) in self.fetched.iter().filter(|(position, _)| end.is_none_or(|end| *position <= end)) {
            self.fold.antecedent(*position, event);
        }
    }

    /// Takes the next event of the range in; scores must be recomputed ones.
    pub(crate) fn apply(&mut self, position: Position, recorded_at: Micros, event: &Event) {
        self.remember(position, event);
        if matches!(event, Event::MetagraphObserved(observed) if observed.full) {
            self.catch_up();
            self.fold.apply(position, recorded_at, event);
            self.at_full = true;
        } else if !self.at_full {
            self.fold.apply(position, recorded_at, event);
        } else if matters(event) {
            self.since_full.push((position, recorded_at, event.clone()));
            if self.since_full.len() > MAX_BETWEEN {
                // No derivation can belong to an observation so long ago.
                self.catch_up();
            }
        }
    }

    /// Lets the fold go on from the observation at which it stands.
    fn catch_up(&mut self) {
        for (position, recorded_at, event) in std::mem::take(&mut self.since_full) {
            self.fold.apply(position, recorded_at, &event);
        }
        self.at_full = false;
    }

    fn remember(&mut self, position: Position, event: &Event) {
        match event {
            Event::MetagraphObserved(observed) if observed.full => self.full = Some((position, event.clone())),
            Event::ExternalScoresFetched(_) => {
                if self.fetched.len() == MAX_FETCHED {
                    self.fetched.remove(0);
                }
                self.fetched.push((position, event.clone()));
            }
            _ => {}
        }
    }

    /// The derivation that follows, and whether the range ends as it must: with a full metagraph observation.
    pub(crate) fn derive(&self) -> (WeightsDerived, bool) {
        (self.fold.derive(), self.at_full)
    }

    /// Begins the next epoch with the state that the derivation carries out.
    pub(crate) fn advance(&mut self, derived: &WeightsDerived) -> Result<(), CarriedStateError> {
        let between = std::mem::take(&mut self.since_full);
        self.at_full = false;
        let mut fold = EpochFold::carry(Arc::clone(&self.mechanism), self.own, derived)?;
        if let Some((position, event)) = &self.full {
            fold.antecedent(*position, event);
        }
        // Of what was fetched up to the range's end, the newest goes on.
        let before = self.fetched.iter().take_while(|(position, _)| *position <= derived.to).count();
        self.fetched.drain(..before.saturating_sub(1));
        if let Some((position, event)) = self.fetched.first().filter(|(position, _)| *position <= derived.to) {
            fold.antecedent(*position, event);
        }
        self.fold = fold;
        for (position, recorded_at, event) in between {
            self.fold.apply(position, recorded_at, &event);
        }
        Ok(())
    }
}

/// Whether the fold does anything with the event.
fn matters(event: &Event) -> bool {
    matches!(
        event,
        Event::AvailabilitySwept(_)
            | Event::ResponseScored(_)
            | Event::RoundEvaluated(_)
            | Event::MetagraphObserved(_)
            | Event::ExternalScoresFetched(_)
    )
}
