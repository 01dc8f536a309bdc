//! Where Assay keeps what it makes: `$ASSAY_HOME`, by default `.assay` in the working directory.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folders of one Assay home.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// `$ASSAY_HOME`, or the nearest `.assay` above the working directory, or `./.assay`.
    pub fn find() -> Result<Self> {
        let found = inference::find_home();
        std::path::absolute(&found).map(Self).with_context(|| format!("{} is no usable path", found.display()))
    }

    /// The demo's own folder.
    pub fn demo(&self) -> PathBuf {
        self.0.join("demo")
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}
