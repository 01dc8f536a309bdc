//! fiber, Loosh's dialects of it, and Epistula: requests as they are, and bodies and tokens under a signature that holds, which
//! a peer of ours can make as well as we.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use domain::types::Hotkey;
use network::epistula;
use network::fiber::Refusal;
use network::fiber::client::Session;
use network::fiber::headers::{Covered, Headers, KEY_UUID};
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{self, Dialect, Receiver};
use network::fiber::rsa_key::MinerKey;
use network::fiber::server::Miner;
use network::keys::{Keypair, verify};

use super::{request, request_bytes};

/// 9 October 2025, in seconds.
const NOW: u64 = 1_760_000_000;
const NANO: u64 = 1_000_000_000;
const PAYLOAD: &[u8] = br#"{"prompt":"tea","nonce":"1760000000000000000_aB3dE6gH9k"}"#;

struct Parties {
    sender: Keypair,
    receiver: Hotkey,
    miner: Miner,
    /// A symmetric key that the miner was brought, by its name.
    session: Mutex<Option<(Session, String)>>,
    loosh: [(Receiver, loosh::Session); 2],
    /// Seconds since the start: every input has its own, so that the memory of nonces holds a window and no more.
    seconds: AtomicU64,
}

/// None where the operating system has no randomness.
static PARTIES: LazyLock<Option<Parties>> = LazyLock::new(|| {
    let sender = Keypair::from_uri("//Alice").ok()?;
    let receiver = Keypair::from_uri("//Bob").ok()?.hotkey();
    let loosh = |dialect| {
        let receiver = Receiver::new(dialect, Signatures::Optional, MinerKey::generate().ok()?);
        let (session, body) = loosh::Session::offer(dialect, &sender, receiver.public_pem(), NOW as f64).ok()?;
        receiver.exchange(&body, NOW * 1_000_000, |_| true).ok()?;
        Some((receiver, session))
    };
    let loosh = [loosh(Dialect::Service)?, loosh(Dialect::Miner)?];
    let miner = Miner::new(receiver, MinerKey::generate().ok()?);
    Some(Parties { sender, receiver, miner, session: Mutex::new(None), loosh, seconds: AtomicU64::new(0) })
});

impl Parties {
    /// Brings the miner a key.
    fn offer(&self, now: u64) -> Option<(Session, String)> {
        let pem = self.miner.public_key(now).public_key;
        let (session, exchange) = Session::offer(&self.sender, &self.receiver, &pem, now).ok()?;
        let headers = headers(&exchange.headers)?;
        self.miner.exchange(&headers, &exchange.body, now, |_| true).ok()?;
        Some((session, headers.key_uuid?))
    }
}

fn headers(fields: &[(&'static str, String)]) -> Option<Headers> {
    Headers::read(|name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())).ok()
}

pub(super) fn fiber_seeds() -> Vec<Vec<u8>> {
    let now = NOW * NANO;
    let make = || {
        let parties = PARTIES.as_ref()?;
        let plain = network::fiber::client::plain(&parties.sender, &parties.receiver, PAYLOAD.to_vec(), now).ok()?;
        let pem = parties.miner.public_key(now).public_key;
        let (_, exchange) = Session::offer(&parties.sender, &parties.receiver, &pem, now).ok()?;
        let (session, uuid) = parties.offer(now)?;
        let sealed = session.request(&parties.sender, PAYLOAD, now).ok()?;
        *parties.session.lock().unwrap_or_else(PoisonError::into_inner) = Some((session, uuid));
        Some([plain, exchange, sealed].iter().map(|it| request_bytes(&it.headers, &it.body)).collect())
    };
    make().unwrap_or_default()
}

/// Header fields read back as they are written; nothing passes that its signature does not cover; and what is under a signature
/// that holds is refused or understood, whatever it is.
pub(super) fn fiber(input: &[u8]) -> bool {
    let Some(parties) = PARTIES.as_ref() else { return false };
    let (fields, body) = request(input);
    let Ok(read) = Headers::read(|name| fields.get(name).map(String::as_str)) else { return false };
    assert_eq!(headers(&read.fields()).as_ref(), Some(&read));
    let at = NOW * NANO;
    if let Ok(accepted) = parties.miner.open(&read, body, at, |_| true) {
        let covered = read.key_uuid.as_deref().map_or(Covered::Body(body), Covered::Key);
        assert!(read.verifies(covered) && accepted.validator == read.validator && read.miner == parties.receiver);
    }
    if parties.miner.exchange(&read, body, at, |_| true).is_ok() {
        assert!(read.verifies(Covered::Key(read.key_uuid.as_deref().unwrap_or_default())));
    }
    let now = at + parties.seconds.fetch_add(1, Ordering::Relaxed) * NANO;
    let mut session = parties.session.lock().unwrap_or_else(PoisonError::into_inner);
    let uuid = session.as_ref().map(|(_, uuid)| uuid.clone()).unwrap_or_default();
    let sign = |uuid: &str| Headers::signed(&parties.sender, &parties.receiver, Covered::Key(uuid), now);
    if let Ok(signed) = sign(&uuid) {
        match parties.miner.open(&signed, body, now, |_| true) {
            // Only what the session itself sealed can open.
            Ok(accepted) => assert!(accepted.encrypted && accepted.payload == PAYLOAD),
            Err(Refusal::UnknownKey | Refusal::Header(KEY_UUID)) => *session = parties.offer(now),
            Err(_) => {}
        }
    }
    drop(session);
    if let Some(signed) = read.key_uuid.as_deref().and_then(|uuid| sign(uuid).ok()) {
        let _ = parties.miner.exchange(&signed, body, now, |_| true);
    }
    true
}

pub(super) fn loosh_seeds() -> Vec<Vec<u8>> {
    let Some(parties) = PARTIES.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    for ((receiver, session), dialect) in parties.loosh.iter().zip([Dialect::Service, Dialect::Miner]) {
        let offer = loosh::Session::offer(dialect, &parties.sender, receiver.public_pem(), NOW as f64);
        found.extend(offer.map(|(_, body)| request_bytes(&[], &body)));
        found.extend(session.seal(PAYLOAD, NOW).map(|token| request_bytes(&session.headers(), token.as_bytes())));
    }
    found
}

/// Exchanges and payloads in both dialects, with and without a signature: only what a session sealed opens.
pub(super) fn loosh(input: &[u8]) -> bool {
    let Some(parties) = PARTIES.as_ref() else { return false };
    let (fields, body) = request(input);
    let mut understood = false;
    for (receiver, _) in &parties.loosh {
        let opened = receiver.open(|name| fields.get(name).map(String::as_str), body, NOW);
        understood |= !matches!(opened, Err(Refusal::Header(_)));
        if let Ok(opened) = opened {
            assert!(opened.payload == PAYLOAD && opened.sender == parties.sender.hotkey());
        }
        let exchanged = receiver.exchange(body, NOW * 1_000_000, |hotkey| *hotkey == parties.sender.hotkey());
        understood |= !matches!(exchanged, Err(Refusal::Body(_)));
        assert!(exchanged.is_err() || exchanged == Ok(parties.sender.hotkey()));
        let statistics = receiver.statistics(NOW);
        assert!(statistics.total_symmetric_keys <= network::fiber::key_store::MAXIMUM_OF_ONE, "{statistics:?}");
    }
    understood
}

pub(super) fn epistula_seeds() -> Vec<Vec<u8>> {
    let make = |keys: &Parties, receiver| {
        let fields = epistula::sign(&keys.sender, PAYLOAD, receiver, NOW * 1000).ok()?;
        Some(request_bytes(&fields, PAYLOAD))
    };
    let Some(parties) = PARTIES.as_ref() else { return Vec::new() };
    [Some(&parties.receiver), None].into_iter().filter_map(|receiver| make(parties, receiver)).collect()
}

/// What passes is signed by whom it names, over this body, for this receiver or for nobody, and passes once.
pub(super) fn epistula(input: &[u8]) -> bool {
    let Some(parties) = PARTIES.as_ref() else { return false };
    let (fields, body) = request(input);
    let get = |name: &str| fields.get(&name.to_ascii_lowercase()).map(String::as_str);
    let receiver = epistula::Receiver { own: parties.receiver, unaddressed: true };
    let seen = Mutex::default();
    let passed = receiver.verify(get, body, NOW * 1000, |_| true, &seen);
    if let Ok(sender) = &passed {
        let text = |name| get(name).unwrap_or_default();
        let signed_for = get(epistula::SIGNED_FOR).filter(|text| !text.is_empty());
        assert!(signed_for.is_none_or(|receiver| receiver == parties.receiver.as_str()));
        let time: u64 = text(epistula::TIMESTAMP).parse().unwrap_or(0);
        let message = epistula::message(body, text(epistula::UUID), time, signed_for);
        let signature = network::fiber::headers::signature(text(epistula::SIGNATURE)).unwrap_or([0; 64]);
        let public = sender.public().unwrap_or_default();
        assert!(sender.as_str() == text(epistula::SIGNED_BY) && verify(&public, message.as_bytes(), &signature));
        assert_eq!(receiver.verify(get, body, NOW * 1000, |_| true, &seen), Err(epistula::Refusal::Replayed));
    }
    for name in epistula::SECRET_SIGNATURES {
        if let (Some(signed), true) = (get(name), passed.is_err()) {
            let _ = epistula::is_secret_signature(signed, &parties.sender.hotkey(), &parties.receiver, NOW * 1000);
        }
    }
    passed.is_ok()
}
