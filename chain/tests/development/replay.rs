//! Property: the state that was lived through is the state that is read back, whatever was called.

use chain::development::{BlockFile, DevelopmentCall, RootCall};
use chain::{Call, Hyperparameters};
use domain::types::{Rao, Uid};
use proptest::prelude::*;

use super::world::{NETUID, World, key, sign, weights_call};

const NAMES: [&str; 7] = ["validator", "poor", "miner0", "miner1", "miner2", "newcomer", "root"];

#[derive(Debug, Clone)]
enum Step {
    Block,
    Weights { by: usize, weights: Vec<(u16, u16)> },
    Anchor { by: usize, data: Vec<u8> },
    Register { who: usize },
    Axon { by: usize, port: u16 },
    Stake { who: usize, stake: u64 },
    Replace { uid: u16, who: usize },
    Tempo { tempo: u16 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => Just(Step::Block),
        4 => (name.clone(), prop::collection::vec((0u16..8, any::<u16>()), 0..6))
            .prop_map(|(by, weights)| Step::Weights { by, weights }),
        2 => (name.clone(), prop::collection::vec(any::<u8>(), 0..140)).prop_map(|(by, data)| Step::Anchor { by, data }),
        1 => name.clone().prop_map(|who| Step::Register { who }),
        1 => (name.clone(), any::<u16>()).prop_map(|(by, port)| Step::Axon { by, port }),
        1 => (name.clone(), any::<u64>()).prop_map(|(who, stake)| Step::Stake { who, stake }),
        1 => (0u16..8, name).prop_map(|(uid, who)| Step::Replace { uid, who }),
        1 => (0u16..6).prop_map(|tempo| Step::Tempo { tempo }),
        1 => Just(Step::Restart),
    ]
}

fn submit(world: &World, by: usize, call: DevelopmentCall) {
    let key = key(NAMES[by]);
    world.node.submit(&sign(world.payload(&key, call), &key).bytes).unwrap();
}

fn perform(world: World, step: Step) -> World {
    let root = NAMES.len() - 1;
    let hotkey = |who: usize| key(NAMES[who]).hotkey();
    match step {
        Step::Block => world.advance(1),
        Step::Restart => return world.killed_and_started(),
        Step::Weights { by, weights } => submit(&world, by, DevelopmentCall::Subtensor(weights_call(&weights))),
        Step::Anchor { by, data } => {
            submit(&world, by, DevelopmentCall::Subtensor(Call::SetCommitment { netuid: NETUID, data }));
        }
        Step::Register { who } => {
            let call = Call::BurnedRegister { netuid: NETUID, hotkey: hotkey(who) };
            submit(&world, who, DevelopmentCall::Subtensor(call));
        }
        Step::Axon { by, port } => {
            let ip = "192.0.2.1".parse().unwrap();
            submit(&world, by, DevelopmentCall::Subtensor(Call::ServeAxon { netuid: NETUID, ip, port }));
        }
        Step::Stake { who, stake } => {
            let call = RootCall::SetStake { netuid: NETUID, hotkey: hotkey(who), stake: Rao(stake) };
            submit(&world, root, DevelopmentCall::Root(call));
        }
        Step::Replace { uid, who } => {
            let coldkey = hotkey(who);
            let call = RootCall::ReplaceNeuron { netuid: NETUID, uid: Uid(uid), hotkey: coldkey, coldkey };
            submit(&world, root, DevelopmentCall::Root(call));
        }
        Step::Tempo { tempo } => {
            let hyperparameters = Hyperparameters { tempo, ..Hyperparameters::default() };
            let call = RootCall::SetHyperparameters { netuid: NETUID, hyperparameters };
            submit(&world, root, DevelopmentCall::Root(call));
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn replayed_state_is_live_state(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            world = perform(world, step);
        }
        world.advance(1);
        let live = world.node.read(Clone::clone);
        let metagraph = world.metagraph();
        let hotkeys: std::collections::BTreeSet<_> = metagraph.neurons.iter().map(|neuron| neuron.hotkey).collect();
        prop_assert_eq!(hotkeys.len(), metagraph.neurons.len(), "no hotkey holds two slots");
        for (uid, neuron) in (0u16..).zip(&metagraph.neurons) {
            prop_assert_eq!(neuron.uid.0, uid);
            prop_assert_eq!(live.uid_of(NETUID, &neuron.hotkey, live.head().number).unwrap(), Some(neuron.uid));
        }
        let copy = world.folder.path().join("copy");
        std::fs::copy(world.folder.path().join("chain"), &copy).unwrap();
        let (_, replayed) = BlockFile::open(&copy).unwrap();
        prop_assert_eq!(replayed.unwrap(), live);
    }
}
