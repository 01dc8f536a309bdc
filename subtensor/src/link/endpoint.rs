//! Where a node is: a URL to dial, and a name to speak of it.
//!
//! **Architecture invariant:** a URL may carry a key in its path, its query or before its host. Only the dialling reads it; what
//! is said in errors, logs and debug output is [`Endpoint::name`].

use std::fmt;

/// What stands for a part of a URL that is not to be told.
const HIDDEN: &str = "…";
/// Parts of a URL from this length on can be a secret, in characters.
const SHORTEST_SECRET: usize = 6;

/// A node's address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: String,
    name: String,
}

impl Endpoint {
    /// Reads `ws://…` or `wss://…`.
    ///
    /// # Errors
    /// What is wrong with it, without a word of what it is.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme @ ("ws" | "wss"), rest)) => (scheme, rest),
            _ => return Err("does not begin with ws:// or wss://"),
        };
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if !is_host(host) {
            return Err("has no readable host and port; write wss://host:port");
        }
        Ok(Self { url: url.to_owned(), name: format!("{scheme}://{host}") })
    }

    /// The whole address, to dial it and for nothing else.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A text of others with every part of the URL that is not in its name taken out.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let (_, rest) = self.url.split_once("://").unwrap_or_default();
        let (_, host) = self.name.split_once("://").unwrap_or_default();
        let (before, after) = rest.split_once(host).unwrap_or((rest, ""));
        let delimiters = ['/', '\\', '?', '#', '&', '=', ':', '@'];
        let mut parts: Vec<&str> = before.split(delimiters).chain(after.split(delimiters)).collect();
        parts.extend([before, after]);
        parts.retain(|part| part.chars().count() >= SHORTEST_SECRET);
        // The longest first: a part of another part must not break it.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        let named = text.replace(&self.url, &self.name);
        parts.into_iter().fold(named, |text, part| text.replace(part, HIDDEN))
    }
}

/// Scheme, host and port of a node's URL: what may be shown and logged of it. Of what is no such URL nothing can be told.
pub fn name_of(url: &str) -> String {
    Endpoint::parse(url).map_or_else(|_| HIDDEN.to_owned(), |endpoint| endpoint.name)
}

/// A name, an IPv4 address or an IPv6 address in brackets, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let inner = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_')),
    };
    inner && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Endpoint").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_is_scheme_host_and_port() {
        for (url, name) in [
            ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
            ("wss://entry.example", "wss://entry.example"),
            ("wss://entry.example:443/", "wss://entry.example:443"),
            ("wss://entry.example/v1/path-secret", "wss://entry.example"),
            ("wss://entry.example?apikey=query-secret", "wss://entry.example"),
            ("wss://entry.example#query-secret", "wss://entry.example"),
            ("wss://user:password@entry.example:8/a?b=c", "wss://entry.example:8"),
            ("wss://user:pass@word@entry.example", "wss://entry.example"),
            ("ws://[::1]:9944/secret", "ws://[::1]:9944"),
            ("ws://[::1]", "ws://[::1]"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.name(), endpoint.url()), (name, url));
            assert_eq!(format!("{endpoint:?}"), format!("Endpoint({name:?})"));
        }
        let nonsense = [
            "",
            "http://host",
            "host:1",
            "wss://",
            "wss:///path",
            "wss://user:pa/ss@host",
            "ws://host:99999",
            "ws://[1",
        ];
        for url in nonsense {
            assert!(Endpoint::parse(url).is_err(), "{url}");
            assert_eq!(name_of(url), HIDDEN);
        }
        assert_eq!(name_of("wss://someone:password@entry.example/v1"), "wss://entry.example");
    }

    #[test]
    fn words_of_others_are_scrubbed() {
        let url = "wss://someone:password@entry.example:8/v1/path-secret?apikey=query-secret";
        let endpoint = Endpoint::parse(url).unwrap();
        let said = [
            format!("cannot connect to {url}"),
            "GET /v1/path-secret?apikey=query-secret: 403".to_owned(),
            "moved to https://other.example/v2/path-secret?x=1&y=query-secret".to_owned(),
            "someone:password is refused".to_owned(),
        ];
        for text in said {
            let scrubbed = endpoint.scrub(&text);
            for secret in ["someone", "password", "path-secret", "query-secret"] {
                assert!(!scrubbed.contains(secret), "{scrubbed}");
            }
        }
        assert_eq!(endpoint.scrub("connection refused by entry.example:8"), "connection refused by entry.example:8");
    }
}
