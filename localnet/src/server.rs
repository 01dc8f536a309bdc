//! The node as a process of its own: JSON-RPC over HTTP and websockets on one port, and a block at each tick.
//!
//! Nothing here authenticates: what changes the chain is signed by the key that it is about. It serves this machine only
//! unless told otherwise.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonrpsee::server::middleware::http::HostFilterLayer;
use jsonrpsee::server::{BatchRequestConfig, PingConfig, Server, ServerConfig, ServerHandle};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::node::Node;
use crate::rpc;
use crate::specification::Specification;

/// Connections at a time.
const MAXIMUM_CONNECTIONS: u32 = 512;
/// Subscriptions of one connection.
const MAXIMUM_SUBSCRIPTIONS: u32 = 1024;
/// An extrinsic in hexadecimal is below.
const LARGEST_REQUEST: u32 = 1024 * 1024;
/// A metagraph of 4,096 neurons in hexadecimal is below.
const LARGEST_ANSWER: u32 = 32 * 1024 * 1024;
/// Requests in one batch.
const MAXIMUM_BATCH: u32 = 64;
/// Messages that wait for a slow client before it is held back.
const MESSAGE_BUFFER: u32 = 256;
/// A connection that answers no ping for this long is dropped.
const INACTIVE: Duration = Duration::from_secs(120);
/// The fastest block time that an ordinary disk keeps up with.
const SHORTEST_BLOCK_TIME: Duration = Duration::from_millis(10);

/// Where and how a development chain runs.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The file of blocks.
    pub path: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The time between two blocks, at least 10 ms. Without one a block is made when `dev_newBlock` asks for it.
    pub block_time: Option<Duration>,
    /// Listen on an address that other machines reach.
    pub serve_other_machines: bool,
}

/// A running development chain. Dropping it stops it; a block is on disk or does not exist.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    node: Arc<Node>,
    author: JoinHandle<Error>,
    server: ServerHandle,
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
    let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let specification = specification.clone();
    // Replaying a long chain takes a while.
    let opened = tokio::task::spawn_blocking(move || Node::open(&path, &specification, now_ms())).await;
    let node = Arc::new(opened.map_err(|error| Error::Stopped(error.to_string()))??);
    let methods = rpc::methods(node.clone())?;
    let limits = ServerConfig::builder()
        .max_connections(MAXIMUM_CONNECTIONS)
        .max_subscriptions_per_connection(MAXIMUM_SUBSCRIPTIONS)
        .max_request_body_size(LARGEST_REQUEST)
        .max_response_body_size(LARGEST_ANSWER)
        .set_batch_request_config(BatchRequestConfig::Limit(MAXIMUM_BATCH))
        .set_message_buffer_capacity(MESSAGE_BUFFER)
        .enable_ws_ping(PingConfig::new().inactive_limit(INACTIVE))
        .build();
    let server = Server::builder()
        .set_config(limits)
        .set_http_middleware(tower::ServiceBuilder::new().layer(hosts(serve_other_machines)))
        .build_from_tcp(listener)
        .map_err(failed)?
        .start(methods);
    let author = tokio::spawn(make_blocks(node.clone(), block_time.map(|time| time.max(SHORTEST_BLOCK_TIME))));
    Ok(Running { address, node, author, server })
}

/// A name that leads here by a trick of DNS is not ours.
fn hosts(serve_other_machines: bool) -> HostFilterLayer {
    let own = HostFilterLayer::new(["localhost:*", "127.0.0.1:*", "[::1]:*"]);
    match own {
        Ok(own) if !serve_other_machines => own,
        _ => HostFilterLayer::disable(),
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for websockets on this machine. The same port serves HTTP.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
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
        // An error says that it stopped already.
        let _ = self.server.stop();
    }
}

/// Makes blocks until one fails. After a stall the next comes at once and the missed ones never. Without a block time it
/// waits for ever: a fault is then told to whoever asked for the block.
async fn make_blocks(node: Arc<Node>, block_time: Option<Duration>) -> Error {
    let Some(block_time) = block_time else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(block_time);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let node = node.clone();
        match tokio::task::spawn_blocking(move || node.author(now_ms())).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => {
                tracing::error!(error = %fault, "the development chain stopped");
                return fault;
            }
            Err(error) => return Error::Stopped(error.to_string()),
        }
    }
}

/// The operating system's clock in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
