#![allow(clippy::unwrap_used)]
use super::*;
use crate::fiber::loosh::Session;
use crate::keys::Keypair;

const NOW: u64 = 1_760_000_000;
const MICROS: u64 = NOW * 1_000_000;

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

fn receiver(dialect: Dialect, signatures: Signatures) -> Receiver {
    Receiver::new(dialect, signatures, MinerKey::generate().unwrap())
}

fn exchange(body: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(body).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

fn open(receiver: &Receiver, session: &Session, token: &str, now: u64) -> Result<Opened, Refusal> {
    let headers = session.headers();
    let get = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    receiver.open(get, token.as_bytes(), now)
}

#[test]
fn payloads_go_both_ways_under_a_key_that_was_brought() {
    for dialect in [Dialect::Service, Dialect::Miner] {
        let receiver = receiver(dialect, Signatures::Required);
        let (session, body) = Session::offer(dialect, &alice(), receiver.public_pem(), NOW as f64 + 0.25).unwrap();
        let token = session.seal(b"{\"prompt\": \"hi\"}", NOW).unwrap();
        assert_eq!(open(&receiver, &session, &token, NOW).unwrap_err(), Refusal::UnknownKey);
        assert_eq!(receiver.exchange(&body, MICROS, |_| true), Ok(alice().hotkey()), "{dialect:?}");
        let opened = open(&receiver, &session, &token, NOW).unwrap();
        assert_eq!((opened.sender, opened.payload.as_slice()), (alice().hotkey(), &b"{\"prompt\": \"hi\"}"[..]));
        let answer = opened.seal(b"{\"response_text\": \"ho\"}", NOW + 1).unwrap();
        assert_eq!(session.open(&answer, NOW + 1).unwrap(), b"{\"response_text\": \"ho\"}");
        assert_eq!(opened.answer_headers(&alice().hotkey())[0].1, session.headers()[0].1);
        assert_eq!(open(&receiver, &session, &token, NOW).unwrap_err(), Refusal::Replayed);
        assert_eq!(open(&receiver, &session, "gAAAAA", NOW).unwrap_err(), Refusal::Undecryptable);
        assert_eq!(receiver.open(|_| None, b"", NOW).unwrap_err(), Refusal::Header(dialect.key_header()));
        let statistics = Statistics { active_hotkeys: 1, total_symmetric_keys: 1, key_ttl_seconds: 3600 };
        assert_eq!(receiver.statistics(NOW), statistics);
        assert!(session.is_alive(NOW as f64 + 3539.0) && !session.is_alive(NOW as f64 + 3541.0));
        assert_eq!(open(&receiver, &session, &token, NOW + 3600).unwrap_err(), Refusal::UnknownKey);
        assert_eq!(receiver.statistics(NOW + 3600).active_hotkeys, 0);
    }
}

#[test]
fn exchanges_pass_once_in_their_time_and_from_their_signer() {
    for dialect in [Dialect::Service, Dialect::Miner] {
        let receiver = receiver(dialect, Signatures::Required);
        let (_, body) = Session::offer(dialect, &alice(), receiver.public_pem(), NOW as f64).unwrap();
        let take = |body: &[u8], seconds: u64| receiver.exchange(body, seconds * 1_000_000, |_| true);
        assert_eq!(take(&body, NOW + WINDOW_SECONDS + 1), Err(Refusal::Stale));
        assert_eq!(take(&body, NOW - WINDOW_SECONDS - 1), Err(Refusal::Stale));
        assert_eq!(receiver.exchange(&body, MICROS, |_| false), Err(Refusal::NotAllowed));
        for (field, value) in [
            ("timestamp", serde_json::json!(NOW + 1)),
            ("signature", serde_json::json!("0x00")),
            ("signature", serde_json::json!("")),
            ("validator_hotkey_ss58", serde_json::json!(Keypair::from_uri("//Bob").unwrap().ss58())),
        ] {
            let changed = exchange(&body, |fields| fields[field] = value);
            assert_eq!(take(&changed, NOW), Err(Refusal::Signature), "{dialect:?} {field}");
        }
        for (field, value) in [
            ("timestamp", serde_json::json!("now")),
            ("validator_hotkey_ss58", serde_json::json!("5F")),
            ("encrypted_symmetric_key", serde_json::json!(null)),
        ] {
            let changed = exchange(&body, |fields| fields[field] = value);
            assert!(matches!(take(&changed, NOW), Err(Refusal::Body(_))), "{dialect:?} {field}");
        }
        for time in [-1.0, 1e300] {
            let changed = exchange(&body, |fields| fields["timestamp"] = serde_json::json!(time));
            assert_eq!(take(&changed, NOW), Err(Refusal::Stale));
        }
        assert!(take(&body, NOW).is_ok());
        assert_eq!(take(&body, NOW + 1), Err(Refusal::Replayed));
        let other_key = exchange(&body, |fields| fields["encrypted_symmetric_key"] = serde_json::json!("00"));
        assert_eq!(take(&other_key, NOW), Err(Refusal::Replayed));
        assert!(matches!(take(&vec![b'['; 5000], NOW), Err(Refusal::Body(_))));
        assert!(matches!(take(&vec![b' '; MAXIMUM_EXCHANGE + 1], NOW), Err(Refusal::Body(_))));
    }
}

#[test]
fn the_service_may_leave_its_signature_out_where_that_is_allowed() {
    let receiver = receiver(Dialect::Service, Signatures::Optional);
    let (_, body) = Session::offer(Dialect::Service, &alice(), receiver.public_pem(), NOW as f64).unwrap();
    let service = |signature: &str| {
        exchange(&body, |fields| {
            fields["hotkey_ss58"] = fields["validator_hotkey_ss58"].take();
            fields.as_object_mut().unwrap().remove("validator_hotkey_ss58");
            fields["signature"] = serde_json::json!(signature);
        })
    };
    assert_eq!(receiver.exchange(&service(&"00".repeat(64)), MICROS, |_| true), Err(Refusal::Signature));
    assert_eq!(receiver.exchange(&service(""), MICROS, |_| true), Ok(alice().hotkey()));
}
