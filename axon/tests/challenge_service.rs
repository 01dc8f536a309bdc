//! The client of Loosh's challenge service against a stand-in that keeps keys, opens tokens and checks signatures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axon::challenge_service::{ChallengeService, Picture, PictureKind};
use axon::{AxonLimits, Clock, Failure};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use network::fiber::loosh::outbox::{Progress, Route, Step, verdict};
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{Dialect, Receiver, service_message};
use network::fiber::rsa_key::MinerKey;
use network::keys::{Keypair, verify};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const NOW: u64 = 1_760_000_000;

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

fn bob() -> String {
    Keypair::from_uri("//Bob").unwrap().ss58()
}

/// The stand-in: what it got, opened, and what it answers to results.
struct Service {
    receiver: Mutex<Receiver>,
    got: Mutex<Vec<(String, Vec<u8>)>>,
    sealed_status: AtomicU16,
    plain_status: AtomicU16,
}

fn receiver() -> Mutex<Receiver> {
    Mutex::new(Receiver::new(Dialect::Service, Signatures::Required, MinerKey::generate().unwrap()))
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).unwrap()
}

async fn respond(State(service): State<Arc<Service>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let path = parts.uri.path();
    let sealed = path.starts_with("/fiber/response") || path.starts_with("/fiber/heatmap");
    if !sealed {
        // Signed over the body, except a form.
        let form = header("content-type").is_some_and(|kind| kind.starts_with("multipart/"));
        let message = service_message(header("x-nonce").unwrap(), &alice().ss58(), if form { b"" } else { &body });
        let signature = hex::decode(header("x-signature").unwrap().strip_prefix("0x").unwrap()).unwrap();
        assert!(verify(&alice().public(), message.as_bytes(), signature.as_slice().try_into().unwrap()), "{path}");
        assert_eq!((header("x-hotkey"), header("x-api-key")), (Some(alice().ss58().as_str()), Some("the key")));
    }
    let receiver = || service.receiver.lock().unwrap();
    match path {
        "/fiber/public-key" => answer(200, serde_json::json!({ "public_key": receiver().public_pem() }).to_string()),
        "/fiber/key-exchange" => {
            let taken = receiver().exchange(&body, NOW * 1_000_000, |_| true);
            answer(if taken.is_ok() { 200 } else { 500 }, "{}")
        }
        "/validators" => answer(200, serde_json::json!({ "validators": [
            { "hotkey_ss58": alice().ss58(), "validator_permit": true },
            { "hotkey": bob(), "metadata": { "admin_approved": true } },
            { "hotkey_ss58": "5F", "validator_permit": true }, { "hotkey_ss58": bob(), "validator_permit": false }, 7,
        ]}).to_string()),
        "/analytics/sybil-scores/batch" => {
            let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(asked["miner_hotkeys"].as_array().unwrap().len(), 2);
            let scores = serde_json::json!({ alice().ss58(): { "sybil_score": 0.5, "priority_weight": 2 }, bob(): 0.25, "5F": 1 });
            answer(200, serde_json::json!({ "scores": scores }).to_string())
        }
        _ if sealed => match receiver().open(header, &body, NOW) {
            Ok(opened) => {
                service.got.lock().unwrap().push((path.to_owned(), opened.payload));
                answer(service.sealed_status.load(Ordering::SeqCst), "{}")
            }
            Err(_) => answer(401, "{}"),
        },
        _ => {
            service.got.lock().unwrap().push((path.to_owned(), body.to_vec()));
            answer(service.plain_status.load(Ordering::SeqCst), "{}")
        }
    }
}

struct World {
    stand_in: Arc<Service>,
    service: ChallengeService,
    _stop: oneshot::Sender<()>,
}

impl World {
    async fn start() -> Self {
        let stand_in = Arc::new(Service {
            receiver: receiver(),
            got: Mutex::default(),
            sealed_status: AtomicU16::new(201),
            plain_status: AtomicU16::new(201),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let routes = Router::new().fallback(respond).with_state(Arc::clone(&stand_in));
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = AxonLimits::default().serving;
        tokio::spawn(async move { serving::serve(listener, routes, limits, async { drop(stopped.await) }).await });
        let clock = Clock::of(|| NOW * 1_000_000_000);
        let service = ChallengeService::new(&address, alice(), Some("the key".to_owned()), clock).unwrap();
        Self { stand_in, service, _stop: stop }
    }

    fn got(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.stand_in.got.lock().unwrap())
    }
}

#[tokio::test]
async fn a_batch_arrives_sealed_also_after_the_service_lost_its_keys() {
    let world = World::start().await;
    let batch = br#"{"challenge_id":"c1"}"#;
    let expected = vec![("/fiber/response/batch".to_owned(), batch.to_vec())];
    assert_eq!(world.service.post_batch(Route::Sealed, batch).await.unwrap().status, 201);
    assert_eq!(world.got(), expected);
    *world.stand_in.receiver.lock().unwrap() = receiver().into_inner().unwrap();
    assert_eq!(world.service.post_batch(Route::Sealed, batch).await.unwrap().status, 201);
    assert_eq!(world.got(), expected);
}

#[tokio::test]
async fn a_service_that_cannot_open_gets_the_batch_in_clear() {
    let world = World::start().await;
    world.stand_in.sealed_status.store(422, Ordering::SeqCst);
    let batch = br#"{"challenge_id":"c2"}"#;
    let mut progress = Progress::default();
    while let Step::Try(route, wait) = progress.step() {
        assert!(wait.is_zero());
        let reply = world.service.post_batch(route, batch).await;
        progress = progress.after(route, verdict(route, reply.ok().map(|reply| reply.status)));
    }
    assert_eq!(progress.step(), Step::Delivered);
    let paths: Vec<String> = world.got().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/fiber/response/batch", "/response/batch"]);
}

#[tokio::test]
async fn pictures_arrive_in_both_ways() {
    let world = World::start().await;
    let picture = Picture {
        challenge_id: "c3",
        kind: PictureKind::Heatmap,
        filename: "c3.png",
        content_type: "image/png",
        data: b"\x89PNG\r\n--",
    };
    assert_eq!(world.service.upload_picture(Route::Sealed, &picture).await.unwrap().status, 201);
    assert_eq!(world.service.upload_picture(Route::Plain, &picture).await.unwrap().status, 201);
    let got = world.got();
    let sealed: serde_json::Value = serde_json::from_slice(&got[0].1).unwrap();
    assert_eq!((sealed["file_type"].as_str(), sealed["data"].as_str()), (Some("heatmap"), Some("iVBORw0KLS0=")));
    assert_eq!(got[1].0, "/heatmap/upload");
    let form = String::from_utf8_lossy(&got[1].1).into_owned();
    assert!(form.contains("name=\"file\"; filename=\"c3.png\"\r\nContent-Type: image/png\r\n\r\n"), "{form}");
    assert!(got[1].1.windows(8).any(|window| window == picture.data) && form.ends_with("--\r\n"));
    let odd = Picture { filename: "a\"\r\nX: y", ..picture.clone() };
    assert_eq!(world.service.upload_picture(Route::Plain, &odd).await.unwrap_err().failure, Failure::Protocol);
    let large = vec![0; axon::challenge_service::MAXIMUM_PICTURE + 1];
    let large = Picture { data: &large, ..picture };
    assert_eq!(world.service.upload_picture(Route::Sealed, &large).await.unwrap_err().failure, Failure::TooLarge);
}

#[tokio::test]
async fn lists_and_scores_are_read_and_nonsense_is_left_out() {
    let world = World::start().await;
    let (alice, bob) = (alice().hotkey(), bob().parse().unwrap());
    let (validators, raw) = world.service.validators().await.unwrap();
    assert_eq!(validators, [alice, bob]);
    assert!(raw.starts_with(b"{"));
    let (scores, _) = world.service.sybil_scores(&[alice, bob]).await.unwrap();
    assert_eq!(scores.len(), 2);
    assert_eq!((scores[&alice].sybil_score, scores[&alice].priority_weight), (0.5, Some(2.0)));
    assert_eq!((scores[&bob].sybil_score, scores[&bob].priority_weight), (0.25, None));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told() {
    let clock = Clock::of(|| NOW * 1_000_000_000);
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let service = ChallengeService::new(&format!("http://{nowhere}"), alice(), None, clock.clone()).unwrap();
    assert_eq!(service.post_batch(Route::Sealed, b"{}").await.unwrap_err().failure, Failure::Unreachable);
    for address in ["", "challenge.example", "ftp://challenge.example", "mailto:x@y", "https://x/?q"] {
        assert!(ChallengeService::new(address, alice(), None, clock.clone()).is_err(), "{address}");
    }
}
