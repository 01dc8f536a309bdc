//! `assay verify`: the whole log, byte by byte.

use crate::cli::VerifyArgs;
use crate::demo::state::DemoState;
use crate::home::Home;
use crate::ledgers::{self, OpenLedger};
use crate::output;
use anyhow::{Context, Result};
use ledger::checkpoint::CheckpointDirectory;
use ledger::verify::Outcome;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Serialize)]
struct Printed {
    origin: String,
    size: u64,
    root: String,
    erased: u64,
    outcome: &'static str,
    covered: Option<u64>,
    first_bad_position: Option<u64>,
    findings: Vec<String>,
}

/// Verifies and says what vouches for it.
pub async fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let open = ledgers::open(&args.ledger).await?;
    let outside = match checkpoints(args, &open)? {
        Some(folder) => {
            let read = CheckpointDirectory::new(&folder).read(open.reader.origin());
            let found = read.with_context(|| format!("the checkpoint in {}", folder.display()))?;
            if found.is_none() {
                output::notice(format!("no checkpoint of {} is in {}", open.reader.origin(), folder.display()));
            }
            found
        }
        None => None,
    };
    let verification = open.reader.verify(outside.as_ref()).await.context("the log cannot be read")?;
    let (outcome, covered, first, code) = match verification.outcome {
        Outcome::Sound { covered } => ("sound", Some(covered), None, 0),
        Outcome::NothingOutside => ("cannot tell", None, None, 2),
        Outcome::Bad { first } => ("bad", None, first, 1),
    };
    if args.json {
        output::json(&Printed {
            origin: verification.origin.clone(),
            size: verification.size,
            root: verification.root.to_string(),
            erased: verification.erased,
            outcome,
            covered,
            first_bad_position: first,
            findings: verification.findings.iter().map(ToString::to_string).collect(),
        })?;
    } else {
        verification.findings.iter().for_each(|finding| output::line(format!("  {finding}")));
        output::line(verification.to_string());
    }
    Ok(ExitCode::from(code))
}

/// The given folder, else the demo's when its database is used.
fn checkpoints(args: &VerifyArgs, open: &OpenLedger) -> Result<Option<PathBuf>> {
    if let Some(folder) = &args.checkpoints {
        return Ok(Some(folder.clone()));
    }
    let demo = DemoState::load(&Home::find()?.demo())?;
    Ok(demo.filter(|demo| open.database.is_of(demo)).map(|demo| demo.checkpoints))
}
