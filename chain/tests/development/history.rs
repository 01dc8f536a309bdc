//! Reads at past blocks give what was read then, and blocks are not known before they exist.

use std::collections::BTreeSet;

use chain::{Call, Error};
use domain::types::{BlockNumber, NetUid};

use super::world::{NETUID, World, key};

#[test]
fn what_was_read_at_a_block_is_read_again_later() {
    let world = World::new();
    let mut seen = Vec::new();
    for round in 0..30u16 {
        if round % 3 == 0 {
            world.set_weights("validator", &[(2, round + 1), (3, 40)]);
        }
        let data = round.to_be_bytes().to_vec();
        world.call(&key("miner0"), Call::SetCommitment { netuid: NETUID, data });
        if round % 7 == 0 {
            let ip = "198.51.100.1".parse().unwrap();
            world.call(&key("miner1"), Call::ServeAxon { netuid: NETUID, ip, port: 8000 + round });
        }
        seen.push(reading(&world, world.head()));
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
    let world = world.killed_and_started();
    for reading_then in seen {
        assert_eq!(reading(&world, reading_then.0.block), reading_then);
    }
}

type Reading = (chain::Metagraph, Vec<(u16, u16)>, Option<chain::Anchor>, chain::Hyperparameters);

fn reading(world: &World, at: BlockNumber) -> Reading {
    world.node.read(|state| {
        (
            state.metagraph(NETUID, at).unwrap(),
            world.weights(0, at),
            state.anchor_of(NETUID, &key("miner0").hotkey(), at).unwrap(),
            state.hyperparameters(NETUID, at).unwrap(),
        )
    })
}

#[test]
fn there_is_no_reading_ahead_or_elsewhere() {
    let world = World::new();
    world.advance(2);
    world.node.read(|state| {
        assert!(matches!(state.metagraph(NETUID, BlockNumber(3)), Err(Error::UnknownBlock(BlockNumber(3)))));
        assert!(state.header(BlockNumber(3)).is_none());
        assert!(matches!(state.metagraph(NetUid(8), BlockNumber(2)), Err(Error::UnknownSubnet { .. })));
    });
}

#[test]
fn hashes_cannot_be_predicted() {
    // Two chains with one specification, clock and set of calls agree in no hash, genesis included.
    let worlds = [World::new(), World::new()];
    let mut hashes = BTreeSet::new();
    for world in &worlds {
        world.advance(20);
        hashes.extend((0..=20).map(|number| world.node.read(|state| state.header(BlockNumber(number))).unwrap().hash));
    }
    assert_eq!(hashes.len(), 42);
    // Nor do two continuations of one chain from the same file.
    let [world, _] = worlds;
    let copy = World::new();
    let (from, to) = (world.folder.path().join("chain"), copy.folder.path().join("copy"));
    std::fs::copy(from, &to).unwrap();
    let fork = chain::development::Node::open(&to, &world.specification, 0).unwrap();
    let (head, other) = (world.node.author(0).unwrap(), fork.author(0).unwrap());
    assert_eq!((head.number, head.parent, head.timestamp_ms), (other.number, other.parent, other.timestamp_ms));
    assert_ne!(head.hash, other.hash);
}
