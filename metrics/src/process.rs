//! What every process says of itself, and room on a disk. Read from the system when it is asked for; where the system has no such
//! figures the page goes without.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::page::Page;

/// Adds the figures that Prometheus' own libraries give of a process, under their names.
pub fn process(page: &mut Page) {
    static STARTED: OnceLock<f64> = OnceLock::new();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let (name, help) =
        ("process_start_time_seconds", "When the first page was made, shortly after the start, in seconds since 1970.");
    page.gauge(name, help, *STARTED.get_or_init(now));
    if let Some(bytes) = resident_bytes() {
        page.gauge("process_resident_memory_bytes", "Memory that the process holds.", bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open file handles.", open.count() as f64);
    }
}

/// `VmRSS` of `/proc/self/status`, which is told in kibibytes.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Room on the disk under a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What it holds in all.
    pub size: u64,
    /// What this process may still write.
    pub available: u64,
}

/// The disk under a path; none where the system does not tell.
#[must_use]
pub fn disk(path: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { size: bytes(found.f_blocks), available: bytes(found.f_bavail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_knows_its_memory_and_its_disk() {
        let mut page = Page::default();
        process(&mut page);
        let names: Vec<&str> = page.kinds().into_keys().collect();
        assert_eq!(names, ["process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"]);
        let bytes = resident_bytes().unwrap_or_default();
        assert!(bytes > 1e6 && bytes < 1e11, "{bytes}");
        let disk = disk(Path::new("/")).unwrap_or(Disk { size: 0, available: 1 });
        assert!(disk.size > 0 && disk.available <= disk.size, "{disk:?}");
        assert_eq!(super::disk(Path::new("/no/such/folder")), None);
    }
}
