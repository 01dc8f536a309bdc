//! Extrinsics: once, in order, in their era, on their chain, by their signer.

use codec::{Compact, Decode, Encode};
use localnet::extrinsic::{Extrinsic, Signing, sign};
use localnet::runtime::frame_system::pallet::Call as System;
use localnet::runtime::node_subtensor_runtime::{RuntimeCall, RuntimeEvent};
use localnet::runtime::pallet_admin_utils::pallet::Call as AdminUtils;
use localnet::runtime::pallet_balances::pallet::Call as Balances;
use localnet::runtime::pallet_development::pallet::Call as Development;
use localnet::runtime::pallet_subtensor_utility::pallet::{Call as Utility, Event as UtilityEvent};
use localnet::runtime::pallet_sudo::pallet::Call as Sudo;
use localnet::runtime::sp_runtime::generic::era::Era;
use localnet::runtime::sp_runtime::multiaddress::MultiAddress;
use localnet::{Hyperparameters, Whereabouts};
use proptest::prelude::*;

use super::world::{NETUID, World, account, key, name_of, weights};

fn remark(text: &str) -> RuntimeCall {
    System::remark { remark: text.as_bytes().to_vec() }.into()
}

fn refusal(world: &World, bytes: &[u8]) -> (i32, String) {
    let refusal = world.node.submit(bytes).unwrap_err();
    (refusal.code, refusal.data)
}

#[test]
fn an_extrinsic_is_included_once_however_often_it_is_sent() {
    let world = World::new();
    let bytes = world.signed(&key("Alice"), &weights(&[(2, 1)]).into());
    let hash = world.node.submit(&bytes).unwrap();
    assert_eq!(world.node.whereabouts(&hash), Whereabouts::Waiting);
    assert_eq!(refusal(&world, &bytes).0, 1013);
    world.advance(1);
    let head = world.node.read(|state| state.head().hash);
    let included = Whereabouts::Included { number: 1, hash: head, index: 1 };
    assert_eq!(world.node.whereabouts(&hash), included);
    assert_eq!(world.outcome(&hash), "");
    // Sent again after it is in a block, and again after a restart.
    assert_eq!(refusal(&world, &bytes).0, 1012);
    let world = world.killed_and_started();
    assert_eq!(refusal(&world, &bytes).0, 1012);
    assert_eq!(world.node.whereabouts(&hash), included);
    assert_eq!(world.node.next_nonce(&account("Alice")), 1);
}

#[test]
fn nonces_are_used_in_order_and_once() {
    let world = World::new();
    let miner = key("miner0");
    let signing = world.signing(&miner);
    let with = |nonce, text: &str| sign(&remark(text), &Signing { nonce, ..signing }, &miner);
    // 2 before 0 and 1; 3 is missing until later.
    let hashes = [2, 0, 1].map(|nonce| world.node.submit(&with(nonce, "x")).unwrap());
    assert_eq!(world.node.next_nonce(&account("miner0")), 3);
    world.advance(1);
    let places = hashes.map(|hash| world.node.read(|state| state.inclusion(&hash)));
    assert_eq!(places, [Some((1, 3)), Some((1, 1)), Some((1, 2))]);
    world.node.submit(&with(3, "late")).unwrap();
    world.advance(1);
    // A used nonce, one that waits already, and one too far ahead.
    assert_eq!(refusal(&world, &with(3, "other")), (1010, "Transaction is outdated".to_owned()));
    world.node.submit(&with(4, "one")).unwrap();
    assert_eq!(refusal(&world, &with(4, "two")).0, 1014);
    assert_eq!(refusal(&world, &with(4 + 65, "far")).0, 1016);
}

#[test]
fn a_gap_in_the_nonces_waits_and_expires() {
    let world = World::new();
    let miner = key("miner0");
    let signing = world.signing(&miner);
    let bytes = sign(&remark("after a gap"), &Signing { nonce: 1, ..signing }, &miner);
    let hash = world.node.submit(&bytes).unwrap();
    // Born at 0 with period 8: blocks 1 to 7 can include it.
    world.advance(6);
    assert_eq!(world.node.whereabouts(&hash), Whereabouts::Waiting);
    world.advance(1);
    assert_eq!(world.node.whereabouts(&hash), Whereabouts::Unknown);
    // Its era would now be the next one, which begins with a block that is not there yet, and then with another hash.
    assert_eq!(refusal(&world, &bytes), (1010, "Transaction has an ancient birth block".to_owned()));
    world.advance(1);
    assert_eq!(refusal(&world, &bytes), (1010, "Transaction has a bad signature".to_owned()));
}

#[test]
fn an_era_ends_after_its_period() {
    let world = World::new();
    world.advance(3);
    // Born at 3 with period 8: blocks 4 to 10 can include it.
    let [last, too_late] = ["miner0", "miner1"].map(|name| world.signed(&key(name), &remark("late")));
    world.advance(6);
    let hash = world.node.submit(&last).unwrap();
    world.advance(1);
    assert_eq!(world.node.read(|state| state.inclusion(&hash)), Some((10, 1)));
    assert_eq!(refusal(&world, &too_late).0, 1010);
    let immortal = Signing {
        era: Era::Immortal,
        birth_hash: world.signing(&key("miner1")).genesis_hash,
        ..world.signing(&key("miner1"))
    };
    world.node.submit(&sign(&remark("for ever"), &immortal, &key("miner1"))).unwrap();
}

#[test]
fn forged_and_foreign_extrinsics_are_refused() {
    let world = World::new();
    let alice = key("Alice");
    let call: RuntimeCall = weights(&[(2, 1)]).into();
    let good = world.signing(&alice);
    let bytes = sign(&call, &good, &alice);
    let mut altered = bytes.clone();
    *altered.last_mut().unwrap() ^= 1;
    // Length (2 bytes), version, address kind; then the account.
    let mut forged = sign(&call, &good, &key("mallory"));
    forged[4..36].copy_from_slice(&alice.public());
    let elsewhere = sign(&call, &Signing { genesis_hash: [1; 32], ..good }, &alice);
    let fork = sign(&call, &Signing { birth_hash: [2; 32], ..good }, &alice);
    for (what, bytes) in
        [("altered", altered), ("forged", forged), ("of another chain", elsewhere), ("of a fork", fork)]
    {
        assert_eq!(refusal(&world, &bytes), (1010, "Transaction has a bad signature".to_owned()), "{what}");
    }
    let unborn = Signing { era: Era::Mortal { period: 8, phase: 1 }, ..good };
    assert_eq!(refusal(&world, &sign(&call, &unborn, &alice)).0, 1010);
    for other in [b"".as_slice(), b"{}", b"\xff\xfe", &bytes[..bytes.len() - 1], &[0xff; 200_000]] {
        assert_eq!(refusal(&world, other).0, 1001);
    }
    assert_eq!(refusal(&world, &[bytes.as_slice(), b"x"].concat()).0, 1001);
    world.node.submit(&bytes).unwrap();
}

#[test]
fn calls_within_calls_have_a_limit() {
    let world = World::new();
    let alice = key("Alice");
    let mut call = remark("x");
    for depth in 0..60 {
        call = Utility::batch { calls: vec![call] }.into();
        let decoded = Extrinsic::decode(&sign(&call, &world.signing(&alice), &alice));
        if depth < 8 {
            assert!(decoded.is_ok(), "{depth}");
        }
        if depth >= 12 {
            assert!(decoded.is_err(), "{depth}");
        }
    }
}

#[test]
fn the_pool_has_a_limit() {
    let world = World::new();
    let mut refused = 0;
    for number in 0..17 {
        let key = key(&format!("crowd//{number}"));
        let signing = world.signing(&key);
        for nonce in 0..64 {
            match world.node.submit(&sign(&remark("x"), &Signing { nonce, ..signing }, &key)) {
                Ok(_) => {}
                Err(refusal) if refusal.code == 1016 => refused += 1,
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }
    assert_eq!(refused, 64);
    // 256 in a block, so the pool is empty after four.
    world.advance(4);
    assert_eq!(world.node.pending().len(), 0);
    assert_eq!(world.node.read(|state| state.head().extrinsics.len()), 257);
}

#[test]
fn only_the_root_key_arranges_situations() {
    let world = World::new();
    let hyperparameters = Hyperparameters { tempo: 99, ..Hyperparameters::default() };
    let call = Development::set_hyperparameters { netuid: NETUID, hyperparameters: hyperparameters.clone() };
    assert_eq!(world.call("mallory", call.clone()), "BadOrigin");
    assert_eq!(world.call("mallory", Sudo::sudo { call: Box::new(call.into()) }), "RequireSudo");
    let before = world.height();
    assert_eq!(world.set_hyperparameters(hyperparameters.clone()), "");
    assert_eq!((world.metagraph_at(before).tempo.0, world.metagraph().tempo.0), (20, 99));
    let impossible = Hyperparameters { max_allowed_uids: 4, ..hyperparameters };
    assert_eq!(world.set_hyperparameters(impossible), "InvalidHyperparameters", "there are five neurons");
    assert_eq!(world.root(AdminUtils::sudo_set_tempo { netuid: NETUID, tempo: 7 }), "");
    assert_eq!(world.metagraph().tempo.0, 7);
    assert_eq!(world.root(AdminUtils::sudo_set_tempo { netuid: 9, tempo: 7 }), "SubnetDoesNotExist");
    assert_eq!(
        world.root(AdminUtils::sudo_set_max_allowed_uids { netuid: NETUID, max_allowed_uids: 4 }),
        "MaxAllowedUIdsLessThanCurrentUIds"
    );
}

#[test]
fn batches_stop_go_on_or_take_back() {
    let calls = || vec![weights(&[(2, 1)]).into(), weights(&[(9, 1)]).into(), remark("after")];
    let kinds = |world: &World| -> Vec<String> {
        let of = |event| match event {
            RuntimeEvent::Utility(UtilityEvent::BatchInterrupted { index, error }) => {
                Some(format!("interrupted {index} {}", name_of(error)))
            }
            RuntimeEvent::Utility(UtilityEvent::ItemFailed { error }) => Some(format!("failed {}", name_of(error))),
            RuntimeEvent::Utility(event) => Some(format!("{event:?}")),
            _ => None,
        };
        world.events(world.height()).into_iter().filter_map(of).collect()
    };
    let world = World::new();
    assert_eq!(world.call("Alice", Utility::batch_all { calls: calls() }), "SettingWeightsTooFast");
    assert_eq!((world.weights_at(0, world.height()), kinds(&world).len()), (vec![], 0), "nothing is left of it");
    assert_eq!(world.call("Alice", Utility::batch { calls: calls() }), "");
    assert_eq!(world.weights_at(0, world.height()), [(2, 65535)]);
    assert_eq!(kinds(&world), ["ItemCompleted", "interrupted 1 SettingWeightsTooFast"]);
    world.advance(5);
    assert_eq!(world.call("Alice", Utility::force_batch { calls: calls() }), "");
    let told = ["ItemCompleted", "failed SettingWeightsTooFast", "ItemCompleted", "BatchCompletedWithErrors"];
    assert_eq!(kinds(&world), told);
}

#[test]
fn balances_move_and_are_never_made() {
    let world = World::new();
    let transfer = |to: &str, value| Balances::transfer_keep_alive { dest: MultiAddress::Id(account(to)), value };
    assert_eq!(world.root(Development::set_balance { who: account("Alice"), free: 10_000 }), "");
    assert_eq!(world.call("Bob", transfer("Alice", 1)), "Token(FundsUnavailable)");
    assert_eq!(world.call("Alice", transfer("Bob", 9_501)), "Expendability");
    assert_eq!(world.call("Alice", transfer("Bob", 499)), "Token(BelowMinimum)");
    assert_eq!(world.call("Alice", transfer("Bob", 9_500)), "");
    assert_eq!(world.call("Alice", transfer("Alice", 0)), "", "to oneself");
    assert_eq!(world.call("Bob", transfer("Alice", 9_000)), "");
}

/// Eras and addresses as the SDK wrote them: a recorded extrinsic of spec 393 is understood byte for byte.
#[test]
fn eras_are_encoded_as_clients_encode_them() {
    for (era, bytes) in [
        (Era::Immortal, vec![0]),
        (Era::Mortal { period: 32, phase: 8 }, vec![0x84, 0x00]),
        (Era::Mortal { period: 64, phase: 42 }, vec![0xa5, 0x02]),
        (Era::Mortal { period: 32768, phase: 20000 }, vec![0x4e, 0x9c]),
    ] {
        assert_eq!(era.encode(), bytes, "{era:?}");
        assert_eq!(Era::decode(&mut bytes.as_slice()).unwrap(), era);
    }
    // A period of 2, and a phase beyond the period.
    assert!(Era::decode(&mut [0x10u8, 0].as_slice()).is_err());
    assert!(Era::decode(&mut [0x41u8, 0].as_slice()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_stop_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Extrinsic::decode(&bytes);
        let _ = Extrinsic::decode(&bytes.encode());
        // As far as the call: the first 99 bytes of a signed extrinsic are its version, address and signature.
        let mut head = vec![0x84, 0];
        head.extend([7; 32]);
        head.push(1);
        head.extend([7; 64]);
        head.extend([0, 0, 0, 0]);
        head.extend(&bytes);
        let _ = Extrinsic::decode(&head.encode());
        let _ = Extrinsic::decode(&[Compact(u32::MAX).encode(), bytes].concat());
    }

    #[test]
    fn what_is_signed_is_understood(nonce in any::<u32>(), exponent in 2u32..16, phase in any::<u64>(), text in ".*") {
        let period = 1u64 << exponent;
        let quantum = (period >> 12).max(1);
        let era = Era::Mortal { period, phase: phase % period / quantum * quantum };
        let (alice, call) = (key("Alice"), remark(&text));
        let signing = Signing { nonce, era, spec_version: 393, genesis_hash: [1; 32], birth_hash: [2; 32] };
        let extrinsic = Extrinsic::decode(&sign(&call, &signing, &alice)).unwrap();
        prop_assert_eq!((extrinsic.nonce, extrinsic.era, extrinsic.signer), (nonce, era, account("Alice")));
        prop_assert_eq!(&extrinsic.call, &call);
        prop_assert!(extrinsic.is_signed(393, &[1; 32], &[2; 32]));
        prop_assert!(!extrinsic.is_signed(393, &[1; 32], &[3; 32]));
        prop_assert!(!extrinsic.is_signed(425, &[1; 32], &[2; 32]));
    }
}
