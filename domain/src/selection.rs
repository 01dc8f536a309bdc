//! Who is asked in a round: candidates, exclusions and the draw, from recorded facts alone.

use crate::draw::{self, Stream};
use crate::events::{AvailabilitySwept, Candidate, DrawnMiner, Excluded, Exclusion, MinersSelected, Neuron, Probe};
use crate::mechanism::{ExternalScores, Mechanism};
use crate::metagraph::{Metagraph, announces_axon};
use crate::types::{Digest, Hotkey, Position};
use std::collections::BTreeMap;

/// Weight of a candidate whose priority is not known: priorities are recorded in millionths.
pub const DEFAULT_WEIGHT: u64 = 1_000_000;

/// Parts of a TAO.
const RAO_PER_TAO: f64 = 1e9;

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
    /// Priority weights and listed validators, and where they stand.
    pub external: Option<(Position, &'a ExternalScores)>,
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
        metagraph.neurons().map(|neuron| (neuron, exclusion(neuron, input, &probes))).collect();
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
                let priority = input.external.and_then(|(_, known)| known.priorities.get(&neuron.hotkey).copied());
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
        external_scores: input.external.map(|(position, _)| position),
        rule_set: input.mechanism.rule_set().hash(),
        seed,
        limit,
        candidates,
        excluded,
        drawn: drawn.into_iter().map(|index| drawn_miner(places[index])).collect(),
    }
}

fn exclusion(neuron: &Neuron, input: &SelectionInput<'_>, probes: &BTreeMap<Hotkey, &Probe>) -> Option<Exclusion> {
    if neuron.hotkey == input.own {
        return Some(Exclusion::Own);
    }
    let listed = input.external.is_some_and(|(_, known)| known.validators.contains(&neuron.hotkey));
    if listed || is_validator(neuron, input.mechanism.validator_stake()) {
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

/// Whether a slot is a validator's: it has a permit, and more stake than the limit in TAO where there is one. The chain gives
/// permits by stake, so that on a small subnet miners come to hold them, too.
#[must_use]
pub fn is_validator(neuron: &Neuron, limit: Option<f64>) -> bool {
    is_validators(neuron.validator_permit, neuron.stake.0 as f64 / RAO_PER_TAO, limit)
}

/// [`is_validator`] of a permit and a stake in TAO.
#[must_use]
pub fn is_validators(permit: bool, stake: f64, limit: Option<f64>) -> bool {
    permit && limit.is_none_or(|limit| stake > limit)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BlockNumber, Rao, Uid};

    #[test]
    fn a_permit_with_little_stake_is_a_miners_where_the_rules_say_so() {
        let of = |validator_permit: bool, rao: u64| Neuron {
            uid: Uid(1),
            hotkey: Hotkey::from_public(&[1; 32]),
            coldkey: Hotkey::from_public(&[2; 32]),
            ip: "10.0.0.1".to_owned(),
            port: 1,
            stake: Rao(rao),
            validator_permit,
            last_update: BlockNumber(0),
        };
        let tao = 1_000_000_000;
        for (permit, rao, limit, expected) in [
            (false, 9000 * tao, None, false),
            (false, 9000 * tao, Some(4096.0), false),
            (true, 0, None, true),
            (true, 0, Some(4096.0), false),
            (true, 4096 * tao, Some(4096.0), false),
            (true, 4096 * tao + 1, Some(4096.0), true),
        ] {
            assert_eq!(is_validator(&of(permit, rao), limit), expected, "{permit} {rao} {limit:?}");
        }
    }
}
