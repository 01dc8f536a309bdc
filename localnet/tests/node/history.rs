//! Reads at past blocks give what was read then, and blocks are not known before they exist.

use std::collections::BTreeSet;

use codec::Encode;
use localnet::runtime::frame_system::pallet::Call as System;
use localnet::{Failure, Node, blake2_256};

use super::world::{NETUID, World, account, weights};

#[test]
fn what_was_read_at_a_block_is_read_again_later() {
    let world = World::new();
    let mut seen = Vec::new();
    for round in 0..30u16 {
        if round % 3 == 0 {
            world.call("Alice", weights(&[(2, round + 1), (3, 40)]));
        }
        world.call("miner0", System::remark_with_event { remark: round.to_be_bytes().to_vec() });
        let head = world.height();
        seen.push((head, world.metagraph(), world.weights_at(0, head), world.records(head)));
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
    let world = world.killed_and_started();
    for (head, metagraph, row, records) in seen {
        assert_eq!(world.metagraph_at(head), metagraph);
        assert_eq!((world.weights_at(0, head), world.records(head)), (row, records));
    }
}

#[test]
fn headers_hash_and_follow_one_another() {
    let world = World::new();
    world.advance(5);
    world.node.read(|state| {
        for number in 1..=5 {
            let (block, parent) = (state.block(number).unwrap(), state.block(number - 1).unwrap());
            assert_eq!(block.hash, blake2_256(&block.header.encode()));
            assert_eq!((block.header.number, block.header.parent_hash.0), (number, parent.hash));
            assert_eq!(state.number_of(&block.hash), Some(number));
            assert_ne!(block.header.state_root, parent.header.state_root);
        }
        assert_eq!(state.block(6), None);
    });
}

#[test]
fn a_runtime_api_is_known_with_its_own_arguments_only() {
    let world = World::new();
    world.node.read(|state| {
        assert_eq!(state.call("Core_execute_block", &[], 0), Err(Failure::UnknownMethod));
        assert_eq!(state.call("NeuronInfoRuntimeApi_get_neuron", &[2, 0], 0), Err(Failure::Arguments));
        let extra = [account("Alice").encode(), vec![0]].concat();
        assert_eq!(state.call("AccountNonceApi_account_nonce", &extra, 0), Err(Failure::Arguments));
        assert_eq!(state.call("SubnetInfoRuntimeApi_get_metagraph", &9u16.encode(), 0), Ok(vec![0]));
        let selective = (NETUID, vec![52u16, 72, 999]).encode();
        let answer = state.call("SubnetInfoRuntimeApi_get_selective_metagraph", &selective, 0).unwrap();
        // Some, the netuid, 51 fields that were not asked for, then the hotkeys.
        assert_eq!(answer[..2], [1, 8]);
        assert_eq!(answer[2..53], [0; 51]);
        assert_eq!(answer[53..55], [1, 5 << 2]);
        assert_eq!(answer[55..87], account("Alice").0);
    });
}

#[test]
fn hashes_cannot_be_predicted() {
    // Two chains with one specification, clock and set of calls agree in no hash, genesis included.
    let worlds = [World::new(), World::new()];
    let mut hashes = BTreeSet::new();
    for world in &worlds {
        world.advance(20);
        hashes.extend((0..=20).map(|number| world.node.read(|state| state.block(number).unwrap().hash)));
    }
    assert_eq!(hashes.len(), 42);
    // Nor do two continuations of one chain from the same file.
    let [world, copy] = worlds;
    let (from, to) = (world.folder.path().join("chain"), copy.folder.path().join("copy"));
    std::fs::copy(from, &to).unwrap();
    let fork = Node::open(&to, &world.specification, 0).unwrap();
    assert_ne!(world.node.author(0).unwrap(), fork.author(0).unwrap());
}

#[test]
fn a_seed_makes_one_genesis() {
    let mut specification = World::new().specification;
    specification.seed = Some(domain::types::HexBytes([3; 32]));
    let worlds = [0, 1].map(|_| World::of(specification.clone()));
    let [one, two] = worlds.map(|world| world.node.read(localnet::State::genesis_hash));
    assert_eq!(one, two);
}
