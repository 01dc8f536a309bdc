//! What the user sees.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use crate::checks::Check;
use crate::cycle::Cycle;
use crate::pusher::Counts;
use serde::Serialize;

/// Prints progress; with JSON on standard output, progress goes to standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// Whether standard output is for the summary.
    pub(crate) json: bool,
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// The seed.
    pub(crate) seed: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Validators started.
    pub(crate) validators_started: u32,
    /// Slots that changed hands between derivation and submission.
    pub(crate) slots_changed: u32,
    /// What the client saw.
    pub(crate) client: Counts,
    /// The cycles.
    pub(crate) cycles: Vec<Cycle>,
    /// The checks.
    pub(crate) checks: Vec<Check>,
    /// Whether all hold.
    pub(crate) holds: bool,
}

impl Report {
    /// One line of progress.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if self.json { eprintln!("{}", text.as_ref()) } else { println!("{}", text.as_ref()) }
    }

    /// A cycle that is over.
    pub(crate) fn cycle(self, cycle: &Cycle, of: u32) {
        let Cycle { number, point, tries, note, seconds } = cycle;
        let again = if *tries > 1 { format!(", {tries} tries") } else { String::new() };
        self.line(format!("chaos: cycle {number:>2}/{of}  {point:<32} {seconds:>5.1} s  {note}{again}"));
    }

    /// A check.
    pub(crate) fn check(self, check: &Check) {
        let word = if check.holds { "ok  " } else { "FAIL" };
        self.line(format!("chaos: {word} {}: {}", check.name, check.detail));
    }

    /// The end.
    pub(crate) fn summary(self, summary: &Summary) -> anyhow::Result<()> {
        let failed = summary.checks.iter().filter(|check| !check.holds).count();
        let verdict = if summary.holds { "everything holds".to_owned() } else { format!("{failed} checks failed") };
        let (cycles, seed, client) = (summary.cycles.len(), summary.seed, summary.client);
        self.line(format!(
            "chaos: {verdict}; {cycles} cycles, seed {seed}, {} challenges acknowledged, {:.0} s",
            client.acknowledged + client.found_accepted,
            summary.seconds
        ));
        if self.json {
            println!("{}", serde_json::to_string_pretty(summary)?);
        }
        Ok(())
    }

    /// An error with its causes.
    pub(crate) fn error(self, error: &anyhow::Error) {
        eprintln!("chaos: error: {error}");
        error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
    }
}
