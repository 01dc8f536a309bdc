//! A miner that remembers every request it was sent: none of them may be missing in the log, whatever was killed when.

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::types::{Digest, sha256};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest request that is looked at.
const LARGEST_REQUEST: usize = 1 << 20;

type Seen = Arc<Mutex<Vec<Digest>>>;

/// A running witness.
pub(crate) struct Witness {
    address: SocketAddr,
    seen: Seen,
    task: JoinHandle<()>,
}

impl Witness {
    /// Listens on a free port of this machine.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Seen::default();
        let routes = Router::new()
            .route("/availability", get(async || Json(json!({"available": true}))))
            .route("/inference", post(inference))
            .layer(axum::extract::DefaultBodyLimit::max(LARGEST_REQUEST))
            .with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move {
            // It ends with the harness.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, seen, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hashes of all requests it was sent.
    pub(crate) fn seen(&self) -> Vec<Digest> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn inference(State(seen): State<Seen>, body: Bytes) -> Json<Value> {
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(sha256(&body));
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let prompt = question["prompt"].as_str().unwrap_or_default();
    // The question itself is the nearest in meaning that costs nothing.
    let text = format!("The question was this one. {prompt} A witness has no better answer than to repeat it.");
    Json(json!({"response_text": text, "response_time_ms": 1, "finish_reason": "stop"}))
}
