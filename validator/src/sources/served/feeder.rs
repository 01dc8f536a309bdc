//! Reserves conversations and has their windows accepted, batch after batch, until the validator stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conversations::Error as ServerError;
use domain::cgp::constants::Constants;
use domain::cgp::reserved::{Reserved, ReservedError};
use domain::events::Challenge;
use domain::types::Position;

use super::{ConversationServer, Desk, MAX_PENDING, batch, words};
use crate::clock::Backoff;
use crate::service::{AcceptError, Handle};

/// Reservations of one batch that may be of no use: too short, or no conversations at all.
const MAX_USELESS: usize = 100;

/// How long a window may be refused before the rest of its batch is given up: by then, others may have its conversations.
const PATIENCE: Duration = Duration::from_secs(600);

/// Makes batches until the validator stops.
pub(super) async fn feed(handle: Handle, server: ConversationServer, desk: Arc<Desk>, constants: Constants) {
    let mut backoff = Backoff::up_to(server.longest_pause);
    let mut held = Vec::new();
    let mut said_full = false;
    while !handle.is_stopping() {
        if desk.is_full() {
            if !std::mem::replace(&mut said_full, true) {
                tracing::warn!(
                    MAX_PENDING,
                    "results of too many conversations wait for the conversation server; none is reserved"
                );
            }
            handle.sleep(server.longest_pause).await;
            continue;
        }
        said_full = false;
        let reserved = tokio::select! {
            reserved = reserve(&server, &constants, &mut held) => reserved,
            () = handle.shared().stop.stopped() => return,
        };
        let made = reserved.and_then(|()| {
            let number = number()?;
            batch::challenges(&std::mem::take(&mut held), &constants, number).map(|windows| (number, windows))
        });
        match made {
            Ok((number, windows)) => {
                backoff = Backoff::up_to(server.longest_pause);
                tracing::debug!(batch = number, windows = windows.len(), "a batch of conversations is sent out");
                desk.set_feeding(Some(number));
                if let Err(problem) = send_out(&handle, &server, windows).await {
                    tracing::warn!(batch = number, problem, "the rest of a batch is given up");
                }
                desk.set_feeding(None);
            }
            Err(problem) => {
                tracing::warn!(problem, "there is no conversation to send out; trying again");
                handle.sleep(backoff.pause()).await;
            }
        }
    }
}

/// A number for a batch that nobody can foresee: it decides which windows are sent in which order.
fn number() -> Result<u64, String> {
    let drawn = getrandom::u64().map_err(|error| format!("the operating system gave no randomness: {error}"))?;
    Ok(drawn >> (u64::BITS - batch::NUMBER_BITS))
}

/// Reserves until there are as many conversations as a batch has, or the server has no more and they suffice. What is reserved is
/// kept in `held` when there are not enough yet.
async fn reserve(server: &ConversationServer, constants: &Constants, held: &mut Vec<Reserved>) -> Result<(), String> {
    let size = usize::try_from(constants.batch.conversations).unwrap_or(usize::MAX).max(1);
    let mut useless = 0;
    while held.len() < size || !batch::suffices(held, constants) {
        if useless >= MAX_USELESS {
            return Err(format!("{useless} conversations in a row are of no use"));
        }
        let problem = match server.client.reserve().await {
            Ok(reserved) => match batch::prepared(reserved.conversation, constants) {
                Ok(conversation) => {
                    // A server may give one again whose time is over.
                    let known = held.len();
                    held.retain(|other| other.guid != conversation.guid);
                    useless += usize::from(held.len() < known || held.len() >= size);
                    held.truncate(size.saturating_sub(1));
                    held.push(conversation);
                    continue;
                }
                Err(problem) => problem,
            },
            Err(ServerError::NoneFree { .. }) if batch::suffices(held, constants) => return Ok(()),
            Err(error @ ServerError::NoneFree { .. }) => {
                let need = constants.batch.minimum_pieces;
                return Err(format!("{error}, and the {} in hand make no batch of {need} windows", held.len()));
            }
            Err(ServerError::NotAConversation { source: ReservedError::OtherType(kind), .. }) => {
                format!("a bundle of type {kind:?} is no conversation")
            }
            Err(error) => return Err(words(&error)),
        };
        tracing::debug!(problem, "a reserved conversation is of no use");
        useless += 1;
    }
    Ok(())
}

/// Has every window accepted, as many at once as the pace says.
async fn send_out(handle: &Handle, server: &ConversationServer, windows: Vec<Challenge>) -> Result<(), String> {
    for window in windows {
        accept(handle, server, window).await?;
    }
    // Whoever looks at the fold after this sees all of them.
    let shared = handle.shared();
    let last = Position(shared.journal.ledger().size().saturating_sub(1));
    shared.board.reach(last).await.map_err(|error| error.to_string())
}

async fn accept(handle: &Handle, server: &ConversationServer, window: Challenge) -> Result<(), String> {
    let mut backoff = Backoff::up_to(server.longest_pause);
    let mut refused: Option<Instant> = None;
    loop {
        if handle.is_stopping() {
            return Err("the validator is stopping".to_owned());
        }
        let stats = handle.challenge_stats();
        if stats.queue_size + stats.active >= server.pace.open {
            handle.sleep(server.pace.pause).await;
            continue;
        }
        match handle.accept(window.clone()).await {
            // Not counted by the fold before it is folded in.
            Ok(accepted) => {
                return handle.shared().board.reach(accepted.position).await.map_err(|error| error.to_string());
            }
            // The id is this batch's own: an earlier try whose outcome was not known has succeeded.
            Err(AcceptError::Duplicate { .. }) => return Ok(()),
            Err(error @ AcceptError::Invalid { .. }) => {
                tracing::warn!(id = window.id, %error, "a window is left out");
                return Ok(());
            }
            Err(error) => {
                if refused.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    return Err(error.to_string());
                }
                tracing::warn!(id = window.id, %error, "a window is not accepted; trying again");
                handle.sleep(backoff.pause()).await;
            }
        }
    }
}
