//! The genesis of a development chain: every subnet that this program has rules for, its validator, and its owner.

use super::cast::{self, SUBNETS, Subnet};
use anyhow::Result;
use domain::types::Rao;
use localnet::{GenesisNeuron, GenesisSubnet, Hyperparameters, Specification};
use std::path::Path;

/// The validator's stake: the chain gives permits by stake.
const STAKE: Rao = Rao(1_000_000_000_000);

/// All subnets, whichever are played: a chain is kept from run to run. Keys lie in `keys` and are made when they are missing. The
/// demo's miners have slots from the beginning where they are `seated`; others register.
pub fn specification(keys: &Path, seated: bool) -> Result<Specification> {
    let root = cast::keypair(keys, "root")?.hotkey();
    let subnets = SUBNETS.iter().map(|subnet| genesis(keys, subnet, seated)).collect::<Result<_>>()?;
    Ok(Specification { subnets, ..Specification::of(root) })
}

fn genesis(keys: &Path, subnet: &Subnet, seated: bool) -> Result<GenesisSubnet> {
    let owner = cast::keypair(keys, "owner")?.hotkey();
    let hotkey = cast::keypair(keys, "validator")?.hotkey();
    let mut neurons = vec![GenesisNeuron { hotkey, coldkey: owner, stake: STAKE, axon: None }];
    for player in subnet.players.iter().filter(|_| seated) {
        let hotkey = subnet.keypair(keys, player)?.hotkey();
        let coldkey = cast::keypair(keys, &format!("{}-cold", subnet.file_name(player.name)))?.hotkey();
        neurons.push(GenesisNeuron { hotkey, coldkey, stake: Rao(0), axon: None });
    }
    // The owner holds the last slot: what a rule set burns is paid to it.
    let owner_hotkey = cast::keypair(keys, &subnet.file_name("owner-hotkey"))?.hotkey();
    neurons.push(GenesisNeuron { hotkey: owner_hotkey, coldkey: owner, stake: Rao(0), axon: None });
    let hyperparameters = Hyperparameters { max_allowed_validators: 1, ..Hyperparameters::default() };
    Ok(GenesisSubnet { netuid: subnet.netuid, hyperparameters, owner: Some(owner_hotkey), neurons })
}
