//! `assay wallet`: makes wallets and lists them. Phrases are printed once and go nowhere else.

use crate::cli::{WalletCommand, WalletCommandArgs, WalletNewArgs, WalletShowArgs};
use crate::output::{self, Align};
use anyhow::{Context, Result, bail};
use network::wallet::create::{MINIMUM_PASSWORD, Made, Protection, create, needs_coldkey};
use network::wallet::list::{Entry, Wallet, list};
use network::wallet::{WalletPath, expand_home, password};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// `assay wallet`.
pub fn run(args: &WalletCommandArgs) -> Result<ExitCode> {
    match &args.command {
        WalletCommand::New(args) => new(args),
        WalletCommand::Show(args) => show(args),
    }
}

fn root(path: &Path) -> Result<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if home.is_none() && path.starts_with("~") {
        bail!("HOME is not set, so {} is nowhere; name the folder of wallets with --wallet.path", path.display());
    }
    Ok(expand_home(path, home.as_deref()))
}

fn new(args: &WalletNewArgs) -> Result<ExitCode> {
    let path = WalletPath::new(&root(&args.path)?, &args.name, &args.hotkey)?;
    let password = match needs_coldkey(&path) && !args.no_password {
        true => Some(ask(&path.coldkey())?),
        false => None,
    };
    let protection = password.as_ref().map_or(Protection::None, |password| Protection::Password(password.as_slice()));
    let made = create(&path, args.words, protection)?;
    output::line(format!("wallet {} in {}", args.name, path.folder().display()));
    match &made.coldkey {
        Some(coldkey) => print(coldkey, "coldkey", &path.coldkey()),
        None => output::line("coldkey: the one that is there stays"),
    }
    print(&made.hotkey, &format!("hotkey {}", args.hotkey), &path.hotkey());
    output::notice("Write the phrases down and keep them: they are shown this once, and whoever has one has the key.");
    Ok(ExitCode::SUCCESS)
}

fn print(made: &Made, name: &str, file: &Path) {
    output::line(format!("{name}: {}  ({})", made.ss58, file.display()));
    output::line(Zeroizing::new(format!("  phrase: {}", made.phrase.text().as_str())).as_str());
}

/// The coldkey's new password: from the environment, else from the terminal, twice.
fn ask(coldkey: &Path) -> Result<Zeroizing<Vec<u8>>> {
    if let Some(password) = password::from_environment(coldkey)? {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        let variable = password::variable(&std::path::absolute(coldkey)?);
        bail!(
            "there is no terminal to ask for the coldkey's password: set {variable}, or give --no-password for a trial"
        );
    }
    let question = format!("Password of the new coldkey, at least {MINIMUM_PASSWORD} characters: ");
    let first = Zeroizing::new(rpassword::prompt_password(question).context("the password")?);
    let second = Zeroizing::new(rpassword::prompt_password("Once more: ").context("the password")?);
    if first != second {
        bail!("the two passwords differ; nothing was made");
    }
    Ok(Zeroizing::new(first.as_bytes().to_vec()))
}

fn show(args: &WalletShowArgs) -> Result<ExitCode> {
    let root = root(&args.path)?;
    let mut wallets = list(&root, args.name.as_deref())?;
    if let Some(name) = &args.hotkey {
        wallets.iter_mut().for_each(|wallet| wallet.hotkeys.retain(|key| key.name == *name));
        wallets.retain(|wallet| !wallet.hotkeys.is_empty());
    }
    if args.json {
        output::json(&wallets)?;
    } else if wallets.is_empty() {
        output::line(format!("no wallets in {}; `assay wallet new` makes one", root.display()));
    } else {
        print_table(&wallets);
    }
    let problems = wallets.iter().any(|wallet| keys(wallet).any(|key| key.problem.is_some()));
    Ok(if problems { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn keys(wallet: &Wallet) -> impl Iterator<Item = &Entry> {
    std::iter::once(&wallet.coldkey).chain(&wallet.hotkeys)
}

fn print_table(wallets: &[Wallet]) {
    let columns = ["wallet", "key", "address", "secret", "problem"].map(|heading| (heading, Align::Left));
    let mut rows = Vec::new();
    for wallet in wallets {
        for (at, key) in keys(wallet).enumerate() {
            rows.push(vec![
                if at == 0 { wallet.name.clone() } else { String::new() },
                if at == 0 { key.name.clone() } else { format!("hotkey {}", key.name) },
                key.ss58.clone().unwrap_or_else(|| "unknown".to_owned()),
                key.secret.text().to_owned(),
                key.problem.clone().unwrap_or_default(),
            ]);
        }
    }
    output::table(&columns, &rows);
}
