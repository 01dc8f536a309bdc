//! Connections that die in every way.

use std::time::{Duration, Instant};

use chain::{Chain, Error};
use domain::types::BlockNumber;
use subtensor::{Settings, Subtensor};
use tokio::net::TcpListener;

use crate::proxy::Proxy;
use crate::world::{NETUID, World, hyperparameters, key, make_block, settings, specification};

async fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_replaced() {
    let world = World::new(hyperparameters()).await;
    let proxy = Proxy::to(world.node.address()).await;
    let quick =
        Settings { request_deadline: Duration::from_secs(1), probe_after: Duration::from_millis(500), ..settings() };
    let chain = Subtensor::connect(&[proxy.url()], quick).await.unwrap();
    assert_eq!((chain.connections(), proxy.accepted()), (1, 1));
    for round in 1..=3 {
        proxy.freeze();
        // Asked while the connection is dead: answered by the next one.
        let asked = Instant::now();
        let metagraph = chain.metagraph(NETUID, BlockNumber(0)).await.unwrap();
        assert_eq!(metagraph.neurons.len(), 3);
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!((chain.connections(), proxy.accepted()), (round + 1, round + 1));
    }
    // Blocks made meanwhile are told by the new one.
    make_block(&world.node);
    assert!(chain.await_block(BlockNumber(0), Duration::from_secs(5)).await.unwrap().is_some());
    until("dead connections are closed", Duration::from_secs(5), || proxy.open() == 1).await;
}

/// With the times that real networks are asked with, and nobody asking anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed_within_30_seconds() {
    let world = World::new(hyperparameters()).await;
    let proxy = Proxy::to(world.node.address()).await;
    let chain = Subtensor::connect(&[proxy.url()], Settings::default()).await.unwrap();
    proxy.freeze();
    let noticed = until("a new connection", Duration::from_secs(30), || chain.connections() == 2).await;
    eprintln!("noticed after {noticed:?}");
    assert_eq!(chain.head().await.unwrap().number, BlockNumber(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_is_found_again() {
    let genesis = specification(hyperparameters());
    let world = World::of(&genesis, None).await;
    let chain = world.connect().await;
    world.blocks(&chain, 2).await;
    let anchor = chain.prepare_anchor(NETUID, &[1], &key("Validator")).await.unwrap();
    let inclusion = world.include(&chain, &anchor).await;
    let world = world.restart(&genesis).await;
    // No error in between: the question waits for the new connection.
    assert_eq!(chain.head().await.unwrap().number, BlockNumber(3));
    make_block(&world.node);
    let head = chain.await_block(BlockNumber(3), Duration::from_secs(10)).await.unwrap().expect("a block");
    assert_eq!(head.number, BlockNumber(4));
    let status = chain.extrinsic_status(&anchor.reference()).await.unwrap();
    assert_eq!(status, chain::ExtrinsicStatus::Included(inclusion));
    assert!(chain.connections() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_endpoint_takes_over() {
    let world = World::new(hyperparameters()).await;
    // One that refuses, one that says nothing at all.
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = [format!("ws://{refusing}"), format!("ws://{}", silent.local_addr().unwrap()), world.node.url()];
    let patient = Settings { connect_deadline: Duration::from_millis(500), ..settings() };
    let chain = Subtensor::connect(&endpoints, patient).await.unwrap();
    assert_eq!(chain.url().await, Some(world.node.url()));
    assert_eq!(chain.head().await.unwrap().number, BlockNumber(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_it_is_said_which_and_why() {
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("ws://{refusing}");
    let short = Settings { deadline: Duration::from_millis(500), ..settings() };
    let error = Subtensor::connect(std::slice::from_ref(&url), short).await.unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. }), "{error}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("refused"), "{error}");
    for endpoints in [vec![], vec!["http://127.0.0.1:1".to_owned()], vec![url; 17]] {
        let error = Subtensor::connect(&endpoints, settings()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidInput { field: "endpoint", .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_is_no_substitute() {
    let (first, mut other) = (specification(hyperparameters()), specification(hyperparameters()));
    other.seed = Some(domain::types::HexBytes([8; 32]));
    let (world, stranger) = (World::of(&first, None).await, World::of(&other, None).await);
    let short = Settings { deadline: Duration::from_secs(2), ..settings() };
    let chain = Subtensor::connect(&[world.node.url(), stranger.node.url()], short).await.unwrap();
    let genesis = chain.genesis_hash().await.unwrap();
    drop(world);
    let start = Instant::now();
    let error = loop {
        match chain.block_hash(BlockNumber(0)).await {
            // The connection may not be known to be lost yet.
            Ok(Some(hash)) => assert_eq!(hash, genesis),
            Ok(None) => panic!("no genesis"),
            Err(error) => break error,
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(matches!(error, Error::Disconnected { .. }), "{error}");
    assert_eq!(chain.genesis_hash().await.unwrap(), genesis);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_new_blocks_is_given_up() {
    let world = World::new(hyperparameters()).await;
    let impatient = Settings { block_time: Duration::from_millis(100), silent_blocks: 5, ..settings() };
    let chain = world.connect_with(impatient).await;
    until("a second connection", Duration::from_secs(5), || chain.connections() >= 2).await;
    // Pauses grow: half a minute of silence would not be hundreds of connections.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(chain.connections() <= 6, "{}", chain.connections());
    assert_eq!(chain.head().await.unwrap().number, BlockNumber(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_it_closes_the_connection() {
    let world = World::new(hyperparameters()).await;
    let proxy = Proxy::to(world.node.address()).await;
    let chain = Subtensor::connect(&[proxy.url()], settings()).await.unwrap();
    assert_eq!(proxy.open(), 1);
    drop(chain);
    until("closed", Duration::from_secs(5), || proxy.open() == 0).await;
}

/// A key in an address is for the node alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_of_an_address_are_not_told() {
    let world = World::new(hyperparameters()).await;
    let address = world.node.address();
    let tells =
        |text: &str| ["someone", "pass-word", "path-key", "query-key"].iter().any(|secret| text.contains(secret));
    let chain = Subtensor::connect(&[format!("ws://{address}/?apikey=query-key")], settings()).await.unwrap();
    assert_eq!(chain.url().await, Some(format!("ws://{address}")));
    let error = chain.metagraph(domain::types::NetUid(9), BlockNumber(0)).await.unwrap_err();
    let lacks = chain.lacks("anything".to_owned());
    for text in [format!("{chain:?}"), format!("{error} {error:?}"), format!("{lacks} {lacks:?}")] {
        assert!(!tells(&text), "{text}");
    }
    assert!(lacks.to_string().contains(&address.to_string()), "{lacks}");

    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let rows = [
        format!("ws://someone:pass-word@{refusing}/path-key?apikey=query-key"),
        // Whoever listens there speaks no HTTP, or no TLS.
        format!("wss://someone:pass-word@{address}/path-key?apikey=query-key"),
        "ws://someone:pass-word@localhost:x/path-key".to_owned(),
        "https://someone:pass-word@localhost/path-key?apikey=query-key".to_owned(),
    ];
    for url in rows {
        let short = Settings { deadline: Duration::from_millis(500), ..settings() };
        let error = Subtensor::connect(&[url], short).await.unwrap_err();
        assert!(!tells(&format!("{error} {error:?}")), "{error:?}");
    }
}
