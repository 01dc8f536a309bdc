//! What follows an epoch's end: the audit, a bundle, and for the first one the leaderboard and the commands to repeat it all.

use super::cast::{self, PLAYERS, Player};
use super::follow::Follower;
use super::state::DemoState;
use crate::cli::{DatabaseArgs, DemoArgs, LedgerArgs, TableArgs};
use crate::commands::{self, audit::epoch_report};
use crate::output::{self, Align};
use anyhow::{Context, Result, bail};
use ledger::LedgerReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A checkpoint follows each closed epoch at once, and at the latest after a minute.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(75);

/// Audits epochs as they close.
pub struct Closing<'a> {
    args: &'a DemoArgs,
    state: &'a DemoState,
    reader: LedgerReader,
    keys: PathBuf,
    audited: usize,
    last: Option<(u64, String)>,
    shown: bool,
}

impl<'a> Closing<'a> {
    /// Nothing is audited yet.
    pub fn new(args: &'a DemoArgs, state: &'a DemoState, keys: PathBuf, reader: LedgerReader) -> Self {
        Self { args, state, reader, keys, audited: 0, last: None, shown: false }
    }

    /// The next closed epoch that is not audited.
    pub fn next_of(&mut self, follower: &Follower) -> Option<(u64, String)> {
        let next = follower.closed.get(self.audited).cloned();
        self.audited += usize::from(next.is_some());
        next
    }

    /// Audits a closed epoch against the chain and writes its bundle.
    pub async fn audit(&mut self, epoch: u64, outcome: &str) -> Result<ExitCode> {
        let report = epoch_report(&self.reader, epoch, Some(&self.state.chain)).await?;
        let file = self.bundle(epoch);
        let bytes = self.export(epoch, &file).await?;
        output::line(format!("  epoch {epoch} ({outcome}): {bytes} bytes in {}", file.display()));
        output::line(format!("  epoch {epoch} {}", report.last_line()));
        self.last = Some((epoch, report.last_line()));
        Ok(ExitCode::from(report.verdict.exit_code()))
    }

    /// Writes the bundle as soon as a checkpoint covers the epoch's end.
    async fn export(&self, epoch: u64, file: &Path) -> Result<u64> {
        let begun = Instant::now();
        let range = self.reader.epoch_range(epoch).await?.with_context(|| format!("epoch {epoch} is not derived"))?;
        loop {
            if let Some(checkpoint) = self.reader.checkpoint_covering(range.end).await? {
                return commands::export::write(&self.reader, &range, &checkpoint, file).await;
            }
            if begun.elapsed() > CHECKPOINT_PATIENCE {
                bail!("no checkpoint covers epoch {epoch} up to position {}", range.end - 1);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether this is the moment to show the results: the first epoch after the first questions is audited.
    pub fn take_first(&mut self, follower: &Follower, known: usize) -> bool {
        let now = !self.shown && follower.closed.len() > known && self.audited == follower.closed.len();
        self.shown |= now;
        now
    }

    /// The leaderboard, the addresses, the commands, and the audit's last line.
    pub async fn show(&self) -> Result<()> {
        let Some((epoch, last_line)) = &self.last else { return Ok(()) };
        output::line("");
        let table = TableArgs { ledger: self.ledger(), as_of: None, json: false };
        commands::tables::leaderboard_command(&table).await?;
        self.who()?;
        let program = program();
        let DemoState { api, validator, chain, .. } = self.state;
        let bundle = self.bundle(*epoch);
        output::line("");
        output::line(output::bold("Look"));
        output::line(format!("  GraphiQL    {api}/graphiql"));
        output::line(format!("  validator   {validator}/stats  {validator}/openapi.json"));
        output::line(format!("  chain       {chain}"));
        output::line("");
        output::line(output::bold("Check"));
        output::line(format!("  {program} audit --epoch {epoch}"));
        output::line(format!("  {program} audit --bundle {}", bundle.display()));
        output::line(format!("  {program} verify"));
        output::line(format!("  {program} replay --epoch {epoch} --rules {}", other(&self.args.rules)));
        output::line(format!("  {}", curl(api)));
        output::line("");
        output::line(last_line);
        Ok(())
    }

    /// Which player of the demo stands behind which hotkey; nothing but this table knows.
    fn who(&self) -> Result<()> {
        let row = |player: &Player| -> Result<Vec<String>> {
            let hotkey = cast::keypair(&self.keys, player.name)?.ss58();
            Ok(vec![player.name.to_owned(), player.profile.to_owned(), hotkey])
        };
        let rows: Vec<Vec<String>> = PLAYERS.iter().map(row).collect::<Result<_>>()?;
        output::line("");
        output::table(&[("player", Align::Left), ("behaviour", Align::Left), ("hotkey", Align::Left)], &rows);
        Ok(())
    }

    fn bundle(&self, epoch: u64) -> PathBuf {
        self.args.out.join(format!("epoch-{epoch}.assay"))
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
    short.unwrap_or_else(|_| path.display().to_string())
}

fn other(rules: &str) -> &'static str {
    if rules == "loosh/readme" { "loosh/1.2.8" } else { "loosh/readme" }
}

/// A query that needs no argument of this run.
fn curl(api: &str) -> String {
    let query = "{ leaderboard(first: 3) { edges { node { rank hotkey average } } } }";
    format!("curl -s {api}/graphql -H 'content-type: application/json' -d '{{\"query\":\"{query}\"}}'")
}
