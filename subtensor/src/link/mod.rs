//! One connection to a node: JSON-RPC over a websocket, with a deadline on every request.
//!
//! A link is never repaired. When it is given up ([`Link::give_up`]) everything that waits on it fails at once, and the
//! supervisor makes another.

mod endpoint;
mod handshake;
mod rpc;
mod supervisor;

use std::sync::OnceLock;
use std::time::Duration;

use domain::types::Digest;
use serde::de::DeserializeOwned;
use serde_json::Value;
use subxt::ext::jsonrpsee::core::client::{ClientT, Error as RpcError, Subscription, SubscriptionClientT};
use subxt::ext::jsonrpsee::core::params::ArrayParams;
use subxt::ext::jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use tokio::sync::{Notify, watch};

pub(crate) use endpoint::Endpoint;
pub use endpoint::name_of;
pub(crate) use supervisor::{Shared, supervise};

use crate::error::Error;
use crate::settings::Settings;

/// Subscriptions are one, and a node that sends faster than we read is given up: each may be as large as an answer.
const UNREAD_HEADS: usize = 32;
/// Largest request: an extrinsic, or the keys of one batch of storage reads.
const LARGEST_REQUEST: u32 = 4 * 1024 * 1024;

/// A connection to a node.
pub(crate) struct Link {
    endpoint: Endpoint,
    client: WsClient,
    deadline: Duration,
    concurrent_requests: usize,
    /// Why the link was given up, once it was.
    gone: watch::Sender<Option<String>>,
    /// Rung when a request was not answered in time.
    suspicion: Notify,
    genesis_hash: Digest,
    /// What the node does not tell of neurons, once that was noticed, in words for the operator.
    partial: OnceLock<String>,
}

impl Link {
    /// Connects and asks which chain the node has.
    pub(crate) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Error> {
        let connecting = WsClientBuilder::default()
            .connection_timeout(settings.connect_deadline)
            .request_timeout(settings.request_deadline)
            .max_response_size(settings.largest_answer)
            .max_frame_size(settings.largest_answer)
            .max_request_size(LARGEST_REQUEST)
            .max_concurrent_requests(settings.concurrent_requests.saturating_mul(4))
            .max_buffer_capacity_per_subscription(UNREAD_HEADS)
            // The number of attempts: none that follows a redirection.
            .max_redirections(1)
            .build(endpoint.url());
        let client = tokio::time::timeout(settings.connect_deadline, connecting)
            .await
            .map_err(|_| Error::Late { method: "the connection".to_owned(), after: settings.connect_deadline })?
            .map_err(|error| Error::Lost(handshake::explained(endpoint, &error.to_string())))?;
        let mut link = Self {
            endpoint: endpoint.clone(),
            client,
            deadline: settings.request_deadline,
            concurrent_requests: settings.concurrent_requests,
            gone: watch::Sender::new(None),
            suspicion: Notify::new(),
            genesis_hash: domain::types::HexBytes([0; 32]),
            partial: OnceLock::new(),
        };
        link.genesis_hash = link.block_hash(0).await?.ok_or_else(|| Error::decode("genesis hash", "there is none"))?;
        Ok(link)
    }

    /// Where the node is, to speak of it.
    pub(crate) fn name(&self) -> &str {
        self.endpoint.name()
    }

    /// Which chain it has.
    pub(crate) fn genesis_hash(&self) -> Digest {
        self.genesis_hash
    }

    /// How many requests of one method may be under way.
    pub(crate) fn concurrent_requests(&self) -> usize {
        self.concurrent_requests
    }

    /// Takes note that the node's answers are less than could be had, and warns of it once a link.
    pub(crate) fn answers_partly(&self, shortcoming: impl FnOnce() -> String) {
        self.partial.get_or_init(|| {
            let shortcoming = shortcoming();
            tracing::warn!(url = self.name(), shortcoming, "the node's answers are less than a chain can tell");
            shortcoming
        });
    }

    /// What was noted by [`Link::answers_partly`].
    pub(crate) fn shortcoming(&self) -> Option<&str> {
        self.partial.get().map(String::as_str)
    }

    /// Ends everything that waits on this link.
    pub(crate) fn give_up(&self, reason: &str) {
        self.gone.send_replace(Some(reason.to_owned()));
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Late`], [`Error::Lost`], [`Error::Decode`].
    pub(crate) async fn request<T: DeserializeOwned + Send>(
        &self,
        method: &str,
        parameters: Vec<Value>,
    ) -> Result<T, Error> {
        let parameters = array(method, parameters)?;
        let answer = self.bounded(method, self.client.request::<T, _>(method, parameters)).await;
        if matches!(answer, Err(Error::Late { .. })) {
            self.suspicion.notify_one();
        }
        answer
    }

    async fn subscribe<T: DeserializeOwned>(&self, method: &str, unsubscribe: &str) -> Result<Subscription<T>, Error> {
        self.bounded(method, self.client.subscribe(method, ArrayParams::new(), unsubscribe)).await
    }

    async fn bounded<T>(
        &self,
        method: &str,
        answer: impl Future<Output = Result<T, RpcError>> + Send,
    ) -> Result<T, Error> {
        let late = || Error::Late { method: method.to_owned(), after: self.deadline };
        let mut gone = self.gone.subscribe();
        tokio::select! {
            reason = gone.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone());
                Err(Error::Lost(reason.unwrap_or_else(|| "given up".to_owned())))
            }
            answer = tokio::time::timeout(self.deadline, answer) => match answer {
                Err(_) | Ok(Err(RpcError::RequestTimeout)) => Err(late()),
                Ok(answer) => answer.map_err(|error| read_error(method, error, &self.endpoint)),
            }
        }
    }
}

fn array(method: &str, parameters: Vec<Value>) -> Result<ArrayParams, Error> {
    let mut array = ArrayParams::new();
    for parameter in parameters {
        array.insert(parameter).map_err(|error| Error::encode(format!("parameters of {method}"), error))?;
    }
    Ok(array)
}

/// What a node or the websocket says is told without the secrets of its address.
fn read_error(method: &str, error: RpcError, endpoint: &Endpoint) -> Error {
    match error {
        RpcError::Call(error) => {
            // A string of data is the reason in the node's words.
            let data =
                error.data().map(|data| serde_json::from_str(data.get()).unwrap_or_else(|_| data.get().to_owned()));
            let message = match data {
                Some(data) => format!("{}: {data}", error.message()),
                None => error.message().to_owned(),
            };
            Error::Refused { method: method.to_owned(), code: error.code(), message: endpoint.scrub(&message) }
        }
        RpcError::ParseError(error) => Error::decode(format!("answer to {method}"), endpoint.scrub(&error.to_string())),
        other => Error::Lost(endpoint.scrub(&other.to_string())),
    }
}
