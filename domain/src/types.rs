//! Newtypes for what must not be confused. Parse, don't validate.

use crate::ss58::{self, Ss58Error};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// 0-based, gapless index of an event in its ledger, in order of commit.
    Position(u64)
);
number!(
    /// A block's number on the chain.
    BlockNumber(u64)
);
number!(
    /// A subnet's number.
    NetUid(u16)
);
number!(
    /// A slot of a subnet's metagraph. Not an identity: a slot changes hands.
    Uid(u16)
);
number!(
    /// 10⁻⁹ TAO.
    Rao(u64)
);
number!(
    /// Microseconds since the Unix epoch, UTC.
    Micros(u64)
);

/// An SS58 address of a hotkey (or coldkey): 48 base58 characters.
///
/// Addresses of one prefix have one length and base58's alphabet is in ASCII order, so the order of the texts is the order
/// of the public keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hotkey([u8; 48]);

/// For each byte whether it is in base58's alphabet. Every recorded hotkey is looked at, so the look is one load.
const BASE58: [bool; 256] = {
    let alphabet = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut table = [false; 256];
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = true;
        at += 1;
    }
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// For each byte the value of the hex digit that it is; 0xff when it is none.
const HEX_VALUES: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        table[HEX[value] as usize] = value as u8;
        table[HEX[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    table
};

impl Hotkey {
    /// The address of a public key.
    #[must_use]
    pub fn from_public(public: &[u8; 32]) -> Self {
        let text = ss58::encode(public);
        let mut bytes = [b'1'; 48];
        // 42·2²⁷² lies between 58⁴⁷ and 58⁴⁸, so the text always has 48 characters.
        bytes.copy_from_slice(text.as_bytes());
        Self(bytes)
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only base58 characters are ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The public key, checksum checked.
    ///
    /// # Errors
    /// When the recorded text is not a valid address.
    pub fn public(&self) -> Result<[u8; 32], Ss58Error> {
        ss58::decode(self.as_str())
    }

    /// Characters and length only: what a reader of already recorded events needs. The checksum is checked where a hotkey
    /// enters (`FromStr`) and again by [`Hotkey::public`].
    fn from_recorded(text: &str) -> Option<Self> {
        let bytes: [u8; 48] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| BASE58[usize::from(*byte)]).then_some(Self(bytes))
    }
}

impl FromStr for Hotkey {
    type Err = Ss58Error;
    fn from_str(text: &str) -> Result<Self, Ss58Error> {
        ss58::decode(text).map(|public| Self::from_public(&public))
    }
}

impl fmt::Display for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Hotkey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

struct HotkeyVisitor;

impl Visitor<'_> for HotkeyVisitor {
    type Value = Hotkey;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 48-character SS58 address")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hotkey, E> {
        Hotkey::from_recorded(text).ok_or_else(|| E::custom(format_args!("{text:?} is not an SS58 address")))
    }
}

impl<'de> Deserialize<'de> for Hotkey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HotkeyVisitor)
    }
}

/// Fixed-size bytes written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBytes<const N: usize>(pub [u8; N]);

/// A SHA-256 digest (or a block hash, root or public key).
pub type Digest = HexBytes<32>;
/// A 64-byte sr25519 or Ed25519 signature.
pub type Signature = HexBytes<64>;

impl<const N: usize> fmt::Display for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> FromStr for HexBytes<N> {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; N];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl<const N: usize> HexBytes<N> {
    /// Reads exactly `2 * N` hex digits of either case. The `hex` crate does the same at a quarter of the speed; it still says
    /// what is wrong where this finds nothing.
    fn from_digits(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != N || !rest.is_empty() {
            return None;
        }
        let (mut bytes, mut seen) = ([0; N], 0);
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (HEX_VALUES[usize::from(*high)], HEX_VALUES[usize::from(*low)]);
            seen |= high | low;
            *byte = high << 4 | low;
        }
        (seen < 16).then_some(Self(bytes))
    }
}

impl<const N: usize> Serialize for HexBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Digests and signatures fit; a buffer of 2 * N bytes cannot be named yet.
        let mut digits = [0; 128];
        let Some(digits) = digits.get_mut(..2 * N) else { return serializer.serialize_str(&hex::encode(self.0)) };
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
        }
        serializer.serialize_str(std::str::from_utf8(digits).unwrap_or_default())
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor<const N: usize>;
        impl<const N: usize> Visitor<'_> for HexVisitor<N> {
            type Value = HexBytes<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} lower-case hex digits", 2 * N)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HexBytes<N>, E> {
                if let Some(bytes) = HexBytes::from_digits(text) {
                    return Ok(bytes);
                }
                let mut bytes = [0; N];
                hex::decode_to_slice(text, &mut bytes).map_err(E::custom)?;
                Ok(HexBytes(bytes))
            }
        }
        deserializer.deserialize_str(HexVisitor)
    }
}

/// SHA-256 of one buffer.
#[must_use]
pub fn sha256(data: &[u8]) -> Digest {
    sha256_parts(&[data])
}

/// SHA-256 of the concatenation.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    HexBytes(hasher.finalize().into())
}

/// 128-bit integers as decimal strings: JSON readers lose bits above 2⁵³.
pub mod u128_text {
    use super::{Deserialize, Deserializer, Serializer};
    use serde::de::Error as _;

    /// Writes the decimal digits.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    /// Reads decimal digits.
    ///
    /// # Errors
    /// When the text is no 128-bit integer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Raw bytes that follow the JSON part of a payload; in the JSON part only their length stands. Copies share the bytes: a
/// block may hold the state of an epoch, which is megabytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Block {
    length: u32,
    bytes: Arc<Vec<u8>>,
}

impl Block {
    /// A block of the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        // A payload is capped far below 4 GiB by the codec, which refuses a longer block.
        Self { length: u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes: Arc::new(bytes) }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length that the JSON part states.
    #[must_use]
    pub fn stated_length(&self) -> u32 {
        self.length
    }

    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        self.bytes = Arc::new(bytes.to_vec());
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.bytes.len())
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.length)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let length = u32::deserialize(deserializer)?;
        if length > crate::codec::MAX_PAYLOAD {
            return Err(D::Error::custom(format_args!("block of {length} bytes is over the limit")));
        }
        Ok(Self { length, bytes: Arc::default() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Every byte in every place of a pair: the tables agree with the crate that they stand in for.
    #[test]
    fn hex_digits_are_read_and_written_as_the_hex_crate_does() {
        for first in 0..=127_u8 {
            for second in 0..=127_u8 {
                let text = String::from_utf8(vec![b'0', b'9', first, second]).unwrap();
                let mut expected = [0; 2];
                let expected = hex::decode_to_slice(&text, &mut expected).ok().map(|()| HexBytes(expected));
                assert_eq!(HexBytes::<2>::from_digits(&text), expected, "{text:?}");
            }
        }
        for wrong in ["", "0", "00", "000", "00000", "000000", "0\u{e9}0", "\u{e9}\u{e9}"] {
            assert_eq!(HexBytes::<2>::from_digits(wrong), None, "{wrong:?}");
        }
        let bytes: [u8; 64] = std::array::from_fn(|at| (at * 37 + 11) as u8);
        let written = serde_json::to_string(&HexBytes(bytes)).unwrap();
        assert_eq!(written, format!("\"{}\"", hex::encode(bytes)));
        assert_eq!(serde_json::from_str::<Signature>(&written).unwrap(), HexBytes(bytes));
        let longer = [7; 65];
        assert_eq!(serde_json::to_string(&HexBytes(longer)).unwrap(), format!("\"{}\"", hex::encode(longer)));
        let refused = serde_json::from_str::<Digest>("\"0g\"").unwrap_err().to_string();
        assert!(refused.contains(&hex::decode_to_slice("0g", &mut [0; 32]).unwrap_err().to_string()), "{refused}");
    }

    #[test]
    fn a_recorded_hotkey_has_48_characters_of_base58() {
        let hotkey = Hotkey::from_public(&[7; 32]);
        assert_eq!(Hotkey::from_recorded(hotkey.as_str()), Some(hotkey));
        for byte in 0..=127_u8 {
            let text = format!("{}{}", &hotkey.as_str()[..47], char::from(byte));
            let known = byte.is_ascii_alphanumeric() && !b"0OIl".contains(&byte);
            assert_eq!(Hotkey::from_recorded(&text).is_some(), known, "{text:?}");
        }
        assert_eq!(Hotkey::from_recorded(&hotkey.as_str()[..47]), None);
    }
}
