//! `assay heatmap`: the similarities of a round as a picture. `assay narrative`: the round in sentences.

use super::tables::look;
use crate::cli::{HeatmapArgs, NarrativeArgs};
use crate::output;
use anyhow::{Context, Result, bail};
use projections::queries::{HeatmapAnswer, HeatmapRows, heatmap, narrative};
use std::path::Path;
use std::process::ExitCode;

/// File formats, by the ending of the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

/// Writes the picture, whole or not at all.
pub async fn run(args: &HeatmapArgs) -> Result<ExitCode> {
    let format = format(&args.out)?;
    let look = look(&args.ledger, None).await?;
    let rows = if args.all { HeatmapRows::All } else { HeatmapRows::Survivors };
    let map = match heatmap(&look.view, &look.frame, &args.challenge, args.attempt, rows).await? {
        None => bail!("there is no such round of challenge {:?}", args.challenge),
        Some(HeatmapAnswer::None(reason)) => bail!("{reason} (--all shows those that filters dropped, too)"),
        Some(HeatmapAnswer::Ready(map)) => map,
    };
    let bytes = match format {
        Format::Svg => map.svg().into_bytes(),
        Format::Png => map.png()?,
    };
    write(&args.out, &bytes).with_context(|| format!("cannot write {}", args.out.display()))?;
    output::line(format!("{} bytes in {}", bytes.len(), args.out.display()));
    Ok(ExitCode::SUCCESS)
}

fn format(out: &Path) -> Result<Format> {
    match out.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => bail!("--out {}: the name must end in .svg or .png", out.display()),
    }
}

/// Beside the file first, so that a file of that name is always complete.
fn write(out: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = out.with_extension("part");
    std::fs::write(&fresh, bytes)?;
    std::fs::rename(&fresh, out)
}

/// Prints a round in sentences.
pub async fn narrative_command(args: &NarrativeArgs) -> Result<ExitCode> {
    let look = look(&args.ledger, None).await?;
    let Some(told) = narrative(&look.view, &look.frame, &args.challenge, args.attempt).await? else {
        bail!("there is no such round of challenge {:?}", args.challenge);
    };
    if args.json {
        output::json(&told)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(narrative) = &told.narrative else {
        bail!("the round of challenge {:?} is open; it is told once it has ended", args.challenge);
    };
    output::line(narrative.text());
    output::line(format!("read at position {} of {}", told.meta.position, told.meta.origin));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_ending_of_the_name_is_the_format() {
        assert_eq!(format(Path::new("a/b.SVG")).unwrap(), Format::Svg);
        assert_eq!(format(Path::new("b.png")).unwrap(), Format::Png);
        assert!(format(Path::new("b.jpg")).is_err() && format(Path::new("png")).is_err());
    }
}
