//! The header fields of a request, its nonce, and the message that is signed.

use domain::types::{Hotkey, sha256};

use super::Refusal;
use crate::Error;
use crate::keys::{Keypair, verify};

/// Who asks.
pub const VALIDATOR: &str = "validator-hotkey";
/// Who is asked.
pub const MINER: &str = "miner-hotkey";
/// `{Unix nanoseconds}_{10 letters and digits}`.
pub const NONCE: &str = "nonce";
/// `0x` and the signature in hexadecimal.
pub const SIGNATURE: &str = "signature";
/// Which symmetric key, in encrypted mode.
pub const KEY_UUID: &str = "symmetric-key-uuid";

/// How old or how far ahead a nonce may be, in seconds.
pub const WINDOW_SECONDS: u64 = 120;
pub(super) const SECOND: u64 = 1_000_000_000;

/// A nonce of fiber has 30 characters, one of other software perhaps some more.
const MAXIMUM_NONCE: usize = 64;
/// Names of keys have 36 or 64 characters.
const MAXIMUM_KEY_UUID: usize = 128;
const RANDOM_LETTERS: usize = 10;

/// A new nonce for the time `now`, in Unix nanoseconds.
///
/// # Errors
/// [`Error::Randomness`] when there is none.
pub fn nonce(now: u64) -> Result<String, Error> {
    Ok(format!("{now}_{}", crate::random::alphanumeric(RANDOM_LETTERS)?))
}

/// The time of a nonce in Unix nanoseconds.
///
/// # Errors
/// [`Refusal::NonceForm`] when there is none in front.
pub fn nonce_time(nonce: &str) -> Result<u64, Refusal> {
    let digits = nonce.split('_').next().unwrap_or_default();
    if nonce.len() > MAXIMUM_NONCE || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NonceForm);
    }
    digits.parse().map_err(|_| Refusal::NonceForm)
}

/// When the nonce of a time may be forgotten, if that time is within the window around `now`.
///
/// # Errors
/// [`Refusal::Stale`] when it is not.
pub(super) fn expiry(time: u64, now: u64, window: u64) -> Result<u64, Refusal> {
    if time.abs_diff(now) > window { Err(Refusal::Stale) } else { Ok(time.saturating_add(window)) }
}

/// What the signature covers beside nonce and miner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered<'a> {
    /// The bytes of a plain body.
    Body(&'a [u8]),
    /// The name of a symmetric key.
    Key(&'a str),
}

/// The signed message: `{nonce}:{miner}:{SHA-256 of the body, or the key's name}`.
#[must_use]
pub fn message(nonce: &str, miner: &str, covered: Covered<'_>) -> String {
    match covered {
        Covered::Body(body) => format!("{nonce}:{miner}:{}", sha256(body)),
        Covered::Key(uuid) => format!("{nonce}:{miner}:{uuid}"),
    }
}

/// The fields of a request, bounded and of the right form, nothing verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// Who says to ask.
    pub validator: Hotkey,
    /// Who is asked.
    pub miner: Hotkey,
    /// The nonce as sent.
    pub nonce: String,
    /// The signature.
    pub signature: [u8; 64],
    /// The symmetric key's name, in encrypted mode.
    pub key_uuid: Option<String>,
}

impl Headers {
    /// Reads the fields that `get` finds by their lower-case names.
    ///
    /// # Errors
    /// [`Refusal::Header`] names the field that is missing or malformed.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Refusal> {
        let field = |name: &'static str, most: usize| {
            get(name).filter(|text| !text.is_empty() && text.len() <= most).ok_or(Refusal::Header(name))
        };
        let hotkey = |name| field(name, 64)?.parse::<Hotkey>().map_err(|_| Refusal::Header(name));
        let signature = signature(field(SIGNATURE, 130)?).ok_or(Refusal::Header(SIGNATURE))?;
        let key_uuid = match get(KEY_UUID) {
            Some(_) => Some(field(KEY_UUID, MAXIMUM_KEY_UUID)?.to_owned()),
            None => None,
        };
        let nonce = field(NONCE, MAXIMUM_NONCE)?.to_owned();
        Ok(Self { validator: hotkey(VALIDATOR)?, miner: hotkey(MINER)?, nonce, signature, key_uuid })
    }

    /// The fields of a new request, signed.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none for the nonce.
    pub fn signed(keypair: &Keypair, miner: &Hotkey, covered: Covered<'_>, now: u64) -> Result<Self, Error> {
        let nonce = nonce(now)?;
        let signature = keypair.sign(message(&nonce, miner.as_str(), covered).as_bytes());
        let key_uuid = if let Covered::Key(uuid) = covered { Some(uuid.to_owned()) } else { None };
        Ok(Self { validator: keypair.hotkey(), miner: *miner, nonce, signature, key_uuid })
    }

    /// The fields as they are sent.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            (VALIDATOR, self.validator.to_string()),
            (MINER, self.miner.to_string()),
            (NONCE, self.nonce.clone()),
            (SIGNATURE, format!("0x{}", hex::encode(self.signature))),
        ];
        if let Some(uuid) = &self.key_uuid {
            fields.push((KEY_UUID, uuid.clone()));
        }
        fields
    }

    /// Whether the signature is the validator's over what it must cover.
    #[must_use]
    pub fn verifies(&self, covered: Covered<'_>) -> bool {
        let message = message(&self.nonce, self.miner.as_str(), covered);
        self.validator.public().is_ok_and(|public| verify(&public, message.as_bytes(), &self.signature))
    }
}

/// A signature in hexadecimal, with or without `0x`.
#[must_use]
pub fn signature(text: &str) -> Option<[u8; 64]> {
    let mut signature = [0; 64];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nonces_have_a_time_in_front() {
        let new = nonce(1_760_000_000_000_000_000).unwrap();
        assert_eq!((new.len(), nonce_time(&new)), (30, Ok(1_760_000_000_000_000_000)));
        assert_eq!(nonce_time("5"), Ok(5));
        for text in ["", "_", "_5", "a_b", "-1_x", "+1_x", " 1_x", "18446744073709551616_x", "1.5_x", &"1".repeat(65)] {
            assert_eq!(nonce_time(text), Err(Refusal::NonceForm), "{text:?}");
        }
        assert_eq!((expiry(10, 15, 5), expiry(20, 15, 5)), (Ok(15), Ok(25)));
        assert_eq!((expiry(9, 15, 5), expiry(21, 15, 5)), (Err(Refusal::Stale), Err(Refusal::Stale)));
    }

    #[test]
    fn fields_are_read_back_and_every_one_is_needed() {
        let (alice, bob) = (Keypair::from_uri("//Alice").unwrap(), Keypair::from_uri("//Bob").unwrap().hotkey());
        for covered in [Covered::Body(b"{}"), Covered::Key("name")] {
            let headers = Headers::signed(&alice, &bob, covered, 7 * SECOND).unwrap();
            let fields = headers.fields();
            let get = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
            let read = Headers::read(get).unwrap();
            assert_eq!(read, headers);
            assert!(
                read.verifies(covered) && !read.verifies(Covered::Body(b"[]")) && !read.verifies(Covered::Key("other"))
            );
            for name in [VALIDATOR, MINER, NONCE, SIGNATURE] {
                assert_eq!(Headers::read(|wanted| get(wanted).filter(|_| wanted != name)), Err(Refusal::Header(name)));
                let long = "1".repeat(300);
                let with =
                    |text: &'static str| Headers::read(|wanted| if wanted == name { Some(text) } else { get(wanted) });
                assert_eq!(with(""), Err(Refusal::Header(name)));
                assert_eq!(Headers::read(|w| if w == name { Some(&long) } else { get(w) }), Err(Refusal::Header(name)));
            }
            assert_eq!(
                Headers::read(|w| if w == KEY_UUID { Some("") } else { get(w) }),
                Err(Refusal::Header(KEY_UUID))
            );
        }
    }
}
