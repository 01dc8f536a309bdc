//! What kind of miner this is. All kinds but the first misbehave on purpose, to show what a validator does about it; each
//! says what it is in its log and answers nothing it would not say aloud.

use std::fmt;
use std::time::Duration;

/// What a spammer says when it is given nothing else to say.
pub(crate) const SPAM: &str = "Great question! Our premium garden furniture ships free this week. Order two chairs and get \
a parasol on top. Comfort you can feel, prices you will love.";

/// One kind of miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers by retrieval.
    Honest,
    /// Asks another miner the same and returns its answer word for word under its own signature.
    Copycat {
        /// The other miner, `http://127.0.0.1:9001`.
        peer: String,
    },
    /// Returns one text off the subject at once, whatever was asked.
    Spammer,
    /// Answers honestly, but only after the deadline.
    Slow {
        /// How long it waits at least; longer when the request's deadline is further away, at most two minutes.
        wait: Duration,
    },
    /// Accepts no connection.
    Dead,
    /// Returns what cannot be read or verified.
    Malformed {
        /// In which way; `None` takes each in turn.
        way: Option<Malformation>,
    },
}

impl Behaviour {
    /// Whether it needs the corpus and the model.
    pub(crate) fn retrieves(&self) -> bool {
        matches!(self, Self::Honest | Self::Slow { .. })
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Honest => "honest",
            Self::Copycat { .. } => "copycat",
            Self::Spammer => "spammer",
            Self::Slow { .. } => "slow",
            Self::Dead => "dead",
            Self::Malformed { .. } => "malformed",
        })
    }
}

/// One way in which an answer is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformation {
    /// The body breaks off in the middle of its JSON.
    BrokenJson,
    /// Good JSON without `response_text`.
    WrongSchema,
    /// The text is a number.
    WrongType,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A signature of another body.
    ForeignBody,
    /// A signature by another key than the one named.
    ForeignKey,
    /// Half a signature.
    ShortSignature,
    /// An answer of 4 MiB.
    Huge,
}

impl Malformation {
    /// All of them, in the order in which they take turns.
    pub const ALL: [Self; 8] = [
        Self::BrokenJson,
        Self::WrongSchema,
        Self::WrongType,
        Self::NotUtf8,
        Self::ForeignBody,
        Self::ForeignKey,
        Self::ShortSignature,
        Self::Huge,
    ];

    /// Its name on the command line and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BrokenJson => "broken-json",
            Self::WrongSchema => "wrong-schema",
            Self::WrongType => "wrong-type",
            Self::NotUtf8 => "not-utf8",
            Self::ForeignBody => "foreign-body",
            Self::ForeignKey => "foreign-key",
            Self::ShortSignature => "short-signature",
            Self::Huge => "huge",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Malformation;

    #[test]
    fn names_lead_back() {
        for way in Malformation::ALL {
            assert_eq!(Malformation::named(way.name()), Some(way));
        }
        assert_eq!(Malformation::named("polite"), None);
    }
}
