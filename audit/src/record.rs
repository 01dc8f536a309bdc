//! An event as it lies in a ledger, a database row or a bundle: envelope, leaf hash, salt and payload.
//!
//! Nothing here trusts the columns: [`Recorded::check`] recomputes commitment and leaf hash from the stored bytes.

use domain::codec::{self, CodecError};
use domain::events::Event;
use tlog::Hash;

use crate::leaf::{Leaf, LeafError, commitment};

/// One recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// 0-based, gapless index in the ledger.
    pub position: u64,
    /// Microseconds since 1970 UTC.
    pub recorded_at: u64,
    /// Last block seen, 0 if none.
    pub block: u64,
    /// Type of the stream.
    pub stream_type: String,
    /// Id of the stream.
    pub stream_id: String,
    /// Sequence in the stream, from 1.
    pub sequence: u64,
    /// Kind of the event.
    pub kind: String,
    /// Version of the payload's format.
    pub version: u16,
    /// Position of the event that led to this one, its own if none.
    pub cause: u64,
    /// Bytes of the payload, also once it is erased.
    pub payload_length: u32,
    /// Hash of the leaf.
    pub leaf_hash: Hash,
    /// Commitment to the payload.
    pub commitment: [u8; 32],
    /// The commitment's salt; `None` once erased.
    pub salt: Option<[u8; 32]>,
    /// The payload; `None` once erased.
    pub payload: Option<Vec<u8>>,
}

/// Why a recorded event is not what its leaf says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The leaf cannot be written.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Another leaf hash than the columns make.
    #[error("event {position}: the leaf hash is {recorded}, the columns make {recomputed}")]
    LeafHash {
        /// Position of the event.
        position: u64,
        /// As stored.
        recorded: Hash,
        /// As the columns make it.
        recomputed: Hash,
    },
    /// Another commitment than salt and payload make.
    #[error("event {position}: the commitment is {recorded}, salt and payload make {recomputed}")]
    Commitment {
        /// Position of the event.
        position: u64,
        /// As stored, hex.
        recorded: String,
        /// As salt and payload make it, hex.
        recomputed: String,
    },
    /// Another payload length than the payload has.
    #[error("event {position}: the payload length is {recorded}, the payload has {found} bytes")]
    PayloadLength {
        /// Position of the event.
        position: u64,
        /// As stored.
        recorded: u32,
        /// Bytes.
        found: usize,
    },
    /// Only one of salt and payload is there.
    #[error("event {position}: salt and payload are erased together or not at all")]
    HalfErased {
        /// Position of the event.
        position: u64,
    },
}

/// A payload of no known kind and version, or without its kind's shape.
#[derive(Debug, thiserror::Error)]
#[error("event {position}: its payload cannot be read")]
pub struct Unreadable {
    /// Position of the event.
    pub position: u64,
    /// What the codec says.
    #[source]
    pub source: CodecError,
}

impl Recorded {
    /// The leaf that the columns make.
    #[must_use]
    pub fn leaf(&self) -> Leaf<'_> {
        Leaf {
            position: self.position,
            recorded_at: self.recorded_at,
            block: self.block,
            stream_type: &self.stream_type,
            stream_id: &self.stream_id,
            sequence: self.sequence,
            kind: &self.kind,
            version: self.version,
            cause: self.cause,
            payload_length: self.payload_length,
            commitment: self.commitment,
        }
    }

    /// Whether the payload was erased.
    #[must_use]
    pub fn erased(&self) -> bool {
        self.payload.is_none() && self.salt.is_none()
    }

    /// Recomputes payload length, commitment (unless erased) and leaf hash.
    ///
    /// # Errors
    /// The first that is not as stored.
    pub fn check(&self) -> Result<(), RecordError> {
        let position = self.position;
        match (&self.salt, &self.payload) {
            (Some(salt), Some(payload)) => {
                if payload.len() != self.payload_length as usize {
                    let (recorded, found) = (self.payload_length, payload.len());
                    return Err(RecordError::PayloadLength { position, recorded, found });
                }
                let recomputed = commitment(salt, payload);
                if recomputed != self.commitment {
                    let (recorded, recomputed) = (hex::encode(self.commitment), hex::encode(recomputed));
                    return Err(RecordError::Commitment { position, recorded, recomputed });
                }
            }
            (None, None) => {}
            _ => return Err(RecordError::HalfErased { position }),
        }
        let recomputed = self.leaf().hash()?;
        if recomputed == self.leaf_hash {
            return Ok(());
        }
        Err(RecordError::LeafHash { position, recorded: self.leaf_hash, recomputed })
    }

    /// The typed event as an auditor reads it; none when the payload is erased. The bytes must be canonical.
    ///
    /// # Errors
    /// Unknown kinds and versions, and bytes that do not have the kind's shape.
    pub fn event(&self) -> Result<Option<Event>, CodecError> {
        let payload = self.payload.as_deref();
        payload.map(|payload| codec::decode_canonical(&self.kind, self.version, payload)).transpose()
    }

    /// The typed event as the log's own readers take it; none when the payload is erased. Whether the bytes are canonical
    /// is the audit's question ([`Self::event`]), and not asked here.
    ///
    /// # Errors
    /// Unknown kinds and versions, and bytes that do not have the kind's shape.
    pub fn fact(&self) -> Result<Option<Event>, Unreadable> {
        let decode = |payload: &Vec<u8>| Event::decode(&self.kind, self.version, payload);
        let position = self.position;
        self.payload.as_ref().map(decode).transpose().map_err(|source| Unreadable { position, source })
    }

    /// Bytes that it takes in memory and in a bundle, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words = self.stream_type.len() + self.stream_id.len() + self.kind.len();
        words + self.payload.as_ref().map_or(0, Vec::len) + 160
    }
}
