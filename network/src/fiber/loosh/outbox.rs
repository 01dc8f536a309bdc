//! How a result is brought to the challenge service: which route next, when, and when to give up. Functions of values.
//!
//! As upstream: sealed at first, repeated after 2, 4 and 8 seconds where the service may recover, then once in clear; a 409
//! is final. Upstream then loses the result; here the same begins again after a while, a bounded number of times.

use std::time::Duration;

/// Waits before the second, third and fourth sealed attempt of a pass.
const WAITS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// Passes before a result is given up; the last begins after more than three hours.
pub const MAXIMUM_PASSES: u32 = 10;
/// The wait after the first pass, doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Where an attempt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Encrypted, under a key that was brought.
    Sealed,
    /// In clear, with a signature over the body.
    Plain,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service has it.
    Delivered,
    /// The service will never take it.
    Final,
    /// It may take it later.
    Temporary,
    /// This route does not work; another may.
    Elsewhere,
}

/// What an answer's status means; `None` where there was no answer in time.
#[must_use]
pub fn verdict(route: Route, status: Option<u16>) -> Verdict {
    match (route, status) {
        (_, Some(200 | 201)) => Verdict::Delivered,
        (_, Some(409)) => Verdict::Final,
        (_, None | Some(404 | 408 | 429 | 500 | 502..=504)) => Verdict::Temporary,
        (Route::Sealed, Some(_)) => Verdict::Elsewhere,
        (Route::Plain, Some(_)) => Verdict::Final,
    }
}

/// How far a result has come. Folded from its recorded attempts, so that a restart goes on where it stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    passes: u32,
    sealed: usize,
    last: Option<(Route, Verdict)>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try this route after this wait.
    Try(Route, Duration),
    /// The service has it.
    Delivered,
    /// It will not be tried again.
    GivenUp,
}

impl Progress {
    /// After one more attempt.
    #[must_use]
    pub fn after(mut self, route: Route, verdict: Verdict) -> Self {
        // A sealed attempt after one in clear begins a new pass.
        if route == Route::Sealed && matches!(self.last, Some((Route::Plain, _))) {
            self.sealed = 0;
        }
        match route {
            Route::Sealed => self.sealed += 1,
            Route::Plain => self.passes += 1,
        }
        self.last = Some((route, verdict));
        self
    }

    /// What to do next.
    #[must_use]
    pub fn step(&self) -> Step {
        match self.last {
            None => Step::Try(Route::Sealed, Duration::ZERO),
            Some((_, Verdict::Delivered)) => Step::Delivered,
            Some((_, Verdict::Final)) | Some((Route::Plain, Verdict::Elsewhere)) => Step::GivenUp,
            Some((Route::Sealed, Verdict::Temporary)) if self.sealed <= WAITS.len() => {
                Step::Try(Route::Sealed, WAITS[self.sealed - 1])
            }
            Some((Route::Sealed, _)) => Step::Try(Route::Plain, Duration::ZERO),
            Some((Route::Plain, Verdict::Temporary)) if self.passes < MAXIMUM_PASSES => {
                let pause = FIRST_PAUSE.saturating_mul(1 << (self.passes - 1).min(10)).min(LONGEST_PAUSE);
                Step::Try(Route::Sealed, pause)
            }
            Some((Route::Plain, Verdict::Temporary)) => Step::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits and routes of a result when each attempt ends so.
    fn path(mut status: impl FnMut(Route) -> Option<u16>) -> (Vec<(Route, u64)>, Step) {
        let (mut progress, mut tried) = (Progress::default(), Vec::new());
        loop {
            match progress.step() {
                Step::Try(route, wait) => {
                    tried.push((route, wait.as_secs()));
                    progress = progress.after(route, verdict(route, status(route)));
                }
                end => return (tried, end),
            }
        }
    }

    #[test]
    fn a_service_that_is_down_is_asked_a_bounded_number_of_times() {
        let (tried, end) = path(|_| Some(503));
        let pass = [(Route::Sealed, 2), (Route::Sealed, 4), (Route::Sealed, 8), (Route::Plain, 0)];
        assert_eq!(tried[..5], [&[(Route::Sealed, 0)][..], &pass].concat());
        assert_eq!(tried[5..10], [&[(Route::Sealed, 60)][..], &pass].concat());
        assert_eq!((tried.len(), end), (5 * MAXIMUM_PASSES as usize, Step::GivenUp));
        assert_eq!(tried.iter().map(|(_, wait)| *wait).max(), Some(3600));
        assert_eq!(path(|_| None).0, tried);
    }

    #[test]
    fn what_is_final_ends_at_once() {
        assert_eq!(path(|_| Some(201)), (vec![(Route::Sealed, 0)], Step::Delivered));
        assert_eq!(path(|_| Some(409)), (vec![(Route::Sealed, 0)], Step::GivenUp));
        let clear = |route| if route == Route::Sealed { Some(422) } else { Some(201) };
        assert_eq!(path(clear), (vec![(Route::Sealed, 0), (Route::Plain, 0)], Step::Delivered));
        assert_eq!(path(|_| Some(403)), (vec![(Route::Sealed, 0), (Route::Plain, 0)], Step::GivenUp));
        let mut answers = [None, Some(500), Some(200)].into_iter();
        let (tried, end) = path(|_| answers.next().flatten());
        assert_eq!((tried.len(), end), (3, Step::Delivered));
    }
}
