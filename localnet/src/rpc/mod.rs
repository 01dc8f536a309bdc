//! Substrate's JSON-RPC: names, parameters and answers as other nodes have them.
//!
//! The methods of `chainHead_v1` and `archive_v1` are not offered: clients then use the older ones, which are here. What
//! comes in is bounded by the server before it is read here; lists in parameters have limits of their own.

mod author;
mod chain;
mod hexadecimal;
mod state;
mod system;

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::node::Node;
use crate::state::State;

/// What every method can reach.
type Module = RpcModule<Arc<Node>>;
/// An answer or a JSON-RPC error.
type Answer<T> = Result<T, ErrorObjectOwned>;

/// All methods.
pub(crate) fn methods(node: Arc<Node>) -> Result<Module, Error> {
    let mut module = RpcModule::new(node);
    let refused = |error: jsonrpsee::core::RegisterMethodError| Error::Method(error.to_string());
    chain::register(&mut module).map_err(refused)?;
    state::register(&mut module).map_err(refused)?;
    author::register(&mut module).map_err(refused)?;
    system::register(&mut module).map_err(refused)?;
    let mut names: Vec<String> = module.method_names().map(str::to_owned).collect();
    names.push("rpc_methods".to_owned());
    names.sort_unstable();
    module.register_method("rpc_methods", move |_, _, _| serde_json::json!({ "methods": names })).map_err(refused)?;
    Ok(module)
}

/// A parameter that must be there.
fn required<T: DeserializeOwned>(sequence: &mut jsonrpsee::types::ParamsSequence<'_>) -> Answer<T> {
    sequence.next()
}

/// A parameter that may be missing or null.
fn optional<T: DeserializeOwned>(sequence: &mut jsonrpsee::types::ParamsSequence<'_>) -> Answer<Option<T>> {
    sequence.optional_next()
}

/// The only parameter, which may be missing.
fn only_optional<T: DeserializeOwned>(params: &Params<'_>) -> Answer<Option<T>> {
    optional(&mut params.sequence())
}

/// The number of the block that a hash names; the newest one's without a hash.
fn block_number(state: &State, at: Option<&hexadecimal::Hash>) -> Answer<u32> {
    match at {
        None => Ok(state.height()),
        Some(hash) => state.number_of(&hash.0).ok_or_else(|| {
            let message = format!("Client error: UnknownBlock: Header was not found in the database: {hash}");
            ErrorObjectOwned::owned(4003, message, None::<()>)
        }),
    }
}

/// A parameter that makes no sense.
fn invalid(message: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(jsonrpsee::types::error::INVALID_PARAMS_CODE, message.to_owned(), None::<()>)
}
