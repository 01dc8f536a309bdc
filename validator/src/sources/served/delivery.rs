//! Brings results back: follows the log, and puts what the rounds of a conversation found once all of them have ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use conversations::Error as ServerError;
use domain::events::Event;
use domain::types::Position;
use futures::TryStreamExt;
use serde::Serialize;

use super::book::{Book, Key};
use super::{ConversationServer, Desk, batch, findings, words};
use crate::Error;
use crate::board::decode;
use crate::clock::Backoff;
use crate::service::Handle;

/// How often a server may refuse a conversation's results before they stay in the ledger alone.
const MAX_REFUSALS: u32 = 8;

/// How long they are tried. The ledger keeps them for whoever wants them later.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Why something was not brought back now.
enum Trouble {
    /// The server does not answer, or not as it should: later.
    Server(ServerError),
    /// The ledger does not answer: later.
    Ledger(Error),
    /// The validator is stopping.
    Stopping,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ledger(error)
    }
}

struct Delivery {
    handle: Handle,
    server: ConversationServer,
    desk: Arc<Desk>,
    book: Book,
}

/// Brings results back until the validator stops.
pub(super) async fn deliver(handle: Handle, server: ConversationServer, desk: Arc<Desk>, book: Book) {
    let mut backoff = Backoff::up_to(server.longest_pause);
    let look = server.look;
    let mut delivery = Delivery { handle, server, desk, book };
    while !delivery.handle.is_stopping() {
        let pause = match delivery.pass().await {
            Ok(()) => {
                backoff = Backoff::up_to(delivery.server.longest_pause);
                look
            }
            Err(Trouble::Stopping) => return,
            Err(Trouble::Server(error)) => {
                let (problem, pending) = (words(&error), delivery.book.len());
                tracing::warn!(problem, pending, "results wait for the conversation server; trying again");
                backoff.pause()
            }
            Err(Trouble::Ledger(error)) => {
                tracing::warn!(%error, "results cannot be read from the log; trying again");
                backoff.pause()
            }
        };
        delivery.handle.sleep(pause).await;
    }
}

impl Delivery {
    /// One look: reads on, and brings back what is complete, the oldest first. What cannot be brought ends the look, since all of
    /// the server may be away; the next look has its turn after the others, so that none holds the rest up.
    async fn pass(&mut self) -> Result<(), Trouble> {
        // In this order: when no more windows come of a batch, all of them are folded in.
        let feeding = self.desk.feeding();
        self.read_on().await?;
        self.desk.pending.store(self.book.len(), Ordering::Relaxed);
        let complete = {
            let fold = self.handle.shared().board.read();
            self.book.complete(feeding, |challenge| fold.challenge(challenge).is_none())
        };
        for key in complete {
            match self.bring(&key).await {
                Ok(()) => {
                    tracing::debug!(guid = key.guid, batch = key.batch, "results of a conversation are brought back")
                }
                Err(Trouble::Server(error)) if self.is_hopeless(&key, &error) => {
                    let problem = words(&error);
                    tracing::warn!(guid = key.guid, problem, "the results of a conversation stay in the ledger alone");
                }
                Err(trouble) => {
                    self.book.put_off(&key);
                    return Err(trouble);
                }
            }
            self.book.settle(&key);
            self.desk.pending.store(self.book.len(), Ordering::Relaxed);
            self.save(true).await;
        }
        self.save(false).await;
        Ok(())
    }

    /// Notes the windows that were accepted since the last look, as far as the validator's own fold has come.
    async fn read_on(&mut self) -> Result<(), Error> {
        let size = self.handle.shared().board.size();
        if self.book.read_to >= size {
            return Ok(());
        }
        let mut events = self.handle.reader().events(self.book.read_to, size, Some(&["ChallengeAccepted"]));
        while let Some(stored) = events.try_next().await? {
            let found = decode(&stored)?;
            if let Some(Event::ChallengeAccepted(accepted)) = found
                && let Some((mark, task)) = batch::read(&accepted.challenge)
            {
                let key = Key { batch: mark.batch, guid: task.guid };
                self.book.note(key, mark.windows, Position(stored.position), accepted.challenge.id);
            }
            self.book.read_to = stored.position + 1;
        }
        self.book.read_to = size;
        Ok(())
    }

    /// Puts everything that is not there yet: the validator's record of the whole conversation, then the answers, window by
    /// window.
    async fn bring(&mut self, key: &Key) -> Result<(), Trouble> {
        let handle = self.handle.clone();
        let (netuid, own) = (handle.netuid(), handle.hotkey());
        loop {
            let Some(pending) = self.book.get_mut(key) else { return Ok(()) };
            pending.tried_since.get_or_insert_with(Instant::now);
            let whole_is_there = pending.whole_is_there;
            let Some((accepted, _)) = pending.windows.get(pending.there).cloned() else { return Ok(()) };
            if let Some(found) = findings::of_window(handle.shared(), accepted).await? {
                if !whole_is_there && let Some(record) = found.of_conversation(netuid, own) {
                    self.put(key, &record).await?;
                    if let Some(pending) = self.book.get_mut(key) {
                        pending.whole_is_there = true;
                    }
                }
                for record in found.of_answers(netuid) {
                    self.put(key, &record).await?;
                }
            }
            if let Some(pending) = self.book.get_mut(key) {
                pending.there += 1;
            }
        }
    }

    /// Puts a record. One that this server will never take is left out; the others of its conversation go their way.
    async fn put<T: Serialize + Sync>(&self, key: &Key, record: &T) -> Result<(), Trouble> {
        let done = tokio::select! {
            done = self.server.client.record(&key.guid, record) => done,
            () = self.handle.shared().stop.stopped() => return Err(Trouble::Stopping),
        };
        match done {
            Err(error @ (ServerError::Record { .. } | ServerError::Refused { status: 400 | 413 | 422, .. })) => {
                tracing::warn!(guid = key.guid, problem = words(&error), "a record stays in the ledger alone");
                Ok(())
            }
            done => done.map_err(Trouble::Server),
        }
    }

    /// Whether trying again is of no use: the server does not know the conversation, or it was tried long enough.
    fn is_hopeless(&mut self, key: &Key, error: &ServerError) -> bool {
        let Some(pending) = self.book.get_mut(key) else { return true };
        match error {
            ServerError::Guid(_) | ServerError::Refused { status: 404 | 405 | 410, .. } => return true,
            // Says nothing about the record: an operator may mend the key.
            ServerError::Refused { status: 401 | 403, .. } => {}
            // A disk that is full, an answer that is none.
            ServerError::Refused { .. } | ServerError::AnswerTooLarge { .. } => pending.refusals += 1,
            _ => {}
        }
        let long = pending.tried_since.is_some_and(|since| since.elapsed() >= PATIENCE);
        long || pending.refusals >= MAX_REFUSALS
    }

    async fn save(&mut self, settled: bool) {
        let Some(page) = self.book.page(settled) else { return };
        let written = tokio::task::spawn_blocking(move || page.write()).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was brought back cannot be noted; a restart brings it again")
            }
            Err(error) => tracing::warn!(%error, "what was brought back was not noted; a restart brings it again"),
        }
    }
}
