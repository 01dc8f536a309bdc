//! The way in: what routes and tests call on a running validator.

use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use domain::events::{Challenge, ChallengeAccepted, ValidatorPaused, ValidatorResumed};
use domain::mechanism::Mechanism;
use domain::types::{Digest, Hotkey, NetUid, Position};
use domain::wire;
use ledger::LedgerReader;

use super::{
    AcceptError, Accepted, ChallengeStats, ChallengeStatus, Health, RegisterOutcome, RunningChange, ServiceError,
    Stats, WaitingRound, status,
};
use crate::Error;
use crate::journal::Entry;
use crate::shared::{Shared, streams};

/// When a full queue is worth another try: one round's deadline is a minute, and many are under way.
const RETRY_AFTER_SECONDS: u32 = 10;

/// A running validator. Cheap to clone; outlives it, and then says that it is stopping.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// A place in the queue. It is given up when the acceptance fails; a committed one counts until the fold has counted it,
/// so that neither a burst nor a client that hangs up can pass the limit.
struct Place {
    shared: Arc<Shared>,
    committed: Option<Position>,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Result<Self, AcceptError> {
        let fold = shared.board.read();
        let mut accepting = shared.accepting.lock().unwrap_or_else(PoisonError::into_inner);
        accepting.committed.retain(|position| Some(*position) > fold.last_accepted);
        let queued = fold.queued() + accepting.under_way + accepting.committed.len();
        if queued >= shared.config.queue_limit {
            return Err(AcceptError::TooMany { queued, retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        accepting.under_way += 1;
        Ok(Self { shared: Arc::clone(shared), committed: None })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut accepting = self.shared.accepting.lock().unwrap_or_else(PoisonError::into_inner);
        accepting.under_way -= 1;
        accepting.committed.extend(self.committed);
    }
}

/// Refuses a task that could not be issued: nobody could answer it.
fn check_task(mechanism: &dyn Mechanism, challenge: &Challenge) -> Result<(), AcceptError> {
    let refused = |problem: String| AcceptError::Invalid { field: "task".to_owned(), problem };
    match mechanism.synapse(challenge) {
        Err(problem) if challenge.task.is_none() => {
            Err(refused(format!("is missing or the rest of the challenge makes none: {problem}")))
        }
        Err(problem) => Err(refused(format!("cannot be used: {problem}"))),
        Ok(None) if challenge.task.is_some() => {
            Err(refused(format!("is nothing that rule set {} asks about; leave it out", mechanism.rule_set().name())))
        }
        Ok(_) => Ok(()),
    }
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What the validator's own tasks share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.origin()
    }

    /// The subnet.
    #[must_use]
    pub fn netuid(&self) -> NetUid {
        self.shared.config.netuid
    }

    /// The validator's hotkey.
    #[must_use]
    pub fn hotkey(&self) -> Hotkey {
        self.shared.own
    }

    /// A reader of the ledger.
    #[must_use]
    pub fn reader(&self) -> &LedgerReader {
        self.shared.journal.ledger().reader()
    }

    /// The hash of the newest block.
    ///
    /// # Errors
    /// Why the chain is not known now.
    pub fn newest_block(&self) -> Result<Digest, String> {
        self.shared.chain_view.head().map(|head| head.hash)
    }

    /// Takes a challenge on. Returns after its commit: what is accepted is never lost.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub async fn accept(&self, challenge: Challenge) -> Result<Accepted, AcceptError> {
        let shared = &self.shared;
        if shared.stop.is_ordered() {
            return Err(AcceptError::Unavailable("the validator is stopping".to_owned()));
        }
        if !shared.ledger_answers() {
            return Err(AcceptError::Unavailable("the ledger does not answer".to_owned()));
        }
        check_task(shared.mechanism().as_ref(), &challenge)?;
        let place = Place::take(shared)?;
        let head = shared.chain_view.head().map_err(AcceptError::Unavailable)?;
        let invalid = |field: &str, problem: String| AcceptError::Invalid { field: field.to_owned(), problem };
        for (field, value) in [("temperature", challenge.temperature), ("top_p", challenge.top_p)] {
            if !value.is_finite() {
                return Err(invalid(field, "is not a finite number".to_owned()));
            }
        }
        let commitment = wire::commitment(&challenge).map_err(|error| invalid("challenge", error.to_string()))?;
        let id = challenge.id.clone();
        let accepted = ChallengeAccepted { block: head.number, block_hash: head.hash, commitment, challenge };
        shared.config.faults.point("before_commit").await;
        let entry = Entry::new(streams::CHALLENGE, id.clone(), accepted);
        // A task of its own: a client that hangs up now does not take the place back.
        let appending = tokio::spawn(async move {
            let mut place = place;
            let appended = place.shared.journal.begin(entry).await;
            place.committed = appended.as_ref().ok().map(|appended| Position(appended.first));
            appended
        });
        let appended = appending.await.map_err(|error| AcceptError::Unknown(error.to_string()))?;
        let outcome = match appended {
            Ok(appended) => Ok(Accepted { position: Position(appended.first), commitment }),
            Err(Error::Ledger(ledger::Error::Conflict { .. })) => Err(AcceptError::Duplicate { id }),
            Err(Error::Ledger(ledger::Error::InvalidEvent { reason, .. })) => Err(invalid("id", reason)),
            Err(Error::Ledger(error @ ledger::Error::UnitSize { .. })) => Err(invalid("challenge", error.to_string())),
            Err(Error::Codec { source, .. }) => Err(invalid("challenge", source.to_string())),
            Err(Error::Ledger(error @ ledger::Error::OutcomeUnknown { .. })) => {
                Err(AcceptError::Unknown(error.to_string()))
            }
            Err(error) => Err(AcceptError::Unavailable(error.to_string())),
        };
        shared.config.faults.point("after_commit_before_answer").await;
        outcome
    }

    /// Rounds whose scores wait for a label, at most so many, in order of their ids.
    #[must_use]
    pub fn waiting_for_labels(&self, limit: usize) -> Vec<WaitingRound> {
        self.waiting_after(None, limit)
    }

    /// Whether a round's scores wait for a label.
    pub(crate) fn waits_for_label(&self, round: &str) -> bool {
        self.shared.board.read().waiting.contains_key(round)
    }

    /// As [`Handle::waiting_for_labels`], beginning after this round.
    pub(crate) fn waiting_after(&self, round: Option<&str>, limit: usize) -> Vec<WaitingRound> {
        let fold = self.shared.board.read();
        let from = round.map_or(Bound::Unbounded, Bound::Excluded);
        let waiting = fold.waiting.range::<str, _>((from, Bound::Unbounded)).take(limit);
        waiting
            .map(|(round, waiting)| WaitingRound {
                round: round.clone(),
                accepted: waiting.accepted,
                evaluated: waiting.evaluated,
            })
            .collect()
    }

    /// Records the label of a round and the scores that follow from it. Gives where the last of them stands.
    ///
    /// # Errors
    /// [`Error::Label`] with the field for a round that waits for no label and for a label that the mechanism cannot use: then
    /// nothing is recorded. What the ledger says.
    pub async fn reveal_label(&self, round: &str, source: &str, label: &str) -> Result<Position, Error> {
        let revealed = crate::rounds::label::reveal(&self.shared, round, source, label).await?;
        Ok(revealed.evaluated)
    }

    /// Whether the validator was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_ordered()
    }

    /// Waits, or until the validator stops.
    pub async fn sleep(&self, time: std::time::Duration) {
        self.shared.stop.sleep(time).await;
    }

    /// How far a challenge is; none when it was never accepted.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when the ledger does not answer.
    pub async fn status(&self, id: &str) -> Result<Option<ChallengeStatus>, ServiceError> {
        status::of(&self.shared, id).await.map_err(|error| ServiceError::Unavailable(error.to_string()))
    }

    /// The queue.
    #[must_use]
    pub fn challenge_stats(&self) -> ChallengeStats {
        let fold = self.shared.board.read();
        ChallengeStats {
            queue_size: fold.queued(),
            active: fold.active(),
            queue_limit: self.shared.config.queue_limit,
            total_received: fold.counters.accepted,
        }
    }

    /// What the validator tells of itself for Prometheus: the fold, and what is counted beside the work.
    #[must_use]
    pub fn metrics(&self) -> metrics::Page {
        crate::measures::page(&self.shared)
    }

    /// Figures folded from the whole log.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let position = Position(self.shared.board.size());
        let fold = self.shared.board.read();
        let counters = fold.counters;
        let mean = counters.response_time_ms as f64 / counters.answered as f64;
        Stats {
            total_challenges: counters.accepted,
            evaluated_challenges: counters.evaluated,
            abandoned_challenges: counters.abandoned,
            successful_responses: counters.answered,
            failed_responses: counters.failed,
            average_response_time_ms: (counters.answered > 0).then_some(mean),
            uptime_seconds: self.shared.started.elapsed().as_secs(),
            active_miners: fold.available().count(),
            epoch: fold.epoch.as_ref().map(|epoch| epoch.opened.epoch),
            closed_epoch: fold.closed.clone(),
            submission: self.shared.watch.open(),
            misdirected_weights: self.shared.watch.misdirected_weights(),
            position,
        }
    }

    /// Whether the validator can do its work now.
    #[must_use]
    pub fn health(&self) -> Health {
        let shared = &self.shared;
        let (ledger, chain) = (shared.ledger_answers(), shared.chain_view.head());
        let fold = shared.board.read();
        let reason = if let Some(reason) = shared.stop.reason() {
            Some(format!("stopping: {reason}"))
        } else if !ledger {
            Some("the ledger does not answer".to_owned())
        } else if let Err(reason) = &chain {
            Some(reason.clone())
        } else if fold.paused {
            Some("paused".to_owned())
        } else {
            None
        };
        Health {
            version: env!("CARGO_PKG_VERSION"),
            available: reason.is_none(),
            reason,
            running: !fold.paused,
            ledger,
            chain: chain.is_ok(),
            queue_size: fold.queued(),
            active: fold.active(),
            max_concurrent: shared.config.concurrency,
            block: shared.journal.block(),
            size: shared.journal.ledger().size(),
            origin: shared.origin().to_owned(),
            rule_set: shared.mechanism().rule_set().name(),
        }
    }

    /// Pauses or resumes the issuing of rounds. Challenges are accepted and epochs end all the same; rounds under way are
    /// finished. `by` is who asked, for the log.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when the ledger does not answer.
    pub async fn set_running(&self, running: bool, by: &str) -> Result<RunningChange, ServiceError> {
        let shared = &self.shared;
        let _one_at_a_time = shared.switching.lock().await;
        if shared.board.read().paused != running {
            return Ok(RunningChange { running, position: None });
        }
        let by = by.to_owned();
        let entry = if running {
            Entry::new(streams::OPERATOR, streams::ONLY, ValidatorResumed { by })
        } else {
            Entry::new(streams::OPERATOR, streams::ONLY, ValidatorPaused { by })
        };
        let unavailable = |error: Error| ServiceError::Unavailable(error.to_string());
        let position = shared.journal.append(entry).await.map_err(unavailable)?;
        shared.board.reach(position).await.map_err(unavailable)?;
        Ok(RunningChange { running, position: Some(position) })
    }

    /// Looks whether the chain knows a miner, and has the metagraph and the miners looked at at once. Who is a miner is
    /// decided by the chain alone.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when the chain does not answer.
    pub async fn register(&self, hotkey: Hotkey) -> Result<RegisterOutcome, ServiceError> {
        let shared = &self.shared;
        let unavailable = |error: chain::Error| ServiceError::Unavailable(error.to_string());
        let head = shared.chain.head().await.map_err(unavailable)?;
        let metagraph = shared.chain.metagraph(shared.config.netuid, head.number).await.map_err(unavailable)?;
        let Some(neuron) = metagraph.neuron_of(&hotkey) else {
            return Ok(RegisterOutcome::NotRegistered { block: head.number });
        };
        shared.look_now.notify_one();
        Ok(RegisterOutcome::Known { uid: neuron.uid, announced: neuron.axon().is_some(), block: head.number })
    }

    /// Ends the open epoch at once instead of at its block. An epoch that is being ended already goes on.
    pub fn close_epoch_now(&self) {
        self.shared.close_epoch.notify_one();
    }

    /// Orders the validator to stop; its join handle ends when it has. The first reason is recorded.
    pub fn stop(&self, reason: &str) {
        self.shared.stop.order(reason);
    }
}
