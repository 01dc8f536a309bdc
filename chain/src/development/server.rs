//! The node as a process of its own: JSON over HTTP, and a block at each tick.
//!
//! Nothing here authenticates: what changes the chain is signed by the key that it is about. It serves this machine only
//! unless told otherwise.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::types::{BlockNumber, Digest, Hotkey, NetUid, Uid};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::extrinsic::MAXIMUM_BYTES;
use super::node::Node;
use super::specification::Specification;
use crate::error::Error;
use crate::types::{BlockHeader, Era, ExtrinsicReference, ExtrinsicStatus};

/// A request for the next block waits at most this long; the client asks again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Requests served at a time, waiting ones included.
const MAXIMUM_REQUESTS: usize = 512;
/// The fastest block time that an ordinary disk keeps up with.
const SHORTEST_BLOCK_TIME: Duration = Duration::from_millis(10);

/// Where and how a development chain runs.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The file of blocks.
    pub path: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The time between two blocks, at least 10 ms.
    pub block_time: Duration,
    /// Listen on an address that other machines reach.
    pub serve_other_machines: bool,
}

/// A running development chain. Dropping it stops it; a block is on disk or does not exist.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    node: Arc<Node>,
    author: JoinHandle<Error>,
    server: JoinHandle<()>,
}

/// Opens the chain, listens and begins to make blocks.
///
/// # Errors
/// [`Error::NotLoopback`], [`Error::Listen`], and those of [`Node::open`].
pub async fn start(configuration: Configuration, specification: &Specification) -> Result<Running, Error> {
    let Configuration { path, listen, block_time, serve_other_machines } = configuration;
    if !listen.ip().is_loopback() && !serve_other_machines {
        return Err(Error::NotLoopback(listen));
    }
    let failed = |source| Error::Listen { address: listen, source };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let node = Arc::new(Node::open(&path, specification, now_ms())?);
    let author = tokio::spawn(make_blocks(node.clone(), block_time.max(SHORTEST_BLOCK_TIME)));
    let routes = router(node.clone());
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the development chain no longer listens");
        }
    });
    Ok(Running { address, node, author, server })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for [`super::Client::connect`] on this machine.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The node itself, for those in the same process.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Waits until the chain stops by itself, which it does only by a fault.
    pub async fn fault(&mut self) -> Error {
        match (&mut self.author).await {
            Ok(fault) => fault,
            Err(error) => Error::Stopped(error.to_string()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.author.abort();
        self.server.abort();
    }
}

/// Makes blocks until one fails. After a stall the next comes at once and the missed ones never.
async fn make_blocks(node: Arc<Node>, block_time: Duration) -> Error {
    let mut ticks = tokio::time::interval(block_time);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let node = node.clone();
        // The disk may be slow: not on a thread that serves requests.
        let made = tokio::task::spawn_blocking(move || node.author(now_ms())).await;
        let fault = match made {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error,
            Err(error) => Error::Stopped(error.to_string()),
        };
        tracing::error!(error = %fault, "the development chain stops");
        return fault;
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn router(node: Arc<Node>) -> Router {
    let requests = Arc::new(Semaphore::new(MAXIMUM_REQUESTS));
    Router::new()
        .route("/health", get(async || "ok"))
        .route("/genesis", get(genesis))
        .route("/specification", get(specification))
        .route("/head", get(head))
        .route("/blocks/{number}", get(block))
        .route("/blocks/after/{number}", get(block_after))
        .route("/subnets/{netuid}/metagraph", get(metagraph))
        .route("/subnets/{netuid}/hyperparameters", get(hyperparameters))
        .route("/subnets/{netuid}/uids/{hotkey}", get(uid_of))
        .route("/subnets/{netuid}/weights/{uid}", get(weights))
        .route("/subnets/{netuid}/anchors/{hotkey}", get(anchor_of))
        .route("/accounts/{account}/nonce", get(nonce))
        .route("/extrinsics", post(submit))
        .route("/extrinsics/{hash}", get(status))
        .layer(DefaultBodyLimit::max(MAXIMUM_BYTES))
        .layer(from_fn_with_state(requests, limit))
        .with_state(node)
}

/// Sheds what is above the limit instead of queueing it.
async fn limit(Shared(requests): Shared<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match requests.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Why the node refuses a request; the client makes an [`Error`] of it again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    UnknownBlock(BlockNumber),
    UnknownSubnet { netuid: NetUid, block: BlockNumber },
    Rejected { name: String, message: String },
    Malformed(String),
    Failed(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownBlock(number) => Self::UnknownBlock(number),
            Error::UnknownSubnet { netuid, block } => Self::UnknownSubnet { netuid, block },
            Error::Rejected { name, message } => Self::Rejected { name, message },
            other => Self::Failed(other.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownBlock(_) | Self::UnknownSubnet { .. } => StatusCode::NOT_FOUND,
            Self::Rejected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self)).into_response()
    }
}

type Answer<T> = Result<Json<T>, Refusal>;
type Reading = Shared<Arc<Node>>;

/// The block after which something is read.
#[derive(Deserialize)]
struct At {
    at: BlockNumber,
}

fn answer<T>(outcome: Result<T, Error>) -> Answer<T> {
    outcome.map(Json).map_err(Refusal::from)
}

fn parse_hotkey(text: &str) -> Result<Hotkey, Refusal> {
    text.parse().map_err(|error| Refusal::Malformed(format!("hotkey: {error}")))
}

async fn genesis(Shared(node): Reading) -> Json<Digest> {
    Json(node.read(super::State::genesis_hash))
}

async fn specification(Shared(node): Reading) -> Json<Specification> {
    Json(node.read(|state| state.specification().clone()))
}

async fn head(Shared(node): Reading) -> Json<BlockHeader> {
    Json(node.read(super::State::head))
}

async fn block(Shared(node): Reading, Path(number): Path<BlockNumber>) -> Answer<BlockHeader> {
    answer(node.read(|state| state.header(number)).ok_or(Error::UnknownBlock(number)))
}

#[derive(Deserialize)]
struct Wait {
    wait_ms: u64,
}

async fn block_after(
    Shared(node): Reading,
    Path(number): Path<BlockNumber>,
    Query(Wait { wait_ms }): Query<Wait>,
) -> Json<Option<BlockHeader>> {
    let mut heads = node.heads();
    let wait = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
    let above = tokio::time::timeout(wait, heads.wait_for(|head| head.number > number)).await;
    Json(above.ok().and_then(Result::ok).map(|head| *head))
}

async fn metagraph(
    Shared(node): Reading,
    Path(netuid): Path<NetUid>,
    Query(At { at }): Query<At>,
) -> Answer<crate::Metagraph> {
    answer(node.read(|state| state.metagraph(netuid, at)))
}

async fn hyperparameters(
    Shared(node): Reading,
    Path(netuid): Path<NetUid>,
    Query(At { at }): Query<At>,
) -> Answer<crate::Hyperparameters> {
    answer(node.read(|state| state.hyperparameters(netuid, at)))
}

async fn uid_of(
    Shared(node): Reading,
    Path((netuid, hotkey)): Path<(NetUid, String)>,
    Query(At { at }): Query<At>,
) -> Answer<Option<Uid>> {
    let hotkey = parse_hotkey(&hotkey)?;
    answer(node.read(|state| state.uid_of(netuid, &hotkey, at)))
}

async fn weights(
    Shared(node): Reading,
    Path((netuid, uid)): Path<(NetUid, Uid)>,
    Query(At { at }): Query<At>,
) -> Answer<Vec<(Uid, u16)>> {
    answer(node.read(|state| state.weights(netuid, uid, at)))
}

async fn anchor_of(
    Shared(node): Reading,
    Path((netuid, hotkey)): Path<(NetUid, String)>,
    Query(At { at }): Query<At>,
) -> Answer<Option<crate::Anchor>> {
    let hotkey = parse_hotkey(&hotkey)?;
    answer(node.read(|state| state.anchor_of(netuid, &hotkey, at)))
}

async fn nonce(Shared(node): Reading, Path(account): Path<String>) -> Answer<u64> {
    let account = parse_hotkey(&account)?;
    Ok(Json(node.next_nonce(&account)))
}

async fn submit(Shared(node): Reading, body: axum::body::Bytes) -> Answer<Digest> {
    answer(node.submit(&body))
}

/// The rest of an [`ExtrinsicReference`].
#[derive(Deserialize)]
struct Reference {
    signer: String,
    nonce: u64,
    period: u64,
    birth: BlockNumber,
}

async fn status(
    Shared(node): Reading,
    Path(hash): Path<String>,
    Query(Reference { signer, nonce, period, birth }): Query<Reference>,
) -> Answer<ExtrinsicStatus> {
    let hash = hash.parse().map_err(|error| Refusal::Malformed(format!("hash: {error}")))?;
    let reference = ExtrinsicReference { hash, signer: parse_hotkey(&signer)?, nonce, era: Era { period, birth } };
    Ok(Json(node.extrinsic_status(&reference)))
}
