//! Deriving weights: gate, metagraph, fold, one event.
//!
//! **Architecture invariant:** no attempt is open when weights are derived, so that every round lies wholly on one side of
//! a derivation.

use std::sync::Arc;
use std::time::Duration;

use domain::epoch::{self, EpochCommand, EpochFold};
use domain::mechanism::Mechanism;
use domain::types::{Micros, Position};
use futures::TryStreamExt;
use tokio::sync::OwnedRwLockWriteGuard;

use super::record::Record;
use crate::Error;
use crate::board::decode;
use crate::clock::Backoff;
use crate::shared::Shared;
use crate::{metagraph, start};

/// How long rounds pass before the gate is tried again.
const BREATH: Duration = Duration::from_secs(2);

/// Derives the weights of an open epoch. Gives where they stand.
///
/// # Errors
/// The chain's and the ledger's; then nothing is derived and it can be tried again.
pub(super) async fn run(shared: &Arc<Shared>, number: u64) -> Result<Position, Error> {
    let gate = close_gate(shared).await?;
    crate::rounds::label::complete(shared).await?;
    let mechanism = shared.mechanism();
    let (to, _) = metagraph::observe_all(shared).await?;
    let fold = folded(shared, number, to, mechanism).await?;
    let derived = fold.derive();
    tracing::info!(
        epoch = number,
        rounds = derived.rounds,
        weights = derived.weights.len(),
        skip = ?derived.skip,
        "weights derived"
    );
    let command = EpochCommand::Derive(Box::new(derived));
    let recorded = shared.commands.epoch(&epoch::stream_id(number), command, Some(to)).await?;
    adopt(shared, recorded.last).await?;
    drop(gate);
    Ok(recorded.last)
}

/// Puts the configured rule set into force, still behind the gate and however long the ledger is away: every round is drawn under the rule
/// set of the epoch that it will belong to.
async fn adopt(shared: &Shared, derived: Position) -> Result<(), Error> {
    let mut backoff = Backoff::up_to(BREATH);
    loop {
        let adopted = async {
            shared.settled().await?;
            start::adopt_configured(shared, Some(derived)).await
        };
        match adopted.await {
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "no rule set can be put into force; rounds wait");
                if shared.stop.sleep(backoff.pause()).await {
                    return Err(Error::Stopping);
                }
            }
            done => return done,
        }
    }
}

/// Waits until no round is under way. A wait that is too long lets waiting rounds pass and begins anew.
async fn close_gate(shared: &Arc<Shared>) -> Result<OwnedRwLockWriteGuard<()>, Error> {
    loop {
        let wait = shared.config.gate_wait;
        let closing = tokio::time::timeout(wait, Arc::clone(&shared.gate).write_owned());
        tokio::select! {
            closed = closing => match closed {
                Ok(guard) => return Ok(guard),
                Err(_) => tracing::warn!(seconds = wait.as_secs(), "rounds are still under way; weights wait"),
            },
            () = shared.stop.stopped() => return Err(Error::Stopping),
        }
        if shared.stop.sleep(BREATH).await {
            return Err(Error::Stopping);
        }
    }
}

/// The state carried in, and the events up to the observation at `to`, which is the range's last.
async fn folded(shared: &Shared, number: u64, to: Position, mechanism: Arc<dyn Mechanism>) -> Result<EpochFold, Error> {
    let reader = shared.journal.ledger().reader();
    let mut fold = match number.checked_sub(1) {
        None => EpochFold::genesis(mechanism, shared.own),
        Some(before) => {
            let record = Record::read(shared, before).await?;
            let (_, previous) = record
                .derivation
                .ok_or_else(|| Error::Refused(format!("epoch {before} has no derivation to carry on from")))?;
            EpochFold::carry(mechanism, shared.own, &previous)?
        }
    };
    if let Some(stored) = reader.last_of_kind("ExternalScoresFetched", fold.from().0).await?
        && let Some(event) = decode(&stored)?
    {
        fold.antecedent(Position(stored.position), &event);
    }
    let mut events = reader.events(fold.from().0, to.0 + 1, Some(EpochFold::KINDS));
    while let Some(stored) = events.try_next().await? {
        if let Some(event) = decode(&stored)? {
            fold.apply(Position(stored.position), Micros(stored.recorded_at), &event);
        }
    }
    if fold.to() == Some(to) {
        return Ok(fold);
    }
    Err(Error::Refused(format!("the fold of epoch {number} ends at {:?}, not at {to}", fold.to())))
}
