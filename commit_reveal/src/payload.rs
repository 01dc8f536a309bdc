//! What is inside a timelock commit.

use parity_scale_codec::{Decode, Encode};

use crate::{COMMIT_BYTES_MAXIMUM, Error};

/// Weights as they are encrypted, with the hotkey that commits them, so that nobody else can commit the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Payload {
    /// The 32 bytes of the hotkey's public key.
    pub hotkey: Vec<u8>,
    /// Whom the weights are for.
    pub uids: Vec<u16>,
    /// The weights, in the order of `uids`.
    pub values: Vec<u16>,
    /// The version key with which the weights are set.
    pub version_key: u64,
}

/// Weights that were revealed. Also the older payload, which names no hotkey.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Weights {
    /// Whom the weights are for.
    pub uids: Vec<u16>,
    /// The weights, in the order of `uids`.
    pub values: Vec<u16>,
    /// The version key with which they are set.
    pub version_key: u64,
}

impl Payload {
    /// The payload of a hotkey's weights.
    pub fn new(hotkey: &[u8; 32], weights: Weights) -> Self {
        let Weights { uids, values, version_key } = weights;
        Self { hotkey: hotkey.to_vec(), uids, values, version_key }
    }

    /// The bytes that are encrypted.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// Reads decrypted bytes to the end.
    ///
    /// # Errors
    /// Bytes that are no payload, or more than one commit can hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        read_all(bytes)
    }
}

impl Weights {
    /// The weights in what `committer` committed, as the chain reads them: the payload of this hotkey, or the older one without
    /// a hotkey.
    ///
    /// # Errors
    /// Neither of the two, which includes the payload of another hotkey.
    pub fn from_bytes(bytes: &[u8], committer: &[u8; 32]) -> Result<Self, Error> {
        match Payload::from_bytes(bytes) {
            Ok(payload) if payload.hotkey == committer => {
                let Payload { uids, values, version_key, .. } = payload;
                Ok(Self { uids, values, version_key })
            }
            Ok(_) => Err(Error::Payload { problem: "it names another hotkey than the one that committed it" }),
            Err(_) => read_all(bytes),
        }
    }

    /// The bytes of the older payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }
}

/// Decodes a value that takes all of the bytes. The decoder checks each length against the bytes that are left.
fn read_all<T: Decode>(mut bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > COMMIT_BYTES_MAXIMUM {
        return Err(Error::TooLong { field: "payload", found: bytes.len(), maximum: COMMIT_BYTES_MAXIMUM });
    }
    let value = T::decode(&mut bytes)
        .map_err(|_| Error::Payload { problem: "it is no SCALE of uids, values and a version key" })?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(Error::Payload { problem: "bytes are left over after the version key" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOTKEY: [u8; 32] = [7; 32];

    fn weights() -> Weights {
        Weights { uids: vec![0, 1], values: vec![65_535, 1], version_key: 7 }
    }

    #[test]
    fn a_payload_has_these_bytes() {
        let expected = format!("80{}080000010008ffff01000700000000000000", hex::encode(HOTKEY));
        assert_eq!(hex::encode(Payload::new(&HOTKEY, weights()).to_bytes()), expected);
    }

    #[test]
    fn weights_are_read_for_their_hotkey_alone() {
        let bytes = Payload::new(&HOTKEY, weights()).to_bytes();
        assert_eq!(Weights::from_bytes(&bytes, &HOTKEY), Ok(weights()));
        assert!(matches!(Weights::from_bytes(&bytes, &[8; 32]), Err(Error::Payload { .. })));
        assert_eq!(Weights::from_bytes(&weights().to_bytes(), &HOTKEY), Ok(weights()));
        assert!(Weights::from_bytes(&bytes[..bytes.len() - 1], &HOTKEY).is_err());
        assert!(Weights::from_bytes(&[bytes.as_slice(), &[0]].concat(), &HOTKEY).is_err());
        assert!(Weights::from_bytes(&[0; COMMIT_BYTES_MAXIMUM + 1], &HOTKEY).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_do_more_than_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(read) = Weights::from_bytes(&bytes, &HOTKEY) {
                prop_assert!(read.uids.len() + read.values.len() <= bytes.len());
            }
        }
    }
}
