//! `assay audit`: recompute, compare, say who vouches for what.

use crate::cli::AuditArgs;
use crate::demo::state::DemoState;
use crate::home::Home;
use crate::ledgers::{self, OpenLedger};
use crate::{chain_answers, chain_connection, output};
use anyhow::{Context, Result, bail};
use audit::{ChainView, Replay, Report, Settings, Wanted};
use domain::events::Event;
use futures::TryStreamExt;
use ledger::{EpochRange, LedgerReader};
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

/// Audits an epoch, everything, or a bundle. The last line is a verdict also where nothing could be read.
pub async fn run(args: &AuditArgs) -> Result<ExitCode> {
    let report = match report(args).await {
        Ok(report) => report,
        Err(error) => {
            output::error(&error);
            let nothing = Replay::new(Settings::default()).finish();
            if args.json {
                output::json(&nothing)?;
            } else {
                output::line(nothing.last_line());
            }
            return Ok(ExitCode::from(nothing.verdict.exit_code()));
        }
    };
    if args.json {
        output::json(&report)?;
    } else {
        output::line(report.to_string().trim_end());
    }
    Ok(ExitCode::from(report.verdict.exit_code()))
}

async fn report(args: &AuditArgs) -> Result<Report> {
    Ok(match &args.bundle {
        Some(file) => {
            let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
            audit::bundle::audit(BufReader::new(opened), Settings::default())
                .with_context(|| format!("{} is no readable bundle", file.display()))?
        }
        None => {
            let open = ledgers::open(&args.ledger).await?;
            let chain = chain(args, &open).await?;
            match args.epoch {
                Some(epoch) => epoch_report(&open.reader, epoch, chain.as_deref()).await?,
                None => genesis_report(&open.reader, chain.as_deref()).await?,
            }
        }
    })
}

/// The chain to compare with: the given one, else the demo's when its database is used and it answers.
async fn chain(args: &AuditArgs, open: &OpenLedger) -> Result<Option<String>> {
    if let Some(url) = chain_connection::compared(&args.chain)? {
        return Ok(Some(url));
    }
    let Some(state) = DemoState::load(&Home::find()?.demo())? else { return Ok(None) };
    let answers = open.database.is_of(&state) && chain_connection::answers(&state.chain).await;
    Ok(answers.then_some(state.chain))
}

/// Audits one epoch from the database.
pub async fn epoch_report(reader: &LedgerReader, epoch: u64, chain: Option<&str>) -> Result<Report> {
    let Some(range) = reader.epoch_range(epoch).await? else {
        match reader.derived_epochs().await?.checked_sub(1) {
            Some(last) => bail!("epoch {epoch} is not derived yet; the last one that is is {last}"),
            None => bail!("no epoch is derived yet; `assay epochs` shows which is open"),
        }
    };
    let chain = chain_view(reader, chain, Some(&range)).await?;
    let mut replay = Replay::new(Settings { epoch: Some(epoch), chain });
    reader.feed(&range, &mut replay).await.context("the log cannot be read")?;
    Ok(replay.finish())
}

async fn genesis_report(reader: &LedgerReader, chain: Option<&str>) -> Result<Report> {
    let chain = chain_view(reader, chain, None).await?;
    let mut replay = Replay::new(Settings { epoch: None, chain });
    let size = reader.head().await?.size;
    reader.feed_from(0, size, &mut replay).await.context("the log cannot be read")?;
    Ok(replay.finish())
}

/// Reads the log a first time for what it names, and asks the chain about that.
async fn chain_view(reader: &LedgerReader, url: Option<&str>, range: Option<&EpochRange>) -> Result<Option<ChainView>> {
    let Some(url) = url else { return Ok(None) };
    let opened = reader.get(0).await?.context("the ledger is empty")?;
    let Some(Event::LedgerOpened(opened)) = opened.fact()? else { bail!("position 0 is no LedgerOpened") };
    let (from, to) = match range {
        Some(range) => (range.from, range.end),
        None => (0, reader.head().await?.size),
    };
    let mut wanted = Wanted::default();
    let antecedents = range.map(|range| range.antecedents.as_slice()).unwrap_or_default();
    for stored in antecedents {
        stored.fact()?.iter().for_each(|event| wanted.note(event));
    }
    let mut events = reader.events(from, to, Some(Wanted::KINDS));
    while let Some(stored) = events.try_next().await? {
        stored.fact()?.iter().for_each(|event| wanted.note(event));
    }
    chain_answers::ask(url, opened.netuid, &opened.hotkey, &wanted).await.map(Some)
}
