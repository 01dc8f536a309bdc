//! Leaf format 1: the bytes of an event that the Merkle tree covers, and the salted commitment to its payload.
//!
//! The bytes are frozen: a ledger written today must verify for ever. Every column of a stored event is in its leaf or
//! follows from it; the payload is covered by the commitment only, so that a payload and its salt can be erased while
//! every proof still holds. Nothing here may re-encode a payload: the stored bytes are the ones that count.
//!
//! | field | bytes |
//! |---|---|
//! | format | `0x01` |
//! | position, recorded_at, block | 3 × u64 |
//! | stream type, stream id | 2 × (u16 length, UTF-8) |
//! | sequence | u64 |
//! | kind | u16 length, UTF-8 |
//! | version | u16 |
//! | cause | u64 |
//! | payload length | u32 |
//! | commitment | 32 |
//!
//! All integers are big-endian.

use sha2::{Digest, Sha256};

/// First byte of a leaf of this format.
pub const LEAF_FORMAT: u8 = 0x01;

/// Domain of the commitment's hash; the zero byte ends it, so that no other domain can begin with it.
const COMMITMENT_DOMAIN: &[u8] = b"assay/payload/1\0";

/// Bytes of a leaf whose three strings are empty: 1 + 3·8 + 2·2 + 8 + 2 + 2 + 8 + 4 + 32.
const FIXED_LENGTH: usize = 85;

/// Why a leaf could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// A string that its u16 length cannot count.
    #[error("the {field} of event {position} has {length} bytes, more than 65535")]
    StringTooLong {
        /// Which string.
        field: &'static str,
        /// Position of the event.
        position: u64,
        /// Bytes of the string.
        length: usize,
    },
    /// The bytes end before the leaf does.
    #[error("the leaf ends inside its {field}")]
    Truncated {
        /// The field that is cut off or missing.
        field: &'static str,
    },
    /// Bytes after the end of the leaf.
    #[error("{count} bytes follow the end of the leaf")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A first byte that is not [`LEAF_FORMAT`].
    #[error("leaf format {format} is unknown")]
    UnknownFormat {
        /// The first byte.
        format: u8,
    },
    /// A string that is not UTF-8.
    #[error("the {field} of the leaf is not UTF-8")]
    NotUtf8 {
        /// Which string.
        field: &'static str,
    },
}

/// An event's envelope and the commitment to its payload: what the tree covers. See the module for the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// 0-based, gapless index of the event in its ledger.
    pub position: u64,
    /// Microseconds since 1970-01-01 UTC; never decreases along a ledger.
    pub recorded_at: u64,
    /// Last block seen when the event was recorded, 0 if none.
    pub block: u64,
    /// Type of the event's stream.
    pub stream_type: &'a str,
    /// Identifier of the event's stream within its type.
    pub stream_id: &'a str,
    /// Sequence of the event within its stream.
    pub sequence: u64,
    /// Kind of the event.
    pub kind: &'a str,
    /// Version of the kind's payload format.
    pub version: u16,
    /// Position of the event that led to this one; its own position if none.
    pub cause: u64,
    /// Bytes of the payload.
    pub payload_length: u32,
    /// [`commitment`] of the payload.
    pub commitment: [u8; 32],
}

impl<'a> Leaf<'a> {
    /// The leaf's bytes, format 1.
    ///
    /// # Errors
    /// [`LeafError::StringTooLong`] when a string has more than 65,535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        let strings = self.stream_type.len() + self.stream_id.len() + self.kind.len();
        let mut bytes = Vec::with_capacity(FIXED_LENGTH + strings);
        bytes.push(LEAF_FORMAT);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(&self.recorded_at.to_be_bytes());
        bytes.extend_from_slice(&self.block.to_be_bytes());
        self.push_string(&mut bytes, "stream type", self.stream_type)?;
        self.push_string(&mut bytes, "stream id", self.stream_id)?;
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        self.push_string(&mut bytes, "kind", self.kind)?;
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.cause.to_be_bytes());
        bytes.extend_from_slice(&self.payload_length.to_be_bytes());
        bytes.extend_from_slice(&self.commitment);
        Ok(bytes)
    }

    fn push_string(&self, bytes: &mut Vec<u8>, field: &'static str, text: &str) -> Result<(), LeafError> {
        let too_long = |_| LeafError::StringTooLong { field, position: self.position, length: text.len() };
        let length = u16::try_from(text.len()).map_err(too_long)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// The leaf's hash in the tree: `SHA-256(0x00 ‖ leaf)`.
    ///
    /// # Errors
    /// As [`Leaf::encode`].
    pub fn hash(&self) -> Result<tlog::Hash, LeafError> {
        Ok(tlog::leaf_hash(&self.encode()?))
    }

    /// Reads a leaf of format 1. Each leaf has exactly one encoding, so that `decode(bytes)?.encode()` is `bytes`.
    ///
    /// # Errors
    /// When the bytes are of another format, cut off, followed by others, or hold a string that is not UTF-8.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, LeafError> {
        let mut reader = Reader { rest: bytes };
        let [format] = reader.array("format")?;
        if format != LEAF_FORMAT {
            return Err(LeafError::UnknownFormat { format });
        }
        let leaf = Self {
            position: u64::from_be_bytes(reader.array("position")?),
            recorded_at: u64::from_be_bytes(reader.array("recorded time")?),
            block: u64::from_be_bytes(reader.array("block")?),
            stream_type: reader.string("stream type")?,
            stream_id: reader.string("stream id")?,
            sequence: u64::from_be_bytes(reader.array("sequence")?),
            kind: reader.string("kind")?,
            version: u16::from_be_bytes(reader.array("version")?),
            cause: u64::from_be_bytes(reader.array("cause")?),
            payload_length: u32::from_be_bytes(reader.array("payload length")?),
            commitment: reader.array("commitment")?,
        };
        if !reader.rest.is_empty() {
            return Err(LeafError::TrailingBytes { count: reader.rest.len() });
        }
        Ok(leaf)
    }
}

/// The not yet read end of a leaf.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const LENGTH: usize>(&mut self, field: &'static str) -> Result<[u8; LENGTH], LeafError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(LeafError::Truncated { field })?;
        self.rest = rest;
        Ok(*head)
    }

    fn string(&mut self, field: &'static str) -> Result<&'a str, LeafError> {
        let length = u16::from_be_bytes(self.array(field)?);
        let (head, rest) = self.rest.split_at_checked(usize::from(length)).ok_or(LeafError::Truncated { field })?;
        self.rest = rest;
        std::str::from_utf8(head).map_err(|_| LeafError::NotUtf8 { field })
    }
}

/// Commitment to a payload: `SHA-256("assay/payload/1" ‖ 0x00 ‖ salt ‖ payload)`. The salt hides a payload that could be
/// guessed, also after both are erased.
pub fn commitment(salt: &[u8; 32], payload: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(COMMITMENT_DOMAIN).chain_update(salt).chain_update(payload).finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const SALT: [u8; 32] = [0xa5; 32];
    const PAYLOAD: &[u8] = b"\x00\x00\x00\x02{}";

    fn golden_leaf() -> Leaf<'static> {
        Leaf {
            position: 0x0102_0304_0506_0708,
            recorded_at: 1_760_000_000_123_456,
            block: 4_660_000,
            stream_type: "round",
            stream_id: "challenge-µ/1",
            sequence: 3,
            kind: "ResponseReceived",
            version: 2,
            cause: 0x0102_0304_0506_0700,
            payload_length: PAYLOAD.len() as u32,
            commitment: commitment(&SALT, PAYLOAD),
        }
    }

    /// These bytes were computed by an independent program from the description in the module's head.
    #[test]
    fn golden_bytes_of_format_1() {
        let leaf = golden_leaf();
        assert_eq!(hex::encode(leaf.commitment), "27cbbaccb7ec2f9866afc1dec5cecd3422148e95c44d5f3ea8c9e9ced6d38764");
        let bytes = leaf.encode().unwrap();
        assert_eq!(
            hex::encode(&bytes),
            concat!(
                "01",
                "0102030405060708",
                "000640b5eecfe240",
                "0000000000471b20",
                "0005726f756e64",
                "000e6368616c6c656e67652dc2b52f31",
                "0000000000000003",
                "0010526573706f6e73655265636569766564",
                "0002",
                "0102030405060700",
                "00000006",
                "27cbbaccb7ec2f9866afc1dec5cecd3422148e95c44d5f3ea8c9e9ced6d38764",
            )
        );
        assert_eq!(
            leaf.hash().unwrap().to_string(),
            "0526c43f33c1f0f6181312c924beb917d415605bb8f587fb063ac742916195bb"
        );
        assert_eq!(Leaf::decode(&bytes), Ok(leaf));
    }

    #[test]
    fn every_prefix_of_a_leaf_names_the_field_it_ends_in() {
        let bytes = golden_leaf().encode().unwrap();
        for length in 0..bytes.len() {
            let found = Leaf::decode(&bytes[..length]);
            assert!(matches!(found, Err(LeafError::Truncated { .. })), "{length}: {found:?}");
        }
        let boundaries = [
            (0, "format"),
            (1, "position"),
            (9, "recorded time"),
            (17, "block"),
            (25, "stream type"),
            (32, "stream id"),
            (48, "sequence"),
            (56, "kind"),
            (74, "version"),
            (76, "cause"),
            (84, "payload length"),
            (88, "commitment"),
        ];
        for (length, field) in boundaries {
            assert_eq!(Leaf::decode(&bytes[..length]), Err(LeafError::Truncated { field }));
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let mut bytes = golden_leaf().encode().unwrap();
        bytes.push(0);
        assert_eq!(Leaf::decode(&bytes), Err(LeafError::TrailingBytes { count: 1 }));
        bytes.pop();
        bytes[0] = 2;
        assert_eq!(Leaf::decode(&bytes), Err(LeafError::UnknownFormat { format: 2 }));
        bytes[0] = 1;
        bytes[27] = 0xff;
        assert_eq!(Leaf::decode(&bytes), Err(LeafError::NotUtf8 { field: "stream type" }));
    }

    #[test]
    fn a_string_is_at_most_65535_bytes() {
        let longest = "x".repeat(65_535);
        let leaf = Leaf { stream_id: &longest, ..golden_leaf() };
        assert_eq!(Leaf::decode(&leaf.encode().unwrap()), Ok(leaf));
        let longer = "x".repeat(65_536);
        let rows = [
            ("stream type", Leaf { stream_type: &longer, ..golden_leaf() }),
            ("stream id", Leaf { stream_id: &longer, ..golden_leaf() }),
            ("kind", Leaf { kind: &longer, ..golden_leaf() }),
        ];
        for (field, leaf) in rows {
            let expected = LeafError::StringTooLong { field, position: leaf.position, length: 65_536 };
            assert_eq!(leaf.encode(), Err(expected.clone()));
            assert_eq!(leaf.hash(), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(
            numbers in prop::array::uniform5(any::<u64>()), strings in prop::array::uniform3(".{0,40}"),
            version in any::<u16>(), payload_length in any::<u32>(), commitment in any::<[u8; 32]>(),
        ) {
            let [position, recorded_at, block, sequence, cause] = numbers;
            let [stream_type, stream_id, kind] = &strings;
            let leaf = Leaf {
                position, recorded_at, block, stream_type, stream_id, sequence, kind, version, cause, payload_length,
                commitment,
            };
            let bytes = leaf.encode().unwrap();
            prop_assert_eq!(bytes.len(), FIXED_LENGTH + stream_type.len() + stream_id.len() + kind.len());
            prop_assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(at in 0_usize..120, value in any::<u8>()) {
            let mut bytes = golden_leaf().encode().unwrap();
            bytes[at] = value;
            if let Ok(leaf) = Leaf::decode(&bytes) {
                prop_assert_eq!(leaf.encode(), Ok(bytes));
            }
        }
    }
}
