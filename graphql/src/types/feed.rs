//! Events of the log.

use std::sync::Arc;

use async_graphql::{Json, Object, Result};
use projections::{Frame, queries};

use super::Meta;
use crate::error::internal;
use crate::scalars::{BlockNumber, DateTime, EventPosition};

/// An event of the log. Its payload is shown by the disclosure rule; until then its commitment and leaf hash stand for it.
pub(crate) struct Event(pub(crate) Arc<Frame>, pub(crate) queries::FeedEvent);

/// An event of the log. Its payload is shown by the disclosure rule; until then its commitment and leaf hash stand for it.
#[Object]
impl Event {
    /// At which position the log was read.
    async fn meta(&self) -> Meta {
        Meta(self.0.clone())
    }
    /// Its position.
    async fn position(&self) -> EventPosition {
        EventPosition(self.1.position)
    }
    /// When it was recorded.
    async fn at(&self) -> DateTime {
        DateTime(self.1.recorded_at)
    }
    /// Block last seen.
    async fn block(&self) -> BlockNumber {
        BlockNumber(self.1.block)
    }
    /// Type of its stream.
    async fn stream_type(&self) -> &str {
        &self.1.stream_type
    }
    /// Id of its stream.
    async fn stream_id(&self) -> &str {
        &self.1.stream_id
    }
    /// Sequence in the stream, from 1.
    async fn sequence(&self) -> u64 {
        self.1.sequence
    }
    /// Its kind.
    async fn kind(&self) -> &str {
        &self.1.kind
    }
    /// Version of the payload's format.
    async fn version(&self) -> u16 {
        self.1.version
    }
    /// Position of what led to it, its own if nothing did.
    async fn cause(&self) -> EventPosition {
        EventPosition(self.1.cause)
    }
    /// Bytes of the payload, also when it is not shown.
    async fn payload_length(&self) -> u32 {
        self.1.payload_length
    }
    /// Leaf hash in the ledger's Merkle tree, hex.
    async fn leaf_hash(&self) -> &str {
        &self.1.leaf_hash
    }
    /// Commitment to the payload, hex.
    async fn commitment(&self) -> &str {
        &self.1.commitment
    }
    /// Whether the payload may be shown.
    async fn disclosed(&self) -> bool {
        self.1.disclosed
    }
    /// Whether the payload was erased.
    async fn erased(&self) -> bool {
        self.1.erased
    }
    /// The payload without its raw blocks. Null until it may be shown, and once it is erased.
    #[graphql(complexity = 5)]
    async fn payload(&self) -> Result<Option<Json<serde_json::Value>>> {
        let parse = |text: &String| serde_json::from_str(text).map(Json);
        let parsed = self.1.payload.as_ref().map(parse).transpose();
        parsed.map_err(|error| internal(&format!("payload of event {}: {error}", self.1.position)))
    }
    /// The same as the exact text that is hashed.
    #[graphql(complexity = 5)]
    async fn payload_text(&self) -> Option<&String> {
        self.1.payload.as_ref()
    }
}
