//! A node whose epochs have state of their own: what the metadata tells is what is followed.

use std::time::{SystemTime, UNIX_EPOCH};

use chain::{Call, Chain, ExtrinsicOutcome, Schedule, WeightEvent};
use commit_reveal::{BeaconKey, Payload, PublicKey, Weights, encrypt};
use domain::types::{BlockNumber, HexBytes, Uid};
use localnet::{Beacon, Hyperparameters, Specification};
use subtensor::Subtensor;
use yuma::schedule::stateful::State;

use crate::world::{NETUID, World, hyperparameters, key, specification};

const SEED: HexBytes<32> = HexBytes([3; 32]);
/// The beacon's rounds are long, and the test begins in the second: what is locked for it is opened as soon as the epoch is.
const ROUND: u64 = 2;
const PERIOD: u32 = 10_000;

fn stateful(set: Hyperparameters) -> Specification {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let beacon = Beacon { seed: SEED, period: PERIOD, genesis_time: now - PERIOD - PERIOD / 2 };
    Specification { schedule: localnet::Schedule::Stateful, beacon: Some(beacon), ..specification(set) }
}

/// The schedule at a block, which must be that of the newer runtime.
async fn state(chain: &Subtensor, block: u64) -> State {
    let schedule = chain.schedule(NETUID, BlockNumber(block)).await.unwrap();
    let Schedule::Stateful { tempo, last_epoch_block, pending_epoch_at, blocks_since_last_step, epoch_index } =
        schedule
    else {
        panic!("{schedule:?}")
    };
    let (last_epoch_block, pending_epoch_at) = (last_epoch_block.0, pending_epoch_at.0);
    State { tempo, last_epoch_block, pending_epoch_at, blocks_since_last_step, epoch_index }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_and_what_follows_from_it_are_read() {
    let world = World::of(&stateful(Hyperparameters { tempo: 10, ..hyperparameters() }), None).await;
    let chain = world.connect().await;
    world.blocks(&chain, 23).await;
    let expected = |last, since, index| State {
        tempo: 10,
        last_epoch_block: last,
        pending_epoch_at: 0,
        blocks_since_last_step: since,
        epoch_index: index,
    };
    for (block, expected) in [(9, expected(0, 9, 0)), (10, expected(10, 0, 1)), (23, expected(20, 3, 2))] {
        assert_eq!(state(&chain, block).await, expected, "{block}");
    }
    let epoch = chain.metagraph(NETUID, BlockNumber(23)).await.unwrap().epoch;
    assert_eq!((epoch.index, epoch.last_block, epoch.next_block), (2, BlockNumber(20), BlockNumber(30)));
    // The runtime stores a share of the tempo.
    assert_eq!(chain.hyperparameters(NETUID, BlockNumber(23)).await.unwrap().activity_cutoff, 5000);
    let standing = chain.standing(NETUID, 0, BlockNumber(23)).await.unwrap();
    assert_eq!((standing.incentive.len(), standing.active.len()), (3, 3));
}

/// Commits are opened in the block that was foretold from the schedule, wherever in an epoch they are made.
#[tokio::test(flavor = "multi_thread")]
async fn commits_are_opened_in_the_foretold_block() {
    let set = Hyperparameters { tempo: 10, commit_reveal_enabled: true, weights_rate_limit: 0, ..hyperparameters() };
    let world = World::of(&stateful(set), None).await;
    let chain = world.connect().await;
    let validator = key("Validator");
    let public_key = PublicKey::from_bytes(&BeaconKey::from_seed(&SEED.0).public_key().unwrap()).unwrap();
    // The last is made in the block of an epoch, and so belongs to the next.
    for (head, foretold) in [(4, 10), (13, 20), (28, 30), (39, 50)] {
        let now = chain.head().await.unwrap().number.0;
        world.blocks(&chain, head - now).await;
        let schedule = commit_reveal::Schedule::Stateful(state(&chain, head).await);
        assert_eq!(commit_reveal::reveal_block(schedule, 1, head), Ok(foretold));
        let weights = Weights { uids: vec![1, 2], values: vec![65535, head as u16], version_key: 0 };
        let payload = Payload::new(&validator.public(), weights).to_bytes();
        let call = Call::CommitTimelockedMechanismWeights {
            netuid: NETUID,
            mechanism: 0,
            commit: encrypt(&payload, ROUND, &public_key, [9; 32]).unwrap(),
            reveal_round: ROUND,
            commit_reveal_version: 4,
        };
        let extrinsic = chain.prepare(&call, &validator).await.unwrap();
        let inclusion = world.include(&chain, &extrinsic).await;
        assert_eq!((inclusion.block, inclusion.outcome), (BlockNumber(head + 1), ExtrinsicOutcome::Succeeded));
        world.blocks(&chain, foretold - head - 1).await;
        let opened = [WeightEvent::TimelockedRevealed { mechanism: 0, hotkey: validator.hotkey() }];
        for block in head + 2..=foretold {
            let events = chain.weight_events(NETUID, BlockNumber(block)).await.unwrap();
            assert_eq!(events.contains(&opened[0]), block == foretold, "{head}: {events:?} in {block}");
        }
        let row = chain.weights(NETUID, Uid(0), BlockNumber(foretold)).await.unwrap();
        assert_eq!(row, [(Uid(1), 65535), (Uid(2), head as u16)]);
    }
}

/// A hash is opened by its sender: in the foretold block, and in none before it. Where epochs follow from the block's number, the block of
/// the commit counts, which may be the first of its epoch.
#[tokio::test(flavor = "multi_thread")]
async fn hashes_are_opened_from_the_foretold_block_on() {
    let set = Hyperparameters { tempo: 10, commit_reveal_enabled: true, weights_rate_limit: 0, ..hyperparameters() };
    let legacy = commit_reveal::Schedule::Legacy { netuid: NETUID.0, tempo: 10 };
    let rows = [
        (stateful(set.clone()), [(4, 10), (13, 20), (39, 50)]),
        // Epochs begin in blocks 9, 20, 31 and 42.
        (specification(set), [(4, 9), (19, 31), (40, 42)]),
    ];
    for (specification, commits) in rows {
        let world = World::of(&specification, None).await;
        let chain = world.connect().await;
        let validator = key("Validator");
        for (head, foretold) in commits {
            let now = chain.head().await.unwrap().number.0;
            world.blocks(&chain, head - now).await;
            let found = match chain.schedule(NETUID, BlockNumber(head)).await.unwrap() {
                Schedule::Legacy { .. } => commit_reveal::reveal_block(legacy, 1, head + 1),
                Schedule::Stateful { .. } => {
                    commit_reveal::reveal_block(commit_reveal::Schedule::Stateful(state(&chain, head).await), 1, head)
                }
            };
            assert_eq!(found, Ok(foretold), "{head}");
            let (uids, weights, salt) = (vec![Uid(1), Uid(2)], vec![65535, head as u16], vec![7; 8]);
            let hash = commit_reveal::weights_hash(&validator.public(), NETUID.0, &[1, 2], &weights, &salt, 0);
            let commit = Call::CommitWeights { netuid: NETUID, mechanism: 0, hash: HexBytes(hash) };
            let extrinsic = chain.prepare(&commit, &validator).await.unwrap();
            let inclusion = world.include(&chain, &extrinsic).await;
            assert_eq!((inclusion.block, inclusion.outcome), (BlockNumber(head + 1), ExtrinsicOutcome::Succeeded));
            let reveal = Call::RevealWeights { netuid: NETUID, mechanism: 0, uids, weights, salt, version_key: 0 };
            // In the block before, if that is not the commit's own, and in the foretold one.
            world.blocks(&chain, (foretold - head - 1).saturating_sub(2)).await;
            for block in (head + 2).max(foretold - 1)..=foretold {
                let extrinsic = chain.prepare(&reveal, &validator).await.unwrap();
                let inclusion = world.include(&chain, &extrinsic).await;
                let expected = match block == foretold {
                    true => ExtrinsicOutcome::Succeeded,
                    false => crate::world::failed("RevealTooEarly"),
                };
                assert_eq!((inclusion.block, inclusion.outcome), (BlockNumber(block), expected), "{head}");
            }
            let row = chain.weights(NETUID, Uid(0), BlockNumber(foretold)).await.unwrap();
            assert_eq!(row, [(Uid(1), 65535), (Uid(2), head as u16)]);
        }
    }
}
