//! The epoch fold: scored responses taken in, and the derivation at the end.

use domain::epoch::EpochFold;
use domain::events::{Event, MetagraphObserved, Neuron, ResponseScored, RoundEvaluated};
use domain::mechanism;
use domain::types::{Block, BlockNumber, Hotkey, Micros, Position, Rao, Uid, sha256};

use crate::{Effort, time};

const MINERS: u16 = 64;
const ROUNDS: u64 = 400;

pub(crate) fn run(effort: Effort) {
    let mut names: Vec<String> = mechanism::shipped().iter().map(|rules| rules.name()).collect();
    names.retain(|name| name.ends_with("/readme"));
    for name in names {
        let mechanism = mechanism::open(&mechanism::shipped_by_name(&name).unwrap()).unwrap();
        let events = events(mechanism.rule_set().hash());
        let own = hotkey(u16::MAX);
        let seconds = time(effort, || {
            let mut fold = EpochFold::genesis(std::sync::Arc::clone(&mechanism), own);
            for (at, event) in events.iter().enumerate() {
                fold.apply(Position(at as u64), Micros(1_000_000 * at as u64), event);
            }
            fold.derive()
        });
        let responses = u64::from(MINERS) * ROUNDS;
        println!("{name}-fold-scored-responses-per-second {:.0} - -", responses as f64 / seconds);
    }
}

fn hotkey(number: u16) -> Hotkey {
    Hotkey::from_public(&sha256(&number.to_be_bytes()).0)
}

/// A metagraph, then rounds of scores.
fn events(rule_set: domain::types::Digest) -> Vec<Event> {
    let neurons = (0..MINERS).map(|uid| Neuron {
        uid: Uid(uid),
        hotkey: hotkey(uid),
        coldkey: hotkey(uid),
        ip: "10.0.0.1".into(),
        port: 1,
        stake: Rao(0),
        validator_permit: false,
        last_update: BlockNumber(0),
    });
    let metagraph = MetagraphObserved {
        block: BlockNumber(1),
        block_hash: sha256(b"block"),
        owner: None,
        full: true,
        neurons: neurons.collect(),
        removed: Vec::new(),
    };
    let mut events: Vec<Event> = vec![metagraph.into()];
    for round in 0..ROUNDS {
        let challenge_id = format!("c{round}");
        events.extend((0..MINERS).map(|uid| {
            let score = f64::from((uid * 7 + round as u16) % 101) / 100.0;
            let (challenge_id, hotkey) = (challenge_id.clone(), hotkey(uid));
            let (filtered, reason, components) = (None, None, Vec::new());
            ResponseScored {
                challenge_id,
                attempt: 1,
                hotkey,
                uid: Uid(uid),
                score,
                counted: true,
                filtered,
                reason,
                components,
            }
            .into()
        }));
        events.push(
            RoundEvaluated {
                challenge_id,
                attempt: 1,
                rule_set,
                consensus: 0.9,
                consensus_achieved: true,
                best: None,
                components: Vec::new(),
                labels: Vec::new(),
                label: None,
                statistics: Vec::new(),
                similarity: Block::default(),
            }
            .into(),
        );
    }
    events
}
