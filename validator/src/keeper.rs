//! Checkpoints outside of the database, and whether the ledger answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::types::Digest;
use domain::types::HexBytes;
use ledger::Ledger;
use ledger::checkpoint::{CheckpointDirectory, CheckpointPublisher};
use tokio::sync::Mutex;

use crate::Error;
use crate::config::ValidatorConfig;
use crate::journal::is_final;
use crate::shared::Shared;
use crate::signers::Signers;

/// How often the ledger is asked whether it is there.
const PING: Duration = Duration::from_secs(2);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// A checkpoint that lies outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(crate) size: u64,
    pub(crate) root: Digest,
}

/// Publishes checkpoints, one at a time.
pub(crate) struct Checkpoints {
    publisher: Mutex<CheckpointPublisher>,
    directory: CheckpointDirectory,
    signers: Signers,
    origin: String,
}

impl Checkpoints {
    pub(crate) fn new(ledger: &Ledger, config: &ValidatorConfig) -> Result<Self, Error> {
        let origin = ledger.origin().to_owned();
        let signers = Signers::new(&origin, config.checkpoint_key.clone(), config.hotkey.clone())?;
        let directory = CheckpointDirectory::new(&config.checkpoint_directory);
        let publisher = CheckpointPublisher::new(ledger.clone(), directory.clone(), signers.verifier_key()?);
        Ok(Self { publisher: Mutex::new(publisher), directory, signers, origin })
    }

    /// Compares the log with the checkpoint outside, before anything is appended to it.
    ///
    /// # Errors
    /// [`ledger::Error::Contradiction`] when the log is shorter than what was vouched for, or another one.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        Ok(self.publisher.lock().await.check().await.map(drop)?)
    }

    /// Publishes the present head, unless nothing is new, and gives the newest checkpoint outside.
    ///
    /// # Errors
    /// [`ledger::Error::Contradiction`] when the log contradicts the last one: nothing is signed then, and nothing may be
    /// appended by a validator that cannot say what happened to its log.
    pub(crate) async fn publish(&self, block: u64) -> Result<Outside, Error> {
        let mut publisher = self.publisher.lock().await;
        if let Some(published) = publisher.publish(&[&self.signers.log, &self.signers.hotkey], block).await? {
            let checkpoint = published.checkpoint;
            return Ok(Outside { size: checkpoint.size, root: HexBytes(checkpoint.root.0) });
        }
        let found = self.directory.read(&self.origin)?;
        let outside =
            found.map(|found| Outside { size: found.checkpoint.size, root: HexBytes(found.checkpoint.root.0) });
        outside.ok_or_else(|| Error::Refused("there is no checkpoint outside after publishing one".to_owned()))
    }
}

/// Keeps checkpoints young while the log grows, and asks the ledger whether it is there, until the validator stops.
///
/// # Errors
/// A log that contradicts its last checkpoint, and what no waiting mends.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut published = Instant::now();
    loop {
        let reader = shared.journal.ledger().reader();
        let ping = tokio::time::timeout(PING_TIMEOUT, reader.head()).await;
        shared.set_ledger_answers(matches!(ping, Ok(Ok(_))));
        if let Ok(Err(error)) = ping
            && is_final(&error)
        {
            return Err(error.into());
        }
        // A little early, so that the interval holds although the look is taken only each ping.
        if shared.ledger_answers() && published.elapsed() + PING + PING_TIMEOUT >= shared.config.checkpoint_interval {
            match shared.checkpoints.publish(shared.journal.block().0).await {
                Ok(_) => published = Instant::now(),
                Err(Error::Ledger(error)) if !is_final(&error) => {
                    tracing::warn!(%error, "no checkpoint can be published; trying again");
                }
                Err(error) => return Err(error),
            }
        }
        if shared.stop.sleep(PING).await {
            return Ok(());
        }
    }
}
