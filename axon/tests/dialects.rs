//! fiber, Loosh's dialects and Epistula over loopback: our clients ask our servers, and strangers ask in every wrong way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::endpoint::{Admitted, Asked, everybody};
use axon::epistula::{EpistulaClient, EpistulaServer, Vouched};
use axon::fiber::{FiberClient, FiberServer};
use axon::loosh::{LooshClient, LooshServer};
use axon::{AxonLimits, Clock, Failure, HandlerError, Target};
use axum::Router;
use network::address::AddressGuard;
use network::fiber::client::plain;
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{Dialect, Session};
use network::fiber::rsa_key::MinerKey;
use network::keys::Keypair;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SECOND: u64 = 1_000_000_000;
const TIME: Duration = Duration::from_secs(10);

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

fn guard() -> AddressGuard {
    AddressGuard::for_network("local")
}

/// A clock that tests set.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_760_000_000 * SECOND)))
    }

    fn clock(&self) -> Clock {
        let hand = self.0.clone();
        Clock::of(move || hand.load(Ordering::SeqCst))
    }

    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

async fn echo(asked: Asked) -> Result<Vec<u8>, HandlerError> {
    let payload: serde_json::Value = serde_json::from_slice(&asked.payload)
        .map_err(|_| HandlerError::Refused { status: 422, message: "no JSON".to_owned() })?;
    Ok(serde_json::json!({ "from": asked.hotkey, "prompt": payload["prompt"] }).to_string().into_bytes())
}

/// Serves until dropped.
struct Running {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Running {
    async fn start(routes: Router) -> Self {
        Self::at("127.0.0.1:0", routes).await
    }

    async fn at(address: &str, routes: Router) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = AxonLimits::default().serving;
        tokio::spawn(async move { serving::serve(listener, routes, limits, async { drop(stopped.await) }).await });
        Self { address, _stop: stop }
    }

    fn target(&self) -> Target {
        Target { hotkey: key("Bob").hotkey(), address: self.address }
    }

    async fn post(&self, path: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> (u16, String) {
        let mut request = reqwest::Client::new().post(format!("http://{}{path}", self.address)).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn all_but(name: &str) -> Admitted {
    let refused = key(name).hotkey();
    Arc::new(move |hotkey| (*hotkey != refused).then_some(1.0))
}

fn fiber_routes(hand: &Hand, key_: MinerKey) -> Router {
    let server = FiberServer::new(key("Bob").hotkey(), key_, all_but("Mallory"), AxonLimits::default(), hand.clock());
    server.endpoint("/ask", echo).into_router().unwrap()
}

fn fiber_client(name: &str, hand: &Hand) -> FiberClient {
    FiberClient::new(key(name), guard(), &DendriteLimits::default(), hand.clock()).unwrap()
}

#[tokio::test]
async fn fiber_in_both_modes() {
    let hand = Hand::new();
    let running = Running::start(fiber_routes(&hand, MinerKey::generate().unwrap())).await;
    let alice = fiber_client("Alice", &hand);
    let expected = serde_json::json!({ "from": key("Alice").hotkey(), "prompt": "hi" });
    let said = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
    let reply = alice.ask_plain(&running.target(), "/ask", br#"{"prompt":"hi"}"#.to_vec(), &[], TIME).await.unwrap();
    assert_eq!((reply.status, said(&reply.body)), (200, expected.clone()));
    for _ in 0..3 {
        let reply = alice.ask_encrypted(&running.target(), "/ask", br#"{"prompt":"hi"}"#, &[], TIME).await.unwrap();
        assert_eq!((reply.status, said(&reply.body)), (200, expected.clone()));
    }
    // The miner's keys have expired, the validator brings a new one.
    hand.forward(5 * 3600 - 30);
    let reply = alice.ask_encrypted(&running.target(), "/ask", br#"{"prompt":"hi"}"#, &[], TIME).await.unwrap();
    assert_eq!(reply.status, 200);
    let mallory = fiber_client("Mallory", &hand);
    let reply = mallory.ask_plain(&running.target(), "/ask", b"{}".to_vec(), &[], TIME).await.unwrap();
    assert_eq!(reply.status, 403);
    let refused = mallory.ask_encrypted(&running.target(), "/ask", b"{}", &[], TIME).await.unwrap_err();
    assert_eq!((refused.failure, refused.status), (Failure::Refused, Some(403)));
    assert!(alice.ask_encrypted(&running.target(), "/ask", b"[]", &[], TIME).await.is_err(), "no object");
    let reply = alice.ask_plain(&running.target(), "/ask", b"not json".to_vec(), &[], TIME).await.unwrap();
    assert_eq!((reply.status, reply.body.as_ref()), (422, &br#"{"detail":"no JSON"}"#[..]));
    let reply = alice.ask_plain(&running.target(), "/nowhere", b"{}".to_vec(), &[], TIME).await.unwrap();
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn fiber_brings_a_new_key_to_a_miner_that_started_anew() {
    let hand = Hand::new();
    let first = Running::start(fiber_routes(&hand, MinerKey::generate().unwrap())).await;
    let (alice, target) = (fiber_client("Alice", &hand), first.target());
    assert_eq!(alice.ask_encrypted(&target, "/ask", b"{}", &[], TIME).await.unwrap().status, 200);
    drop(first);
    let mut again = None;
    for _ in 0..50 {
        // The address is free once the first server has let go of it.
        match TcpListener::bind(target.address).await {
            Ok(listener) => {
                drop(listener);
                let routes = fiber_routes(&hand, MinerKey::generate().unwrap());
                again = Some(Running::at(&target.address.to_string(), routes).await);
                break;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    assert!(again.is_some());
    assert_eq!(alice.ask_encrypted(&target, "/ask", b"{}", &[], TIME).await.unwrap().status, 200);
}

#[tokio::test]
async fn fiber_refuses_what_is_not_signed_for_it_now_and_once() {
    let hand = Hand::new();
    let running = Running::start(fiber_routes(&hand, MinerKey::generate().unwrap())).await;
    let signed = |now| plain(&key("Alice"), &key("Bob").hotkey(), b"{}".to_vec(), now).unwrap();
    let request = signed(hand.now());
    let send = |headers: Vec<(&'static str, String)>, body: &'static [u8]| {
        let running = &running;
        async move { running.post("/ask", &headers, body.to_vec()).await }
    };
    assert_eq!(send(request.headers.clone(), b"[]").await, (401, r#"{"detail":"Signature is wrong"}"#.to_owned()));
    assert_eq!(send(request.headers.clone(), b"{}").await.0, 200);
    assert_eq!(send(request.headers.clone(), b"{}").await, (401, r#"{"detail":"Nonce was used before"}"#.to_owned()));
    for now in [hand.now() - 121 * SECOND, hand.now() + 121 * SECOND] {
        assert_eq!(send(signed(now).headers, b"{}").await.0, 401);
    }
    for missing in 0..request.headers.len() {
        let mut headers = signed(hand.now()).headers;
        headers.remove(missing);
        assert_eq!(send(headers, b"{}").await.0, 401);
    }
    let other = plain(&key("Alice"), &key("Charlie").hotkey(), b"{}".to_vec(), hand.now()).unwrap();
    assert_eq!(send(other.headers, b"{}").await, (401, r#"{"detail":"Request is for another miner"}"#.to_owned()));
    let mut unknown = signed(hand.now()).headers;
    unknown.push(("symmetric-key-uuid", "00".repeat(32)));
    assert_eq!(send(unknown, b"{}").await.0, 401, "the signature does not cover the key's name");
    let (status, _) = running.post("/public-encryption-key", &[], Vec::new()).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_not_read() {
    let hand = Hand::new();
    let limits = AxonLimits { body_bytes: 1000, ..AxonLimits::default() };
    let server =
        FiberServer::new(key("Bob").hotkey(), MinerKey::generate().unwrap(), everybody(), limits, hand.clock());
    let running = Running::start(server.endpoint("/ask", echo).into_router().unwrap()).await;
    let alice = fiber_client("Alice", &hand);
    let reply = alice.ask_plain(&running.target(), "/ask", vec![b' '; 1001], &[], TIME).await.unwrap();
    assert_eq!(reply.status, 413);
    let small = DendriteLimits { answer_bytes: 10, ..DendriteLimits::default() };
    let small = FiberClient::new(key("Alice"), guard(), &small, hand.clock()).unwrap();
    let cut = small.ask_plain(&running.target(), "/ask", b"{}".to_vec(), &[], TIME).await.unwrap_err();
    assert_eq!(cut.failure, Failure::TooLarge);
    let public =
        FiberClient::new(key("Alice"), AddressGuard::for_network("finney"), &DendriteLimits::default(), hand.clock());
    let inside = public.unwrap().ask_plain(&running.target(), "/ask", b"{}".to_vec(), &[], TIME).await.unwrap_err();
    assert_eq!(inside.failure, Failure::ForbiddenAddress);
    let odd = FiberServer::new(
        key("Bob").hotkey(),
        MinerKey::generate().unwrap(),
        everybody(),
        AxonLimits::default(),
        hand.clock(),
    );
    assert!(odd.endpoint("no slash", echo).into_router().is_err());
}

type Nothing = Result<Vec<u8>, HandlerError>;

fn panicking() -> Nothing {
    panic!("the log only")
}

#[tokio::test]
async fn an_endpoint_that_hangs_or_breaks_is_told_apart() {
    let hand = Hand::new();
    let limits = AxonLimits { longest: Duration::from_millis(200), ..AxonLimits::default() };
    let server =
        FiberServer::new(key("Bob").hotkey(), MinerKey::generate().unwrap(), everybody(), limits, hand.clock())
            .endpoint("/hang", |_: Asked| std::future::pending::<Nothing>())
            .endpoint("/panic", |_: Asked| async { panicking() })
            .endpoint("/fail", |_: Asked| async { Nothing::Err(HandlerError::Failed("the log only".to_owned())) });
    let running = Running::start(server.into_router().unwrap()).await;
    let alice = fiber_client("Alice", &hand);
    for (path, status) in [("/hang", 408), ("/panic", 500), ("/fail", 500)] {
        let reply = alice.ask_plain(&running.target(), path, b"{}".to_vec(), &[], TIME).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("log only"));
    }
    let late = alice.ask_plain(&running.target(), "/hang", b"{}".to_vec(), &[], Duration::from_millis(50)).await;
    assert_eq!(late.unwrap_err().failure, Failure::TimedOut);
}

fn loosh_routes(hand: &Hand, dialect: Dialect, signatures: Signatures) -> Router {
    let key_ = MinerKey::generate().unwrap();
    let (own, admitted) = (key("Bob").hotkey(), all_but("Mallory"));
    LooshServer::new(own, dialect, signatures, key_, admitted, AxonLimits::default(), hand.clock())
        .challenges(echo)
        .into_router()
}

#[tokio::test]
async fn loosh_from_validator_to_miner() {
    let hand = Hand::new();
    let running = Running::start(loosh_routes(&hand, Dialect::Miner, Signatures::Required)).await;
    let client = |name| LooshClient::new(key(name), guard(), &DendriteLimits::default(), hand.clock()).unwrap();
    let alice = client("Alice");
    for _ in 0..2 {
        let answer = alice.ask(&running.target(), br#"{"prompt": "hi"}"#, &[], TIME).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer, serde_json::json!({ "from": key("Alice").hotkey(), "prompt": "hi" }));
    }
    hand.forward(3600);
    assert!(alice.ask(&running.target(), b"{}", &[], TIME).await.is_ok());
    let refused = client("Mallory").ask(&running.target(), b"{}", &[], TIME).await.unwrap_err();
    assert_eq!(refused.status, Some(403));
    // A key that the miner does not know: it shows its own, so that one can be brought.
    let sender =
        [("x-fiber-validator-hotkey-ss58", key("Alice").ss58()), ("x-fiber-symmetric-key-uuid", "unknown".to_owned())];
    let (status, body) = running.post("/fiber/challenge", &sender, b"gAAAAA".to_vec()).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["requires_handshake"]), (401, &serde_json::json!(true)));
    assert!(body["public_key"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(running.post("/fiber/challenge", &[], Vec::new()).await.0, 422);
    assert_eq!(running.post("/fiber/key-exchange", &[], b"{}".to_vec()).await.0, 400);
    assert_eq!(running.post("/fiber/public-key", &[], Vec::new()).await.0, 405);
    assert_eq!(running.post("/inference", &[], Vec::new()).await.0, 404);
}

#[tokio::test]
async fn loosh_brings_a_new_key_under_the_one_that_a_refusal_shows() {
    let hand = Hand::new();
    let first = Running::start(loosh_routes(&hand, Dialect::Miner, Signatures::Required)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let alice = LooshClient::new(key("Alice"), guard(), &DendriteLimits::default(), hand.clock()).unwrap();
    assert!(alice.ask(&first.target(), b"{}", &[], TIME).await.is_ok());
    let target = first.target();
    drop(first);
    // Another process at the same address; how often it is asked for its key is counted.
    let routes = loosh_routes(&hand, Dialect::Miner, Signatures::Required).layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            if request.uri().path() == "/fiber/public-key" {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            next.run(request)
        },
    ));
    while TcpListener::bind(target.address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _second = Running::at(&target.address.to_string(), routes).await;
    assert!(alice.ask(&target, b"{}", &[], TIME).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the refusal showed the key");
}

#[tokio::test]
async fn loosh_from_the_service_to_a_validator() {
    let hand = Hand::new();
    let running = Running::start(loosh_routes(&hand, Dialect::Service, Signatures::Optional)).await;
    let shown = reqwest::get(format!("http://{}/fiber/public-key", running.address)).await.unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown.text().await.unwrap()).unwrap();
    let now = (hand.now() / SECOND) as f64;
    let (session, body) =
        Session::offer(Dialect::Service, &key("Alice"), shown["public_key"].as_str().unwrap(), now).unwrap();
    let token = session.seal(br#"{"prompt": "hi"}"#, hand.now() / SECOND).unwrap();
    let headers = session.headers();
    let (status, body_) = running.post("/fiber/challenge", &headers, token.clone().into_bytes()).await;
    assert_eq!((status, body_.contains("public_key")), (401, false));
    assert_eq!(running.post("/fiber/key-exchange", &[], body.clone()).await.0, 200);
    assert_eq!(running.post("/fiber/key-exchange", &[], body).await.0, 400, "once");
    let (status, answer) = running.post("/fiber/challenge", &headers, token.clone().into_bytes()).await;
    assert_eq!((status, answer.contains("\"prompt\":\"hi\"")), (201, true));
    assert_eq!(running.post("/fiber/challenge", &headers, token.into_bytes()).await.0, 401, "a captured token");
    let statistics =
        reqwest::get(format!("http://{}/fiber/stats", running.address)).await.unwrap().text().await.unwrap();
    assert_eq!(statistics, r#"{"active_hotkeys":1,"total_symmetric_keys":1,"key_ttl_seconds":3600}"#);
}

#[tokio::test]
async fn epistula_both_ways_signed() {
    let hand = Hand::new();
    let server = EpistulaServer::new(key("Bob"), all_but("Mallory"), AxonLimits::default(), hand.clock());
    let running = Running::start(server.endpoint("/v1/ask", echo).into_router().unwrap()).await;
    let client = |name| EpistulaClient::new(key(name), guard(), &DendriteLimits::default(), hand.clock()).unwrap();
    let body = || br#"{"prompt": "hi"}"#.to_vec();
    let (reply, vouched) = client("Alice").ask(&running.target(), "/v1/ask", body(), &[], TIME).await.unwrap();
    assert_eq!((reply.status, vouched), (200, Vouched::Signed));
    let other = Target { hotkey: key("Charlie").hotkey(), ..running.target() };
    let (reply, vouched) = client("Alice").ask(&other, "/v1/ask", body(), &[], TIME).await.unwrap();
    assert_eq!((reply.status, vouched), (400, Vouched::Unsigned));
    let (reply, _) = client("Mallory").ask(&running.target(), "/v1/ask", body(), &[], TIME).await.unwrap();
    assert_eq!(reply.status, 401);
    let signed = |now: u64| network::epistula::sign(&key("Alice"), b"{}", Some(&key("Bob").hotkey()), now).unwrap();
    let request = signed(hand.now() / 1_000_000);
    assert_eq!(running.post("/v1/ask", &request, b"[]".to_vec()).await.0, 400);
    assert_eq!(running.post("/v1/ask", &request, b"{}".to_vec()).await.0, 200);
    assert_eq!(running.post("/v1/ask", &request, b"{}".to_vec()).await.0, 400, "once");
    let late = signed(hand.now() / 1_000_000 - 8_001);
    assert_eq!(running.post("/v1/ask", &late, b"{}".to_vec()).await.0, 400);
    let ahead = signed(hand.now() / 1_000_000 + 8_001);
    assert_eq!(running.post("/v1/ask", &ahead, b"{}".to_vec()).await.0, 400);
    assert_eq!(running.post("/v1/ask", &[], b"{}".to_vec()).await.0, 400);
    assert_eq!(running.post("/v1/other", &[], b"{}".to_vec()).await.0, 404);
}
