//! The consistency fixer: derived features follow from the drawn ones, whole numbers are whole (spec 1.3).
//!
//! Upstream applies it twice and casts the whole numbers once more. Its results are kept exactly, also that a shortest
//! length above the average becomes the average and with it a float.

use super::ConversionError;
use super::feature_set::FeatureSet;
use super::features::{SESSION_ID, integers};
use super::value::{Value, round_decimals};

/// Decimals that derived quotients keep.
const DECIMALS: usize = 4;

/// Makes the features consistent. `session` stands in for an empty or missing session id, where upstream draws a random
/// one.
///
/// Whole numbers are cast first (what does not cast becomes 0), then the derived features are computed: minutes, messages of
/// each side, characters, business hours, weekend, questions per message, messages per minute, and the order of the message
/// lengths.
///
/// # Errors
/// A feature that is needed is missing or no number, the ratio is 0, or an infinite number should become whole.
pub fn repaired(features: &FeatureSet, session: &str) -> Result<FeatureSet, ConversionError> {
    let mut set = whole_numbers(features)?;
    let seconds = set.number("conversation_duration_seconds")?;
    let minutes = round_decimals(seconds / 60.0, DECIMALS);
    set.set("conversation_duration_minutes", Value::Float(minutes));
    let (user, agent) = messages(&mut set)?;
    for (name, count, average) in [
        ("total_chars_from_user", user, "avg_message_length_user"),
        ("total_chars_from_agent", agent, "avg_message_length_agent"),
    ] {
        let total = count * set.number(average)?;
        set.set(name, whole(total, average)?);
    }
    let hour = set.number("hour_of_day")?;
    set.set("is_business_hours", flag((9.0..=17.0).contains(&hour)));
    let day = set.number("day_of_week")?;
    set.set("is_weekend", flag(day == 0.0 || day == 6.0));
    for (name, questions, count) in [
        ("questions_per_agent_message", "question_count_agent", agent),
        ("questions_per_user_message", "question_count_user", user),
    ] {
        let rate = if count > 0.0 { round_decimals(set.number(questions)? / count, DECIMALS) } else { 0.0 };
        set.set(name, Value::Float(rate));
    }
    let total = set.number("total_messages")?;
    let rate = if minutes > 0.0 { round_decimals(total / minutes, DECIMALS) } else { 0.0 };
    set.set("messages_per_minute", Value::Float(rate));
    order_lengths(&mut set, "min_message_length_user", "avg_message_length_user", "max_message_length_user")?;
    order_lengths(&mut set, "min_message_length_agent", "avg_message_length_agent", "max_message_length_agent")?;
    if !set.get(SESSION_ID).is_some_and(Value::is_truthy) {
        set.set(SESSION_ID, Value::Text(session.to_owned()));
    }
    Ok(set)
}

/// The first cast: the whole-number features become whole, and 0 where they do not cast; null stays.
///
/// # Errors
/// An infinite number, on which upstream fails too.
pub fn whole_numbers(features: &FeatureSet) -> Result<FeatureSet, ConversionError> {
    let mut set = features.clone();
    for name in integers() {
        cast(&mut set, name, 0)?;
    }
    Ok(set)
}

/// The second cast before sending: what is no whole number becomes 100 for the longest lengths, 20 for the shortest, 0 for
/// the rest; null stays.
///
/// # Errors
/// An infinite number, on which upstream fails too.
pub fn recast(features: &FeatureSet) -> Result<FeatureSet, ConversionError> {
    let mut set = features.clone();
    for name in integers() {
        let default = match name {
            "max_message_length_user" | "max_message_length_agent" => 100,
            "min_message_length_user" | "min_message_length_agent" => 20,
            _ => 0,
        };
        cast(&mut set, name, default)?;
    }
    Ok(set)
}

/// What is sent to miners: repaired twice and recast, as the running validator does, in wire order.
///
/// # Errors
/// As [`repaired`].
pub fn prepared(features: &FeatureSet, session: &str) -> Result<FeatureSet, ConversionError> {
    let once = repaired(features, session)?;
    Ok(recast(&repaired(&once, session)?)?.to_wire())
}

fn cast(set: &mut FeatureSet, name: &'static str, default: i128) -> Result<(), ConversionError> {
    use super::value::CastError;
    let Some(value) = set.get(name).filter(|value| **value != Value::Null) else { return Ok(()) };
    let number = match value.to_int() {
        Ok(number) => number,
        Err(CastError::NotANumber) => default,
        Err(CastError::Infinite) => return Err(ConversionError::NotANumber(name)),
    };
    set.set(name, Value::Int(number));
    Ok(())
}

/// `user = ⌊total / (1 + 1/ratio)⌋`, agent = the rest.
fn messages(set: &mut FeatureSet) -> Result<(f64, f64), ConversionError> {
    let ratio = set.number("message_ratio")?;
    let total = set.number("total_messages")?;
    if ratio == 0.0 || 1.0 + 1.0 / ratio == 0.0 {
        return Err(ConversionError::DividesByZero("message_ratio"));
    }
    let user = whole(total / (1.0 + 1.0 / ratio), "message_ratio")?;
    let users = user.number().unwrap_or(0.0);
    let agent = whole(total - users, "total_messages")?;
    let agents = agent.number().unwrap_or(0.0);
    set.set("user_messages_count", user);
    set.set("agent_messages_count", agent);
    Ok((users, agents))
}

fn whole(number: f64, name: &'static str) -> Result<Value, ConversionError> {
    Value::Float(number).to_int().map(Value::Int).map_err(|_| ConversionError::NotANumber(name))
}

fn flag(holds: bool) -> Value {
    Value::Int(holds.into())
}

/// Shortest ≤ average ≤ longest. Upstream writes the average itself, so that a whole number may become a float.
fn order_lengths(
    set: &mut FeatureSet,
    shortest: &'static str,
    average: &'static str,
    longest: &'static str,
) -> Result<(), ConversionError> {
    let (low, middle, high) = (set.number(shortest)?, set.number(average)?, set.number(longest)?);
    let replacement = set.get(average).cloned().unwrap_or(Value::Null);
    if low > middle {
        set.set(shortest, replacement.clone());
    }
    if middle > high {
        set.set(longest, replacement);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> FeatureSet {
        FeatureSet::parse(
            r#"{"session_id":"s","conversation_duration_seconds":92.0,"hour_of_day":13,"day_of_week":2,"total_messages":9,
            "message_ratio":1.25,"avg_message_length_user":47.0,"max_message_length_user":62,"min_message_length_user":25,
            "avg_message_length_agent":84.0,"max_message_length_agent":120,"min_message_length_agent":53,
            "question_count_agent":3,"question_count_user":0,"entities_collected_count":5,"has_target_entity":1}"#,
        )
        .unwrap()
    }

    #[test]
    fn needs_what_it_divides_by() {
        for name in ["conversation_duration_seconds", "total_messages", "message_ratio", "hour_of_day", "day_of_week"] {
            let rest = base().fields().iter().filter(|(key, _)| key != name).cloned().collect();
            assert_eq!(repaired(&FeatureSet::new(rest), "x"), Err(ConversionError::MissingFeature(name)));
        }
        for (name, value, expected) in [
            ("message_ratio", Value::Float(0.0), ConversionError::DividesByZero("message_ratio")),
            ("message_ratio", Value::Float(-1.0), ConversionError::DividesByZero("message_ratio")),
            ("message_ratio", Value::Text("1".to_owned()), ConversionError::NotANumber("message_ratio")),
            ("total_messages", Value::Null, ConversionError::NotANumber("total_messages")),
            ("hour_of_day", Value::Float(f64::INFINITY), ConversionError::NotANumber("hour_of_day")),
        ] {
            let mut set = base();
            set.set(name, value);
            assert_eq!(repaired(&set, "x"), Err(expected), "{name}");
        }
    }

    #[test]
    fn casts_and_defaults() {
        let mut set = base();
        set.set("hour_of_day", Value::Text("fourteen".to_owned()));
        set.set("repeated_questions", Value::Float(2.9));
        set.set(SESSION_ID, Value::Text(String::new()));
        let found = repaired(&set, "drawn").unwrap();
        assert_eq!(found.get("hour_of_day"), Some(&Value::Int(0)));
        assert_eq!(found.get("repeated_questions"), Some(&Value::Int(2)));
        assert_eq!(found.get(SESSION_ID), Some(&Value::Text("drawn".to_owned())));
        for (name, expected) in [("max_message_length_user", 100), ("min_message_length_agent", 20), ("hour_of_day", 0)]
        {
            let mut set = base();
            set.set(name, Value::Text("many".to_owned()));
            assert_eq!(recast(&set).unwrap().get(name), Some(&Value::Int(expected)), "{name}");
            set.set(name, Value::Null);
            assert_eq!(recast(&set).unwrap().get(name), Some(&Value::Null));
        }
    }

    #[test]
    fn a_second_repair_changes_nothing() {
        let once = repaired(&base(), "x").unwrap();
        assert_eq!(repaired(&once, "x").unwrap(), once);
        assert_eq!(prepared(&base(), "x").unwrap(), once.to_wire());
    }
}
