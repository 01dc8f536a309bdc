//! The HTTP server: two routes, each bounded in size, time and number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::types::sha256;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use crate::answering::{Answering, Asked, Said};
use crate::config::{Limits, MinerConfig};
use crate::receipt::Receipt;
use crate::request::{InferenceRequest, Refusal, invalid};
use crate::subnets::SynapseRequest;
use crate::wire::rates::{self, Counted, Rates};
use crate::{Behaviour, Error, measures, receipt, sending, signing, wire};

/// How long a connection may live.
const LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Miner {
    answering: Arc<Answering>,
    places: Arc<Semaphore>,
    rates: Arc<Rates>,
}

/// A miner that has its address and does not answer yet.
pub struct Server {
    listener: Option<TcpListener>,
    address: SocketAddr,
    miner: Miner,
}

impl Server {
    /// Checks the configuration and takes the address. A dead miner takes none: connections to it are refused.
    ///
    /// # Errors
    /// [`Error::Setting`] and [`Error::Listen`].
    pub async fn bind(config: MinerConfig) -> Result<Self, Error> {
        config.check()?;
        let listen = |source| Error::Listen { address: config.listen, source };
        let (listener, address) = if config.behaviour == Behaviour::Dead {
            (None, config.listen)
        } else {
            let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
            let address = listener.local_addr().map_err(listen)?;
            (Some(listener), address)
        };
        let places = Arc::new(Semaphore::new(config.limits.concurrent.min(Semaphore::MAX_PERMITS)));
        Ok(Self {
            listener,
            address,
            miner: Miner { answering: Answering::new(config)?, places, rates: Arc::default() },
        })
    }

    /// The address it listens on; for a dead miner the one it was told.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the model and the corpus while it already answers `GET /availability`, then answers questions until `shutdown`
    /// completes. Open requests then get [`crate::Limits::drain_timeout`] to end.
    ///
    /// # Errors
    /// Those of the model and the corpus, [`Error::Wire`] and [`Error::Task`].
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let config = &self.miner.answering.config;
        tracing::info!(
            address = %self.address,
            hotkey = config.keypair.ss58(),
            behaviour = %config.behaviour,
            misbehaves_on_purpose = config.behaviour != Behaviour::Honest,
            "miner"
        );
        let Some(listener) = self.listener else {
            shutdown.await;
            return Ok(());
        };
        let axon = wire::router(&self.miner.answering, &self.miner.rates)?;
        let limits = serving(&config.limits);
        let (stop, stopped) = oneshot::channel::<()>();
        // An error means that the sender is gone, which is a stop as well.
        let stopped = async move { drop(stopped.await) };
        let mut server = tokio::spawn(serving::serve(listener, router(self.miner.clone(), axon), limits, stopped));
        let prepared = self.miner.answering.prepare();
        tokio::pin!(shutdown);
        let outcome = tokio::select! {
            () = &mut shutdown => Ok(()),
            prepared = prepared => match prepared {
                Err(error) => Err(error),
                Ok(()) => tokio::select! {
                    () = &mut shutdown => Ok(()),
                    ended = &mut server => return ended.map_err(|error| Error::Task(error.to_string())),
                },
            },
        };
        drop(stop);
        server.await.map_err(|error| Error::Task(error.to_string()))?;
        outcome
    }
}

fn serving(limits: &Limits) -> serving::Limits {
    serving::Limits {
        connections: limits.connections,
        head_timeout: limits.idle_timeout,
        request_timeout: limits.body_timeout + limits.answer_timeout,
        lifetime: LIFETIME,
        drain: limits.drain_timeout,
    }
}

fn router(miner: Miner, axon: Router) -> Router {
    let counted = middleware::from_fn_with_state(miner.answering.measures.clone(), measures::observe);
    let plain = Router::new()
        .route("/availability", get(availability))
        .route("/inference", post(inference))
        .route(measures::PATH, get(figures));
    plain.with_state(miner).fallback_service(axon).layer(counted)
}

/// For Prometheus.
async fn figures(State(miner): State<Miner>, request: Request) -> Response {
    miner.answering.measures.reply(miner.answering.is_ready(), &request)
}

async fn availability(State(miner): State<Miner>) -> Response {
    if miner.answering.is_ready() {
        Json(json!({"available": true})).into_response()
    } else {
        Json(json!({"available": false, "reason": "Miner initializing"})).into_response()
    }
}

async fn inference(
    State(miner): State<Miner>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Refusal> {
    let counted = Counted::plain(peer.ip(), request.headers());
    if let Err(wait) = miner.rates.admit(&counted, Instant::now()) {
        return Ok(rates::refusal(wait));
    }
    let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    let place = Arc::clone(&miner.places).try_acquire_owned().map_err(|_| busy())?;
    let config = &miner.answering.config;
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, config).await?;
    let receipt = receipt::check(&parts.headers, &body, config.require_signed)?;
    admitted(config, receipt.as_ref().map(Receipt::hotkey))?;
    let asked = match &config.subnet {
        None => Asked::Question(InferenceRequest::parse(&body)?),
        Some(subnet) => match SynapseRequest::parse(&body)? {
            Some(request) if request.synapse == subnet.synapse() => Asked::Synapse(request),
            _ => return Err(invalid("synapse", format!("this miner answers {}", subnet.synapse()))),
        },
    };
    let signed = receipt.is_some();
    if let Some(receipt) = receipt {
        receipt.admit(&body, asked.receipt(), config.require_signed)?;
    }
    let said = miner.answering.answer(&parts.headers, &body, &asked).await?;
    if signed {
        miner.rates.signed(&counted, Instant::now());
    }
    let answer = match said {
        Said::Malformed(headers, answer) => return Ok(sending::whole(headers, answer)),
        Said::Body(answer) => answer,
    };
    match miner.answering.in_pieces() {
        Some(subnet) if sending::takes_trailers(parts.version, &parts.headers) => {
            let (pieces, within) = (subnet.pieces(answer), config.limits.answer_timeout);
            Ok(sending::in_pieces(pieces, config.keypair.clone(), sha256(&body).0, within, place))
        }
        _ => Ok(sending::whole(signing::headers(&config.keypair, &body, &answer), answer)),
    }
}

/// On the plain route the receipt is the one proof of who asks.
fn admitted(config: &MinerConfig, hotkey: Option<&str>) -> Result<(), Refusal> {
    let Some(why) = config.gate.as_ref().and_then(|gate| gate.refuses(hotkey)) else { return Ok(()) };
    let unsigned = "this miner answers those whom it admits; sign the request's hash with a hotkey";
    Err(match hotkey {
        Some(_) => Refusal::new(StatusCode::FORBIDDEN, why),
        None => Refusal::of_field(StatusCode::UNAUTHORIZED, domain::wire::header::SIGNATURE, unsigned),
    })
}

/// The whole body, if it is small enough and comes in time.
async fn read_body(headers: &axum::http::HeaderMap, body: Body, config: &MinerConfig) -> Result<Vec<u8>, Refusal> {
    let limit = config.limits.body_bytes;
    let too_large = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have {limit} bytes"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(too_large());
    }
    match tokio::time::timeout(config.limits.body_timeout, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
