//! Everything but the plain routes: the dialects of Bittensor's SDKs, fiber, Loosh's dialect of it, and Epistula, on one port.
//!
//! Which one a request speaks is told by its path and its header fields, before anything of it is believed; each dialect's server
//! then verifies it by its own rules. Who asks is known from the signature, or the key, that the dialect demands. A receipt, which
//! validators of our make add, is checked and logged as on the plain route; others are answered without one.
//!
//! **Invariant:** RSA keys are made once, when somebody first asks for one, and away from the requests: one that breaks off does
//! not have another made.

pub(crate) mod rates;
mod sdk;
mod signed;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::types::Hotkey;
use network::fiber::client::{EXCHANGE_PATH, PUBLIC_KEY_PATH};
use network::fiber::headers::MINER;
use network::fiber::rsa_key::MinerKey;
use tokio::sync::OnceCell;
use tower::ServiceExt;

use self::rates::Rates;
use crate::answering::{Answering, Asked};
use crate::request::{InferenceRequest, Refusal};
use crate::{Error, receipt};

/// The paths that are Loosh's.
const LOOSH: &str = "/fiber/";

/// Who may ask a miner, and who comes first when it is busy.
pub trait Gate: Send + Sync {
    /// Why a hotkey is refused; none when it may ask. Asked before the signature is looked at, so it can only refuse; on the plain
    /// route after it, and without a hotkey where nobody signed.
    fn refuses(&self, hotkey: Option<&str>) -> Option<String>;

    /// The greater number comes first; none where it cannot be found out.
    fn priority(&self, hotkey: &Hotkey) -> Option<f64>;
}

/// A dialect, as far as the routes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// SDK 6 to 11.
    Sdk,
    /// Fiber 2, in both modes.
    Fiber,
    /// Loosh's dialect of fiber.
    Loosh,
    /// Epistula 2.
    Epistula,
}

/// What a request speaks. Each dialect has a field that the others do not have; a receipt's are in all of them.
fn spoken(path: &str, headers: &HeaderMap) -> Spoken {
    if path.starts_with(LOOSH) {
        return Spoken::Loosh;
    }
    if matches!(path, PUBLIC_KEY_PATH | EXCHANGE_PATH) {
        return Spoken::Fiber;
    }
    if headers.contains_key(network::epistula::VERSION) || headers.contains_key(network::epistula::SIGNATURE) {
        return Spoken::Epistula;
    }
    let sdk = headers.contains_key(network::btauth::header::VERSION);
    if !sdk && headers.contains_key(MINER) { Spoken::Fiber } else { Spoken::Sdk }
}

/// What dialects are called in figures.
pub(crate) const DIALECTS: [&str; 4] = ["sdk", "fiber", "loosh", "epistula"];

/// What a request speaks, by that name.
pub(crate) fn dialect(path: &str, headers: &HeaderMap) -> &'static str {
    match spoken(path, headers) {
        Spoken::Sdk => "sdk",
        Spoken::Fiber => "fiber",
        Spoken::Loosh => "loosh",
        Spoken::Epistula => "epistula",
    }
}

/// The servers of all dialects.
struct Servers {
    answering: Arc<Answering>,
    sdk: Router,
    epistula: Router,
    fiber: OnceCell<Router>,
    loosh: OnceCell<Router>,
    rates: Arc<Rates>,
}

/// The routes of all dialects; `rates` are counted with those of the plain route.
///
/// # Errors
/// [`Error::Wire`] for a synapse whose name is no route.
pub(crate) fn router(answering: &Arc<Answering>, rates: &Arc<Rates>) -> Result<Router, Error> {
    let servers = Servers {
        answering: Arc::clone(answering),
        sdk: sdk::router(answering)?,
        epistula: signed::epistula(answering)?,
        fiber: OnceCell::new(),
        loosh: OnceCell::new(),
        rates: Arc::clone(rates),
    };
    Ok(Router::new().fallback(dispatch).with_state(Arc::new(servers)))
}

async fn dispatch(
    State(servers): State<Arc<Servers>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let server = match spoken(request.uri().path(), request.headers()) {
        Spoken::Sdk => Ok(servers.sdk.clone()),
        Spoken::Epistula => Ok(servers.epistula.clone()),
        Spoken::Fiber => servers.with_key(|servers| &servers.fiber, signed::fiber).await,
        Spoken::Loosh => return loosh(&servers, peer, request).await,
    };
    passed(server, request).await
}

async fn passed(server: Result<Router, Refusal>, request: Request) -> Response {
    match server {
        Ok(server) => {
            let Ok(response) = server.oneshot(request).await;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Loosh's routes count who asks how often, as upstream's miners do.
async fn loosh(servers: &Arc<Servers>, peer: SocketAddr, request: Request) -> Response {
    let counted =
        rates::Counted::of(peer.ip(), request.method() == Method::POST, request.uri().path(), request.headers());
    if let Err(wait) = servers.rates.admit(&counted, std::time::Instant::now()) {
        return rates::refusal(wait);
    }
    let server = servers.with_key(|servers| &servers.loosh, signed::loosh).await;
    let response = passed(server, request).await;
    servers.rates.answered(&counted, response.status(), std::time::Instant::now());
    response
}

impl Servers {
    /// A server that has an RSA key, made with one when it is first asked for.
    async fn with_key(
        self: &Arc<Self>,
        place: fn(&Self) -> &OnceCell<Router>,
        make: fn(&Arc<Answering>, MinerKey) -> Result<Router, Error>,
    ) -> Result<Router, Refusal> {
        if let Some(server) = place(self).get() {
            return Ok(server.clone());
        }
        let servers = Arc::clone(self);
        let made = tokio::spawn(async move {
            let made = place(&servers).get_or_try_init(|| async {
                let key = tokio::task::spawn_blocking(MinerKey::generate).await;
                let key = key.map_err(|error| Error::Task(error.to_string()))?;
                make(&servers.answering, key.map_err(|error| Error::Wire(error.to_string()))?)
            });
            made.await.cloned()
        });
        let made =
            made.await.map_err(|error| error.to_string()).and_then(|made| made.map_err(|error| error.to_string()));
        made.map_err(|error| {
            tracing::error!(error, "no key can be made");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Miner initializing")
        })
    }
}

/// What is asked: a question, or the subnet's synapse as the body itself.
fn asked(answering: &Answering, body: &[u8]) -> Result<Asked, Refusal> {
    match &answering.config.subnet {
        None => Ok(Asked::Question(InferenceRequest::parse(body)?)),
        Some(subnet) => Ok(Asked::Synapse(sdk::flat(subnet.as_ref(), body)?)),
    }
}

/// A receipt must be of whoever signed the request.
fn check_receipt(
    answering: &Answering,
    hotkey: &Hotkey,
    headers: &HeaderMap,
    body: &[u8],
    asked: &Asked,
) -> Result<(), Refusal> {
    let required = answering.config.require_signed;
    let Some(receipt) = receipt::check(headers, body, required)? else { return Ok(()) };
    receipt.is_of(hotkey)?;
    receipt.admit(body, asked.receipt(), required)
}

/// The name of the synapse, which is the path in most dialects.
fn synapse(answering: &Answering) -> &'static str {
    answering.config.subnet.as_ref().map_or(domain::wire::INFERENCE.name, |subnet| subnet.synapse())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn dialects_are_told_apart_by_path_and_fields() {
        let check = |path: &str, fields: &[&'static str], expected: Spoken| {
            let headers =
                fields.iter().map(|name| (axum::http::HeaderName::from_static(name), HeaderValue::from_static("x")));
            assert_eq!(spoken(path, &headers.collect()), expected, "{path} {fields:?}");
        };
        // A receipt has the field that fiber calls its validator's.
        check("/Inference", &["validator-hotkey", "assay-signature"], Spoken::Sdk);
        check("/Inference", &["bt_header_dendrite_hotkey", "validator-hotkey"], Spoken::Sdk);
        check("/Inference", &["validator-hotkey", "miner-hotkey", "nonce"], Spoken::Fiber);
        check("/Inference", &["epistula-version", "validator-hotkey"], Spoken::Epistula);
        check("/Inference", &["epistula-request-signature"], Spoken::Epistula);
        check("/public-encryption-key", &[], Spoken::Fiber);
        check("/exchange-symmetric-key", &["miner-hotkey"], Spoken::Fiber);
        check("/fiber/challenge", &["epistula-version"], Spoken::Loosh);
        check("/fiber", &[], Spoken::Sdk);
    }
}
