//! Facts of the ledger itself and of its operator.

use crate::types::{Digest, Hotkey, NetUid, Position};
use serde::{Deserialize, Serialize};

/// Position 0: what this ledger is. Everything else is read in its light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerOpened {
    /// The leaf format of every event of this ledger; 1.
    pub leaf_format: u8,
    /// C2SP origin: `assay/<first 16 hex digits of the genesis hash>/<netuid>/<hotkey>`, plus `/<n>` when begun anew.
    pub origin: String,
    /// Genesis hash of the chain.
    pub genesis_hash: Digest,
    /// The subnet.
    pub netuid: NetUid,
    /// The validator's hotkey.
    pub hotkey: Hotkey,
    /// Ed25519 public key that signs this ledger's checkpoints.
    pub checkpoint_key: Digest,
}

impl LedgerOpened {
    /// The origin that follows from chain, subnet and hotkey. `anew` counts fresh starts, 0 for the first.
    #[must_use]
    pub fn origin_of(genesis_hash: &Digest, netuid: NetUid, hotkey: &Hotkey, anew: u32) -> String {
        let genesis = genesis_hash.to_string();
        let origin = format!("assay/{}/{netuid}/{hotkey}", &genesis[..16]);
        if anew == 0 { origin } else { format!("{origin}/{anew}") }
    }
}

/// A checkpoint was signed and written outside of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointPublished {
    /// Leaves it covers.
    pub size: u64,
    /// RFC 6962 root of these leaves.
    pub root: Digest,
    /// The signed note, whole.
    pub note: String,
}

/// A rule set came into force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetAdopted {
    /// `algorithm/version`, for example `loosh/readme`.
    pub name: String,
    /// SHA-256 of `bytes`.
    pub hash: Digest,
    /// The canonical JSON itself.
    pub bytes: String,
}

/// A payload is about to be erased. Its leaf stays: proofs still hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadErased {
    /// The event whose salt and payload are removed.
    pub position: Position,
    /// Why: a request of a person, a court order, …
    pub reason: String,
}

/// A validator process took the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorStarted {
    /// Version of the program.
    pub version: String,
    /// Genesis hash of the chain it is connected to; equals that of the ledger.
    pub genesis_hash: Digest,
    /// The effective configuration as JSON text, secrets hidden.
    pub configuration: String,
    /// SHA-256 of `configuration`.
    pub configuration_hash: Digest,
}

/// The operator paused the issuing of rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorPaused {
    /// Who asked: `api`, `signal`, …
    pub by: String,
}

/// The operator resumed the issuing of rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorResumed {
    /// Who asked.
    pub by: String,
}

/// The validator process ended in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorStopped {
    /// Why.
    pub reason: String,
}
