//! Rounds: a bounded number of challenges under way, in order of acceptance.
//!
//! The queue is what the log says: accepted and not ended. There is no other list that could forget one.

mod attempt;
mod challenge;
mod evidence;
pub(crate) mod label;
pub(crate) mod verdict;

use std::sync::Arc;

use domain::round;
use domain::types::Position;
use tokio::task::JoinSet;

pub(crate) use attempt::address;
pub(crate) use challenge::abandon_open;

use crate::Error;
use crate::shared::Shared;

/// A challenge is drawn at most so often.
pub(crate) const LAST_ATTEMPT: u32 = round::MAX_ATTEMPTS;

/// Runs rounds until the validator stops; then waits for those under way, within the configured bound.
///
/// # Errors
/// What no waiting mends, from any round.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut progress = shared.board.progress();
    let mut tasks: JoinSet<Result<Position, Error>> = JoinSet::new();
    let mut in_flight = challenge::InFlight::new();
    ready(&shared).await;
    while !shared.stop.is_ordered() {
        progress.mark_unchanged();
        for accepted in due(&shared, &in_flight) {
            in_flight.insert(accepted);
            tasks.spawn(challenge::run(Arc::clone(&shared), accepted));
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { break },
            Some(joined) = tasks.join_next() => {
                in_flight.remove(&joined.map_err(|_| Error::Task("round"))??);
            }
            () = shared.stop.stopped() => {}
        }
    }
    let under_way = async {
        while let Some(joined) = tasks.join_next().await {
            joined.map_err(|_| Error::Task("round"))??;
        }
        Ok(())
    };
    let ended = tokio::time::timeout(shared.config.stop_grace, under_way).await;
    ended.unwrap_or_else(|_| {
        tracing::info!(rounds = tasks.len(), "rounds under way are left to the next start");
        Ok(())
    })
}

/// Waits until there is a metagraph and a sweep to draw from.
async fn ready(shared: &Shared) {
    let mut progress = shared.board.progress();
    loop {
        {
            let fold = shared.board.read();
            if fold.metagraph.is_some() && fold.sweep.is_some() {
                return;
            }
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return },
            () = shared.stop.stopped() => return,
        }
    }
}

/// The challenges to begin with now.
fn due(shared: &Shared, in_flight: &challenge::InFlight) -> Vec<Position> {
    let fold = shared.board.read();
    let room = shared.config.concurrency.saturating_sub(in_flight.len());
    if fold.paused || room == 0 {
        return Vec::new();
    }
    let waiting = fold.open().map(|(accepted, _)| accepted).filter(|accepted| !in_flight.contains(accepted));
    waiting.take(room).collect()
}
