//! Who may change something: a client on the same machine, whoever has the token, or a hotkey that is allowed to.
//!
//! Being on the same machine counts only for a connection from loopback that came through no proxy, and not for a page in
//! a browser: a request that names an `Origin`, or another host than this machine, is not taken for the operator's.
//! Signed requests follow Loosh's Challenge API: `X-Hotkey`, `X-Nonce` (Unix seconds as text) and `X-Signature` (`0x` and
//! 128 hex digits, sr25519) over `{nonce}:{hotkey}:{sha256hex(body)}`, or `{nonce}:{hotkey}` for an empty body.
//!
//! **Architecture invariant:** a credential that is wrong is refused; none other is tried after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, FORWARDED, HOST, ORIGIN, VIA};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use domain::types::{Hotkey, Micros, Signature, sha256};

use super::config::{ApiConfig, Token};
use super::problem::Problem;

/// How far a nonce may be from the clock, either way.
pub const LARGEST_CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);

/// Nonces remembered at once: 273 signed requests a second for a whole minute.
const MOST_NONCES: usize = 16_384;

/// `str(time.time())` has up to 18 characters.
const LONGEST_NONCE: usize = 24;

const HOTKEY: HeaderName = HeaderName::from_static("x-hotkey");
const NONCE: HeaderName = HeaderName::from_static("x-nonce");
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// Headers that a proxy adds.
const PROXY: [HeaderName; 6] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// Who is asking, as it goes into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A client on this machine.
    Loopback,
    /// Whoever has the token.
    Token,
    /// An allowed hotkey.
    Hotkey(Hotkey),
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => formatter.write_str("loopback"),
            Self::Token => formatter.write_str("token"),
            Self::Hotkey(hotkey) => write!(formatter, "hotkey {hotkey}"),
        }
    }
}

/// What a request's head says of its sender.
#[derive(Debug, PartialEq)]
pub(crate) enum Claim {
    /// Enough.
    Granted(Caller),
    /// To be checked against the body.
    Signed(Signed),
}

/// A signature by an allowed hotkey, not checked yet.
#[derive(Debug, PartialEq)]
pub(crate) struct Signed {
    hotkey: Hotkey,
    nonce: String,
    moment: Micros,
    signature: Signature,
}

/// Nonces that were used, by their moment.
#[derive(Default)]
struct Used {
    by_moment: BTreeMap<Micros, BTreeSet<(Hotkey, String)>>,
    count: usize,
}

/// Decides who may change something.
pub(crate) struct Guard {
    token: Option<Token>,
    allowed: BTreeSet<Hotkey>,
    /// Nonces before this are refused: which of them were used is not known any more.
    started: Micros,
    used: Mutex<Used>,
}

impl Guard {
    pub(crate) fn new(config: &ApiConfig, started: Micros) -> Self {
        let allowed = config.allowed_hotkeys.iter().copied().collect();
        Self { token: config.token.clone(), allowed, started, used: Mutex::default() }
    }

    /// Looks at the head only, so that nothing is read from somebody who may not send anything.
    ///
    /// # Errors
    /// 401, or 403 for a hotkey that is not allowed.
    pub(crate) fn claim(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<Claim, Problem> {
        if let (Some(token), Some(given)) = (&self.token, one(headers, &AUTHORIZATION)?) {
            let (scheme, given) = given.split_once(' ').unwrap_or((given, ""));
            return if scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim()) {
                Ok(Claim::Granted(Caller::Token))
            } else {
                Err(Problem::unauthorised("the bearer token is not the configured one"))
            };
        }
        if headers.contains_key(&SIGNATURE) {
            return self.signed(headers).map(Claim::Signed);
        }
        if self.token.is_none() && is_this_machine(peer, headers) {
            return Ok(Claim::Granted(Caller::Loopback));
        }
        Err(Problem::unauthorised(match (&self.token, self.allowed.is_empty()) {
            (Some(_), true) => "send the header Authorization: Bearer with the configured token",
            (Some(_), false) => "send Authorization: Bearer with the configured token, or sign with an allowed hotkey",
            (None, false) => "sign with an allowed hotkey (X-Hotkey, X-Nonce, X-Signature), or ask from this machine",
            (None, true) => "this route is open to clients on this machine only: no token and no hotkey is configured",
        }))
    }

    fn signed(&self, headers: &HeaderMap) -> Result<Signed, Problem> {
        let needed = |name: &HeaderName| {
            let missing = || Problem::unauthorised(format!("the signature comes without the header {name}"));
            one(headers, name)?.ok_or_else(missing)
        };
        let hotkey: Hotkey = needed(&HOTKEY)?
            .parse()
            .map_err(|error| Problem::unauthorised(format!("X-Hotkey is no SS58 address: {error}")))?;
        let nonce = needed(&NONCE)?;
        let moment = unix_seconds(nonce).ok_or_else(|| Problem::unauthorised("X-Nonce is not Unix seconds as text"))?;
        let signature = needed(&SIGNATURE)?
            .parse()
            .map_err(|_| Problem::unauthorised("X-Signature is not 0x and 128 hex digits"))?;
        if !self.allowed.contains(&hotkey) {
            let message = format!("hotkey {hotkey} is not one of those that are allowed here");
            return Err(Problem::new(StatusCode::FORBIDDEN, "hotkey_not_allowed", message));
        }
        Ok(Signed { hotkey, nonce: nonce.to_owned(), moment, signature })
    }

    /// Checks a claim against the body.
    ///
    /// # Errors
    /// 401 for a signature that does not hold, is old, or was used before.
    pub(crate) fn admit(&self, claim: Claim, body: &[u8], now: Micros) -> Result<Caller, Problem> {
        let signed = match claim {
            Claim::Granted(caller) => return Ok(caller),
            Claim::Signed(signed) => signed,
        };
        let difference = LARGEST_CLOCK_DIFFERENCE.as_micros() as u64;
        let oldest = Micros(now.0.saturating_sub(difference)).max(self.started);
        if signed.moment < oldest || signed.moment.0 > now.0.saturating_add(difference) {
            let seconds = LARGEST_CLOCK_DIFFERENCE.as_secs();
            let message =
                format!("X-Nonce is more than {seconds} s from this clock, or before this server's start; sign anew");
            return Err(Problem::unauthorised(message));
        }
        let public = signed.hotkey.public().map_err(|error| Problem::unauthorised(error.to_string()))?;
        let message = signed_message(&signed.nonce, &signed.hotkey, body);
        if !network::keys::verify(&public, message.as_bytes(), &signed.signature.0) {
            return Err(Problem::unauthorised("X-Signature is no signature of this nonce, hotkey and body"));
        }
        self.remember(&signed, oldest)?;
        Ok(Caller::Hotkey(signed.hotkey))
    }

    /// Only nonces with a good signature of an allowed hotkey come here, so that strangers cannot fill the memory.
    fn remember(&self, signed: &Signed, oldest: Micros) -> Result<(), Problem> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = used.by_moment.split_off(&oldest);
        let dropped: usize = used.by_moment.values().map(BTreeSet::len).sum();
        used.by_moment = kept;
        used.count -= dropped;
        if used.count >= MOST_NONCES {
            return Err(Problem::busy("too many signed requests within the last minute; wait a little"));
        }
        if !used.by_moment.entry(signed.moment).or_default().insert((signed.hotkey, signed.nonce.clone())) {
            return Err(Problem::unauthorised("X-Nonce was used before; sign anew"));
        }
        used.count += 1;
        Ok(())
    }
}

/// What `X-Signature` signs.
fn signed_message(nonce: &str, hotkey: &Hotkey, body: &[u8]) -> String {
    if body.is_empty() { format!("{nonce}:{hotkey}") } else { format!("{nonce}:{hotkey}:{}", sha256(body)) }
}

/// The only value of a header. Of two, another reader might take the other.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| Problem::unauthorised(format!("{name} is no plain text")))
        }
        (Some(_), Some(_)) => Err(Problem::unauthorised(format!("{name} is given more than once"))),
    }
}

/// Digits with at most one point among them.
fn unix_seconds(text: &str) -> Option<Micros> {
    if text.len() > LONGEST_NONCE {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?).map(Micros)
}

fn is_this_machine(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(loopback)
    });
    peer.is_some_and(|peer| loopback(peer.ip()))
        && host
        && !headers.contains_key(ORIGIN)
        && !PROXY.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
#[path = "authorisation_tests.rs"]
mod tests;
