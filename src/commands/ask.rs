//! `assay ask`: pushes one question to a validator of Loosh.

use crate::cli::AskArgs;
use crate::demo::questions::{self, Pusher};
use crate::output;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Returns when the validator has committed the challenge.
pub async fn run(args: &AskArgs) -> Result<ExitCode> {
    let mut pusher = Pusher::of(&args.push, questions::prefix("ask")?)?;
    let id = args.id.clone().map_or_else(|| questions::prefix("ask"), Ok)?;
    let (id, position) = pusher.ask(id, &args.prompt).await.context("the question is not pushed")?;
    if args.json {
        output::json(&serde_json::json!({ "id": id, "position": position }))?;
    } else {
        output::line(format!("challenge {id} is committed at position {position}"));
    }
    Ok(ExitCode::SUCCESS)
}
