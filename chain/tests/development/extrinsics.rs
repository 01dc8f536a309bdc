//! Extrinsics: once, in order, in their era, on their chain, by their signer.

use chain::development::{DevelopmentCall, RootCall};
use chain::{Call, Error, ExtrinsicStatus, Hyperparameters};
use domain::types::{HexBytes, sha256};

use super::world::{NETUID, World, error_of, key, sign, weights_call};

fn commitment(text: &str) -> Call {
    Call::SetCommitment { netuid: NETUID, data: text.as_bytes().to_vec() }
}

fn refusal(world: &World, bytes: &[u8]) -> String {
    match world.node.submit(bytes) {
        Err(Error::Rejected { name, .. }) => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_extrinsic_is_included_once_however_often_it_is_sent() {
    let world = World::new();
    let extrinsic = world.signed(&key("validator"), weights_call(&[(2, 1)]));
    assert_eq!(world.status(extrinsic.reference()), ExtrinsicStatus::Unknown);
    for _ in 0..3 {
        assert_eq!(world.node.submit(&extrinsic.bytes).unwrap(), extrinsic.hash);
    }
    assert_eq!(world.status(extrinsic.reference()), ExtrinsicStatus::Pending);
    let inclusion = world.included(&extrinsic);
    assert_eq!(inclusion.block, world.head());
    assert_eq!(inclusion.block_hash, world.node.read(|state| state.head().hash));
    assert_eq!(error_of(inclusion.clone()), "");
    // Sent again after it is in a block, and again after a restart.
    assert_eq!(world.included(&extrinsic), inclusion);
    let world = world.killed_and_started();
    assert_eq!(world.included(&extrinsic), inclusion);
    assert_eq!(world.node.next_nonce(&key("validator").hotkey()), 1);
}

#[test]
fn nonces_are_used_in_order_and_once() {
    let world = World::new();
    let miner = key("miner0");
    let mut payloads: Vec<_> = (0..4u64)
        .map(|nonce| {
            let call = DevelopmentCall::Subtensor(commitment(&format!("anchor {nonce}")));
            chain::development::Payload { nonce, ..world.payload(&miner, call) }
        })
        .collect();
    // 2 before 0 and 1; 3 is missing until later.
    let late = sign(payloads.pop().unwrap(), &miner);
    let [first, second, third] = <[_; 3]>::try_from(payloads).unwrap().map(|payload| sign(payload, &miner));
    for extrinsic in [&third, &first, &second] {
        world.node.submit(&extrinsic.bytes).unwrap();
    }
    assert_eq!(world.node.next_nonce(&miner.hotkey()), 3);
    world.advance(1);
    let index = |reference| match world.status(reference) {
        ExtrinsicStatus::Included(inclusion) => (inclusion.block.0, inclusion.index),
        other => panic!("{other:?}"),
    };
    assert_eq!([&first, &second, &third].map(|extrinsic| index(extrinsic.reference())), [(1, 0), (1, 1), (1, 2)]);
    let anchor = world.node.read(|state| state.anchor_of(NETUID, &miner.hotkey(), state.head().number)).unwrap();
    assert_eq!(anchor.unwrap().data, b"anchor 2");
    world.included(&late);
    // A used nonce, one that waits already, and one too far ahead.
    let again = |nonce, text: &str| {
        let call = DevelopmentCall::Subtensor(commitment(text));
        sign(chain::development::Payload { nonce, ..world.payload(&miner, call) }, &miner)
    };
    let stale = again(3, "other");
    assert_eq!(refusal(&world, &stale.bytes), "Stale");
    assert_eq!(world.status(stale.reference()), ExtrinsicStatus::Expired, "its nonce was used by another");
    world.node.submit(&again(4, "one").bytes).unwrap();
    assert_eq!(refusal(&world, &again(4, "two").bytes), "PriorityTooLow");
    assert_eq!(refusal(&world, &again(4 + 65, "far").bytes), "Future");
}

#[test]
fn a_gap_in_the_nonces_waits_and_expires() {
    let world = World::new();
    let miner = key("miner0");
    let call = DevelopmentCall::Subtensor(commitment("after a gap"));
    let ahead = sign(chain::development::Payload { nonce: 1, ..world.payload(&miner, call) }, &miner);
    world.node.submit(&ahead.bytes).unwrap();
    world.advance(6);
    assert_eq!(world.status(ahead.reference()), ExtrinsicStatus::Pending);
    world.advance(1);
    assert_eq!(world.status(ahead.reference()), ExtrinsicStatus::Expired);
    assert_eq!(refusal(&world, &ahead.bytes), "AncientBirthBlock");
}

#[test]
fn an_era_ends_after_its_period() {
    let world = World::new();
    world.advance(3);
    // Born at 3 with period 8: blocks 4 to 10 can include it.
    let [last, too_late] = ["miner0", "miner1"].map(|name| world.signed(&key(name), commitment("late")));
    world.advance(6);
    assert_eq!(world.status(too_late.reference()), ExtrinsicStatus::Unknown);
    assert_eq!(world.included(&last).block.0, 10);
    assert_eq!(world.status(too_late.reference()), ExtrinsicStatus::Expired);
    assert_eq!(refusal(&world, &too_late.bytes), "AncientBirthBlock");
    world.advance(20);
    assert_eq!(world.status(too_late.reference()), ExtrinsicStatus::Expired);
    assert!(matches!(world.status(last.reference()), ExtrinsicStatus::Included(_)), "what is included stays so");
}

#[test]
fn forged_and_foreign_extrinsics_are_refused() {
    let world = World::new();
    let (alice, mallory) = (key("validator"), key("mallory"));
    let good = world.payload(&alice, DevelopmentCall::Subtensor(weights_call(&[(2, 1)])));
    let extrinsic = good.clone().sign(&alice).unwrap();
    let mut forged = good.clone().sign(&mallory).unwrap();
    forged.payload.signer = alice.hotkey();
    let mut altered = extrinsic.clone();
    altered.payload.call = DevelopmentCall::Subtensor(weights_call(&[(3, 1)]));
    let elsewhere = chain::development::Payload { genesis_hash: HexBytes([1; 32]), ..good.clone() };
    let unborn = chain::development::Payload {
        era: chain::Era { birth: domain::types::BlockNumber(1), period: 8 },
        ..good.clone()
    };
    let fork = chain::development::Payload { birth_hash: HexBytes([2; 32]), ..good.clone() };
    let immortal = chain::development::Payload { era: chain::Era { period: 1 << 20, ..good.era }, ..good.clone() };
    let odd = chain::development::Payload { era: chain::Era { period: 9, ..good.era }, ..good.clone() };
    let endless = chain::development::Payload { era: chain::Era { period: u64::MAX, ..good.era }, ..good };
    for (what, extrinsic) in [
        ("forged", forged),
        ("altered", altered),
        ("of another chain", elsewhere.sign(&alice).unwrap()),
        ("born in the future", unborn.sign(&alice).unwrap()),
        ("of a fork", fork.sign(&alice).unwrap()),
        ("with an era too long", immortal.sign(&alice).unwrap()),
        ("with an odd era", odd.sign(&alice).unwrap()),
        ("with an endless era", endless.sign(&alice).unwrap()),
    ] {
        assert_eq!(refusal(&world, &extrinsic.encode().unwrap()), "BadProof", "{what}");
    }
    let bytes = extrinsic.encode().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let misspelt = text.replacen(alice.hotkey().as_str(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ", 1);
    assert_eq!(refusal(&world, misspelt.as_bytes()), "BadFormat");
    let spaced = [b" ", bytes.as_slice()].concat();
    for other in
        [spaced.as_slice(), b"", b"{}", b"\xff\xfe", &bytes[..bytes.len() - 1], &[b'['; 100_000], &[b' '; 200_000]]
    {
        assert_eq!(refusal(&world, other), "BadFormat");
    }
    assert_eq!(world.node.submit(&bytes).unwrap(), sha256(&bytes));
}

#[test]
fn the_pool_has_a_limit() {
    let world = World::new();
    let mut refused = 0;
    for account in 0..17 {
        let key = key(&format!("crowd//{account}"));
        for nonce in 0..64 {
            let call = DevelopmentCall::Subtensor(commitment("x"));
            let payload = chain::development::Payload { nonce, ..world.payload(&key, call) };
            match world.node.submit(&sign(payload, &key).bytes) {
                Ok(_) => {}
                Err(Error::Rejected { name, .. }) if name == "ImmediatelyDropped" => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(refused, 64);
    // 256 in a block, so the pool is empty after four.
    world.advance(4);
    assert_eq!(world.node.next_nonce(&key("crowd//15").hotkey()), 64);
    assert_eq!(world.call(&key("crowd//16"), commitment("y")), "AccountNotAllowedCommit");
}

#[test]
fn only_the_root_key_arranges_situations() {
    let world = World::new();
    let hyperparameters = Hyperparameters { tempo: 99, ..Hyperparameters::default() };
    let call = RootCall::SetHyperparameters { netuid: NETUID, hyperparameters: hyperparameters.clone() };
    let mallory = key("mallory");
    let extrinsic = sign(world.payload(&mallory, DevelopmentCall::Root(call.clone())), &mallory);
    assert_eq!(error_of(world.included(&extrinsic)), "RequireSudo");
    let before = world.head();
    assert_eq!(world.root(call), "");
    let read = |at| world.node.read(|state| state.hyperparameters(NETUID, at)).unwrap();
    assert_eq!(read(world.head()), hyperparameters);
    assert_eq!(read(before), Hyperparameters::default());
    assert_eq!(world.metagraph().epoch.next_block.0, 99);
    let hyperparameters = Hyperparameters { commit_reveal_enabled: true, ..hyperparameters };
    assert_eq!(world.root(RootCall::SetHyperparameters { netuid: NETUID, hyperparameters }), "InvalidHyperparameters");
}
