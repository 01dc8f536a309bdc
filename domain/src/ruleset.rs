//! Rule sets: `{algorithm, version, constants}` as canonical JSON. The hash is over these bytes and nothing else.
//!
//! A rule set is frozen once used: its bytes stand in the ledger, and the mechanism reads its constants from them alone.

use crate::types::{Digest, sha256};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The largest rule set in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// Why a text is not a usable rule set.
#[derive(Debug, thiserror::Error)]
pub enum RuleSetError {
    /// Over [`MAX_BYTES`].
    #[error("rule set of {0} bytes is over the limit of {MAX_BYTES}")]
    TooLarge(usize),
    /// Not JSON of the shape.
    #[error("rule set is malformed")]
    Json(#[from] serde_json::Error),
    /// Other bytes than the canonical ones: white space, another order, another spelling of a number.
    #[error("rule set {name} is not canonical at byte {at}: expected {expected:?}, found {found:?}")]
    NotCanonical {
        /// `algorithm/version`.
        name: String,
        /// First differing byte.
        at: usize,
        /// A few characters of the canonical text.
        expected: String,
        /// A few characters of the given text.
        found: String,
    },
    /// An algorithm that this program does not have.
    #[error("no mechanism {0:?} in this program; known: loosh, cgp, conversion, twitter, bettertherapy")]
    UnknownAlgorithm(String),
    /// A shipped rule set that does not exist.
    #[error("no shipped rule set {name:?}; shipped: {known}")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A constant outside of its domain.
    #[error("rule set {name}: constant {constant} {problem}")]
    Constant {
        /// `algorithm/version`.
        name: String,
        /// The constant.
        constant: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The typed body of a rule set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body<C> {
    /// The mechanism.
    pub algorithm: String,
    /// Its version: `readme`, or the upstream version.
    pub version: String,
    /// Its constants, in declared order.
    pub constants: C,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<'a> {
    algorithm: String,
    version: String,
    #[serde(borrow)]
    #[allow(dead_code, reason = "read again with its own type by the mechanism")]
    constants: &'a RawValue,
}

/// A rule set as recorded: its bytes and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    bytes: String,
    hash: Digest,
    algorithm: String,
    version: String,
}

impl RuleSet {
    /// Takes the bytes as they are; the constants are read by the mechanism ([`RuleSet::constants`]).
    ///
    /// # Errors
    /// When the text is no JSON object of algorithm, version and constants.
    pub fn parse(bytes: &str) -> Result<Self, RuleSetError> {
        if bytes.len() > MAX_BYTES {
            return Err(RuleSetError::TooLarge(bytes.len()));
        }
        let head: Head<'_> = serde_json::from_str(bytes)?;
        Ok(Self {
            bytes: bytes.to_owned(),
            hash: sha256(bytes.as_bytes()),
            algorithm: head.algorithm,
            version: head.version,
        })
    }

    /// Writes a typed body canonically.
    ///
    /// # Errors
    /// Constants that are not finite.
    pub fn from_body<C: Serialize>(body: &Body<C>) -> Result<Self, RuleSetError> {
        Self::parse(&serde_json::to_string(body)?)
    }

    /// The constants with their type. The bytes must be canonical.
    ///
    /// # Errors
    /// Missing, unknown or mistyped constants, and bytes that are not canonical.
    pub fn constants<C: Serialize + DeserializeOwned>(&self) -> Result<C, RuleSetError> {
        let body: Body<C> = serde_json::from_str(&self.bytes)?;
        let canonical = serde_json::to_string(&body)?;
        if canonical == self.bytes {
            return Ok(body.constants);
        }
        let at = canonical.bytes().zip(self.bytes.bytes()).take_while(|(left, right)| left == right).count();
        let near = |text: &str| text.chars().skip(at).take(24).collect::<String>();
        Err(RuleSetError::NotCanonical { name: self.name(), at, expected: near(&canonical), found: near(&self.bytes) })
    }

    /// The canonical JSON.
    #[must_use]
    pub fn bytes(&self) -> &str {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The mechanism.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// `algorithm/version`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.algorithm, self.version)
    }
}
