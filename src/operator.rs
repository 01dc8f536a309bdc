//! What an operator's words come to: the network, its chain, the subnets with their rules, the keys and the address.
//!
//! What is said explicitly wins over what a name fills in. Two words that contradict each other are refused with both values:
//! a mistyped number or endpoint would set one subnet's weights on another, or on another chain.

use crate::cli::{OperatorArgs, WalletArgs};
use crate::home::Home;
use crate::subnets::{NetworkName, Subnet};
use anyhow::{Context, Result, bail, ensure};
use domain::mechanism;
use domain::ruleset::RuleSet;
use domain::types::NetUid;
use network::keys::Keypair;
use network::wallet::{self, DEFAULT_NAME, DEFAULT_ROOT, WalletPath};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

mod networks;

pub use self::networks::{Network, settled};

/// Where a validator listens unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);

/// A subnet to serve, and the rules in force.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its number.
    pub netuid: NetUid,
    /// Its rules.
    pub rule_set: RuleSet,
    /// Which of the validator's ledgers there.
    pub ledger_number: u32,
}

/// The subnets that the arguments name, in order.
///
/// # Errors
/// Nothing named, one named twice, lists of different lengths, a number that no document states, and contradictions.
pub fn served(args: &OperatorArgs, network: NetworkName) -> Result<Vec<Served>> {
    let (named, numbered, ruled) = (args.subnet.len(), args.netuid.len(), args.rules.len());
    let count = named.max(numbered);
    ensure!(count > 0, "no subnet is named; give --subnet NAME (`assay subnets` lists them) or --netuid N");
    ensure!(
        named == 0 || numbered == 0 || named == numbered,
        "--subnet is given {named} times and --netuid {numbered} times; give one --netuid for each --subnet, or none"
    );
    ensure!(
        ruled <= 1 || ruled == count,
        "--rules is given {ruled} times for {count} subnets; give it once, or once for each subnet"
    );
    // Never one for all: a ledger that was begun cannot be taken back.
    let numbers = args.ledger_number.len();
    ensure!(
        numbers == 0 || numbers == count,
        "--ledger-number is given {numbers} times for {count} subnets; give it once for each subnet in order, 0 for a first ledger"
    );
    let mut served: Vec<Served> = Vec::with_capacity(count);
    for at in 0..count {
        let subnet = args.subnet.get(at).map(|name| Subnet::parse(name)).transpose()?;
        let netuid = number(subnet.as_ref(), args.netuid.get(at).copied(), network)?;
        let rules = args.rules.get(at).or(args.rules.first().filter(|_| ruled == 1));
        let rule_set = rules_of(subnet.as_ref(), netuid, rules.map(String::as_str), network)?;
        // A ledger has one validator; the second one of this process would wait for the first for ever.
        ensure!(
            served.iter().all(|earlier| earlier.netuid != netuid),
            "subnet {netuid} is named twice; name each subnet once"
        );
        served.push(Served { netuid, rule_set, ledger_number: args.ledger_number.get(at).copied().unwrap_or(0) });
    }
    Ok(served)
}

fn number(subnet: Option<&Subnet>, given: Option<u16>, network: NetworkName) -> Result<NetUid> {
    let Some(subnet) = subnet else {
        return given.map(NetUid).context("no subnet is named; give --subnet NAME or --netuid N");
    };
    match (given.map(NetUid), subnet.number(network)) {
        (Some(given), Some(known)) if given != known && network != NetworkName::Local => bail!(
            "--subnet {} and --netuid {given} contradict each other: it has the number {known} on {network}; leave one \
             out, or name the rules of subnet {given} with --rules in place of --subnet",
            subnet.name
        ),
        (Some(given), _) => Ok(given),
        (None, Some(known)) => Ok(known),
        (None, None) => {
            bail!("no document states the number of {} on {network}; add --netuid N", subnet.name)
        }
    }
}

fn rules_of(subnet: Option<&Subnet>, netuid: NetUid, given: Option<&str>, network: NetworkName) -> Result<RuleSet> {
    let known = Subnet::numbered(network, netuid.0);
    let Some(given) = given else {
        let named = match (subnet.copied().or(known), network) {
            (Some(subnet), _) => subnet.default_rules(network),
            (None, NetworkName::Local) => crate::subnets::LOOSH.default_rules(network),
            (None, _) => bail!("which rules subnet {netuid} of {network} has is not known; add --rules or --subnet"),
        };
        return Ok(mechanism::shipped_by_name(&named)?);
    };
    let rules = mechanism::shipped_by_name(given)?;
    if let Some(subnet) = subnet.filter(|subnet| subnet.name != rules.algorithm()) {
        let name = subnet.name;
        bail!(
            "--subnet {name} and --rules {given} contradict each other: these are rules of {}; leave one out",
            rules.algorithm()
        );
    }
    if let Some(known) = known.filter(|known| network != NetworkName::Local && known.name != rules.algorithm()) {
        let name = known.name;
        bail!(
            "--netuid {netuid} and --rules {given} contradict each other: on {network} that is {name}; leave one out"
        );
    }
    Ok(rules)
}

/// A hotkey file, and what happens when there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotkeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether a new key is made there when there is none: in a file of our own, never in a wallet.
    pub made: bool,
}

impl HotkeyFile {
    /// The named file, else the wallet's hotkey.
    ///
    /// # Errors
    /// A file and a wallet at once, a name that leads elsewhere, and no home to look for wallets in.
    pub fn of(args: &WalletArgs) -> Result<Self> {
        let wallet = [("--wallet.name", &args.wallet_name), ("--wallet.hotkey", &args.wallet_hotkey)];
        let mut wallet = wallet.map(|(option, value)| (option, value.clone())).to_vec();
        wallet.push(("--wallet.path", args.wallet_path.as_ref().map(|path| path.display().to_string())));
        if let Some(file) = &args.hotkey {
            return match wallet.iter().find_map(|(option, value)| Some((option, value.as_ref()?))) {
                Some((option, value)) => {
                    bail!("--hotkey {} and {option} {value} contradict each other; leave one out", file.display())
                }
                None => Ok(Self { path: file.clone(), made: true }),
            };
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let root = args.wallet_path.as_deref().unwrap_or(Path::new(DEFAULT_ROOT));
        ensure!(
            home.is_some() || !root.starts_with("~"),
            "HOME is not set, so {} is nowhere; name the folder of wallets with --wallet.path",
            root.display()
        );
        let [name, hotkey] =
            [&args.wallet_name, &args.wallet_hotkey].map(|given| given.as_deref().unwrap_or(DEFAULT_NAME));
        let wallet = WalletPath::new(&wallet::expand_home(root, home.as_deref()), name, hotkey);
        let wallet = wallet.with_context(|| format!("--wallet.name {name:?}, --wallet.hotkey {hotkey:?}"))?;
        Ok(Self { path: wallet.hotkey(), made: false })
    }

    /// Whether a file or a wallet is named.
    pub fn is_named(args: &WalletArgs) -> bool {
        let words = [&args.wallet_name, &args.wallet_hotkey].iter().any(|word| word.is_some());
        words || args.hotkey.is_some() || args.wallet_path.is_some()
    }

    /// Reads the key, and makes one where that is what the operator asked for.
    ///
    /// # Errors
    /// Names the file, and what to do when a wallet has none.
    pub fn load(&self) -> Result<Keypair> {
        let keypair = if self.made { Keypair::load_or_generate(&self.path) } else { return self.read() };
        keypair.with_context(|| format!("the hotkey in {}", self.path.display()))
    }

    /// Reads the key; nothing is made.
    ///
    /// # Errors
    /// Names the file.
    pub fn read(&self) -> Result<Keypair> {
        let path = self.path.display();
        ensure!(
            self.path.exists() || self.made,
            "{path} does not exist; name the wallet with --wallet.name, --wallet.hotkey and --wallet.path, or a file with --hotkey"
        );
        ensure!(self.path.exists(), "{path} does not exist; `assay validator` would make a new key there");
        Keypair::load(&self.path).with_context(|| format!("the hotkey in {path}"))
    }
}

/// Where the push routes of the first subnet listen.
///
/// # Errors
/// Two different ports.
pub fn listen(args: &OperatorArgs) -> Result<SocketAddr> {
    listen_at(args.listen, args.axon_port, LISTEN)
}

/// The address of `--listen` and `--axon.port`.
///
/// # Errors
/// Two different ports.
pub fn listen_at(listen: Option<SocketAddr>, port: Option<u16>, usual: SocketAddr) -> Result<SocketAddr> {
    match (listen, port) {
        (Some(listen), Some(port)) if listen.port() != port => {
            bail!("--listen {listen} and --axon.port {port} contradict each other; leave one out")
        }
        (Some(listen), _) => Ok(listen),
        (None, port) => Ok(SocketAddr::new(usual.ip(), port.unwrap_or(usual.port()))),
    }
}

/// The file of the key that signs checkpoints.
///
/// # Errors
/// No home that could be used.
pub fn checkpoint_key(args: &OperatorArgs) -> Result<PathBuf> {
    args.checkpoint_key.clone().map_or_else(|| Ok(Home::find()?.path().join("checkpoint.json")), Ok)
}

/// The folder of checkpoints.
///
/// # Errors
/// No home that could be used.
pub fn checkpoints(args: &OperatorArgs) -> Result<PathBuf> {
    args.checkpoints.clone().map_or_else(|| Ok(Home::find()?.path().join("checkpoints")), Ok)
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
