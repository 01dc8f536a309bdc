//! `chain_…`: blocks, and being told of them.

use codec::Encode as _;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::{PendingSubscriptionSink, SubscriptionMessage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hexadecimal::{Bytes, Hash};
use super::{Answer, Module, invalid, only_optional};
use crate::block::{Block, Header};
use crate::node::Node;

/// Hashes that one request may ask for.
const MAXIMUM_NUMBERS: usize = 1024;

/// A header in JSON.
pub(super) fn header(header: &Header) -> Value {
    let logs: Vec<Bytes> = header.digest.logs.iter().map(|log| Bytes(log.encode())).collect();
    json!({
        "parentHash": Hash(header.parent_hash.0),
        "number": format!("{:#x}", header.number),
        "stateRoot": Hash(header.state_root.0),
        "extrinsicsRoot": Hash(header.extrinsics_root.0),
        "digest": { "logs": logs },
    })
}

fn block(block: &Block) -> Value {
    let extrinsics: Vec<Bytes> = block.extrinsics.iter().cloned().map(Bytes).collect();
    json!({
        "block": { "header": header(&block.header), "extrinsics": extrinsics },
        "justifications": null,
    })
}

/// A number as clients write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Decimal(u64),
    Text(String),
}

impl Number {
    fn read(&self) -> Option<u32> {
        match self {
            Self::Decimal(number) => u32::try_from(*number).ok(),
            Self::Text(text) => match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(Number),
    Many(Vec<Number>),
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Hashes {
    One(Option<Hash>),
    Many(Vec<Option<Hash>>),
}

fn block_hash(node: &Node, asked: Option<Numbers>) -> Answer<Hashes> {
    let of = |number: &Number| {
        let found = |number| node.read(|state| state.block(number).map(|block| Hash(block.hash)));
        number.read().and_then(found)
    };
    Ok(match asked {
        None => Hashes::One(Some(Hash(node.read(|state| state.head().hash)))),
        Some(Numbers::One(number)) => Hashes::One(of(&number)),
        Some(Numbers::Many(numbers)) if numbers.len() <= MAXIMUM_NUMBERS => {
            Hashes::Many(numbers.iter().map(of).collect())
        }
        Some(Numbers::Many(_)) => return Err(invalid("more than 1024 block numbers")),
    })
}

/// A part of a block that is asked for by hash; null when there is no such block.
fn found(node: &Node, hash: Option<Hash>, show: fn(&Block) -> Value) -> Value {
    node.read(|state| {
        let number = hash.map_or(Some(state.height()), |hash| state.number_of(&hash.0));
        number.and_then(|number| state.block(number)).map_or(Value::Null, show)
    })
}

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_method("chain_getBlockHash", |params, node, _| block_hash(node, only_optional(&params)?))?;
    module.register_alias("chain_getHead", "chain_getBlockHash")?;
    module.register_method("chain_getFinalizedHead", |_, node, _| {
        Answer::Ok(Hash(node.read(|state| state.head().hash)))
    })?;
    module.register_alias("chain_getFinalisedHead", "chain_getFinalizedHead")?;
    module.register_method("chain_getHeader", |params, node, _| {
        Answer::Ok(found(node, only_optional(&params)?, |block| header(&block.header)))
    })?;
    module
        .register_method("chain_getBlock", |params, node, _| Answer::Ok(found(node, only_optional(&params)?, block)))?;
    // Every block is final at once, so the three are the same.
    for (subscribe, notification, unsubscribe) in [
        ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads"),
        ("chain_subscribeAllHeads", "chain_allHead", "chain_unsubscribeAllHeads"),
        ("chain_subscribeFinalizedHeads", "chain_finalizedHead", "chain_unsubscribeFinalizedHeads"),
    ] {
        module.register_subscription(subscribe, notification, unsubscribe, |_, pending, node, _| async move {
            tell_heads(pending, &node).await;
        })?;
    }
    module.register_alias("chain_subscribeNewHead", "chain_subscribeNewHeads")?;
    module.register_alias("chain_unsubscribeNewHead", "chain_unsubscribeNewHeads")?;
    module.register_alias("chain_subscribeFinalisedHeads", "chain_subscribeFinalizedHeads")?;
    module.register_alias("chain_unsubscribeFinalisedHeads", "chain_unsubscribeFinalizedHeads")?;
    Ok(())
}

/// A message of a subscription.
pub(super) fn message(value: &impl Serialize) -> Option<SubscriptionMessage> {
    serde_json::value::to_raw_value(value).ok().map(SubscriptionMessage::from)
}

/// The newest header, then every one after it, none left out, until the client goes.
async fn tell_heads(pending: PendingSubscriptionSink, node: &Node) {
    let mut heads = node.heads();
    let Ok(sink) = pending.accept().await else { return };
    let mut next = *heads.borrow_and_update();
    loop {
        while let Some(told) = node.read(|state| state.block(next).map(|block| header(&block.header))) {
            let Some(message) = message(&told) else { return };
            if sink.send(message).await.is_err() {
                return;
            }
            next = next.saturating_add(1);
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
}
