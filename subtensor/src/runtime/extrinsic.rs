//! Signed extrinsics: format 4, sr25519, the extensions that the metadata lists.
//!
//! The hash that names an extrinsic is BLAKE2b-256 of its bytes, length prefix included.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use chain::{Call, Era, SignedExtrinsic};
use domain::types::{Digest, HexBytes};
use network::keys::Keypair;
use subxt::config::substrate::{H256, SpecVersionForRange, SubstrateExtrinsicParamsBuilder};
use subxt::utils::{AccountId32, MultiSignature};
use subxt::{OfflineClient, SubstrateConfig};

use super::calls::{CallStyle, Payload};
use super::{Runtime, digest};
use crate::error::Error;

/// The shortest life of an extrinsic, in blocks.
pub(crate) const SHORTEST_ERA: u64 = 4;
/// The longest: the chain remembers 2,400 block hashes, and a period is a power of two.
pub(crate) const LONGEST_ERA: u64 = 2048;

/// What is signed besides the call.
#[derive(Debug, Clone, Copy)]
pub struct Signing {
    /// The signer's nonce.
    pub nonce: u64,
    /// Its life; [`None`] for ever, which nothing of ours asks for.
    pub era: Option<Era>,
    /// The hash of the block at which the era begins; of no meaning without one.
    pub birth_hash: Digest,
    /// Which chain.
    pub genesis_hash: Digest,
    /// A tip in rao. Subtensor ignores it for weights.
    pub tip: u128,
}

/// An extrinsic's hash.
pub(crate) fn hash_of(bytes: &[u8]) -> Digest {
    HexBytes(blake2_256(bytes))
}

/// What is signed of a payload: itself, or its hash when it is longer than 256 bytes.
pub fn bytes_to_sign(payload: &[u8]) -> Vec<u8> {
    if payload.len() > 256 { blake2_256(payload).to_vec() } else { payload.to_vec() }
}

pub(crate) fn blake2_256(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

impl Runtime {
    /// The bytes of a call: pallet's index, call's index, arguments.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Encode`].
    pub fn call_bytes(&self, call: &Call, style: CallStyle) -> Result<Vec<u8>, Error> {
        let payload = self.payload(call, style)?;
        let client = self.offline(HexBytes([0; 32]))?;
        client.tx().call_data(&payload).map_err(|error| Error::encode(payload.call_name(), error))
    }

    /// The bytes that a key signs: the call, the extensions and what they imply, as [`bytes_to_sign`].
    ///
    /// # Errors
    /// As of [`Runtime::sign`].
    pub fn signer_payload(&self, call: &Call, style: CallStyle, signing: &Signing) -> Result<Vec<u8>, Error> {
        self.payload_to_sign(&self.payload(call, style)?, signing)
    }

    /// Signs a call.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Encode`].
    pub fn sign(
        &self,
        call: &Call,
        style: CallStyle,
        signing: &Signing,
        keypair: &Keypair,
    ) -> Result<SignedExtrinsic, Error> {
        let payload = self.payload(call, style)?;
        let signature = keypair.sign(&self.payload_to_sign(&payload, signing)?);
        self.join(&payload, signing, keypair.public(), signature)
    }

    /// Joins a call and the signature that a key made of [`Runtime::signer_payload`].
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Encode`].
    pub fn assemble(
        &self,
        call: &Call,
        style: CallStyle,
        signing: &Signing,
        signer: [u8; 32],
        signature: [u8; 64],
    ) -> Result<SignedExtrinsic, Error> {
        self.join(&self.payload(call, style)?, signing, signer, signature)
    }

    /// As [`Runtime::assemble`] for any call of the runtime, given as its bytes; and what its key signs. The call is read and
    /// written again by the metadata's types, so bytes that are no call never stand in an extrinsic.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are no call of this runtime, [`Error::Encode`].
    pub fn assemble_bytes(
        &self,
        call: &[u8],
        signing: &Signing,
        signer: [u8; 32],
        signature: [u8; 64],
    ) -> Result<(SignedExtrinsic, Vec<u8>), Error> {
        self.survey_call(call)?;
        let client = self.offline(signing.genesis_hash)?;
        let payload = client.tx().from_call_data_bytes(call).map_err(|error| Error::decode("call", error))?;
        let signed = self.payload_to_sign(&payload, signing)?;
        Ok((self.join(&payload, signing, signer, signature)?, signed))
    }

    fn payload_to_sign(&self, payload: &Payload, signing: &Signing) -> Result<Vec<u8>, Error> {
        let client = self.offline(signing.genesis_hash)?;
        let failed = |error| Error::encode(payload.call_name(), error);
        let signable = client.tx().create_v4_signable_offline(payload, parameters(signing)?).map_err(failed)?;
        signable.signer_payload().map_err(failed)
    }

    fn join(
        &self,
        payload: &Payload,
        signing: &Signing,
        signer: [u8; 32],
        signature: [u8; 64],
    ) -> Result<SignedExtrinsic, Error> {
        let client = self.offline(signing.genesis_hash)?;
        let failed = |error| Error::encode(payload.call_name(), error);
        let mut signable = client.tx().create_v4_signable_offline(payload, parameters(signing)?).map_err(failed)?;
        let signature = MultiSignature::Sr25519(signature);
        let bytes =
            signable.sign_with_account_and_signature(&AccountId32(signer), &signature).map_err(failed)?.into_encoded();
        let era = signing.era.unwrap_or(Era { period: u64::MAX, birth: domain::types::BlockNumber(0) });
        let signer = domain::types::Hotkey::from_public(&signer);
        Ok(SignedExtrinsic { hash: hash_of(&bytes), bytes, signer, nonce: signing.nonce, era })
    }

    fn offline(&self, genesis_hash: Digest) -> Result<subxt::OfflineClientAtBlock<SubstrateConfig>, Error> {
        let versions = SpecVersionForRange {
            block_range: 0..u64::MAX,
            spec_version: self.spec_version,
            transaction_version: self.transaction_version,
        };
        let configuration = SubstrateConfig::builder()
            .set_genesis_hash(H256(genesis_hash.0))
            .set_metadata_for_spec_versions([(self.spec_version, self.metadata.clone())])
            .set_spec_version_for_block_ranges([versions])
            .build();
        let client = OfflineClient::new_with_config(configuration);
        client.at_block(0u64).map_err(|error| Error::Metadata(error.to_string()))
    }

    pub(super) fn events_client(&self) -> Result<subxt::OfflineClientAtBlock<SubstrateConfig>, Error> {
        self.offline(digest([0; 32]))
    }
}

type Parameters = subxt::config::substrate::SubstrateExtrinsicParams<SubstrateConfig>;

fn parameters(
    signing: &Signing,
) -> Result<<Parameters as subxt::config::TransactionExtensions<SubstrateConfig>>::Params, Error> {
    let builder = SubstrateExtrinsicParamsBuilder::<SubstrateConfig>::new().nonce(signing.nonce).tip(signing.tip);
    let builder = match signing.era {
        None => builder.immortal(),
        Some(Era { period, birth }) => {
            if !period.is_power_of_two() || !(SHORTEST_ERA..=LONGEST_ERA).contains(&period) {
                let reason = format!("{period} blocks are no power of two from {SHORTEST_ERA} to {LONGEST_ERA}");
                return Err(Error::encode("era", reason));
            }
            builder.mortal_from_unchecked(period, birth.0, H256(signing.birth_hash.0))
        }
    };
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::hash_of;

    #[test]
    fn hash_is_blake2b_of_32_bytes() {
        // BLAKE2b-256 of nothing, from the reference implementation.
        let empty = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
        assert_eq!(hash_of(b"").to_string(), empty);
    }
}
