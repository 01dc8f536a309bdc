//! What becomes of an attempt that failed, and how long to wait before the next one. Functions of values; the clock and the
//! randomness come in.

use std::time::{Duration, SystemTime};

/// The first wait without a word of the endpoint; doubled for each further attempt.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait without a word of the endpoint: 0.5 s · 2^6.
const LONGEST_BACKOFF: Duration = Duration::from_secs(32);
/// How many times the first wait is doubled at most.
const DOUBLINGS: u32 = 6;

/// What an answer's status means for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// There is an answer.
    Success,
    /// The same request may succeed later.
    Later,
    /// The key is not accepted.
    Key,
    /// The same request would be refused again.
    Never,
}

/// The meaning of a status. `quota_is_spent`: the account has no credit left, which some endpoints say with status 429, too.
pub(crate) fn meaning(status: u16, quota_is_spent: bool) -> Meaning {
    match status {
        200..=299 => Meaning::Success,
        401 | 403 => Meaning::Key,
        429 if quota_is_spent => Meaning::Never,
        // 425 too early; 529 is Anthropic's "overloaded".
        408 | 425 | 429 | 500 | 502..=504 | 529 => Meaning::Later,
        _ => Meaning::Never,
    }
}

/// The wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3): whole seconds, or a date, of which one in the past
/// asks for no wait. A header that is neither says nothing.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 has is still a wait that nobody waits.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The wait after the given attempt (from 1) when the endpoint says nothing: between a half and the whole of 0.5 s, 1 s, 2 s …,
/// so that validators that failed together do not come back together.
pub(crate) fn backoff(attempt: u32, random: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(DOUBLINGS)).min(LONGEST_BACKOFF);
    let half = whole / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:39 GMT", Some(2)),
            ("Sun Nov  6 08:49:38 1994", Some(1)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(seconds(value), expected, "{value:?}");
        }
    }

    #[test]
    fn waits_double_up_to_a_limit_and_are_spread_over_a_half() {
        for (attempt, milliseconds) in
            [(0, 500), (1, 500), (2, 1_000), (5, 8_000), (7, 32_000), (8, 32_000), (u32::MAX, 32_000)]
        {
            let whole = Duration::from_millis(milliseconds);
            assert_eq!(backoff(attempt, 0), whole / 2, "attempt {attempt}");
            assert_eq!(backoff(attempt, u32::MAX), whole, "attempt {attempt}");
            assert!((whole / 2..=whole).contains(&backoff(attempt, 1 << 31)));
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (statuses, expected) in [
            (&[200, 201, 299][..], Meaning::Success),
            (&[408, 425, 429, 500, 502, 503, 504, 529][..], Meaning::Later),
            (&[401, 403][..], Meaning::Key),
            (&[301, 307, 400, 404, 413, 422, 501][..], Meaning::Never),
        ] {
            for status in statuses {
                assert_eq!(meaning(*status, false), expected, "{status}");
            }
        }
        assert_eq!(meaning(429, true), Meaning::Never, "an empty account does not fill by waiting");
        assert_eq!(meaning(503, true), Meaning::Later);
    }
}
