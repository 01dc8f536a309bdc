//! Consensus at the end of a tempo.

use codec::Compact;
use localnet::Hyperparameters;
use localnet::runtime::pallet_development::pallet::Call as Development;
use yuma::{EpochInput, Stake};

use super::world::{NETUID, World, account, weights};

fn plain<T: Copy>(values: &[Compact<T>]) -> Vec<T> {
    values.iter().map(|value| value.0).collect()
}

#[test]
fn an_epoch_stores_what_consensus_computes() {
    let world = World::with(Hyperparameters { weights_rate_limit: 0, ..Hyperparameters::default() });
    let call = Development::set_stake { netuid: NETUID, hotkey: account("Bob"), stake: 700 };
    assert_eq!(world.root(call), "");
    // Bob's permit comes with the first epoch, at block 17.
    world.advance(16);
    assert_eq!(world.height(), 17);
    assert_eq!(world.call("Alice", weights(&[(2, 3), (3, 1)])), "");
    assert_eq!(world.call("Bob", weights(&[(2, 1), (4, 1)])), "");
    let before = world.metagraph();
    assert_eq!(before.validator_permit, [true, true, false, false, false]);
    world.advance(38 - world.height());
    let after = world.metagraph();
    assert_eq!((after.last_step.0, after.blocks_since_last_step.0), (38, 0));
    let input = EpochInput {
        block: 38,
        last_epoch_block: 18,
        activity_cutoff: 5000,
        last_update: vec![18, 19, 0, 0, 0],
        block_at_registration: vec![0; 5],
        stake: [1000, 700, 0, 0, 0].map(Stake::whole).to_vec(),
        validator_permit: before.validator_permit,
        max_allowed_validators: 64,
        weights: vec![vec![(2, 65535), (3, 21845)], vec![(2, 65535), (4, 65535)], vec![], vec![], vec![]],
        bonds: vec![vec![]; 5],
        kappa: 32767,
        bonds_moving_average: 900_000,
        bonds_penalty: 65535,
        alpha_values: (45875, 58982),
        alpha_sigmoid_steepness: 1000,
        // 21 blocks of 10^9 rao.
        emission: 21_000_000_000,
        ..EpochInput::default()
    };
    let expected = yuma::epoch(&input).unwrap();
    assert!(expected.incentive[2] > 0 && expected.dividends[1] > 0);
    assert_eq!(plain(&after.incentives), expected.incentive);
    assert_eq!(plain(&after.consensus), expected.consensus);
    assert_eq!(plain(&after.dividends), expected.dividends);
    assert_eq!(plain(&after.emission), expected.emission);
    assert_eq!(after.validator_permit, expected.permits);
    assert_eq!(after.active, expected.active);
    let bonds: Vec<(u16, u16)> =
        world.neuron_at(0, 38).bonds.into_iter().map(|(uid, value)| (uid.0, value.0)).collect();
    assert_eq!(bonds, expected.bonds[0]);
    assert_eq!(plain(&world.metagraph_at(37).incentives), [0; 5], "the block before has none of it");
}

#[test]
fn a_subnet_without_tempo_has_no_epochs() {
    let world = World::with(Hyperparameters { tempo: 0, ..Hyperparameters::default() });
    world.advance(30);
    let metagraph = world.metagraph();
    assert_eq!((metagraph.last_step.0, metagraph.blocks_since_last_step.0), (0, 30));
}
