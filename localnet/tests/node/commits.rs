//! Weights that are committed first and revealed later.

use codec::Encode;
use commit_reveal::{BeaconKey, Payload, PublicKey, Weights, encrypt};
use domain::types::HexBytes;
use localnet::runtime::bounded_collections::bounded_vec::BoundedVec;
use localnet::runtime::node_subtensor_runtime::RuntimeEvent;
use localnet::runtime::pallet_development::pallet::Call as Development;
use localnet::runtime::pallet_subtensor::pallet::{Call, Event};
use localnet::runtime::primitive_types::H256;
use localnet::{Beacon, Hyperparameters, blake2_256};

use super::world::{NETUID, World, account, key, specification, weights};

const SALT: [u16; 4] = [9, 8, 7, 6];

/// Subnet 2 with tempo 6: epochs are numbered (block + 3) / 7.
fn hyperparameters() -> Hyperparameters {
    Hyperparameters { tempo: 6, commit_reveal_enabled: true, weights_rate_limit: 2, ..Hyperparameters::default() }
}

fn commit(uids: &[u16], values: &[u16]) -> Call {
    let hash = blake2_256(&(account("Alice"), NETUID, uids, values, SALT.as_slice(), 0u64).encode());
    Call::commit_weights { netuid: NETUID, commit_hash: H256(hash) }
}

fn reveal(uids: &[u16], values: &[u16]) -> Call {
    Call::reveal_weights {
        netuid: NETUID,
        uids: uids.to_vec(),
        values: values.to_vec(),
        salt: SALT.to_vec(),
        version_key: 0,
    }
}

#[test]
fn a_hash_is_revealed_in_its_epoch_only() {
    let world = World::with(hyperparameters());
    assert_eq!(world.call("stranger", commit(&[2], &[1])), "HotKeyNotRegisteredInSubNet");
    assert_eq!(world.call("Alice", reveal(&[2], &[1])), "NoWeightsCommitFound");
    assert_eq!(world.call("Alice", commit(&[2, 3], &[1, 3])), "");
    assert_eq!(world.height(), 3, "epoch 0 holds blocks 0 to 3");
    assert_eq!(world.neuron_at(0, 3).last_update.0, 3);
    assert_eq!(world.call("Alice", commit(&[2], &[1])), "CommittingWeightsTooFast");
    // Epoch 1: blocks 4 to 10.
    assert_eq!(world.call("Alice", reveal(&[2], &[1])), "InvalidRevealCommitHashNotMatch");
    assert_eq!(world.call("Alice", commit(&[4], &[5])), "");
    assert_eq!(world.call("Alice", reveal(&[4], &[5])), "RevealTooEarly");
    assert_eq!(world.call("Alice", reveal(&[2, 3], &[1, 3])), "");
    assert_eq!(world.weights_at(0, world.height()), [(2, 21845), (3, 65535)]);
    assert_eq!(world.neuron_at(0, world.height()).last_update.0, 6, "that of the commit");
    let revealed = |event: &RuntimeEvent| matches!(event, RuntimeEvent::SubtensorModule(Event::WeightsRevealed(..)));
    assert!(world.events(world.height()).iter().any(revealed));
    assert_eq!(world.call("Alice", reveal(&[2, 3], &[1, 3])), "InvalidRevealCommitHashNotMatch", "only once");
    // Epoch 2 is over after block 17.
    world.advance(17 - world.height());
    assert_eq!(world.call("Alice", reveal(&[4], &[5])), "ExpiredWeightCommit");
}

#[test]
fn commits_have_a_limit_and_a_switch() {
    let open = Hyperparameters { weights_rate_limit: 0, tempo: 60, ..hyperparameters() };
    let world = World::with(open.clone());
    for uid in 0..10 {
        assert_eq!(world.call("Alice", commit(&[2], &[uid])), "");
    }
    assert_eq!(world.call("Alice", commit(&[2], &[11])), "TooManyUnrevealedCommits");
    // Plain weights are stored under commit-reveal too, without an update.
    let before = world.neuron_at(0, world.height()).last_update;
    assert_eq!(world.call("Alice", weights(&[(3, 1)])), "");
    assert_eq!(world.weights_at(0, world.height()), [(3, 65535)]);
    assert_eq!(world.neuron_at(0, world.height()).last_update, before);
    let world = World::with(Hyperparameters { commit_reveal_enabled: false, ..open });
    assert_eq!(world.call("Alice", commit(&[2], &[1])), "CommitRevealDisabled");
    assert_eq!(world.call("Alice", reveal(&[2], &[1])), "CommitRevealDisabled");
}

fn timelocked(world: &World, name: &str, round: u64, public_key: &[u8; 96], version: u16) -> String {
    let locked = Weights { uids: vec![2, 4], values: vec![1, 2], version_key: 0 };
    let payload = Payload::new(&key("Alice").public(), locked).to_bytes();
    let commit = encrypt(&payload, round, &PublicKey::from_bytes(public_key).unwrap(), [7; 32]).unwrap();
    let call = Call::commit_timelocked_weights {
        netuid: NETUID,
        commit: BoundedVec(commit),
        reveal_round: round,
        commit_reveal_version: version,
    };
    world.call(name, call)
}

#[test]
fn the_own_beacon_opens_what_was_locked() {
    let seed = HexBytes([5; 32]);
    let mut specification = specification(hyperparameters());
    specification.beacon = Some(Beacon { seed, period: 3, genesis_time: 0 });
    let world = World::of(specification);
    let public_key = BeaconKey::from_seed(&seed.0).public_key().unwrap();
    assert_eq!(timelocked(&world, "Alice", 30, &public_key, 3), "IncorrectCommitRevealVersion");
    // A block lasts 12 s, so 4 rounds: round 33 is signed at 96 s, which is the parent's time at block 9.
    assert_eq!(timelocked(&world, "Alice", 33, &public_key, 4), "");
    assert_eq!(world.height(), 2);
    world.advance(6);
    assert_eq!(world.weights_at(0, world.height()), [], "its epoch began with block 4, its round is not signed");
    let world = world.killed_and_started();
    world.advance(1);
    assert_eq!(world.weights_at(0, world.height()), [(2, 32768), (4, 65535)]);
    let event = RuntimeEvent::SubtensorModule(Event::TimelockedWeightsRevealed(NETUID, account("Alice")));
    assert!(world.events(world.height()).contains(&event));
    assert_eq!(world.neuron_at(0, world.height()).last_update.0, 2, "that of the commit");
    // A round that is public already is refused before the pool.
    let call = Call::commit_timelocked_weights {
        netuid: NETUID,
        commit: BoundedVec(vec![1]),
        reveal_round: 3,
        commit_reveal_version: 4,
    };
    let refusal = world.node.submit(&world.signed(&key("Alice"), &call.into())).unwrap_err();
    assert_eq!((refusal.code, refusal.data.as_str()), (1010, "Custom error: 15"));
}

#[test]
fn the_root_key_writes_pulses_and_what_nobody_opens_is_dropped() {
    let world = World::with(hyperparameters());
    let beacon = BeaconKey::from_seed(&[6; 32]);
    let public_key = beacon.public_key().unwrap();
    // Another hotkey's payload, and a round that never comes.
    assert_eq!(timelocked(&world, "Alice", 77, &public_key, 4), "");
    let signature = beacon.pulse(77).unwrap().signature.to_vec();
    assert_eq!(world.root(Development::write_pulse { round: 77, signature: vec![0; 47] }), "InvalidPulse");
    assert_eq!(world.root(Development::write_pulse { round: 77, signature }), "");
    world.advance(4 - world.height());
    assert_eq!(world.weights_at(0, 4), [(2, 32768), (4, 65535)]);
    // Locked for a round that is never signed: gone after its epoch (blocks 11 to 17), opened by nobody later.
    assert_eq!(timelocked(&world, "Alice", 99, &public_key, 4), "");
    world.advance(18 - world.height());
    let signature = beacon.pulse(99).unwrap().signature.to_vec();
    assert_eq!(world.root(Development::write_pulse { round: 99, signature }), "");
    world.advance(14);
    let revealed =
        |event: &RuntimeEvent| matches!(event, RuntimeEvent::SubtensorModule(Event::TimelockedWeightsRevealed(..)));
    assert!((6..=world.height()).all(|number| !world.events(number).iter().any(revealed)));
}
