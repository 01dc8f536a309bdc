//! Brings results back: follows the log, makes one attempt after another when it is due, and records each.

use std::time::Duration;

use axon::challenge_service::{Picture, PictureKind};
use domain::events::{DeliveryAttempted, DeliveryItem, DeliveryOutcome, Event};
use domain::round;
use domain::types::{Micros, Position, sha256};
use futures::TryStreamExt;
use futures::future::join_all;
use ledger::StoredEvent;

use super::images::file_name;
use super::queue::{Due, LONGEST_AGE, Queue};
use super::results::{self, Results};
use super::{ALGORITHM, Outbox, ResultsOf};
use crate::board::decode;
use crate::clock::{self, Backoff};
use crate::journal::{Entry, is_final};
use crate::service::Handle;
use crate::{Error, rules};

/// Attempts under way at once.
const AT_ONCE: usize = 4;
/// The longest pause while the ledger does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What the service answers to what it has already, too: to results that were brought and, because the process was killed, not
/// recorded. Whether it has these or others it does not say, so that this is recorded as the refusal that it is.
const CONFLICT: u16 = 409;
/// What is brought of a round.
const ITEMS: [DeliveryItem; 3] = [DeliveryItem::Batch, DeliveryItem::Heatmap, DeliveryItem::QualityPlot];

/// What an attempt came to.
enum Tried {
    /// It is to be recorded.
    Attempt(DeliveryAttempted),
    /// There is nothing of this sort.
    Nothing,
}

struct Delivery {
    handle: Handle,
    outbox: Outbox,
    queue: Queue,
    /// The next position to be read.
    read_to: u64,
}

/// Brings results back until the validator stops.
pub(super) async fn deliver(handle: Handle, outbox: Outbox) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    let mut delivery = Delivery { handle, outbox, queue: Queue::default(), read_to: 0 };
    let mut begun = false;
    while !delivery.handle.is_stopping() {
        let passed = if begun { delivery.pass().await } else { delivery.begin().await.map(|()| Duration::ZERO) };
        delivery.handle.shared().measures.outbox(delivery.queue.len());
        let pause = match passed {
            Ok(pause) => {
                (begun, backoff) = (true, Backoff::up_to(LONGEST_PAUSE));
                pause
            }
            Err(Error::Stopping) => return,
            Err(error) => {
                tracing::warn!(%error, "results for the challenge service cannot be read or recorded; trying again");
                backoff.pause()
            }
        };
        delivery.handle.sleep(pause).await;
    }
}

impl Delivery {
    /// Finds the first event that is young enough: times in a log never decrease.
    async fn begin(&mut self) -> Result<(), Error> {
        let reader = self.handle.reader();
        let oldest = clock::now().0.saturating_sub(u64::try_from(LONGEST_AGE.as_micros()).unwrap_or(u64::MAX));
        let (mut low, mut high) = (0, self.handle.shared().board.size());
        while low < high {
            let middle = low + (high - low) / 2;
            match reader.get(middle).await? {
                Some(stored) if stored.recorded_at >= oldest => high = middle,
                // What was moved elsewhere is older than the rest.
                _ => low = middle + 1,
            }
        }
        self.read_to = low;
        Ok(())
    }

    /// One look: reads on, and makes the attempts that are due. Gives the time until the next look.
    async fn pass(&mut self) -> Result<Duration, Error> {
        self.read_on().await?;
        let (due, next) = self.queue.due(clock::now(), AT_ONCE);
        let tried = join_all(due.iter().map(|due| self.attempt(due))).await;
        // What one of them failed by takes nothing from the others: what was brought is recorded.
        let mut failure = None;
        for (due, tried) in due.iter().zip(tried) {
            let noted = match tried {
                Ok(Tried::Attempt(attempted)) => self.record(due, attempted).await,
                Ok(Tried::Nothing) => {
                    self.queue.leave_out(due.evaluated, due.item);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            failure = failure.or(noted.err());
        }
        if let Some(error) = failure {
            return Err(error);
        }
        Ok(if due.is_empty() {
            next.map_or(self.outbox.look, |next| next.min(self.outbox.look))
        } else {
            Duration::ZERO
        })
    }

    /// Takes up the rounds that were evaluated since the last look, as far as there is room.
    async fn read_on(&mut self) -> Result<(), Error> {
        let size = self.handle.shared().board.size();
        if self.read_to >= size {
            return Ok(());
        }
        let handle = self.handle.clone();
        let mut events = handle.reader().events(self.read_to, size, Some(&["RoundEvaluated"]));
        while self.queue.has_room() {
            let Some(stored) = events.try_next().await? else {
                self.read_to = size;
                return Ok(());
            };
            let young = clock::after(Micros(stored.recorded_at), LONGEST_AGE) > clock::now();
            if young {
                match self.take_up(&stored).await {
                    Err(error) if is_of_the_record(&error) => {
                        let position = stored.position;
                        tracing::warn!(position, %error, "the results of this evaluation are not brought: it cannot be read");
                    }
                    taken_up => taken_up?,
                }
            }
            self.read_to = stored.position + 1;
        }
        Ok(())
    }

    async fn take_up(&mut self, stored: &StoredEvent) -> Result<(), Error> {
        let Some(Event::RoundEvaluated(evaluated)) = decode(stored)? else { return Ok(()) };
        let shared = self.handle.shared();
        if evaluated.label.is_some() {
            return Ok(());
        }
        let mechanism = rules::of_round(shared, evaluated.rule_set).await?;
        if mechanism.is_none_or(|mechanism| mechanism.rule_set().algorithm() != ALGORITHM) {
            return Ok(());
        }
        let Some(challenge) = results::challenge(shared, &evaluated.challenge_id).await? else { return Ok(()) };
        let asked = challenge.correlation_id.is_some() || challenge.requester.is_some();
        if self.outbox.results_of == ResultsOf::Service && !asked {
            return Ok(());
        }
        self.take_up_round(Position(stored.position), challenge.id, evaluated.attempt).await
    }

    /// Takes up a round as far as its recorded attempts have come.
    async fn take_up_round(&mut self, at: Position, challenge_id: String, attempt: u32) -> Result<(), Error> {
        let id = round::stream_id(&challenge_id, attempt);
        let mut recorded = Vec::new();
        for stored in self.handle.reader().stream(round::DELIVERY_STREAM_TYPE, &id, 1).await? {
            recorded.push((stored.sequence, Micros(stored.recorded_at), decode(&stored)?));
        }
        self.queue.take_up((at, challenge_id, attempt), &ITEMS, &recorded);
        Ok(())
    }

    /// One attempt. What cannot be made of the record any more is given up.
    async fn attempt(&self, due: &Due) -> Result<Tried, Error> {
        let shared = self.handle.shared();
        let attempted = |hash, status, outcome, detail: String| {
            Tried::Attempt(DeliveryAttempted {
                challenge_id: due.challenge_id.clone(),
                attempt: due.attempt,
                evaluated: due.evaluated,
                item: due.item,
                number: due.number,
                route: due.recorded_route(),
                request_hash: hash,
                status,
                outcome,
                detail,
            })
        };
        let made = match Results::read(shared, &due.challenge_id, due.attempt).await {
            // It reads no better the next time, and would keep the rounds behind it waiting.
            Err(error) if is_of_the_record(&error) => Err(format!("the record of the round cannot be read: {error}")),
            Err(error) => return Err(error),
            Ok(None) => Err("the record of the round is erased".to_owned()),
            Ok(Some((found, mechanism))) => match due.item {
                DeliveryItem::Heatmap => found.heatmap(),
                DeliveryItem::QualityPlot => found.quality_plot(mechanism.as_ref()),
                DeliveryItem::Batch => {
                    found.batch(mechanism.as_ref(), self.handle.hotkey()).map(Some).map_err(|error| error.to_string())
                }
            },
        };
        let bytes = match made {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Tried::Nothing),
            Err(problem) => return Ok(attempted(None, 0, DeliveryOutcome::GivenUp, problem)),
        };
        let (status, detail) = tokio::select! {
            answer = self.send(due, &bytes) => answer,
            () = shared.stop.stopped() => return Err(Error::Stopping),
        };
        let outcome = due.outcome(status);
        let (id, item, number) = (&due.challenge_id, due.item, due.number);
        match outcome {
            DeliveryOutcome::Delivered => tracing::debug!(id, ?item, number, "results are with the challenge service"),
            DeliveryOutcome::Failed => tracing::debug!(id, ?item, number, status, detail, "results go out again"),
            DeliveryOutcome::Refused if status == CONFLICT => {
                tracing::info!(
                    id,
                    ?item,
                    number,
                    "the challenge service has results of this challenge, or takes none any more"
                );
            }
            _ => tracing::warn!(id, ?item, number, status, detail, "the results stay in the ledger alone"),
        }
        Ok(attempted(Some(sha256(&bytes)), status, outcome, detail))
    }

    /// The status, 0 where there is no answer, and what happened in a few words of our own: an answer may hold anything.
    async fn send(&self, due: &Due, bytes: &[u8]) -> (u16, String) {
        let service = &self.outbox.service;
        let picture = match due.item {
            DeliveryItem::Batch => None,
            DeliveryItem::Heatmap => Some((PictureKind::Heatmap, "heatmap")),
            DeliveryItem::QualityPlot => Some((PictureKind::QualityPlot, "quality-plot")),
        };
        let answer = match picture {
            None => service.post_batch(due.route, bytes).await,
            Some((kind, name)) => {
                let filename = file_name(name, &due.challenge_id, due.evaluated);
                let (challenge_id, filename) = (due.challenge_id.as_str(), filename.as_str());
                let picture = Picture { challenge_id, kind, filename, content_type: "image/png", data: bytes };
                service.upload_picture(due.route, &picture).await
            }
        };
        match answer {
            Ok(reply) if reply.status == CONFLICT => {
                (reply.status, "status 409: it has results of this challenge, or takes none any more".to_owned())
            }
            Ok(reply) => (reply.status, format!("status {}", reply.status)),
            // The exchange of keys came to this, not the results: no status of it says that they are there, or refused.
            Err(problem) => {
                let status = problem.status.filter(|status| !matches!(status, 200 | 201 | 409)).unwrap_or(0);
                let happened = format!("{:?}", problem.failure).to_lowercase();
                (status, problem.status.map_or(happened, |status| format!("no key was exchanged: status {status}")))
            }
        }
    }

    /// Records an attempt, again and again while the ledger does not answer. If another event stands where this one belongs, an
    /// earlier try has succeeded: the record says how far it has come.
    async fn record(&mut self, due: &Due, attempted: DeliveryAttempted) -> Result<(), Error> {
        let handle = self.handle.clone();
        let shared = handle.shared();
        let id = round::stream_id(&due.challenge_id, due.attempt);
        let entry = Entry::new(round::DELIVERY_STREAM_TYPE, id, attempted.clone()).because(due.evaluated);
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        loop {
            match shared.journal.continue_with(vec![entry.clone()], due.after).await {
                Ok(appended) => {
                    self.queue.note(&attempted, Micros(appended.recorded_at));
                    return Ok(());
                }
                Err(Error::Ledger(ledger::Error::Conflict { .. })) => {
                    self.queue.forget(due.evaluated);
                    return self.take_up_round(due.evaluated, due.challenge_id.clone(), due.attempt).await;
                }
                Err(Error::Ledger(error)) if !is_final(&error) => {
                    tracing::warn!(%error, "an attempt to bring results cannot be recorded; trying again");
                    if shared.stop.sleep(backoff.pause()).await {
                        return Err(Error::Stopping);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether an error is about what is recorded, which no waiting mends.
fn is_of_the_record(error: &Error) -> bool {
    matches!(error, Error::Codec { .. } | Error::RuleSet(_))
}
