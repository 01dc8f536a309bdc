//! JSON-RPC as clients ask it: forms, limits, errors and subscriptions.

use std::time::Duration;

use localnet::Hyperparameters;
use localnet::server::{Configuration, Running, start};
use serde_json::{Value, json};
use subxt::rpcs::client::{RpcClient, RpcParams};

use super::world::{key, specification, weights};

/// `System`, as every explorer shows it.
const SYSTEM: &str = "0x26aa394eea5630e07c48ae0c9558cef7";

async fn on_demand(folder: &tempfile::TempDir) -> Running {
    let configuration = Configuration {
        path: folder.path().join("chain"),
        listen: "127.0.0.1:0".parse().unwrap(),
        block_time: None,
        serve_other_machines: false,
    };
    start(configuration, &specification(Hyperparameters::default())).await.unwrap()
}

fn parameters(values: &[Value]) -> RpcParams {
    let mut parameters = RpcParams::new();
    for value in values {
        parameters.push(value).unwrap();
    }
    parameters
}

async fn ask(client: &RpcClient, method: &str, values: &[Value]) -> Value {
    client.request(method, parameters(values)).await.unwrap_or_else(|error| panic!("{method}: {error}"))
}

async fn refused(client: &RpcClient, method: &str, values: &[Value]) -> i32 {
    match client.request::<Value>(method, parameters(values)).await {
        Err(subxt::rpcs::Error::User(error)) => error.code,
        other => panic!("{method}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_made_on_demand_and_read_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let running = on_demand(&folder).await;
    let client = RpcClient::from_insecure_url(running.url()).await.unwrap();
    let genesis = ask(&client, "chain_getBlockHash", &[json!(0)]).await;
    assert_eq!(ask(&client, "chain_getHead", &[]).await, genesis);
    let first = ask(&client, "dev_newBlock", &[]).await;
    assert_eq!(ask(&client, "chain_getFinalizedHead", &[]).await, first);
    let many = ask(&client, "chain_getBlockHash", &[json!([0, "0x1", 7])]).await;
    assert_eq!(many, json!([genesis, first, null]));
    let header = ask(&client, "chain_getHeader", std::slice::from_ref(&first)).await;
    assert_eq!((&header["number"], &header["parentHash"]), (&json!("0x1"), &genesis));
    assert_eq!(header["digest"]["logs"].as_array().unwrap().len(), 1);
    let block = ask(&client, "chain_getBlock", std::slice::from_ref(&first)).await;
    assert_eq!(block["block"]["header"], header);
    assert_eq!(block["block"]["extrinsics"].as_array().unwrap().len(), 1, "the author's clock");
    let unknown = json!(format!("0x{}", "77".repeat(32)));
    assert_eq!(ask(&client, "chain_getHeader", std::slice::from_ref(&unknown)).await, Value::Null);
    // The number, at either block.
    let number = json!("0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac");
    assert_eq!(ask(&client, "state_getStorage", &[number.clone(), genesis.clone()]).await, "0x00000000");
    assert_eq!(ask(&client, "state_getStorageAt", &[number.clone(), first.clone()]).await, "0x01000000");
    let changes = ask(&client, "state_queryStorageAt", &[json!([number]), first.clone()]).await;
    assert_eq!(changes, json!([{ "block": first, "changes": [[number, "0x01000000"]] }]));
    let both = ask(&client, "state_queryStorage", &[json!([number]), genesis.clone(), first]).await;
    assert_eq!(both.as_array().unwrap().len(), 2);
    assert_eq!(refused(&client, "state_getStorage", &[number, unknown]).await, 4003);
    // At genesis the pallet has its number and its version; later more.
    let page = ask(&client, "state_getKeysPaged", &[json!(SYSTEM), json!(9), Value::Null, genesis]).await;
    assert_eq!(page.as_array().unwrap().len(), 2);
    let next = ask(&client, "state_getKeysPaged", &[json!(SYSTEM), json!(1), page[0].clone()]).await;
    assert!(next[0].as_str() > page[0].as_str());
    assert_eq!(refused(&client, "state_getKeysPaged", &[json!(SYSTEM), json!(1001)]).await, 4002);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let running = on_demand(&folder).await;
    let client = RpcClient::from_insecure_url(running.url()).await.unwrap();
    let keys: Vec<String> = (0..1025).map(|_| "0x00".to_owned()).collect();
    for (method, values, code) in [
        ("chainHead_v1_follow", vec![], -32601),
        ("state_getStorage", vec![json!("0xzz")], -32602),
        ("state_getStorage", vec![], -32602),
        ("chain_getHeader", vec![json!("0x00")], -32602),
        ("state_queryStorageAt", vec![json!(keys)], -32602),
        ("state_call", vec![json!("Core_execute_block"), json!("0x")], 4003),
        ("state_call", vec![json!("NeuronInfoRuntimeApi_get_neuron"), json!("0x02")], 4003),
        ("author_submitExtrinsic", vec![json!("0x1234")], 1001),
        ("system_accountNextIndex", vec![json!("not an address")], -32602),
    ] {
        assert_eq!(refused(&client, method, &values).await, code, "{method} {values:?}");
    }
    let methods = ask(&client, "rpc_methods", &[]).await;
    let names: Vec<&str> = methods["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"account_nextIndex") && names.contains(&"rpc_methods"));
    assert!(!names.iter().any(|name| name.starts_with("chainHead_v1") || name.starts_with("archive_v1")));
    let outside = Configuration {
        path: folder.path().join("other"),
        listen: "0.0.0.0:0".parse().unwrap(),
        block_time: None,
        serve_other_machines: false,
    };
    let refused = start(outside, &specification(Hyperparameters::default())).await;
    assert!(matches!(refused, Err(localnet::Error::NotLoopback(_))));
}

async fn next(subscription: &mut subxt::rpcs::client::RpcSubscription<Value>) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
    told.expect("it is told in time").expect("it goes on").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_told_of_every_block_and_of_their_extrinsic() {
    let folder = tempfile::tempdir().unwrap();
    let running = on_demand(&folder).await;
    let client = RpcClient::from_insecure_url(running.url()).await.unwrap();
    let mut heads = client
        .subscribe::<Value>("chain_subscribeNewHeads", RpcParams::new(), "chain_unsubscribeNewHeads")
        .await
        .unwrap();
    assert_eq!(next(&mut heads).await["number"], "0x0");
    let alice = key("Alice");
    let (genesis_hash, birth_hash) = running.node().read(|state| (state.genesis_hash(), state.head().hash));
    let era = localnet::runtime::sp_runtime::generic::era::Era::Mortal { period: 64, phase: 0 };
    let signing = localnet::extrinsic::Signing { nonce: 0, era, spec_version: 393, genesis_hash, birth_hash };
    let bytes = localnet::extrinsic::sign(&weights(&[(2, 1)]).into(), &signing, &alice);
    let bytes = json!(format!("0x{}", hex::encode(bytes)));
    let mut watched = client
        .subscribe::<Value>(
            "author_submitAndWatchExtrinsic",
            parameters(std::slice::from_ref(&bytes)),
            "author_unwatchExtrinsic",
        )
        .await
        .unwrap();
    assert_eq!(next(&mut watched).await, "ready");
    let address = json!(alice.ss58());
    assert_eq!(ask(&client, "account_nextIndex", &[address]).await, 1);
    assert_eq!(ask(&client, "author_pendingExtrinsics", &[]).await, json!([bytes]));
    assert_eq!(refused(&client, "author_submitExtrinsic", &[bytes]).await, 1013);
    // Three at once: a slow reader misses none.
    for _ in 0..3 {
        ask(&client, "dev_newBlock", &[]).await;
    }
    let first = ask(&client, "chain_getBlockHash", &[json!(1)]).await;
    assert_eq!(next(&mut watched).await, json!({ "inBlock": first }));
    assert_eq!(next(&mut watched).await, json!({ "finalized": first }));
    for number in ["0x1", "0x2", "0x3"] {
        assert_eq!(next(&mut heads).await["number"], number);
    }
}
