//! When a request counts as its signer's.
//!
//! The SDK's rules ([`default_verify` of SDK 10.5.0]), and stricter where they leave a hole: a signature is always needed, a
//! nonce may not lie in the future, and none counts twice however the requests arrive. The texts of errors are the SDK's, because
//! clients read them. Compatibility: an honest dendrite of SDK 7.2 or later with a clock that is right to [`AHEAD`] is never
//! refused by a rule that the SDK does not have.
//!
//! [`default_verify` of SDK 10.5.0]: https://pypi.org/project/bittensor/10.5.0/

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::ss58::Ss58Error;
use domain::types::Hotkey;

use super::head::Head;
use super::message;
use super::nonces::{NonceLimits, TimedNonces, UptimeNonces, UptimeRefusal};

/// How old a nonce may be, besides the request's timeout.
pub const WINDOW: Duration = Duration::from_secs(4);

/// How far a nonce may be ahead of the clock.
pub const AHEAD: Duration = Duration::from_secs(5);

/// The longest timeout that widens the window: ten minutes. The timeout is not signed, so anybody may write a longer one.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// No machine is up for 31 years: a greater nonce is a time, whatever version is claimed. Without this, an overheard request
/// could be sent again under an old version, whose nonces are never too old.
const UPTIME_BELOW: u64 = 1_000_000_000_000_000_000;

/// Senders of before SDK 7.2.
const MOST_UPTIME_SENDERS: usize = 1024;

/// Who a request is from, as its signature proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The signer.
    pub hotkey: Hotkey,
    /// Its nonce.
    pub nonce: u64,
    /// Its process.
    pub uuid: String,
}

/// Why a request does not count. The texts follow `Not Verified with error: ` in an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// No hotkey.
    #[error("No SS58 formatted address or public key provided.")]
    MissingHotkey,
    /// The hotkey is no address.
    #[error("Invalid SS58 address: {0}")]
    InvalidHotkey(&'static str),
    /// No nonce.
    #[error("Missing Nonce")]
    MissingNonce,
    /// Older than the window.
    #[error("Nonce is too old: acceptable delta is {allowed:.2} seconds but request was {age:.2} seconds old")]
    TooOld {
        /// Seconds.
        allowed: f64,
        /// Seconds.
        age: f64,
    },
    /// Ahead of the clock. The SDK has no such rule.
    #[error("Nonce is too new: it is {ahead:.2} seconds ahead of the clock, acceptable are {allowed:.2}")]
    TooNew {
        /// Seconds.
        allowed: f64,
        /// Seconds.
        ahead: f64,
    },
    /// Used before, or older than what is remembered.
    #[error("Nonce is too old, a newer one was last processed")]
    Used,
    /// There is no room for another sender of before SDK 7.2, or for another process of one.
    #[error("Nonce is not a time, and no further sender of such nonces is taken in")]
    NoRoom,
    /// No signature, or an empty one.
    #[error("Missing Signature")]
    MissingSignature,
    /// Not `0x` and 128 hexadecimal digits.
    #[error("Invalid SR25519 signature.")]
    InvalidSignature,
    /// A signature of something else or by somebody else.
    #[error("Signature mismatch with {message} and {signature}")]
    Mismatch {
        /// What should have been signed.
        message: String,
        /// What came.
        signature: String,
    },
}

/// The rules of one axon, and the nonces that were used there.
#[derive(Debug)]
pub struct Verifier {
    axon: String,
    nonces: Mutex<Nonces>,
}

#[derive(Debug)]
struct Nonces {
    timed: TimedNonces,
    uptime: UptimeNonces,
}

/// What a nonce is measured by.
#[derive(Clone, Copy)]
enum Rule {
    /// A time; nothing up to `expired` counts.
    Time {
        expired: u64,
        now: u64,
    },
    Uptime,
}

impl Verifier {
    /// The rules of the axon with this SS58 address. What a request says of its receiver is not read.
    #[must_use]
    pub fn new(axon: String, limits: NonceLimits) -> Self {
        let nonces = Nonces { timed: TimedNonces::new(limits), uptime: UptimeNonces::new(MOST_UPTIME_SENDERS) };
        Self { axon, nonces: Mutex::new(nonces) }
    }

    /// Decides whether a request counts, and uses its nonce up if it does.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, head: &Head, now: u64) -> Result<Verified, VerifyError> {
        let address = head.dendrite.hotkey.as_deref().filter(|address| !address.is_empty());
        let address = address.ok_or(VerifyError::MissingHotkey)?;
        let public = domain::ss58::decode(address).map_err(|error| invalid_hotkey(&error))?;
        let nonce = head.dendrite.nonce.ok_or(VerifyError::MissingNonce)?;
        let uuid = head.dendrite.uuid.as_deref().unwrap_or("None");
        let rule = rule(head, nonce, now)?;
        self.is_unused(&public, uuid, nonce, rule)?;
        let text = head.dendrite.signature.as_deref().filter(|text| !text.is_empty());
        let text = text.ok_or(VerifyError::MissingSignature)?;
        let signature = message::parse_signature(text).ok_or(VerifyError::InvalidSignature)?;
        let hash = head.computed_body_hash.as_deref().unwrap_or("None");
        let message = message::request(&nonce.to_string(), address, &self.axon, uuid, hash);
        if !message::is_signed(&public, &message, &signature) {
            return Err(VerifyError::Mismatch { message, signature: text.to_owned() });
        }
        self.use_up(&public, uuid, nonce, rule)?;
        Ok(Verified { hotkey: Hotkey::from_public(&public), nonce, uuid: uuid.to_owned() })
    }

    /// Asked before the signature, which costs more.
    fn is_unused(&self, public: &[u8; 32], uuid: &str, nonce: u64, rule: Rule) -> Result<(), VerifyError> {
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        match rule {
            Rule::Time { .. } if nonces.timed.is_unused(public, nonce) => Ok(()),
            Rule::Time { .. } => Err(VerifyError::Used),
            Rule::Uptime => nonces.uptime.check(public, uuid, nonce).map_err(uptime_error),
        }
    }

    /// Decides again: another request may have used the nonce meanwhile.
    fn use_up(&self, public: &[u8; 32], uuid: &str, nonce: u64, rule: Rule) -> Result<(), VerifyError> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        match rule {
            Rule::Time { expired, now } if nonces.timed.use_up(public, nonce, (expired, now)) => Ok(()),
            Rule::Time { .. } => Err(VerifyError::Used),
            Rule::Uptime => nonces.uptime.use_up(public, uuid, nonce).map_err(uptime_error),
        }
    }
}

/// In the words of the SDK's key library.
fn invalid_hotkey(error: &Ss58Error) -> VerifyError {
    VerifyError::InvalidHotkey(match error {
        Ss58Error::NotBase58(_) => "Base 58 requirement is violated",
        Ss58Error::Length { .. } => "Length is bad",
        Ss58Error::Prefix { .. } => "Invalid SS58 prefix byte.",
        Ss58Error::Checksum(_) => "Invalid checksum",
    })
}

fn uptime_error(refusal: UptimeRefusal) -> VerifyError {
    match refusal {
        UptimeRefusal::Used => VerifyError::Used,
        UptimeRefusal::Full => VerifyError::NoRoom,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

fn rule(head: &Head, nonce: u64, now: u64) -> Result<Rule, VerifyError> {
    let version = head.dendrite.version.and_then(|version| u64::try_from(version).ok()).unwrap_or_default();
    if version < message::FIRST_WITH_TIME && nonce < UPTIME_BELOW {
        return Ok(Rule::Uptime);
    }
    let timeout = Duration::try_from_secs_f64(head.timeout).unwrap_or(LONGEST_TIMEOUT).min(LONGEST_TIMEOUT);
    let allowed = nanos(WINDOW + timeout);
    if nonce <= now.saturating_sub(allowed) {
        return Err(VerifyError::TooOld { allowed: seconds(allowed), age: seconds(now - nonce) });
    }
    if nonce > now.saturating_add(nanos(AHEAD)) {
        return Err(VerifyError::TooNew { allowed: AHEAD.as_secs_f64(), ahead: seconds(nonce - now) });
    }
    // By the longest window: whoever sends a request again may write another timeout.
    Ok(Rule::Time { expired: now.saturating_sub(nanos(WINDOW + LONGEST_TIMEOUT)), now })
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
