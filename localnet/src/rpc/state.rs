//! `state_…`: storage and runtime at any block.

use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::{Value, json};

use super::chain::message;
use super::hexadecimal::{Bytes, Hash};
use super::{Answer, Module, block_number, invalid, optional, required};
use crate::hashing::blake2_256;
use crate::node::Node;
use crate::runtime::{constants, metadata};
use crate::runtime_api::{self, Failure};
use crate::schedule::Schedule;
use crate::state::State;
use crate::store::Read as _;

/// Keys in one page, as other nodes have it.
const LARGEST_PAGE: usize = 1000;
/// Keys that one request may name.
const MAXIMUM_KEYS: usize = 1024;
/// Blocks that `state_queryStorage` may cover.
const MAXIMUM_BLOCKS: u32 = 4096;

fn read(state: &State, key: &[u8], at: Option<&Hash>) -> Answer<Option<Bytes>> {
    Ok(state.at(block_number(state, at)?).read(key).map(|value| Bytes(value.to_vec())))
}

fn storage(params: &Params<'_>, node: &Node) -> Answer<Option<Bytes>> {
    let mut sequence = params.sequence();
    let (key, at): (Bytes, Option<Hash>) = (required(&mut sequence)?, optional(&mut sequence)?);
    node.read(|state| read(state, &key.0, at.as_ref()))
}

fn keys_paged(params: &Params<'_>, node: &Node) -> Answer<Vec<Bytes>> {
    let mut sequence = params.sequence();
    let prefix: Option<Bytes> = optional(&mut sequence)?;
    let count: usize = required(&mut sequence)?;
    let (start, at): (Option<Bytes>, Option<Hash>) = (optional(&mut sequence)?, optional(&mut sequence)?);
    if count > LARGEST_PAGE {
        return Err(ErrorObjectOwned::owned(4002, "count exceeds maximum value. value: 1000", None::<()>));
    }
    let (prefix, start) = (prefix.map(|prefix| prefix.0).unwrap_or_default(), start.map(|start| start.0));
    node.read(|state| {
        let view = state.at(block_number(state, at.as_ref())?);
        Ok(view.keys(&prefix, start.as_deref(), count).into_iter().map(Bytes).collect())
    })
}

fn keys(params: &Params<'_>, node: &Node) -> Answer<Vec<Bytes>> {
    let mut sequence = params.sequence();
    let (prefix, at): (Bytes, Option<Hash>) = (required(&mut sequence)?, optional(&mut sequence)?);
    node.read(|state| {
        let found = state.at(block_number(state, at.as_ref())?).keys(&prefix.0, None, LARGEST_PAGE + 1);
        match found.len() > LARGEST_PAGE {
            true => Err(invalid("more than 1000 keys: use state_getKeysPaged")),
            false => Ok(found.into_iter().map(Bytes).collect()),
        }
    })
}

fn check_keys(keys: &[Bytes]) -> Answer<()> {
    if keys.len() > MAXIMUM_KEYS { Err(invalid("more than 1024 keys")) } else { Ok(()) }
}

/// The values of keys after a block.
fn changes(state: &State, keys: &[Bytes], number: u32) -> Value {
    let view = state.at(number);
    let pairs: Vec<(&Bytes, Option<Bytes>)> =
        keys.iter().map(|key| (key, view.read(&key.0).map(|value| Bytes(value.to_vec())))).collect();
    json!({ "block": state.block(number).map(|block| Hash(block.hash)), "changes": pairs })
}

fn query_at(params: &Params<'_>, node: &Node) -> Answer<Vec<Value>> {
    let mut sequence = params.sequence();
    let (keys, at): (Vec<Bytes>, Option<Hash>) = (required(&mut sequence)?, optional(&mut sequence)?);
    check_keys(&keys)?;
    node.read(|state| Ok(vec![changes(state, &keys, block_number(state, at.as_ref())?)]))
}

/// The values at the first block, and what changed in each later one.
fn query(params: &Params<'_>, node: &Node) -> Answer<Vec<Value>> {
    let mut sequence = params.sequence();
    let (keys, from): (Vec<Bytes>, Hash) = (required(&mut sequence)?, required(&mut sequence)?);
    let to: Option<Hash> = optional(&mut sequence)?;
    check_keys(&keys)?;
    node.read(|state| {
        let (first, last) = (block_number(state, Some(&from))?, block_number(state, to.as_ref())?);
        if last.saturating_sub(first) > MAXIMUM_BLOCKS {
            return Err(invalid("more than 4096 blocks"));
        }
        let view = state.at(last);
        let later = (first.saturating_add(1)..=last).filter_map(|number| {
            let changed: Vec<Bytes> =
                keys.iter().filter(|key| view.changes_of(&key.0).contains(&number)).cloned().collect();
            (!changed.is_empty()).then(|| changes(state, &changed, number))
        });
        Ok([changes(state, &keys, first)].into_iter().chain(later).collect())
    })
}

fn call(params: &Params<'_>, node: &Node) -> Answer<Bytes> {
    let mut sequence = params.sequence();
    let (method, bytes): (String, Option<Bytes>) = (required(&mut sequence)?, optional(&mut sequence)?);
    let at: Option<Hash> = optional(&mut sequence)?;
    let bytes = bytes.map(|bytes| bytes.0).unwrap_or_default();
    node.read(|state| {
        let view = state.at(block_number(state, at.as_ref())?);
        runtime_api::call(&view, &method, &bytes).map(Bytes).map_err(|failure| {
            let reason = match failure {
                Failure::UnknownMethod => format!("Exported method {method} is not found"),
                Failure::Arguments => format!("{method}: the arguments cannot be decoded"),
            };
            ErrorObjectOwned::owned(4003, format!("Client error: Execution failed: {reason}"), None::<()>)
        })
    })
}

fn schedule(node: &Node) -> Schedule {
    node.read(|state| state.specification().schedule)
}

/// The runtime's version in JSON. It never changes on a chain.
fn version(node: &Node) -> Value {
    let version = constants::version(schedule(node));
    let apis: Vec<(Bytes, u32)> = version.apis.into_iter().map(|(id, version)| (Bytes(id.to_vec()), version)).collect();
    json!({
        "specName": version.spec_name,
        "implName": version.impl_name,
        "authoringVersion": version.authoring_version,
        "specVersion": version.spec_version,
        "implVersion": version.impl_version,
        "apis": apis,
        "transactionVersion": version.transaction_version,
        "systemVersion": version.system_version,
        "stateVersion": version.system_version,
    })
}

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_method("state_getStorage", |params, node, _| storage(&params, node))?;
    module.register_alias("state_getStorageAt", "state_getStorage")?;
    module.register_method("state_getStorageHash", |params, node, _| {
        Answer::Ok(storage(&params, node)?.map(|value| Hash(blake2_256(&value.0))))
    })?;
    module.register_method("state_getStorageSize", |params, node, _| {
        Answer::Ok(storage(&params, node)?.map(|value| value.0.len()))
    })?;
    module.register_method("state_getKeysPaged", |params, node, _| keys_paged(&params, node))?;
    module.register_alias("state_getKeysPagedAt", "state_getKeysPaged")?;
    module.register_method("state_getKeys", |params, node, _| keys(&params, node))?;
    module.register_method("state_queryStorageAt", |params, node, _| query_at(&params, node))?;
    module.register_method("state_queryStorage", |params, node, _| query(&params, node))?;
    module.register_method("state_call", |params, node, _| call(&params, node))?;
    module.register_alias("state_callAt", "state_call")?;
    module.register_method("state_getMetadata", |_, node, _| {
        Answer::Ok(Bytes(metadata::of_version(schedule(node), 14).unwrap_or_default().to_vec()))
    })?;
    module.register_method("state_getRuntimeVersion", |params, node, _| {
        let at: Option<Hash> = super::only_optional(&params)?;
        node.read(|state| block_number(state, at.as_ref()))?;
        Answer::Ok(version(node))
    })?;
    module.register_alias("chain_getRuntimeVersion", "state_getRuntimeVersion")?;
    module.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, node, _| async move {
            let Ok(sink) = pending.accept().await else { return };
            if let Some(message) = message(&version(&node))
                && sink.send(message).await.is_ok()
            {
                sink.closed().await;
            }
        },
    )?;
    module.register_subscription(
        "state_subscribeStorage",
        "state_storage",
        "state_unsubscribeStorage",
        |params, pending, node, _| async move {
            match super::only_optional::<Vec<Bytes>>(&params) {
                Ok(Some(keys)) if keys.len() <= MAXIMUM_KEYS => tell_changes(pending, &node, keys).await,
                _ => pending.reject(invalid("a list of at most 1024 keys is needed")).await,
            }
        },
    )?;
    Ok(())
}

/// The values now, and again after each block that changes one of them.
async fn tell_changes(pending: PendingSubscriptionSink, node: &Node, keys: Vec<Bytes>) {
    let mut heads = node.heads();
    let Ok(sink) = pending.accept().await else { return };
    let mut last: Option<u32> = None;
    loop {
        let number = *heads.borrow_and_update();
        let told = node.read(|state| {
            let view = state.at(number);
            let since = |key: &Bytes| view.changes_of(&key.0).last().copied();
            let changed: Vec<Bytes> =
                keys.iter().filter(|key| last.is_none_or(|last| since(key) > Some(last))).cloned().collect();
            (!changed.is_empty()).then(|| changes(state, &changed, number))
        });
        last = Some(number);
        if let Some(message) = told.as_ref().and_then(message)
            && sink.send(message).await.is_err()
        {
            return;
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
}
