//! From a ledger and its surroundings to a running validator, and back to a closed ledger.

use std::sync::Arc;
use std::time::Duration;

use chain::Chain;
use domain::events::{LedgerOpened, RuleSetAdopted, ValidatorStarted, ValidatorStopped};
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::{Digest, HexBytes, Position, sha256};
use inference::EmbeddingService;
use ledger::checkpoint::{CheckpointDirectory, Contradiction};
use ledger::{AppendSettings, Cause, Ledger, LedgerReader, NewEvent};
use tokio::task::{JoinHandle, JoinSet};

use crate::Error;
use crate::board::{Board, decode};
use crate::chain_view::ChainView;
use crate::commands::Commands;
use crate::config::ValidatorConfig;
use crate::journal::{Entry, Journal};
use crate::judge::{Judge, Offline};
use crate::keeper::Checkpoints;
use crate::measures::Measures;
use crate::remembered::Remembered;
use crate::service::Handle;
use crate::shared::{Parts, Shared, streams};
use crate::transport::MinerTransport;
use crate::{epochs, keeper, metagraph, rounds, rules, sweep};

/// How long the last words of a validator may take to reach the ledger.
const FAREWELL: Duration = Duration::from_secs(5);
/// How much longer than the rounds' grace the other loops may take to end.
const LOOPS_GRACE: Duration = Duration::from_secs(5);

/// Opens the ledger of this validator for writing, and begins it when there is none: position 0 says what it is.
///
/// # Errors
/// [`ledger::Error::LeaseHeld`] when another process writes it; [`ledger::Error::Contradiction`] when there is none, but a
/// checkpoint outside vouches for it; what the chain and the database say.
pub async fn open_ledger(
    url: &str,
    holder: &str,
    config: &ValidatorConfig,
    chain: &dyn Chain,
) -> Result<Ledger, Error> {
    open_ledger_with(url, holder, config, chain, AppendSettings::default()).await
}

/// As [`open_ledger`], with other limits once the ledger has begun.
///
/// # Errors
/// As [`open_ledger`].
pub async fn open_ledger_with(
    url: &str,
    holder: &str,
    config: &ValidatorConfig,
    chain: &dyn Chain,
    settings: AppendSettings,
) -> Result<Ledger, Error> {
    let genesis_hash = chain.genesis_hash().await?;
    let hotkey = config.hotkey.hotkey();
    let origin = LedgerOpened::origin_of(&genesis_hash, config.netuid, &hotkey, config.ledger_number);
    match Ledger::open_writer_with(url, &origin, holder, settings).await {
        Err(ledger::Error::NoSuchLedger { .. } | ledger::Error::NotOpened { .. }) => {}
        opened => {
            let ledger = opened?;
            name_later_ones(url, &LedgerOpened::origin_of(&genesis_hash, config.netuid, &hotkey, 0), config).await?;
            return Ok(ledger);
        }
    }
    // It was there once: a database restored from before its beginning, or another one, is not where it goes on.
    if let Some(outside) = CheckpointDirectory::new(&config.checkpoint_directory).read(&origin)? {
        return Err(ledger::Error::from(Contradiction::Shorter { size: 0, outside: outside.checkpoint.size }).into());
    }
    let opened = LedgerOpened {
        leaf_format: 1,
        origin: origin.clone(),
        genesis_hash,
        netuid: config.netuid,
        hotkey,
        checkpoint_key: HexBytes(config.checkpoint_key.public()),
    };
    let opening = NewEvent::of(streams::LEDGER, streams::ONLY, &opened.into(), 0, Cause::Own)?;
    Ok(Ledger::create(url, &origin, holder, opening).await?)
}

/// Says when this validator's newest ledger is not the one that it goes on with: the number may have been forgotten.
async fn name_later_ones(url: &str, first: &str, config: &ValidatorConfig) -> Result<(), Error> {
    let number = |origin: &str| origin.strip_prefix(first)?.strip_prefix('/')?.parse::<u32>().ok();
    let newest = LedgerReader::list(url).await?.iter().filter_map(|ledger| number(&ledger.origin)).max();
    if let Some(newest) = newest.filter(|newest| *newest > config.ledger_number) {
        let going_on = config.ledger_number;
        tracing::warn!(newest, going_on, "the database holds a ledger of this validator that was begun later");
    }
    Ok(())
}

/// What produces evidence.
#[derive(Clone)]
pub struct Models {
    /// Vectors of texts.
    pub embeddings: EmbeddingService,
    /// Verdicts.
    pub judge: Arc<dyn Judge>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Models").field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl From<EmbeddingService> for Models {
    /// Verdicts come from the mechanism itself, where it can do without a model.
    fn from(embeddings: EmbeddingService) -> Self {
        Self { embeddings, judge: Arc::new(Offline) }
    }
}

/// A validator of one subnet. Several run in one process, each with its own ledger and loops.
#[derive(Debug)]
pub struct Validator;

impl Validator {
    /// Starts: reads the log, records the start, gives up what an earlier process left open, and begins all loops.
    ///
    /// The handle serves at once. The join handle ends when the validator has stopped: in order after
    /// [`Handle::stop`], with an error when something happened that no waiting mends, such as a lost lease.
    ///
    /// # Errors
    /// A ledger of another chain, hotkey or key, or one that the checkpoint outside contradicts, to which nothing is appended;
    /// a model that the rule set refuses; settings that cannot work; a ledger or a chain that does not answer.
    pub async fn start(
        config: ValidatorConfig,
        ledger: Ledger,
        chain: Arc<dyn Chain>,
        models: Models,
        transport: Arc<dyn MinerTransport>,
    ) -> Result<(Handle, JoinHandle<Result<(), Error>>), Error> {
        config.check()?;
        let Models { embeddings, judge } = models;
        let measures = Measures::of(&ledger);
        let judge: Arc<dyn Judge> = Arc::new(Remembered::new(measures.judge(judge)));
        let genesis_hash = check_identity(&config, &ledger, chain.as_ref()).await?;
        let checkpoints = Checkpoints::new(&ledger, &config)?;
        checkpoints.check().await?;
        let board = Board::new();
        board.catch_up(&ledger).await?;
        let configured = mechanism::open(&config.rule_set)?;
        check_model(configured.as_ref(), &embeddings)?;
        let mechanism = match binding(&board, &ledger, &config).await? {
            Some(began) => {
                mechanism::open(&began).map_err(|source| Error::OpenEpoch { rule_set: began.name(), source })?
            }
            None => configured,
        };
        check_model(mechanism.as_ref(), &embeddings)?;
        let head = chain.head().await?;
        let chain_view = ChainView::new(head);
        // For figures only: the first epoch looks again.
        if let Ok(parameters) = chain.hyperparameters(config.netuid, head.number).await {
            measures.learn(&parameters);
        }
        let shared = Arc::new(Shared::new(Parts {
            journal: Journal::new(ledger.clone(), chain_view.block()),
            commands: Commands::new(&ledger, chain_view.block()),
            checkpoints,
            config,
            board,
            chain,
            chain_view,
            embeddings,
            judge,
            transport,
            measures,
            mechanism,
        }));
        if shared.board.read().binding_rule_set().is_none() {
            adopt_configured(&shared, None).await?;
        }
        record_start(&shared, genesis_hash).await?;
        shared.board.catch_up(&ledger).await?;
        rounds::abandon_open(&shared).await?;
        let supervisor = tokio::spawn(supervise(Arc::clone(&shared)));
        Ok((Handle::new(shared), supervisor))
    }
}

/// The ledger must be this validator's, on this chain.
async fn check_identity(config: &ValidatorConfig, ledger: &Ledger, chain: &dyn Chain) -> Result<Digest, Error> {
    let origin = ledger.origin().to_owned();
    let stored = ledger.reader().get(0).await?;
    let event = stored.as_ref().map(decode).transpose()?.flatten();
    let Some(domain::events::Event::LedgerOpened(opened)) = event else {
        return Err(Error::Refused(format!("ledger {origin} does not begin with LedgerOpened")));
    };
    let genesis = chain.genesis_hash().await?;
    if opened.genesis_hash != genesis {
        return Err(Error::OtherChain { origin, chain: genesis, ledger: opened.genesis_hash });
    }
    let differs = [
        ("hotkey", opened.hotkey != config.hotkey.hotkey()),
        ("netuid", opened.netuid != config.netuid),
        ("checkpoint key", opened.checkpoint_key.0 != config.checkpoint_key.public()),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        Some((what, _)) => Err(Error::OtherIdentity { origin, what }),
        None => Ok(genesis),
    }
}

fn check_model(mechanism: &dyn mechanism::Mechanism, embeddings: &EmbeddingService) -> Result<(), Error> {
    let identity = embeddings.identity();
    let refused = || Error::ModelNotAccepted {
        rule_set: mechanism.rule_set().name(),
        model: identity.name.clone(),
        weights: identity.weights_sha256.clone(),
    };
    let model = crate::evidence::recorded_model(identity).map_err(|_| refused())?;
    if !mechanism.needs_vectors() || mechanism.accepts(&model) { Ok(()) } else { Err(refused()) }
}

/// The rule set that binds, when it is not the configured one.
async fn binding(board: &Board, ledger: &Ledger, config: &ValidatorConfig) -> Result<Option<RuleSet>, Error> {
    let binding = board.read().binding_rule_set().filter(|hash| *hash != config.rule_set.hash());
    let Some(hash) = binding else { return Ok(None) };
    if let Some(rule_set) = rules::adopted(ledger, hash).await? {
        tracing::info!(name = rule_set.name(), "the epoch is finished under the rule set it began with");
        return Ok(Some(rule_set));
    }
    Err(Error::Refused(format!("the open epoch's rule set {hash} was never adopted")))
}

/// Puts the configured rule set into force, recorded first unless it was the last one adopted. The fold has all that is committed.
///
/// # Errors
/// What the ledger says.
pub(crate) async fn adopt_configured(shared: &Shared, cause: Option<Position>) -> Result<(), Error> {
    let rule_set = &shared.config.rule_set;
    let adopted = shared.board.read().rule_set.as_ref().map(|adopted| adopted.hash);
    if adopted != Some(rule_set.hash()) {
        let (name, hash, bytes) = (rule_set.name(), rule_set.hash(), rule_set.bytes().to_owned());
        tracing::info!(name, %hash, "rule set adopted");
        let entry = Entry::new(streams::LEDGER, streams::ONLY, RuleSetAdopted { name, hash, bytes });
        let entry = match cause {
            Some(cause) => entry.because(cause),
            None => entry,
        };
        shared.journal.append(entry).await?;
    }
    if shared.mechanism().rule_set().hash() != rule_set.hash() {
        shared.put_into_force(mechanism::open(rule_set)?);
    }
    Ok(())
}

async fn record_start(shared: &Shared, genesis_hash: Digest) -> Result<(), Error> {
    let described = shared.config.describe(shared.transport.dialect().name(), &shared.embeddings.identity().name);
    let configuration = described.map_err(|error| Error::Refused(error.to_string()))?;
    let started = ValidatorStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        genesis_hash,
        configuration_hash: sha256(configuration.as_bytes()),
        configuration,
    };
    shared.journal.append(Entry::new(streams::OPERATOR, streams::ONLY, started)).await.map(drop)
}

type Ended = (&'static str, Result<(), Error>);

/// Runs all loops; the first that fails ends them all.
async fn supervise(shared: Arc<Shared>) -> Result<(), Error> {
    let mut loops: JoinSet<Ended> = JoinSet::new();
    let (follower, view) = (Arc::clone(&shared), Arc::clone(&shared));
    loops.spawn(async move {
        // The fold is needed until the last loop has ended.
        let end = crate::stop::Stop::new();
        ("reader of the log", follower.board.follow(follower.journal.ledger(), &end).await)
    });
    loops.spawn(async move {
        view.chain_view.follow(view.chain.as_ref(), &view.stop).await;
        ("reader of the chain", Ok(()))
    });
    let first = first_observation(&shared).await;
    let mut failure = first.err().filter(|error| !matches!(error, Error::Stopping));
    if failure.is_none() && !shared.stop.is_ordered() {
        failure = rounds::label::complete(&shared).await.err();
    }
    if failure.is_none() && !shared.stop.is_ordered() {
        let part = |name: &'static str, work: Work| async move { (name, work.await) };
        loops.spawn(part("metagraph watcher", Box::pin(metagraph::run(Arc::clone(&shared)))));
        loops.spawn(part("availability sweeper", Box::pin(sweep::run(Arc::clone(&shared)))));
        loops.spawn(part("rounds", Box::pin(rounds::run(Arc::clone(&shared)))));
        loops.spawn(part("epochs", Box::pin(epochs::run(Arc::clone(&shared)))));
        loops.spawn(part("checkpoints", Box::pin(keeper::run(Arc::clone(&shared)))));
        tokio::select! {
            // A loop that saw the order to stop may end before this task sees it.
            Some(joined) = loops.join_next() => match joined {
                Ok((_, Ok(()))) if shared.stop.is_ordered() => {}
                other => failure = Some(unexpected(other)),
            },
            () = shared.stop.stopped() => {}
        }
    }
    if let Some(error) = &failure {
        tracing::error!(%error, origin = shared.origin(), "the validator cannot go on");
        shared.stop.order(&error.to_string());
    }
    let ending = async {
        // The follower does not end by itself.
        while loops.len() > 1 {
            match loops.join_next().await {
                Some(Ok((_, Ok(())))) | None => {}
                Some(other) => {
                    failure.get_or_insert(unexpected(other));
                }
            }
        }
    };
    if tokio::time::timeout(shared.config.stop_grace + LOOPS_GRACE, ending).await.is_err() {
        tracing::warn!("loops that did not end in time are cut off");
    }
    loops.shutdown().await;
    farewell(&shared, failure.is_none()).await;
    failure.map_or(Ok(()), Err)
}

type Work = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The whole metagraph, as soon as chain and ledger give it.
async fn first_observation(shared: &Shared) -> Result<(), Error> {
    let mut backoff = crate::clock::Backoff::up_to(Duration::from_secs(10));
    loop {
        match metagraph::observe_all(shared).await {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the metagraph cannot be read; trying again");
                if shared.stop.sleep(backoff.pause()).await {
                    return Err(Error::Stopping);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn unexpected(joined: Result<Ended, tokio::task::JoinError>) -> Error {
    match joined {
        Ok((_, Err(error))) => error,
        Ok((name, Ok(()))) => Error::Task(name),
        Err(_) => Error::Task("loop (it panicked)"),
    }
}

/// Says in the log that the validator stopped, covers that by a checkpoint, and gives the ledger back.
async fn farewell(shared: &Shared, in_order: bool) {
    if in_order {
        let reason = shared.stop.reason().unwrap_or_default();
        let entry = Entry::new(streams::OPERATOR, streams::ONLY, ValidatorStopped { reason });
        let last_words = async {
            shared.journal.append(entry).await?;
            shared.checkpoints.publish(shared.journal.block().0).await
        };
        match tokio::time::timeout(FAREWELL, last_words).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the stop could not be recorded"),
            Err(_) => tracing::warn!("the stop could not be recorded in time"),
        }
    }
    if tokio::time::timeout(FAREWELL, shared.journal.ledger().close()).await.is_err() {
        tracing::warn!("the ledger could not be closed in time; its lease ends with the connection");
    }
}
