//! Loosh's challenge service: results and pictures go back to it, and what it says of validators and miners is recorded.
//!
//! Two tasks. The *delivery* follows the log: each evaluated round of a challenge that came from the service is brought back, its
//! batch and its pictures each by themselves, and each attempt is an event. The *fetching* asks the service for validators, weights
//! and scores, and records what is new.
//!
//! **Invariants.** The outbox is a fold of the log: what is brought is made of recorded events alone, and how far it has come follows
//! from the recorded attempts, so that a restart goes on where it stood and nothing that was delivered is brought again. Draws and
//! weights use what is recorded of the service, never an answer of the moment. A service that is away stops nothing else.

mod deliver;
mod images;
mod queue;
mod results;
mod scores;
mod told;

use std::sync::Arc;
use std::time::Duration;

use axon::challenge_service::ChallengeService;
use domain::ruleset::RuleSet;
use network::keys::Keypair;
use tokio::task::JoinHandle;

use crate::service::Handle;

/// Of which challenges results are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultsOf {
    /// Of those that say who asked: they came from the service.
    #[default]
    Service,
    /// Of all.
    All,
}

/// The way to a challenge service.
#[derive(Clone)]
pub struct Outbox {
    /// One attempt per call.
    pub service: Arc<ChallengeService>,
    /// Of which challenges results are brought.
    pub results_of: ResultsOf,
    /// Between two looks whether something is due, at most.
    pub look: Duration,
    /// Between two questions after validators, weights and scores. Upstream: 300 s.
    pub fetch: Duration,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Outbox").field("results_of", &self.results_of).finish_non_exhaustive()
    }
}

impl Outbox {
    /// The way to a service at an address such as `https://challenge.example`, for a hotkey.
    ///
    /// # Errors
    /// An address that is none.
    pub fn open(address: &str, hotkey: Keypair, api_key: Option<String>) -> Result<Self, axon::Error> {
        let service = ChallengeService::new(address, hotkey, api_key, axon::Clock::system())?;
        Ok(Self::new(Arc::new(service)))
    }

    /// Results of what the service asked, a look each second, scores each five minutes.
    #[must_use]
    pub fn new(service: Arc<ChallengeService>) -> Self {
        let (look, fetch) = (Duration::from_secs(1), Duration::from_secs(300));
        Self { service, results_of: ResultsOf::default(), look, fetch }
    }
}

/// The algorithm whose challenges come from such a service.
pub const ALGORITHM: &str = "loosh";

/// Starts both tasks. They end with the validator.
///
/// # Errors
/// A rule set of another subnet.
pub fn start(handle: &Handle, rule_set: &RuleSet, outbox: &Outbox) -> Result<Vec<JoinHandle<()>>, String> {
    if rule_set.algorithm() != ALGORITHM {
        return Err(format!("a challenge service is of use to rule sets of loosh; {} is none", rule_set.name()));
    }
    let delivering = deliver::deliver(handle.clone(), outbox.clone());
    let fetching = scores::fetch(handle.clone(), outbox.clone());
    Ok(vec![tokio::spawn(delivering), tokio::spawn(fetching)])
}
