//! `assay rules --mock`: the mock run of a subnet's document.

use crate::output;
use anyhow::{Result, bail};
use domain::cgp::conversation::Line;
use domain::cgp::mock;
use std::process::ExitCode;

/// The quickstart of Conversation Genome's document: a conversation of three exchanges, a tagger that splits at spaces, and the
/// validator's check of the number of tags. The exit code is that of the check.
pub fn run(subnet: &str) -> Result<ExitCode> {
    if subnet != "cgp" {
        bail!("the document of {subnet:?} has no mock run; cgp's has one");
    }
    let conversation = mock::conversation();
    output::line(output::bold("Mock conversation"));
    for line in &conversation {
        output::line(format!("  p{}: {}", line.speaker(), line.text()));
    }
    let lines: Vec<&str> = conversation.iter().map(Line::text).collect();
    let tags = mock::tags(&lines);
    output::line(format!("Mined {} tags", tags.len()));
    output::line(format!("  {}", tags.join(" ")));
    let valid = mock::is_valid(tags.len());
    let verdict = if valid { "valid" } else { "not valid" };
    output::line(format!("The answer is {verdict}: more than {} tags are asked for.", mock::MINIMUM_TAGS));
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
