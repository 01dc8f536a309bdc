//! Everything that this crate asks of a runtime, asked of real ones.
//!
//! `ASSAY_METADATA` names a folder of metadata blobs (`*_spec<number>_*.scale`) as nodes give them; where it is not set, the
//! folder `shared/metadata` beside the checkout is taken if there is one. Without either these tests say so and check nothing
//! but the sources, as the blobs are no part of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod calls;
mod names;
mod signing;
mod storage;

use std::path::{Path, PathBuf};

use subtensor::Runtime;

/// The folder of metadata blobs, if there is one.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/metadata");
    std::env::var_os("ASSAY_METADATA").map(PathBuf::from).or_else(|| beside.is_dir().then_some(beside))
}

/// The runtimes in the folder, by file name.
pub(crate) fn runtimes() -> Vec<(String, Runtime)> {
    let Some(folder) = folder() else {
        eprintln!("NOT CHECKED: ASSAY_METADATA names no folder of metadata blobs, and none is beside the checkout");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "scale") {
            let version = name.split("spec").nth(1).and_then(|rest| rest.split('_').next()?.parse().ok());
            let version = version.unwrap_or_else(|| panic!("{name} names no spec version"));
            let runtime = Runtime::decode(version, 1, &std::fs::read(&path).unwrap());
            found.push((name, runtime.expect("real metadata")));
        }
    }
    assert!(!found.is_empty(), "{} holds no metadata", folder.display());
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
