//! Slots: who holds a uid, since when, and where its axon listens.

use chain::development::RootCall;
use chain::{Call, Hyperparameters};
use domain::types::{BlockNumber, NetUid, Uid};

use super::world::{NETUID, World, key, specification};

fn register(world: &World, name: &str) -> String {
    let coldkey = key(&format!("{name}//cold"));
    world.call(&coldkey, Call::BurnedRegister { netuid: NETUID, hotkey: key(name).hotkey() })
}

fn uid_of(world: &World, name: &str, at: BlockNumber) -> Option<u16> {
    world.node.read(|state| state.uid_of(NETUID, &key(name).hotkey(), at)).unwrap().map(|uid| uid.0)
}

#[test]
fn a_replaced_hotkey_loses_slot_weights_and_permit_but_not_its_past() {
    let world = World::new();
    assert_eq!(world.set_weights("validator", &[(2, 1), (3, 3)]), "");
    let before = world.head();
    let (hotkey, coldkey) = (key("newcomer").hotkey(), key("newcomer//cold").hotkey());
    assert_eq!(world.root(RootCall::ReplaceNeuron { netuid: NETUID, uid: Uid(0), hotkey, coldkey }), "");
    let after = world.head();
    assert_eq!((uid_of(&world, "validator", before), uid_of(&world, "newcomer", before)), (Some(0), None));
    assert_eq!((uid_of(&world, "validator", after), uid_of(&world, "newcomer", after)), (None, Some(0)));
    assert_eq!(world.weights(0, after), []);
    assert_eq!(world.weights(0, before), [(2, 21845), (3, 65535)]);
    let neuron = &world.metagraph().neurons[0];
    assert_eq!((neuron.hotkey, neuron.coldkey), (hotkey, coldkey));
    assert_eq!((neuron.registered_at, neuron.last_update, neuron.validator_permit), (after, after, false));
    assert_eq!(neuron.axon(), None);
    assert_eq!(world.set_weights("validator", &[(2, 1)]), "HotKeyNotRegisteredInSubNet");
    let past = world.node.read(|state| state.metagraph(NETUID, before)).unwrap();
    assert_eq!(past.neurons[0].hotkey, key("validator").hotkey());
    assert_eq!(past.block_hash, world.node.read(|state| state.header(before)).unwrap().hash);
    // The slot is the newcomer's: the old holder gets another one.
    assert_eq!(register(&world, "validator"), "");
    assert_eq!(uid_of(&world, "validator", world.head()), Some(5));
    let taken = RootCall::ReplaceNeuron { netuid: NETUID, uid: Uid(1), hotkey, coldkey };
    assert_eq!(world.root(taken), "HotKeyAlreadyRegisteredInSubNet");
}

#[test]
fn registration_takes_free_slots_then_the_oldest_that_is_not_immune() {
    let hyperparameters = Hyperparameters { max_allowed_uids: 6, immunity_period: 4, ..Hyperparameters::default() };
    let world = World::with(specification(hyperparameters));
    assert_eq!(register(&world, "fresh"), "");
    assert_eq!(uid_of(&world, "fresh", world.head()), Some(5));
    assert_eq!(register(&world, "fresh"), "HotKeyAlreadyRegisteredInSubNet");
    // All slots are taken and everyone is immune or has a permit.
    assert_eq!(register(&world, "early"), "NoNeuronIdAvailable");
    world.advance(1);
    // Uid 0 has a permit, so uid 1 goes.
    assert_eq!(register(&world, "next"), "");
    assert_eq!(uid_of(&world, "next", world.head()), Some(1));
    assert_eq!(uid_of(&world, "poor", world.head()), None);
    let thief = Call::BurnedRegister { netuid: NETUID, hotkey: key("poor").hotkey() };
    assert_eq!(world.call(&key("thief"), thief), "NonAssociatedColdKey");
    let nowhere = Call::BurnedRegister { netuid: NetUid(99), hotkey: key("poor").hotkey() };
    assert_eq!(world.call(&key("poor//cold"), nowhere), "SubnetNotExists");
}

#[test]
fn axons_are_announced_by_their_hotkey() {
    let limited = Hyperparameters { serving_rate_limit: 3, ..Hyperparameters::default() };
    let mut specification = specification(limited);
    specification.allow_loopback_axons = false;
    let world = World::with(specification);
    let serve = |name: &str, ip: &str, port| {
        world.call(&key(name), Call::ServeAxon { netuid: NETUID, ip: ip.parse().unwrap(), port })
    };
    for (name, ip, port, expected) in [
        ("stranger", "203.0.113.9", 8091, "HotKeyNotRegisteredInNetwork"),
        ("miner0", "127.0.0.1", 8091, "InvalidIpAddress"),
        ("miner0", "::1", 8091, "InvalidIpAddress"),
        ("miner0", "255.255.255.255", 8091, "InvalidIpAddress"),
        ("miner0", "203.0.113.9", 0, "InvalidPort"),
        ("miner0", "203.0.113.9", 8091, ""),
        ("miner0", "203.0.113.10", 8092, "ServingRateLimitExceeded"),
        ("miner1", "2001:db8::1", 8091, ""),
        ("miner0", "203.0.113.10", 8092, ""),
    ] {
        assert_eq!(serve(name, ip, port), expected, "{name} {ip}:{port}");
    }
    let axons: Vec<_> =
        world.metagraph().neurons.iter().map(|neuron| neuron.axon().map(|axon| axon.to_string())).collect();
    let expected = [None, None, Some("203.0.113.10:8092"), Some("[2001:db8::1]:8091"), None];
    assert_eq!(axons, expected.map(|axon| axon.map(str::to_owned)));
    let local = World::new();
    let call = Call::ServeAxon { netuid: NETUID, ip: "127.0.0.1".parse().unwrap(), port: 1 };
    assert_eq!(local.call(&key("miner0"), call), "");
}
