//! Miners that refuse a kept key, or a request: how often they are asked, and from when their time runs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::endpoint::{Asked, everybody};
use axon::fiber::{FiberClient, FiberServer};
use axon::loosh::{LooshClient, LooshServer};
use axon::post::{Problem, Reply};
use axon::{AxonLimits, Clock, HandlerError, Target};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use domain::types::Micros;
use network::address::AddressGuard;
use network::fiber::loosh::Dialect;
use network::fiber::loosh::server::Signatures;
use network::fiber::rsa_key::MinerKey;
use network::keys::Keypair;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const TIME: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_millis(400);

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

fn now() -> Micros {
    Micros(Clock::system().now() / 1_000)
}

async fn answer(_: Asked) -> Result<Vec<u8>, HandlerError> {
    Ok(b"{}".to_vec())
}

/// What stands in front of a miner that means well.
#[derive(Default)]
struct Front {
    /// How the next question is answered instead.
    refusal: Mutex<Option<(u16, &'static str)>>,
    questions: AtomicUsize,
    exchanges: AtomicUsize,
}

async fn pass(front: Arc<Front>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        "/fiber/challenge" | "/ask" => {
            front.questions.fetch_add(1, Ordering::SeqCst);
            let refusal = front.refusal.lock().unwrap().take();
            if let Some((status, body)) = refusal {
                return (StatusCode::from_u16(status).unwrap(), body).into_response();
            }
        }
        "/fiber/public-key" | "/public-encryption-key" => {
            // Everybody but the first who asks has to wait.
            let before = front.exchanges.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(if before > 0 { STALL } else { Duration::ZERO }).await;
        }
        _ => {}
    }
    next.run(request).await
}

/// A miner and who asks it.
struct Pair {
    front: Arc<Front>,
    target: Target,
    fiber: Option<FiberClient>,
    loosh: LooshClient,
    _stop: oneshot::Sender<()>,
}

impl Pair {
    async fn start(fiber: bool) -> Self {
        let (bob, secret) = (key("Bob").hotkey(), MinerKey::generate().unwrap());
        let (limits, clock) = (AxonLimits::default(), Clock::system());
        let routes: Router = if fiber {
            let server = FiberServer::new(bob, secret, everybody(), limits, clock);
            server.endpoint("/ask", answer).into_router().unwrap()
        } else {
            let (dialect, signatures) = (Dialect::Miner, Signatures::Required);
            LooshServer::new(bob, dialect, signatures, secret, everybody(), limits, clock)
                .challenges(answer)
                .into_router()
        };
        let front = Arc::new(Front::default());
        let passing = Arc::clone(&front);
        let routes = routes.layer(from_fn(move |request, next| pass(Arc::clone(&passing), request, next)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = AxonLimits::default().serving;
        tokio::spawn(async move { serving::serve(listener, routes, limits, async { drop(stopped.await) }).await });
        let (guard, limits) = (AddressGuard::for_network("local"), DendriteLimits::default());
        let of_fiber = || FiberClient::new(key("Alice"), guard, &limits, Clock::system()).unwrap();
        let of_loosh = LooshClient::new(key("Alice"), guard, &limits, Clock::system()).unwrap();
        let target = Target { hotkey: bob, address };
        Self { front, target, fiber: fiber.then(of_fiber), loosh: of_loosh, _stop: stop }
    }

    async fn ask(&self, timeout: Duration) -> Result<Reply, Problem> {
        match &self.fiber {
            Some(fiber) => fiber.ask_encrypted(&self.target, "/ask", b"{}", &[], timeout).await,
            None => self.loosh.ask(&self.target, b"{}", &[], timeout).await,
        }
    }

    /// The status of a question that is refused in this way, and how many questions and exchanges it took.
    async fn refused(&self, refusal: (u16, &'static str)) -> (u16, usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let before = (read(&self.front.questions), read(&self.front.exchanges));
        *self.front.refusal.lock().unwrap() = Some(refusal);
        let status = match self.ask(TIME).await {
            Ok(reply) => reply.status,
            Err(problem) => problem.status.unwrap(),
        };
        (status, read(&self.front.questions) - before.0, read(&self.front.exchanges) - before.1)
    }
}

#[tokio::test]
async fn a_miner_cannot_stop_its_clock_by_asking_for_a_key() {
    for fiber in [true, false] {
        let pair = Pair::start(fiber).await;
        assert_eq!(pair.ask(TIME).await.unwrap().status, 200, "a key is brought and kept");
        let begun = now();
        *pair.front.refusal.lock().unwrap() = Some((401, "{}"));
        let reply = pair.ask(TIME).await.unwrap();
        assert_eq!((reply.status, pair.front.questions.load(Ordering::SeqCst)), (200, 3));
        let took = Duration::from_micros(reply.received_at.0 - reply.sent_at.0);
        assert!(took >= STALL && reply.sent_at.0 >= begun.0, "{took:?} since the first sending");
        assert!(Duration::from_micros(reply.sent_at.0 - begun.0) < STALL);

        let begun = now();
        *pair.front.refusal.lock().unwrap() = Some((401, "{}"));
        let late = pair.ask(STALL / 2).await.unwrap_err();
        assert!(late.sent_at.unwrap().0 - begun.0 < (STALL / 4).as_micros() as u64, "{late:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_request_is_no_refusal_of_the_key() {
    let rows = [
        (true, 400, r#"{"detail":"Body is not understood: prompt"}"#, (400, 1, 0)),
        (true, 400, "no JSON", (400, 1, 0)),
        (true, 400, r#"{"detail":"No symmetric key found for that hotkey and uuid"}"#, (200, 2, 1)),
        (true, 401, "{}", (200, 2, 1)),
        (true, 403, "{}", (403, 1, 0)),
        (false, 400, r#"{"detail":"prompt is missing"}"#, (400, 1, 0)),
        (false, 400, r#"{"detail":"prompt is missing","requires_handshake":false}"#, (400, 1, 0)),
        (false, 400, r#"{"detail":"unknown key","requires_handshake":true}"#, (200, 2, 1)),
        (false, 401, "no JSON", (200, 2, 1)),
        (false, 422, "{}", (422, 1, 0)),
    ];
    for (fiber, status, body, expected) in rows {
        let pair = Pair::start(fiber).await;
        assert_eq!(pair.ask(TIME).await.unwrap().status, 200);
        assert_eq!(pair.refused((status, body)).await, expected, "{status} {body}");
    }
}
