//! sr25519 keys: who a validator or a miner is.
//!
//! Schnorr signatures over Ristretto (schnorrkel) in the signing context `substrate`, as the chain and every Bittensor
//! SDK use them. Development keys are derived from the public development phrase by hard junctions (`//Alice`), so that
//! they are the same everywhere and worth nothing.
//! Derivation: <https://docs.rs/schnorrkel> `hard_derive_mini_secret_key`; junctions as in Substrate's secret URIs.

use blake2::{Blake2b, Digest, digest::consts::U32};
use domain::types::Hotkey;
use schnorrkel::{ExpansionMode, MiniSecretKey, PublicKey, SecretKey, Signature, derive::ChainCode, signing_context};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// The signing context of Substrate chains.
pub const SIGNING_CONTEXT: &[u8] = b"substrate";

/// Mini secret of the public development phrase (`bottom drive obey lake …`), the root of `//Alice`.
const DEVELOPMENT_SEED: [u8; 32] = [
    0xfa, 0xc7, 0x95, 0x9d, 0xbf, 0xe7, 0x2f, 0x05, 0x2e, 0x5a, 0x0c, 0x3c, 0x8d, 0x65, 0x30, 0xf2, 0x02, 0xb0, 0x2f,
    0xd8, 0xf9, 0xf5, 0xca, 0x35, 0x80, 0xec, 0x8d, 0xeb, 0x77, 0x97, 0x47, 0x9e,
];

/// More junctions than anyone derives; a longer URI is a mistake.
const MAXIMUM_JUNCTIONS: usize = 16;

/// An sr25519 key pair. Cloning copies the secret; both copies are wiped when dropped.
#[derive(Clone)]
pub struct Keypair {
    pair: schnorrkel::Keypair,
    seed: Option<Zeroizing<[u8; 32]>>,
}

impl Keypair {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Randomness`] when there is none.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|error| Error::Randomness(error.to_string()))?;
        Self::from_seed(&seed)
    }

    /// The key of a 32-byte mini secret (`secretSeed` in a wallet file), expanded the Ed25519 way as Substrate does.
    ///
    /// # Errors
    /// [`Error::InvalidSecret`]; schnorrkel accepts every 32 bytes today.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        let mini = MiniSecretKey::from_bytes(seed).map_err(invalid)?;
        Ok(Self { pair: mini.expand_to_keypair(ExpansionMode::Ed25519), seed: Some(Zeroizing::new(*seed)) })
    }

    /// The key of a 64-byte expanded secret (`privateKey` in a wallet file: canonical scalar, then nonce).
    ///
    /// # Errors
    /// [`Error::InvalidSecret`] when the scalar is not canonical.
    pub fn from_secret(secret: &[u8; 64]) -> Result<Self, Error> {
        let secret = SecretKey::from_bytes(secret).map_err(invalid)?;
        Ok(Self { pair: secret.to_keypair(), seed: None })
    }

    /// The key of a secret URI: hard junctions over the development phrase (`//Alice`, `//miner//3`) or over a seed
    /// (`0x<64 hex digits>`, `0x<64 hex digits>//stash`).
    ///
    /// # Errors
    /// [`Error::InvalidUri`] for soft junctions, passwords, phrases and anything else.
    pub fn from_uri(uri: &str) -> Result<Self, Error> {
        if uri.is_empty() {
            return Err(Error::InvalidUri("it is empty"));
        }
        let (root, path) = match uri.find('/') {
            Some(at) => uri.split_at(at),
            None => (uri, ""),
        };
        let mut seed = Zeroizing::new(DEVELOPMENT_SEED);
        if !root.is_empty() {
            let digits = root.strip_prefix("0x").ok_or(Error::InvalidUri("it must begin with // or with 0x"))?;
            hex::decode_to_slice(digits, seed.as_mut_slice())
                .map_err(|_| Error::InvalidUri("a seed has 64 hexadecimal digits"))?;
        }
        for junction in junctions(path)? {
            let mini = MiniSecretKey::from_bytes(seed.as_slice()).map_err(invalid)?;
            let (child, _) = mini
                .expand_to_keypair(ExpansionMode::Ed25519)
                .secret
                .hard_derive_mini_secret_key(Some(ChainCode(chain_code(junction))), b"");
            *seed = child.to_bytes();
        }
        Self::from_seed(&seed)
    }

    /// Signs `message` in the context `substrate`. Signatures are randomised: two of the same message differ.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(signing_context(SIGNING_CONTEXT).bytes(message)).to_bytes()
    }

    /// The public key, which is the account id.
    pub fn public(&self) -> [u8; 32] {
        self.pair.public.to_bytes()
    }

    /// The SS58 address of the public key.
    pub fn ss58(&self) -> String {
        domain::ss58::encode(&self.public())
    }

    /// The public key as the identity that the rest of the house knows.
    pub fn hotkey(&self) -> Hotkey {
        Hotkey::from_public(&self.public())
    }

    /// The mini secret, when the key was made from one; for key files only.
    pub(crate) fn seed(&self) -> Option<&[u8; 32]> {
        self.seed.as_deref()
    }

    /// The expanded secret; for key files only.
    pub(crate) fn secret(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.pair.secret.to_bytes())
    }
}

impl std::fmt::Debug for Keypair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keypair").field("ss58", &self.ss58()).finish_non_exhaustive()
    }
}

/// Whether `signature` is the signature of `message` by `public`. A key or signature that is no curve point is a `false`, and so is
/// the key of zeros: its secret is zero, so anybody can sign as that account.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    if *public == [0; 32] {
        return false;
    }
    let (Ok(public), Ok(signature)) = (PublicKey::from_bytes(public), Signature::from_bytes(signature)) else {
        return false;
    };
    public.verify(signing_context(SIGNING_CONTEXT).bytes(message), &signature).is_ok()
}

fn invalid(error: schnorrkel::SignatureError) -> Error {
    Error::InvalidSecret { scheme: "sr25519", reason: error.to_string() }
}

fn junctions(path: &str) -> Result<Vec<&str>, Error> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    if path.contains("///") {
        return Err(Error::InvalidUri("a password (///) is not supported"));
    }
    let rest = path.strip_prefix("//").ok_or(Error::InvalidUri("soft junctions (/) are not supported, use //"))?;
    let parts: Vec<&str> = rest.split("//").collect();
    if parts.len() > MAXIMUM_JUNCTIONS {
        return Err(Error::InvalidUri("it has more than 16 junctions"));
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Error::InvalidUri("a junction is empty"));
    }
    if parts.iter().any(|part| part.contains('/')) {
        return Err(Error::InvalidUri("soft junctions (/) are not supported, use //"));
    }
    Ok(parts)
}

/// Substrate's junction: a decimal number as u64, any other text as a SCALE string; longer than 32 bytes is hashed.
fn chain_code(junction: &str) -> [u8; 32] {
    let mut encoded = match junction.parse::<u64>() {
        Ok(number) => number.to_le_bytes().to_vec(),
        Err(_) => scale_string(junction),
    };
    let mut code = [0u8; 32];
    if encoded.len() > code.len() {
        code.copy_from_slice(&Blake2b::<U32>::digest(&encoded));
    } else {
        code[..encoded.len()].copy_from_slice(&encoded);
    }
    encoded.zeroize();
    code
}

fn scale_string(text: &str) -> Vec<u8> {
    // Compact length: one byte below 2^6, two below 2^14, four below 2^30; a URI is far below the last.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX) << 2;
    let prefix = match text.len() {
        0..64 => length.to_le_bytes()[..1].to_vec(),
        64..16_384 => (length | 1).to_le_bytes()[..2].to_vec(),
        _ => (length | 2).to_le_bytes().to_vec(),
    };
    [prefix.as_slice(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn development_keys_are_substrates() {
        for (uri, address) in [
            ("//Alice", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
            ("//Bob", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"),
            ("//Alice//stash", "5GNJqTPyNqANBkUVMN1LPPrxXnFouWXoe2wNSmmEoLctxiZY"),
            (
                "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e",
                "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV",
            ),
            (
                "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e//Alice",
                "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            ),
        ] {
            assert_eq!(Keypair::from_uri(uri).unwrap().ss58(), address, "{uri}");
        }
    }

    #[test]
    fn the_expanded_secret_is_btwallets() {
        // privateKey that btwallet 4.1.1 writes for //Alice.
        let secret = hex::decode(
            "33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011",
        )
        .unwrap();
        let alice = Keypair::from_secret(secret.as_slice().try_into().unwrap()).unwrap();
        assert_eq!(alice.public(), Keypair::from_uri("//Alice").unwrap().public());
        assert_eq!(Keypair::from_uri("//Alice").unwrap().secret().to_vec(), secret);
        assert!(Keypair::from_secret(&[0xff; 64]).is_err());
    }

    #[test]
    fn uris_that_are_not_understood() {
        for uri in [
            "",
            "Alice",
            "/Alice",
            "//",
            "//Alice/soft",
            "//Alice///password",
            "//a////b",
            "0x12",
            "0x12//a",
            "bottom drive",
        ] {
            // The empty URI is the development root itself in Substrate; here it is more likely an unset variable.
            assert!(matches!(Keypair::from_uri(uri), Err(Error::InvalidUri(_))), "{uri}");
        }
        assert!(Keypair::from_uri(&"//x".repeat(17)).is_err());
    }

    #[test]
    fn junctions_of_every_kind_differ() {
        let long = "x".repeat(40);
        let mut seen = std::collections::BTreeSet::new();
        for path in ["//1", "//01a", "//one", "//one//1", "//1//one", &format!("//{long}"), &format!("//{long}y")] {
            assert!(seen.insert(Keypair::from_uri(path).unwrap().public()), "{path}");
        }
        // 1 and 01 are the same number.
        assert_eq!(Keypair::from_uri("//1").unwrap().public(), Keypair::from_uri("//01").unwrap().public());
    }

    #[test]
    fn signatures_verify_and_only_then() {
        let key = Keypair::generate().unwrap();
        let other = Keypair::generate().unwrap();
        assert_ne!(key.public(), other.public());
        let signature = key.sign(b"message");
        assert!(verify(&key.public(), b"message", &signature));
        assert!(!verify(&key.public(), b"massage", &signature));
        assert!(!verify(&other.public(), b"message", &signature));
        for bit in 0..512 {
            let mut changed = signature;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&key.public(), b"message", &changed), "bit {bit}");
        }
        assert!(!verify(&[0xff; 32], b"message", &signature));
        assert_ne!(signature, key.sign(b"message"), "signatures are randomised");
    }

    #[test]
    fn nobody_signs_for_the_account_of_zeros() {
        let nobody = Keypair::from_secret(&[0; 64]).unwrap();
        assert_eq!(nobody.public(), [0; 32]);
        assert!(!verify(&nobody.public(), b"message", &nobody.sign(b"message")));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = Keypair::from_uri("//Alice").unwrap();
        let shown = format!("{key:?} {key:#?}");
        assert!(shown.contains("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"));
        for secret in [key.seed().unwrap().as_slice(), key.secret().as_slice()] {
            assert!(!shown.contains(&hex::encode(secret)));
            assert!(!shown.contains(&format!("{secret:?}")));
            assert!(!shown.contains(&hex::encode(&secret[..8])));
            let decimal = format!("{:?}", &secret[..4]);
            assert!(!shown.contains(decimal.trim_matches(['[', ']'])));
        }
    }
}
