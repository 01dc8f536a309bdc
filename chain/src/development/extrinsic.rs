//! Extrinsics of the development chain: who calls what, once, within an era, on this chain only.
//!
//! The bytes are the JSON of the struct with its fields in declared order and nothing else: other bytes of the same
//! meaning are refused, so that an extrinsic has one hash.

use domain::types::{Digest, Hotkey, Rao, Signature, Uid, sha256};
use network::keys::{Keypair, verify};
use serde::{Deserialize, Serialize};

use crate::types::{Call, Era, Hyperparameters};

/// 4,096 weights take about 50 KiB.
pub(crate) const MAXIMUM_BYTES: usize = 128 * 1024;

/// What the signature covers comes after this, so that it can be mistaken for nothing else that a hotkey signs.
const SIGNING_LABEL: &[u8] = b"assay/extrinsic/1\0";

/// A call that this chain knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DevelopmentCall {
    /// One that subtensor knows too.
    Subtensor(Call),
    /// One of the root key.
    Root(RootCall),
}

/// What only the root key may do: arrange a situation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RootCall {
    /// Replaces a subnet's hyperparameters.
    SetHyperparameters {
        /// The subnet.
        netuid: domain::types::NetUid,
        /// All of them.
        hyperparameters: Hyperparameters,
    },
    /// Sets a neuron's stake. Permits follow at the next epoch.
    SetStake {
        /// The subnet.
        netuid: domain::types::NetUid,
        /// Whose.
        hotkey: Hotkey,
        /// How much.
        stake: Rao,
    },
    /// Gives a slot to another hotkey, as a registration does when all slots are taken.
    ReplaceNeuron {
        /// The subnet.
        netuid: domain::types::NetUid,
        /// The slot.
        uid: Uid,
        /// Who gets it.
        hotkey: Hotkey,
        /// Who owns that hotkey.
        coldkey: Hotkey,
    },
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// The call.
    pub call: DevelopmentCall,
    /// Who calls.
    pub signer: Hotkey,
    /// How many extrinsics of the signer came before.
    pub nonce: u64,
    /// The blocks that may include it.
    pub era: Era,
    /// Hash of the block at which the era begins.
    pub birth_hash: Digest,
    /// Which chain.
    pub genesis_hash: Digest,
}

/// A signed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extrinsic {
    /// What is signed.
    pub payload: Payload,
    /// The signer's sr25519 signature of it.
    pub signature: Signature,
}

impl Payload {
    /// Signs the payload; the signer in it is made the key's.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn sign(mut self, keypair: &Keypair) -> Result<Extrinsic, serde_json::Error> {
        self.signer = keypair.hotkey();
        let signature = domain::types::HexBytes(keypair.sign(&self.message()?));
        Ok(Extrinsic { payload: self, signature })
    }

    /// Every address that a sender wrote.
    fn hotkeys(&self) -> impl Iterator<Item = &Hotkey> {
        let named = match &self.call {
            DevelopmentCall::Subtensor(Call::BurnedRegister { hotkey, .. }) => [Some(hotkey), None],
            DevelopmentCall::Root(RootCall::SetStake { hotkey, .. }) => [Some(hotkey), None],
            DevelopmentCall::Root(RootCall::ReplaceNeuron { hotkey, coldkey, .. }) => [Some(hotkey), Some(coldkey)],
            DevelopmentCall::Subtensor(_) | DevelopmentCall::Root(RootCall::SetHyperparameters { .. }) => [None, None],
        };
        named.into_iter().flatten().chain([&self.signer])
    }

    fn message(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut message = SIGNING_LABEL.to_vec();
        serde_json::to_writer(&mut message, self)?;
        Ok(message)
    }
}

impl Extrinsic {
    /// The bytes that are sent and hashed.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads bytes that another wrote; the signature is not checked yet.
    ///
    /// # Errors
    /// Says why they are no extrinsic.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAXIMUM_BYTES {
            return Err(format!("{} bytes, at most {MAXIMUM_BYTES}", bytes.len()));
        }
        let extrinsic: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if extrinsic.payload.hotkeys().any(|hotkey| hotkey.public().is_err()) {
            return Err("an address has a wrong checksum".to_owned());
        }
        match extrinsic.encode() {
            Ok(canonical) if canonical == bytes => Ok(extrinsic),
            _ => Err("the bytes are not the canonical ones".to_owned()),
        }
    }

    /// SHA-256 of the bytes.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no cause to fail here.
    pub fn hash(&self) -> Result<Digest, serde_json::Error> {
        Ok(sha256(&self.encode()?))
    }

    /// Whether the signer signed it.
    pub fn is_signed(&self) -> bool {
        let (Ok(public), Ok(message)) = (self.payload.signer.public(), self.payload.message()) else { return false };
        verify(&public, &message, &self.signature.0)
    }
}
