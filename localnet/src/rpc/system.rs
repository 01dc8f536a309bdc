//! `system_…`: what chain this is; and what a fee would be.

use domain::types::Hotkey;
use jsonrpsee::core::RegisterMethodError;
use serde_json::{Value, json};

use super::hexadecimal::Bytes;
use super::{Answer, Module, invalid, required};
use crate::runtime::SS58_PREFIX;
use crate::runtime::sp_core::crypto::AccountId32;

/// An account: an address, or a public key in hexadecimal.
fn account(text: &str) -> Answer<AccountId32> {
    let public = match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok()),
        None => text.parse::<Hotkey>().ok().and_then(|hotkey| hotkey.public().ok()),
    };
    public.map(AccountId32).ok_or_else(|| invalid("it is no address"))
}

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    for (name, answer) in [
        ("system_chain", json!("Assay development")),
        ("system_name", json!("Assay localnet")),
        ("system_version", json!(env!("CARGO_PKG_VERSION"))),
        ("system_chainType", json!("Development")),
        ("system_nodeRoles", json!(["Authority"])),
        ("system_health", json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false })),
        ("system_properties", json!({ "ss58Format": SS58_PREFIX, "tokenDecimals": 9, "tokenSymbol": "TAO" })),
        ("system_peers", json!([])),
    ] {
        module.register_method(name, move |_, _, _| answer.clone())?;
    }
    module.register_method("system_accountNextIndex", |params, node, _| {
        let text: String = required(&mut params.sequence())?;
        Answer::Ok(node.next_nonce(&account(&text)?))
    })?;
    module.register_alias("account_nextIndex", "system_accountNextIndex")?;
    // Nothing costs anything here.
    module.register_method("payment_queryInfo", |params, _, _| {
        let _: Bytes = required(&mut params.sequence())?;
        Answer::<Value>::Ok(json!({
            "weight": { "ref_time": 0, "proof_size": 0 }, "class": "normal", "partialFee": "0",
        }))
    })?;
    Ok(())
}
