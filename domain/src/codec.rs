//! Payload bytes: `u32 json_len (big-endian), json, blocks`.
//!
//! The JSON is canonical by construction: a typed struct with its fields in declared order, no map, no `Value`. The blocks
//! follow in declared order; the JSON states their lengths. These bytes are frozen: they are hashed, stored, exported and
//! audited as they are and never re-encoded.

use crate::events::{Event, Payload};
use crate::finite;
use crate::types::Block;

/// The largest payload, in bytes.
pub const MAX_PAYLOAD: u32 = 8 << 20;

/// Why a payload could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// NaN or an infinity: no fact, and JSON cannot carry it.
    #[error("{kind}.{field} is not a finite number")]
    NotFinite {
        /// The event's kind.
        kind: &'static str,
        /// Path of the field.
        field: String,
    },
    /// Over [`MAX_PAYLOAD`].
    #[error("{kind} payload of {length} bytes is over the limit of {MAX_PAYLOAD}")]
    TooLarge {
        /// The event's kind.
        kind: String,
        /// Bytes.
        length: usize,
    },
    /// A kind or version that this program does not know.
    #[error("unknown event kind {kind:?} version {version}; a newer assay may know it")]
    Unknown {
        /// The kind in the envelope.
        kind: String,
        /// The version in the envelope.
        version: u16,
    },
    /// The JSON part does not have the kind's shape.
    #[error("{kind} payload is malformed")]
    Json {
        /// The event's kind.
        kind: String,
        /// What serde_json says.
        #[source]
        source: serde_json::Error,
    },
    /// Lengths that do not add up.
    #[error("{kind} payload of {length} bytes does not hold what it states: {problem}")]
    Frame {
        /// The event's kind.
        kind: String,
        /// Bytes of the whole payload.
        length: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Writes one typed payload.
///
/// # Errors
/// NaN and infinities (with the field's name), and payloads over [`MAX_PAYLOAD`].
pub fn encode<P: Payload>(payload: &P) -> Result<Vec<u8>, CodecError> {
    finite::check(payload).map_err(|found| CodecError::NotFinite { kind: P::KIND, field: found.0 })?;
    let blocks = payload.blocks();
    let blocks_length: usize = blocks.iter().map(|block| block.bytes().len()).sum();
    let mut out = Vec::with_capacity(4 + 512 + blocks_length);
    out.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut out, payload).map_err(|source| CodecError::Json { kind: P::KIND.to_owned(), source })?;
    let json_length = out.len() - 4;
    let length = out.len() + blocks_length;
    let stated = u32::try_from(json_length).ok().filter(|_| length <= MAX_PAYLOAD as usize);
    let Some(stated) = stated else {
        return Err(CodecError::TooLarge { kind: P::KIND.to_owned(), length });
    };
    out[..4].copy_from_slice(&stated.to_be_bytes());
    for block in blocks {
        out.extend_from_slice(block.bytes());
    }
    Ok(out)
}

/// Whether two payloads have the same bytes, without copies of their blocks. False for what cannot be encoded.
#[must_use]
pub fn same_bytes<P: Payload>(left: &P, right: &P) -> bool {
    let json = |payload: &P| finite::check(payload).ok().and_then(|()| serde_json::to_vec(payload).ok());
    let blocks = || left.blocks().into_iter().map(Block::bytes).eq(right.blocks().into_iter().map(Block::bytes));
    json(left).is_some_and(|left| json(right).is_some_and(|right| left == right)) && blocks()
}

/// The JSON part of a payload, without reading it.
///
/// # Errors
/// When the frame is cut short.
pub fn json_part<'a>(kind: &str, payload: &'a [u8]) -> Result<&'a [u8], CodecError> {
    Ok(split(kind, payload)?.0)
}

fn split<'a>(kind: &str, payload: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), CodecError> {
    let frame = |problem| CodecError::Frame { kind: kind.to_owned(), length: payload.len(), problem };
    if payload.len() > MAX_PAYLOAD as usize {
        return Err(CodecError::TooLarge { kind: kind.to_owned(), length: payload.len() });
    }
    let (head, rest) = payload.split_first_chunk::<4>().ok_or_else(|| frame("shorter than its length field"))?;
    let json_length = u32::from_be_bytes(*head) as usize;
    rest.split_at_checked(json_length).ok_or_else(|| frame("json part is cut short"))
}

/// Reads one typed payload.
///
/// # Errors
/// When the bytes do not have exactly the kind's shape: nothing missing, nothing left over.
pub fn decode<P: Payload>(payload: &[u8]) -> Result<P, CodecError> {
    let (json, mut rest) = split(P::KIND, payload)?;
    let mut value: P = decode_json(json)?;
    let frame = |problem| CodecError::Frame { kind: P::KIND.to_owned(), length: payload.len(), problem };
    for block in value.blocks_mut() {
        let (bytes, after) = rest
            .split_at_checked(block.stated_length() as usize)
            .ok_or_else(|| frame("a block is shorter than the json part states"))?;
        block.fill(bytes);
        rest = after;
    }
    if rest.is_empty() { Ok(value) } else { Err(frame("bytes are left over after the last block")) }
}

/// Reads the JSON part of a payload alone. The blocks stay empty, whatever lengths it states.
///
/// # Errors
/// When the text does not have the kind's shape.
pub fn decode_json<P: Payload>(json: &[u8]) -> Result<P, CodecError> {
    serde_json::from_slice(json).map_err(|source| CodecError::Json { kind: P::KIND.to_owned(), source })
}

/// Reads a payload and insists that it is canonical: writing it again gives the same bytes.
///
/// # Errors
/// Those of [`Event::decode`], and a frame error when the bytes are not canonical.
pub fn decode_canonical(kind: &str, version: u16, payload: &[u8]) -> Result<Event, CodecError> {
    let event = Event::decode(kind, version, payload)?;
    if event.encode()? == payload {
        return Ok(event);
    }
    Err(CodecError::Frame { kind: kind.to_owned(), length: payload.len(), problem: "its json is not canonical" })
}
