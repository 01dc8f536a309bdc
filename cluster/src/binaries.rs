//! Finding PostgreSQL's server binaries: `PG_BIN`, then `PATH`, then the newest of Debian's versions.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// Looks in `PG_BIN`, on `PATH`, and in `/usr/lib/postgresql/*/bin`, newest version first.
    ///
    /// # Errors
    /// [`Error::NoBinaries`], which names the package to install.
    pub fn find() -> Result<Self> {
        let named = std::env::var_os("PG_BIN").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        named
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(packaged(Path::new("/usr/lib/postgresql")))
            .find_map(Self::in_directory)
            .ok_or(Error::NoBinaries)
    }

    /// The directory itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A directory on `PATH` may hold links to some of the programs only, so all three must be there.
    fn in_directory(directory: PathBuf) -> Option<Self> {
        let complete = ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file());
        complete.then_some(Self { directory })
    }
}

/// `ROOT/<version>/bin`, the highest version first.
fn packaged(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let mut versions: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_packaged_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "common", "13"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        let found: Vec<_> =
            packaged(root.path()).iter().map(|p| p.strip_prefix(root.path()).unwrap().to_owned()).collect();
        assert_eq!(found, ["15/bin", "13/bin", "9/bin"].map(PathBuf::from));
    }

    #[test]
    fn a_directory_with_only_some_programs_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("postgres"), "").unwrap();
        assert_eq!(Binaries::in_directory(directory.path().to_owned()), None);
        for program in ["initdb", "pg_ctl"] {
            std::fs::write(directory.path().join(program), "").unwrap();
        }
        assert!(Binaries::in_directory(directory.path().to_owned()).is_some());
    }
}
