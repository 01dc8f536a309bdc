//! Our keys as signers of notes: the checkpoint key, and the hotkey that vouches for it.
//!
//! The bytes of a signature line are `tlog`'s affair; this is only where the secret meets the text.

use tlog::key::check_name;
use tlog::{KeyId, NoteSigner, SignatureType, VerifierKey};

use crate::checkpoint_key::CheckpointKey;
use crate::keys::Keypair;

/// The checkpoint key under a name (the ledger's origin), signature type 0x01.
#[derive(Debug, Clone)]
pub struct CheckpointSigner {
    name: String,
    key: CheckpointKey,
}

impl CheckpointSigner {
    /// # Errors
    /// [`tlog::Error::KeyFormat`] when the name is none.
    pub fn new(name: &str, key: CheckpointKey) -> Result<Self, tlog::Error> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// The public half, in the form in which it is handed out.
    ///
    /// # Errors
    /// None in practice: the name was checked.
    pub fn verifier_key(&self) -> Result<VerifierKey, tlog::Error> {
        VerifierKey::new(&self.name, SignatureType::Ed25519, self.key.public())
    }
}

impl NoteSigner for CheckpointSigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Ed25519, &self.key.public())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, tlog::Error> {
        Ok(self.key.sign(text).to_vec())
    }
}

/// The hotkey under a name, signature type 0xff with the identifier `assay/sr25519`.
#[derive(Debug, Clone)]
pub struct HotkeySigner {
    name: String,
    keypair: Keypair,
}

impl HotkeySigner {
    /// # Errors
    /// [`tlog::Error::KeyFormat`] when the name is none.
    pub fn new(name: &str, keypair: Keypair) -> Result<Self, tlog::Error> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), keypair })
    }

    /// The public half, in the form in which it is handed out.
    ///
    /// # Errors
    /// None in practice: the name was checked.
    pub fn verifier_key(&self) -> Result<VerifierKey, tlog::Error> {
        VerifierKey::new(&self.name, SignatureType::Sr25519, self.keypair.public())
    }
}

impl NoteSigner for HotkeySigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Sr25519, &self.keypair.public())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, tlog::Error> {
        Ok(self.keypair.sign(text).to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use tlog::NoteVerifier;

    const ORIGIN: &str = "assay/0123456789abcdef/7/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    /// A verifier of either type, from the key as it is handed out.
    struct Verifier(VerifierKey);

    impl NoteVerifier for Verifier {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn key_id(&self) -> KeyId {
            self.0.id()
        }

        fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
            let Ok(signature) = signature.try_into() else { return false };
            match self.0.signature_type() {
                SignatureType::Ed25519 => crate::checkpoint_key::verify(self.0.public_key(), text, signature),
                SignatureType::Sr25519 => crate::keys::verify(self.0.public_key(), text, signature),
            }
        }
    }

    #[test]
    fn both_signatures_of_a_note_verify_with_the_keys_handed_out() {
        let checkpoint = CheckpointSigner::new(ORIGIN, CheckpointKey::from_seed(&[7; 32])).unwrap();
        let hotkey = HotkeySigner::new(ORIGIN, Keypair::from_uri("//Alice").unwrap()).unwrap();
        let text = format!("{ORIGIN}\n12\nroot\n");
        let note = tlog::note::sign(&text, &[&checkpoint, &hotkey]).unwrap();
        let handed_out =
            [checkpoint.verifier_key().unwrap(), hotkey.verifier_key().unwrap()].map(|key| key.to_string());
        let [first, second] = handed_out.map(|key| Verifier(key.parse().unwrap()));
        let opened = tlog::note::open(note.as_bytes(), &[&first, &second]).unwrap();
        assert_eq!(opened.text(), text);
        assert!(opened.is_signed_by(&first) && opened.is_signed_by(&second));
        let altered = note.replacen("\n12\n", "\n13\n", 1);
        assert!(tlog::note::open(altered.as_bytes(), &[&first]).is_err());
        assert!(tlog::note::open(altered.as_bytes(), &[&second]).is_err());
        assert!(CheckpointSigner::new("two words", CheckpointKey::from_seed(&[7; 32])).is_err());
    }
}
