use super::*;
use crate::conversion::constants::Constants;
use proptest::prelude::*;

fn rule() -> LabelRule {
    Constants::v0_1_0().label.rule
}

#[test]
fn thresholds_are_strict_for_ratio_and_duration_only() {
    let truth = |target, entities, ratio, duration| {
        let mut set = FeatureSet::default();
        set.set("has_target_entity", Value::Int(target));
        set.set("entities_collected_count", Value::Int(entities));
        set.set("message_ratio", Value::Float(ratio));
        set.set("conversation_duration_seconds", Value::Float(duration));
        Truth::of(&set, &rule()).unwrap()
    };
    assert!(truth(1, 4, 1.0, 60.0).happened);
    assert!(!truth(0, 4, 1.0, 60.0).happened);
    assert!(!truth(1, 3, 1.2, 150.0).happened);
    assert!(!truth(0, 0, 1.3, 90.0).happened);
    assert!(truth(0, 0, 1.3, 90.1).happened);
    assert_eq!(truth(0, 60, 2.0, 91.0).seconds, 30.0);
    // Upstream's README prints 62.0 s for this row (spec 7, item 13).
    assert!((truth(1, 5, 1.25, 92.0).seconds - 66.275).abs() < 1e-12);
    assert_eq!(Truth::of(&FeatureSet::default(), &rule()), Ok(Truth::NO));
}

#[test]
fn a_feature_of_text_is_no_number() {
    let mut set = FeatureSet::default();
    set.set("has_target_entity", Value::Text("1".to_owned()));
    assert_eq!(Truth::of(&set, &rule()), Ok(Truth::NO));
    set.set("message_ratio", Value::Text("2".to_owned()));
    assert_eq!(Truth::of(&set, &rule()), Err(ConversionError::NotANumber("message_ratio")));
}

#[test]
fn labels() {
    let truth = Truth { happened: true, seconds: 66.275 };
    assert_eq!(truth.to_label(), r#"{"conversion_happened":1,"time_to_conversion_seconds":66.275}"#);
    assert_eq!(Truth::NO.to_label(), r#"{"conversion_happened":0,"time_to_conversion_seconds":-1.0}"#);
    for text in [
        "",
        "[]",
        "{}",
        r#"{"conversion_happened":1,"time_to_conversion_seconds":null}"#,
        r#"{"conversion_happened":2,"time_to_conversion_seconds":5}"#,
        r#"{"conversion_happened":1,"time_to_conversion_seconds":-1}"#,
        r#"{"conversion_happened":1,"time_to_conversion_seconds":"60"}"#,
        r#"{"conversion_happened":1,"time_to_conversion_seconds":1e999}"#,
        r#"{"conversion_happened":1,"time_to_conversion_seconds":NaN}"#,
        r#"{"conversion_happened":0,"time_to_conversion_seconds":5}"#,
        r#"{"conversion_happened":"1","time_to_conversion_seconds":5}"#,
    ] {
        assert!(Truth::parse_label(text, 60.0).is_err(), "{text}");
    }
    // A service that only says that it happened.
    let read = |text| Truth::parse_label(text, 60.0);
    assert_eq!(read(r#"{"conversion_happened":1}"#), Ok(Truth { happened: true, seconds: 60.0 }));
    assert_eq!(read(r#"{"conversion_happened":false}"#), Ok(Truth::NO));
    assert!(Truth::parse_label(&" ".repeat(MAX_LABEL_BYTES + 1), 60.0).is_err());
}

#[test]
fn replies_of_the_label_service() {
    let read = |text| Truth::parse_service_reply(text, "a", 60.0);
    assert_eq!(read(r#"{"test_pk":"a","labels":true}"#), Ok(Truth { happened: true, seconds: 60.0 }));
    assert_eq!(read(r#"{"test_pk":"a","labels":0,"submissionDeadline":"x"}"#), Ok(Truth::NO));
    assert_eq!(
        read(r#"{"test_pk":"b","labels":true}"#),
        Err(ConversionError::OtherLabel { asked: "a".to_owned(), found: "b".to_owned() })
    );
    assert!(read(r#"{"test_pk":"a","labels":"yes"}"#).is_err());
    assert!(read(r#"{"labels":true}"#).is_err());
}

#[test]
fn rounds_wait_so_long() {
    let at = |seconds: u64| Micros(seconds * 1_000_000);
    assert_eq!(latency(at(10), None, at(11), 60), Latency::Waiting(at(70)));
    assert_eq!(latency(at(10), None, at(70), 60), Latency::Waiting(at(70)));
    assert_eq!(latency(at(10), None, at(71), 60), Latency::Expired);
    assert_eq!(latency(at(10), Some(at(70)), at(500), 60), Latency::Labelled);
    assert_eq!(latency(at(10), Some(at(71)), at(71), 60), Latency::Expired);
    assert_eq!(latency(at(10), None, at(11), u64::MAX), Latency::Waiting(Micros(u64::MAX)));
}

proptest! {
    #[test]
    fn a_label_is_read_as_written(happened: bool, seconds in 0.001f64..1e6) {
        let truth = if happened { Truth { happened, seconds } } else { Truth::NO };
        prop_assert_eq!(Truth::parse_label(&truth.to_label(), 60.0), Ok(truth));
    }

    #[test]
    fn hostile_labels_never_panic(text in r#"[\[\]{}",:0-9a-z_.\-]{0,80}"#) {
        let _ = (Truth::parse_label(&text, 60.0), Truth::parse_service_reply(&text, "a", 60.0));
    }
}
