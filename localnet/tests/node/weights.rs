//! Weights: what stands on chain afterwards, and each reason why nothing does.

use codec::Compact;
use localnet::Hyperparameters;
use localnet::runtime::node_subtensor_runtime::RuntimeEvent;
use localnet::runtime::pallet_development::pallet::Call as Development;
use localnet::runtime::pallet_subtensor::pallet::{Call, Event};

use super::world::{NETUID, World, account, key, weights};

#[test]
fn weights_are_read_back_at_their_block_and_not_before() {
    let world = World::new();
    world.advance(2);
    assert_eq!(world.call("Alice", weights(&[(4, 10), (2, 40), (3, 13)])), "");
    let set = world.height();
    // Scaled so that the largest is 65535 (10/40 and 13/40 of it, to the nearest), in the order given.
    let stored = [(4, 16384), (2, 65535), (3, 21299)];
    assert_eq!(world.weights_at(0, set), stored);
    assert_eq!(world.weights_at(0, set - 1), []);
    assert_eq!(world.neuron_at(0, set).last_update.0, u64::from(set));
    assert!(world.events(set).contains(&RuntimeEvent::SubtensorModule(Event::WeightsSet(NETUID, 0))));
    world.advance(5);
    assert_eq!(world.call("Alice", weights(&[(2, 65535), (3, 1)])), "");
    assert_eq!(world.weights_at(0, world.height()), [(2, 65535), (3, 1)]);
    assert_eq!(world.weights_at(0, set), stored);
}

#[test]
fn each_error_has_subtensors_name() {
    let at = |netuid| Call::set_weights { netuid, dests: vec![2], weights: vec![1], version_key: 0 };
    let unequal = Call::set_weights { netuid: NETUID, dests: vec![2], weights: vec![1, 2], version_key: 0 };
    let version = |version_key| Call::set_weights { netuid: NETUID, dests: vec![2], weights: vec![9], version_key };
    let mechanism =
        |mecid| Call::set_mechanism_weights { netuid: NETUID, mecid, dests: vec![2], weights: vec![1], version_key: 0 };
    let usual = Hyperparameters::default();
    let six: Vec<(u16, u16)> = (0..6).map(|uid| (uid, 1)).collect();
    let keyed = Hyperparameters { weights_version_key: 12, ..usual.clone() };
    let least = |min_allowed_weights| Hyperparameters { min_allowed_weights, ..usual.clone() };
    let most = |max_weight_limit| Hyperparameters { max_weight_limit, ..usual.clone() };
    let rows = [
        (usual.clone(), "Alice", at(0), "CanNotSetRootNetworkWeights"),
        (usual.clone(), "Alice", unequal, "WeightVecNotEqualSize"),
        (usual.clone(), "Alice", at(99), "SubnetNotExists"),
        (usual.clone(), "Alice", mechanism(1), "MechanismDoesNotExist"),
        (usual.clone(), "Alice", weights(&six), "UidsLengthExceedUidsInSubNet"),
        (usual.clone(), "stranger", weights(&[(2, 1)]), "HotKeyNotRegisteredInSubNet"),
        (
            Hyperparameters { stake_threshold: 1001, ..usual.clone() },
            "Alice",
            weights(&[(2, 1)]),
            "NotEnoughStakeToSetWeights",
        ),
        (keyed.clone(), "Alice", version(11), "IncorrectWeightVersionKey"),
        (keyed, "Alice", version(12), ""),
        (usual.clone(), "Bob", weights(&[(2, 1)]), "NeuronNoValidatorPermit"),
        (usual.clone(), "Bob", weights(&[(1, 1)]), ""),
        (usual.clone(), "Alice", weights(&[(2, 1), (2, 1)]), "DuplicateUids"),
        (usual.clone(), "Alice", weights(&[(2, 1), (5, 1)]), "UidVecContainInvalidOne"),
        (least(3), "Alice", weights(&[(2, 1), (3, 1)]), "WeightVecLengthIsLow"),
        (least(3), "Alice", weights(&[(0, 1)]), ""),
        (least(1024), "Alice", weights(&six[..5]), ""),
        (most(32767), "Alice", weights(&[(2, 1), (3, 1)]), "MaxWeightExceeded"),
        (most(32768), "Alice", weights(&[(2, 1), (3, 1)]), ""),
        (usual.clone(), "Alice", weights(&[(2, 0), (3, 0)]), ""),
        (usual.clone(), "Alice", mechanism(0), ""),
        (usual, "Alice", weights(&[(2, 7), (3, 9)]), ""),
    ];
    for (hyperparameters, signer, call, expected) in rows {
        let world = World::with(hyperparameters);
        let before = world.metagraph();
        assert_eq!(world.call(signer, call.clone()), expected, "{signer} {call:?}");
        if !expected.is_empty() {
            let after = world.metagraph();
            assert_eq!(after.last_update, before.last_update, "a call that fails changes nothing");
            assert_eq!(world.weights_at(0, world.height()), []);
            assert_eq!(world.node.next_nonce(&account(signer)), 1, "but uses its nonce");
        }
    }
}

#[test]
fn the_rate_limit_counts_blocks_since_the_last_update() {
    let world = World::with(Hyperparameters { weights_rate_limit: 5, ..Hyperparameters::default() });
    assert_eq!(world.call("Alice", weights(&[(2, 1)])), "");
    let set = world.height();
    for _ in 0..4 {
        assert_eq!(world.call("Alice", weights(&[(3, 1)])), "SettingWeightsTooFast");
    }
    assert_eq!(world.call("Alice", weights(&[(3, 1)])), "");
    assert_eq!(world.height() - set, 5);
}

#[test]
fn a_batch_tells_of_each_that_fails_and_sets_the_others() {
    let world = World::new();
    let row = vec![(Compact(2), Compact(7))];
    let call = Call::batch_set_weights {
        netuids: vec![Compact(99), Compact(NETUID)],
        weights: vec![row.clone(), row.clone()],
        version_keys: vec![Compact(0), Compact(0)],
    };
    assert_eq!(world.call("Alice", call), "");
    assert_eq!(world.weights_at(0, world.height()), [(2, 65535)]);
    let told: Vec<String> = world.events(world.height()).iter().map(|event| format!("{event:?}")).collect();
    let kinds = ["BatchWeightItemFailed", "BatchCompletedWithErrors", "BatchWeightsCompleted", "WeightsSet"];
    for kind in kinds {
        assert!(told.iter().any(|event| event.contains(kind)), "{kind} {told:?}");
    }
    let unequal = Call::batch_set_weights { netuids: vec![], weights: vec![row], version_keys: vec![] };
    assert_eq!(world.call("Alice", unequal), "InputLengthsUnequal");
}

#[test]
fn mechanisms_have_weights_of_their_own() {
    let world = World::with(Hyperparameters { mechanism_count: 2, ..Hyperparameters::default() });
    let call = |mecid, uid| Call::set_mechanism_weights {
        netuid: NETUID,
        mecid,
        dests: vec![uid],
        weights: vec![1],
        version_key: 0,
    };
    assert_eq!(world.call("Alice", call(1, 3)), "");
    assert_eq!(world.weights_at(0, world.height()), []);
    assert!(world.events(world.height()).contains(&RuntimeEvent::SubtensorModule(Event::WeightsSet(4096 + NETUID, 0))));
    assert_eq!(world.call("Alice", call(0, 2)), "", "the limit is each mechanism's own");
    assert_eq!(world.weights_at(0, world.height()), [(2, 65535)]);
    // Subnet 2 with tempo 20 has its first epoch when (block + 3) mod 21 is 20.
    world.advance(17 - world.height());
    type Graph = Option<
        localnet::runtime::pallet_subtensor::rpc_info::metagraph::Metagraph<
            localnet::runtime::sp_core::crypto::AccountId32,
        >,
    >;
    let incentives = |mechanism: u8| -> Vec<u16> {
        let graph: Graph = world.ask("SubnetInfoRuntimeApi_get_mechagraph", (NETUID, mechanism), world.height());
        graph.unwrap().incentives.into_iter().map(|share| share.0).collect()
    };
    assert_eq!(incentives(0), [0, 0, 65535, 0, 0]);
    assert_eq!(incentives(1), [0, 0, 0, 65535, 0]);
    let graph = world.metagraph();
    // 17 blocks of 10^9 rao: a quarter to each miner and half to the validator of both.
    let emission: Vec<u64> = graph.emission.iter().map(|emission| emission.0).collect();
    assert_eq!(emission, [8_500_000_000, 0, 4_250_000_000, 4_250_000_000, 0]);
}

#[test]
fn permits_follow_stake_at_the_next_epoch() {
    let hyperparameters = Hyperparameters { tempo: 6, max_allowed_validators: 1, ..Hyperparameters::default() };
    let world = World::with(hyperparameters);
    let permits = |world: &World| {
        let permits = world.metagraph().validator_permit;
        (0..).zip(permits).filter(|(_, permit)| *permit).map(|(uid, _)| uid).collect::<Vec<u16>>()
    };
    assert_eq!(permits(&world), [0]);
    // Equal stake: the higher uid wins, as in subtensor.
    let call = Development::set_stake { netuid: NETUID, hotkey: account("Bob"), stake: 1000 };
    assert_eq!(world.root(call), "");
    // (block + 3) mod 7 is 6 at block 3.
    world.advance(1);
    assert_eq!((world.height(), permits(&world)), (2, vec![0]));
    world.advance(1);
    assert_eq!(permits(&world), [1]);
    assert_eq!(world.metagraph().last_step.0, 3);
    assert_eq!(world.call("Alice", weights(&[(2, 1)])), "NeuronNoValidatorPermit");
    assert_eq!(world.call("Bob", weights(&[(2, 1)])), "");
    assert_eq!(key("Bob").public(), account("Bob").0);
}
