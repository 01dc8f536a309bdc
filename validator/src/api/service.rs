//! What the routes ask of a validator: the part of [`crate::service::Handle`] that a client may reach.

use async_trait::async_trait;
use domain::events::Challenge;
use domain::types::Hotkey;

use crate::service::{
    AcceptError, Accepted, ChallengeStats, ChallengeStatus, Health, LabelError, RegisterOutcome, RevealedLabel,
    RunningChange, ServiceError, Stats, ToldLabel, WaitingLabels,
};

/// A running validator as its routes see it.
#[async_trait]
pub trait Service: Send + Sync {
    /// The validator's hotkey.
    fn hotkey(&self) -> Hotkey;

    /// Takes a challenge on; returns after its commit.
    ///
    /// # Errors
    /// See [`AcceptError`].
    async fn accept(&self, challenge: Challenge) -> Result<Accepted, AcceptError>;

    /// How far a challenge is; none when it was never accepted.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn status(&self, id: &str) -> Result<Option<ChallengeStatus>, ServiceError>;

    /// The queue.
    fn challenge_stats(&self) -> ChallengeStats;

    /// Figures folded from the log.
    fn stats(&self) -> Stats;

    /// Whether the validator can do its work now.
    fn health(&self) -> Health;

    /// What the validator tells of itself for Prometheus.
    fn metrics(&self) -> metrics::Page;

    /// Pauses or resumes; `by` is who asked, for the log.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn set_running(&self, running: bool, by: &str) -> Result<RunningChange, ServiceError>;

    /// Takes the label of a round; returns after the commit of it and of the scores that follow.
    ///
    /// # Errors
    /// See [`LabelError`].
    async fn tell_label(&self, told: ToldLabel) -> Result<RevealedLabel, LabelError>;

    /// Rounds whose scores wait for a label.
    fn awaited_labels(&self) -> WaitingLabels;

    /// Looks whether the chain knows a miner.
    ///
    /// # Errors
    /// When the chain does not answer.
    async fn register(&self, hotkey: Hotkey) -> Result<RegisterOutcome, ServiceError>;
}

#[async_trait]
impl Service for crate::service::Handle {
    fn hotkey(&self) -> Hotkey {
        Self::hotkey(self)
    }

    async fn accept(&self, challenge: Challenge) -> Result<Accepted, AcceptError> {
        Self::accept(self, challenge).await
    }

    async fn status(&self, id: &str) -> Result<Option<ChallengeStatus>, ServiceError> {
        Self::status(self, id).await
    }

    fn challenge_stats(&self) -> ChallengeStats {
        Self::challenge_stats(self)
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn health(&self) -> Health {
        Self::health(self)
    }

    fn metrics(&self) -> metrics::Page {
        Self::metrics(self)
    }

    async fn set_running(&self, running: bool, by: &str) -> Result<RunningChange, ServiceError> {
        Self::set_running(self, running, by).await
    }

    async fn tell_label(&self, told: ToldLabel) -> Result<RevealedLabel, LabelError> {
        Self::tell_label(self, told).await
    }

    fn awaited_labels(&self) -> WaitingLabels {
        Self::awaited_labels(self)
    }

    async fn register(&self, hotkey: Hotkey) -> Result<RegisterOutcome, ServiceError> {
        Self::register(self, hotkey).await
    }
}
