//! Nodes that lack something, forget, lie, or change under our feet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain::{Chain, Error, ExtrinsicOutcome, ExtrinsicStatus};
use domain::types::{BlockNumber, Uid};
use serde_json::json;
use subtensor::{Settings, Subtensor};

use crate::middle::{Middle, instead, refused, with_version, without};
use crate::world::{NETUID, World, hyperparameters, key, settings};

async fn connect(middle: &Middle) -> Subtensor {
    Subtensor::connect(&[middle.url()], settings()).await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metagraph_is_the_same_whatever_the_node_offers() {
    let world = World::new(hyperparameters()).await;
    let direct = world.connect().await;
    let axon = chain::Call::ServeAxon { netuid: NETUID, ip: "10.0.0.1".parse().unwrap(), port: 7 };
    let extrinsic = direct.prepare(&axon, &key("Miner2")).await.unwrap();
    world.include(&direct, &extrinsic).await;
    let expected = direct.metagraph(NETUID, BlockNumber(1)).await.unwrap();
    assert_eq!(direct.shortcoming().await, None);
    let lite = "NeuronInfoRuntimeApi_get_neurons_lite";
    type Lacks = fn(&str, &str) -> bool;
    let rows: [(&str, Lacks); 3] = [
        ("no metagraph", |_, name| name.ends_with("get_metagraph")),
        ("no runtime api", |_, name| name.contains("InfoRuntimeApi")),
        ("no runtime api and no batches", |method, name| {
            name.contains("InfoRuntimeApi") || method == "state_queryStorageAt"
        }),
    ];
    for (what, lacks) in rows {
        let middle = Middle::before(&world.node.url(), without(lacks)).await;
        let chain = connect(&middle).await;
        let mut found = chain.metagraph(NETUID, BlockNumber(1)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(middle.asked(lite), 1, "{what}");
        // Stake is a hotkey's own here and there; nobody inherits any.
        for (neuron, known) in found.neurons.iter_mut().zip(&expected.neurons) {
            assert_eq!(neuron.stake, known.stake, "{what}");
        }
        assert_eq!(found, expected, "{what}");
        let shortcoming = chain.shortcoming().await.unwrap_or_default();
        assert!(shortcoming.contains("a neuron's stake is its own, without what it inherits"), "{what}: {shortcoming}");
        let hyperparameters = chain.hyperparameters(NETUID, BlockNumber(1)).await.unwrap();
        assert_eq!(hyperparameters, direct.hyperparameters(NETUID, BlockNumber(1)).await.unwrap(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extrinsic_is_found_by_a_node_that_forgot_its_state() {
    let world = World::new(hyperparameters()).await;
    let forgetful = Arc::new(AtomicBool::new(false));
    let forgets = Arc::clone(&forgetful);
    let middle = Middle::before(
        &world.node.url(),
        Box::new(move |method, parameters| {
            let nonce = method == "state_call" && parameters[0] == "AccountNonceApi_account_nonce";
            let discarded = || refused(4003, "Client error: Api called for an unknown Block: State already discarded");
            (nonce && forgets.load(Ordering::SeqCst)).then(|| Err(discarded()))
        }),
    )
    .await;
    let chain = connect(&middle).await;
    world.blocks(&chain, 20).await;
    let sent = chain.prepare_anchor(NETUID, &[1], &key("Validator")).await.unwrap();
    let inclusion = world.include(&chain, &sent).await;
    let unsent = chain.prepare_anchor(NETUID, &[2], &key("Validator")).await.unwrap();
    world.blocks(&chain, 30).await;
    assert_eq!(middle.asked("chain_getBlock"), 1, "with the states one block is read");
    forgetful.store(true, Ordering::SeqCst);
    let status = chain.extrinsic_status(&sent.reference()).await.unwrap();
    assert_eq!(status, ExtrinsicStatus::Included(inclusion));
    assert_eq!(chain.extrinsic_status(&unsent.reference()).await.unwrap(), ExtrinsicStatus::Unknown);
    world.blocks(&chain, 128).await;
    assert_eq!(chain.extrinsic_status(&unsent.reference()).await.unwrap(), ExtrinsicStatus::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hides_its_pool_is_no_witness() {
    let world = World::new(hyperparameters()).await;
    let hidden = without(|method, _| method == "author_pendingExtrinsics" || method == "account_nextIndex");
    let middle = Middle::before(&world.node.url(), hidden).await;
    let chain = connect(&middle).await;
    let extrinsic = chain.prepare_anchor(NETUID, &[1], &key("Validator")).await.unwrap();
    assert_eq!(middle.asked("system_accountNextIndex"), 1, "the older name of the question");
    chain.submit(&extrinsic).await.unwrap();
    assert_eq!(chain.extrinsic_status(&extrinsic.reference()).await.unwrap(), ExtrinsicStatus::Unknown);
    world.blocks(&chain, 1).await;
    let status = chain.extrinsic_status(&extrinsic.reference()).await.unwrap();
    assert!(matches!(status, ExtrinsicStatus::Included(inclusion) if inclusion.outcome == ExtrinsicOutcome::Succeeded));
}

/// Finalised blocks come some blocks after the best ones, and the pool goes by the best: what it refuses as outdated may be what
/// stands in a block that is not finalised yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_block_above_the_finalised_one_is_not_refused() {
    let world = World::new(hyperparameters()).await;
    let direct = world.connect().await;
    let genesis = json!(format!("0x{}", direct.genesis_hash().await.unwrap()));
    let refusals: [(i32, &str); 4] = [
        (1010, "Invalid Transaction: Transaction is outdated"),
        (1012, "Transaction is temporarily banned"),
        // Neither says it; the nonce at the best block does.
        (1010, "Invalid Transaction"),
        (1016, "Immediately dropped"),
    ];
    for (byte, (code, message)) in refusals.into_iter().enumerate() {
        let (genesis, sent) = (genesis.clone(), Arc::new(AtomicBool::new(false)));
        let refuses = Arc::clone(&sent);
        let middle = Middle::before(
            &world.node.url(),
            Box::new(move |method, _| match method {
                // It never finalises anything.
                "chain_getFinalizedHead" | "chain_subscribeFinalizedHeads" => Some(Ok(genesis.clone())),
                "author_submitExtrinsic" if refuses.load(Ordering::SeqCst) => Some(Err(refused(code, message))),
                _ => None,
            }),
        )
        .await;
        let silent = Settings { probe_after: Duration::from_secs(60), ..settings() };
        let chain = Subtensor::connect(&[middle.url()], silent).await.unwrap();
        let extrinsic = chain.prepare_anchor(NETUID, &[byte as u8], &key("Validator")).await.unwrap();
        chain.submit(&extrinsic).await.unwrap();
        sent.store(true, Ordering::SeqCst);
        // In the pool and in no block: it waits, whatever is said of sending it again.
        chain.submit(&extrinsic).await.unwrap();
        crate::world::make_block(&world.node);
        direct.await_block(BlockNumber(byte as u64), Duration::from_secs(10)).await.unwrap().expect("a block");
        assert_eq!(chain.head().await.unwrap().number, BlockNumber(0));
        let status = chain.extrinsic_status(&extrinsic.reference()).await.unwrap();
        assert_eq!(status, ExtrinsicStatus::Unknown, "as the finalised block has it");
        chain.submit(&extrinsic).await.unwrap_or_else(|error| panic!("{message}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_runtime_is_read_when_it_comes() {
    const METADATA: &str = "Metadata_metadata_at_version";
    let world = World::new(hyperparameters()).await;
    let upgraded = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&upgraded);
    let version = with_version(move |_| if flag.load(Ordering::SeqCst) { 394 } else { 393 });
    let middle = Middle::before(&world.node.url(), version).await;
    let chain = connect(&middle).await;
    world.blocks(&chain, 5).await;
    chain.metagraph(NETUID, BlockNumber(5)).await.unwrap();
    assert_eq!((middle.asked(METADATA), chain.runtime().await.unwrap().spec_version()), (1, 393));
    upgraded.store(true, Ordering::SeqCst);
    world.blocks(&chain, 3).await;
    let metagraph = chain.metagraph(NETUID, BlockNumber(8)).await.unwrap();
    assert_eq!(metagraph.neurons.len(), 3);
    assert_eq!((middle.asked(METADATA), chain.runtime().await.unwrap().spec_version()), (2, 394));
    // What is signed now names the new runtime, which this node does not have.
    let extrinsic = chain.prepare_anchor(NETUID, &[1], &key("Validator")).await.unwrap();
    let error = chain.submit(&extrinsic).await.unwrap_err();
    assert!(error.to_string().contains("bad signature"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_meaning_are_errors_and_no_panics() {
    let world = World::new(hyperparameters()).await;
    let rows = [
        ("chain_getBlockHash", json!("0xzz")),
        ("chain_getBlockHash", json!("0x00")),
        ("chain_getHeader", json!(null)),
        ("chain_getHeader", json!({ "number": "x" })),
        ("state_getRuntimeVersion", json!({ "specVersion": -1 })),
        ("state_getRuntimeVersion", json!([])),
        ("state_call", json!("0x")),
        ("state_call", json!("0xff")),
        ("state_call", json!("without a prefix")),
        ("state_getStorage", json!("0x01")),
        ("state_getStorage", json!({ "a": 1 })),
    ];
    for (method, answer) in rows {
        let middle = Middle::before(&world.node.url(), instead(method, answer.clone())).await;
        let short = Settings { deadline: Duration::from_millis(700), ..settings() };
        let error = match Subtensor::connect(&[middle.url()], short).await {
            Ok(_) => panic!("{method} {answer}: connected"),
            Err(error) => error,
        };
        assert!(matches!(error, Error::Disconnected { .. }), "{method} {answer}: {error}");
    }
    // Once connected, an error is that of the question.
    for answer in [json!([]), json!([{ "block": "0x", "changes": [["0x00", null]] }]), json!("0x")] {
        let middle = Middle::before(&world.node.url(), instead("state_queryStorageAt", answer.clone())).await;
        let chain = connect(&middle).await;
        let error = chain.metagraph(NETUID, BlockNumber(0)).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{answer}: {error}");
        assert_eq!(chain.connections(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_must_have_the_hash_that_was_asked_for() {
    let world = World::new(hyperparameters()).await;
    let direct = world.connect().await;
    let genesis = direct.genesis_hash().await.unwrap();
    world.blocks(&direct, 1).await;
    // The head is block 1, the header that is given that of genesis.
    let middle =
        Middle::before(&world.node.url(), instead("chain_getFinalizedHead", json!(format!("0x{genesis}")))).await;
    let chain = connect(&middle).await;
    assert_eq!(chain.head().await.unwrap().number, BlockNumber(0), "that one is consistent");
    let other = json!(format!("0x{}", "11".repeat(32)));
    let middle = Middle::before(&world.node.url(), instead("chain_getFinalizedHead", other)).await;
    let short = Settings { deadline: Duration::from_millis(700), ..settings() };
    assert!(Subtensor::connect(&[middle.url()], short).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_not_read() {
    let world = World::new(hyperparameters()).await;
    let large = json!(format!("0x{}", "00".repeat(2_000_000)));
    let middle = Middle::before(&world.node.url(), instead("state_queryStorageAt", large)).await;
    let small = Settings { largest_answer: 2_000_000, deadline: Duration::from_secs(3), ..settings() };
    let chain = Subtensor::connect(&[middle.url()], small).await.unwrap();
    let error = chain.hyperparameters(NETUID, BlockNumber(0)).await.unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. } | Error::DeadlineExceeded { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_set_by_the_call_that_the_sdk_uses() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let extrinsic = chain.prepare_set_weights(NETUID, &[(Uid(1), 1)], 0, &key("Validator")).await.unwrap();
    let runtime = chain.runtime().await.unwrap();
    let read = runtime.read_extrinsic(&extrinsic.bytes).unwrap();
    assert_eq!(read.call[..2], [7, 119]);
    assert_eq!((read.hash, read.signer), (extrinsic.hash, key("Validator").public()));
}
