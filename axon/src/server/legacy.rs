//! A request in the protocol of SDK 6 to 10, from its headers to its answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::text::numbers::float_repr;
use domain::types::Hotkey;
use network::legacy::python::{compact, repr_names};
use network::legacy::{Head, Json, Terminal, VERSION, message};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{self, Streaming};
use super::route::{Claim, Request, Route};
use super::run::{self, End, Ran};
use super::{Arrival, PING, Server, deadline};

/// The answer to a name that is no route.
pub(super) fn unknown(server: &Server, arrival: &Arrival, name: &str) -> Response {
    let names = repr_names(server.names.iter().map(String::as_str));
    let text = format!("Synapse name '{name}' not found. Available synapses {names}");
    Exchange::unread(server, arrival.begun).refuse(StatusCode::NOT_FOUND, &text)
}

pub(super) async fn respond(server: &Server, route: &Route, arrival: Arrival) -> Response {
    let unread = Exchange::unread(server, arrival.begun);
    let lines = arrival.parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let head = match Head::read(lines) {
        Ok(head) => head,
        Err(error) => return unread.fail(&error.to_string()),
    };
    if let Err(error) = route.shape.accepts_inputs(&head.inputs) {
        return unread.fail(&format!("input headers: {error}"));
    }
    let signs = names_two_hotkeys(&head);
    let exchange = Exchange { head, signs, ..unread };
    exchange.go(route, arrival).await.unwrap_or_else(|refusal| *refusal)
}

/// Whether both sides are named by addresses. The text that an error signs has them in it as they came: of any other text there
/// the caller would choose what this hotkey signs.
fn names_two_hotkeys(head: &Head) -> bool {
    let named = |side: &Terminal| side.hotkey.as_deref().is_some_and(|text| text.parse::<Hotkey>().is_ok());
    named(&head.dendrite) && named(&head.axon)
}

/// One exchange: the request's headers, which an answer sends back with more.
struct Exchange<'a> {
    server: &'a Server,
    begun: Instant,
    head: Head,
    /// Whether errors are signed; what could not even be read is not, and neither is what names anything but two hotkeys.
    signs: bool,
}

impl<'a> Exchange<'a> {
    fn unread(server: &'a Server, begun: Instant) -> Self {
        Self { server, begun, head: Head { name: Some(PING.to_owned()), ..Head::default() }, signs: false }
    }

    async fn go(mut self, route: &Route, arrival: Arrival) -> Result<Response, Box<Response>> {
        let (server, Arrival { peer, parts, body, .. }) = (self.server, arrival);
        self.head.name = Some(route.shape.name.clone());
        let claim = Claim { hotkey: self.head.dendrite.hotkey.as_deref(), synapse: &route.shape.name, peer };
        if let Some(reason) = route.blacklist.as_ref().and_then(|hook| hook(&claim)) {
            return Err(self.told(peer, StatusCode::FORBIDDEN, &format!("Forbidden. Key is blacklisted: {reason}.")));
        }
        let verified = match server.verifier.verify(&self.head, server.clock.now()) {
            Ok(verified) => verified,
            Err(error) => {
                let text = format!("Not Verified with error: {error}");
                return Err(self.told(peer, StatusCode::UNAUTHORIZED, &text));
            }
        };
        let priority = match run::priority(route, &verified.hotkey) {
            Ok(priority) => priority,
            Err(end) => return Err(self.ended(peer, end)),
        };
        let held = match server.bodies.read(&parts.headers, body).await {
            Ok(held) => held,
            Err((status, text)) => return Err(self.told(peer, status, &text)),
        };
        let until = deadline(server, self.begun, self.timeout());
        let place = match run::admit(server, priority, until).await {
            Ok(place) => place,
            Err(end) => return Err(self.ended(peer, end)),
        };
        let (sent, fields) = match self.read(route, &held.bytes) {
            Ok(read) => read,
            Err(Unread::NotJson(response)) => return Err(response),
            Err(Unread::Broken(problem)) => return Err(self.ended(peer, End::Failed(problem))),
        };
        let timeout = until.saturating_duration_since(Instant::now());
        let (echoed, body) = (fields.clone(), held.bytes.clone());
        let request = Request { hotkey: verified.hotkey, peer, fields, body, timeout, headers: parts.headers };
        match run::run(server, route, request, until, place).await {
            Ok(Ran::Fields(filled, extra)) => Ok(self.whole(&sent, run::filled_in(echoed, filled), &held.bytes, extra)),
            Ok(Ran::Stream(streaming)) => Ok(self.stream(*streaming)),
            Err(end) => Err(self.ended(peer, end)),
        }
    }

    /// The body and the synapse's fields in it, if its hash is the one that was signed.
    fn read(&self, route: &Route, bytes: &[u8]) -> Result<(Json, Vec<(String, Json)>), Unread> {
        // Python's framework refuses what is not JSON by itself, but for nothing at all.
        if bytes.is_empty() {
            return Err(Unread::Broken("the body is empty".to_owned()));
        }
        let sent = Json::parse(bytes).map_err(|error| Unread::NotJson(Box::new(answer::not_json(&error))))?;
        let fields = route.shape.read(&sent).map_err(|error| Unread::Broken(error.to_string()))?;
        if self.head.computed_body_hash.as_deref() != Some(route.shape.body_hash(&fields).as_str()) {
            return Err(Unread::Broken("the body hash is not that of the body".to_owned()));
        }
        Ok((sent, fields))
    }

    fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.head.timeout).unwrap_or(Duration::MAX)
    }

    /// The headers of an error name both sides as this axon sees them, and are signed where they name two hotkeys.
    fn seen(mut self, peer: SocketAddr) -> Self {
        let nonce = self.server.clock.now();
        let claimed = |value: &Option<String>| value.clone().unwrap_or_else(|| "None".to_owned());
        let (dendrite, axon) = (claimed(&self.head.dendrite.hotkey), claimed(&self.head.axon.hotkey));
        let text = message::answer(nonce, &dendrite, &axon, &self.server.uuid);
        self.head.axon = Terminal {
            version: i64::try_from(VERSION).ok(),
            nonce: Some(nonce),
            uuid: Some(self.server.uuid.clone()),
            signature: self.signs.then(|| message::sign(&self.server.keypair, &text)),
            ..self.head.axon
        };
        self.head.dendrite.ip = Some(peer.ip().to_string());
        self.head.dendrite.port = Some(i64::from(peer.port()));
        self
    }

    fn told(self, peer: SocketAddr, status: StatusCode, text: &str) -> Box<Response> {
        Box::new(self.seen(peer).refuse(status, text))
    }

    fn ended(self, peer: SocketAddr, end: End) -> Box<Response> {
        match end {
            End::Refused(status, text) => self.told(peer, status, &text),
            End::Failed(problem) => Box::new(self.seen(peer).fail(&problem)),
            End::TimedOut => {
                let text = format!("Response timeout after: {}s", float_repr(self.head.timeout));
                self.told(peer, StatusCode::REQUEST_TIMEOUT, &text)
            }
        }
    }

    fn state(&mut self, status: StatusCode, text: &str) {
        self.head.axon.status_code = Some(i64::from(status.as_u16()));
        self.head.axon.status_message = Some(text.to_owned());
        self.head.axon.process_time = Some(self.begun.elapsed().as_secs_f64());
    }

    fn refuse(mut self, status: StatusCode, text: &str) -> Response {
        self.state(status, text);
        let mut response = answer::message(status, text);
        answer::write(response.headers_mut(), &self.head);
        response
    }

    /// The caller gets a number by which the log can be searched.
    fn fail(self, problem: &str) -> Response {
        let number = Uuid::new_v4();
        tracing::warn!(%number, problem, route = self.head.name.as_deref().unwrap_or_default(), "a request fails");
        self.refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("Internal Server Error #{number}"))
    }

    /// The model goes back whole: what came, what was filled, and who the two sides are. The `dendrite` object is that of the
    /// verified headers, never that of the body.
    fn whole(mut self, sent: &Json, fields: Vec<(String, Json)>, request: &[u8], extra: HeaderMap) -> Response {
        self.state(StatusCode::OK, "Success");
        let size = |name: &str| match sent.get(name) {
            Some(Json::Integer(size)) => Json::Integer(*size),
            _ => Json::Integer(0),
        };
        let mut model = vec![
            ("name".to_owned(), Json::text(self.head.name.as_deref().unwrap_or_default())),
            ("timeout".to_owned(), Json::Float(self.head.timeout)),
            ("total_size".to_owned(), size("total_size")),
            ("header_size".to_owned(), size("header_size")),
            ("dendrite".to_owned(), self.head.dendrite.to_json()),
            ("axon".to_owned(), self.head.axon.to_json()),
            ("computed_body_hash".to_owned(), Json::text("")),
        ];
        model.extend(fields);
        let text = compact(&Json::Object(model));
        let signature = answer::signed(self.server, request, text.as_bytes());
        let mut response = answer::json(StatusCode::OK, text);
        answer::write(response.headers_mut(), &self.head);
        response.headers_mut().extend(extra);
        response.headers_mut().extend(signature);
        response
    }

    fn stream(mut self, streaming: Streaming) -> Response {
        self.state(StatusCode::OK, "Success");
        let mut response = answer::streamed(streaming);
        answer::write(response.headers_mut(), &self.head);
        response
    }
}

/// Why a body is not handled.
enum Unread {
    /// 422, without the protocol's headers.
    NotJson(Box<Response>),
    /// 500.
    Broken(String),
}
