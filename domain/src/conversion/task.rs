//! The task of a round: one conversation's features as canonical JSON, and the request that miners are sent.
//!
//! A task is the features themselves, complete, of their types, in wire order, and nothing else. Text that would read the
//! same but is written otherwise is refused, so that a task has one spelling and one hash.

use super::ConversionError;
use super::feature_set::FeatureSet;
use super::synapse::Synapse;
use super::value::Value;
use crate::mechanism::SynapseKind;

/// The name of the request, as upstream's clients call it.
pub const SYNAPSE: &str = "ConversionSynapse";

/// The type of a request.
pub const KIND: SynapseKind =
    SynapseKind { name: SYNAPSE, required: &[("features", "{}")], hashed: &[], streamed: false };

const WHAT: &str = "the task";

fn malformed(problem: impl Into<String>) -> ConversionError {
    ConversionError::Malformed { what: WHAT, problem: problem.into() }
}

/// The task of a conversation.
///
/// # Errors
/// Features that are missing, of the wrong type or not in wire order.
pub fn write(features: &FeatureSet) -> Result<String, ConversionError> {
    let text = features.to_json()?;
    read(&text)?;
    Ok(text)
}

/// Reads a task.
///
/// # Errors
/// Text over [`super::feature_set::MAX_BYTES`] or not canonical; features that are missing, unknown or of the wrong type.
pub fn read(text: &str) -> Result<FeatureSet, ConversionError> {
    let given = FeatureSet::parse(text)?;
    let message = [("features".to_owned(), Value::Object(given.fields().to_vec()))];
    let features = Synapse::of(&message).map_err(|rejected| {
        let first = rejected.into_iter().next();
        malformed(first.map_or_else(String::new, |first| format!("{}: {}", first.path.join("."), first.kind)))
    })?;
    let features = features.features;
    features.check_required()?;
    if features.fields().len() != super::features::COUNT + 1 {
        return Err(malformed(format!("{} of 41 features", features.fields().len())));
    }
    if features.to_json()? != text {
        return Err(malformed("it is not canonical: no further keys, wire order, no white space"));
    }
    Ok(features)
}

/// The body of the request: the features, and the rest of upstream's message with its defaults.
///
/// # Errors
/// Features that are no JSON.
pub fn request(features: &FeatureSet) -> Result<String, ConversionError> {
    let features = features.to_json()?;
    Ok(format!(
        r#"{{"features":{features},"prediction":{{"conversion_happened":0,"time_to_conversion_seconds":-1.0}},"confidence":null,"response_time":0.0,"miner_uid":0}}"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::generate::{LABEL, conversation};
    use crate::draw::Stream;
    use crate::types::HexBytes;
    use proptest::prelude::*;

    fn task() -> String {
        write(&conversation(&mut Stream::new(HexBytes([3; 32]), LABEL)).unwrap()).unwrap()
    }

    #[test]
    fn a_request_is_upstreams_message() {
        let features = read(&task()).unwrap();
        let Ok(Value::Object(fields)) = serde_json::from_str(&request(&features).unwrap()) else { unreachable!() };
        let message = Synapse::of(&fields).unwrap();
        assert_eq!((message.features, message.confidence, message.miner_uid), (features, None, 0));
        assert_eq!(
            fields.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
            ["features", "prediction", "confidence", "response_time", "miner_uid"]
        );
    }

    #[test]
    fn texts_that_are_no_task() {
        let task = task();
        assert!(read(&task).is_ok());
        for wrong in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            task.replacen(':', ": ", 1),
            task.replacen('{', "{\"more\":1,", 1),
            task.replace("\"is_weekend\":0", "\"is_weekend\":0.0").replace("\"is_weekend\":1", "\"is_weekend\":true"),
            task.replace("\"repeated_questions\"", "\"repeated\""),
            task.replace("\"has_target_entity\":0", "\"has_target_entity\":2")
                .replace("\"has_target_entity\":1", "\"has_target_entity\":2"),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_drawn_conversation_is_a_task(seed: [u8; 32]) {
            let features = conversation(&mut Stream::new(HexBytes(seed), LABEL)).unwrap();
            prop_assert_eq!(read(&write(&features).unwrap()), Ok(features));
        }

        #[test]
        fn hostile_text_never_panics(text in r#"[\[\]{}",:0-9a-z_.eE+\-]{0,80}"#) {
            prop_assert!(read(&text).is_err());
        }
    }
}
