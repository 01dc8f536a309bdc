//! Who may be asked: limits per address, endpoint and coldkey against operators with many miners (spec 3.3).
//!
//! Slots are looked at in order of uid, and the first ones have the quota. Upstream counts a slot for its address before it
//! looks whether the slot can be asked at all, so that offline slots use up the quota of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::constants::Selection;
use crate::events::{Exclusion, Neuron};
use crate::selection::is_validators;

/// What the chain says of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot<'a> {
    /// IP address of its axon.
    pub address: &'a str,
    /// Port of its axon.
    pub port: u16,
    /// Whether it announces an axon.
    pub serving: bool,
    /// Its coldkey.
    pub coldkey: &'a str,
    /// Whether it has a validator permit.
    pub permit: bool,
    /// Its stake in TAO.
    pub stake: f64,
    /// Whether its hotkey is on the operator's list of those who are not asked.
    pub blocked: bool,
}

/// Why a slot is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its address has used up its quota.
    #[error("too many slots at its address")]
    Address,
    /// An earlier slot has the same address and port.
    #[error("an earlier slot has the same address and port")]
    Endpoint,
    /// It announces no axon.
    #[error("it announces no axon")]
    NotServing,
    /// It is a validator with more stake than miners have.
    #[error("it is a validator")]
    Validator,
    /// Its hotkey is listed.
    #[error("its hotkey is blocked")]
    Blocked,
    /// Its coldkey has used up its quota.
    #[error("too many slots of its coldkey")]
    Coldkey,
}

/// Whom the quotas leave out of a draw. Slots that are not asked for another reason count as not serving: under upstream's order
/// they use up their address's quota all the same.
#[must_use]
pub fn over_quota(neurons: &[(&Neuron, Option<Exclusion>)], rule: &Selection) -> Vec<Option<Exclusion>> {
    let slot = |(neuron, barred): &(&Neuron, Option<Exclusion>)| (neuron.coldkey.to_string(), barred.is_none());
    let owned: Vec<(String, bool)> = neurons.iter().map(slot).collect();
    let slots: Vec<Slot<'_>> = neurons
        .iter()
        .zip(&owned)
        .map(|((neuron, _), (coldkey, serving))| Slot {
            address: &neuron.ip,
            port: neuron.port,
            serving: *serving,
            coldkey,
            permit: false,
            stake: 0.0,
            blocked: false,
        })
        .collect();
    let named = |reason| match reason {
        Reason::Address => Some(Exclusion::AddressQuota),
        Reason::Endpoint => Some(Exclusion::SameEndpoint),
        Reason::Coldkey => Some(Exclusion::ColdkeyQuota),
        // Said of every mechanism's slots before.
        Reason::NotServing | Reason::Validator | Reason::Blocked => None,
    };
    exclusions(&slots, rule).into_iter().map(|reason| reason.and_then(named)).collect()
}

#[derive(Default)]
struct Counts<'a> {
    addresses: BTreeMap<&'a str, u32>,
    endpoints: BTreeSet<(&'a str, u16)>,
    coldkeys: BTreeMap<&'a str, u32>,
}

/// For each slot, in order of uid, why it is not asked; `None` for those that are.
#[must_use]
pub fn exclusions(slots: &[Slot<'_>], rule: &Selection) -> Vec<Option<Reason>> {
    let mut counts = Counts::default();
    slots
        .iter()
        .map(|slot| {
            if rule.only_available_count {
                unavailable(slot, rule, &counts).or_else(|| counts.crowded(slot, rule))
            } else {
                counts.crowded(slot, rule).or_else(|| unavailable(slot, rule, &counts))
            }
            .or_else(|| {
                *counts.coldkeys.entry(slot.coldkey).or_insert(0) += 1;
                None
            })
        })
        .collect()
}

fn unavailable(slot: &Slot<'_>, rule: &Selection, counts: &Counts<'_>) -> Option<Reason> {
    if !slot.serving {
        Some(Reason::NotServing)
    } else if is_validators(slot.permit, slot.stake, Some(rule.permit_stake)) {
        Some(Reason::Validator)
    } else if slot.blocked {
        Some(Reason::Blocked)
    } else if counts.coldkeys.get(slot.coldkey).is_some_and(|count| *count >= rule.per_coldkey) || rule.per_coldkey == 0
    {
        Some(Reason::Coldkey)
    } else {
        None
    }
}

impl<'a> Counts<'a> {
    /// Counts the slot, then says whether it is one too many.
    fn crowded(&mut self, slot: &Slot<'a>, rule: &Selection) -> Option<Reason> {
        let count = self.addresses.entry(slot.address).or_insert(0);
        *count += 1;
        if *count > rule.per_address {
            return Some(Reason::Address);
        }
        let first = self.endpoints.insert((slot.address, slot.port));
        (rule.one_per_endpoint && !first).then_some(Reason::Endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::constants::Constants;
    use super::*;
    use crate::events::{AvailabilitySwept, MinersSelected, Probe};
    use crate::mechanism::{open, shipped_by_name};
    use crate::metagraph::Metagraph;
    use crate::selection::{SelectionInput, select};
    use crate::types::{BlockNumber, Hotkey, Position, Rao, Uid, sha256};
    use proptest::prelude::*;

    fn slot<'a>(address: &'a str, port: u16, coldkey: &'a str) -> Slot<'a> {
        Slot { address, port, serving: true, coldkey, permit: false, stake: 0.0, blocked: false }
    }

    #[test]
    fn reasons() {
        let rule = Constants::v1_2_2().selection;
        let slots = [
            slot("1.1.1.1", 1, "a"),
            slot("1.1.1.1", 1, "b"),
            Slot { serving: false, ..slot("2.2.2.2", 1, "a") },
            Slot { permit: true, stake: 4096.5, ..slot("3.3.3.3", 1, "a") },
            Slot { permit: true, stake: 4096.0, ..slot("4.4.4.4", 1, "a") },
            Slot { blocked: true, ..slot("5.5.5.5", 1, "a") },
        ];
        let expected = [
            None,
            Some(Reason::Endpoint),
            Some(Reason::NotServing),
            Some(Reason::Validator),
            None,
            Some(Reason::Blocked),
        ];
        assert_eq!(exclusions(&slots, &rule), expected);
    }

    #[test]
    fn offline_slots_use_up_an_address_upstream_only() {
        let mut slots: Vec<Slot<'_>> = (0..30).map(|port| slot("9.9.9.9", port, "")).collect();
        let keys: Vec<String> = (0..30).map(|at| format!("c{at}")).collect();
        for (slot, key) in slots.iter_mut().zip(&keys) {
            slot.coldkey = key;
        }
        slots[..13].iter_mut().for_each(|slot| slot.serving = false);
        let asked = |rule: &Selection| exclusions(&slots, rule).iter().filter(|reason| reason.is_none()).count();
        assert_eq!(asked(&Constants::v1_2_2().selection), 1);
        assert_eq!(asked(&Constants::assay_1().selection), 15);
    }

    /// Miners of a subnet that answered the sweep, by uid from 1: address, port and coldkey of each.
    fn drawn(rules: &str, slots: &[(String, u16, u8)]) -> MinersSelected {
        let own = Hotkey::from_public(&[200; 32]);
        let neuron = |(uid, (ip, port, coldkey)): (u16, &(String, u16, u8))| Neuron {
            uid: Uid(uid),
            // Against the order of uids.
            hotkey: Hotkey::from_public(&[100 - u8::try_from(uid).unwrap(); 32]),
            coldkey: Hotkey::from_public(&[*coldkey; 32]),
            ip: ip.clone(),
            port: *port,
            stake: Rao(0),
            validator_permit: false,
            last_update: BlockNumber(0),
        };
        let neurons: Vec<Neuron> = (1..).zip(slots).map(neuron).collect();
        let probe =
            |neuron: &Neuron| Probe { hotkey: neuron.hotkey, available: true, reason: String::new(), latency_ms: 0 };
        let mut metagraph = Metagraph::default();
        metagraph.observe(&Metagraph::full(BlockNumber(1), sha256(b"block"), None, &neurons));
        let mechanism = open(&shipped_by_name(rules).unwrap()).unwrap();
        select(&SelectionInput {
            challenge_id: "c",
            attempt: 1,
            accepted: Position(1),
            block_hash: sha256(b"block"),
            commitment: sha256(b"challenge"),
            origin: "assay/0/1/x",
            own,
            metagraph: (Position(2), &metagraph),
            sweep: (Position(3), &AvailabilitySwept { probes: neurons.iter().map(probe).collect() }),
            external: None,
            mechanism: mechanism.as_ref(),
        })
    }

    #[test]
    fn the_draw_leaves_out_who_is_over_a_quota_and_says_why() {
        let one_address: Vec<_> = (0..20).map(|at| ("9.9.9.9".to_owned(), 100 + at, at as u8)).collect();
        let one_coldkey: Vec<_> = (0..20).map(|at| (format!("10.0.0.{at}"), 1, 7)).collect();
        let one_endpoint: Vec<_> = (0..4).map(|at| ("9.9.9.9".to_owned(), 100 + at / 2, at as u8)).collect();
        for (rules, slots, asked, reason) in [
            ("bettertherapy/1.2.2", &one_address, 14, Exclusion::AddressQuota),
            ("bettertherapy/assay-1", &one_address, 15, Exclusion::AddressQuota),
            ("bettertherapy/1.2.2", &one_coldkey, 15, Exclusion::ColdkeyQuota),
            ("bettertherapy/1.2.2", &one_endpoint, 2, Exclusion::SameEndpoint),
        ] {
            let found = drawn(rules, slots);
            assert_eq!(found.drawn.len(), asked, "{rules} {reason:?}");
            assert_eq!(found.excluded.len(), slots.len() - asked);
            assert!(found.excluded.iter().all(|excluded| excluded.reason == reason), "{:?}", found.excluded);
            // The first slots have the quota, whatever their hotkeys.
            let last = if reason == Exclusion::SameEndpoint { 3 } else { asked as u16 };
            assert_eq!(found.drawn.iter().map(|miner| miner.uid.0).max(), Some(last), "{rules} {reason:?}");
        }
        assert_eq!(drawn("conversion/readme", &one_address).excluded, []);
    }

    #[test]
    fn fifteen_slots_per_coldkey() {
        let addresses: Vec<String> = (0..20).map(|at| format!("10.0.0.{at}")).collect();
        let slots: Vec<Slot<'_>> = addresses.iter().map(|address| slot(address, 1, "one")).collect();
        for rule in [Constants::v1_2_2().selection, Constants::assay_1().selection] {
            let found = exclusions(&slots, &rule);
            assert_eq!(found.iter().filter(|reason| reason.is_none()).count(), 15);
            assert_eq!(found[15], Some(Reason::Coldkey));
        }
    }

    proptest! {
        #[test]
        fn no_quota_is_exceeded(rows in prop::collection::vec((0u8..4, 0u16..40, any::<bool>(), 0u8..4), 0..120)) {
            let names = ["a", "b", "c", "d"];
            let slots: Vec<Slot<'_>> = rows
                .iter()
                .map(|(ip, port, serving, key)| Slot { serving: *serving, ..slot(names[*ip as usize], *port, names[*key as usize]) })
                .collect();
            for rule in [Constants::v1_2_2().selection, Constants::assay_1().selection] {
                let found = exclusions(&slots, &rule);
                let asked: Vec<&Slot<'_>> = slots.iter().zip(&found).filter(|(_, r)| r.is_none()).map(|(s, _)| s).collect();
                for name in names {
                    prop_assert!(asked.iter().filter(|s| s.address == name).count() <= rule.per_address as usize);
                    prop_assert!(asked.iter().filter(|s| s.coldkey == name).count() <= rule.per_coldkey as usize);
                }
                let endpoints: BTreeSet<_> = asked.iter().map(|s| (s.address, s.port)).collect();
                prop_assert_eq!(endpoints.len(), asked.len());
                prop_assert!(asked.iter().all(|s| s.serving));
            }
        }
    }
}
