//! What the demo leaves for other commands: where its database, chain and API are. `$ASSAY_HOME/demo/state.json`.

use crate::files;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The demo's addresses and folders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoState {
    /// Folder of the private PostgreSQL cluster; none when `DATABASE_URL` was given.
    pub cluster: Option<PathBuf>,
    /// Database URL over the unix socket, or the given one.
    pub database: String,
    /// Base URL of the validator's own routes.
    pub validator: String,
    /// Base URL of the read side.
    pub api: String,
    /// URL of the development chain.
    pub chain: String,
    /// Folder of checkpoints outside of the database.
    pub checkpoints: PathBuf,
}

impl DemoState {
    /// The file of a demo folder.
    pub fn file(demo: &Path) -> PathBuf {
        demo.join("state.json")
    }

    /// Reads what an earlier or running demo left, if there is one.
    pub fn load(demo: &Path) -> Result<Option<Self>> {
        files::read_json(&Self::file(demo), "remove it to start anew")
    }

    /// Writes it whole or not at all.
    pub fn store(&self, demo: &Path) -> Result<()> {
        std::fs::create_dir_all(demo).with_context(|| format!("cannot make {}", demo.display()))?;
        files::write_json(&Self::file(demo), self)
    }
}

/// Makes this process the only demo of a folder, for as long as the file is open.
pub fn only_demo(demo: &Path) -> Result<File> {
    std::fs::create_dir_all(demo).with_context(|| format!("cannot make {}", demo.display()))?;
    let path = demo.join("demo.lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another demo runs in {}; end it first, or set another ASSAY_HOME", demo.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Where the demo's PostgreSQL keeps its data.
///
/// PostgreSQL refuses root, so root's demo runs it as another account, which may not be able to reach the demo's folder.
pub fn cluster_directory(demo: &Path, root: bool) -> PathBuf {
    if !root {
        return demo.join("postgres");
    }
    let name = domain::types::sha256(demo.to_string_lossy().as_bytes()).to_string();
    PathBuf::from("/var/lib/assay").join(format!("demo-{}", &name[..12]))
}
