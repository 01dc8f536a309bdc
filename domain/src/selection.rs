//! Who is asked in a round: candidates, exclusions and the draw, from recorded facts alone.

use crate::draw::{self, Stream};
use crate::events::{AvailabilitySwept, Candidate, DrawnMiner, Excluded, Exclusion, MinersSelected, Neuron, Probe};
use crate::mechanism::Mechanism;
use crate::metagraph::{Metagraph, announces_axon};
use crate::types::{Digest, Hotkey, Position};
use std::collections::BTreeMap;

/// Weight of a candidate whose priority is not known: priorities are recorded in millionths.
pub const DEFAULT_WEIGHT: u64 = 1_000_000;

/// What a draw depends on.
#[derive(Debug, Clone)]
pub struct SelectionInput<'a> {
    /// The challenge.
    pub challenge_id: &'a str,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where the challenge was accepted.
    pub accepted: Position,
    /// Newest block hash at acceptance.
    pub block_hash: Digest,
    /// Commitment of the challenge.
    pub commitment: Digest,
    /// The ledger's origin.
    pub origin: &'a str,
    /// The validator.
    pub own: Hotkey,
    /// The metagraph and where it stands.
    pub metagraph: (Position, &'a Metagraph),
    /// The last sweep and where it stands.
    pub sweep: (Position, &'a AvailabilitySwept),
    /// Priority weights and where they stand.
    pub priorities: Option<(Position, &'a BTreeMap<Hotkey, u64>)>,
    /// Says how many are asked at most, and whom its quotas leave out.
    pub mechanism: &'a dyn Mechanism,
}

/// Draws the miners of one attempt.
///
/// Who may be asked is decided by metagraph and sweep, then by the mechanism's quotas over all slots in order of uid.
/// Everybody is asked when there are no more candidates than the limit, in order of hotkey; otherwise `limit` are drawn
/// with their weights, without replacement, from the stream `select/<attempt>`.
#[must_use]
pub fn select(input: &SelectionInput<'_>) -> MinersSelected {
    let (metagraph_at, metagraph) = input.metagraph;
    let (sweep_at, sweep) = input.sweep;
    let probes: BTreeMap<Hotkey, &Probe> = sweep.probes.iter().map(|probe| (probe.hotkey, probe)).collect();
    let mut neurons: Vec<(&Neuron, Option<Exclusion>)> =
        metagraph.neurons().map(|neuron| (neuron, exclusion(neuron, &input.own, &probes))).collect();
    neurons.sort_by_key(|(neuron, _)| (neuron.uid, neuron.hotkey));
    let over = input.mechanism.over_quota(&neurons);
    neurons.iter_mut().zip(over).for_each(|((_, reason), over)| *reason = reason.or(over));
    neurons.sort_by_key(|(neuron, _)| (neuron.hotkey, neuron.uid));
    let limit = input.mechanism.miners_per_round();

    let mut candidates = Vec::new();
    let mut places = Vec::new();
    let mut excluded = Vec::new();
    for (neuron, reason) in neurons {
        match reason {
            Some(reason) => excluded.push(Excluded { hotkey: neuron.hotkey, reason }),
            None => {
                let priority = input.priorities.and_then(|(_, known)| known.get(&neuron.hotkey).copied());
                let weight = priority.unwrap_or(DEFAULT_WEIGHT);
                candidates.push(Candidate { hotkey: neuron.hotkey, weight });
                places.push(neuron);
            }
        }
    }
    let seed = draw::seed(&input.block_hash, input.origin, &input.commitment);
    let drawn = if candidates.len() <= usize::from(limit) {
        (0..candidates.len()).collect()
    } else {
        let weights: Vec<u64> = candidates.iter().map(|candidate| candidate.weight).collect();
        let mut stream = Stream::new(seed, &format!("select/{}", input.attempt));
        draw::sample(&mut stream, &weights, usize::from(limit))
    };
    MinersSelected {
        challenge_id: input.challenge_id.to_owned(),
        attempt: input.attempt,
        accepted: input.accepted,
        metagraph: metagraph_at,
        sweep: sweep_at,
        external_scores: input.priorities.map(|(position, _)| position),
        rule_set: input.mechanism.rule_set().hash(),
        seed,
        limit,
        candidates,
        excluded,
        drawn: drawn.into_iter().map(|index| drawn_miner(places[index])).collect(),
    }
}

fn exclusion(neuron: &Neuron, own: &Hotkey, probes: &BTreeMap<Hotkey, &Probe>) -> Option<Exclusion> {
    if neuron.hotkey == *own {
        return Some(Exclusion::Own);
    }
    if neuron.validator_permit {
        return Some(Exclusion::Validator);
    }
    if !announces_axon(neuron) {
        return Some(Exclusion::NoAxon);
    }
    match probes.get(&neuron.hotkey) {
        None => Some(Exclusion::NotSwept),
        Some(probe) if !probe.available => Some(Exclusion::Unavailable),
        Some(_) => None,
    }
}

fn drawn_miner(neuron: &Neuron) -> DrawnMiner {
    DrawnMiner {
        hotkey: neuron.hotkey,
        uid: neuron.uid,
        coldkey: neuron.coldkey,
        ip: neuron.ip.clone(),
        port: neuron.port,
    }
}
