//! Epistula 2: requests whose header fields sign the body's hash, a UUID, a time and the receiver.
//!
//! The message is `{SHA-256 of the body}.{UUID}.{time}.{receiver, or nothing}` with the time in Unix milliseconds. A request
//! for one receiver also carries three *secret signatures* of the intervals of ten seconds around it, `{interval}.{receiver}`,
//! by which a proxy recognises the sender without reading the body; some copies write an interval as its number, others as
//! its time in milliseconds, and both are accepted.
//! Reference: <https://epistula.sybil.com>, and the copies of it in Targon and others.
//!
//! **Where this side is stricter**, which stays compatible: a request may be at most as far ahead as it may be old; it passes
//! once; and it must be for this receiver.

use std::sync::Mutex;

use domain::types::{Hotkey, sha256};

use crate::Error;
use crate::fiber::headers::signature;
use crate::fiber::server::lock;
use crate::keys::{Keypair, verify as verify_signature};
use crate::replay::{ReplayStore, Seen};

/// `2`.
pub const VERSION: &str = "Epistula-Version";
/// Unix milliseconds.
pub const TIMESTAMP: &str = "Epistula-Timestamp";
/// A random UUID.
pub const UUID: &str = "Epistula-Uuid";
/// The sender's address.
pub const SIGNED_BY: &str = "Epistula-Signed-By";
/// The receiver's address; may be missing.
pub const SIGNED_FOR: &str = "Epistula-Signed-For";
/// `0x` and the signature in hexadecimal.
pub const SIGNATURE: &str = "Epistula-Request-Signature";
/// Signatures of the interval before, of the request's own and of the one after.
pub const SECRET_SIGNATURES: [&str; 3] =
    ["Epistula-Secret-Signature-0", "Epistula-Secret-Signature-1", "Epistula-Secret-Signature-2"];

/// How old or how far ahead a request may be, in milliseconds.
pub const WINDOW: u64 = 8_000;
/// Length of an interval of secret signatures, in milliseconds.
pub const INTERVAL: u64 = 10_000;
const MAXIMUM_FIELD: usize = 130;

/// Why a request is refused. The texts go to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field is missing, too long or malformed.
    #[error("Missing or malformed header: {0}")]
    Header(&'static str),
    /// Another version.
    #[error("Epistula version is not 2")]
    Version,
    /// For somebody else, or for nobody.
    #[error("Bad Request, message is not intended for self")]
    OtherReceiver,
    /// The sender may not ask.
    #[error("Unauthorized, signer is not admitted")]
    NotAllowed,
    /// Too old, or from the future.
    #[error("Request is outside of the time window, check the clock")]
    Stale,
    /// The signature is not the sender's over this request.
    #[error("Signature Mismatch")]
    Signature,
    /// The sender used the UUID before.
    #[error("Request was used before")]
    Replayed,
    /// No room to remember it.
    #[error("Too many requests, try again later")]
    Full,
}

impl Refusal {
    /// The HTTP status: 400 for what is wrong with the request itself, 401 for the sender, 503 where there is no room.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Header(_) | Self::Version | Self::OtherReceiver | Self::Stale | Self::Signature | Self::Replayed => {
                400
            }
            Self::NotAllowed => 401,
            Self::Full => 503,
        }
    }
}

/// The signed message.
#[must_use]
pub fn message(body: &[u8], uuid: &str, timestamp: u64, signed_for: Option<&str>) -> String {
    format!("{}.{uuid}.{timestamp}.{}", sha256(body), signed_for.unwrap_or_default())
}

/// The number of the interval that a time lies in: rounded up.
#[must_use]
pub fn interval(timestamp: u64) -> u64 {
    timestamp.div_ceil(INTERVAL)
}

/// The header fields of a request with this body, for one receiver or for anybody. `now` is in Unix milliseconds.
///
/// # Errors
/// [`Error::Randomness`] when there is none for the UUID.
pub fn sign(
    keypair: &Keypair,
    body: &[u8],
    receiver: Option<&Hotkey>,
    now: u64,
) -> Result<Vec<(&'static str, String)>, Error> {
    let uuid = crate::random::uuid()?;
    let signed = |text: String| format!("0x{}", hex::encode(keypair.sign(text.as_bytes())));
    let signature = signed(message(body, &uuid, now, receiver.map(Hotkey::as_str)));
    let mut fields = vec![
        (VERSION, "2".to_owned()),
        (TIMESTAMP, now.to_string()),
        (UUID, uuid),
        (SIGNED_BY, keypair.ss58()),
        (SIGNATURE, signature),
    ];
    if let Some(receiver) = receiver {
        fields.push((SIGNED_FOR, receiver.to_string()));
        let first = interval(now).saturating_sub(1);
        for (name, number) in SECRET_SIGNATURES.into_iter().zip(first..) {
            fields.push((name, signed(format!("{number}.{receiver}"))));
        }
    }
    Ok(fields)
}

/// A receiver's rules.
#[derive(Debug, Clone, Copy)]
pub struct Receiver {
    /// Its own hotkey.
    pub own: Hotkey,
    /// Whether a request that names no receiver is accepted. It could be sent on to others by whoever gets it.
    pub unaddressed: bool,
}

impl Receiver {
    /// Verifies a request with the fields that `get` finds by name, and gives its sender. `admitted` says who may ask; `now`
    /// is in Unix milliseconds. Nothing is computed while `seen` is locked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify<'a>(
        &self,
        get: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: u64,
        admitted: impl FnOnce(&Hotkey) -> bool,
        seen: &Mutex<ReplayStore>,
    ) -> Result<Hotkey, Refusal> {
        let field =
            |name| get(name).filter(|text| (1..=MAXIMUM_FIELD).contains(&text.len())).ok_or(Refusal::Header(name));
        if field(VERSION)? != "2" {
            return Err(Refusal::Version);
        }
        let (uuid, timestamp) = (field(UUID)?, field(TIMESTAMP)?);
        let timestamp = Some(timestamp)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or(Refusal::Header(TIMESTAMP))?;
        let sender: Hotkey = field(SIGNED_BY)?.parse().map_err(|_| Refusal::Header(SIGNED_BY))?;
        let signed = signature(field(SIGNATURE)?).ok_or(Refusal::Header(SIGNATURE))?;
        // Some senders leave the field empty instead of out.
        let signed_for = get(SIGNED_FOR).filter(|text| !text.is_empty());
        match signed_for {
            Some(receiver) if receiver != self.own.as_str() => return Err(Refusal::OtherReceiver),
            None if !self.unaddressed => return Err(Refusal::OtherReceiver),
            _ => {}
        }
        if timestamp.abs_diff(now) > WINDOW {
            return Err(Refusal::Stale);
        }
        if !admitted(&sender) {
            return Err(Refusal::NotAllowed);
        }
        let message = message(body, uuid, timestamp, signed_for);
        if !sender.public().is_ok_and(|public| verify_signature(&public, message.as_bytes(), &signed)) {
            return Err(Refusal::Signature);
        }
        let remembered = lock(seen).accept(&sender, uuid, timestamp.saturating_add(WINDOW), now);
        remembered.map_err(|seen| match seen {
            Seen::Before => Refusal::Replayed,
            Seen::Full => Refusal::Full,
        })?;
        Ok(sender)
    }
}

/// Whether `signed` is `sender`'s secret signature for `receiver` of an interval around `now`, in either of the forms in
/// use. It proves that the sender wrote to the receiver lately, and nothing about a body.
#[must_use]
pub fn is_secret_signature(signed: &str, sender: &Hotkey, receiver: &Hotkey, now: u64) -> bool {
    let (Some(signed), Ok(public)) = (signature(signed), sender.public()) else { return false };
    let own = interval(now);
    [own.saturating_sub(1), own, own.saturating_add(1)].into_iter().any(|number| {
        [number, number.saturating_mul(INTERVAL)]
            .iter()
            .any(|text| verify_signature(&public, format!("{text}.{receiver}").as_bytes(), &signed))
    })
}

#[cfg(test)]
mod tests;
