//! How far each ledger was audited, kept in a file, so that an auditor that was away misses no epoch.

use crate::files;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file, or nothing to keep.
#[derive(Debug, Default)]
pub(super) struct Progress {
    file: Option<PathBuf>,
    /// By origin, the position before which every closed epoch was audited.
    audited: BTreeMap<String, u64>,
}

impl Progress {
    /// Reads the file, if there is one.
    pub(super) fn open(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let audited = files::read_json(file, "remove it to begin at the log's end")?.unwrap_or_default();
        Ok(Self { file: Some(file.to_owned()), audited })
    }

    /// Where following goes on: where it ended, but not behind the log's end, which may be that of an older backup.
    pub(super) fn resume(&self, origin: &str, end: u64) -> u64 {
        self.audited.get(origin).map_or(end, |position| end.min(*position))
    }

    /// Every epoch that closed before the position is audited.
    pub(super) fn keep(&mut self, origin: &str, position: u64) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        self.audited.insert(origin.to_owned(), position);
        files::write_json(file, &self.audited).context("name another file with --progress")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("follow.json");
        let mut progress = Progress::open(Some(&file)).unwrap();
        assert_eq!(progress.resume("a", 70), 70, "nothing is known");
        progress.keep("a", 50).unwrap();
        progress.keep("b", 9).unwrap();
        progress.keep("a", 60).unwrap();
        let progress = Progress::open(Some(&file)).unwrap();
        assert_eq!((progress.resume("a", 70), progress.resume("b", 70), progress.resume("c", 70)), (60, 9, 70));
        assert_eq!(progress.resume("a", 40), 40, "an older backup ends earlier");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("follow.json");
        std::fs::write(&file, "[]").unwrap();
        let error = format!("{:#}", Progress::open(Some(&file)).unwrap_err());
        assert!(error.contains("follow.json") && error.contains("remove it"), "{error}");
        let mut progress = Progress::open(Some(&folder.path().join("none/follow.json"))).unwrap();
        assert!(format!("{:#}", progress.keep("a", 1).unwrap_err()).contains("--progress"));
        Progress::open(None).unwrap().keep("a", 1).unwrap();
    }
}
