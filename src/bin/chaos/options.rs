//! What a user asks of the harness.

use clap::Parser;

/// Kills a validator and its database again and again, then counts what is left.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos", version, about, after_help = AFTER)]
pub(crate) struct Options {
    /// How often something is broken. Every point is hit once before any is repeated.
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) cycles: u32,
    /// Decides the order of the points and every moment that is left to chance; drawn from the clock when absent.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Leave the folder with database, chain and logs. It is also left when a check fails.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Only these points, separated by commas; `--points list` prints all.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) points: Vec<String>,
    /// Print a JSON summary on standard output; progress goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

const AFTER: &str = "Examples:
  chaos --cycles 25
  chaos --seed 7 --keep
  chaos --cycles 6 --points after_derivation,pg-immediate@WeightsSubmitted

Exit codes: 0 everything acknowledged is there and every check holds, 1 a check failed, 2 the harness could not do its work.";
