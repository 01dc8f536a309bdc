//! What a signed extrinsic says: who signed what, and for how long it can be included.

use subxt::ext::codec::{Compact, Decode};
use subxt::ext::frame_decode::extrinsics::{ExtrinsicInfoError, ExtrinsicTypeInfo, decode_extrinsic};
use subxt::utils::Era;

use super::Runtime;
use super::extrinsic::hash_of;
use crate::error::Error;

/// Format 4, signed.
const SIGNED: u8 = 0x84;

/// A signed extrinsic of format 4, taken apart. Nothing says yet that the signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadExtrinsic {
    /// Its hash.
    pub hash: domain::types::Digest,
    /// Format and, in the highest bit, that it is signed.
    pub version_byte: u8,
    /// Which kind of address the signer has: 0 for a public key.
    pub address_kind: u8,
    /// The signer's public key.
    pub signer: [u8; 32],
    /// Which kind of signature: 1 for sr25519.
    pub signature_kind: u8,
    /// The signature.
    pub signature: [u8; 64],
    /// The era as its bytes say.
    pub era: Vec<u8>,
    /// Period and phase of the era; [`None`] for ever.
    pub period_and_phase: Option<(u64, u64)>,
    /// The signer's nonce.
    pub nonce: u64,
    /// The tip in rao.
    pub tip: u128,
    /// Whether the metadata's hash was signed: 0 for no.
    pub metadata_hash_mode: u8,
    /// Pallet's index, call's index, arguments.
    pub call: Vec<u8>,
}

impl Runtime {
    /// Takes an extrinsic apart, with its length in front.
    ///
    /// # Errors
    /// [`Error::Decode`] when it is no signed extrinsic of this runtime, of a key and with a signature of 64 bytes; also when bytes
    /// are left over.
    pub fn read_extrinsic(&self, bytes: &[u8]) -> Result<ReadExtrinsic, Error> {
        self.survey_extrinsic(bytes)?;
        let metadata = self.metadata();
        let cursor = &mut &bytes[..];
        let read = decode_extrinsic(cursor, &**metadata, metadata.types());
        let read = read.map_err(|error| Error::decode("extrinsic", error))?;
        let end = read.call_data_range().end;
        if end != bytes.len() {
            let left = bytes.len().saturating_sub(end);
            return Err(Error::decode("extrinsic", format!("{left} bytes are left over behind its call")));
        }
        let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
        let (Some(signed), Some(extensions)) = (read.signature_payload(), read.transaction_extension_payload()) else {
            return Err(Error::decode("extrinsic", "it is not signed"));
        };
        let extension = |name: &'static str| {
            let found = extensions.iter().find(|extension| extension.name() == name);
            let found = found.ok_or_else(|| self.missing(format!("transaction extension {name}")))?;
            Ok::<_, Error>(part(found.range()))
        };
        let (address_kind, signer) = tagged(part(signed.address_range()), "address")?;
        let (signature_kind, signature) = tagged(part(signed.signature_range()), "signature")?;
        let era = extension("CheckMortality")?;
        let version = signed.address_range().start.checked_sub(1).and_then(|before| bytes.get(before));
        Ok(ReadExtrinsic {
            hash: hash_of(bytes),
            version_byte: *version.ok_or_else(|| Error::decode("extrinsic", "it has no version"))?,
            address_kind,
            signer,
            signature_kind,
            signature,
            era: era.to_vec(),
            period_and_phase: match decoded::<Era>(era, "era")? {
                Era::Immortal => None,
                Era::Mortal { period, phase } => Some((period, phase)),
            },
            nonce: decoded::<Compact<u64>>(extension("CheckNonce")?, "nonce")?.0,
            tip: decoded::<Compact<u128>>(extension("ChargeTransactionPayment")?, "tip")?.0,
            metadata_hash_mode: decoded(extension("CheckMetadataHash")?, "metadata hash mode")?,
            call: part(read.call_data_range()).to_vec(),
        })
    }

    /// Whether every part is there, and none is nested too deep.
    fn survey_extrinsic(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        Compact::<u32>::decode(&mut rest).map_err(|error| Error::decode("extrinsic", error))?;
        let Some((&SIGNED, rest)) = rest.split_first() else {
            return Err(Error::decode("extrinsic", "it is not signed, in format 4"));
        };
        let metadata = self.metadata();
        let unknown = |error: ExtrinsicInfoError<'_>| Error::Metadata(error.to_string());
        let signature = metadata.extrinsic_signature_info().map_err(unknown)?;
        let extensions = metadata.extrinsic_extension_info(None).map_err(unknown)?;
        let mut rest = self.survey(|| "address".to_owned(), signature.address_id, rest)?;
        rest = self.survey(|| "signature".to_owned(), signature.signature_id, rest)?;
        for extension in extensions.extension_ids {
            rest = self.survey(|| format!("transaction extension {}", extension.name), extension.id, rest)?;
        }
        self.survey_call(rest).map(drop)
    }
}

/// A variant's index and the bytes it holds.
fn tagged<const LENGTH: usize>(bytes: &[u8], what: &str) -> Result<(u8, [u8; LENGTH]), Error> {
    let held = |rest: &[u8]| rest.try_into().ok();
    let found = bytes.split_first().and_then(|(kind, rest)| Some((*kind, held(rest)?)));
    found.ok_or_else(|| Error::decode(what, format!("it has {} bytes and not 1 + {LENGTH}", bytes.len())))
}

fn decoded<T: Decode>(bytes: &[u8], what: &str) -> Result<T, Error> {
    T::decode(&mut &bytes[..]).map_err(|error| Error::decode(what, error))
}
