//! A real HTTP server that answers as a test says and remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use llm::{Client, Endpoint, Provider, Request};
use serde_json::{Value, json};

/// The key of every test.
pub const KEY: &str = "sk-test-3141592653589793";

/// One answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Status, a header (none when its name is empty) and a body.
    Is(u16, &'static str, String, String),
    /// A completion after a wait.
    After(Duration, &'static str),
    /// A body without end.
    Endless(u16),
}

/// A chat completion with this text, of 11 and 5 tokens.
pub fn completion(text: &str) -> Answer {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "served-model", "system_fingerprint": "f",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": null}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
    });
    Answer::Is(200, "", String::new(), body.to_string())
}

/// A refusal in OpenAI's form.
pub fn refusal(status: u16, message: &str) -> Answer {
    Answer::Is(status, "", String::new(), json!({"error": {"message": message, "type": "t", "code": null}}).to_string())
}

/// A status with a header.
pub fn with_header(status: u16, name: &'static str, value: &str) -> Answer {
    Answer::Is(status, name, value.to_owned(), json!({"error": {"message": "slow down"}}).to_string())
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Value,
}

#[derive(Clone)]
struct Shared {
    answers: Arc<Vec<Answer>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A server; it ends with the test's runtime.
pub struct Server {
    pub address: String,
    shared: Shared,
}

impl Server {
    /// Answers in order; the last answer is repeated.
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let shared = Shared {
            answers: Arc::new(answers.into_iter().collect()),
            asked: Arc::default(),
            under_way: Arc::default(),
            most: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// An endpoint here that waits and tries briefly.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(Provider::OpenaiCompatible, "asked-model");
        endpoint.base = Some(format!("{}/v1", self.address));
        endpoint.key = Some(KEY.into());
        endpoint.timeout_seconds = 1;
        endpoint.attempts = 2;
        endpoint
    }

    /// A client of [`Self::endpoint`], changed.
    pub fn client(&self, change: impl FnOnce(&mut Endpoint)) -> Client {
        let mut endpoint = self.endpoint();
        change(&mut endpoint);
        Client::open("test", &endpoint, &|_| None).unwrap()
    }
}

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let at = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(at, Ordering::SeqCst);
    let number = {
        let mut asked = shared.asked.lock().unwrap();
        asked.push(Asked { uri, headers, body: serde_json::from_slice(&body).unwrap() });
        asked.len() - 1
    };
    let answer = shared.answers[number.min(shared.answers.len() - 1)].clone();
    let response = respond(answer).await;
    shared.under_way.fetch_sub(1, Ordering::SeqCst);
    response
}

async fn respond(answer: Answer) -> Response {
    match answer {
        Answer::Is(status, name, value, body) => {
            let status = StatusCode::from_u16(status).unwrap();
            if name.is_empty() {
                (status, body).into_response()
            } else {
                (status, [(name, value)], body).into_response()
            }
        }
        Answer::After(wait, text) => {
            tokio::time::sleep(wait).await;
            let Answer::Is(_, _, _, body) = completion(text) else { unreachable!() };
            body.into_response()
        }
        Answer::Endless(status) => {
            let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
            tokio::spawn(async move { while sender.send(Bytes::from_static(&[b' '; 65_536])).await.is_ok() {} });
            let body = Body::new(Endless { receiver });
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
    }
}

struct Endless {
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.receiver.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

/// What every test asks.
pub fn request() -> Request {
    Request {
        system: "Be brief.".to_owned(),
        user: "Why is the sky blue?".to_owned(),
        maximum_tokens: 100,
        json_schema: None,
    }
}
