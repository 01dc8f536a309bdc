//! Property: the state that was lived through is the state that is read back, whatever was called.

use localnet::runtime::bounded_collections::bounded_vec::BoundedVec;
use localnet::runtime::node_subtensor_runtime::RuntimeCall;
use localnet::runtime::pallet_commitments::pallet::Call as Commitments;
use localnet::runtime::pallet_commitments::types::{CommitmentInfo, Data};
use localnet::runtime::pallet_development::pallet::Call as Development;
use localnet::runtime::pallet_subtensor::pallet::Call;
use localnet::runtime::pallet_subtensor_utility::pallet::Call as Utility;
use localnet::runtime::pallet_sudo::pallet::Call as Sudo;
use localnet::{BlockFile, Hyperparameters};
use proptest::prelude::*;

use super::world::{NETUID, World, account, key, weights};

const NAMES: [&str; 7] = ["Alice", "Bob", "miner0", "miner1", "miner2", "newcomer", "root"];

#[derive(Debug, Clone)]
enum Step {
    Block,
    Weights { by: usize, weights: Vec<(u16, u16)>, batch: bool },
    Commit { by: usize, data: Vec<u8> },
    Register { who: usize },
    Axon { by: usize, port: u16 },
    Stake { who: usize, stake: u64 },
    Replace { uid: u16, who: usize },
    Parameters { tempo: u16, mechanism_count: u8, commit_reveal: bool },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => Just(Step::Block),
        4 => (name.clone(), prop::collection::vec((0u16..8, any::<u16>()), 0..6), any::<bool>())
            .prop_map(|(by, weights, batch)| Step::Weights { by, weights, batch }),
        2 => (name.clone(), prop::collection::vec(any::<u8>(), 0..129)).prop_map(|(by, data)| Step::Commit { by, data }),
        1 => name.clone().prop_map(|who| Step::Register { who }),
        1 => (name.clone(), any::<u16>()).prop_map(|(by, port)| Step::Axon { by, port }),
        1 => (name.clone(), any::<u64>()).prop_map(|(who, stake)| Step::Stake { who, stake }),
        1 => (0u16..8, name).prop_map(|(uid, who)| Step::Replace { uid, who }),
        1 => (0u16..6, 1u8..4, any::<bool>()).prop_map(|(tempo, mechanism_count, commit_reveal)| {
            Step::Parameters { tempo, mechanism_count, commit_reveal }
        }),
        1 => Just(Step::Restart),
    ]
}

fn submit(world: &World, by: usize, call: impl Into<RuntimeCall>) {
    world.node.submit(&world.signed(&key(NAMES[by]), &call.into())).unwrap();
}

fn submit_root(world: &World, call: Development) {
    submit(world, NAMES.len() - 1, Sudo::sudo { call: Box::new(call.into()) });
}

fn perform(world: World, step: Step) -> World {
    match step {
        Step::Block => world.advance(1),
        Step::Restart => return world.killed_and_started(),
        Step::Weights { by, weights: row, batch: false } => submit(&world, by, weights(&row)),
        Step::Weights { by, weights: row, batch: true } => {
            submit(&world, by, Utility::force_batch { calls: vec![weights(&row).into(), weights(&row).into()] });
        }
        Step::Commit { by, data } => {
            let info = Box::new(CommitmentInfo { fields: BoundedVec(vec![Data::Raw(data)]) });
            submit(&world, by, Commitments::set_commitment { netuid: NETUID, info });
        }
        Step::Register { who } => {
            submit(&world, who, Call::burned_register { netuid: NETUID, hotkey: account(NAMES[who]) });
        }
        Step::Axon { by, port } => submit(
            &world,
            by,
            Call::serve_axon {
                netuid: NETUID,
                version: 1,
                ip: 0xc000_0201,
                port,
                ip_type: 4,
                protocol: 4,
                placeholder1: 0,
                placeholder2: 0,
            },
        ),
        Step::Stake { who, stake } => {
            submit_root(&world, Development::set_stake { netuid: NETUID, hotkey: account(NAMES[who]), stake });
        }
        Step::Replace { uid, who } => {
            let hotkey = account(NAMES[who]);
            submit_root(&world, Development::replace_neuron { netuid: NETUID, uid, hotkey, coldkey: hotkey });
        }
        Step::Parameters { tempo, mechanism_count, commit_reveal } => {
            let hyperparameters = Hyperparameters {
                tempo,
                mechanism_count,
                commit_reveal_enabled: commit_reveal,
                ..Hyperparameters::default()
            };
            submit_root(&world, Development::set_hyperparameters { netuid: NETUID, hyperparameters });
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn replayed_state_is_live_state(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            world = perform(world, step);
        }
        world.advance(1);
        let live = world.node.read(Clone::clone);
        let metagraph = world.metagraph();
        let hotkeys: std::collections::BTreeSet<_> = metagraph.hotkeys.iter().collect();
        prop_assert_eq!(hotkeys.len(), metagraph.hotkeys.len(), "no hotkey holds two slots");
        let slots = usize::from(metagraph.num_uids.0);
        let lengths = [metagraph.hotkeys.len(), metagraph.active.len(), metagraph.incentives.len(),
            metagraph.last_update.len(), metagraph.emission.len(), metagraph.validator_permit.len()];
        prop_assert_eq!(lengths, [slots; 6], "every vector has a place for each slot");
        let copy = world.folder.path().join("copy");
        std::fs::copy(world.folder.path().join("chain"), &copy).unwrap();
        let (_, replayed) = BlockFile::open(&copy).unwrap();
        prop_assert_eq!(replayed.unwrap(), live);
    }
}
