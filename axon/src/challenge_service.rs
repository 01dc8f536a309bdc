//! Loosh's challenge service, as a validator calls it: results and pictures go there, validators, weights of selection and
//! scores of sybils come from there.
//!
//! One attempt per call: whether and when to repeat is `network::fiber::loosh::outbox`'s to say, so that each attempt can be
//! recorded. The service is configured by the operator and reached by name, over TLS where its address says so; redirects are
//! not followed, answers are cut off at their limit, and every call has its time.

mod read;

pub use read::{SybilScore, read_public_key, read_sybil_scores, read_validators};

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use domain::types::Micros;
use http_body_util::BodyExt;
use network::fiber::loosh::outbox::Route;
use network::fiber::loosh::{Dialect, EXCHANGE_PATH, PUBLIC_KEY_PATH, Session, service_headers};
use network::keys::Keypair;
use reqwest_tls::{Client, Method, Url};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::client::Failure;
use crate::clock::Clock;
use crate::error::Error;
use crate::post::{Problem, Reply, within};

const CONNECT: Duration = Duration::from_secs(10);
const BATCH_TIME: Duration = Duration::from_secs(30);
const PICTURE_TIME: Duration = Duration::from_secs(60);
/// Bytes of an answer; the list of validators is the longest.
const MAXIMUM_ANSWER: usize = 4 << 20;
/// Bytes of a picture.
pub const MAXIMUM_PICTURE: usize = 8 << 20;

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    /// How alike the answers are.
    Heatmap,
    /// How good they are.
    QualityPlot,
}

/// A picture of a round.
#[derive(Debug, Clone)]
pub struct Picture<'a> {
    /// The challenge's id.
    pub challenge_id: &'a str,
    /// What it shows.
    pub kind: PictureKind,
    /// Its file name.
    pub filename: &'a str,
    /// Its content type.
    pub content_type: &'a str,
    /// Its bytes.
    pub data: &'a [u8],
}

/// The challenge service.
pub struct ChallengeService {
    base: Url,
    keypair: Keypair,
    api_key: Option<String>,
    client: Client,
    clock: Clock,
    session: Mutex<Option<Arc<Session>>>,
}

impl ChallengeService {
    /// The service at an address such as `https://challenge.example`.
    ///
    /// # Errors
    /// [`Error::Service`] for an address that is none, or a client that cannot be made.
    pub fn new(address: &str, keypair: Keypair, api_key: Option<String>, clock: Clock) -> Result<Self, Error> {
        let odd = |problem: &str| Error::Service { address: address.to_owned(), problem: problem.to_owned() };
        let base = Url::parse(address.trim_end_matches('/')).map_err(|_| odd("it is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() || base.query().is_some() {
            return Err(odd("it must begin with http:// or https:// and have no query"));
        }
        // Another part of the process may have chosen one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest_tls::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| odd(&error.without_url().to_string()))?;
        Ok(Self { base, keypair, api_key, client, clock, session: Mutex::default() })
    }

    /// Brings the results of a challenge, in one attempt: the status, whatever it is.
    ///
    /// # Errors
    /// [`Problem`] where there is no whole answer in time.
    pub async fn post_batch(&self, route: Route, batch: &[u8]) -> Result<Reply, Problem> {
        match route {
            Route::Sealed => within(BATCH_TIME, self.sealed("/fiber/response/batch", batch)).await,
            Route::Plain => {
                let mut headers = self.signed(batch);
                headers.push(("x-validator-hotkey", self.keypair.ss58()));
                let headers = with_type(headers, "application/json");
                within(BATCH_TIME, self.send(Method::POST, "/response/batch", headers, batch.to_vec())).await
            }
        }
    }

    /// Brings a picture, in one attempt: sealed as JSON, or in clear as a form that is signed without its body.
    ///
    /// # Errors
    /// [`Problem`] where there is no whole answer in time, or the picture is too large.
    pub async fn upload_picture(&self, route: Route, picture: &Picture<'_>) -> Result<Reply, Problem> {
        if picture.data.len() > MAXIMUM_PICTURE {
            let text = format!("the picture has {} bytes, at most {MAXIMUM_PICTURE} are sent", picture.data.len());
            return Err(Problem::new(Failure::TooLarge, text));
        }
        match route {
            Route::Sealed => within(PICTURE_TIME, self.sealed("/fiber/heatmap/upload", &picture.json())).await,
            Route::Plain => {
                let boundary = format!("assay-{}", Uuid::new_v4().simple());
                let form = format!("multipart/form-data; boundary={boundary}");
                let headers = with_type(self.signed(b""), &form);
                let body = picture.form(&boundary)?;
                within(PICTURE_TIME, self.send(Method::POST, "/heatmap/upload", headers, body)).await
            }
        }
    }

    /// A payload under the key that the service was brought; it is brought one where it has none, or says so (401).
    async fn sealed(&self, path: &str, payload: &[u8]) -> Result<Reply, Problem> {
        let session = self.session(None).await?;
        let reply = self.under(&session, path, payload).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let session = self.session(Some(&session)).await?;
        self.under(&session, path, payload).await
    }

    async fn under(&self, session: &Session, path: &str, payload: &[u8]) -> Result<Reply, Problem> {
        let token = session.seal(payload, self.clock.now() / 1_000_000_000).map_err(Problem::protocol)?;
        let headers = with_type(session.headers().to_vec(), "application/octet-stream");
        self.send(Method::POST, path, headers, token.into_bytes()).await
    }

    /// The key in use, or a new one when there is none, it is too old, or it is the one that the service refused. One at a
    /// time: those who come meanwhile get the key that the first one brought.
    async fn session(&self, refused: Option<&Arc<Session>>) -> Result<Arc<Session>, Problem> {
        let mut kept = self.session.lock().await;
        let now = self.seconds();
        let usable = |session: &&Arc<Session>| {
            session.is_alive(now) && !refused.is_some_and(|refused| Arc::ptr_eq(refused, session))
        };
        if let Some(session) = kept.as_ref().filter(usable) {
            return Ok(Arc::clone(session));
        }
        *kept = None;
        let reply = self.send(Method::GET, PUBLIC_KEY_PATH, self.signed(b""), Vec::new()).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        let offer = Session::offer(Dialect::Service, &self.keypair, &read_public_key(&reply.body)?, now);
        let (session, body) = offer.map_err(Problem::protocol)?;
        let headers = with_type(self.signed(&body), "application/json");
        let reply = self.send(Method::POST, EXCHANGE_PATH, headers, body).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        Ok(Arc::clone(kept.insert(Arc::new(session))))
    }

    /// Unix seconds; a float has room for microseconds until the year 2255.
    fn seconds(&self) -> f64 {
        (self.clock.now() / 1_000) as f64 / 1e6
    }

    fn signed(&self, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = service_headers(&self.keypair, self.seconds(), body).to_vec();
        headers.extend(self.api_key.iter().map(|key| ("X-API-Key", key.clone())));
        headers
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<Reply, Problem> {
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let now = || Micros(self.clock.now() / 1_000);
        let (sent_at, mut first) = (now(), None);
        let response = request.send().await.map_err(|error| {
            let failure = if error.is_connect() { Failure::Unreachable } else { Failure::Disconnected };
            Problem::new(failure, error.without_url())
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let mut frames = reqwest_tls::Body::from(response);
        while let Some(frame) = frames.frame().await {
            let frame = frame.map_err(|error| Problem::new(Failure::Disconnected, error.without_url()))?;
            let Some(piece) = frame.data_ref() else { continue };
            first.get_or_insert_with(now);
            if piece.len() > MAXIMUM_ANSWER - body.len() {
                return Err(Problem::new(Failure::TooLarge, format!("more than {MAXIMUM_ANSWER} bytes")));
            }
            body.extend_from_slice(piece);
        }
        let received_at = now();
        let first_byte_at = first.unwrap_or(received_at);
        Ok(Reply { status, headers, body: Bytes::from(body), sent_at, first_byte_at, received_at })
    }
}

fn with_type(mut headers: Vec<(&'static str, String)>, content_type: &str) -> Vec<(&'static str, String)> {
    headers.push(("content-type", content_type.to_owned()));
    headers
}

impl Picture<'_> {
    fn file_type(&self) -> &'static str {
        match self.kind {
            PictureKind::Heatmap => "heatmap",
            PictureKind::QualityPlot => "quality_plot",
        }
    }

    fn json(&self) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let fields = serde_json::json!({
            "challenge_id": self.challenge_id,
            "file_type": self.file_type(),
            "filename": self.filename,
            "content_type": self.content_type,
            "data": STANDARD.encode(self.data),
        });
        fields.to_string().into_bytes()
    }

    /// RFC 7578. Names go between quotes and on one line, so that nothing in them can begin another part.
    fn form(&self, boundary: &str) -> Result<Vec<u8>, Problem> {
        let plain = |text: &&str| !text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
        let all = [self.challenge_id, self.filename, self.content_type];
        if !all.iter().all(plain) {
            return Err(Problem::protocol("a name of the picture cannot stand in a form"));
        }
        let mut body = Vec::with_capacity(self.data.len() + 1024);
        for (name, value) in [("challenge_id", self.challenge_id), ("file_type", self.file_type())] {
            let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            self.filename, self.content_type
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(self.data);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Ok(body)
    }
}
