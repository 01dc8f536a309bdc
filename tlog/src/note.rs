//! Signed notes: a text and the signatures of its keys, [C2SP signed-note](https://c2sp.org/signed-note).
//!
//! The text of a note means nothing before [`open`] has verified a signature of a key that the reader knew beforehand.
//! Lines of unknown keys are ignored; a bad signature of a known key spoils the note.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Error;
use crate::key::{KeyId, check_name};

/// Bytes of the longest note read or written: sixteen post-quantum signatures of 5 kB and as much text, with room.
pub const MAX_NOTE_LENGTH: usize = 256 * 1024;

/// The most signature lines read or written; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// What a signature line begins with: an em dash and a space.
const LINE_START: &str = "\u{2014} ";

/// A key that signs notes. The secret stays with the implementation.
pub trait NoteSigner {
    /// The key's name.
    fn name(&self) -> &str;

    /// The key's ID, [`KeyId::derive`].
    fn key_id(&self) -> KeyId;

    /// Signs the note's text, with its final newline.
    ///
    /// # Errors
    /// [`Error::Signing`] when the key cannot sign.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A known key that verifies notes.
pub trait NoteVerifier {
    /// The key's name.
    fn name(&self) -> &str;

    /// The key's ID, [`KeyId::derive`].
    fn key_id(&self) -> KeyId;

    /// Whether the signature is this key's over the note's text. Both are hostile: never panics.
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool;
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// ID of the key.
    pub key_id: KeyId,
    /// The signature itself, without the key's ID.
    pub bytes: Vec<u8>,
}

impl Signature {
    fn is_of(&self, verifier: &dyn NoteVerifier) -> bool {
        self.name == verifier.name() && self.key_id == verifier.key_id()
    }

    fn is_of_same_key(&self, other: &Self) -> bool {
        self.name == other.name && self.key_id == other.key_id
    }

    fn line(&self) -> String {
        let bytes = [self.key_id.0.as_slice(), &self.bytes].concat();
        format!("{LINE_START}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// A note in its parts, well formed and nothing more: nobody has verified a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedNote {
    /// The text with its final newline.
    pub text: String,
    /// The signatures in the order of their lines; at least one.
    pub signatures: Vec<Signature>,
}

impl UnverifiedNote {
    /// Takes a note apart.
    ///
    /// # Errors
    /// [`Error::NoteFormat`] when the bytes are too long or break the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_NOTE_LENGTH {
            return Err(Error::NoteFormat { reason: "more than 256 KiB" });
        }
        let note = std::str::from_utf8(bytes).map_err(|_| Error::NoteFormat { reason: "not UTF-8" })?;
        check_characters(note)?;
        // The last empty line separates: signature lines are never empty.
        let blank = note.rfind("\n\n").ok_or(Error::NoteFormat { reason: "no blank line before the signatures" })?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(Error::NoteFormat { reason: "no signature line with a newline" })?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(Error::NoteFormat { reason: "more than 64 signatures" });
            }
            signatures.push(parse_line(line)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Keeps the signatures of known keys, all of which must verify.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when a signature of a known key does not verify, [`Error::NotSigned`] when no known key
    /// signed, [`Error::KeyFormat`] when two of the known keys cannot be told apart.
    pub fn verify(self, verifiers: &[&dyn NoteVerifier]) -> Result<Note, Error> {
        for (position, verifier) in verifiers.iter().enumerate() {
            let same =
                |other: &&dyn NoteVerifier| other.name() == verifier.name() && other.key_id() == verifier.key_id();
            if verifiers[..position].iter().any(same) {
                return Err(Error::KeyFormat { reason: "two known keys have one name and one key ID" });
            }
        }
        let mut signatures: Vec<Signature> = Vec::new();
        for signature in self.signatures {
            let Some(verifier) = verifiers.iter().find(|verifier| signature.is_of(**verifier)) else { continue };
            if !verifier.verify(self.text.as_bytes(), &signature.bytes) {
                return Err(Error::BadSignature { name: signature.name });
            }
            // A key that signs twice counts once.
            if !signatures.iter().any(|earlier| signature.is_of_same_key(earlier)) {
                signatures.push(signature);
            }
        }
        if signatures.is_empty() {
            let names: Vec<&str> = verifiers.iter().map(|verifier| verifier.name()).collect();
            return Err(Error::NotSigned { expected: names.join(", ") });
        }
        Ok(Note { text: self.text, signatures })
    }
}

/// A note that at least one known key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// The text with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The verified signatures, one for each known key that signed, in the order of their lines.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Whether this key's signature is among the verified ones.
    pub fn is_signed_by(&self, verifier: &dyn NoteVerifier) -> bool {
        self.signatures.iter().any(|signature| signature.is_of(verifier))
    }
}

/// Signs a text with each of the keys, in their order.
///
/// # Errors
/// [`Error::NoteFormat`] when the text cannot be a note's or there is no signer, [`Error::KeyFormat`] when a signer's name
/// is malformed, and what a signer returns.
pub fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<String, Error> {
    check_characters(text)?;
    if !text.ends_with('\n') {
        return Err(Error::NoteFormat { reason: "the text does not end in a newline" });
    }
    if signers.is_empty() || signers.len() > MAX_SIGNATURES {
        return Err(Error::NoteFormat { reason: "not 1 to 64 signers" });
    }
    let mut note = format!("{text}\n");
    for signer in signers {
        check_name(signer.name())?;
        let bytes = signer.sign(text.as_bytes())?;
        if bytes.is_empty() {
            return Err(Error::Signing { name: signer.name().to_owned(), reason: "the signature is empty".to_owned() });
        }
        note.push_str(&Signature { name: signer.name().to_owned(), key_id: signer.key_id(), bytes }.line());
    }
    if note.len() > MAX_NOTE_LENGTH {
        return Err(Error::NoteFormat { reason: "more than 256 KiB" });
    }
    Ok(note)
}

/// Takes a note apart and verifies the signatures of the known keys.
///
/// # Errors
/// As [`UnverifiedNote::parse`] and [`UnverifiedNote::verify`].
pub fn open(bytes: &[u8], verifiers: &[&dyn NoteVerifier]) -> Result<Note, Error> {
    UnverifiedNote::parse(bytes)?.verify(verifiers)
}

/// The specification allows no ASCII control character but the newline.
fn check_characters(text: &str) -> Result<(), Error> {
    match text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        true => Err(Error::NoteFormat { reason: "a control character" }),
        false => Ok(()),
    }
}

fn parse_line(line: &str) -> Result<Signature, Error> {
    let malformed = |reason| Error::NoteFormat { reason };
    let rest = line.strip_prefix(LINE_START).ok_or(malformed("a signature line without its em dash"))?;
    let (name, encoded) = rest.split_once(' ').ok_or(malformed("a signature line without a name or signature"))?;
    check_name(name).map_err(|_| malformed("a signature line with a malformed name"))?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed("a signature that is not base64"))?;
    match bytes.split_first_chunk() {
        Some((key_id, signature)) if !signature.is_empty() => {
            Ok(Signature { name: name.to_owned(), key_id: KeyId(*key_id), bytes: signature.to_vec() })
        }
        _ => Err(malformed("a signature of less than 5 bytes")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
