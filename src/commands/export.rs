//! `assay export`: an epoch as one file that can be audited offline. Whoever has the file sees all that is in it, so it is
//! written only when all of it may be shown.

use crate::cli::ExportArgs;
use crate::{ledgers, output};
use anyhow::{Context, Result, bail};
use ledger::{EpochRange, LedgerReader};
use projections::disclosure;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

/// Writes the bundle, whole or not at all.
pub async fn run(args: &ExportArgs) -> Result<ExitCode> {
    let open = ledgers::open(&args.ledger).await?;
    match epoch(&open.reader, args.epoch, &args.out).await? {
        Exported::Written { bytes, from, last } => {
            let (epoch, out) = (args.epoch, args.out.display());
            output::line(format!("epoch {epoch}, positions {from} to {last}: {bytes} bytes in {out}"));
            Ok(ExitCode::SUCCESS)
        }
        Exported::NotYet(reason) => bail!("epoch {} cannot be exported yet: {reason}", args.epoch),
    }
}

/// What came of an export.
pub enum Exported {
    /// The file is there.
    Written {
        /// Its size.
        bytes: u64,
        /// First position of the epoch.
        from: u64,
        /// Its last position.
        last: u64,
    },
    /// A little later it will go, for this reason.
    NotYet(String),
}

/// Writes an epoch once a checkpoint covers it and everything in it may be shown.
pub async fn epoch(reader: &LedgerReader, epoch: u64, out: &Path) -> Result<Exported> {
    let Some(range) = reader.epoch_range(epoch).await? else {
        bail!("epoch {epoch} is not derived yet; `assay epochs` lists those that are");
    };
    let (from, last) = (range.from, range.end - 1);
    if let Some((position, kind)) = disclosure::hidden(reader, &range).await? {
        let reason = if kind.starts_with("Weights") {
            "is shown once the weights are included, revealed, or given up"
        } else {
            "is shown once its challenge has ended"
        };
        return Ok(Exported::NotYet(format!("the {kind} of position {position} {reason}; try again in a minute")));
    }
    let Some(checkpoint) = reader.checkpoint_covering(range.end).await? else {
        return Ok(Exported::NotYet(format!(
            "no checkpoint covers it up to position {last}; a running validator publishes one at least every 60 s"
        )));
    };
    let bytes = write(reader, &range, &checkpoint, out).await?;
    Ok(Exported::Written { bytes, from, last })
}

/// Writes beside the file first, so that a file of that name is always complete. Gives its size in bytes.
async fn write(reader: &LedgerReader, range: &EpochRange, checkpoint: &str, out: &Path) -> Result<u64> {
    let writable = || format!("cannot write {}", out.display());
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(writable)?;
    }
    let fresh = out.with_extension("part");
    let file = File::create(&fresh).with_context(writable)?;
    let written = reader.export(range, checkpoint, BufWriter::new(file)).await;
    let file = written.with_context(|| format!("epoch {} cannot be exported", range.epoch))?;
    let file = file.into_inner().map_err(|error| error.into_error()).with_context(writable)?;
    let bytes = file.metadata().with_context(writable)?.len();
    file.sync_all().and_then(|()| std::fs::rename(&fresh, out)).with_context(writable)?;
    Ok(bytes)
}
