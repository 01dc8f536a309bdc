//! Randomness beacons: BLS signatures over round numbers, in the scheme of drand's quicknet (public keys in G2, signatures in
//! G1 of BLS12-381, RFC 9380 hashing to the curve).

use std::fmt;

use ::timelock::curves::drand::TinyBLS381;
use ::timelock::ibe::fullident::Identity;
use ::timelock::tlock::EngineBLS;
use ark_ec::Group;
use ark_ff::{PrimeField, Zero};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroize;

use crate::Error;

type Scalar = <TinyBLS381 as EngineBLS>::Scalar;
pub(crate) type PublicPoint = <TinyBLS381 as EngineBLS>::PublicKeyGroup;
pub(crate) type SignaturePoint = <TinyBLS381 as EngineBLS>::SignatureGroup;

/// When a beacon began, how often it speaks, and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beacon {
    /// Milliseconds since 1970 at which it began.
    pub genesis_ms: u64,
    /// Milliseconds between two rounds.
    pub period_ms: u64,
    /// The compressed public key, a point of G2.
    pub public_key: [u8; 96],
}

/// drand quicknet, the beacon of the public networks (chain hash `52db9ba7…e971`).
pub const QUICKNET: Beacon = Beacon {
    genesis_ms: 1_692_803_367_000,
    period_ms: 3_000,
    public_key: [
        0x83, 0xcf, 0x0f, 0x28, 0x96, 0xad, 0xee, 0x7e, 0xb8, 0xb5, 0xf0, 0x1f, 0xca, 0xd3, 0x91, 0x22, 0x12, 0xc4,
        0x37, 0xe0, 0x07, 0x3e, 0x91, 0x1f, 0xb9, 0x00, 0x22, 0xd3, 0xe7, 0x60, 0x18, 0x3c, 0x8c, 0x4b, 0x45, 0x0b,
        0x6a, 0x0a, 0x6c, 0x3a, 0xc6, 0xa5, 0x77, 0x6a, 0x2d, 0x10, 0x64, 0x51, 0x0d, 0x1f, 0xec, 0x75, 0x8c, 0x92,
        0x1c, 0xc2, 0x2b, 0x0e, 0x17, 0xe6, 0x3a, 0xaf, 0x4b, 0xcb, 0x5e, 0xd6, 0x63, 0x04, 0xde, 0x9c, 0xf8, 0x09,
        0xbd, 0x27, 0x4c, 0xa7, 0x3b, 0xab, 0x4a, 0xf5, 0xa6, 0xe9, 0xc7, 0x6a, 0x4b, 0xc0, 0x9e, 0x76, 0xea, 0xe8,
        0x99, 0x1e, 0xf5, 0xec, 0xe4, 0x5a,
    ],
};

/// The identity for which a round's ciphertexts are made: SHA-256 of its number, big-endian.
pub(crate) fn identity(round: u64) -> Identity {
    Identity::new(b"", vec![Sha256::digest(round.to_be_bytes()).to_vec()])
}

/// A beacon's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) PublicPoint);

impl PublicKey {
    /// Reads the compressed bytes of a point of G2.
    ///
    /// # Errors
    /// Bytes that are no such point, or the point at infinity, under which everybody could decrypt.
    pub fn from_bytes(bytes: &[u8; 96]) -> Result<Self, Error> {
        match PublicPoint::deserialize_compressed(bytes.as_slice()) {
            Ok(point) if !point.is_zero() => Ok(Self(point)),
            _ => Err(Error::Point { field: "public key" }),
        }
    }

    /// Whether this beacon signed this round.
    pub fn verifies(&self, round: u64, signature: &Signature) -> bool {
        let signed = TinyBLS381::pairing(PublicPoint::generator(), signature.0);
        signed == TinyBLS381::pairing(self.0, identity(round).public::<TinyBLS381>())
    }
}

/// A beacon's signature over a round, which opens what was encrypted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) SignaturePoint);

impl Signature {
    /// Reads the compressed bytes of a point of G1.
    ///
    /// # Errors
    /// Bytes that are no such point, or the point at infinity.
    pub fn from_bytes(bytes: &[u8; 48]) -> Result<Self, Error> {
        match SignaturePoint::deserialize_compressed(bytes.as_slice()) {
            Ok(point) if !point.is_zero() => Ok(Self(point)),
            _ => Err(Error::Point { field: "signature" }),
        }
    }
}

/// What a beacon publishes of a round, as the chain stores it in `Drand.Pulses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The round.
    pub round: u64,
    /// SHA-256 of the signature.
    pub randomness: [u8; 32],
    /// The compressed signature.
    pub signature: [u8; 48],
}

/// The secret of a development chain's own beacon. Who has it can read every commit at once, so it protects nothing but the
/// order of events in a test; public networks use [`QUICKNET`], whose secret nobody has alone.
pub struct BeaconKey(Scalar);

impl fmt::Debug for BeaconKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeaconKey(hidden)")
    }
}

impl Drop for BeaconKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl BeaconKey {
    /// The key of a seed: SHA-512 of `assay/beacon/1`, a zero byte and the seed, as an integer modulo the group's order.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut digest: [u8; 64] = Sha512::new().chain_update(b"assay/beacon/1\0").chain_update(seed).finalize().into();
        let key = Self(Scalar::from_le_bytes_mod_order(&digest));
        digest.zeroize();
        key
    }

    /// The compressed public key.
    ///
    /// # Errors
    /// A key of 0, which no seed is known to give.
    pub fn public_key(&self) -> Result<[u8; 96], Error> {
        compressed(&(PublicPoint::generator() * self.0), "public key")
    }

    /// Signs a round.
    ///
    /// # Errors
    /// As [`Self::public_key`].
    pub fn pulse(&self, round: u64) -> Result<Pulse, Error> {
        let signature: [u8; 48] = compressed(&identity(round).extract::<TinyBLS381>(self.0).0, "signature")?;
        Ok(Pulse { round, randomness: Sha256::digest(signature).into(), signature })
    }
}

fn compressed<const LENGTH: usize>(
    point: &(impl CanonicalSerialize + Zero),
    field: &'static str,
) -> Result<[u8; LENGTH], Error> {
    let mut bytes = [0; LENGTH];
    let written = if point.is_zero() { None } else { point.serialize_compressed(bytes.as_mut_slice()).ok() };
    written.map(|()| bytes).ok_or(Error::Point { field })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// drand quicknet, round 1000.
    pub(crate) const ROUND_1000: &str =
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";

    #[test]
    fn quicknet_signed_its_round() {
        let key = PublicKey::from_bytes(&QUICKNET.public_key).unwrap();
        let bytes: [u8; 48] = hex::decode(ROUND_1000).unwrap().try_into().unwrap();
        let signature = Signature::from_bytes(&bytes).unwrap();
        assert!(key.verifies(1000, &signature));
        assert!(!key.verifies(1001, &signature));
    }

    #[test]
    fn a_beacon_of_our_own_signs_what_its_key_verifies() {
        let secret = BeaconKey::from_seed(&[1; 32]);
        let key = PublicKey::from_bytes(&secret.public_key().unwrap()).unwrap();
        let pulse = secret.pulse(7).unwrap();
        assert!(key.verifies(7, &Signature::from_bytes(&pulse.signature).unwrap()));
        assert_eq!(pulse.randomness, <[u8; 32]>::from(Sha256::digest(pulse.signature)));
        assert_ne!(BeaconKey::from_seed(&[2; 32]).public_key(), secret.public_key());
        assert_eq!(format!("{secret:?}"), "BeaconKey(hidden)");
    }

    #[test]
    fn bytes_that_are_no_points_are_refused() {
        let mut infinity = [0; 96];
        infinity[0] = 0xc0;
        for bytes in [[0; 96], [0xff; 96], infinity] {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(Error::Point { field: "public key" }));
        }
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        for bytes in [[0; 48], [0xff; 48], infinity] {
            assert_eq!(Signature::from_bytes(&bytes), Err(Error::Point { field: "signature" }));
        }
    }
}
