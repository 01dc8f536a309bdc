//! The system's clock, read where a fact is recorded and nowhere in a decision.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::types::Micros;

/// Microseconds since 1970 UTC; 0 when the clock stands before that.
#[must_use]
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The moment `wait` from `start`.
#[must_use]
pub fn after(start: Micros, wait: Duration) -> Micros {
    Micros(start.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
}

/// What is left until `moment`; zero when it is over.
pub(crate) fn until(moment: Micros) -> Duration {
    Duration::from_micros(moment.0.saturating_sub(now().0))
}

/// A pause that doubles with each failure, within bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// From a fifth of a second up to `longest`.
    pub(crate) fn up_to(longest: Duration) -> Self {
        Self { next: Duration::from_millis(200).min(longest), longest }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::up_to(Duration::from_millis(1000));
        let pauses: Vec<u128> = (0..5).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_moment_that_is_over_leaves_nothing() {
        assert_eq!(until(Micros(1)), Duration::ZERO);
        let left = until(after(now(), Duration::from_secs(60)));
        assert!(left > Duration::from_secs(59) && left <= Duration::from_secs(60), "{left:?}");
    }
}
