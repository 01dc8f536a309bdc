//! The immutable facts of a ledger. One struct per kind; field order is the byte order of the payload and is frozen.
//!
//! **Architecture invariant:** no struct here holds a `Value`, a map without order, or an optional default: what is written
//! is the whole truth of the event.

mod chain;
mod delivery;
mod epoch;
mod evidence;
mod operator;
mod round;
mod scores;

pub use chain::*;
pub use delivery::*;
pub use epoch::*;
pub use evidence::*;
pub use operator::*;
pub use round::*;
pub use scores::*;

use crate::codec::{self, CodecError};
use crate::types::Block;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A payload struct of one kind and version.
pub trait Payload: Serialize + DeserializeOwned {
    /// The kind as it stands in the leaf.
    const KIND: &'static str;
    /// The version as it stands in the leaf. A change of shape is a new version with an upcaster.
    const VERSION: u16;

    /// The raw blocks, in declared order.
    fn blocks(&self) -> Vec<&Block> {
        Vec::new()
    }

    /// The raw blocks, to be filled by the codec.
    fn blocks_mut(&mut self) -> Vec<&mut Block> {
        Vec::new()
    }
}

/// Kinds whose payload no operator can erase. They hold nobody's words: what the ledger is and what was erased, the rules, what
/// the chain said, who was there. Draws, scores and weights after them could not be recomputed, here or by an audit.
pub const NEVER_ERASED: [&str; 9] = [
    "LedgerOpened",
    "PayloadErased",
    "CheckpointPublished",
    "RuleSetAdopted",
    "MetagraphObserved",
    "AvailabilitySwept",
    "ExternalScoresFetched",
    "EpochOpened",
    "WeightsDerived",
];

macro_rules! events {
    ($($name:ident $version:literal $([$($block:ident),+])?;)*) => {
        /// Any event of the ledger.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "each variant is documented at its struct")]
        pub enum Event {
            $($name($name),)*
        }

        $(
            impl Payload for $name {
                const KIND: &'static str = stringify!($name);
                const VERSION: u16 = $version;
                $(
                    fn blocks(&self) -> Vec<&Block> {
                        vec![$(&self.$block),+]
                    }
                    fn blocks_mut(&mut self) -> Vec<&mut Block> {
                        vec![$(&mut self.$block),+]
                    }
                )?
            }

            impl From<$name> for Event {
                fn from(payload: $name) -> Self {
                    Self::$name(payload)
                }
            }
        )*

        impl Event {
            /// Every kind, in the order of the first design.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The kind as it stands in the leaf.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::KIND,)* }
            }

            /// The version as it stands in the leaf.
            #[must_use]
            pub fn version(&self) -> u16 {
                match self { $(Self::$name(_) => $name::VERSION,)* }
            }

            /// The payload bytes.
            ///
            /// # Errors
            /// Those of [`codec::encode`].
            pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
                match self { $(Self::$name(payload) => codec::encode(payload),)* }
            }

            /// Reads payload bytes of a kind and version.
            ///
            /// # Errors
            /// Unknown kinds and versions, and bytes that do not have the kind's shape.
            pub fn decode(kind: &str, version: u16, payload: &[u8]) -> Result<Self, CodecError> {
                match (kind, version) {
                    $((stringify!($name), $version) => codec::decode::<$name>(payload).map(Self::$name),)*
                    _ => Err(CodecError::Unknown { kind: kind.to_owned(), version }),
                }
            }

            /// Reads the JSON part of a payload of a kind and version alone. Its blocks stay empty.
            ///
            /// # Errors
            /// Unknown kinds and versions, and text that does not have the kind's shape.
            pub fn decode_json(kind: &str, version: u16, json: &[u8]) -> Result<Self, CodecError> {
                match (kind, version) {
                    $((stringify!($name), $version) => codec::decode_json::<$name>(json).map(Self::$name),)*
                    _ => Err(CodecError::Unknown { kind: kind.to_owned(), version }),
                }
            }
        }
    };
}

events! {
    LedgerOpened 1;
    CheckpointPublished 1;
    RuleSetAdopted 1;
    PayloadErased 1;
    ValidatorStarted 1;
    ValidatorPaused 1;
    ValidatorResumed 1;
    ValidatorStopped 1;
    MetagraphObserved 1;
    AvailabilitySwept 1;
    ExternalScoresFetched 1 [reply];
    ChallengeAccepted 1;
    MinersSelected 1;
    ChallengeIssued 1;
    ResponseReceived 1 [body];
    ResponseFailed 1 [body];
    EmbeddingComputed 1 [vectors];
    JudgementRecorded 1 [reply];
    LabelRevealed 1;
    ResponseScored 1;
    RoundEvaluated 1 [similarity];
    RoundAbandoned 1;
    DeliveryAttempted 1;
    EpochOpened 1;
    WeightsDerived 1 [window];
    CheckpointAnchored 1;
    WeightsSubmitted 1;
    WeightsCommitted 1;
    WeightsRevealed 1;
    WeightsIncluded 1;
    WeightsRejected 1;
    EpochClosed 1;
}
