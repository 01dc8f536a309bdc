//! Whether and when a request to the conversation server is made again. Functions of values; clock and randomness come in.

use std::time::{Duration, SystemTime};

/// The first wait without a word of the server; doubled for each further attempt.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How many times the first wait is doubled at most.
const DOUBLINGS: u32 = 6;

/// Whether the same request may succeed later.
pub(crate) fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
}

/// The wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3): whole seconds, or a date.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

/// The wait after the given attempt (from 1): what the server asks for, else between a half and the whole of 0.5 s, 1 s, 2 s …;
/// none when the server asks for more than the longest one, since then nothing is won by asking earlier.
pub(crate) fn wait(attempt: u32, asked: Option<Duration>, longest: Duration, random: u32) -> Option<Duration> {
    if let Some(asked) = asked {
        return (asked <= longest).then_some(asked);
    }
    let whole = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(DOUBLINGS)).min(longest);
    let half = whole / 2;
    Some(half + half.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let longest = Duration::from_secs(5);
        for (attempt, whole) in [(1, 500), (2, 1000), (4, 4000), (5, 5000), (u32::MAX, 5000)] {
            let whole = Duration::from_millis(whole);
            assert_eq!(wait(attempt, None, longest, u32::MAX), Some(whole));
            assert_eq!(wait(attempt, None, longest, 0), Some(whole / 2));
        }
        assert_eq!(wait(1, Some(longest), longest, 0), Some(longest));
        assert_eq!(wait(1, Some(longest + Duration::from_secs(1)), longest, 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("7", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now).map(|wait| wait.as_secs()), expected, "{value:?}");
        }
    }
}
