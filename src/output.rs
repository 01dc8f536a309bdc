//! What goes to the terminal: tables, JSON, errors. Colours only where a person looks.
#![allow(clippy::print_stderr, reason = "this is the one place that prints")]

use serde::Serialize;
use std::io::{IsTerminal, Write};

/// One line for the user.
///
/// A reader that went away (`assay explain … | head`) is not an error.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// What a user should know beside the result, which scripts read from standard output.
pub fn notice(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// An error with its causes.
pub fn error(error: &anyhow::Error) {
    let label = if std::io::stderr().is_terminal() { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    eprintln!("{label} {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some libraries repeat the cause in their own words.
        if !said.ends_with(&cause) {
            eprintln!("  because: {cause}");
        }
        said = cause;
    }
}

/// A value as JSON for scripts.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Emphasis on a terminal, plain text elsewhere.
pub fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Prints rows in aligned columns under their headings.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) {
    let width = |at: usize, heading: &str| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([heading.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(at, (heading, _))| width(at, heading)).collect();
    let set = |cells: &[String]| {
        let set = cells.iter().zip(&widths).zip(columns).map(|((cell, width), (_, align))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        set.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let headings: Vec<String> = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    line(bold(&set(&headings)));
    rows.iter().for_each(|row| line(set(row)));
}
