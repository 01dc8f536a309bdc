//! How often Loosh's routes, and the plain one, may be asked: windows of a minute for each address and path, and for each hotkey over all of them.
//! The numbers are those of upstream's miner 1.2.2.
//!
//! Upstream knows validators' addresses from its challenge service. Here an address is known for an hour after somebody there
//! proved a hotkey that may ask. And a hotkey is counted only where a request under its key, or with its signature, was answered, so
//! that nobody spends another's share by writing its name into a header.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::types::Hotkey;
use domain::wire::header as own;
use network::fiber::loosh::{CHALLENGE_PATH, Dialect, EXCHANGE_PATH, KEY_LIFETIME, PUBLIC_KEY_PATH};

const WINDOW: Duration = Duration::from_secs(60);
/// Requests of one hotkey in a window, over all paths.
const OF_A_HOTKEY: u32 = 60;
/// Addresses and hotkeys that are remembered; beyond that the oldest is forgotten.
const MOST: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    Key,
    Exchange,
    Challenge,
    Plain,
    Other,
}

impl Route {
    fn of(path: &str) -> Self {
        match path {
            PUBLIC_KEY_PATH => Self::Key,
            EXCHANGE_PATH => Self::Exchange,
            CHALLENGE_PATH => Self::Challenge,
            _ => Self::Other,
        }
    }

    /// Requests of one address in a window.
    fn limit(self, known: bool) -> u32 {
        match (self, known) {
            (Self::Key, false) => 6,
            (Self::Key, true) => 20,
            (Self::Exchange, false) => 10,
            (Self::Exchange, true) => 30,
            (Self::Challenge, false) => 30,
            (Self::Challenge, true) => 120,
            (Self::Plain | Self::Other, false) => 15,
            (Self::Plain | Self::Other, true) => 60,
        }
    }
}

/// What of a request is counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    address: IpAddr,
    route: Route,
    hotkey: Option<Hotkey>,
}

impl Counted {
    /// `posts` says whether the method is the one of an exchange and a challenge.
    pub(super) fn of(peer: IpAddr, posts: bool, path: &str, headers: &HeaderMap) -> Self {
        let hotkey = named(headers, Dialect::Miner.sender_header());
        let route = match Route::of(path) {
            Route::Exchange | Route::Challenge if !posts => Route::Other,
            route => route,
        };
        Self { address: neighbourhood(peer), route, hotkey }
    }

    /// A question on the plain route.
    pub(crate) fn plain(peer: IpAddr, headers: &HeaderMap) -> Self {
        let hotkey = named(headers, own::VALIDATOR_HOTKEY);
        Self { address: neighbourhood(peer), route: Route::Plain, hotkey }
    }
}

/// Whom a request names; anybody can write any.
fn named(headers: &HeaderMap, name: &str) -> Option<Hotkey> {
    headers.get(name).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok())
}

/// Who has one IPv6 address has 2^64 of them.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    begun: Instant,
    count: u32,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: BTreeMap<(IpAddr, Route), Window>,
    hotkeys: BTreeMap<Hotkey, Window>,
    known: BTreeMap<IpAddr, Window>,
}

impl Counts {
    /// Somebody proved a hotkey there.
    fn knows(&mut self, address: IpAddr, now: Instant) {
        make_room(&mut self.known, &address);
        self.known.insert(address, Window { begun: now, count: 1 });
    }
}

/// The counts of one miner.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<Counts>);

impl Rates {
    /// Counts a request, or says how long it has to wait.
    pub(crate) fn admit(&self, counted: &Counted, now: Instant) -> Result<(), Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lifetime = Duration::from_secs(KEY_LIFETIME);
        let known = counts.known.get(&counted.address).is_some_and(|seen| now.duration_since(seen.begun) < lifetime);
        let limit = counted.route.limit(known);
        let window = window(&mut counts.addresses, (counted.address, counted.route), now);
        if window.count >= limit {
            return Err(left(window, now));
        }
        window.count += 1;
        match counted.hotkey.and_then(|hotkey| counts.hotkeys.get(&hotkey).copied()) {
            Some(window) if window.count >= OF_A_HOTKEY && now.duration_since(window.begun) < WINDOW => {
                Err(left(&window, now))
            }
            _ => Ok(()),
        }
    }

    /// Learns that a question on the plain route was answered whose signature is of the hotkey that it names.
    pub(crate) fn signed(&self, counted: &Counted, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.knows(counted.address, now);
        if let Some(hotkey) = counted.hotkey {
            window(&mut counts.hotkeys, hotkey, now).count += 1;
        }
    }

    /// Learns from how a request was answered who asked it.
    pub(super) fn answered(&self, counted: &Counted, status: StatusCode, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (counted.route, status, counted.hotkey) {
            (Route::Exchange, StatusCode::OK, _) => {
                counts.knows(counted.address, now);
            }
            // Both are said after the payload was opened.
            (Route::Challenge, StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR, Some(hotkey)) => {
                window(&mut counts.hotkeys, hotkey, now).count += 1;
            }
            _ => {}
        }
    }
}

/// The window of a name, begun anew when the last one is over.
fn window<K: Ord + Clone>(windows: &mut BTreeMap<K, Window>, name: K, now: Instant) -> &mut Window {
    make_room(windows, &name);
    let window = windows.entry(name).or_insert(Window { begun: now, count: 0 });
    if now.duration_since(window.begun) >= WINDOW {
        *window = Window { begun: now, count: 0 };
    }
    window
}

fn make_room<K: Ord + Clone>(windows: &mut BTreeMap<K, Window>, name: &K) {
    if windows.len() < MOST || windows.contains_key(name) {
        return;
    }
    let oldest = windows.iter().min_by_key(|(_, window)| window.begun).map(|(name, _)| name.clone());
    oldest.and_then(|name| windows.remove(&name));
}

fn left(window: &Window, now: Instant) -> Duration {
    WINDOW.saturating_sub(now.duration_since(window.begun))
}

/// 429 with the whole seconds to wait, at least one.
pub(crate) fn refusal(wait: Duration) -> Response {
    let body = Json(serde_json::json!({ "detail": "Too many requests, try again later" }));
    let mut response = (StatusCode::TOO_MANY_REQUESTS, body).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn counted(address: &str, path: &str, hotkey: Option<u8>) -> Counted {
        let mut headers = HeaderMap::new();
        if let Some(number) = hotkey {
            let name = Hotkey::from_public(&[number; 32]).to_string();
            headers.insert("x-fiber-validator-hotkey-ss58", name.parse().unwrap());
        }
        Counted::of(address.parse().unwrap(), true, path, &headers)
    }

    fn admitted(rates: &Rates, counted: &Counted, now: Instant) -> u32 {
        (0..1_000).find(|_| rates.admit(counted, now).is_err()).unwrap()
    }

    #[test]
    fn each_path_has_its_number_for_each_address() {
        let (rates, now) = (Rates::default(), Instant::now());
        let rows =
            [(PUBLIC_KEY_PATH, 6, 20), (EXCHANGE_PATH, 10, 30), (CHALLENGE_PATH, 30, 120), ("/fiber/stats", 15, 60)];
        for (path, unknown, known) in rows {
            assert_eq!(admitted(&rates, &counted("203.0.113.7", path, None), now), unknown, "{path}");
            let proven = counted("203.0.113.8", EXCHANGE_PATH, None);
            rates.answered(&proven, StatusCode::BAD_REQUEST, now);
            rates.answered(&proven, StatusCode::OK, now);
            assert_eq!(admitted(&rates, &counted("203.0.113.8", path, None), now), known, "{path}");
        }
        let (late, again) = (now + Duration::from_millis(12_500), counted("::ffff:203.0.113.7", PUBLIC_KEY_PATH, None));
        assert_eq!(rates.admit(&again, late), Err(Duration::from_millis(47_500)));
        assert_eq!(refusal(Duration::from_millis(47_500)).headers()[header::RETRY_AFTER], "47");
        assert_eq!(refusal(Duration::ZERO).headers()[header::RETRY_AFTER], "1");
        assert_eq!(admitted(&rates, &again, now + WINDOW), 6, "a new window");
        let hour = now + Duration::from_secs(KEY_LIFETIME);
        assert_eq!(admitted(&rates, &counted("203.0.113.8", PUBLIC_KEY_PATH, None), hour), 6, "no longer known");
        assert!(rates.admit(&counted("2001:db8::1", PUBLIC_KEY_PATH, None), now).is_ok());
        assert_eq!(admitted(&rates, &counted("2001:db8::2:1", PUBLIC_KEY_PATH, None), now), 5, "one neighbourhood");
        let get = Counted::of("203.0.113.9".parse().unwrap(), false, CHALLENGE_PATH, &HeaderMap::new());
        assert_eq!(admitted(&rates, &get, now), 15, "no challenge");
    }

    #[test]
    fn a_hotkey_spends_its_share_by_what_it_is_answered() {
        let (rates, now) = (Rates::default(), Instant::now());
        let ask = |address: usize, status: StatusCode| {
            let request = counted(&format!("10.0.{}.{}", address / 250, address % 250), CHALLENGE_PATH, Some(1));
            let admitted = rates.admit(&request, now).is_ok();
            if admitted {
                rates.answered(&request, status, now);
            }
            admitted
        };
        assert!((0..100).all(|address| ask(address, StatusCode::UNAUTHORIZED)), "others write its name");
        assert!((100..160).all(|address| ask(address, StatusCode::OK)));
        assert!(!ask(160, StatusCode::OK), "from whatever address");
        assert!(rates.admit(&counted("10.1.0.1", CHALLENGE_PATH, Some(2)), now).is_ok());
        assert!(rates.admit(&counted("10.1.0.1", CHALLENGE_PATH, Some(1)), now + WINDOW).is_ok());
    }

    #[test]
    fn the_plain_route_counts_by_signatures() {
        let (rates, now) = (Rates::default(), Instant::now());
        let plain = |address: &str, hotkey: u8| {
            let name = Hotkey::from_public(&[hotkey; 32]).to_string().parse().unwrap();
            Counted::plain(
                address.parse().unwrap(),
                &HeaderMap::from_iter([("validator-hotkey".parse().unwrap(), name)]),
            )
        };
        assert_eq!(admitted(&rates, &plain("203.0.113.7", 1), now), 15, "nobody proved anything");
        assert!(rates.admit(&plain("203.0.113.7", 1), now + WINDOW).is_ok(), "a new window");
        for _ in 0..60 {
            rates.signed(&plain("203.0.113.8", 2), now);
        }
        assert!(rates.admit(&plain("203.0.113.9", 2), now).is_err(), "the hotkey's share, from whatever address");
        assert_eq!(admitted(&rates, &plain("203.0.113.8", 3), now), 60, "a known address");
        assert_eq!(
            admitted(&rates, &counted("203.0.113.8", CHALLENGE_PATH, None), now),
            120,
            "known in Loosh's dialect, too"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (rates, now) = (Rates::default(), Instant::now());
        for address in 0..2 * MOST as u32 {
            let request = Counted {
                address: IpAddr::from(std::net::Ipv4Addr::from_bits(address)),
                route: Route::Exchange,
                hotkey: Some(Hotkey::from_public(&[7; 32])),
            };
            rates.admit(&request, now).unwrap();
            rates.answered(&request, StatusCode::OK, now);
        }
        let counts = rates.0.lock().unwrap();
        assert_eq!((counts.addresses.len(), counts.known.len()), (MOST, MOST));
    }
}
