//! Challenges that Loosh's service pushes sealed: recorded once, and from those who may push alone.

use std::time::Duration;

use domain::events::Event;
use network::fiber::loosh::{Dialect, Session};
use network::keys::Keypair;
use reqwest::StatusCode;
use serde_json::{Value, json};
use validator::api::{ApiConfig, ChallengeDefaults, SealedPush};

use crate::routes::Routes;
use crate::world::{QUESTION, World, honest, positions, until};

/// The challenge service towards one validator's routes.
struct Service {
    key: Keypair,
    base: String,
    client: reqwest::Client,
}

impl Service {
    fn new(name: &str, routes: &Routes) -> Self {
        let key = Keypair::from_uri(name).unwrap();
        Self { key, base: routes.base.clone(), client: routes.client.clone() }
    }

    fn now() -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
    }

    /// Brings a key; gives it with the status of the answer.
    async fn brings(&self) -> (Session, StatusCode) {
        let shown = self.client.get(format!("{}/fiber/public-key", self.base)).send().await.unwrap();
        let shown: Value = shown.json().await.unwrap();
        let pem = shown["public_key"].as_str().unwrap();
        let offer = Session::offer(Dialect::Service, &self.key, pem, Self::now().as_secs_f64());
        let (session, body) = offer.unwrap();
        (session, self.post("/fiber/key-exchange", &[], body).await.0)
    }

    async fn post(&self, path: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> (StatusCode, Value) {
        let mut request = self.client.post(format!("{}{path}", self.base)).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    async fn pushes(&self, session: &Session, challenge: &Value) -> (StatusCode, Value) {
        let token = session.seal(challenge.to_string().as_bytes(), Self::now().as_secs()).unwrap();
        self.post("/fiber/challenge", &session.headers(), token.into_bytes()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_push_becomes_a_recorded_challenge_once() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    let mut config = ApiConfig::new(ChallengeDefaults::README);
    config.sealed = Some(SealedPush { pushers: vec![Keypair::from_uri("//service").unwrap().hotkey()] });
    let routes = Routes::serve_with(running.handle.clone(), config).await;
    let service = Service::new("//service", &routes);
    // As the service sends it: every field that it has, nulls too.
    let sent = json!({"id": "sealed-1", "correlation_id": "c-7", "prompt": QUESTION, "messages": null, "model": null,
        "tools": null, "tool_choice": null, "temperature": 0.5, "top_p": null, "max_tokens": 64, "status": "available",
        "metadata": {"timing_data": {"stages": []}}, "created_at": "2026-11-20T12:00:00", "requester": null});
    let (session, status) = service.brings().await;
    assert_eq!(status, StatusCode::OK);
    let token = session.seal(sent.to_string().as_bytes(), Service::now().as_secs()).unwrap().into_bytes();
    let (status, accepted) = service.post("/fiber/challenge", &session.headers(), token.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{accepted}");
    assert_eq!((&accepted["success"], &accepted["challenge_id"]), (&json!(true), &json!("sealed-1")));

    // The same bytes, the same challenge again, and what is no challenge.
    let (status, replayed) = service.post("/fiber/challenge", &session.headers(), token.clone()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{replayed}");
    let (status, again) = service.pushes(&session, &sent).await;
    assert!(status == StatusCode::CONFLICT && again["detail"].is_string(), "{status} {again}");
    for wrong in [json!({"id": "x"}), json!({"id": "x", "prompt": QUESTION, "temperature": 3}), json!([1])] {
        let (status, refused) = service.pushes(&session, &wrong).await;
        assert!(status == StatusCode::BAD_REQUEST && refused["detail"].is_string(), "{status} {refused}");
    }
    let large = json!({"id": "x", "prompt": QUESTION, "other": "x".repeat(256 << 10)});
    assert_eq!(service.pushes(&session, &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    // Strangers: a key of their own, another's name over it, a key without a signature, no key at all.
    let stranger = Service::new("//stranger", &routes);
    let (own, status) = stranger.brings().await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(stranger.pushes(&own, &sent).await.0, StatusCode::FORBIDDEN);
    let mut headers = own.headers();
    headers[1].1 = service.key.ss58();
    let forged = own.seal(sent.to_string().as_bytes(), Service::now().as_secs()).unwrap().into_bytes();
    assert_eq!(stranger.post("/fiber/challenge", &headers, forged).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.post("/fiber/challenge", &session.headers(), b"{}".to_vec()).await.0, StatusCode::UNAUTHORIZED);
    assert!(!stranger.post("/fiber/challenge", &[], token).await.0.is_success());
    let shown = service.client.get(format!("{}/fiber/public-key", routes.base)).send().await.unwrap();
    let pem = shown.json::<Value>().await.unwrap()["public_key"].as_str().unwrap().to_owned();
    let (_, body) = Session::offer(Dialect::Service, &service.key, &pem, Service::now().as_secs_f64()).unwrap();
    let mut unsigned: Value = serde_json::from_slice(&body).unwrap();
    unsigned["signature"] = json!("");
    let unsigned = stranger.post("/fiber/key-exchange", &[], unsigned.to_string().into_bytes()).await;
    assert_eq!(unsigned.0, StatusCode::BAD_REQUEST, "{}", unsigned.1);

    let position = accepted["position"].as_u64().unwrap();
    assert_eq!(routes.challenge("sealed-1").await["accepted"], position);
    until("the challenge ends", || async { routes.challenge("sealed-1").await["state"] == "evaluated" }).await;
    routes.stop().await;
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "ChallengeAccepted"), [position], "once, and nobody else's");
    let Event::ChallengeAccepted(recorded) = &log[usize::try_from(position).unwrap()].1 else { panic!("{log:?}") };
    let challenge = &recorded.challenge;
    assert_eq!((challenge.correlation_id.as_deref(), challenge.max_tokens), (Some("c-7"), 64));
    assert_eq!((challenge.temperature, challenge.top_p), (0.5, ChallengeDefaults::README.top_p));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_hotkey_that_may_push_there_is_no_sealed_route() {
    let world = World::new(Vec::new()).await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    let service = Service::new("//service", &routes);
    for path in ["/fiber/key-exchange", "/fiber/challenge"] {
        assert_eq!(service.post(path, &[], Vec::new()).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/fiber/public-key", "/fiber/stats"] {
        let answer = service.client.get(format!("{}{path}", routes.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    routes.stop().await;
    running.stop().await;
}
