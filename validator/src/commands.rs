//! Commands of rounds and epochs, under the stock framework of cqrs-es over the ledger's event store.

use std::collections::HashMap;

use cqrs_es::{AggregateError, CqrsFramework};
use domain::epoch::{Epoch, EpochCommand};
use domain::round::{Round, RoundCommand, RoundError};
use domain::types::{BlockNumber, Position};
use ledger::{CqrsAggregate, Ledger, LedgerStore};
use tokio::sync::watch;

use crate::Error;

/// Where a command's events stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Position of the first.
    pub(crate) first: Position,
    /// Position of the last.
    pub(crate) last: Position,
}

struct Stream<A: domain::Aggregate> {
    framework: CqrsFramework<CqrsAggregate<A>, LedgerStore<CqrsAggregate<A>>>,
    store: LedgerStore<CqrsAggregate<A>>,
}

impl<A: domain::Aggregate> Stream<A> {
    fn new(ledger: &Ledger) -> Self {
        let store = LedgerStore::new(ledger.clone());
        Self { framework: CqrsFramework::new(store.clone(), Vec::new(), ()), store }
    }

    /// Runs one command; none when it led to no event.
    async fn execute(
        &self,
        id: &str,
        command: A::Command,
        block: BlockNumber,
        cause: Option<Position>,
    ) -> Result<Option<Recorded>, AggregateError<A::Error>> {
        let mut metadata = HashMap::from([("block".to_owned(), block.to_string())]);
        if let Some(cause) = cause {
            metadata.insert("cause".to_owned(), cause.to_string());
        }
        self.framework.execute_with_metadata(id, command, metadata).await?;
        let commit = self.store.last_commit(id);
        Ok(commit.map(|commit| Recorded { first: Position(commit.first), last: Position(commit.last) }))
    }
}

/// The commands of one ledger.
pub(crate) struct Commands {
    rounds: Stream<Round>,
    epochs: Stream<Epoch>,
    block: watch::Receiver<BlockNumber>,
}

impl Commands {
    pub(crate) fn new(ledger: &Ledger, block: watch::Receiver<BlockNumber>) -> Self {
        Self { rounds: Stream::new(ledger), epochs: Stream::new(ledger), block }
    }

    fn block(&self) -> BlockNumber {
        *self.block.borrow()
    }

    /// Runs a round's command.
    ///
    /// # Errors
    /// [`RoundFailure::Evidence`] when the recorded evidence does not suffice, else what stopped it.
    pub(crate) async fn round(
        &self,
        id: &str,
        command: RoundCommand,
        cause: Position,
    ) -> Result<Recorded, RoundFailure> {
        match self.rounds.execute(id, command, self.block(), Some(cause)).await {
            Ok(Some(recorded)) => Ok(recorded),
            Ok(None) => Err(RoundFailure::Other(Error::Refused(format!("round {id}: the command led to no event")))),
            Err(AggregateError::UserError(RoundError::Evaluation(error))) => {
                Err(RoundFailure::Evidence(error.to_string()))
            }
            Err(error) => Err(RoundFailure::Other(plain(error))),
        }
    }

    /// Runs an epoch's command.
    ///
    /// # Errors
    /// What stopped it.
    pub(crate) async fn epoch(
        &self,
        id: &str,
        command: EpochCommand,
        cause: Option<Position>,
    ) -> Result<Recorded, Error> {
        let recorded = self.epochs.execute(id, command, self.block(), cause).await.map_err(plain)?;
        recorded.ok_or_else(|| Error::Refused(format!("epoch {id}: the command led to no event")))
    }
}

/// Why a round's command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundFailure {
    /// The recorded evidence cannot be scored.
    #[error("{0}")]
    Evidence(String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

/// The framework boxes the ledger's errors; their kind decides whether waiting helps.
fn plain<E: std::error::Error>(error: AggregateError<E>) -> Error {
    let inner = match error {
        AggregateError::UserError(error) => return Error::Refused(error.to_string()),
        AggregateError::AggregateConflict => {
            return Error::Conflict("the stream".to_owned());
        }
        AggregateError::DatabaseConnectionError(inner)
        | AggregateError::DeserializationError(inner)
        | AggregateError::UnexpectedError(inner) => inner,
    };
    match inner.downcast::<ledger::Error>() {
        Ok(error) => Error::Ledger(*error),
        Err(other) => Error::Refused(other.to_string()),
    }
}
