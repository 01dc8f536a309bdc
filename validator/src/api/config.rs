//! What the routes need to know: who may change something, what a challenge gets when it does not say, and the limits.

use std::net::SocketAddr;
use std::time::Duration;

use domain::types::{Digest, Hotkey, sha256};

use super::sealed::SealedPush;
use crate::Error;

/// The variable that holds the bearer token.
pub const TOKEN_VARIABLE: &str = "ASSAY_API_TOKEN";

/// A shorter token can be guessed: 16 characters of hex are 64 bits.
const SHORTEST_TOKEN: usize = 16;

/// A header line of a few hundred characters is all that a client library sends without being asked to.
const LONGEST_TOKEN: usize = 512;

/// A bearer token. Only its SHA-256 is kept, so that it cannot be shown.
#[derive(Clone)]
pub struct Token(Digest);

impl Token {
    /// A token that is hard to guess.
    ///
    /// # Errors
    /// One that is too short, too long, or cannot stand in a header. The token is not repeated.
    pub fn new(text: &str) -> Result<Self, Error> {
        let problem = if text.len() < SHORTEST_TOKEN {
            format!("is shorter than {SHORTEST_TOKEN} characters; take for example 32 hex digits of /dev/urandom")
        } else if text.len() > LONGEST_TOKEN {
            format!("is longer than {LONGEST_TOKEN} characters")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            "has characters that cannot stand in a header: take letters, digits and punctuation of ASCII".to_owned()
        } else {
            return Ok(Self(sha256(text.as_bytes())));
        };
        Err(Error::Setting { setting: TOKEN_VARIABLE, problem })
    }

    /// Whether `given` is the token. Takes the same time wherever they differ, and however long `given` is is known to
    /// whoever sent it.
    pub(crate) fn is(&self, given: &str) -> bool {
        let given = sha256(given.as_bytes());
        let difference = self.0.0.iter().zip(given.0).fold(0u8, |difference, (own, given)| difference | (own ^ given));
        std::hint::black_box(difference) == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

/// What a challenge gets when it does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChallengeDefaults {
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Nucleus sampling, 0 to 1.
    pub top_p: f64,
    /// Longest answer in tokens.
    pub max_tokens: u32,
}

impl ChallengeDefaults {
    /// Those that Loosh's README shows in its example.
    pub const README: Self = Self { temperature: 0.7, top_p: 0.95, max_tokens: 512 };

    /// Those of the running upstream.
    pub const UPSTREAM: Self = Self { temperature: 0.7, top_p: 0.95, max_tokens: 12_288 };

    /// Those that belong to a rule set by its name.
    #[must_use]
    pub fn for_rule_set(name: &str) -> Self {
        if name.ends_with("/readme") { Self::README } else { Self::UPSTREAM }
    }
}

/// Limits of the server.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// Connections open at once; more wait in the system's backlog.
    pub connections: usize,
    /// Requests worked on at once; more get 503.
    pub requests: usize,
    /// How long a client may take over a request's head, and how long a connection may idle.
    pub head_timeout: Duration,
    /// How long a client may take over a request's body.
    pub body_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// How long a connection may live; then it ends after its current request.
    pub connection_lifetime: Duration,
    /// How long open requests may take to end when the server stops.
    pub drain_timeout: Duration,
}

impl ApiLimits {
    pub(super) fn serving(&self) -> serving::Limits {
        serving::Limits {
            connections: self.connections,
            head_timeout: self.head_timeout,
            request_timeout: self.request_timeout,
            lifetime: self.connection_lifetime,
            drain: self.drain_timeout,
        }
    }
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 128,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            connection_lifetime: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// The settings of the routes.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Opens the routes that change something to whoever sends it. When set, being on the same machine is not enough.
    pub token: Option<Token>,
    /// Hotkeys whose signature opens them.
    pub allowed_hotkeys: Vec<Hotkey>,
    /// Who may push sealed challenges; without it those routes are not there.
    pub sealed: Option<SealedPush>,
    /// What a challenge gets when it does not say.
    pub defaults: ChallengeDefaults,
    /// The limits.
    pub limits: ApiLimits,
}

impl ApiConfig {
    /// Loopback only, with the defaults given.
    #[must_use]
    pub fn new(defaults: ChallengeDefaults) -> Self {
        Self { token: None, allowed_hotkeys: Vec::new(), sealed: None, defaults, limits: ApiLimits::default() }
    }

    /// Refuses to listen where everybody can reach the routes and nobody could be told apart.
    ///
    /// # Errors
    /// [`Error::Setting`] for an address that is not loopback when neither a token nor a hotkey is configured.
    pub fn check(&self, address: SocketAddr) -> Result<(), Error> {
        // Beside a sealed push the other routes stay open to this machine alone.
        let told_apart = self.token.is_some() || !self.allowed_hotkeys.is_empty() || self.sealed.is_some();
        if address.ip().to_canonical().is_loopback() || told_apart {
            return Ok(());
        }
        let problem = format!(
            "is {address}, which others can reach: set {TOKEN_VARIABLE}, allow hotkeys, or listen on 127.0.0.1"
        );
        Err(Error::Setting { setting: "listen", problem })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tokens_are_compared_and_not_shown() {
        let token = Token::new("correct-horse-battery").unwrap();
        assert!(token.is("correct-horse-battery"));
        for wrong in ["", "correct-horse-batter", "correct-horse-batteryy", "Correct-horse-battery"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(hidden)");
    }

    #[test]
    fn weak_tokens_are_refused_without_being_repeated() {
        for weak in ["", "fifteen-letters", "sixteen letters!", "sixteen-letters\n", &"x".repeat(513)] {
            let error = Token::new(weak).unwrap_err().to_string();
            assert!(weak.is_empty() || !error.contains(weak), "{error}");
        }
    }

    #[test]
    fn listening_where_others_can_reach_needs_a_token_or_hotkeys() {
        let open = ApiConfig::new(ChallengeDefaults::README);
        let mut with_token = open.clone();
        with_token.token = Some(Token::new("correct-horse-battery").unwrap());
        let mut with_hotkey = open.clone();
        with_hotkey.allowed_hotkeys.push(Hotkey::from_public(&[7; 32]));
        let mut sealed = open.clone();
        sealed.sealed = Some(SealedPush { pushers: vec![Hotkey::from_public(&[7; 32])] });
        for (address, closed) in [
            ("127.0.0.1:8000", true),
            ("127.9.9.9:8000", true),
            ("[::1]:8000", true),
            ("[::ffff:127.0.0.1]:8000", true),
            ("0.0.0.0:8000", false),
            ("[::]:8000", false),
            ("10.0.0.1:8000", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(open.check(address).is_ok(), closed, "{address}");
            for told_apart in [&with_token, &with_hotkey, &sealed] {
                assert!(told_apart.check(address).is_ok(), "{address}");
            }
        }
        let error = open.check("0.0.0.0:8000".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("set ASSAY_API_TOKEN, allow hotkeys, or listen on 127.0.0.1"), "{error}");
    }

    #[test]
    fn defaults_follow_the_rule_set() {
        assert_eq!(ChallengeDefaults::for_rule_set("loosh/readme").max_tokens, 512);
        assert_eq!(ChallengeDefaults::for_rule_set("loosh/1.2.8").max_tokens, 12_288);
    }
}
