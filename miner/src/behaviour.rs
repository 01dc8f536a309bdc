//! What kind of miner this is. All kinds but the first misbehave on purpose, to show what a validator does about it; each
//! says what it is in its log and answers nothing it would not say aloud.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::types::Hotkey;

/// How long a slow miner waits when nobody says how long, in a request without a deadline.
const SLOW: Duration = Duration::from_secs(30);

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
        /// The other miner.
        peer: Peer,
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

/// Whom a copycat copies: the plain route of an address, or the axon of a hotkey there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `http://127.0.0.1:9001`.
    pub url: String,
    /// Its hotkey. What a validator signs for one axon is worth nothing at another, so that a copycat has to sign for itself.
    pub hotkey: Option<Hotkey>,
}

/// What to do about a copycat without a peer.
const NO_PEER: &str = "a copycat needs the address of its peer: copycat=http://127.0.0.1:9001, or copycat=HOTKEY@http://… to ask its axon";

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (hotkey, url) = text.split_once('@').map_or((None, text), |(hotkey, url)| (Some(hotkey), url));
        if !url.starts_with("http://") {
            return Err(NO_PEER.to_owned());
        }
        let hotkey = hotkey.map(str::parse).transpose().map_err(|error| format!("{text}: {error}"))?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), hotkey })
    }
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

/// Reads what `--behaviour` takes: `honest`, `copycat=URL`, `spammer`, `slow`, `slow=SECONDS`, `dead`, `malformed` or
/// `malformed=WAY`.
impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, detail) = text.split_once('=').map_or((text, None), |(kind, detail)| (kind, Some(detail)));
        match (kind, detail) {
            ("honest", None) => Ok(Self::Honest),
            ("copycat", Some(peer)) => Ok(Self::Copycat { peer: peer.parse()? }),
            ("copycat", None) => Err(NO_PEER.to_owned()),
            ("spammer", None) => Ok(Self::Spammer),
            ("slow", None) => Ok(Self::Slow { wait: SLOW }),
            ("slow", Some(seconds)) => match seconds.parse() {
                Ok(seconds) => Ok(Self::Slow { wait: Duration::from_secs(seconds) }),
                Err(_) => Err(format!("slow takes whole seconds, not {seconds:?}")),
            },
            ("dead", None) => Ok(Self::Dead),
            ("malformed", None) => Ok(Self::Malformed { way: None }),
            ("malformed", Some(way)) => match Malformation::named(way) {
                Some(way) => Ok(Self::Malformed { way: Some(way) }),
                None => {
                    let known: Vec<&str> = Malformation::ALL.iter().map(|way| way.name()).collect();
                    Err(format!("{way:?} is no malformation; there are {}", known.join(", ")))
                }
            },
            _ => {
                Err(format!("{text:?} is no behaviour; there are honest, copycat=URL, spammer, slow, dead, malformed"))
            }
        }
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
    use super::{Behaviour, Malformation, Peer};
    use std::time::Duration;

    #[test]
    fn reads_behaviours() {
        let check = |text: &str, expected: Behaviour| assert_eq!(text.parse(), Ok(expected));
        check("honest", Behaviour::Honest);
        check(
            "copycat=http://127.0.0.1:9001",
            Behaviour::Copycat { peer: Peer { url: "http://127.0.0.1:9001".to_owned(), hotkey: None } },
        );
        check("spammer", Behaviour::Spammer);
        check("slow=3", Behaviour::Slow { wait: Duration::from_secs(3) });
        check("dead", Behaviour::Dead);
        check("malformed", Behaviour::Malformed { way: None });
        check("malformed=huge", Behaviour::Malformed { way: Some(Malformation::Huge) });
        let refuse = |text: &str, expected: &str| {
            let error = text.parse::<Behaviour>().err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error:?}");
        };
        refuse("copycat", "address of its peer");
        refuse("slow=soon", "whole seconds");
        refuse("malformed=politely", "broken-json, wrong-schema");
        refuse("dead=very", "is no behaviour");
        refuse("", "is no behaviour");
    }

    #[test]
    fn names_lead_back() {
        for way in Malformation::ALL {
            assert_eq!(Malformation::named(way.name()), Some(way));
        }
        assert_eq!(Malformation::named("polite"), None);
    }
}
