//! Weights of every kind: rows of all validators, mechanisms, commits, what consensus made of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chain::{Call, Chain, Error, ExtrinsicOutcome, Schedule, WeightEvent, WeightRow};
use commit_reveal::{BeaconKey, Payload, PublicKey, Weights, encrypt};
use domain::types::{BlockNumber, HexBytes, NetUid, Uid};
use localnet::Hyperparameters;

use crate::world::{NETUID, World, hyperparameters, key, specification};

fn set(mechanism: u8, weights: &[(u16, u16)]) -> Call {
    let (uids, weights) = weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).unzip();
    Call::SetMechanismWeights { netuid: NETUID, mechanism, uids, weights, version_key: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn mechanisms_have_rows_of_their_own() {
    let world = World::new(Hyperparameters { mechanism_count: 2, ..hyperparameters() }).await;
    let chain = world.connect().await;
    world.blocks(&chain, 5).await;
    for (mechanism, weights) in [(0, [(1, 10), (2, 20)]), (1, [(1, 30), (2, 10)])] {
        let extrinsic = chain.prepare(&set(mechanism, &weights), &key("Validator")).await.unwrap();
        let inclusion = world.include(&chain, &extrinsic).await;
        assert_eq!(inclusion.outcome, ExtrinsicOutcome::Succeeded, "{mechanism}");
        let events = chain.weight_events(NETUID, inclusion.block).await.unwrap();
        assert_eq!(events, [WeightEvent::Set { mechanism, uid: Uid(0) }]);
        assert_eq!(chain.weight_events(NetUid(2), inclusion.block).await.unwrap(), []);
    }
    let row = |weights: [(u16, u16); 2]| {
        let weights = weights.map(|(uid, weight)| (Uid(uid), weight)).to_vec();
        vec![WeightRow { uid: Uid(0), weights }]
    };
    let head = chain.head().await.unwrap().number;
    assert_eq!(chain.weight_rows(NETUID, 0, head).await.unwrap(), row([(1, 32768), (2, 65535)]));
    assert_eq!(chain.weight_rows(NETUID, 1, head).await.unwrap(), row([(1, 65535), (2, 21845)]));
    assert_eq!(chain.weight_rows(NETUID, 1, BlockNumber(6)).await.unwrap(), []);
    let standing = chain.standing(NETUID, 1, head).await.unwrap();
    assert_eq!(standing.last_update.first(), Some(&BlockNumber(7)));
    let none = chain.weight_rows(NETUID, 16, head).await.unwrap_err();
    assert!(matches!(none, Error::InvalidInput { .. }), "{none}");
}

/// Two processes with one key can meet in one block.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_extrinsic_of_a_block_did_is_told_apart() {
    let world = World::new(Hyperparameters { mechanism_count: 2, ..hyperparameters() }).await;
    let chain = world.connect().await;
    world.blocks(&chain, 5).await;
    let mut sent = Vec::new();
    for mechanism in [1, 0] {
        let extrinsic = chain.prepare(&set(mechanism, &[(1, 1)]), &key("Validator")).await.unwrap();
        chain.submit(&extrinsic).await.unwrap();
        sent.push((mechanism, extrinsic));
    }
    world.blocks(&chain, 1).await;
    assert_eq!(chain.weight_events(NETUID, BlockNumber(6)).await.unwrap().len(), 2);
    for (mechanism, extrinsic) in sent {
        let status = chain.extrinsic_status(&extrinsic.reference()).await.unwrap();
        let chain::ExtrinsicStatus::Included(inclusion) = status else { panic!("{status:?}") };
        assert_eq!(inclusion.block, BlockNumber(6));
        let events = chain.weight_events_of(NETUID, inclusion.block, inclusion.index).await.unwrap();
        assert_eq!(events, [WeightEvent::Set { mechanism, uid: Uid(0) }]);
        let other = chain.weight_events_of(NetUid(2), inclusion.block, inclusion.index).await.unwrap();
        assert_eq!(other, []);
    }
    assert_eq!(chain.weight_events_of(NETUID, BlockNumber(6), 99).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn consensus_is_read_back_after_an_epoch() {
    let world = World::new(Hyperparameters { tempo: 10, ..hyperparameters() }).await;
    let chain = world.connect().await;
    world.blocks(&chain, 5).await;
    let extrinsic = chain.prepare(&set(0, &[(1, 1), (2, 3)]), &key("Validator")).await.unwrap();
    world.include(&chain, &extrinsic).await;
    let epoch = chain.metagraph(NETUID, BlockNumber(6)).await.unwrap().epoch;
    // Subnet 1 with tempo 10: (block + 2) mod 11 = 10 at blocks 8, 19, 30.
    assert_eq!((epoch.index, epoch.next_block), (0, BlockNumber(8)));
    world.blocks(&chain, 14).await;
    let epoch = chain.metagraph(NETUID, BlockNumber(20)).await.unwrap().epoch;
    assert_eq!((epoch.index, epoch.last_block, epoch.next_block), (2, BlockNumber(19), BlockNumber(30)));
    let standing = chain.standing(NETUID, 0, BlockNumber(20)).await.unwrap();
    assert_eq!(standing.incentive.len(), 3);
    assert_eq!(standing.incentive[0], 0);
    assert!(standing.incentive[2] > standing.incentive[1] && standing.incentive[1] > 0, "{standing:?}");
    assert!(standing.dividends[0] > 0 && standing.validator_trust[0] > 0, "{standing:?}");
    assert!(standing.emission[2] > standing.emission[1], "{standing:?}");
    assert_eq!(standing.active.len(), 3);
    let before = chain.standing(NETUID, 0, BlockNumber(7)).await.unwrap();
    assert!(before.incentive.iter().all(|share| *share == 0), "{before:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_is_committed_and_revealed() {
    let world = World::new(Hyperparameters { tempo: 10, commit_reveal_enabled: true, ..hyperparameters() }).await;
    let chain = world.connect().await;
    assert!(chain.hyperparameters(NETUID, BlockNumber(0)).await.unwrap().commit_reveal_enabled);
    world.blocks(&chain, 5).await;
    let (validator, hotkey) = (key("Validator"), key("Validator").hotkey());
    let (uids, weights, salt) = (vec![Uid(1), Uid(2)], vec![5, 65535], vec![1, 2, 3]);
    let hash = HexBytes(commit_reveal::weights_hash(&validator.public(), NETUID.0, &[1, 2], &weights, &salt, 0));
    let commit = Call::CommitWeights { netuid: NETUID, mechanism: 0, hash };
    let extrinsic = chain.prepare(&commit, &validator).await.unwrap();
    let inclusion = world.include(&chain, &extrinsic).await;
    assert_eq!(inclusion.outcome, ExtrinsicOutcome::Succeeded);
    let events = chain.weight_events(NETUID, inclusion.block).await.unwrap();
    assert_eq!(events, [WeightEvent::Committed { mechanism: 0, hotkey, hash }]);

    let reveal = Call::RevealWeights { netuid: NETUID, mechanism: 0, uids, weights, salt, version_key: 0 };
    let early = chain.prepare(&reveal, &validator).await.unwrap();
    assert_eq!(world.include(&chain, &early).await.outcome, crate::world::failed("RevealTooEarly"));
    world.blocks(&chain, 6).await;
    let extrinsic = chain.prepare(&reveal, &validator).await.unwrap();
    let inclusion = world.include(&chain, &extrinsic).await;
    assert_eq!(inclusion.outcome, ExtrinsicOutcome::Succeeded);
    let events = chain.weight_events(NETUID, inclusion.block).await.unwrap();
    assert!(events.contains(&WeightEvent::Revealed { mechanism: 0, hotkey, hash }), "{events:?}");
    let row = chain.weights(NETUID, Uid(0), inclusion.block).await.unwrap();
    assert_eq!(row, [(Uid(1), 5), (Uid(2), 65535)]);
}

/// The whole way of weights that nobody can read before their time: the schedule is asked for, the commit locked for the
/// round of the chain's own beacon, and the chain opens it.
#[tokio::test(flavor = "multi_thread")]
async fn a_timelocked_commit_is_opened_by_the_chain() {
    let (seed, period) = (HexBytes([3; 32]), 1);
    let set = Hyperparameters { tempo: 10, commit_reveal_enabled: true, ..hyperparameters() };
    let mut specification = specification(set);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    specification.beacon = Some(localnet::Beacon { seed, period, genesis_time: now.as_secs() as u32 - 1000 });
    let world = World::of(&specification, None).await;
    let chain = world.connect().await;
    world.blocks(&chain, 5).await;
    let (validator, hotkey) = (key("Validator"), key("Validator").hotkey());
    let head = chain.head().await.unwrap();
    let Schedule::Legacy { tempo } = chain.schedule(NETUID, head.number).await.unwrap() else { panic!("legacy") };
    assert_eq!(tempo, 10);
    // A round two to three seconds from now: the chain refuses one that is signed already, and the test makes its blocks later.
    let secret = BeaconKey::from_seed(&seed.0);
    let round = 1003;
    let weights = Weights { uids: vec![1, 2], values: vec![65535, 6], version_key: 0 };
    let payload = Payload::new(&validator.public(), weights).to_bytes();
    let key = PublicKey::from_bytes(&secret.public_key().unwrap()).unwrap();
    let commit = encrypt(&payload, round, &key, [9; 32]).unwrap();
    let version = chain.hyperparameters(NETUID, head.number).await.unwrap().commit_reveal_version;
    let call = Call::CommitTimelockedMechanismWeights {
        netuid: NETUID,
        mechanism: 0,
        commit,
        reveal_round: round,
        commit_reveal_version: version,
    };
    let extrinsic = chain.prepare(&call, &validator).await.unwrap();
    let inclusion = world.include(&chain, &extrinsic).await;
    assert_eq!(inclusion.outcome, ExtrinsicOutcome::Succeeded);
    let events = chain.weight_events(NETUID, inclusion.block).await.unwrap();
    let [WeightEvent::TimelockedCommitted { mechanism: 0, hotkey: committer, reveal_round, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*committer, *reveal_round), (hotkey, round));
    assert_eq!(chain.weights(NETUID, Uid(0), inclusion.block).await.unwrap(), []);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut opened = None;
    for _ in 0..30 {
        let block = world.blocks(&chain, 1).await;
        let events = chain.weight_events(NETUID, block).await.unwrap();
        if events.contains(&WeightEvent::TimelockedRevealed { mechanism: 0, hotkey }) {
            opened = Some(block);
            break;
        }
    }
    let opened = opened.expect("an opened commit");
    let row = chain.weights(NETUID, Uid(0), opened).await.unwrap();
    assert_eq!(row, [(Uid(1), 65535), (Uid(2), 6)]);
}
