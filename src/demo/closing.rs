//! What follows an epoch's end: the audit, a bundle, and for the first one the leaderboard and the commands to repeat it all.

use super::cast::Player;
use super::follow::Follower;
use super::setup::Season;
use super::state::DemoState;
use crate::cli::{DatabaseArgs, DemoArgs, LedgerArgs, TableArgs};
use crate::commands::audit::epoch_report;
use crate::commands::export::{self, Exported};
use crate::commands::tables;
use crate::output::{self, Align};
use anyhow::Result;
use ledger::LedgerReader;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks whether a bundle can be written.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Audits epochs as they close.
pub struct Closing<'a> {
    args: &'a DemoArgs,
    season: &'a Season,
    state: &'a DemoState,
    reader: LedgerReader,
    keys: PathBuf,
    audited: usize,
    last: Option<(u64, String)>,
    unwritten: VecDeque<u64>,
    next_try: Instant,
    shown: bool,
}

impl<'a> Closing<'a> {
    /// Nothing is audited yet.
    pub fn new(
        args: &'a DemoArgs,
        season: &'a Season,
        state: &'a DemoState,
        keys: PathBuf,
        reader: LedgerReader,
    ) -> Self {
        Self {
            args,
            season,
            state,
            reader,
            keys,
            audited: 0,
            last: None,
            unwritten: VecDeque::new(),
            next_try: Instant::now(),
            shown: false,
        }
    }

    /// The next closed epoch that is not audited.
    pub fn next_of(&mut self, follower: &Follower) -> Option<(u64, String)> {
        let next = follower.closed.get(self.audited).cloned();
        self.audited += usize::from(next.is_some());
        next
    }

    /// Audits a closed epoch against the chain. Its bundle follows.
    pub async fn audit(&mut self, epoch: u64, outcome: &str) -> Result<u8> {
        let report = epoch_report(&self.reader, epoch, Some(&self.state.chain)).await?;
        output::line(format!("  epoch {epoch} ({outcome}) {}", report.last_line()));
        self.last = Some((epoch, report.last_line()));
        self.unwritten.push_back(epoch);
        Ok(report.verdict.exit_code())
    }

    /// Writes the bundles of audited epochs as soon as a checkpoint covers them and nothing in them is still secret.
    pub async fn write_bundles(&mut self) -> Result<()> {
        if Instant::now() < self.next_try {
            return Ok(());
        }
        while let Some(epoch) = self.unwritten.front().copied() {
            let file = self.bundle(epoch);
            match export::epoch(&self.reader, epoch, &file).await? {
                Exported::Written { bytes, .. } => {
                    output::line(format!("  epoch {epoch}: {bytes} bytes in {}", file.display()));
                    self.unwritten.pop_front();
                }
                Exported::NotYet(_) => {
                    self.next_try = Instant::now() + BETWEEN_TRIES;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Says which bundles are missing when the demo ends.
    pub async fn finish(&mut self) -> Result<()> {
        self.next_try = Instant::now();
        self.write_bundles().await?;
        for epoch in &self.unwritten {
            let (program, file) = (program(), self.bundle(*epoch));
            output::line(format!(
                "  epoch {epoch} has no bundle yet; later: {program} export --epoch {epoch} --out {}",
                file.display()
            ));
        }
        Ok(())
    }

    /// Whether this is the moment to show the results: the first epoch after the first questions is audited.
    pub fn take_first(&mut self, follower: &Follower, known: usize) -> bool {
        let now = !self.shown
            && follower.closed.len() > known
            && self.audited == follower.closed.len()
            && self.unwritten.is_empty();
        self.shown |= now;
        now
    }

    /// The leaderboard, the addresses, the commands, and the audit's last line.
    pub async fn show(&self) -> Result<()> {
        let Some((epoch, last_line)) = &self.last else { return Ok(()) };
        output::line("");
        let table = TableArgs { ledger: self.ledger(), as_of: None, json: false };
        tables::leaderboard_command(&table).await?;
        self.who()?;
        let program = program();
        let DemoState { api, validator, chain, .. } = self.state;
        let bundle = self.bundle(*epoch);
        // A database of one's own may hold other ledgers, too.
        let alone = LedgerReader::list(&self.state.database).await?.len() == 1;
        let of = if alone { String::new() } else { format!(" --ledger {}", self.reader.origin()) };
        output::line("");
        output::line(output::bold("Look"));
        output::line(format!("  GraphiQL    {api}/graphiql"));
        output::line(format!("  validator   {validator}/stats  {validator}/openapi.json"));
        output::line(format!("  chain       {chain}"));
        output::line("");
        output::line(output::bold("Check"));
        output::line(format!("  {program} audit --epoch {epoch}{of}"));
        output::line(format!("  {program} audit --bundle {}", quoted(bundle.display().to_string())));
        output::line(format!("  {program} verify{of}"));
        output::line(format!("  {program} replay --epoch {epoch} --rules {}{of}", other(&self.season.rules)));
        output::line(format!("  {}", curl(api, (!alone).then(|| self.reader.origin()))));
        output::line("");
        output::line(last_line);
        Ok(())
    }

    /// Which player of the demo stands behind which hotkey; nothing but this table knows.
    fn who(&self) -> Result<()> {
        let row = |player: &Player| -> Result<Vec<String>> {
            let hotkey = self.season.subnet.keypair(&self.keys, player)?.ss58();
            Ok(vec![player.name.to_owned(), player.profile.to_owned(), hotkey])
        };
        let rows: Vec<Vec<String>> = self.season.subnet.players.iter().map(row).collect::<Result<_>>()?;
        output::line("");
        output::table(&[("player", Align::Left), ("behaviour", Align::Left), ("hotkey", Align::Left)], &rows);
        Ok(())
    }

    fn bundle(&self, epoch: u64) -> PathBuf {
        let of =
            if self.season.subnet.name == "loosh" { String::new() } else { format!("{}-", self.season.subnet.name) };
        self.args.out.join(format!("{of}epoch-{epoch}.assay"))
    }

    fn ledger(&self) -> LedgerArgs {
        LedgerArgs {
            database: DatabaseArgs { database: Some(self.state.database.clone()) },
            ledger: Some(self.reader.origin().to_owned()),
            netuid: None,
        }
    }
}

/// As the user would type it.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("assay"));
    let here = std::env::current_dir().unwrap_or_default();
    let short = path.strip_prefix(&here).map(|short| format!("./{}", short.display()));
    quoted(short.unwrap_or_else(|_| path.display().to_string()))
}

/// As one word of a shell.
fn quoted(word: String) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@:,".contains(character);
    if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Another shipped rule set of the same subnet.
fn other(rules: &str) -> String {
    let algorithm = rules.split('/').next().unwrap_or_default();
    let shipped = domain::mechanism::shipped().into_iter();
    let mut others = shipped.filter(|other| other.algorithm() == algorithm).map(|other| other.name());
    others.find(|name| name != rules).unwrap_or_else(|| rules.to_owned())
}

/// A query that needs no argument of this run, but the ledger where there are several.
fn curl(api: &str, ledger: Option<&str>) -> String {
    let of = ledger.map_or_else(String::new, |origin| format!(", ledger: \\\"{origin}\\\""));
    let query = format!("{{ leaderboard(first: 3{of}) {{ edges {{ node {{ rank hotkey average }} }} }} }}");
    format!("curl -s {api}/graphql -H 'content-type: application/json' -d '{{\"query\":\"{query}\"}}'")
}
