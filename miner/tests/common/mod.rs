//! A running miner and requests to it over real HTTP.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use domain::types::sha256;
use domain::wire::{header, request_message};
use inference::{EmbeddingConfig, EmbeddingService, ServiceLimits};
use miner::{EmbeddingSource, Error, MinerConfig, Server};
use network::keys::Keypair;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub fn embedding_config() -> EmbeddingConfig {
    EmbeddingConfig { threads: Some(2), ..EmbeddingConfig::discover() }
}

pub fn embedding() -> EmbeddingService {
    let embedder = inference::open(&embedding_config()).unwrap_or_else(|error| panic!("{error}"));
    EmbeddingService::start(embedder, &ServiceLimits::default()).unwrap()
}

/// Vectors of the corpus, computed by the first test that needs them.
pub fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("miner-vectors")
}

pub fn config(uri: &str) -> MinerConfig {
    let listen = "127.0.0.1:0".parse().unwrap();
    let keypair = Keypair::from_uri(uri).unwrap();
    let mut config = MinerConfig::new(listen, keypair, EmbeddingSource::Open(embedding_config()));
    config.cache = Some(cache());
    config
}

/// A miner that serves until it is dropped.
pub struct Running {
    pub url: String,
    pub hotkey: String,
    stop: Option<oneshot::Sender<()>>,
    pub task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub async fn start(config: MinerConfig) -> Self {
        let hotkey = config.keypair.ss58();
        let server = Server::bind(config).await.unwrap();
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async move {
            let _ = stopped.await;
        }));
        Self { url, hotkey, stop: Some(stop), task }
    }

    pub async fn ready(config: MinerConfig) -> Self {
        let running = Self::start(config).await;
        let start = Instant::now();
        while get(&format!("{}/availability", running.url)).await != json!({"available": true}) {
            assert!(start.elapsed() < Duration::from_secs(120), "the miner does not get ready");
            assert!(!running.task.is_finished(), "the miner ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running
    }

    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        (&mut self.task).await.unwrap()
    }

    pub async fn post(&self, body: impl Into<reqwest::Body>, headers: &[(&str, String)]) -> Reply {
        let mut request = client().post(format!("{}/inference", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub async fn ask(&self, question: &str) -> (Vec<u8>, Reply) {
        let body = request_body(json!({"prompt": question}));
        (body.clone(), self.post(body, &[]).await)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        self.json()["response_text"].as_str().expect("response_text").to_owned()
    }
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap()
}

pub async fn get(url: &str) -> Value {
    let reply = client().get(url).send().await.unwrap();
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

/// A good request with some fields changed.
pub fn request_body(change: Value) -> Vec<u8> {
    let mut body =
        json!({"prompt": "Why does ice float on water?", "max_tokens": 512, "temperature": 0.7, "top_p": 0.9});
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    serde_json::to_vec(&body).unwrap()
}

/// The headers by which a validator signs a body.
pub fn signed(validator: &Keypair, body: &[u8]) -> Vec<(&'static str, String)> {
    let signature = hex::encode(validator.sign(&request_message(&sha256(body).0)));
    vec![(header::VALIDATOR_HOTKEY, validator.ss58()), (header::SIGNATURE, signature)]
}

pub fn cosine(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
