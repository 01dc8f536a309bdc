//! Ledgers, the moment asked about, and the position an answer was read at.

use std::sync::Arc;

use async_graphql::{Context, Object, OneofObject, Result};
use projections::{AsOf, Frame, LedgerRow};

use crate::context::Request;
use crate::scalars::{BlockNumber, DateTime, EventPosition};

/// The moment that is asked about: exactly one of its fields.
#[derive(OneofObject)]
pub(crate) enum AsOfInput {
    /// Up to and including this position.
    Position(EventPosition),
    /// The last event recorded when no later block had been seen.
    Block(BlockNumber),
    /// The last event recorded at or before this time.
    Time(DateTime),
}

impl AsOfInput {
    pub(crate) fn moment(this: Option<Self>) -> AsOf {
        match this {
            None => AsOf::Newest,
            Some(Self::Position(position)) => AsOf::Position(position.0),
            Some(Self::Block(block)) => AsOf::Block(block.0),
            Some(Self::Time(time)) => AsOf::Time(time.0),
        }
    }
}

/// At which position an answer was read. An answer as of a position never changes.
pub(crate) struct Meta(pub(crate) Arc<Frame>);

impl Meta {
    pub(crate) fn position(&self) -> u64 {
        self.0.position
    }
}

/// At which position an answer was read. An answer as of a position never changes.
#[Object]
impl Meta {
    /// Origin of the ledger.
    async fn ledger(&self) -> &str {
        &self.0.ledger.origin
    }
    /// The last position that the answer takes into account.
    #[graphql(name = "position")]
    async fn read_position(&self) -> EventPosition {
        EventPosition(self.0.position)
    }
    /// Block last seen at that position.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.0.block)
    }
    /// When the event at that position was recorded.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }
    /// Events that are committed in the ledger and not in the read models yet.
    #[graphql(complexity = 5)]
    async fn lag(&self, context: &Context<'_>) -> Result<u64> {
        Request::of(context)?.lag(&self.0.ledger).await
    }
}

/// The log of one validator on one subnet.
pub(crate) struct Ledger(pub(crate) LedgerRow);

/// The log of one validator on one subnet.
#[Object]
impl Ledger {
    /// Its name as a transparency log.
    async fn origin(&self) -> &str {
        &self.0.origin
    }
    /// The subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid
    }
    /// The validator.
    async fn hotkey(&self) -> &str {
        &self.0.hotkey
    }
    /// Genesis hash of the chain, hex.
    async fn genesis_hash(&self) -> &str {
        &self.0.genesis_hash
    }
    /// Ed25519 public key of its checkpoints, hex.
    async fn checkpoint_key(&self) -> &str {
        &self.0.checkpoint_key
    }
    /// The newest position in the read models.
    async fn position(&self) -> EventPosition {
        EventPosition(self.0.next_position.saturating_sub(1))
    }
    /// Block last seen there.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.0.block)
    }
    /// When the event there was recorded.
    async fn at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }
    /// Events that are committed in the ledger and not in the read models yet.
    #[graphql(complexity = 5)]
    async fn lag(&self, context: &Context<'_>) -> Result<u64> {
        Request::of(context)?.lag(&self.0).await
    }
}
