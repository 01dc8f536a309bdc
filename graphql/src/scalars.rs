//! Scalars. Positions, blocks and stakes are decimal strings: JavaScript's numbers lose digits above 2^53.

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// 0-based index of an event in its ledger, as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventPosition(pub(crate) u64);

/// Number of a block of the chain, as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockNumber(pub(crate) u64);

/// A time in UTC, RFC 3339 with microseconds: `2026-11-20T12:00:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) u64);

/// Decimal digits as a string; a whole number is taken as well, as people type one.
fn parse_number<T: InputType + From<u64>>(value: Value) -> InputValueResult<T> {
    let parsed = match &value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    // The store counts in signed 64-bit numbers.
    let parsed = parsed.filter(|number| i64::try_from(*number).is_ok());
    parsed.map(T::from).ok_or_else(|| InputValueError::expected_type(value))
}

impl From<u64> for EventPosition {
    fn from(position: u64) -> Self {
        Self(position)
    }
}

impl From<u64> for BlockNumber {
    fn from(block: u64) -> Self {
        Self(block)
    }
}

/// 0-based index of an event in its ledger, as a decimal string.
#[Scalar(name = "EventPosition", specified_by_url = "https://www.rfc-editor.org/rfc/rfc6962#section-2.1")]
impl ScalarType for EventPosition {
    fn parse(value: Value) -> InputValueResult<Self> {
        parse_number(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Number of a block of the chain, as a decimal string.
#[Scalar(name = "BlockNumber", specified_by_url = "https://docs.polkadot.com/polkadot-protocol/glossary/")]
impl ScalarType for BlockNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        parse_number(value)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A time in UTC, RFC 3339 with microseconds: `2026-11-20T12:00:00.000000Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = if let Value::String(text) = &value { parse_time(text) } else { None };
        parsed.map(Self).ok_or_else(|| InputValueError::expected_type(value))
    }
    fn to_value(&self) -> Value {
        Value::String(format_time(self.0))
    }
}

const DAY: u64 = 86_400;

/// Microseconds since 1970 as RFC 3339.
pub(crate) fn format_time(micros: u64) -> String {
    domain::types::Micros(micros).rfc3339()
}

/// `YYYY-MM-DDThh:mm:ss[.fraction]Z` from 1970 to 9999; digits after the sixth are cut.
fn parse_time(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let digits = |text: &str, length: usize| {
        let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u64>().ok()).flatten()
    };
    let mut date = date.split('-');
    let (year, month, day) = (digits(date.next()?, 4)?, digits(date.next()?, 2)?, digits(date.next()?, 2)?);
    let mut clock = clock.split(':');
    let (hour, minute, second) = (digits(clock.next()?, 2)?, digits(clock.next()?, 2)?, digits(clock.next()?, 2)?);
    if date.next().is_some() || clock.next().is_some() || fraction.len() > 9 {
        return None;
    }
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59
    {
        return None;
    }
    let micros = if fraction.is_empty() && !time.contains('.') {
        0
    } else {
        digits(&format!("{fraction:0<6}")[..6], 6).filter(|_| !fraction.is_empty())?
    };
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let found = ((days * DAY + hour * 3_600 + minute * 60 + second) * 1_000_000) + micros;
    // A date that does not exist, such as 30 February, comes out as another one.
    format_time(found).starts_with(text.get(..10)?).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(format_time(micros), text);
            assert_eq!(parse_time(text), Some(micros), "{text}");
        }
        assert_eq!(parse_time("2023-11-14T22:13:20Z"), Some(1_700_000_000_000_000));
        assert_eq!(parse_time("2023-11-14T22:13:20.5Z"), Some(1_700_000_000_500_000));
        for day in 0..40_000_u64 {
            let micros = day * DAY * 1_000_000;
            assert_eq!(parse_time(&format_time(micros)), Some(micros));
        }
        for wrong in [
            "",
            "Z",
            "2023-02-30T00:00:00Z",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20.\u{e9}Z",
            "+023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.1234567890Z",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_decimal_strings() {
        let parse = |value: Value| <EventPosition as ScalarType>::parse(value).ok().map(|position| position.0);
        assert_eq!(parse(Value::from("18")), Some(18));
        assert_eq!(parse(Value::from(18)), Some(18));
        for wrong in [
            Value::from("-1"),
            Value::from(-1),
            Value::from("1.0"),
            Value::from(""),
            Value::from("9223372036854775808"),
        ] {
            assert_eq!(parse(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(ScalarType::to_value(&EventPosition(u64::MAX)), Value::from("18446744073709551615"));
    }
}
