//! How a copycat comes by the answer of another miner.

use axon::client::DendriteLimits;
use axon::{Call, Dendrite, Target};
use axum::http::{HeaderMap, StatusCode, header as http_header};
use domain::wire::{INFERENCE, header};
use network::address::AddressGuard;

use crate::answering::Asked;
use crate::behaviour::Peer;
use crate::config::MinerConfig;
use crate::request::Refusal;
use crate::{Behaviour, Error};

/// Largest answer that is copied.
const MAXIMUM_BYTES: usize = 1 << 20;

/// What the SDK puts around a synapse's own fields.
const AROUND: [&str; 7] = ["name", "timeout", "total_size", "header_size", "dendrite", "axon", "computed_body_hash"];

/// Asks the peer.
pub(crate) enum Copier {
    /// Hands the request on as it came, the validator's receipt with it.
    Plain { url: String, client: reqwest::Client },
    /// Asks in its own name.
    Axon { dendrite: Box<Dendrite>, target: Target, timeout: std::time::Duration },
}

impl Copier {
    /// Of a copycat.
    ///
    /// # Errors
    /// [`Error::Client`] for an address that is none, and where no client can be made.
    pub(crate) fn new(config: &MinerConfig) -> Result<Self, Error> {
        let timeout = config.limits.answer_timeout;
        let failed = |error: String| Error::Client(error);
        match &config.behaviour {
            Behaviour::Copycat { peer: Peer { url, hotkey: Some(hotkey) } } => {
                let address = url.trim_start_matches("http://").parse();
                let address = address.map_err(|_| failed(format!("{url} is no http://ip:port")))?;
                let limits = DendriteLimits { answer_bytes: MAXIMUM_BYTES, ..DendriteLimits::default() };
                let guard = AddressGuard::for_network("local");
                let dendrite = Dendrite::new(config.keypair.clone(), "0.0.0.0", guard, limits);
                let dendrite = Box::new(dendrite.map_err(|error| failed(error.to_string()))?);
                Ok(Self::Axon { dendrite, target: Target { hotkey: *hotkey, address }, timeout })
            }
            Behaviour::Copycat { peer } => {
                let client = reqwest::Client::builder()
                    .timeout(timeout)
                    .redirect(reqwest::redirect::Policy::none())
                    .no_proxy()
                    .build()
                    .map_err(|error| failed(error.to_string()))?;
                Ok(Self::Plain { url: format!("{}/inference", peer.url), client })
            }
            _ => Err(failed("only a copycat copies".to_owned())),
        }
    }

    /// The peer's answer.
    ///
    /// # Errors
    /// 502 where there is none.
    pub(crate) async fn copy(&self, headers: &HeaderMap, body: &[u8], asked: &Asked) -> Result<Vec<u8>, Refusal> {
        tracing::info!("this miner copies on purpose");
        let copied = match self {
            Self::Plain { url, client } => plain(url, client, headers, body).await,
            Self::Axon { dendrite, target, timeout } => {
                let (kind, body) = match asked {
                    Asked::Question(_) => (INFERENCE.name, body),
                    Asked::Synapse(request) => (request.synapse.as_str(), request.request.as_bytes()),
                };
                from_axon(dendrite, target, kind, body, *timeout).await
            }
        };
        copied.map_err(|error| Refusal::new(StatusCode::BAD_GATEWAY, format!("nothing to copy: {error}")))
    }
}

/// The answer byte for byte.
async fn plain(url: &str, client: &reqwest::Client, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut request = client.post(url).header(http_header::CONTENT_TYPE, "application/json").body(body.to_vec());
    for name in [header::VALIDATOR_HOTKEY, header::SIGNATURE] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value.clone());
        }
    }
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the peer answers {}", response.status()));
    }
    let mut copied = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if copied.len() + chunk.len() > MAXIMUM_BYTES {
            return Err(format!("the peer answers more than {MAXIMUM_BYTES} bytes"));
        }
        copied.extend_from_slice(&chunk);
    }
    Ok(copied)
}

/// The synapse's own fields, or the text of a stream.
async fn from_axon(
    dendrite: &Dendrite,
    target: &Target,
    kind: &str,
    body: &[u8],
    timeout: std::time::Duration,
) -> Result<Vec<u8>, String> {
    let known = [
        &domain::cgp::synapse::KIND,
        &domain::twitter::task::KIND,
        &domain::conversion::task::KIND,
        &domain::bettertherapy::task::KIND,
    ];
    let kind = known.into_iter().find(|known| known.name == kind).unwrap_or(&INFERENCE);
    let call = Call::exact(kind.name, body.to_vec(), kind.hashed, kind.required, timeout)
        .map_err(|error| error.to_string())?;
    let outcome = dendrite.ask(target, &call).await;
    if !outcome.is_success() {
        return Err(outcome.status_message.unwrap_or_else(|| format!("status {}", outcome.http_status)));
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&outcome.body) {
        Ok(mut fields) => {
            AROUND.iter().for_each(|name| drop(fields.remove(*name)));
            serde_json::to_vec(&fields).map_err(|error| error.to_string())
        }
        Err(_) => Ok(outcome.body.to_vec()),
    }
}
