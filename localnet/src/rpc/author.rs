//! `author_…`: extrinsics on their way, and blocks on demand.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::chain::message;
use super::hexadecimal::{Bytes, Hash};
use super::{Answer, Module, required};
use crate::node::{Node, Whereabouts};
use crate::pool::Refusal;
use crate::server::now_ms;

/// After the last word of a subscription it stays this long, so that a client that ends it is told that there was one.
const LINGER: Duration = Duration::from_secs(60);

impl From<Refusal> for ErrorObjectOwned {
    fn from(refusal: Refusal) -> Self {
        Self::owned(refusal.code, refusal.message, Some(refusal.data))
    }
}

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_method("author_submitExtrinsic", |params, node, _| {
        let Bytes(bytes) = required(&mut params.sequence())?;
        Answer::Ok(Hash(node.submit(&bytes)?))
    })?;
    module.register_method("author_pendingExtrinsics", |_, node, _| {
        node.pending().into_iter().map(Bytes).collect::<Vec<_>>()
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, node, _| async move {
            let submitted = required::<Bytes>(&mut params.sequence())
                .and_then(|Bytes(bytes)| node.submit(&bytes).map_err(ErrorObjectOwned::from));
            match submitted {
                Ok(hash) => watch(pending, &node, hash).await,
                Err(refusal) => pending.reject(refusal).await,
            }
        },
    )?;
    module.register_async_method("dev_newBlock", |_, node, _| async move { new_block(node.as_ref().clone()).await })?;
    module.register_method("dev_extrinsicOutcome", |params, node, _| {
        let Hash(hash) = required(&mut params.sequence())?;
        Answer::Ok(node.read(|state| state.outcome(&hash)))
    })?;
    Ok(())
}

/// Makes a block now, whatever the timer says, and gives its hash.
async fn new_block(node: Arc<Node>) -> Answer<Hash> {
    let failed = |reason: String| ErrorObjectOwned::owned(-32603, reason, None::<()>);
    let made =
        tokio::task::spawn_blocking(move || node.author(now_ms())).await.map_err(|error| failed(error.to_string()))?;
    made.map(Hash).map_err(|error| failed(error.to_string()))
}

/// Tells what becomes of an extrinsic until it is in a block or can no longer get into one.
async fn watch(pending: PendingSubscriptionSink, node: &Node, hash: [u8; 32]) {
    let mut heads = node.heads();
    let Ok(sink) = pending.accept().await else { return };
    let send = async |value: Value| match message(&value) {
        Some(message) => sink.send(message).await.is_ok(),
        None => false,
    };
    if !send(json!("ready")).await {
        return;
    }
    loop {
        heads.borrow_and_update();
        match node.whereabouts(&hash) {
            Whereabouts::Included { hash, .. } => {
                if send(json!({ "inBlock": Hash(hash) })).await {
                    send(json!({ "finalized": Hash(hash) })).await;
                }
                break;
            }
            Whereabouts::Unknown => {
                send(json!("invalid")).await;
                break;
            }
            Whereabouts::Waiting => {}
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
    // The client goes first; if it does not, this does.
    let _ = tokio::time::timeout(LINGER, sink.closed()).await;
}
