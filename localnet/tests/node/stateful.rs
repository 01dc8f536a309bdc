//! A chain of spec 425: epochs by state of their own.

use std::collections::BTreeMap;

use codec::Encode;
use commit_reveal::{BeaconKey, Payload, PublicKey, Weights, encrypt};
use domain::types::{HexBytes, NetUid};
use localnet::extrinsic::{Signing, sign};
use localnet::runtime::bounded_collections::bounded_vec::BoundedVec;
use localnet::runtime::pallet_subtensor::pallet::Call;
use localnet::runtime::pallet_subtensor::rpc_info::metagraph::Metagraph;
use localnet::runtime::primitive_types::H256;
use localnet::runtime::sp_core::crypto::AccountId32;
use localnet::{Beacon, Failure, GenesisSubnet, Hyperparameters, Schedule, Specification, blake2_256};
use yuma::schedule::stateful::{self, State};

use super::world::{NETUID, World, account, key, specification, weights};

const NEXT_EPOCH: &str = "SubnetInfoRuntimeApi_get_next_epoch_start_block";

fn stateful_specification(hyperparameters: Hyperparameters) -> Specification {
    Specification { schedule: Schedule::Stateful, ..specification(hyperparameters) }
}

/// Tempo 6 and no limit on updates.
fn committing() -> Hyperparameters {
    Hyperparameters { tempo: 6, commit_reveal_enabled: true, weights_rate_limit: 0, ..Hyperparameters::default() }
}

fn next_epoch(world: &World, netuid: u16) -> Option<u64> {
    world.ask(NEXT_EPOCH, netuid, world.height())
}

#[test]
fn epochs_follow_the_last_one_and_share_blocks() {
    let mut specification = stateful_specification(Hyperparameters { tempo: 5, ..Hyperparameters::default() });
    let tempos = BTreeMap::from([(1, 5), (2, 5), (3, 5), (4, 5), (5, 7), (6, 0)]);
    for (netuid, tempo) in tempos.iter().filter(|(netuid, _)| **netuid != NETUID) {
        let hyperparameters = Hyperparameters { tempo: *tempo, ..Hyperparameters::default() };
        let neurons = specification.subnets[0].neurons.clone();
        let subnet = GenesisSubnet { netuid: NetUid(*netuid), hyperparameters, owner: None, neurons };
        specification.subnets.push(subnet);
    }
    let mut world = World::of(specification);
    let mut model: BTreeMap<u16, State> =
        tempos.iter().map(|(netuid, tempo)| (*netuid, State { tempo: *tempo, ..State::default() })).collect();
    let mut shared = 0;
    for block in 1..=60u64 {
        world.advance(1);
        let computed = stateful::advance(&mut model, block, 2);
        shared += usize::from(computed == [3, 4]);
        for (netuid, state) in &model {
            let metagraph: Option<Metagraph<AccountId32>> =
                world.ask("SubnetInfoRuntimeApi_get_metagraph", *netuid, world.height());
            let metagraph = metagraph.unwrap();
            let found = (metagraph.last_step.0, metagraph.blocks_since_last_step.0);
            assert_eq!(found, (state.last_epoch_block, state.blocks_since_last_step), "{netuid} at {block}");
        }
        if block == 33 {
            world = world.killed_and_started();
        }
    }
    assert!(shared > 0, "four subnets were due at once, and two of them waited");
    assert_eq!(next_epoch(&world, 6), None);
    assert_eq!(next_epoch(&world, 5), model[&5].next_epoch(60));
    let metagraph = world.metagraph();
    assert_eq!((metagraph.activity_cutoff.0, metagraph.rank.len(), metagraph.trust.len()), (5000, 5, 5));
}

#[test]
fn a_hash_is_revealed_in_the_epoch_after_its_own() {
    const SALT: [u16; 2] = [1, 2];
    let world = World::of(stateful_specification(committing()));
    let commit = |uid: u16| {
        let hash = blake2_256(&(account("Alice"), NETUID, vec![uid], vec![9u16], SALT.as_slice(), 0u64).encode());
        Call::commit_weights { netuid: NETUID, commit_hash: H256(hash) }
    };
    let reveal = |uid: u16| Call::reveal_weights {
        netuid: NETUID,
        uids: vec![uid],
        values: vec![9],
        salt: SALT.to_vec(),
        version_key: 0,
    };
    assert_eq!(world.call("Alice", commit(2)), "");
    assert_eq!(world.call("Alice", commit(3)), "");
    assert_eq!(next_epoch(&world, NETUID), Some(6));
    assert_eq!(world.call("Alice", reveal(2)), "RevealTooEarly");
    world.advance(2);
    assert_eq!(world.height(), 5);
    // Calls of block 6 come after its epoch, and are the first of the next.
    assert_eq!(world.call("Alice", reveal(2)), "");
    assert_eq!(world.weights_at(0, 6), [(2, 65535)]);
    assert_eq!(world.call("Alice", commit(4)), "");
    world.advance(11 - world.height());
    assert_eq!(world.call("Alice", reveal(3)), "ExpiredWeightCommit", "block 12 belongs to epoch 2");
    assert_eq!(world.call("Alice", reveal(4)), "");
}

#[test]
fn what_was_locked_is_opened_before_the_epoch_that_counts_it() {
    let seed = HexBytes([5; 32]);
    let mut specification = stateful_specification(committing());
    specification.beacon = Some(Beacon { seed, period: 3, genesis_time: 0 });
    let world = World::of(specification);
    let public_key = PublicKey::from_bytes(&BeaconKey::from_seed(&seed.0).public_key().unwrap()).unwrap();
    let locked = |uid: u16, round: u64| {
        let weights = Weights { uids: vec![uid, 4], values: vec![1, 2], version_key: 0 };
        let payload = Payload::new(&key("Alice").public(), weights).to_bytes();
        Call::commit_timelocked_mechanism_weights {
            netuid: NETUID,
            mecid: 0,
            commit: BoundedVec(encrypt(&payload, round, &public_key, [7; 32]).unwrap()),
            reveal_round: round,
            commit_reveal_version: 4,
        }
    };
    // Round 11 is signed at 30 s: a block lasts 12 s.
    assert_eq!(world.call("Alice", locked(2, 11)), "");
    world.advance(5 - world.height());
    assert_eq!(world.weights_at(0, 5), [], "its round is signed, its epoch not over");
    // Epoch 0 ends with block 5: block 6 opens it, and its own epoch counts it.
    world.advance(1);
    assert_eq!(world.weights_at(0, 6), [(2, 32768), (4, 65535)]);
    let incentives: Vec<u16> = world.metagraph_at(6).incentives.iter().map(|share| share.0).collect();
    assert!(incentives[2] > 0 && incentives[4] > incentives[2] && incentives[3] == 0, "{incentives:?}");
    // A commit in the block of an epoch is one of the next: it waits for block 18.
    world.advance(11 - world.height());
    assert_eq!(world.call("Alice", locked(3, 41)), "");
    world.advance(17 - world.height());
    assert_eq!(world.weights_at(0, 17), [(2, 32768), (4, 65535)]);
    world.advance(1);
    assert_eq!(world.weights_at(0, 18), [(3, 32768), (4, 65535)]);
}

#[test]
fn the_runtime_is_another() {
    let world = World::of(stateful_specification(Hyperparameters::default()));
    let alice = key("Alice");
    let old = Signing { spec_version: 393, ..world.signing(&alice) };
    let refusal = world.node.submit(&sign(&weights(&[(2, 1)]).into(), &old, &alice)).unwrap_err();
    assert_eq!((refusal.code, refusal.data.as_str()), (1010, "Transaction has a bad signature"));
    assert_eq!(world.call("Alice", weights(&[(2, 1)])), "");
    let legacy = World::new();
    let refused = legacy.node.read(|state| state.call(NEXT_EPOCH, &NETUID.encode(), 0));
    assert_eq!(refused, Err(Failure::UnknownMethod));
}
