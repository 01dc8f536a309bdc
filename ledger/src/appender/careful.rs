//! The careful way: one batch at a time, tried again while it is certain that nothing was written, and decided by asking
//! the log when that is not certain.

use std::time::Duration;

use tokio::time::Instant;

use crate::appender::batch::Batch;
use crate::appender::sealed::Request;
use crate::appender::task::{Appender, Flight, answer, lost, timed};
use crate::appender::{lookup, recovery};
use crate::connect::{Part, connect_as};
use crate::error::{Error, Result};
use crate::event::Appended;
use crate::lease::now_micros;

/// What came of one attempt at a batch.
enum Attempt {
    /// One answer per request, in order.
    Done(Vec<Result<Appended>>),
    /// Certainly not written.
    NotWritten(Error),
    /// Nobody could be asked.
    Unknown(Error),
}

impl Appender {
    /// A batch landed with a failure: asks the log about it, and answers it or writes it anew.
    pub(super) async fn recover(&mut self, flight: Flight) {
        let deadline = Instant::now() + self.settings.recovery_timeout;
        self.lose_session();
        let Flight { requests, mut batch, result, .. } = flight;
        if let Err(error) = &result {
            tracing::warn!(error = Error::chain(error), first = batch.old_size, "a batch failed; asking the log");
        }
        let answers = match self.find_out(&batch, deadline).await {
            Ok(false) => return self.commit(requests).await,
            Ok(true) => {
                self.published.send_replace(self.head.size());
                batch.answers()
            }
            Err(error) => {
                let unknown = outcome_unknown(&batch, &error);
                requests.iter().map(|_| Err(unknown.clone())).collect()
            }
        };
        answer(requests, answers);
    }

    /// Commits a batch or answers why not, with nothing else under way.
    pub(super) async fn commit(&mut self, requests: Vec<Request>) {
        let mut attempts = 0;
        let last = loop {
            if let Some(stopped) = &self.stopped {
                break stopped.clone();
            }
            attempts += 1;
            match self.attempt(&requests).await {
                Attempt::Done(answers) => return answer(requests, answers),
                Attempt::Unknown(error) => break error,
                Attempt::NotWritten(error) if attempts >= self.settings.attempts => {
                    if requests.len() > 1 && self.stopped.is_none() {
                        // Perhaps one of them is at fault: each alone, so that it fails alone.
                        for request in requests {
                            Box::pin(self.commit(vec![request])).await;
                        }
                        return;
                    }
                    break Error::NotCommitted { attempts, reason: Error::chain(&error) };
                }
                Attempt::NotWritten(error) => {
                    tracing::warn!(error = Error::chain(&error), "a batch was not written; trying again");
                }
            }
        };
        let answers = requests.iter().map(|_| Err(last.clone())).collect();
        answer(requests, answers);
    }

    async fn attempt(&mut self, requests: &[Request]) -> Attempt {
        let deadline = Instant::now() + self.settings.recovery_timeout;
        if self.session.as_ref().is_some_and(|session| session.keeper.is_lost()) {
            self.lose_session();
        }
        if self.session.is_none()
            && let Err(error) = self.reconnect(deadline).await
        {
            return Attempt::NotWritten(error);
        }
        let known_keys = match self.look_up(requests).await {
            Ok(known_keys) => known_keys,
            Err(error) => {
                self.lose_session();
                return Attempt::NotWritten(error);
            }
        };
        let mut batch = Batch::build(requests, &self.head, now_micros(), &self.versions, &known_keys);
        if batch.is_empty() {
            return Attempt::Done(batch.answers());
        }
        let Err(error) = self.write(requests, &batch).await else {
            self.accept(&batch);
            return Attempt::Done(batch.answers());
        };
        tracing::warn!(error = Error::chain(&error), first = batch.old_size, "a batch failed; asking the log");
        self.lose_session();
        match self.find_out(&batch, deadline).await {
            Ok(true) => {
                self.published.send_replace(self.head.size());
                Attempt::Done(batch.answers())
            }
            Ok(false) => Attempt::NotWritten(error),
            Err(lost) => Attempt::Unknown(outcome_unknown(&batch, &lost)),
        }
    }

    async fn look_up(&mut self, requests: &[Request]) -> Result<lookup::KnownKeys> {
        let Some(session) = &mut self.session else { return Err(lost()) };
        let Some(connection) = session.appends.as_mut() else { return Err(lost()) };
        let ledger_id = self.identity.ledger_id;
        let looking = async {
            lookup::versions(connection, ledger_id, requests, &mut self.versions).await?;
            lookup::keys(connection, ledger_id, requests).await
        };
        timed(self.settings.write_timeout, "look up streams", looking).await
    }

    /// The head after a commit.
    fn accept(&mut self, batch: &Batch) {
        self.head = batch.head.clone();
        for stream in &batch.streams {
            self.versions.put(stream.name.clone(), stream.after);
        }
        self.published.send_replace(self.head.size());
    }

    /// Whether a batch is in the log, asked under a lease taken after it failed: then the answer is final.
    async fn find_out(&mut self, batch: &Batch, deadline: Instant) -> Result<bool> {
        let (ledger_id, first) = (self.identity.ledger_id, batch.old_size);
        loop {
            if self.session.is_none()
                && let Err(error) = self.reconnect(deadline).await
            {
                let Some(Error::LeaseHeld { .. }) = &self.stopped else { return Err(error) };
                // Somebody else has the lease, so nothing of ours is under way any more, and the log can be asked.
                tracing::error!(%error, "this writer stops");
                let mut connection = connect_as(&self.identity.url, &self.identity.application, Part::Reader).await?;
                return recovery::is_written(&mut connection, ledger_id, first, &batch.leaf_hashes).await;
            }
            let Some(connection) = self.session.as_mut().and_then(|session| session.appends.as_mut()) else {
                return Err(lost());
            };
            match recovery::is_written(connection, ledger_id, first, &batch.leaf_hashes).await {
                Ok(written) => return Ok(written),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => self.lose_session(),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn reconnect(&mut self, deadline: Instant) -> Result<()> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let published = self.published.subscribe();
        let taken = recovery::reconnect(&self.identity, Some(self.generation), deadline, &published).await;
        let (session, head) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                if matches!(error, Error::LeaseHeld { .. } | Error::NoSuchLedger { .. } | Error::Damaged { .. }) {
                    self.stopped = Some(error.clone());
                }
                return Err(error);
            }
        };
        let acknowledged = *self.published.borrow();
        if head.size() < acknowledged {
            let reason = format!("the log went back from {acknowledged} events to {}", head.size());
            let error = Error::Stopped { reason };
            self.stopped = Some(error.clone());
            return Err(error);
        }
        self.generation = session.generation;
        self.session = Some(session);
        self.head = head;
        // Also of a batch whose callers were told that nobody could be asked about it.
        self.published.send_replace(self.head.size());
        Ok(())
    }

    /// Answers those who want to know the committed size for certain. With a session it is known; without one a new lease ends
    /// whatever may still be under way, and its head tells.
    pub(super) async fn settle(&mut self) {
        if self.settling.is_empty() {
            return;
        }
        let settled = match self.session {
            Some(_) => Ok(()),
            None => self.reconnect(Instant::now() + self.settings.recovery_timeout).await,
        };
        let size = *self.published.borrow();
        for reply in self.settling.drain(..) {
            let _ = reply.send(settled.clone().map(|()| size));
        }
    }
}

fn outcome_unknown(batch: &Batch, error: &Error) -> Error {
    let (first, last) = (batch.old_size, batch.head.size() - 1);
    Error::OutcomeUnknown { first, last, reason: Error::chain(error) }
}
