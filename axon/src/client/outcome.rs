//! What came of a call, in the words of the SDK's client.
//!
//! Its `dendrite.status_code` is the status in the *headers or body* of an answer, not that of HTTP: an answer of 200 that does not
//! say `bt_header_axon_status_code` is no success there, and none here.

use axum::body::Bytes;
use axum::http::HeaderMap;
use domain::text::numbers::float_repr;
use domain::types::Micros;
use network::legacy::{Head, Json, Shape, Terminal};

/// Why there is no complete answer of 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The guard does not let the address through; nothing was sent.
    ForbiddenAddress,
    /// No connection.
    Unreachable,
    /// The connection ended before the answer did.
    Disconnected,
    /// No whole answer in time.
    TimedOut,
    /// What came is not HTTP, or not what an answer has to be.
    Protocol,
    /// More bytes than are read.
    TooLarge,
    /// Another status than 200.
    Refused,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The SDK's `dendrite.status_code`.
    pub status_code: Option<i64>,
    /// The SDK's `dendrite.status_message`.
    pub status_message: Option<String>,
    /// Seconds until the whole answer was there; none where none came.
    pub process_time: Option<f64>,
    /// What the other side says of itself.
    pub axon: Terminal,
    /// HTTP status, 0 where there was none.
    pub http_status: u16,
    /// HTTP headers and trailers.
    pub headers: HeaderMap,
    /// What was read of the body.
    pub body: Bytes,
    /// The answer's fields, where it is a JSON object of status 200 and of the call's declaration.
    pub fields: Option<Json>,
    /// Why there is no complete answer of 200.
    pub failure: Option<Failure>,
    /// Just before the first byte was sent.
    pub sent_at: Micros,
    /// When the first bytes of the body were there; the end where there were none.
    pub first_byte_at: Micros,
    /// When the last byte was there, or the call was given up.
    pub received_at: Micros,
}

impl Outcome {
    /// The SDK's `is_success`.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status_code == Some(200)
    }

    /// A field of the answer.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.fields.as_ref().and_then(|fields| fields.get(name))
    }

    fn say(mut self, code: i64, message: String, failure: Failure) -> Self {
        self.status_code = Some(code);
        self.status_message = Some(message);
        self.failure = Some(failure);
        self.process_time = None;
        self
    }

    /// The exchange failed.
    pub(super) fn failed(self, failure: Failure, detail: &str, call: (&str, f64), at: std::net::SocketAddr) -> Self {
        let (synapse, timeout) = call;
        let (code, text) = match failure {
            Failure::ForbiddenAddress | Failure::Unreachable => (503, format!("Service unavailable at {at}/{synapse}")),
            Failure::TimedOut => (408, format!("Request timeout after {} seconds", float_repr(timeout))),
            Failure::Disconnected => (503, format!("Service disconnected: {detail}")),
            Failure::TooLarge => (400, format!("Payload error: {detail}")),
            Failure::Protocol | Failure::Refused => (500, format!("Client error: {detail}")),
        };
        self.say(code, text, failure)
    }

    fn unparsed(self, detail: &str) -> Self {
        self.say(422, format!("Failed to parse response: {detail}"), Failure::Protocol)
    }

    /// Reads a whole answer in the protocol of SDK 6 to 10.
    pub(super) fn read(mut self, shape: Option<&Shape>, url: &str) -> Self {
        let content_type = self.content_type();
        if content_type == "text/event-stream" && self.http_status == 200 {
            return self.take_headers(Terminal::default());
        }
        if content_type != "application/json" && !content_type.ends_with("+json") {
            let status = self.http_status;
            let shown = if content_type.is_empty() { "application/octet-stream" } else { &content_type };
            let text =
                format!("{status}, message='Attempt to decode JSON with unexpected mimetype: {shown}', url='{url}'");
            return self.unparsed(&text);
        }
        let json = match Json::parse(&self.body) {
            Ok(json) => json,
            Err(error) => return self.unparsed(&error.to_string()),
        };
        if !matches!(json, Json::Object(_)) {
            return self.unparsed("the answer is no object");
        }
        let mut axon = Terminal::default();
        if self.http_status == 200 {
            if let Some(Err(error)) = shape.map(|shape| shape.read(&json)) {
                return self.unparsed(&error.to_string());
            }
            axon = stated(json.get("axon"));
            self.fields = Some(json);
        } else {
            axon.status_code = Some(i64::from(self.http_status));
            axon.status_message = json.get("message").and_then(Json::as_text).map(str::to_owned);
            self.failure = Some(Failure::Refused);
        }
        self.take_headers(axon)
    }

    /// Reads a whole answer under `btauth/1`: HTTP's own status counts.
    pub(super) fn read_plain(mut self, shape: Option<&Shape>) -> Self {
        self.status_code = Some(i64::from(self.http_status));
        let json = Json::parse(&self.body).ok().filter(|json| matches!(json, Json::Object(_)));
        if self.http_status != 200 {
            self.failure = Some(Failure::Refused);
            self.status_message = json.and_then(|json| json.get("message")?.as_text().map(str::to_owned));
            return self;
        }
        if self.content_type() == "text/event-stream" {
            return self;
        }
        let Some(json) = json else { return self.unparsed("the answer is no JSON object") };
        if let Some(Err(error)) = shape.map(|shape| shape.read(&json)) {
            return self.unparsed(&error.to_string());
        }
        self.fields = Some(json);
        self.status_message = Some("Success".to_owned());
        self
    }

    fn content_type(&self) -> String {
        let value = self.headers.get(axum::http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = value.unwrap_or_default().split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }

    /// What headers say goes before what the body says.
    fn take_headers(mut self, body: Terminal) -> Self {
        let lines = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = match Head::read(lines) {
            Ok(head) => head.axon,
            Err(error) => return self.unparsed(&error.to_string()),
        };
        self.axon = Terminal {
            status_code: head.status_code.or(body.status_code),
            status_message: head.status_message.or(body.status_message),
            process_time: head.process_time.or(body.process_time),
            ip: head.ip.or(body.ip),
            port: head.port.or(body.port),
            version: head.version.or(body.version),
            nonce: head.nonce.or(body.nonce),
            uuid: head.uuid.or(body.uuid),
            hotkey: head.hotkey.or(body.hotkey),
            signature: head.signature.or(body.signature),
        };
        // The SDK's own rule: for HTTP's errors HTTP's status stands.
        if self.http_status != 200 {
            self.axon.status_code = Some(i64::from(self.http_status));
        }
        self.status_code = self.axon.status_code;
        self.status_message.clone_from(&self.axon.status_message);
        if !self.is_success() && self.failure.is_none() {
            self.failure = Some(Failure::Protocol);
        }
        self
    }
}

/// What the `axon` object of a body states.
fn stated(axon: Option<&Json>) -> Terminal {
    let text = |name: &str| axon?.get(name)?.as_text().map(str::to_owned);
    let integer = |name: &str| match axon?.get(name)? {
        Json::Integer(value) => Some(*value),
        _ => None,
    };
    let seconds = match axon.and_then(|axon| axon.get("process_time")) {
        Some(Json::Float(seconds)) => Some(*seconds),
        _ => None,
    };
    Terminal {
        status_code: integer("status_code"),
        status_message: text("status_message"),
        process_time: seconds,
        ip: text("ip"),
        port: integer("port"),
        version: integer("version"),
        nonce: integer("nonce").and_then(|nonce| u64::try_from(nonce).ok()),
        uuid: text("uuid"),
        hotkey: text("hotkey"),
        signature: text("signature"),
    }
}
