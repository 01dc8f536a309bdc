//! What is read, at the newest block and before it.

use std::time::Duration;

use chain::{Call, Chain, Error, ExtrinsicOutcome, Hyperparameters};
use domain::types::{BlockNumber, NetUid, Rao, Uid};

use crate::world::{NETUID, World, hyperparameters, key};

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_followed() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let genesis = chain.head().await.unwrap();
    assert_eq!((genesis.number, genesis.hash), (BlockNumber(0), chain.genesis_hash().await.unwrap()));
    assert_eq!(chain.await_block(BlockNumber(0), Duration::from_millis(50)).await.unwrap(), None);
    assert_eq!(world.blocks(&chain, 3).await, BlockNumber(3));
    let head = chain.head().await.unwrap();
    assert_eq!(head.number, BlockNumber(3));
    assert_eq!(chain.block_hash(BlockNumber(2)).await.unwrap(), Some(head.parent));
    assert_eq!(chain.block_hash(BlockNumber(3)).await.unwrap(), Some(head.hash));
    assert_eq!(chain.block_hash(BlockNumber(4)).await.unwrap(), None);
    assert!(head.timestamp_ms > genesis.timestamp_ms, "{head:?}");
    let future = chain.metagraph(NETUID, BlockNumber(4)).await.unwrap_err();
    assert!(matches!(future, Error::UnknownBlock(BlockNumber(4))), "{future}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metagraph_is_that_of_its_block() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    world.blocks(&chain, 1).await;
    let metagraph = chain.metagraph(NETUID, BlockNumber(1)).await.unwrap();
    assert_eq!(metagraph.block_hash, chain.block_hash(BlockNumber(1)).await.unwrap().unwrap());
    assert_eq!(metagraph.owner, None);
    // Subnet 1 with tempo 1000: epochs at blocks 998, 1999, …
    assert_eq!((metagraph.epoch.index, metagraph.epoch.next_block), (0, BlockNumber(998)));
    let names = ["Validator", "Miner1", "Miner2"];
    assert_eq!(metagraph.neurons.len(), names.len());
    for (uid, (neuron, name)) in metagraph.neurons.iter().zip(names).enumerate() {
        assert_eq!((neuron.uid, neuron.hotkey), (Uid(uid as u16), key(name).hotkey()));
        assert_eq!(neuron.coldkey, key("Owner").hotkey());
        assert_eq!(neuron.registered_at, BlockNumber(0));
    }
    let [validator, miner1, miner2] = &metagraph.neurons[..] else { panic!("three") };
    assert!(validator.validator_permit && validator.stake > miner2.stake && miner2.stake > Rao(0));
    assert_eq!(miner1.axon(), Some("127.0.0.1:8091".parse().unwrap()));
    assert_eq!((validator.axon(), miner2.axon()), (None, None));

    let hotkey = key("New").hotkey();
    let extrinsic = chain.prepare(&Call::BurnedRegister { netuid: NETUID, hotkey }, &key("Coldkey")).await.unwrap();
    assert_eq!(world.include(&chain, &extrinsic).await.outcome, ExtrinsicOutcome::Succeeded);
    assert_eq!(chain.uid_of(NETUID, &hotkey, BlockNumber(1)).await.unwrap(), None);
    assert_eq!(chain.uid_of(NETUID, &hotkey, BlockNumber(2)).await.unwrap(), Some(Uid(3)));
    let newer = chain.metagraph(NETUID, BlockNumber(2)).await.unwrap();
    let joined = newer.neuron_of(&hotkey).unwrap();
    assert_eq!((joined.coldkey, joined.registered_at), (key("Coldkey").hotkey(), BlockNumber(2)));
    assert_eq!(chain.metagraph(NETUID, BlockNumber(1)).await.unwrap(), metagraph, "the past does not change");
    let unknown = chain.metagraph(NetUid(9), BlockNumber(1)).await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownSubnet { netuid: NetUid(9), block: BlockNumber(1) }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hyperparameters_are_read_entry_by_entry() {
    let set = localnet::Hyperparameters {
        tempo: 77,
        weights_rate_limit: 3,
        min_allowed_weights: 2,
        max_weight_limit: 60_000,
        weights_version_key: 9,
        reveal_period_epochs: 2,
        immunity_period: 11,
        max_allowed_uids: 99,
        max_allowed_validators: 8,
        serving_rate_limit: 4,
        stake_threshold: 10,
        activity_cutoff: 1234,
        mechanism_count: 2,
        ..localnet::Hyperparameters::default()
    };
    let world = World::new(set).await;
    let chain = world.connect().await;
    let expected = Hyperparameters {
        tempo: 77,
        weights_rate_limit: 3,
        min_allowed_weights: 2,
        max_weight_limit: 60_000,
        weights_version_key: 9,
        commit_reveal_enabled: false,
        reveal_period_epochs: 2,
        immunity_period: 11,
        max_allowed_uids: 99,
        max_allowed_validators: 8,
        serving_rate_limit: 4,
        stake_threshold: Rao(10),
        activity_cutoff: 1234,
        mechanism_count: 2,
        commit_reveal_version: 4,
    };
    assert_eq!(chain.hyperparameters(NETUID, BlockNumber(0)).await.unwrap(), expected);
    let unknown = chain.hyperparameters(NetUid(9), BlockNumber(0)).await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownSubnet { .. }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_stands_until_the_next() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    let (validator, hotkey) = (key("Validator"), key("Validator").hotkey());
    assert_eq!(chain.anchor_of(NETUID, &hotkey, BlockNumber(0)).await.unwrap(), None);
    for (data, block) in [(vec![1; 40], 1), (vec![], 2), (vec![255; 128], 3)] {
        let extrinsic = chain.prepare_anchor(NETUID, &data, &validator).await.unwrap();
        assert_eq!(world.include(&chain, &extrinsic).await.outcome, ExtrinsicOutcome::Succeeded, "{data:?}");
        let found = chain.anchor_of(NETUID, &hotkey, BlockNumber(block)).await.unwrap().expect("an anchor");
        assert_eq!((found.data, found.block), (data, BlockNumber(block)));
    }
    let first = chain.anchor_of(NETUID, &hotkey, BlockNumber(1)).await.unwrap().unwrap();
    assert_eq!(first.data, vec![1; 40]);
    let long = chain.prepare_anchor(NETUID, &[0; 129], &validator).await.unwrap_err();
    assert!(matches!(long, Error::InvalidInput { .. }), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_axon_is_announced_and_found() {
    let world = World::new(hyperparameters()).await;
    let chain = world.connect().await;
    for (address, block) in [("10.1.2.3:9000", 1), ("[2001:db8::7]:9001", 2)] {
        let axon: std::net::SocketAddr = address.parse().unwrap();
        let call = Call::ServeAxon { netuid: NETUID, ip: axon.ip(), port: axon.port() };
        let extrinsic = chain.prepare(&call, &key("Miner2")).await.unwrap();
        assert_eq!(world.include(&chain, &extrinsic).await.outcome, ExtrinsicOutcome::Succeeded, "{address}");
        let metagraph = chain.metagraph(NETUID, BlockNumber(block)).await.unwrap();
        assert_eq!(metagraph.neurons[2].axon(), Some(axon));
    }
}
