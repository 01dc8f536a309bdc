//! Why a request is refused, with the status that tells the other end what to do.

use crate::replay::Seen;

/// Why a miner refuses a request. The texts go to the caller and hold nothing that it did not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that every request has is not there, too long or not text.
    #[error("Missing or malformed header: {0}")]
    Header(&'static str),
    /// The nonce has no time in front.
    #[error("Nonce is not of the form time_random")]
    NonceForm,
    /// The nonce's time is too long ago or ahead.
    #[error("Nonce is outside of the time window, check the clock")]
    Stale,
    /// The nonce was used before.
    #[error("Nonce was used before")]
    Replayed,
    /// The request names another miner.
    #[error("Request is for another miner")]
    OtherMiner,
    /// The signature is not the caller's over this request.
    #[error("Signature is wrong")]
    Signature,
    /// The caller may not ask.
    #[error("Hotkey may not ask here")]
    NotAllowed,
    /// The symmetric key is unknown or too old: a new one must be exchanged.
    #[error("Symmetric key is unknown or has expired, exchange a new one")]
    UnknownKey,
    /// The token does not open under the key.
    #[error("Payload cannot be decrypted")]
    Undecryptable,
    /// The body has not the form that the route asks for.
    #[error("Body is not understood: {0}")]
    Body(&'static str),
    /// A store is full.
    #[error("Too many requests, try again later")]
    Full,
}

impl Refusal {
    /// The HTTP status that fiber's miners answer in this case: 401 for what is not verified, 403 for who is not admitted,
    /// 400 for a key that must be exchanged anew and for bodies, 503 where there is no room.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Header(_) | Self::NonceForm | Self::Stale | Self::Replayed | Self::OtherMiner | Self::Signature => {
                401
            }
            Self::NotAllowed => 403,
            Self::UnknownKey | Self::Undecryptable | Self::Body(_) => 400,
            Self::Full => 503,
        }
    }
}

impl From<Seen> for Refusal {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Before => Self::Replayed,
            Seen::Full => Self::Full,
        }
    }
}
