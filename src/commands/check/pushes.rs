//! What a check finds of the routes that challenges are pushed to.

use super::Finding;
use crate::cli::RoutesArgs;
use crate::operator::Served;
use crate::routes;
use crate::subnets::NetworkName;
use anyhow::Result;
use std::net::SocketAddr;
use validator::api::ApiConfig;

/// One finding for each subnet whose routes would not open, or whose challenges come from nowhere else.
pub(super) fn look(args: &RoutesArgs, served: &[Served], network: NetworkName, listen: SocketAddr) -> Vec<Finding> {
    let one = |served: &Served| {
        let piece = format!("pushes {}", served.netuid);
        let config = routes::of(args, &served.rule_set).and_then(|config| checked(config, listen));
        match config {
            Err(error) => {
                Some(Finding::of(piece, Err(error)).or("say who may push with --token-file or --allow-hotkey"))
            }
            Ok(config) if routes::takes_pushes_alone(&served.rule_set) => Some(told(piece, &config, network)),
            Ok(_) => None,
        }
    };
    served.iter().filter_map(one).collect()
}

fn checked(config: ApiConfig, listen: SocketAddr) -> Result<ApiConfig> {
    config.check(listen)?;
    Ok(config)
}

/// Without the hotkey of the service that asks on a public network there is nothing to ask miners there.
fn told(piece: String, config: &ApiConfig, network: NetworkName) -> Finding {
    let mut who = vec!["this machine".to_owned()];
    if config.token.is_some() {
        "whoever has the token".clone_into(&mut who[0]);
    }
    if !config.allowed_hotkeys.is_empty() {
        who.push(format!("{} hotkeys that sign", config.allowed_hotkeys.len()));
    }
    match &config.sealed {
        Some(sealed) => who.push(format!("{} hotkeys that seal", sealed.pushers.len())),
        None if network != NetworkName::Local => {
            let who = who.join(", ");
            return Finding::note(
                piece,
                format!(
                    "{who} may push challenges, and the subnet's own service may not: name its hotkey with --challenge-hotkey"
                ),
            );
        }
        None => {}
    }
    Finding::of(piece, Ok(format!("{} may push challenges", who.join(", "))))
}
