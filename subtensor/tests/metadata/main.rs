//! Everything that this crate asks of a runtime, asked of real ones.
//!
//! `ASSAY_METADATA` names a folder of metadata blobs (`*_spec<number>_*.scale`) as nodes give them; without it these tests say
//! so and check nothing, as the blobs are no part of the sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod calls;
mod names;
mod signing;
mod storage;

use std::path::PathBuf;

use subtensor::Runtime;

/// The runtimes in the folder, by file name.
pub(crate) fn runtimes() -> Vec<(String, Runtime)> {
    let Some(folder) = std::env::var_os("ASSAY_METADATA").map(PathBuf::from) else {
        eprintln!("NOT CHECKED: ASSAY_METADATA names no folder of metadata blobs");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("folder of ASSAY_METADATA") {
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
