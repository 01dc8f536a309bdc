//! What an operator is shown of weights on their way: a submission whose fate is open, and weights that stand on chain for
//! somebody else.
//!
//! Nothing decides by this; it is lost with the process and gathered anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chain::Era;
use domain::types::Digest;

use crate::service::{MisdirectedWeight, OpenSubmission, SubmissionState};

/// Misdirected weights that are kept: the last ones of a whole subnet.
const KEPT: usize = 256;

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: Option<Open>,
    misdirected: Vec<MisdirectedWeight>,
}

#[derive(Debug)]
struct Open {
    view: OpenSubmission,
    since: Instant,
    looks: u32,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a submission's fate is still open, and why. Says so in the log at the 1st, 2nd, 4th, 8th … look.
    pub(super) fn waits(
        &self,
        epoch: u64,
        extrinsic: Digest,
        era: Era,
        state: SubmissionState,
        problem: Option<String>,
    ) {
        let mut inner = self.lock();
        let known = inner.open.take().filter(|open| open.view.extrinsic == extrinsic);
        let (since, looks) = known.map_or_else(|| (Instant::now(), 0), |open| (open.since, open.looks));
        let looks = looks.saturating_add(1);
        let (until_block, waiting_seconds) = (era.death(), since.elapsed().as_secs());
        if looks.is_power_of_two() && (looks > 1 || problem.is_some()) {
            tracing::warn!(
                epoch, %extrinsic, ?state, %until_block, waiting_seconds, problem,
                "it is not known yet what became of the weights"
            );
        }
        let view = OpenSubmission { epoch, extrinsic, state, until_block, waiting_seconds, problem };
        inner.open = Some(Open { view, since, looks });
    }

    /// The submission's fate is recorded.
    pub(super) fn settled(&self) {
        self.lock().open = None;
    }

    /// Takes note of a weight that went to another hotkey.
    pub(super) fn misdirected(&self, weight: MisdirectedWeight) {
        let mut inner = self.lock();
        // A closing that is tried again looks again.
        if inner.misdirected.contains(&weight) {
            return;
        }
        if inner.misdirected.len() >= KEPT {
            inner.misdirected.remove(0);
        }
        inner.misdirected.push(weight);
    }

    /// The submission whose fate is open, with the time waited until now.
    pub(crate) fn open(&self) -> Option<OpenSubmission> {
        let inner = self.lock();
        let open = inner.open.as_ref()?;
        Some(OpenSubmission { waiting_seconds: open.since.elapsed().as_secs(), ..open.view.clone() })
    }

    /// The weights known to have gone to another hotkey, the newest last.
    pub(crate) fn misdirected_weights(&self) -> Vec<MisdirectedWeight> {
        self.lock().misdirected.clone()
    }
}
