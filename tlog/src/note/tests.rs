//! Notes round trip, and hostile notes as rows.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::key::SignatureType;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A key whose signature is a keyed hash: enough for the format, which knows no algorithm.
pub(crate) struct TestKey {
    name: String,
    secret: [u8; 32],
}

impl TestKey {
    pub(crate) fn new(name: &str, secret: u8) -> Self {
        Self { name: name.to_owned(), secret: [secret; 32] }
    }

    fn tag(&self, text: &[u8]) -> Vec<u8> {
        Sha256::new().chain_update(self.secret).chain_update(text).finalize().to_vec()
    }

    fn id(&self) -> KeyId {
        KeyId::derive(&self.name, SignatureType::Sr25519, &self.secret)
    }
}

impl NoteSigner for TestKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        self.id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        match self.secret[0] {
            0 => Err(Error::Signing { name: self.name.clone(), reason: "the key is locked".to_owned() }),
            0xff => Ok(Vec::new()),
            _ => Ok(self.tag(text)),
        }
    }
}

impl NoteVerifier for TestKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> KeyId {
        self.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.tag(text) == signature
    }
}

const TEXT: &str = "Ognuno sta solo\n\ned \u{e8} subito sera.\n";

#[test]
fn the_specification_s_example_is_taken_apart() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n\n\
        \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let parsed = UnverifiedNote::parse(note.as_bytes()).unwrap();
    assert!(parsed.text.ends_with("subito sera.\n"));
    assert_eq!(parsed.signatures.len(), 1);
    assert_eq!(parsed.signatures[0].name, "quasimodo.example/salvatore");
    assert_eq!(parsed.signatures[0].key_id.to_string(), "367ba04b");
    assert_eq!(parsed.signatures[0].bytes.len(), 64);
}

#[test]
fn unknown_keys_are_ignored_and_known_ones_must_verify() {
    let (first, second, stranger) = (TestKey::new("first", 1), TestKey::new("second", 2), TestKey::new("stranger", 3));
    let signed = sign(TEXT, &[&first, &stranger, &second]).unwrap();
    let note = open(signed.as_bytes(), &[&second, &first]).unwrap();
    assert_eq!(note.text(), TEXT);
    assert_eq!(note.signatures().iter().map(|of| of.name.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert!(note.is_signed_by(&first) && !note.is_signed_by(&stranger));

    // One name with another key, or another name with one key, is another key.
    let (namesake, renamed) = (TestKey::new("first", 9), TestKey::new("other", 1));
    let found = open(signed.as_bytes(), &[&namesake, &renamed]);
    assert_eq!(found, Err(Error::NotSigned { expected: "first, other".to_owned() }));
    assert_eq!(open(signed.as_bytes(), &[]), Err(Error::NotSigned { expected: String::new() }));
    let ambiguous = open(signed.as_bytes(), &[&first, &first]);
    assert_eq!(ambiguous, Err(Error::KeyFormat { reason: "two known keys have one name and one key ID" }));
}

#[test]
fn a_bad_signature_of_a_known_key_spoils_the_note() {
    let (first, second) = (TestKey::new("first", 1), TestKey::new("second", 2));
    let signed = sign(TEXT, &[&first, &second]).unwrap();
    let changed = signed.replacen("solo", "sole", 1);
    assert_eq!(open(changed.as_bytes(), &[&second]), Err(Error::BadSignature { name: "second".to_owned() }));

    // A good line of the same key does not make up for the bad one.
    let mut parsed = UnverifiedNote::parse(signed.as_bytes()).unwrap();
    let mut bad = parsed.signatures[0].clone();
    parsed.signatures.push(bad.clone());
    assert_eq!(parsed.clone().verify(&[&first]).unwrap().signatures().len(), 1);
    bad.bytes[0] ^= 1;
    parsed.signatures.push(bad);
    assert_eq!(parsed.clone().verify(&[&first]), Err(Error::BadSignature { name: "first".to_owned() }));
    assert!(parsed.verify(&[&second]).is_ok());
}

#[test]
fn what_cannot_be_a_note_is_not_signed() {
    let key = TestKey::new("key", 1);
    let signers_of_a_crowd: Vec<&dyn NoteSigner> = vec![&key; MAX_SIGNATURES + 1];
    let format = |reason| Err(Error::NoteFormat { reason });
    assert_eq!(sign("no newline", &[&key]), format("the text does not end in a newline"));
    assert_eq!(sign("tab\t\n", &[&key]), format("a control character"));
    assert_eq!(sign("x\n", &[]), format("not 1 to 64 signers"));
    assert_eq!(sign("x\n", &signers_of_a_crowd), format("not 1 to 64 signers"));
    assert_eq!(sign(&format!("{}\n", "x".repeat(MAX_NOTE_LENGTH)), &[&key]), format("more than 256 KiB"));
    let spaced = TestKey::new("a b", 1);
    assert!(matches!(sign("x\n", &[&spaced]), Err(Error::KeyFormat { .. })));
    for (secret, reason) in [(0, "the key is locked"), (0xff, "the signature is empty")] {
        let refused = sign("x\n", &[&TestKey::new("key", secret)]);
        assert_eq!(refused, Err(Error::Signing { name: "key".to_owned(), reason: reason.to_owned() }));
    }
}

#[test]
fn malformed_notes_are_refused_with_the_rule() {
    let line = |name: &str, bytes: &[u8]| format!("\u{2014} {name} {}\n", STANDARD.encode(bytes));
    let good = line("key", &[1; 36]);
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "no blank line before the signatures"),
        (vec![b'x'; MAX_NOTE_LENGTH + 1], "more than 256 KiB"),
        (b"\xff\n\n".to_vec(), "not UTF-8"),
        (format!("te\u{0}xt\n\n{good}").into(), "a control character"),
        (format!("text\r\n\r\n{good}").into(), "a control character"),
        (format!("text\n{good}").into(), "no blank line before the signatures"),
        (b"text\n\n".to_vec(), "no signature line with a newline"),
        (format!("text\n\n{}", good.trim_end()).into(), "no signature line with a newline"),
        (format!("text\n\n{good}\n").into(), "no signature line with a newline"),
        (b"text\n\n- key AQEBAQEB\n".to_vec(), "a signature line without its em dash"),
        ("text\n\n\u{2014} AQEBAQEB\n".into(), "a signature line without a name or signature"),
        ("text\n\n\u{2014}  AQEBAQEB\n".into(), "a signature line with a malformed name"),
        (format!("text\n\n{}", line("k+y", &[1; 36])).into(), "a signature line with a malformed name"),
        (format!("text\n\n{}", line("k\u{a0}y", &[1; 36])).into(), "a signature line with a malformed name"),
        (format!("text\n\n{}", line("key", &[1; 4])).into(), "a signature of less than 5 bytes"),
        (format!("text\n\n{}", line("key", &[])).into(), "a signature of less than 5 bytes"),
        ("text\n\n\u{2014} key AQEBAQE\n".into(), "a signature that is not base64"),
        ("text\n\n\u{2014} key AQEBAQF=\n".into(), "a signature that is not base64"),
        ("text\n\n\u{2014} key AQEBAQEB \n".into(), "a signature that is not base64"),
        (format!("text\n\n{good}trailing\n").into(), "a signature line without its em dash"),
        (format!("text\n\n{}", good.repeat(MAX_SIGNATURES + 1)).into(), "more than 64 signatures"),
    ];
    for (bytes, reason) in rows {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(UnverifiedNote::parse(&bytes), Err(Error::NoteFormat { reason }), "{shown:?}");
    }
    let most = format!("text\n\n{}", good.repeat(MAX_SIGNATURES));
    assert_eq!(UnverifiedNote::parse(most.as_bytes()).unwrap().signatures.len(), MAX_SIGNATURES);
}

proptest! {
    #[test]
    fn open_undoes_sign(text in "([^\u{0}-\u{1f}]{0,20}\n){1,5}") {
        let key = TestKey::new("key", 5);
        let signed = sign(&text, &[&key]).unwrap();
        let note = open(signed.as_bytes(), &[&key]).unwrap();
        prop_assert_eq!(note.text(), text);
    }

    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let key = TestKey::new("key", 5);
        let mut bytes = sign(TEXT, &[&key]).unwrap().into_bytes();
        let at = at.index(bytes.len());
        let changed = bytes[at] != value;
        bytes[at] = value;
        prop_assert_eq!(open(&bytes, &[&key]).is_err(), changed);
    }

    #[test]
    fn hostile_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), tail in "[\n\u{2014} a=]{0,40}") {
        let note = [bytes.as_slice(), tail.as_bytes()].concat();
        prop_assert!(open(&note, &[&TestKey::new("key", 5)]).is_err());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = UnverifiedNote::parse(format!("{text}\n\n{tail}\n").as_bytes());
    }
}
