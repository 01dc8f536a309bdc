//! `assay register`: takes a slot of a subnet for a hotkey.

use crate::chain_connection;
use crate::cli::{OperatorArgs, RegisterArgs, WalletArgs};
use crate::joining;
use crate::operator::{self, HotkeyFile, Network};
use crate::output;
use crate::subnets::NetworkName;
use anyhow::{Context, Result, bail};
use domain::types::NetUid;
use network::keys::Keypair;
use network::wallet::{DEFAULT_NAME, DEFAULT_ROOT, WalletPath, expand_home};
use serde::Serialize;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// What came of it.
#[derive(Serialize)]
struct Registered {
    netuid: u16,
    hotkey: String,
    uid: u16,
    /// Whether it held the slot before.
    held_before: bool,
}

/// `assay register`.
pub async fn run(args: &RegisterArgs) -> Result<ExitCode> {
    let network = joining::beside_demo(Network::of(&args.network)?, &args.network)?;
    netuid(args, network.name)?;
    let hotkey = HotkeyFile::of(&args.wallet)?.load()?;
    let (chain, network) = chain_connection::open_network(&network).await?;
    // The number is that of the network that the chain is.
    let netuid = netuid(args, network.name)?;
    let held = joining::neuron(chain.as_ref(), netuid, &hotkey).await?;
    let held_before = held.is_some();
    let neuron = match held {
        Some(neuron) => neuron,
        None => {
            let coldkey = payer(args, &network, netuid, &hotkey)?;
            joining::buy(chain.as_ref(), netuid, &hotkey.hotkey(), &coldkey).await?
        }
    };
    let registered = Registered { netuid: netuid.0, hotkey: hotkey.ss58(), uid: neuron.uid.0, held_before };
    if args.json {
        output::json(&registered)?;
    } else {
        let Registered { hotkey, uid, .. } = registered;
        let verb = if held_before { "holds" } else { "took" };
        output::line(format!("{hotkey} {verb} uid {uid} of subnet {netuid} on {}", network.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn netuid(args: &RegisterArgs, network: NetworkName) -> Result<NetUid> {
    let named = OperatorArgs {
        subnet: args.subnet.iter().cloned().collect(),
        netuid: args.netuid.into_iter().collect(),
        ..OperatorArgs::default()
    };
    operator::served(&named, network)?.first().map(|served| served.netuid).context("no subnet is named")
}

/// On a local network the hotkey itself, elsewhere the wallet's coldkey, once somebody said that it is to pay.
fn payer(args: &RegisterArgs, network: &Network, netuid: NetUid, hotkey: &Keypair) -> Result<Keypair> {
    if network.name == NetworkName::Local {
        return Ok(hotkey.clone());
    }
    let path = coldkey(&args.wallet)?;
    if !args.yes
        && !agreed(&format!("A slot of subnet {netuid} on {} costs TAO of {}. Go on?", network.name, path.display()))?
    {
        bail!("nothing was sent; say yes, or add --yes");
    }
    let ask = || {
        let prompt = format!("Password of {}: ", path.display());
        Ok(rpassword::prompt_password(prompt).ok().map(|password| Zeroizing::new(password.into_bytes())))
    };
    // The variable first: a script has no terminal.
    let found = Keypair::load(&path).or_else(|error| match error {
        network::Error::KeyFileSealed { .. } => Keypair::load_with(&path, ask),
        error => Err(error),
    });
    found.with_context(|| format!("the coldkey {}", path.display()))
}

fn coldkey(args: &WalletArgs) -> Result<PathBuf> {
    if args.hotkey.is_some() {
        bail!(
            "--hotkey names no coldkey, which pays for a slot of a public network; name the wallet with --wallet.name"
        );
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let root = args.wallet_path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_ROOT));
    let name = |given: &Option<String>| given.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
    let root = expand_home(&root, home.as_deref());
    Ok(WalletPath::new(&root, &name(&args.wallet_name), &name(&args.wallet_hotkey))?.coldkey())
}

fn agreed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    output::notice(format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
