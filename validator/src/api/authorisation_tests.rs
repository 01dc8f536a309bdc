#![allow(clippy::unwrap_used)]

use axum::http::HeaderValue;
use network::keys::Keypair;

use super::*;
use crate::api::config::ChallengeDefaults;

const NOW: Micros = Micros(1_800_000_000_000_000);
const STARTED: Micros = Micros(1_700_000_000_000_000);
const TOKEN: &str = "correct-horse-battery";

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

fn guard(token: bool, hotkey: bool, started: Micros) -> Guard {
    let mut config = ApiConfig::new(ChallengeDefaults::README);
    config.token = token.then(|| Token::new(TOKEN).unwrap());
    config.allowed_hotkeys = hotkey.then(|| alice().hotkey()).into_iter().collect();
    Guard::new(&config, started)
}

fn headers(rows: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn signed(key: &Keypair, nonce: &str, body: &[u8]) -> HeaderMap {
    let signature = format!("0x{}", hex::encode(key.sign(signed_message(nonce, &key.hotkey(), body).as_bytes())));
    headers(&[("host", "a"), ("x-hotkey", &key.ss58()), ("x-nonce", nonce), ("x-signature", &signature)])
}

fn ask(guard: &Guard, peer: &str, headers: &HeaderMap, body: &[u8], now: Micros) -> Result<Caller, u16> {
    let claim = guard.claim(Some(peer.parse().unwrap()), headers);
    claim.and_then(|claim| guard.admit(claim, body, now)).map_err(|problem| problem.status.as_u16())
}

#[test]
fn this_machine_and_what_only_looks_like_it() {
    let open = guard(false, false, STARTED);
    let local: &[(&str, &str)] = &[("host", "127.0.0.1:8000")];
    let with = |row: (&'static str, &'static str)| [local, &[row]].concat();
    for (peer, rows, ours) in [
        ("127.0.0.1:5000", local.to_vec(), true),
        ("[::1]:5000", vec![("host", "[::1]:8000")], true),
        ("[::ffff:127.0.0.1]:5000", vec![("host", "localhost")], true),
        ("127.0.0.1:5000", vec![("host", "LocalHost:80")], true),
        ("127.0.0.1:5000", vec![("host", "[::1]")], true),
        ("10.0.0.1:5000", local.to_vec(), false),
        ("[2001:db8::1]:5000", local.to_vec(), false),
        ("127.0.0.1:5000", vec![], false),
        ("127.0.0.1:5000", vec![("host", "evil.example:8000")], false),
        ("127.0.0.1:5000", vec![("host", "localhost.evil.example")], false),
        ("127.0.0.1:5000", vec![("host", "127.0.0.1.evil.example:80")], false),
        ("127.0.0.1:5000", vec![("host", "10.0.0.1")], false),
        ("127.0.0.1:5000", with(("origin", "http://evil.example")), false),
        ("127.0.0.1:5000", with(("origin", "null")), false),
        ("127.0.0.1:5000", with(("x-forwarded-for", "127.0.0.1")), false),
        ("127.0.0.1:5000", with(("x-real-ip", "127.0.0.1")), false),
        ("127.0.0.1:5000", with(("forwarded", "for=127.0.0.1")), false),
        ("127.0.0.1:5000", with(("via", "1.1 proxy")), false),
        ("127.0.0.1:5000", with(("x-forwarded-host", "localhost")), false),
        ("127.0.0.1:5000", with(("x-forwarded-proto", "http")), false),
    ] {
        let outcome = ask(&open, peer, &headers(&rows), b"{}", NOW);
        assert_eq!(outcome, if ours { Ok(Caller::Loopback) } else { Err(401) }, "{peer} {rows:?}");
    }
    let unknown = open.claim(None, &headers(local));
    assert!(unknown.is_err(), "no peer, no trust");
    // With a token configured, being here is not enough; with only a hotkey allowed, it is.
    assert_eq!(ask(&guard(true, false, STARTED), "127.0.0.1:1", &headers(local), b"", NOW), Err(401));
    assert_eq!(ask(&guard(false, true, STARTED), "127.0.0.1:1", &headers(local), b"", NOW), Ok(Caller::Loopback));
}

#[test]
fn the_bearer_of_the_token() {
    let guard = guard(true, true, STARTED);
    for (rows, expected) in [
        (vec![("authorization", "Bearer correct-horse-battery")], Ok(Caller::Token)),
        (vec![("authorization", "bearer  correct-horse-battery")], Ok(Caller::Token)),
        (vec![("authorization", "Bearer correct-horse-batterz")], Err(401)),
        (vec![("authorization", "Bearer")], Err(401)),
        (vec![("authorization", "Bearer ")], Err(401)),
        (vec![("authorization", "Basic correct-horse-battery")], Err(401)),
        (vec![("authorization", "correct-horse-battery")], Err(401)),
        (vec![("x-api-key", "correct-horse-battery")], Err(401)),
        (vec![("authorization", "Bearer correct-horse-battery"), ("authorization", "Bearer x")], Err(401)),
    ] {
        assert_eq!(ask(&guard, "8.8.8.8:1", &headers(&rows), b"{}", NOW), expected, "{rows:?}");
    }
    // A wrong token is not made good by a right signature.
    let mut both = signed(&alice(), "1800000000", b"{}");
    both.insert(AUTHORIZATION, HeaderValue::from_static("Bearer wrong-wrong-wrong"));
    assert_eq!(ask(&guard, "8.8.8.8:1", &both, b"{}", NOW), Err(401));
}

#[test]
fn an_allowed_hotkey_signs_once() {
    let guard = guard(true, true, STARTED);
    let caller = Ok(Caller::Hotkey(alice().hotkey()));
    let asked = |headers: &HeaderMap, body: &[u8], now| ask(&guard, "8.8.8.8:1", headers, body, now);
    let first = signed(&alice(), "1800000000.25", br#"{"running":false}"#);
    assert_eq!(asked(&first, br#"{"running":true}"#, NOW), Err(401), "another body");
    assert_eq!(asked(&first, b"", NOW), Err(401), "no body");
    assert_eq!(asked(&first, br#"{"running":false}"#, NOW), caller);
    assert_eq!(asked(&first, br#"{"running":false}"#, NOW), Err(401), "again");
    assert_eq!(asked(&signed(&alice(), "1800000000.25", b"other"), b"other", NOW), Err(401), "the nonce again");
    assert_eq!(asked(&signed(&alice(), "1800000000.26", b""), b"", NOW), caller, "an empty body has its own form");
    let stranger = Keypair::from_uri("//Mallory").unwrap();
    assert_eq!(asked(&signed(&stranger, "1800000001", b""), b"", NOW), Err(403));
    let mut impostor = signed(&stranger, "1800000001", b"");
    impostor.insert(HOTKEY, HeaderValue::from_str(&alice().ss58()).unwrap());
    assert_eq!(asked(&impostor, b"", NOW), Err(401));
    assert_eq!(asked(&signed(&alice(), "1800000001", b""), b"", NOW), caller);
}

#[test]
fn nonces_are_fresh() {
    for (nonce, good) in [
        ("1800000000", true),
        ("1799999970", true),
        ("1799999969.999999", false),
        ("1800000030", true),
        ("1800000030.000001", false),
        ("1800000000.123456789", true),
        ("1800000000.", false),
        (".5", false),
        ("", false),
        ("-1", false),
        ("+1800000000", false),
        ("1.8e9", false),
        ("1800000000.1.2", false),
        ("NaN", false),
        ("99999999999999999999999", false),
        ("1800000000.0000000000000000", false),
    ] {
        let guard = guard(false, true, STARTED);
        let outcome = ask(&guard, "8.8.8.8:1", &signed(&alice(), nonce, b"{}"), b"{}", NOW);
        assert_eq!(outcome.is_ok(), good, "{nonce}: {outcome:?}");
    }
    // What was signed before a restart may have been used before it.
    let restarted = guard(false, true, Micros(NOW.0 - 5_000_000));
    assert_eq!(ask(&restarted, "8.8.8.8:1", &signed(&alice(), "1799999994", b""), b"", NOW), Err(401));
    assert!(ask(&restarted, "8.8.8.8:1", &signed(&alice(), "1799999995", b""), b"", NOW).is_ok());
}

#[test]
fn incomplete_and_doubled_signatures() {
    let guard = guard(false, true, STARTED);
    let good = signed(&alice(), "1800000000", b"");
    for name in [HOTKEY, NONCE] {
        let mut lacking = good.clone();
        lacking.remove(&name);
        assert_eq!(ask(&guard, "127.0.0.1:1", &lacking, b"", NOW), Err(401), "{name}");
    }
    for name in [HOTKEY, NONCE, SIGNATURE] {
        let mut doubled = good.clone();
        doubled.append(name.clone(), good[&name].clone());
        assert_eq!(ask(&guard, "127.0.0.1:1", &doubled, b"", NOW), Err(401), "{name}");
        let mut broken = good.clone();
        broken.insert(name.clone(), HeaderValue::from_static("0xzz"));
        assert_eq!(ask(&guard, "127.0.0.1:1", &broken, b"", NOW), Err(401), "{name}");
    }
    assert!(ask(&guard, "8.8.8.8:1", &good, b"", NOW).is_ok());
}

#[test]
fn the_memory_of_nonces_is_bounded_and_empties() {
    let guard = guard(false, true, STARTED);
    let claim = |at: u64| {
        let signature = domain::types::HexBytes([0; 64]);
        Signed { hotkey: alice().hotkey(), nonce: at.to_string(), moment: Micros(at), signature }
    };
    for at in 0..MOST_NONCES as u64 {
        guard.remember(&claim(NOW.0 + at), NOW).unwrap();
    }
    let full = guard.remember(&claim(NOW.0 + 1_000_000), NOW).unwrap_err();
    assert_eq!(full.status.as_u16(), 503);
    let again = guard.remember(&claim(NOW.0 + 100), Micros(NOW.0 + 10)).unwrap_err();
    assert_eq!(again.status.as_u16(), 401, "ten were forgotten, this one was not");
    guard.remember(&claim(NOW.0 + 1_000_000), Micros(NOW.0 + 10)).unwrap();
    let used = guard.used.lock().unwrap();
    assert_eq!(used.count, MOST_NONCES - 9);
    assert_eq!(used.count, used.by_moment.values().map(BTreeSet::len).sum::<usize>());
}

#[test]
fn the_signed_text_is_the_challenge_apis() {
    // Recorded from upstream v1.2.8, get_auth_headers.
    let hotkey: Hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty".parse().unwrap();
    let start = "1700000000.25:5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    let hash = "f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310";
    assert_eq!(signed_message("1700000000.25", &hotkey, br#"{"a": 1}"#), format!("{start}:{hash}"));
    assert_eq!(signed_message("1700000000.25", &hotkey, b""), start);
}
