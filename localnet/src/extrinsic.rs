//! Extrinsics, format 4: who calls what, once, within an era, on this chain and runtime only.
//!
//! `compact length ‖ 0x84 ‖ address ‖ signature ‖ era ‖ compact nonce ‖ compact tip ‖ mode ‖ call`; signed are
//! `call ‖ era … mode ‖ spec version ‖ transaction version ‖ genesis hash ‖ hash of the era's first block ‖ 0x00`, or
//! blake2-256 of that when it is longer than 256 bytes. Bytes come from outside: lengths are checked before anything is
//! decoded, nesting is limited, and nothing here trusts a length that it reads.

use codec::{Compact, Decode, DecodeLimit as _, Encode};
use network::keys::{Keypair, verify};

use crate::hashing::blake2_256;
use crate::runtime::node_subtensor_runtime::RuntimeCall;
use crate::runtime::pallet_subtensor::pallet::Call as SubtensorCall;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_runtime::MultiSignature;
use crate::runtime::sp_runtime::generic::era::Era;
use crate::runtime::sp_runtime::multiaddress::MultiAddress;
use crate::runtime::{
    TRANSACTION_VERSION, pallet_commitments, pallet_subtensor_utility, pallet_sudo, pallet_timestamp,
};

/// 4,096 weights take 16 KiB; a batch of some commits is below.
pub const MAXIMUM_BYTES: usize = 128 * 1024;
/// Calls within calls.
const MAXIMUM_DEPTH: u32 = 12;
/// The longest timelocked commit, as in subtensor.
const MAXIMUM_COMMIT: usize = 5000;

const SIGNED_4: u8 = 0x84;
const BARE_4: u8 = 0x04;

/// A signed extrinsic that was understood. Whether it is valid is another question.
#[derive(Debug, Clone)]
pub struct Extrinsic {
    /// The bytes as they came, with their length.
    pub bytes: Vec<u8>,
    /// blake2-256 of the bytes.
    pub hash: [u8; 32],
    /// Who signed it.
    pub signer: AccountId32,
    /// How many of the signer's came before.
    pub nonce: u32,
    /// In which blocks it may be included.
    pub era: Era,
    /// What it calls.
    pub call: RuntimeCall,
    signature: [u8; 64],
    /// `call ‖ era ‖ nonce ‖ tip ‖ mode`.
    signed_part: Vec<u8>,
    /// The mode asks for a hash of the metadata, which this chain does not know.
    wants_metadata_hash: bool,
}

impl Extrinsic {
    /// Reads bytes that another wrote; the signature is not checked yet.
    ///
    /// # Errors
    /// Says why they are no extrinsic.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let body = body(bytes)?;
        let mut input = body;
        let error = |what: &'static str| move |_| format!("{what} cannot be decoded");
        if u8::decode(&mut input).map_err(error("the version"))? != SIGNED_4 {
            return Err("the version is not that of a signed extrinsic of format 4".to_owned());
        }
        let MultiAddress::Id(signer) =
            MultiAddress::<AccountId32, ()>::decode(&mut input).map_err(error("the address"))?
        else {
            return Err("the address is not an account".to_owned());
        };
        let MultiSignature::Sr25519(signature) = MultiSignature::decode(&mut input).map_err(error("the signature"))?
        else {
            return Err("the signature is not of sr25519".to_owned());
        };
        let extra = input;
        let era = Era::decode(&mut input).map_err(error("the era"))?;
        let Compact(nonce) = Compact::<u32>::decode(&mut input).map_err(error("the nonce"))?;
        Compact::<u64>::decode(&mut input).map_err(error("the tip"))?;
        let mode = u8::decode(&mut input).map_err(error("the mode"))?;
        if mode > 1 {
            return Err("the mode of the metadata hash is neither 0 nor 1".to_owned());
        }
        let extra = &extra[..extra.len() - input.len()];
        let call = RuntimeCall::decode_all_with_depth_limit(MAXIMUM_DEPTH, &mut &*input).map_err(error("the call"))?;
        if !is_within_bounds(&call) {
            return Err("the call holds a vector above its limit".to_owned());
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            hash: blake2_256(bytes),
            signer,
            nonce,
            era,
            call,
            signature,
            signed_part: [input, extra].concat(),
            wants_metadata_hash: mode == 1,
        })
    }

    /// Whether the signer signed it for this chain and runtime. `birth_hash` is the hash of the block with which its era began.
    pub fn is_signed(&self, spec_version: u32, genesis_hash: &[u8; 32], birth_hash: &[u8; 32]) -> bool {
        let message = message(&self.signed_part, spec_version, genesis_hash, birth_hash);
        !self.wants_metadata_hash && verify(&self.signer.0, &message, &self.signature)
    }
}

/// The body without its length, which must be right.
fn body(bytes: &[u8]) -> Result<&[u8], String> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(format!("{} bytes, at most {MAXIMUM_BYTES}", bytes.len()));
    }
    let mut body = bytes;
    let Compact(length) = Compact::<u32>::decode(&mut body).map_err(|_| "the length cannot be decoded".to_owned())?;
    if usize::try_from(length) != Ok(body.len()) {
        return Err(format!("it says {length} bytes and has {}", body.len()));
    }
    Ok(body)
}

fn message(signed_part: &[u8], spec_version: u32, genesis_hash: &[u8; 32], birth_hash: &[u8; 32]) -> Vec<u8> {
    let mut message = signed_part.to_vec();
    // The last is the hash of the metadata: none.
    (spec_version, TRANSACTION_VERSION, genesis_hash, birth_hash, 0u8).encode_to(&mut message);
    if message.len() > 256 { blake2_256(&message).to_vec() } else { message }
}

/// Vectors that the chain's own types limit.
fn is_within_bounds(call: &RuntimeCall) -> bool {
    match call {
        RuntimeCall::SubtensorModule(
            SubtensorCall::commit_timelocked_weights { commit, .. }
            | SubtensorCall::commit_timelocked_mechanism_weights { commit, .. },
        ) => commit.0.len() <= MAXIMUM_COMMIT,
        RuntimeCall::Commitments(pallet_commitments::pallet::Call::set_commitment { info, .. }) => {
            info.fields.0.iter().all(pallet_commitments::types::Data::is_within_bounds)
        }
        RuntimeCall::Sudo(pallet_sudo::pallet::Call::sudo { call }) => is_within_bounds(call),
        RuntimeCall::Utility(
            pallet_subtensor_utility::pallet::Call::batch { calls }
            | pallet_subtensor_utility::pallet::Call::batch_all { calls }
            | pallet_subtensor_utility::pallet::Call::force_batch { calls },
        ) => calls.iter().all(is_within_bounds),
        _ => true,
    }
}

/// What a signed extrinsic says besides its call.
#[derive(Debug, Clone, Copy)]
pub struct Signing {
    /// How many of the signer's came before.
    pub nonce: u32,
    /// In which blocks it may be included.
    pub era: Era,
    /// Which runtime.
    pub spec_version: u32,
    /// Which chain.
    pub genesis_hash: [u8; 32],
    /// Hash of the block with which the era begins; the genesis hash of an immortal one.
    pub birth_hash: [u8; 32],
}

/// Signs a call and gives the bytes that are sent.
pub fn sign(call: &RuntimeCall, signing: &Signing, keypair: &Keypair) -> Vec<u8> {
    let extra = (signing.era, Compact(signing.nonce), Compact(0u64), 0u8).encode();
    let call = call.encode();
    let signed_part = [call.as_slice(), &extra].concat();
    let signature =
        keypair.sign(&message(&signed_part, signing.spec_version, &signing.genesis_hash, &signing.birth_hash));
    let address = MultiAddress::<AccountId32, ()>::Id(AccountId32(keypair.public()));
    let mut body = (SIGNED_4, address, MultiSignature::Sr25519(signature)).encode();
    body.extend_from_slice(&extra);
    body.extend_from_slice(&call);
    body.encode()
}

/// The author's clock as the first extrinsic of each block.
pub(crate) fn timestamp(now: u64) -> Vec<u8> {
    (BARE_4, RuntimeCall::Timestamp(pallet_timestamp::pallet::Call::set { now })).encode().encode()
}

/// The clock that such an extrinsic holds.
pub(crate) fn decode_timestamp(bytes: &[u8]) -> Option<u64> {
    let (BARE_4, RuntimeCall::Timestamp(pallet_timestamp::pallet::Call::set { now })) =
        <(u8, RuntimeCall)>::decode_all_with_depth_limit(MAXIMUM_DEPTH, &mut body(bytes).ok()?).ok()?
    else {
        return None;
    };
    Some(now)
}
