//! A node in the middle: passes JSON-RPC on to a development node, and answers some of it in its own way. So a test can have a
//! node that lacks a method, forgets states, lies, or changes its runtime.

use std::sync::{Arc, Mutex};

use jsonrpsee::RpcModule;
use jsonrpsee::server::{Server, ServerHandle};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};
use subxt::ext::jsonrpsee::core::client::{ClientT, SubscriptionClientT};
use subxt::ext::jsonrpsee::core::params::ArrayParams;
use subxt::ext::jsonrpsee::ws_client::{WsClient, WsClientBuilder};

/// What a test does with a request: an answer of its own, or none to pass it on.
pub(crate) type Override = Box<dyn Fn(&str, &[Value]) -> Option<Result<Value, ErrorObjectOwned>> + Send + Sync>;

const METHODS: [&str; 14] = [
    "chain_getBlockHash",
    "chain_getFinalizedHead",
    "chain_getHeader",
    "chain_getBlock",
    "state_getRuntimeVersion",
    "state_call",
    "state_getMetadata",
    "state_getStorage",
    "state_queryStorageAt",
    "author_pendingExtrinsics",
    "author_submitExtrinsic",
    "account_nextIndex",
    "system_accountNextIndex",
    "dev_newBlock",
];

struct Context {
    node: WsClient,
    override_: Override,
    asked: Mutex<Vec<String>>,
}

pub(crate) struct Middle {
    url: String,
    context: Arc<Context>,
    _server: ServerHandle,
}

impl Middle {
    pub(crate) async fn before(node: &str, override_: Override) -> Self {
        let node = WsClientBuilder::default().build(node).await.unwrap();
        let context = Arc::new(Context { node, override_, asked: Mutex::default() });
        let mut module = RpcModule::from_arc(Arc::clone(&context));
        for method in METHODS {
            module
                .register_async_method(method, move |parameters, context, _| async move {
                    let parameters: Vec<Value> = parameters.parse().unwrap_or_default();
                    context.answer(method, parameters).await
                })
                .unwrap();
        }
        module
            .register_subscription(
                "chain_subscribeFinalizedHeads",
                "chain_finalizedHead",
                "chain_unsubscribeFinalizedHeads",
                |_, pending, context, _| async move {
                    let methods = ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads");
                    if (context.override_)(methods.0, &[]).is_some() {
                        // A node that finalises nothing more.
                        let Ok(sink) = pending.accept().await else { return };
                        return sink.closed().await;
                    }
                    let heads = context.node.subscribe::<Value, _>(methods.0, ArrayParams::new(), methods.1).await;
                    let (Ok(mut heads), Ok(sink)) = (heads, pending.accept().await) else { return };
                    while let Some(Ok(head)) = heads.next().await {
                        let message = serde_json::value::to_raw_value(&head).unwrap();
                        if sink.send(message).await.is_err() {
                            return;
                        }
                    }
                },
            )
            .unwrap();
        let server = Server::builder().build("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", server.local_addr().unwrap());
        Self { url, context, _server: server.start(module) }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// How often a method (or a function of `state_call`) was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.context.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
}

impl Context {
    async fn answer(&self, method: &str, parameters: Vec<Value>) -> Result<Value, ErrorObjectOwned> {
        let function = parameters.first().and_then(Value::as_str).filter(|_| method == "state_call");
        self.asked.lock().unwrap().push(function.unwrap_or(method).to_owned());
        if let Some(answer) = (self.override_)(method, &parameters) {
            return answer;
        }
        let mut array = ArrayParams::new();
        parameters.iter().for_each(|parameter| array.insert(parameter).unwrap());
        self.node.request(method, array).await.map_err(|error| refused(-32000, &error.to_string()))
    }
}

pub(crate) fn refused(code: i32, message: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message.to_owned(), Some("said in the middle"))
}

/// Refuses requests for which `is` holds, by its method and first parameter, as a node that does not have them.
pub(crate) fn without(is: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Override {
    Box::new(move |method, parameters| {
        let first = parameters.first().and_then(Value::as_str).unwrap_or_default();
        is(method, first).then(|| Err(refused(-32601, "Method not found")))
    })
}

/// Answers one method always the same.
pub(crate) fn instead(of: &'static str, answer: Value) -> Override {
    Box::new(move |method, _| (method == of).then(|| Ok(answer.clone())))
}

/// Says another spec version than the node's, as `version` gives by the block's hash.
pub(crate) fn with_version(version: impl Fn(&str) -> u32 + Send + Sync + 'static) -> Override {
    Box::new(move |method, parameters| {
        let block = parameters.first().and_then(Value::as_str).unwrap_or_default();
        let answer = || json!({ "specVersion": version(block), "transactionVersion": 1 });
        (method == "state_getRuntimeVersion").then(|| Ok(answer()))
    })
}
