//! Keys that sign checkpoints and responses, as a reader of the log needs them: verification, and the log's own Ed25519
//! signatures, which are deterministic.
//!
//! Nothing here draws randomness. Signing with a hotkey (sr25519) does, and so is done where the hotkey lives.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use tlog::{Error, KeyId, NoteSigner, NoteVerifier, SignatureType, VerifierKey};

/// The signing context of Substrate, in which hotkeys sign.
const SUBSTRATE_CONTEXT: &[u8] = b"substrate";

/// The encoding of Ristretto's neutral element: as a public key, anyone can sign for it.
const NEUTRAL_ELEMENT: [u8; 32] = [0; 32];

/// Whether `signature` is the sr25519 signature of `message` by `public` in the context `substrate`. False for bytes that
/// are no key or no signature, and for the one key that anyone can sign for; never panics.
pub fn verify_sr25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(public) = sr25519_key(public) else { return false };
    let Ok(signature) = schnorrkel::Signature::from_bytes(signature) else { return false };
    public.verify_simple(SUBSTRATE_CONTEXT, message, &signature).is_ok()
}

fn sr25519_key(public: &[u8; 32]) -> Option<schnorrkel::PublicKey> {
    schnorrkel::PublicKey::from_bytes(public).ok().filter(|_| *public != NEUTRAL_ELEMENT)
}

/// The known verifier for a key of either type.
///
/// # Errors
/// [`Error::KeyFormat`] when the public key is no point of its curve or a weak one.
pub fn note_verifier(key: VerifierKey) -> Result<Box<dyn NoteVerifier + Send + Sync>, Error> {
    Ok(match key.signature_type() {
        SignatureType::Ed25519 => Box::new(Ed25519NoteVerifier::new(key)?),
        SignatureType::Sr25519 => Box::new(Sr25519NoteVerifier::new(key)?),
    })
}

/// Verifies the log's own signature line.
#[derive(Debug, Clone)]
pub struct Ed25519NoteVerifier {
    key: VerifierKey,
    point: VerifyingKey,
}

impl Ed25519NoteVerifier {
    /// A verifier for an Ed25519 key.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] when the key is of another type, no point of the curve, or of small order.
    pub fn new(key: VerifierKey) -> Result<Self, Error> {
        check_type(&key, SignatureType::Ed25519)?;
        let refused = Error::KeyFormat { reason: "the public key is not a sound Ed25519 key" };
        match VerifyingKey::from_bytes(key.public_key()) {
            Ok(point) if !point.is_weak() => Ok(Self { key, point }),
            _ => Err(refused),
        }
    }

    /// The key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }
}

impl NoteVerifier for Ed25519NoteVerifier {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> KeyId {
        self.key.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        // Strict: one signature must not be valid for one reader and invalid for another.
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.point.verify_strict(text, &signature).is_ok())
    }
}

/// Verifies the hotkey's signature line.
#[derive(Debug, Clone)]
pub struct Sr25519NoteVerifier {
    key: VerifierKey,
}

impl Sr25519NoteVerifier {
    /// A verifier for a hotkey.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] when the key is of another type, no point of the curve, or the neutral element.
    pub fn new(key: VerifierKey) -> Result<Self, Error> {
        check_type(&key, SignatureType::Sr25519)?;
        match sr25519_key(key.public_key()) {
            Some(_) => Ok(Self { key }),
            None => Err(Error::KeyFormat { reason: "the public key is not a sound sr25519 key" }),
        }
    }

    /// The key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }
}

impl NoteVerifier for Sr25519NoteVerifier {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> KeyId {
        self.key.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| verify_sr25519(self.key.public_key(), text, signature))
    }
}

/// Signs the log's checkpoints with Ed25519. `Debug` shows the public key only.
pub struct Ed25519NoteSigner {
    key: VerifierKey,
    secret: SigningKey,
}

impl Ed25519NoteSigner {
    /// A signer from the 32 secret bytes (RFC 8032's private key), under a name, which is the log's origin.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] when the name is not a key name.
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<Self, Error> {
        let secret = SigningKey::from_bytes(secret);
        let key = VerifierKey::new(name, SignatureType::Ed25519, secret.verifying_key().to_bytes())?;
        Ok(Self { key, secret })
    }

    /// The public half, for handing out.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }
}

impl fmt::Debug for Ed25519NoteSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ed25519NoteSigner").field("key", &self.key).finish_non_exhaustive()
    }
}

impl NoteSigner for Ed25519NoteSigner {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> KeyId {
        self.key.id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.secret.sign(text).to_vec())
    }
}

fn check_type(key: &VerifierKey, expected: SignatureType) -> Result<(), Error> {
    match (key.signature_type() == expected, expected) {
        (true, _) => Ok(()),
        (false, SignatureType::Ed25519) => Err(Error::KeyFormat { reason: "the key is not of type Ed25519" }),
        (false, SignatureType::Sr25519) => Err(Error::KeyFormat { reason: "the key is not of type sr25519" }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use tlog::Checkpoint;

    const ORIGIN: &str = "assay/2f0555cc76fc2840/78/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    /// The public key of Substrate's development account Alice, 5GrwvaEF….
    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    fn bytes<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// A hotkey as a validator holds it; only signing draws randomness.
    struct Hotkey {
        name: &'static str,
        pair: schnorrkel::Keypair,
    }

    impl Hotkey {
        fn new(name: &'static str, seed: u8) -> Self {
            let secret = schnorrkel::MiniSecretKey::from_bytes(&[seed; 32]).unwrap();
            Self { name, pair: secret.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519) }
        }

        fn key(&self) -> VerifierKey {
            VerifierKey::new(self.name, SignatureType::Sr25519, self.pair.public.to_bytes()).unwrap()
        }
    }

    impl NoteSigner for Hotkey {
        fn name(&self) -> &str {
            self.name
        }

        fn key_id(&self) -> KeyId {
            self.key().id()
        }

        fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
            Ok(self.pair.sign_simple(SUBSTRATE_CONTEXT, text).to_bytes().to_vec())
        }
    }

    #[test]
    fn signatures_made_by_the_bittensor_sdk_verify() {
        let message = "btauth/1\nsr25519\nPOST\n/generate\n\
            341c57448e531310fbbe83f44cea2a5e838bd9e8a6b82b269f01d0dbbc23c3cc\n1760000000000000000\n\
            5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\n5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
        let signature = bytes::<64>(
            "f82fdea9b7dd309f52d79e3b8da8086514399b6af11d9d0e1c6be251e68b7233\
             4516107fea186cde01aece98394f6246033047766a104a9d09b53a2b8a785a8d",
        );
        let alice = bytes(ALICE);
        assert!(verify_sr25519(&alice, message.as_bytes(), &signature));
        for bit in (0..512).step_by(7) {
            let mut changed = signature;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_sr25519(&alice, message.as_bytes(), &changed), "bit {bit}");
        }
        assert!(!verify_sr25519(&alice, &message.as_bytes()[1..], &signature));
        assert!(!verify_sr25519(&[0xff; 32], message.as_bytes(), &signature));
        assert!(!verify_sr25519(&alice, message.as_bytes(), &[0; 64]));
        // The signature that satisfies the equation for every message under the neutral element: both parts zero.
        let mut universal = [0; 64];
        universal[63] = 0x80;
        assert!(!verify_sr25519(&NEUTRAL_ELEMENT, message.as_bytes(), &universal));
    }

    #[test]
    fn signatures_of_rfc_8032_verify() {
        // RFC 8032, section 7.1, test 2: the message 0x72.
        let secret = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let signer = Ed25519NoteSigner::new("rfc8032", &secret).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(signer.key().public_key(), &bytes(public));
        let signature = signer.sign(&[0x72]).unwrap();
        assert_eq!(
            hex::encode(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        let verifier = Ed25519NoteVerifier::new(signer.key().clone()).unwrap();
        assert!(verifier.verify(&[0x72], &signature));
        assert!(!verifier.verify(&[0x73], &signature));
        assert!(!verifier.verify(&[0x72], &signature[..63]));
        assert!(!verifier.verify(&[0x72], &[signature.as_slice(), &[0]].concat()));
        assert!(!format!("{signer:?}").contains(&hex::encode(secret)[..8]));
    }

    #[test]
    fn unsound_keys_are_refused() {
        let refuse = |signature_type, public, reason| {
            let key = VerifierKey::new("key", signature_type, public).unwrap();
            assert_eq!(note_verifier(key).err(), Some(Error::KeyFormat { reason }));
        };
        // Not a point; and the neutral element, for which anyone can sign.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        refuse(SignatureType::Ed25519, [2; 32], "the public key is not a sound Ed25519 key");
        refuse(SignatureType::Ed25519, neutral, "the public key is not a sound Ed25519 key");
        refuse(SignatureType::Sr25519, [0xff; 32], "the public key is not a sound sr25519 key");
        refuse(SignatureType::Sr25519, NEUTRAL_ELEMENT, "the public key is not a sound sr25519 key");
        let hotkey = Hotkey::new("key", 1).key();
        let reason = "the key is not of type Ed25519";
        assert_eq!(Ed25519NoteVerifier::new(hotkey).err(), Some(Error::KeyFormat { reason }));
        let log = Ed25519NoteSigner::new("key", &[1; 32]).unwrap().key().clone();
        let reason = "the key is not of type sr25519";
        assert_eq!(Sr25519NoteVerifier::new(log).err(), Some(Error::KeyFormat { reason }));
    }

    /// The text form of the golden checkpoint's keys, after the origin.
    const GOLDEN_KEYS: [&str; 2] = [
        "f428a563+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "3071a66f+/2Fzc2F5L3NyMjU1MTlqEL4CnR7Sg0RlhxRaT4hSJUibSQQkoDKNzOKkiub+YQ==",
    ];

    /// The whole bytes of a checkpoint; the hotkey's line was signed once and is kept, because sr25519 draws randomness.
    #[test]
    fn golden_bytes_of_a_signed_checkpoint() {
        let golden = include_str!("../tests/golden/checkpoint.txt");
        let log = Ed25519NoteSigner::new(ORIGIN, &[7; 32]).unwrap();
        let hotkey = Hotkey::new(ORIGIN, 9);
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 1_048_577, root: tlog::leaf_hash(b"golden") };
        assert!(golden.starts_with(&checkpoint.sign(&[&log]).unwrap()));
        let keys = [log.key().clone(), hotkey.key()];
        assert_eq!(keys.each_ref().map(ToString::to_string), GOLDEN_KEYS.map(|key| format!("{ORIGIN}+{key}")));
        let known = keys.map(|key| note_verifier(key).unwrap());
        let opened = Checkpoint::open(golden.as_bytes(), ORIGIN, &*known[0], &[&*known[1]]).unwrap();
        assert_eq!(opened.checkpoint, checkpoint);
        assert_eq!(opened.signatures.len(), 2);
        let changed = golden.replacen("1048577", "1048578", 1);
        let refused = Checkpoint::open(changed.as_bytes(), ORIGIN, &*known[0], &[]);
        assert_eq!(refused, Err(Error::BadSignature { name: ORIGIN.to_owned() }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn both_keys_sign_what_their_verifiers_open(
            size in 1..=tlog::MAX_SIZE, root in any::<[u8; 32]>(), seed in any::<u8>(),
        ) {
            let (log, hotkey) = (Ed25519NoteSigner::new(ORIGIN, &[seed; 32]).unwrap(), Hotkey::new(ORIGIN, seed));
            let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: tlog::Hash(root) };
            let signed = checkpoint.sign(&[&log, &hotkey]).unwrap();
            let texts = [log.key().to_string(), hotkey.key().to_string()];
            let known = texts.map(|text| note_verifier(text.parse().unwrap()).unwrap());
            let opened = Checkpoint::open(signed.as_bytes(), ORIGIN, &*known[0], &[&*known[1]]).unwrap();
            prop_assert_eq!((opened.checkpoint, opened.signatures.len()), (checkpoint, 2));
        }

        #[test]
        fn hostile_keys_and_signatures_do_not_panic(
            public in any::<[u8; 32]>(), upper in any::<[u8; 32]>(), text in any::<[u8; 8]>(),
        ) {
            let signature: [u8; 64] = [public, upper].concat().try_into().unwrap();
            prop_assert!(!verify_sr25519(&public, &text, &signature));
            for signature_type in [SignatureType::Ed25519, SignatureType::Sr25519] {
                if let Ok(verifier) = note_verifier(VerifierKey::new("key", signature_type, public).unwrap()) {
                    prop_assert!(!verifier.verify(&text, &signature));
                }
            }
        }
    }
}
