//! The words from which a key can be made again (BIP39, English list).
//!
//! Substrate stretches the phrase's *entropy*, not its text as BIP39 itself would: PBKDF2-HMAC-SHA512 of the entropy with the
//! salt `mnemonic` and 2,048 rounds, of which the first 32 bytes are the mini secret. A phrase from another kind of wallet
//! is therefore read, but gives another key than there.
//! <https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki>, <https://github.com/paritytech/substrate-bip39>

use bip39::{Language, Mnemonic};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, keys::Keypair};

/// 24 words of at most 8 letters, and spaces.
const MAXIMUM_TEXT: usize = 24 * 9 + 64;
const ROUNDS: u32 = 2048;

/// A phrase whose checksum fits. Wiped when dropped; its `Debug` shows nothing of it.
pub struct Phrase(Mnemonic);

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phrase")
    }
}

impl Phrase {
    /// A new phrase of 12, 15, 18, 21 or 24 words: 128 to 256 bits of the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::InvalidPhrase`] for another number of words, [`Error::Randomness`] when there is none.
    pub fn generate(words: usize) -> Result<Self, Error> {
        if !matches!(words, 12 | 15 | 18 | 21 | 24) {
            return Err(Error::InvalidPhrase("a phrase has 12, 15, 18, 21 or 24 words"));
        }
        let mut entropy = Zeroizing::new([0; 32]);
        // 32 bits of entropy and one bit of checksum for three words of 11 bits.
        let entropy = &mut entropy[..words / 3 * 4];
        crate::random::fill(entropy)?;
        let phrase = Mnemonic::from_entropy_in(Language::English, entropy);
        phrase.map(Self).map_err(|_| Error::InvalidPhrase("its entropy has a wrong length"))
    }

    /// Reads a phrase. Capital letters and the amount of white space do not matter.
    ///
    /// # Errors
    /// [`Error::InvalidPhrase`] says what is wrong, and never a word of it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAXIMUM_TEXT {
            return Err(Error::InvalidPhrase("it is longer than 24 words"));
        }
        let mut normal = Zeroizing::new(String::with_capacity(MAXIMUM_TEXT));
        for word in text.split_ascii_whitespace() {
            if !normal.is_empty() {
                normal.push(' ');
            }
            normal.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        }
        Mnemonic::parse_in_normalized(Language::English, &normal).map(Self).map_err(|error| {
            Error::InvalidPhrase(match error {
                bip39::Error::BadWordCount(_) => "a phrase has 12, 15, 18, 21 or 24 words",
                bip39::Error::UnknownWord(_) => "one of its words is not in the English list",
                bip39::Error::InvalidChecksum => "its checksum is wrong: a word or their order is mistaken",
                _ => "it is not a phrase",
            })
        })
    }

    /// The words with single spaces, to be written to a key file or shown once to their owner.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAXIMUM_TEXT));
        for word in self.0.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The key.
    ///
    /// # Errors
    /// As [`Keypair::from_seed`].
    pub fn keypair(&self) -> Result<Keypair, Error> {
        let (mut entropy, length) = self.0.to_entropy_array();
        let mut stretched = Zeroizing::new([0; 64]);
        pbkdf2_hmac::<Sha512>(&entropy[..length], b"mnemonic", ROUNDS, stretched.as_mut_slice());
        entropy.zeroize();
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&stretched[..32]);
        Keypair::from_seed(&seed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn phrases_give_btwallets_keys() {
        // Addresses by bittensor-wallet 4.1.1.
        for (phrase, address) in [
            (
                "bottom drive obey lake curtain smoke basket hold race lonely fit walk",
                "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV",
            ),
            (
                "  Bottom drive obey lake\ncurtain smoke basket hold race lonely fit  WALK ",
                "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV",
            ),
            (
                "cabbage final few fold figure vapor shop outside lake cup cloud soccer scheme despair gesture",
                "5C7tgi1MTB1oCtDAz3nbnwNeciYLXT2sFiwRHoCo1yTktvy2",
            ),
            (
                "crawl wife health road discover interest happy hand emerge confirm miracle file return truck celery demise base stomach",
                "5Coot4vebJdY6EfousX8qbemThr29t4zVWo7Ro96oSiFE5eK",
            ),
            (
                "world antique keep camera broken only hero happy extra buzz barrel goat reason water seed traffic trip animal rifle shed advice",
                "5ETxGsUcsQ79TsV2e2gdoLAgiavV5LPBPKg7rWwTvnAi8N3H",
            ),
            (
                "sudden someone custom solve plate isolate device hour weather space fork fever slice shy expand person vocal total cycle together type dash holiday fog",
                "5HYSghrDByZg7uEpPTmFPRiTL83PAteWTRC7uzU284dsyB1T",
            ),
        ] {
            assert_eq!(Phrase::parse(phrase).unwrap().keypair().unwrap().ss58(), address);
        }
    }

    #[test]
    fn mistaken_phrases_are_refused_without_showing_them() {
        for (phrase, reason) in [
            ("", "12, 15"),
            ("bottom drive", "12, 15"),
            ("bottom drive obey lake curtain smoke basket hold race lonely fit bottom", "checksum"),
            ("bottom drive obey lake curtain smoke basket hold race lonely walk fit", "checksum"),
            ("bottom drive obey lake curtain smoke basket hold race lonely fit walkk", "English list"),
            (&"bottom ".repeat(100), "longer"),
        ] {
            let error = Phrase::parse(phrase).unwrap_err();
            assert!(error.to_string().contains(reason) && !error.to_string().contains("bottom"), "{error}");
        }
    }

    #[test]
    fn new_phrases_differ_and_are_read_again() {
        let mut seen = std::collections::BTreeSet::new();
        for words in [12, 15, 18, 21, 24] {
            let phrase = Phrase::generate(words).unwrap();
            let text = phrase.text();
            assert_eq!(text.split(' ').count(), words);
            assert_eq!(Phrase::parse(&text).unwrap().keypair().unwrap().public(), phrase.keypair().unwrap().public());
            assert!(seen.insert(text.to_string()));
            assert_eq!(format!("{phrase:?}"), "Phrase");
        }
        assert!(Phrase::generate(13).is_err() && Phrase::generate(0).is_err());
    }
}
