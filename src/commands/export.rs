//! `assay export`: an epoch as one file that can be audited offline.

use crate::cli::ExportArgs;
use crate::{ledgers, output};
use anyhow::{Context, Result, bail};
use ledger::{EpochRange, LedgerReader};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

/// Writes the bundle, whole or not at all.
pub async fn run(args: &ExportArgs) -> Result<ExitCode> {
    let open = ledgers::open(&args.ledger).await?;
    let Some(range) = open.reader.epoch_range(args.epoch).await? else {
        bail!("epoch {} is not derived yet; `assay epochs` lists those that are", args.epoch);
    };
    let Some(checkpoint) = open.reader.checkpoint_covering(range.end).await? else {
        bail!(
            "no checkpoint covers epoch {} up to position {} yet; the validator publishes one at least every 60 s",
            args.epoch,
            range.end - 1
        );
    };
    let bytes = write(&open.reader, &range, &checkpoint, &args.out).await?;
    let (from, last) = (range.from, range.end - 1);
    output::line(format!("epoch {}, positions {from} to {last}: {bytes} bytes in {}", args.epoch, args.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes beside the file first, so that a file of that name is always complete. Gives its size in bytes.
pub async fn write(reader: &LedgerReader, range: &EpochRange, checkpoint: &str, out: &Path) -> Result<u64> {
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
