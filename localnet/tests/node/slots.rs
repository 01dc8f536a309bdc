//! Slots: who holds a uid, since when, and where its axon listens; and what a hotkey commits.

use localnet::Hyperparameters;
use localnet::runtime::bounded_collections::bounded_vec::BoundedVec;
use localnet::runtime::pallet_commitments::pallet::Call as Commitments;
use localnet::runtime::pallet_commitments::types::{CommitmentInfo, Data};
use localnet::runtime::pallet_development::pallet::Call as Development;
use localnet::runtime::pallet_subtensor::pallet::Call;

use super::world::{NETUID, World, account, specification, weights};

fn register(world: &World, name: &str) -> String {
    let call = Call::burned_register { netuid: NETUID, hotkey: account(name) };
    world.call(&format!("{name}//cold"), call)
}

#[test]
fn a_replaced_hotkey_loses_slot_weights_and_permit_but_not_its_past() {
    let world = World::new();
    assert_eq!(world.call("Alice", weights(&[(2, 1), (3, 3)])), "");
    let before = world.height();
    let replace = |uid, name: &str| Development::replace_neuron {
        netuid: NETUID,
        uid,
        hotkey: account(name),
        coldkey: account(&format!("{name}//cold")),
    };
    assert_eq!(world.root(replace(0, "newcomer")), "");
    let after = world.height();
    assert_eq!((world.uid_of("Alice", before), world.uid_of("newcomer", before)), (Some(0), None));
    assert_eq!((world.uid_of("Alice", after), world.uid_of("newcomer", after)), (None, Some(0)));
    assert_eq!(world.weights_at(0, after), []);
    assert_eq!(world.weights_at(0, before), [(2, 21845), (3, 65535)]);
    let neuron = world.neuron_at(0, after);
    assert_eq!((neuron.hotkey, neuron.coldkey), (account("newcomer"), account("newcomer//cold")));
    assert_eq!((neuron.last_update.0, neuron.validator_permit), (u64::from(after), false));
    assert_eq!(world.metagraph().block_at_registration[0].0, u64::from(after));
    assert_eq!(world.call("Alice", weights(&[(2, 1)])), "HotKeyNotRegisteredInSubNet");
    // The slot is the newcomer's: the old holder gets another one.
    assert_eq!(register(&world, "Alice"), "");
    assert_eq!(world.uid_of("Alice", world.height()), Some(5));
    assert_eq!(world.root(replace(1, "newcomer")), "HotKeyAlreadyRegisteredInSubNet");
    assert_eq!(world.root(replace(9, "other")), "NoSuchSlot");
}

#[test]
fn registration_takes_free_slots_then_the_least_of_those_not_immune() {
    let hyperparameters = Hyperparameters { max_allowed_uids: 6, immunity_period: 4, ..Hyperparameters::default() };
    let world = World::with(hyperparameters.clone());
    assert_eq!(register(&world, "fresh"), "");
    assert_eq!(world.uid_of("fresh", world.height()), Some(5));
    assert_eq!(register(&world, "fresh"), "HotKeyAlreadyRegisteredInSubNet");
    assert_eq!(register(&world, "early"), "NoNeuronIdAvailable", "everyone is immune");
    // Nobody has emission, uid 0 has a permit, uid 1 is the next.
    assert_eq!(register(&world, "next"), "");
    assert_eq!(world.uid_of("next", world.height()), Some(1));
    assert_eq!(world.uid_of("Bob", world.height()), None);
    let thief = Call::burned_register { netuid: NETUID, hotkey: account("Bob") };
    assert_eq!(world.call("thief", thief), "NonAssociatedColdKey");
    let at = |netuid| Call::burned_register { netuid, hotkey: account("Bob") };
    assert_eq!(world.call("Bob//cold", at(99)), "SubnetNotExists");
    assert_eq!(world.call("Bob//cold", at(0)), "RegistrationNotPermittedOnRootSubnet");
    // Whoever earns stays: after an epoch with weights for 2 to 5, uid 1 goes again.
    assert_eq!(world.call("Alice", weights(&[(2, 9), (3, 9), (4, 9), (5, 9)])), "");
    world.advance(20);
    assert_eq!(register(&world, "late"), "");
    assert_eq!(world.uid_of("late", world.height()), Some(1));
}

#[test]
fn a_burn_is_paid_by_the_coldkey() {
    let world = World::with(Hyperparameters { burn: 1_000_000, ..Hyperparameters::default() });
    assert_eq!(register(&world, "newcomer"), "NotEnoughBalanceToStake");
    let call = Development::set_balance { who: account("newcomer//cold"), free: 1_000_499 };
    assert_eq!(world.root(call), "");
    assert_eq!(register(&world, "newcomer"), "NotEnoughBalanceToStake", "the existential deposit stays");
    let call = Development::set_balance { who: account("newcomer//cold"), free: 1_000_500 };
    assert_eq!(world.root(call), "");
    assert_eq!(register(&world, "newcomer"), "");
}

fn serve(ip: u128, ip_type: u8, port: u16) -> Call {
    Call::serve_axon { netuid: NETUID, version: 1, ip, port, ip_type, protocol: 4, placeholder1: 0, placeholder2: 0 }
}

#[test]
fn axons_are_announced_by_their_hotkey() {
    let mut specification = specification(Hyperparameters { serving_rate_limit: 3, ..Hyperparameters::default() });
    specification.allow_loopback_axons = false;
    let world = World::of(specification);
    let public = 0xcb00_7109;
    for (name, call, expected) in [
        ("stranger", serve(public, 4, 8091), "HotKeyNotRegisteredInNetwork"),
        ("miner0", serve(public, 5, 8091), "InvalidIpType"),
        ("miner0", serve(0x7f00_0001, 4, 8091), "InvalidIpAddress"),
        ("miner0", serve(1, 6, 8091), "InvalidIpAddress"),
        ("miner0", serve(0xffff_ffff, 4, 8091), "InvalidIpAddress"),
        ("miner0", serve(u128::MAX, 4, 8091), "InvalidIpAddress"),
        ("miner0", serve(public, 4, 0), "InvalidPort"),
        ("miner0", serve(public, 4, 8091), ""),
        ("miner0", serve(public + 1, 4, 8092), "ServingRateLimitExceeded"),
        ("miner1", serve(0x2001_0db8 << 96, 6, 8091), ""),
        ("miner0", serve(public + 1, 4, 8092), ""),
    ] {
        assert_eq!(world.call(name, call.clone()), expected, "{name} {call:?}");
    }
    let axon = world.neuron_at(2, world.height()).axon_info;
    assert_eq!((axon.ip, axon.port, axon.ip_type), (public + 1, 8092, 4));
    assert_eq!(axon.block, u64::from(world.height()));
    let local = World::new();
    assert_eq!(local.call("miner0", serve(0x7f00_0001, 4, 1)), "", "where the specification allows it");
    let metrics = Call::serve_prometheus { netuid: NETUID, version: 1, ip: public, port: 9, ip_type: 4 };
    assert_eq!(local.call("miner0", metrics), "");
    assert_eq!(local.neuron_at(2, local.height()).prometheus_info.port, 9);
}

#[test]
fn a_commitment_stands_until_the_next_within_its_space() {
    let world = World::new();
    let commit = |data: Vec<Data>| Commitments::set_commitment {
        netuid: NETUID,
        info: Box::new(CommitmentInfo { fields: BoundedVec(data) }),
    };
    assert_eq!(world.call("stranger", commit(vec![])), "AccountNotAllowedCommit");
    assert_eq!(world.call("miner0", commit(vec![Data::None; 4])), "TooManyFieldsInCommitmentInfo");
    assert_eq!(world.call("miner0", commit(vec![Data::Raw(b"root of 12".to_vec())])), "");
    let big = || vec![Data::BigRaw(BoundedVec(vec![1; 512])); 2];
    // 100 at least, 1024 each: 3100 bytes in one epoch of 21 blocks.
    for expected in ["", "", "SpaceLimitExceeded"] {
        assert_eq!(world.call("miner0", commit(big())), expected);
    }
    world.advance(21);
    assert_eq!(world.call("miner0", commit(big())), "");
    let long = commit(vec![Data::BigRaw(BoundedVec(vec![1; 513]))]);
    let bytes = world.signed(&super::world::key("miner0"), &long.into());
    assert_eq!(world.node.submit(&bytes).unwrap_err().code, 1001);
}
