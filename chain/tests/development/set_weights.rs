//! Weights: what stands on chain afterwards, and each reason why nothing does.

use chain::development::RootCall;
use chain::{Call, Hyperparameters};
use domain::types::{BlockNumber, NetUid, Rao, Uid};

use super::world::{NETUID, World, key, specification, weights_call};

#[test]
fn weights_are_read_back_at_their_block_and_not_before() {
    let world = World::new();
    world.advance(2);
    assert_eq!(world.set_weights("validator", &[(4, 10), (2, 40), (3, 13)]), "");
    let set = world.head();
    // Scaled so that the largest is 65535 (10/40 and 13/40 of it, to the nearest), sorted by uid.
    let stored = [(2, 65535), (3, 21299), (4, 16384)];
    assert_eq!(world.weights(0, set), stored);
    assert_eq!(world.weights(0, BlockNumber(set.0 - 1)), []);
    assert_eq!(world.metagraph().neurons[0].last_update, set);
    world.advance(5);
    assert_eq!(world.set_weights("validator", &[(2, 65535), (3, 1)]), "");
    assert_eq!(world.weights(0, world.head()), [(2, 65535), (3, 1)]);
    assert_eq!(world.weights(0, set), stored);
}

#[test]
fn each_error_has_subtensors_name() {
    let root = NetUid(0);
    let nowhere = NetUid(99);
    let at = |netuid: NetUid| Call::SetWeights { netuid, uids: vec![Uid(2)], weights: vec![1], version_key: 0 };
    let unequal = Call::SetWeights { netuid: NETUID, uids: vec![Uid(2)], weights: vec![1, 2], version_key: 0 };
    let version = |version_key| Call::SetWeights { netuid: NETUID, uids: vec![Uid(2)], weights: vec![9], version_key };
    let usual = Hyperparameters::default();
    let rows = [
        (usual.clone(), "validator", at(root), "CanNotSetRootNetworkWeights"),
        (usual.clone(), "validator", unequal, "WeightVecNotEqualSize"),
        (usual.clone(), "validator", at(nowhere), "SubnetNotExists"),
        (
            usual.clone(),
            "validator",
            weights_call(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]),
            "UidsLengthExceedUidsInSubNet",
        ),
        (usual.clone(), "stranger", weights_call(&[(2, 1)]), "HotKeyNotRegisteredInSubNet"),
        (
            Hyperparameters { stake_threshold: Rao(1001), ..usual.clone() },
            "validator",
            weights_call(&[(2, 1)]),
            "NotEnoughStakeToSetWeights",
        ),
        (
            Hyperparameters { weights_version_key: 12, ..usual.clone() },
            "validator",
            version(11),
            "IncorrectWeightVersionKey",
        ),
        (Hyperparameters { weights_version_key: 12, ..usual.clone() }, "validator", version(12), ""),
        (usual.clone(), "poor", weights_call(&[(2, 1)]), "NeuronNoValidatorPermit"),
        (usual.clone(), "poor", weights_call(&[(1, 1)]), ""),
        (usual.clone(), "validator", weights_call(&[(2, 1), (2, 1)]), "DuplicateUids"),
        (usual.clone(), "validator", weights_call(&[(2, 1), (5, 1)]), "UidVecContainInvalidOne"),
        (
            Hyperparameters { min_allowed_weights: 3, ..usual.clone() },
            "validator",
            weights_call(&[(2, 1), (3, 1)]),
            "WeightVecLengthIsLow",
        ),
        (Hyperparameters { min_allowed_weights: 3, ..usual.clone() }, "validator", weights_call(&[(0, 1)]), ""),
        (
            Hyperparameters { min_allowed_weights: 1024, ..usual.clone() },
            "validator",
            weights_call(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]),
            "",
        ),
        (
            Hyperparameters { max_weight_limit: 32767, ..usual.clone() },
            "validator",
            weights_call(&[(2, 1), (3, 1)]),
            "MaxWeightExceeded",
        ),
        (
            Hyperparameters { max_weight_limit: 32768, ..usual.clone() },
            "validator",
            weights_call(&[(2, 1), (3, 1)]),
            "",
        ),
        (usual.clone(), "validator", weights_call(&[(2, 0), (3, 0)]), ""),
        (usual, "validator", weights_call(&[(2, 7), (3, 9)]), ""),
    ];
    for (hyperparameters, signer, call, expected) in rows {
        let world = World::with(specification(hyperparameters));
        let before = world.metagraph().neurons;
        assert_eq!(world.call(&key(signer), call.clone()), expected, "{signer} {call:?}");
        if !expected.is_empty() {
            assert_eq!(world.metagraph().neurons, before, "a call that fails changes nothing");
            assert_eq!(world.weights(0, world.head()), []);
            assert_eq!(world.node.next_nonce(&key(signer).hotkey()), 1, "but uses its nonce");
        }
    }
}

#[test]
fn the_rate_limit_counts_blocks_since_the_last_update() {
    let world = World::with(specification(Hyperparameters { weights_rate_limit: 5, ..Hyperparameters::default() }));
    assert_eq!(world.set_weights("validator", &[(2, 1)]), "");
    let set = world.head().0;
    for _ in 0..4 {
        assert_eq!(world.set_weights("validator", &[(3, 1)]), "SettingWeightsTooFast");
    }
    assert_eq!(world.set_weights("validator", &[(3, 1)]), "");
    assert_eq!(world.head().0 - set, 5);
}

#[test]
fn permits_follow_stake_at_the_next_epoch() {
    let hyperparameters = Hyperparameters { tempo: 6, max_allowed_validators: 1, ..Hyperparameters::default() };
    let world = World::with(specification(hyperparameters));
    let permits = |world: &World| {
        let neurons = world.metagraph().neurons;
        neurons.into_iter().filter(|neuron| neuron.validator_permit).map(|neuron| neuron.uid.0).collect::<Vec<_>>()
    };
    assert_eq!(permits(&world), [0]);
    assert_eq!(world.metagraph().epoch.next_block, BlockNumber(6));
    let hotkey = key("poor").hotkey();
    // Equal stake: the higher uid wins, as in subtensor.
    assert_eq!(world.root(RootCall::SetStake { netuid: NETUID, hotkey, stake: Rao(1000) }), "");
    world.advance(4);
    assert_eq!((world.head(), permits(&world)), (BlockNumber(5), vec![0]));
    world.advance(1);
    assert_eq!(permits(&world), [1]);
    let epoch = world.metagraph().epoch;
    assert_eq!((epoch.index, epoch.last_block, epoch.next_block), (1, BlockNumber(6), BlockNumber(12)));
    assert_eq!(world.set_weights("validator", &[(2, 1)]), "NeuronNoValidatorPermit");
    assert_eq!(world.set_weights("poor", &[(2, 1)]), "");
}
