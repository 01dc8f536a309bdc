//! Named points at which a test may end the process as a power cut would: SIGKILL, nothing is flushed, nobody is told.
//!
//! `ASSAY_FAULT_POINT=name` ends it at the first pass, `name:3` at the third. Unset, a point is one comparison.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Every point, in the order in which a challenge and an epoch meet them.
pub const POINTS: &[&str] = &[
    "before_commit",
    "after_commit_before_answer",
    "after_issue",
    "after_first_response",
    "before_evaluate",
    "after_derivation",
    "after_checkpoint",
    "after_anchor",
    "before_submission",
    "before_sending",
    "after_submission",
];

/// The variable that names a point.
pub const VARIABLE: &str = "ASSAY_FAULT_POINT";

/// Where this validator is to fail, if anywhere.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    armed: Option<Arc<Armed>>,
}

#[derive(Debug)]
struct Armed {
    point: String,
    pass: u64,
    passed: AtomicU64,
    frozen: Option<watch::Sender<bool>>,
}

impl Faults {
    /// What the environment asks for. A name that is no point is an error of the caller, not silence.
    ///
    /// # Errors
    /// Says what is wrong with the variable.
    pub fn from_environment() -> Result<Self, String> {
        match std::env::var(VARIABLE) {
            Ok(value) if !value.is_empty() => Self::parse(&value),
            _ => Ok(Self::default()),
        }
    }

    fn parse(value: &str) -> Result<Self, String> {
        let (point, pass) = value.split_once(':').unwrap_or((value, "1"));
        if !POINTS.contains(&point) {
            return Err(format!("{VARIABLE}: there is no point {point:?}; points: {}", POINTS.join(", ")));
        }
        let pass = pass.parse::<u64>().ok().filter(|pass| *pass > 0);
        let pass = pass.ok_or_else(|| format!("{VARIABLE}: {value:?} does not end in a pass from 1"))?;
        let armed = Armed { point: point.to_owned(), pass, passed: AtomicU64::new(0), frozen: None };
        Ok(Self { armed: Some(Arc::new(armed)) })
    }

    /// Instead of ending the process, the task that comes to the point stands still for ever and the receiver turns true:
    /// whoever then aborts the validator's tasks sees what a kill at that point leaves behind.
    #[must_use]
    pub fn freeze_at(point: &str, pass: u64) -> (Self, watch::Receiver<bool>) {
        let (frozen, reached) = watch::channel(false);
        let armed = Armed { point: point.to_owned(), pass, passed: AtomicU64::new(0), frozen: Some(frozen) };
        (Self { armed: Some(Arc::new(armed)) }, reached)
    }

    /// Passes a point.
    pub(crate) async fn point(&self, name: &'static str) {
        debug_assert!(POINTS.contains(&name), "{name}");
        let Some(armed) = &self.armed else { return };
        if armed.point != name || armed.passed.fetch_add(1, Ordering::Relaxed) + 1 != armed.pass {
            return;
        }
        match &armed.frozen {
            Some(frozen) => {
                frozen.send_replace(true);
                std::future::pending::<()>().await;
            }
            None => end_the_process(name).await,
        }
    }
}

/// Sends SIGKILL to this process. Without unsafe code that takes another process.
async fn end_the_process(name: &str) {
    tracing::error!(point = name, "the process ends itself here, as it was told");
    let line = format!("kill -9 {}", std::process::id());
    // The shell has `kill` also where no package brings the program.
    if let Err(error) = std::process::Command::new("sh").args(["-c", &line]).status() {
        tracing::error!(%error, "cannot run sh");
        std::process::abort();
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_and_passes_are_checked() {
        assert_eq!(Faults::parse("after_issue").unwrap().armed.unwrap().pass, 1);
        assert_eq!(Faults::parse("after_issue:3").unwrap().armed.unwrap().pass, 3);
        for wrong in ["nowhere", "after_issue:0", "after_issue:x", "after_issue:"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn freezes_at_the_named_pass_only() {
        let (faults, reached) = Faults::freeze_at("after_issue", 2);
        faults.point("before_evaluate").await;
        faults.point("after_issue").await;
        assert!(!*reached.borrow());
        let second = tokio::time::timeout(Duration::from_millis(50), faults.point("after_issue")).await;
        assert!(second.is_err() && *reached.borrow());
        faults.point("after_issue").await;
    }
}
