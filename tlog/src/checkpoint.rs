//! Checkpoints: a log's origin, size and root as the text of a signed note,
//! [C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint).
//!
//! A log must never sign two checkpoints that are not consistent with each other; that is the caller's duty, because only
//! the caller knows what was signed before.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::key::check_name;
use crate::note::{self, NoteSigner, NoteVerifier, Signature};
use crate::{Error, Hash, MAX_SIZE, empty_root};

/// The head of a log at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Identity of the log; by our own rule also a valid key name.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// Root over all leaves.
    pub root: Hash,
}

/// A checkpoint whose log's signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The verified signatures: the log's own and those of the other known keys that signed.
    pub signatures: Vec<Signature>,
}

/// The note's text: `origin\nsize\nbase64(root)\n`.
impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }
}

impl Checkpoint {
    /// Reads a note's text. There is one text for each checkpoint: sizes have no leading zero, and extension lines, which
    /// the specification advises against, are refused.
    ///
    /// # Errors
    /// [`Error::CheckpointFormat`] with the broken rule; [`Error::SizeLimit`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = |reason| Error::CheckpointFormat { reason };
        let body = text.strip_suffix('\n').ok_or(malformed("no newline at the end"))?;
        let mut lines = body.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("not the three lines origin, size and root"));
        };
        let canonical = size.bytes().all(|byte| byte.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| canonical).ok_or(malformed("the size is not a decimal number"))?;
        let root = STANDARD.decode(root).map_err(|_| malformed("the root is not base64"))?;
        let root = Hash(root.try_into().map_err(|_| malformed("the root is not 32 bytes"))?);
        let checkpoint = Self { origin: origin.to_owned(), size, root };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    fn check(&self) -> Result<(), Error> {
        if check_name(&self.origin).is_err() {
            return Err(Error::CheckpointFormat { reason: "the origin is not a key name" });
        }
        if self.size > MAX_SIZE {
            return Err(Error::SizeLimit { size: self.size });
        }
        if self.size == 0 && self.root != empty_root() {
            return Err(Error::CheckpointFormat { reason: "the root is not that of the empty tree" });
        }
        Ok(())
    }

    /// The checkpoint as a note signed by each of the keys, the log's own first.
    ///
    /// # Errors
    /// When the checkpoint could not be read back, and as [`note::sign`].
    pub fn sign(&self, signers: &[&dyn NoteSigner]) -> Result<String, Error> {
        self.check()?;
        note::sign(&self.to_string(), signers)
    }

    /// Opens the checkpoint of the log `origin`. The log's own key must have signed; other known keys, such as the hotkey's
    /// or a witness's, are verified where they signed.
    ///
    /// # Errors
    /// As [`note::open`] and [`Checkpoint::parse`]; [`Error::NotSigned`] when the log's key did not sign, [`Error::Origin`]
    /// when the checkpoint is another log's.
    pub fn open(
        bytes: &[u8],
        origin: &str,
        log: &dyn NoteVerifier,
        others: &[&dyn NoteVerifier],
    ) -> Result<OpenedCheckpoint, Error> {
        let known: Vec<&dyn NoteVerifier> = std::iter::once(log).chain(others.iter().copied()).collect();
        let note = note::open(bytes, &known)?;
        if !note.is_signed_by(log) {
            return Err(Error::NotSigned { expected: log.name().to_owned() });
        }
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != origin {
            return Err(Error::Origin { expected: origin.to_owned(), found: checkpoint.origin });
        }
        Ok(OpenedCheckpoint { checkpoint, signatures: note.signatures().to_vec() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::leaf_hash;
    use crate::note::tests::TestKey;
    use proptest::prelude::*;

    const ORIGIN: &str = "assay/0123456789abcdef/7/5HotkeyOfTheValidator";

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size: 20_852_163, root: leaf_hash(b"golden") }
    }

    #[test]
    fn the_specification_s_example_is_read() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.root.to_string(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
        assert_eq!(checkpoint.to_string(), text);
    }

    #[test]
    fn texts_that_are_not_canonical_are_refused() {
        let root = STANDARD.encode([7; 32]);
        let (lines, number) = ("not the three lines origin, size and root", "the size is not a decimal number");
        let rows = [
            (String::new(), "no newline at the end"),
            (format!("o\n1\n{root}"), "no newline at the end"),
            ("o\n1\n".into(), lines),
            (format!("o\n1\n{root}\nextension\n"), lines),
            (format!("o\n1\n{root}\n\n"), lines),
            (format!("\n1\n{root}\n"), "the origin is not a key name"),
            (format!("o o\n1\n{root}\n"), "the origin is not a key name"),
            (format!("o\n\n{root}\n"), number),
            (format!("o\n01\n{root}\n"), number),
            (format!("o\n00\n{root}\n"), number),
            (format!("o\n+1\n{root}\n"), number),
            (format!("o\n-1\n{root}\n"), number),
            (format!("o\n 1\n{root}\n"), number),
            (format!("o\n1\r\n{root}\n"), number),
            (format!("o\n18446744073709551616\n{root}\n"), number),
            (format!("o\n0\n{root}\n"), "the root is not that of the empty tree"),
            (format!("o\n1\n{}\n", &root[..43]), "the root is not base64"),
            (format!("o\n1\n{}d=\n", &root[..42]), "the root is not base64"),
            (format!("o\n1\n{}\n", STANDARD.encode([7; 31])), "the root is not 32 bytes"),
            (format!("o\n1\n{}\n", STANDARD.encode([7; 33])), "the root is not 32 bytes"),
        ];
        for (text, reason) in rows {
            assert_eq!(Checkpoint::parse(&text), Err(Error::CheckpointFormat { reason }), "{text:?}");
        }
        let text = format!("o\n9223372036854775808\n{root}\n");
        assert_eq!(Checkpoint::parse(&text), Err(Error::SizeLimit { size: MAX_SIZE + 1 }));
    }

    #[test]
    fn a_checkpoint_that_could_not_be_read_back_is_not_signed() {
        let key = TestKey::new(ORIGIN, 1);
        for broken in [
            Checkpoint { origin: "two\nlines".to_owned(), ..checkpoint() },
            Checkpoint { size: 0, ..checkpoint() },
            Checkpoint { size: u64::MAX, ..checkpoint() },
        ] {
            assert!(broken.sign(&[&key]).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_log_s_own_signature_is_required() {
        let (log, witness, stranger) =
            (TestKey::new(ORIGIN, 1), TestKey::new("witness", 2), TestKey::new("stranger", 3));
        let signed = checkpoint().sign(&[&log, &witness, &stranger]).unwrap();
        let opened = Checkpoint::open(signed.as_bytes(), ORIGIN, &log, &[&witness]).unwrap();
        assert_eq!(opened.checkpoint, checkpoint());
        let names: Vec<&str> = opened.signatures.iter().map(|signature| signature.name.as_str()).collect();
        assert_eq!(names, [ORIGIN, "witness"]);

        let without = checkpoint().sign(&[&witness, &stranger]).unwrap();
        let refused = Checkpoint::open(without.as_bytes(), ORIGIN, &log, &[&witness]);
        assert_eq!(refused, Err(Error::NotSigned { expected: ORIGIN.to_owned() }));
        let refused = Checkpoint::open(signed.as_bytes(), "assay/other", &log, &[]);
        assert_eq!(refused, Err(Error::Origin { expected: "assay/other".to_owned(), found: ORIGIN.to_owned() }));
    }

    proptest! {
        #[test]
        fn parse_undoes_display(origin in "[!-*,-~]{1,60}", size in 1..=MAX_SIZE, root in any::<[u8; 32]>()) {
            let checkpoint = Checkpoint { origin, size, root: Hash(root) };
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
        }

        #[test]
        fn whatever_is_read_is_canonical(text in "[a+]{0,2}\n[0-9]{0,3}\n[A-Za-d=]{42,44}\n{0,2}") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.to_string(), text);
            }
        }
    }
}
