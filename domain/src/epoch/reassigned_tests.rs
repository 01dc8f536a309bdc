#![allow(clippy::unwrap_used)]
use super::*;
use crate::events::{Neuron, WeightMode};
use crate::types::{BlockNumber, Hotkey, Rao, Uid, sha256};

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn weight(uid: u8, weight: u16) -> Weight {
    Weight { uid: Uid(uid.into()), hotkey: hotkey(uid), weight }
}

fn derived(weights: Vec<Weight>) -> WeightsDerived {
    WeightsDerived {
        epoch: 3,
        revision: 0,
        rule_set: sha256(b"rules"),
        from: Position(10),
        to: Position(20),
        metagraph: Position(20),
        block: BlockNumber(5),
        external_scores: None,
        mode: WeightMode::Normal,
        rounds: 1,
        skip: None,
        weights,
        zeros: Vec::new(),
        carried: Vec::new(),
        statistics: Vec::new(),
        window: Block::default(),
    }
}

/// Slots 1, 2, 3, each held by the hotkey of its number, but for those that changed hands.
fn metagraph(changed: &[u8]) -> Metagraph {
    let neurons: Vec<Neuron> = (1..=3)
        .map(|uid| Neuron {
            uid: Uid(uid.into()),
            hotkey: hotkey(if changed.contains(&uid) { uid + 100 } else { uid }),
            coldkey: hotkey(50),
            ip: "127.0.0.1".to_owned(),
            port: 1,
            stake: Rao(0),
            validator_permit: false,
            last_update: BlockNumber(0),
        })
        .collect();
    let mut metagraph = Metagraph::default();
    metagraph.observe(&Metagraph::full(BlockNumber(7), sha256(b"block"), None, &neurons));
    metagraph
}

fn correct(weights: Vec<Weight>, changed: &[u8]) -> Option<WeightsDerived> {
    reassigned(&derived(weights), Position(22), &metagraph(changed))
}

#[test]
fn nothing_changed_is_no_correction() {
    assert_eq!(correct(vec![weight(1, 65535), weight(2, 7)], &[3]), None);
}

#[test]
fn the_rest_is_scaled_as_the_chain_would_scale_it() {
    let rows = [
        // Without the largest: 62327 becomes 65535 and the others grow in proportion.
        (vec![weight(1, 61716), weight(2, 65535), weight(3, 62327)], vec![weight(1, 64893), weight(3, 65535)]),
        // With it the others stay as they are.
        (vec![weight(1, 65535), weight(2, 500), weight(3, 1)], vec![weight(1, 65535), weight(3, 1)]),
        // A half is rounded up: 65535 / 2 = 32767.5.
        (vec![weight(1, 1), weight(2, 9), weight(3, 2)], vec![weight(1, 32768), weight(3, 65535)]),
    ];
    for (before, after) in rows {
        let corrected = correct(before, &[2]).unwrap();
        assert_eq!(corrected.weights, after);
        assert_eq!((corrected.revision, corrected.metagraph, corrected.block), (1, Position(22), BlockNumber(7)));
        let zero = ZeroWeight { uid: Uid(2), hotkey: hotkey(2), reason: ZeroReason::UidReassigned };
        assert_eq!(corrected.zeros, [zero]);
    }
}

#[test]
fn nobody_left_is_a_skip() {
    let corrected = correct(vec![weight(1, 65535)], &[1]).unwrap();
    assert_eq!((corrected.skip, corrected.weights), (Some(SkipReason::NobodyServing), Vec::new()));
}
