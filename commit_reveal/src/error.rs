//! What can be wrong with a commit.

/// Why a commit cannot be made, opened or timed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A ciphertext is no timelock ciphertext.
    #[error("ciphertext: {problem} at byte {at}; give the bytes of one commit, without an envelope")]
    Ciphertext {
        /// What is wrong.
        problem: &'static str,
        /// Where.
        at: usize,
    },
    /// Something is longer than the chain takes.
    #[error("{field} has {found} bytes, and at most {maximum} fit into a commit: set fewer weights")]
    TooLong {
        /// What.
        field: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The most that fit.
        maximum: usize,
    },
    /// Bytes that are no point of their group.
    #[error("{field} is no point of its group: give the compressed bytes of the beacon")]
    Point {
        /// `public key` or `signature`.
        field: &'static str,
    },
    /// The signature opens another round's ciphertexts.
    #[error(
        "the signature does not open this ciphertext: it is of another round or of another beacon, or the bytes were changed"
    )]
    WrongSignature,
    /// The encryption itself failed.
    #[error("the payload cannot be encrypted: try again with other randomness")]
    Encryption,
    /// Decrypted bytes that are no weights.
    #[error("payload: {problem}")]
    Payload {
        /// What is wrong.
        problem: &'static str,
    },
    /// No epoch is ever due.
    #[error("tempo is 0, so no epoch and no reveal ever comes: set a tempo first")]
    NoTempo,
    /// An absurd reveal period.
    #[error("the reveal period is {found} epochs, and the chain allows 1 to {}", crate::rounds::REVEAL_PERIOD_MAXIMUM)]
    RevealPeriod {
        /// In epochs.
        found: u64,
    },
    /// A beacon without a period.
    #[error("the beacon's period is 0 milliseconds: give the time between two rounds")]
    Period,
}
