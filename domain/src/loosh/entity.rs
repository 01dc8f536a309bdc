//! Entity vote caps (spec 3.2): miners that share an address or a coldkey share one vote.
//!
//! Addresses group first; only hotkeys that no address group took are grouped by coldkey. The caps weigh votes and
//! individual scores; they do not enter emissions, whatever upstream's comments say (spec 7, item 8).

use std::collections::BTreeMap;

use super::constants::EntityCaps;
use super::graph::components;

/// Where a hotkey is served from and who owns it, as of the metagraph that the round was drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeOwner {
    /// Advertised address as text; empty, `0` and `0.0.0.0` mean none.
    pub address: String,
    /// Coldkey, SS58; empty means unknown.
    pub coldkey: String,
}

/// Whether an advertised address means "none" (spec 3.2 and 3.12, step 4).
pub fn is_unset_address(address: &str) -> bool {
    matches!(address, "" | "0" | "0.0.0.0")
}

/// One weight in (0, 1] per hotkey, in their order. Hotkeys that `owners` does not know weigh 1.
pub fn vote_caps(hotkeys: &[&str], owners: &BTreeMap<String, NodeOwner>, caps: &EntityCaps) -> Vec<f64> {
    if caps.linked {
        return linked(hotkeys, owners, caps);
    }
    let mut weights = vec![1.0; hotkeys.len()];
    let mut taken = vec![false; hotkeys.len()];
    let known: Vec<(usize, &NodeOwner)> =
        hotkeys.iter().enumerate().filter_map(|(at, key)| owners.get(*key).map(|owner| (at, owner))).collect();
    let by_address = known.iter().filter(|(_, owner)| !is_unset_address(&owner.address));
    for members in groups(by_address.map(|(at, owner)| (owner.address.as_str(), *at)), caps) {
        for at in &members {
            weights[*at] = share(members.len(), caps);
            taken[*at] = true;
        }
    }
    let by_coldkey = known.iter().filter(|(at, owner)| !taken[*at] && !owner.coldkey.is_empty());
    for members in groups(by_coldkey.map(|(at, owner)| (owner.coldkey.as_str(), *at)), caps) {
        for at in &members {
            weights[*at] = share(members.len(), caps);
        }
    }
    weights
}

/// The caps where an address and a coldkey make one group of all that have one or the other.
fn linked(hotkeys: &[&str], owners: &BTreeMap<String, NodeOwner>, caps: &EntityCaps) -> Vec<f64> {
    let known: Vec<Option<&NodeOwner>> = hotkeys.iter().map(|key| owners.get(*key)).collect();
    let one = |i: usize, j: usize| match (known[i], known[j]) {
        (Some(a), Some(b)) => {
            let address = !is_unset_address(&a.address) && a.address == b.address;
            address || (!a.coldkey.is_empty() && a.coldkey == b.coldkey)
        }
        _ => false,
    };
    let count = hotkeys.len();
    let near: Vec<Vec<usize>> = (0..count).map(|i| (0..count).filter(|j| *j != i && one(i, *j)).collect()).collect();
    let mut weights = vec![1.0; count];
    for members in components(&near).into_iter().filter(|members| members.len() as u64 >= caps.minimum_group) {
        members.iter().for_each(|at| weights[*at] = share(members.len(), caps));
    }
    weights
}

fn groups<'a>(items: impl Iterator<Item = (&'a str, usize)>, caps: &EntityCaps) -> Vec<Vec<usize>> {
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (key, at) in items {
        by_key.entry(key).or_default().push(at);
    }
    by_key.into_values().filter(|members| members.len() as u64 >= caps.minimum_group).collect()
}

fn share(members: usize, caps: &EntityCaps) -> f64 {
    (caps.maximum_votes / members as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_before_coldkeys() {
        let owners: BTreeMap<String, NodeOwner> =
            [("a", "1.1.1.1", "x"), ("b", "1.1.1.1", "y"), ("c", "2.2.2.2", "y"), ("d", "", "y"), ("e", "0", "")]
                .into_iter()
                .map(|(key, address, coldkey)| {
                    (key.to_owned(), NodeOwner { address: address.to_owned(), coldkey: coldkey.to_owned() })
                })
                .collect();
        let caps = EntityCaps { maximum_votes: 1.0, minimum_group: 2, linked: false };
        assert_eq!(vote_caps(&["a", "b", "c", "d", "e", "f"], &owners, &caps), [0.5, 0.5, 0.5, 0.5, 1.0, 1.0]);
        assert_eq!(vote_caps(&["a", "c"], &owners, &caps), [1.0, 1.0]);
        assert_eq!(vote_caps(&["a", "b"], &owners, &EntityCaps { maximum_votes: 3.0, ..caps.clone() }), [1.0, 1.0]);
        assert!(vote_caps(&[], &owners, &caps).is_empty());
        // Linked, the coldkey of b joins the two groups: nobody gains by moving some to another address.
        let linked = EntityCaps { linked: true, ..caps };
        let found = vote_caps(&["a", "b", "c", "d", "e", "f"], &owners, &linked);
        assert_eq!(found, [0.25, 0.25, 0.25, 0.25, 1.0, 1.0]);
        assert!(vote_caps(&[], &owners, &linked).is_empty());
    }
}
