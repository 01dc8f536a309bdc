//! A challenge service that keeps keys, opens what is sealed, checks signatures, and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axon::challenge_service::ChallengeService;
use axon::{AxonLimits, Clock};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use network::fiber::loosh::server::Signatures;
use network::fiber::loosh::{Dialect, Receiver, service_message};
use network::fiber::rsa_key::MinerKey;
use network::keys::{Keypair, verify};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const API_KEY: &str = "a key of the service";

/// Something that arrived, opened, and what it was answered.
#[derive(Debug, Clone)]
pub struct Got {
    pub id: String,
    pub item: &'static str,
    pub bytes: Vec<u8>,
    pub status: u16,
}

#[derive(Default)]
struct Told {
    answers: BTreeMap<(String, &'static str), VecDeque<u16>>,
    validators: Value,
    scores: Value,
}

struct Inner {
    receiver: Mutex<Receiver>,
    told: Mutex<Told>,
    got: Mutex<Vec<Got>>,
    exchanges: AtomicUsize,
    questions: AtomicUsize,
    silent: AtomicBool,
}

pub struct StandIn {
    inner: Arc<Inner>,
    address: String,
    _stop: oneshot::Sender<()>,
}

impl StandIn {
    pub async fn start() -> Self {
        let inner = Arc::new(Inner {
            receiver: Mutex::new(Receiver::new(Dialect::Service, Signatures::Required, MinerKey::generate().unwrap())),
            told: Mutex::default(),
            got: Mutex::default(),
            exchanges: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(respond).with_state(Arc::clone(&inner));
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = AxonLimits::default().serving;
        tokio::spawn(async move { serving::serve(listener, routes, limits, async { drop(stopped.await) }).await });
        Self { inner, address, _stop: stop }
    }

    pub fn client(&self, key: &Keypair) -> Arc<ChallengeService> {
        let key = (key.clone(), Some(API_KEY.to_owned()));
        Arc::new(ChallengeService::new(&self.address, key.0, key.1, Clock::system()).unwrap())
    }

    /// What it answers to this item of this challenge, one after another; 201 without a word.
    pub fn answers(&self, id: &str, item: &'static str, statuses: &[u16]) {
        let mut told = self.inner.told.lock().unwrap();
        told.answers.insert((id.to_owned(), item), statuses.iter().copied().collect());
    }

    /// Whom it lists, and what it thinks of miners.
    pub fn says(&self, validators: Value, scores: Value) {
        let mut told = self.inner.told.lock().unwrap();
        (told.validators, told.scores) = (validators, scores);
    }

    /// From now on it answers no question about validators and miners.
    pub fn is_silent(&self) {
        self.inner.silent.store(true, Ordering::SeqCst);
    }

    pub fn got(&self) -> Vec<Got> {
        self.inner.got.lock().unwrap().clone()
    }

    pub fn exchanges(&self) -> usize {
        self.inner.exchanges.load(Ordering::SeqCst)
    }

    pub fn questions(&self) -> usize {
        self.inner.questions.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// Takes an item in, and answers as it was told.
    fn take(&self, id: String, item: &'static str, bytes: Vec<u8>) -> u16 {
        let status = {
            let mut told = self.told.lock().unwrap();
            told.answers.get_mut(&(id.clone(), item)).and_then(VecDeque::pop_front).unwrap_or(201)
        };
        self.got.lock().unwrap().push(Got { id, item, bytes, status });
        status
    }
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).unwrap()
}

async fn respond(State(service): State<Arc<Inner>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let path = parts.uri.path();
    if path.starts_with("/fiber/response") || path.starts_with("/fiber/heatmap") {
        let opened = service.receiver.lock().unwrap().open(header, &body, now.as_secs());
        let Ok(opened) = opened else { return answer(401, "{}") };
        let (id, item, bytes) = sealed(path, opened.payload);
        return answer(service.take(id, item, bytes), "{}");
    }
    let key = Keypair::from_uri("//validator").unwrap();
    // Signed over the body, except a form.
    let form = header("content-type").is_some_and(|kind| kind.starts_with("multipart/"));
    let message = service_message(header("x-nonce").unwrap(), &key.ss58(), if form { b"" } else { &body });
    let signature = hex::decode(header("x-signature").unwrap().strip_prefix("0x").unwrap()).unwrap();
    let signed = verify(&key.public(), message.as_bytes(), signature.as_slice().try_into().unwrap());
    if !signed || header("x-api-key") != Some(API_KEY) {
        return answer(403, "{}");
    }
    if path == "/validators" || path.starts_with("/analytics") {
        service.questions.fetch_add(1, Ordering::SeqCst);
        if service.silent.load(Ordering::SeqCst) {
            return answer(503, "{}");
        }
    }
    let told = |name: fn(&Told) -> &Value| name(&service.told.lock().unwrap()).clone();
    match path {
        "/fiber/public-key" => {
            answer(200, json!({ "public_key": service.receiver.lock().unwrap().public_pem() }).to_string())
        }
        "/fiber/key-exchange" => {
            service.exchanges.fetch_add(1, Ordering::SeqCst);
            let micros = u64::try_from(now.as_micros()).unwrap();
            let taken = service.receiver.lock().unwrap().exchange(&body, micros, |_| true);
            answer(if taken.is_ok() { 200 } else { 500 }, "{}")
        }
        "/response/batch" => {
            let (id, item, bytes) = sealed(path, body.to_vec());
            answer(service.take(id, item, bytes), "{}")
        }
        "/heatmap/upload" => {
            let (id, item, bytes) = picture_of(&body);
            answer(service.take(id, item, bytes), "{}")
        }
        "/validators" => answer(200, json!({ "validators": told(|told| &told.validators) }).to_string()),
        "/analytics/sybil-scores/batch" => answer(200, json!({ "scores": told(|told| &told.scores) }).to_string()),
        _ => answer(404, "{}"),
    }
}

/// The challenge, which item it is, and the batch or the picture itself.
fn sealed(path: &str, payload: Vec<u8>) -> (String, &'static str, Vec<u8>) {
    let fields: Value = serde_json::from_slice(&payload).unwrap();
    let id = fields["challenge_id"].as_str().unwrap().to_owned();
    if path.ends_with("batch") {
        return (id, "batch", payload);
    }
    assert_eq!(fields["content_type"].as_str(), Some("image/png"));
    (id, picture(fields["file_type"].as_str().unwrap()), base64(fields["data"].as_str().unwrap()))
}

/// The name of a kind of picture.
fn picture(file_type: &str) -> &'static str {
    match file_type {
        "heatmap" => "heatmap",
        "quality_plot" => "quality_plot",
        other => panic!("{other} is no kind of picture"),
    }
}

/// The challenge, the kind and the file of a form.
fn picture_of(form: &[u8]) -> (String, &'static str, Vec<u8>) {
    let find = |what: &[u8]| form.windows(what.len()).position(|window| window == what).unwrap();
    let value = |name: &str| {
        let name = format!("name=\"{name}\"\r\n\r\n").into_bytes();
        let value: Vec<u8> =
            form[find(&name) + name.len()..].iter().copied().take_while(|byte| *byte != b'\r').collect();
        String::from_utf8(value).unwrap()
    };
    let begin = b"Content-Type: image/png\r\n\r\n";
    let file = &form[find(begin) + begin.len()..];
    let end = file.windows(4).rposition(|window| window == b"\r\n--").unwrap();
    (value("challenge_id"), picture(&value("file_type")), file[..end].to_vec())
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| LETTERS.iter().position(|letter| *letter == byte).unwrap() as u32;
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let letters: Vec<u8> = four.iter().copied().filter(|byte| *byte != b'=').collect();
        let bits = letters.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - letters.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..letters.len()]);
    }
    bytes
}
