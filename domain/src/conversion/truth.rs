//! Ground truth: upstream's public rule, labels that are revealed later, and how long a round waits for one (spec 2.12).
//!
//! A label is a recorded fact. The rule is one source of labels, a label service another; a round without a label is
//! pending until it expires, and a label that comes after that counts for nothing.

use super::ConversionError;
use super::constants::LabelRule;
use super::feature_set::FeatureSet;
use super::reward::{python_max, python_min};
use super::value::Value;
use crate::types::Micros;

/// What `seconds` is where nothing was converted.
pub const NO_TIME: f64 = -1.0;

/// Source of a label that follows from the features alone by [`Truth::of`]; whoever audits computes it again.
pub const RULE_SOURCE: &str = "conversion/rule/1";

/// Labels and replies over this length are refused.
pub const MAX_LABEL_BYTES: usize = 4096;

/// Whether the conversation converted, and after how many seconds ([`NO_TIME`] if not).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// The class.
    pub happened: bool,
    /// Seconds to conversion.
    pub seconds: f64,
}

impl Truth {
    /// Nothing was converted.
    pub const NO: Self = Self { happened: false, seconds: NO_TIME };

    /// Upstream's deterministic rule; missing features count as 0.
    ///
    /// Positive if the target was found and at least `entities` were collected, or if ratio and duration are above their
    /// thresholds. Then `seconds = max(least, scale · duration + [target] · 10 − 5 · max(0, entities − 3) + 5 · (1 −
    /// min(1, ratio / 2)))`.
    ///
    /// # Errors
    /// A feature that is no number.
    pub fn of(features: &FeatureSet, rule: &LabelRule) -> Result<Self, ConversionError> {
        let number = |name| match features.number(name) {
            Err(ConversionError::MissingFeature(_)) => Ok(0.0),
            other => other,
        };
        // A target that is no number is no target, as in Python's comparison.
        let target = number("has_target_entity").is_ok_and(|target| target == 1.0);
        let (entities, ratio) = (number("entities_collected_count")?, number("message_ratio")?);
        let duration = number("conversation_duration_seconds")?;
        let collected = target && entities >= rule.entities;
        let engaged = ratio > rule.ratio && duration > rule.duration_seconds;
        if !(collected || engaged) {
            return Ok(Self::NO);
        }
        let mut adjustment = if target { rule.target_seconds } else { 0.0 };
        adjustment -= rule.entity_seconds * python_max(0.0, entities - rule.free_entities);
        adjustment += rule.ratio_seconds * (1.0 - python_min(1.0, ratio / rule.ratio_full));
        let seconds = python_max(rule.least_seconds, duration * rule.time_scale + adjustment);
        Ok(Self { happened: true, seconds })
    }

    /// The label as it is recorded: `{"conversion_happened":1,"time_to_conversion_seconds":66.275}`.
    #[must_use]
    pub fn to_label(&self) -> String {
        let seconds = Value::Float(if self.happened { self.seconds } else { NO_TIME });
        let number = serde_json::to_string(&seconds).unwrap_or_default();
        format!(r#"{{"conversion_happened":{},"time_to_conversion_seconds":{number}}}"#, u8::from(self.happened))
    }

    /// Reads a recorded label: class 0 or 1 (or a boolean); seconds finite and above 0 for class 1, -1 for class 0. A service
    /// that knows no time leaves the seconds out: positives then get `positive_seconds`, as from upstream's service.
    ///
    /// # Errors
    /// Anything else, and more than [`MAX_LABEL_BYTES`].
    pub fn parse_label(text: &str, positive_seconds: f64) -> Result<Self, ConversionError> {
        let value = object(text, "the label")?;
        let happened =
            class(value.get("conversion_happened")).ok_or_else(|| malformed("conversion_happened is no class"))?;
        let seconds = match value.get("time_to_conversion_seconds") {
            Some(Value::Int(_) | Value::Float(_)) => value.get("time_to_conversion_seconds").and_then(Value::number),
            None => Some(if happened { positive_seconds } else { NO_TIME }),
            _ => None,
        };
        let seconds = seconds.ok_or_else(|| malformed("time_to_conversion_seconds is no number"))?;
        let fits = if happened { seconds.is_finite() && seconds > 0.0 } else { seconds == NO_TIME };
        if fits { Ok(Self { happened, seconds }) } else { Err(malformed("time_to_conversion_seconds does not fit")) }
    }

    /// Reads the reply of upstream's label service, `{"test_pk": …, "labels": true}`; the service knows no time, so that
    /// positives get `positive_seconds`.
    ///
    /// # Errors
    /// A label of another conversation, no class, and more than [`MAX_LABEL_BYTES`].
    pub fn parse_service_reply(text: &str, asked: &str, positive_seconds: f64) -> Result<Self, ConversionError> {
        let value = object(text, "the label service's reply")?;
        match value.get("test_pk") {
            Some(Value::Text(found)) if found == asked => {}
            Some(Value::Text(found)) => {
                return Err(ConversionError::OtherLabel { asked: asked.to_owned(), found: found.clone() });
            }
            _ => return Err(malformed("test_pk is no text")),
        }
        let happened = class(value.get("labels")).ok_or_else(|| malformed("labels is no class"))?;
        Ok(if happened { Self { happened, seconds: positive_seconds } } else { Self::NO })
    }
}

fn malformed(problem: &str) -> ConversionError {
    ConversionError::Malformed { what: "the label", problem: problem.to_owned() }
}

fn object(text: &str, what: &'static str) -> Result<Value, ConversionError> {
    if text.len() > MAX_LABEL_BYTES {
        return Err(ConversionError::TooLarge { what, length: text.len(), limit: MAX_LABEL_BYTES });
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ConversionError::Malformed { what, problem: "it is no object".to_owned() }),
        Err(error) => Err(ConversionError::Malformed { what, problem: error.to_string() }),
    }
}

fn class(value: Option<&Value>) -> Option<bool> {
    match value {
        Some(Value::Bool(class)) => Some(*class),
        Some(Value::Int(0)) => Some(false),
        Some(Value::Int(1)) => Some(true),
        _ => None,
    }
}

/// Where a round stands with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// No label yet; it waits until this time.
    Waiting(Micros),
    /// The label came in time: the round can be evaluated.
    Labelled,
    /// No label came in time: the round is to be abandoned.
    Expired,
}

/// Where a round stands `now`, issued at `issued`, its label recorded at `revealed` if at all. A label counts up to and
/// including the last microsecond of `expires_after_seconds`.
#[must_use]
pub fn latency(issued: Micros, revealed: Option<Micros>, now: Micros, expires_after_seconds: u64) -> Latency {
    let until = Micros(issued.0.saturating_add(expires_after_seconds.saturating_mul(1_000_000)));
    match revealed {
        Some(at) if at <= until => Latency::Labelled,
        None if now <= until => Latency::Waiting(until),
        _ => Latency::Expired,
    }
}

#[cfg(test)]
#[path = "truth_tests.rs"]
mod tests;
