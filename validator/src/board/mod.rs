//! The validator's memory: a fold that follows the log, and a way to wait until it has come to a position.

mod figures;
mod fold;
#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use domain::events::Event;
use domain::types::{Micros, Position};
use futures::TryStreamExt;
use ledger::{Ledger, StoredEvent};
use tokio::sync::watch;

pub(crate) use fold::Fold;

use crate::Error;
use crate::clock::Backoff;
use crate::stop::Stop;

/// How long the fold may lag behind a commit of this very process.
const LONGEST_LAG: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to read a ledger that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The shared fold.
#[derive(Debug)]
pub(crate) struct Board {
    fold: RwLock<Fold>,
    folded: watch::Sender<u64>,
}

impl Board {
    /// Nothing folded yet.
    pub(crate) fn new() -> Self {
        Self { fold: RwLock::default(), folded: watch::channel(0).0 }
    }

    /// The state now. The guard must not be held across an await.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Fold> {
        self.fold.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events folded in: the next position.
    pub(crate) fn size(&self) -> u64 {
        *self.folded.borrow()
    }

    /// Wakes at every progress.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.folded.subscribe()
    }

    /// Waits until the event at the position is folded in.
    ///
    /// # Errors
    /// [`Error::Lag`] when it is not within a minute.
    pub(crate) async fn reach(&self, position: Position) -> Result<(), Error> {
        let mut progress = self.folded.subscribe();
        let reached = progress.wait_for(|size| *size > position.0);
        match tokio::time::timeout(LONGEST_LAG, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::Lag(position)),
        }
    }

    /// Folds everything in that is committed now.
    pub(crate) async fn catch_up(&self, ledger: &Ledger) -> Result<(), Error> {
        let (from, to) = (self.size(), ledger.size());
        if from >= to {
            return Ok(());
        }
        let mut events = ledger.reader().events(from, to, Some(fold::KINDS));
        while let Some(stored) = events.try_next().await? {
            let (position, at) = (Position(stored.position), Micros(stored.recorded_at));
            let event = decode(&stored)?;
            {
                let mut fold = self.fold.write().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Some(event) => {
                        fold.apply(position, &event);
                        fold.figures.apply(at, &event);
                    }
                    None => {
                        fold.apply_erased(position, &stored.kind, &stored.stream_id);
                        fold.figures.apply_erased(at, &stored.kind, &stored.stream_id);
                    }
                }
            }
            // One by one, so that after an error in mid-range nothing is folded in twice.
            self.folded.send_replace(position.0 + 1);
        }
        self.folded.send_replace(to);
        Ok(())
    }

    /// Follows the log until the validator stops.
    ///
    /// # Errors
    /// Only what no waiting mends: an event that cannot be read.
    pub(crate) async fn follow(&self, ledger: &Ledger, stop: &Stop) -> Result<(), Error> {
        let mut sizes = ledger.sizes();
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            let committed = *sizes.borrow_and_update();
            match self.catch_up(ledger).await {
                Ok(()) => backoff = Backoff::up_to(LONGEST_PAUSE),
                Err(Error::Ledger(error)) if !crate::journal::is_final(&error) => {
                    tracing::warn!(%error, "the log cannot be read; trying again");
                    if stop.sleep(backoff.pause()).await {
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            }
            if self.size() < committed {
                continue;
            }
            tokio::select! {
                changed = sizes.changed() => if changed.is_err() { return Ok(()) },
                () = stop.stopped() => return Ok(()),
            }
        }
    }
}

/// The event in a row; none once it is erased.
pub(crate) fn decode(stored: &StoredEvent) -> Result<Option<Event>, Error> {
    stored.fact().map_err(|error| Error::Codec { position: Some(Position(error.position)), source: error.source })
}
