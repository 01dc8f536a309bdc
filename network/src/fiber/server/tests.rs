#![allow(clippy::unwrap_used)]
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::fiber::client::{Outgoing, Session, plain};
use crate::keys::Keypair;

const NOW: u64 = 1_760_000_000 * SECOND;

struct World {
    alice: Keypair,
    miner: Miner,
    bob: Hotkey,
}

fn world() -> World {
    let bob = Keypair::from_uri("//Bob").unwrap().hotkey();
    World { alice: Keypair::from_uri("//Alice").unwrap(), miner: Miner::new(bob, MinerKey::generate().unwrap()), bob }
}

fn headers(request: &Outgoing) -> Headers {
    let get = |name: &str| request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    Headers::read(get).unwrap()
}

impl World {
    fn open(&self, request: &Outgoing, now: u64) -> Result<Accepted, Refusal> {
        self.miner.open(&headers(request), &request.body, now, |_| true)
    }

    fn session(&self) -> Session {
        let pem = self.miner.public_key(NOW).public_key;
        let (session, exchange) = Session::offer(&self.alice, &self.bob, &pem, NOW).unwrap();
        let taken = self.miner.exchange(&headers(&exchange), &exchange.body, NOW, |_| true);
        assert_eq!(taken, Ok(self.alice.hotkey()));
        session
    }
}

#[test]
fn plain_requests_pass_once_and_unchanged() {
    let world = world();
    let request = plain(&world.alice, &world.bob, b"{\"hi\": \"there\"}".to_vec(), NOW).unwrap();
    let accepted = world.open(&request, NOW + SECOND).unwrap();
    assert_eq!((accepted.validator, accepted.encrypted), (world.alice.hotkey(), false));
    assert_eq!(accepted.payload, request.body);
    assert_eq!(world.open(&request, NOW + 2 * SECOND), Err(Refusal::Replayed));
    let mut changed = plain(&world.alice, &world.bob, b"{}".to_vec(), NOW).unwrap();
    changed.body = b"[]".to_vec();
    assert_eq!(world.open(&changed, NOW), Err(Refusal::Signature));
    changed.body = b"{}".to_vec();
    assert!(world.open(&changed, NOW).is_ok(), "a wrong signature uses up no nonce");
}

#[test]
fn each_reason_to_refuse_is_told() {
    let world = world();
    let request = |now| plain(&world.alice, &world.bob, b"{}".to_vec(), now).unwrap();
    assert_eq!(world.open(&request(NOW), NOW + 121 * SECOND), Err(Refusal::Stale));
    assert_eq!(world.open(&request(NOW + 121 * SECOND), NOW), Err(Refusal::Stale));
    assert!(world.open(&request(NOW + 120 * SECOND), NOW).is_ok());
    let stranger = request(NOW);
    let refused = world.miner.open(&headers(&stranger), &stranger.body, NOW, |_| false);
    assert_eq!(refused, Err(Refusal::NotAllowed));
    let other = plain(&world.alice, &world.alice.hotkey(), b"{}".to_vec(), NOW).unwrap();
    assert_eq!(world.open(&other, NOW), Err(Refusal::OtherMiner));
    let mut forged = headers(&request(NOW));
    forged.validator = world.bob;
    assert_eq!(world.miner.open(&forged, b"{}", NOW, |_| true), Err(Refusal::Signature));
    forged.nonce = "now".to_owned();
    assert_eq!(world.miner.open(&forged, b"{}", NOW, |_| true), Err(Refusal::NonceForm));
    for (refusal, status) in
        [(Refusal::Stale, 401), (Refusal::NotAllowed, 403), (Refusal::UnknownKey, 400), (Refusal::Full, 503)]
    {
        assert_eq!(refusal.status(), status);
    }
}

#[test]
fn encrypted_requests_open_under_the_key_that_was_brought() {
    let world = world();
    let session = world.session();
    let request = session.request(&world.alice, b"{\"hi\": \"there\"}", NOW + SECOND).unwrap();
    assert!(!request.body.windows(5).any(|window| window == b"there"));
    let accepted = world.open(&request, NOW + SECOND).unwrap();
    assert!(
        accepted.encrypted && accepted.payload.starts_with(b"{\"hi\": \"there\", \"nonce\": \"1760000001000000000_")
    );
    assert_eq!(world.open(&request, NOW + SECOND), Err(Refusal::Replayed));
    // The same token under a new signature.
    let mut again = session.request(&world.alice, b"{}", NOW + SECOND).unwrap();
    again.body.clone_from(&request.body);
    assert_eq!(world.open(&again, NOW + SECOND), Err(Refusal::Replayed));
    let mut broken = session.request(&world.alice, b"{}", NOW + SECOND).unwrap();
    broken.body = b"gAAAAA".to_vec();
    assert_eq!(world.open(&broken, NOW + SECOND), Err(Refusal::Undecryptable));
    broken.body = vec![0xff];
    assert_eq!(
        world.open(&session.request(&world.alice, b"{}", NOW + 2 * SECOND).unwrap(), NOW + 200 * SECOND),
        Err(Refusal::Stale)
    );
    assert!(session.is_alive(NOW, KEY_LIFETIME) && !session.is_alive(NOW + (KEY_LIFETIME - 60) * SECOND, KEY_LIFETIME));
    let late = NOW + KEY_LIFETIME * SECOND;
    assert_eq!(world.open(&session.request(&world.alice, b"{}", late).unwrap(), late), Err(Refusal::UnknownKey));
}

#[test]
fn keys_are_taken_from_their_signer_only() {
    let world = world();
    let pem = world.miner.public_key(NOW).public_key;
    let (session, exchange) = Session::offer(&world.alice, &world.bob, &pem, NOW).unwrap();
    let fields = headers(&exchange);
    let take = |fields: &Headers, body: &[u8]| world.miner.exchange(fields, body, NOW, |_| true);
    assert_eq!(
        take(&Headers { key_uuid: Some("other".to_owned()), ..fields.clone() }, &exchange.body),
        Err(Refusal::Signature)
    );
    assert_eq!(
        take(&Headers { key_uuid: None, ..fields.clone() }, &exchange.body),
        Err(Refusal::Header("symmetric-key-uuid"))
    );
    assert!(matches!(take(&fields, b"{}"), Err(Refusal::Body(_))));
    assert!(matches!(take(&fields, &vec![b' '; MAXIMUM_EXCHANGE + 1]), Err(Refusal::Body(_))));
    assert_eq!(take(&fields, b"{\"encrypted_symmetric_key\":\"AAAA\"}"), Err(Refusal::Undecryptable));
    let request = session.request(&world.alice, b"{}", NOW).unwrap();
    assert_eq!(world.open(&request, NOW), Err(Refusal::UnknownKey));
    // A key of another length, rightly encrypted.
    let short = STANDARD.encode(rsa_key::encrypt(&pem, b"short").unwrap());
    let short = serde_json::json!({ "encrypted_symmetric_key": short });
    let (_, again) = Session::offer(&world.alice, &world.bob, &pem, NOW).unwrap();
    assert_eq!(take(&headers(&again), short.to_string().as_bytes()), Err(Refusal::Undecryptable));
}

#[test]
fn the_answer_about_the_key_has_the_time_as_a_float() {
    let answer = serde_json::to_value(world().miner.public_key(NOW + 250_000_000)).unwrap();
    assert_eq!(answer["timestamp"], 1_760_000_000.25);
    assert!(answer["public_key"].as_str().unwrap().ends_with("-----END PUBLIC KEY-----\n"));
}
