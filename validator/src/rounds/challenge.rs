//! One challenge to its end: at most three attempts, each owned by this task.
//!
//! When the ledger fails in mid-attempt, the task waits until it answers again and looks at what is recorded: an attempt
//! that is open then is given up, because what its miners were told and what came back may not be recorded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::events::{AbandonReason, ChallengeAccepted, Event};
use domain::round;
use domain::types::Position;

use super::attempt::{Attempt, GatePass};
use crate::Error;
use crate::board::decode;
use crate::clock::Backoff;
use crate::shared::Shared;

/// Pauses between looks at a ledger that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs attempts until the challenge has ended, or the validator stops.
///
/// # Errors
/// What no waiting mends.
pub(super) async fn run(shared: Arc<Shared>, accepted: Position) -> Result<Position, Error> {
    match attempts(&shared, accepted).await {
        Ok(()) | Err(Error::Stopping) => Ok(accepted),
        Err(error) => Err(error),
    }
}

async fn attempts(shared: &Arc<Shared>, accepted: Position) -> Result<(), Error> {
    let facts = patiently(shared, || acceptance(shared, accepted)).await?;
    let id = facts.challenge.id.clone();
    loop {
        while_paused(shared).await?;
        let number = match shared.board.read().challenge(&id) {
            Some((_, challenge)) if !challenge.attempt_open => challenge.attempts + 1,
            // An attempt that is open belongs to another task, which does not exist: see `abandon_open`.
            Some(_) => return Err(Error::Refused(format!("challenge {id} has an open attempt already"))),
            None => return Ok(()),
        };
        let attempt = Attempt { shared, accepted, facts: &facts, number };
        let mut pass: Option<GatePass> = None;
        let ended = match attempt.run(&mut pass).await {
            Err(error) if error.may_pass() => {
                tracing::warn!(challenge = %id, attempt = number, %error, "round interrupted by the ledger");
                patiently(shared, || settle(&attempt, &error)).await?
            }
            outcome => Some(outcome?),
        };
        if let Some(ended) = ended {
            // The fold must know of this end before the next attempt is numbered, or the challenge is looked for again.
            patiently(shared, || shared.board.reach(ended)).await?;
        }
        drop(pass);
    }
}

/// Ends an attempt whose recorded state is not known; none when nothing of it is recorded.
async fn settle(attempt: &Attempt<'_>, cause: &Error) -> Result<Option<Position>, Error> {
    let id = round::stream_id(&attempt.facts.challenge.id, attempt.number);
    let stored = attempt.shared.journal.ledger().reader().stream(round::STREAM_TYPE, &id, 1).await?;
    let (Some(first), Some(last)) = (stored.first(), stored.last()) else { return Ok(None) };
    if matches!(last.kind.as_str(), "RoundEvaluated" | "RoundAbandoned") {
        return Ok(Some(Position(last.position)));
    }
    let detail = format!("the ledger was lost in mid-round: {cause}");
    attempt.abandon(Position(first.position), AbandonReason::Restart, &detail).await.map(Some)
}

/// Gives up what an earlier process left open. Called before anything else may touch a round or an epoch.
///
/// # Errors
/// What the ledger says.
pub(crate) async fn abandon_open(shared: &Arc<Shared>) -> Result<(), Error> {
    let open: Vec<(Position, u32)> = {
        let fold = shared.board.read();
        let open = fold.open().filter(|(_, challenge)| challenge.attempt_open);
        open.map(|(accepted, challenge)| (accepted, challenge.attempts)).collect()
    };
    for (accepted, number) in open {
        let facts = acceptance(shared, accepted).await?;
        let attempt = Attempt { shared, accepted, facts: &facts, number };
        attempt.abandon(accepted, AbandonReason::Restart, "the process ended in mid-round").await?;
    }
    shared.board.catch_up(shared.journal.ledger()).await
}

async fn acceptance(shared: &Shared, accepted: Position) -> Result<ChallengeAccepted, Error> {
    let stored = shared.journal.ledger().reader().get(accepted.0).await?;
    let event = stored.as_ref().map(decode).transpose()?.flatten();
    match event {
        Some(Event::ChallengeAccepted(facts)) => Ok(facts),
        _ => Err(Error::Refused(format!("no challenge is recorded at position {accepted}"))),
    }
}

async fn while_paused(shared: &Shared) -> Result<(), Error> {
    let mut progress = shared.board.progress();
    while shared.board.read().paused {
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return Err(Error::Stopping) },
            () = shared.stop.stopped() => return Err(Error::Stopping),
        }
    }
    if shared.stop.is_ordered() { Err(Error::Stopping) } else { Ok(()) }
}

/// Repeats what only reads or is safe to repeat, while the ledger is away.
async fn patiently<T, Asked>(shared: &Shared, ask: impl Fn() -> Asked) -> Result<T, Error>
where
    Asked: Future<Output = Result<T, Error>>,
{
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    loop {
        match ask().await {
            Err(error) if error.may_pass() => {
                tracing::debug!(%error, "waiting for the ledger");
                if shared.stop.sleep(backoff.pause()).await {
                    return Err(Error::Stopping);
                }
            }
            outcome => return outcome,
        }
    }
}

/// Challenges that a task works on.
pub(super) type InFlight = BTreeSet<Position>;
