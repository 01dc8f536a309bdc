//! What the loops of one validator share. Nothing here decides anything.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use chain::Chain;
use domain::mechanism::Mechanism;
use domain::types::{Hotkey, Position};
use inference::EmbeddingService;
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::Error;
use crate::board::Board;
use crate::chain_view::ChainView;
use crate::commands::Commands;
use crate::config::ValidatorConfig;
use crate::epochs::Watch;
use crate::journal::Journal;
use crate::judge::Judge;
use crate::keeper::Checkpoints;
use crate::measures::Measures;
use crate::stop::Stop;
use crate::transport::MinerTransport;

/// Types of streams that no aggregate owns, and the id where a ledger has one stream of a type.
pub mod streams {
    /// Facts of the ledger itself.
    pub const LEDGER: &str = "ledger";
    /// What the operator did.
    pub const OPERATOR: &str = "operator";
    /// Observations of the metagraph.
    pub const METAGRAPH: &str = "metagraph";
    /// Availability sweeps.
    pub const AVAILABILITY: &str = "availability";
    /// What outside services say of miners and validators.
    pub const EXTERNAL: &str = "external";
    /// Challenges; the id is the client's.
    pub const CHALLENGE: &str = "challenge";
    /// The id of a stream that is alone in its type.
    pub const ONLY: &str = "0";
}

/// Challenges between their first byte and the fold.
#[derive(Debug, Default)]
pub(crate) struct Accepting {
    /// Not committed yet.
    pub(crate) under_way: usize,
    /// Committed, and perhaps not folded in yet.
    pub(crate) committed: BTreeSet<Position>,
}

/// Handles that every loop needs.
pub(crate) struct Shared {
    pub(crate) config: ValidatorConfig,
    pub(crate) own: Hotkey,
    pub(crate) journal: Journal,
    pub(crate) commands: Commands,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) board: Board,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) chain_view: ChainView,
    pub(crate) embeddings: EmbeddingService,
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) transport: Arc<dyn MinerTransport>,
    /// What is counted beside the work.
    pub(crate) measures: Measures,
    pub(crate) stop: Stop,
    pub(crate) started: Instant,
    /// Acceptances that the fold has not counted yet. Locked for moments only, never across an await.
    pub(crate) accepting: std::sync::Mutex<Accepting>,
    /// Held while rounds are paused or resumed.
    pub(crate) switching: Mutex<()>,
    /// Held while a round is evaluated: each goes on from the statistics that the one before left.
    pub(crate) evaluating: Mutex<()>,
    /// Held while the metagraph is read and recorded, so that observations follow each other.
    pub(crate) observing: Mutex<()>,
    /// Look at the metagraph now.
    pub(crate) look_now: Notify,
    /// Sweep now.
    pub(crate) sweep_now: Notify,
    /// Places for labels that clients tell.
    pub(crate) telling: Arc<Semaphore>,
    /// Places for probes of sweeps.
    pub(crate) probes: Semaphore,
    /// End the open epoch now.
    pub(crate) close_epoch: Notify,
    /// Weights on their way, for an operator to see.
    pub(crate) watch: Watch,
    /// A round holds it for reading from its draw to its end, a derivation for writing.
    pub(crate) gate: Arc<tokio::sync::RwLock<()>>,
    mechanism: RwLock<Arc<dyn Mechanism>>,
    ledger_answers: AtomicBool,
}

/// The parts that are made before the loops are.
pub(crate) struct Parts {
    pub(crate) config: ValidatorConfig,
    pub(crate) journal: Journal,
    pub(crate) commands: Commands,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) board: Board,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) chain_view: ChainView,
    pub(crate) embeddings: EmbeddingService,
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) transport: Arc<dyn MinerTransport>,
    pub(crate) measures: Measures,
    pub(crate) mechanism: Arc<dyn Mechanism>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            own: parts.config.hotkey.hotkey(),
            config: parts.config,
            journal: parts.journal,
            commands: parts.commands,
            checkpoints: parts.checkpoints,
            board: parts.board,
            chain: parts.chain,
            chain_view: parts.chain_view,
            embeddings: parts.embeddings,
            judge: parts.judge,
            transport: parts.transport,
            measures: parts.measures,
            stop: Stop::new(),
            started: Instant::now(),
            accepting: std::sync::Mutex::default(),
            switching: Mutex::new(()),
            evaluating: Mutex::new(()),
            observing: Mutex::new(()),
            look_now: Notify::new(),
            sweep_now: Notify::new(),
            telling: Arc::new(Semaphore::new(crate::service::labels::MOST_AT_ONCE)),
            probes: Semaphore::new(crate::sweep::MOST_AT_ONCE),
            close_epoch: Notify::new(),
            watch: Watch::default(),
            gate: Arc::new(tokio::sync::RwLock::new(())),
            mechanism: RwLock::new(parts.mechanism),
            ledger_answers: AtomicBool::new(true),
        }
    }

    /// The ledger's origin.
    pub(crate) fn origin(&self) -> &str {
        self.journal.ledger().origin()
    }

    /// Waits until the fold has all that is committed, also what an append left whose outcome is unknown.
    ///
    /// # Errors
    /// What the ledger says while nobody can be asked, and [`Error::Lag`].
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        match self.journal.ledger().settled().await?.checked_sub(1) {
            Some(last) => self.board.reach(Position(last)).await,
            None => Ok(()),
        }
    }

    /// The mechanism in force.
    pub(crate) fn mechanism(&self) -> Arc<dyn Mechanism> {
        self.mechanism.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another rule set into force. Its `RuleSetAdopted` is committed already.
    pub(crate) fn put_into_force(&self, mechanism: Arc<dyn Mechanism>) {
        *self.mechanism.write().unwrap_or_else(PoisonError::into_inner) = mechanism;
    }

    /// Whether the ledger answered when it was asked last.
    pub(crate) fn ledger_answers(&self) -> bool {
        self.ledger_answers.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ledger_answers(&self, answers: bool) {
        if !answers {
            self.measures.ping_failed();
        }
        if self.ledger_answers.swap(answers, Ordering::Relaxed) != answers {
            if answers {
                tracing::info!(origin = self.origin(), "the ledger answers again");
            } else {
                tracing::warn!(origin = self.origin(), "the ledger does not answer");
            }
        }
    }
}
