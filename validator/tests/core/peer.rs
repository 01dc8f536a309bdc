//! A miner over HTTP that does as it is told: it answers and signs, or misbehaves in one way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::types::sha256;
use domain::wire;
use network::keys::Keypair;
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers and signs, after a pause.
    Answers(&'static str, Duration),
    /// Sends this body, signed.
    Says(&'static str),
    /// Answers without signature.
    Unsigned(&'static str),
    /// Signs something else.
    SignsWrongly(&'static str),
    /// Sends what is no answer.
    Malformed,
    /// Never answers.
    Silent,
    /// Says that it is not available.
    Unavailable,
    /// Does not even say whether it is.
    Hangs,
}

#[derive(Debug)]
pub struct Peer {
    pub key: Keypair,
    pub address: SocketAddr,
    pub asked: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Mind {
    key: Keypair,
    behaviour: Behaviour,
    asked: Arc<AtomicU64>,
}

impl Peer {
    pub async fn start(name: usize, behaviour: Behaviour) -> Self {
        let key = Keypair::from_uri(&format!("//peer//{name}")).unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mind = Mind { key: key.clone(), behaviour, asked: Arc::clone(&asked) };
        let router = Router::new()
            .route("/availability", get(availability))
            .route("/inference", post(inference))
            .with_state(mind);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { key, address, asked, task }
    }

    /// Stops listening.
    pub async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub fn requests(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn availability(State(mind): State<Mind>) -> String {
    if matches!(mind.behaviour, Behaviour::Hangs) {
        std::future::pending::<()>().await;
    }
    serde_json::json!({"available": !matches!(mind.behaviour, Behaviour::Unavailable)}).to_string()
}

async fn inference(State(mind): State<Mind>, headers: HeaderMap, request: Bytes) -> Response {
    mind.asked.fetch_add(1, Ordering::SeqCst);
    assert!(receipt_holds(&headers, &request), "every request carries a receipt that verifies");
    let body = |text: &str| serde_json::json!({"response_text": text, "response_time_ms": 1}).to_string().into_bytes();
    let (body, sign) = match &mind.behaviour {
        Behaviour::Answers(text, pause) => {
            tokio::time::sleep(*pause).await;
            (body(text), Some(true))
        }
        Behaviour::Says(text) => (text.as_bytes().to_vec(), Some(true)),
        Behaviour::Unsigned(text) => (body(text), None),
        Behaviour::SignsWrongly(text) => (body(text), Some(false)),
        Behaviour::Malformed => (b"<html>".to_vec(), Some(true)),
        Behaviour::Silent | Behaviour::Hangs => std::future::pending().await,
        Behaviour::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    if let Some(rightly) = sign {
        let signed: &[u8] = if rightly { &body } else { b"something else" };
        let message = wire::response_message(&sha256(&request).0, &sha256(signed).0);
        headers.insert(wire::header::HOTKEY, mind.key.ss58().parse().unwrap());
        headers.insert(wire::header::SIGNATURE, hex::encode(mind.key.sign(&message)).parse().unwrap());
    }
    (headers, body).into_response()
}

fn receipt_holds(headers: &HeaderMap, request: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let validator: domain::types::Hotkey = text(wire::header::VALIDATOR_HOTKEY).parse().unwrap();
    let signature: domain::types::Signature = text(wire::header::SIGNATURE).parse().unwrap();
    let message = wire::request_message(&sha256(request).0);
    network::keys::verify(&validator.public().unwrap(), &message, &signature.0)
}
