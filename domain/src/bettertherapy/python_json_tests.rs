use super::*;
use proptest::prelude::*;

#[test]
fn numbers_in_text_are_pythons() {
    for (text, expected) in [
        ("0.9", Some(0.9)),
        (" \t-1\n", Some(-1.0)),
        ("1_000.5", Some(1000.5)),
        (".5", Some(0.5)),
        ("5.", Some(5.0)),
        ("1e-2", Some(0.01)),
        ("\u{661}\u{665}", Some(15.0)),
        ("\u{1d7d9}", Some(1.0)),
        ("-iNf", Some(f64::NEG_INFINITY)),
        ("Infinity", Some(f64::INFINITY)),
        ("1__0", None),
        ("_1", None),
        ("1_", None),
        ("0x10", None),
        ("", None),
        ("one", None),
    ] {
        assert_eq!(float(text), expected, "{text:?}");
    }
    assert!(float("nan").is_some_and(f64::is_nan));
}

#[test]
fn what_python_reads_beyond_json() {
    let read = loads("[NaN, Infinity, -Infinity, 1e999, -0, 0.5e1, null, true]").unwrap();
    let Value::List(items) = read else { panic!("{read:?}") };
    assert!(items[0].to_float().is_some_and(f64::is_nan));
    assert_eq!(items[1..4].iter().map(Value::to_float).collect::<Vec<_>>().len(), 3);
    assert_eq!((items[3].to_float(), &items[4]), (Some(f64::INFINITY), &Value::Integer("0".to_owned())));
    assert_eq!((items[5].to_float(), items[6].to_float(), items[7].to_float()), (Some(5.0), None, Some(1.0)));
    let huge = format!("{{\"a\":1{},\"a\":2}}", "0".repeat(400));
    assert_eq!(loads(&huge), Ok(Value::Object(vec![("a".to_owned(), Value::Integer("2".to_owned()))])));
    assert_eq!(Value::Integer("9".repeat(400)).to_float(), None);
}

#[test]
fn what_python_refuses() {
    for text in [
        "",
        "nan",
        "+1",
        "01",
        "1.",
        ".5",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1] 2",
        "\u{feff}1",
        "-",
        "\"",
        "{\"a\" 1}",
        "[1 2]",
        "\u{a0}1",
    ] {
        assert!(loads(text).is_err(), "{text:?}");
    }
    assert!(loads(&"[".repeat(100_000)).is_err());
    assert!(loads(&"9".repeat(5000)).is_err());
}

#[test]
fn escapes() {
    assert_eq!(loads(r#""\ud83d\ude00\u00e9\n\/""#), Ok(Value::Text("😀é\n/".to_owned())));
    assert_eq!(loads(r#""\ud83dx\ud83d\u0041""#), Ok(Value::Text("\u{fffd}x\u{fffd}A".to_owned())));
}

proptest! {
    #[test]
    fn strict_json_is_read_alike(numbers in prop::collection::vec(-1e9f64..1e9, 0..8), word in "\\PC{0,20}") {
        let text = serde_json::to_string(&(&numbers, &word)).unwrap();
        let Value::List(items) = loads(&text).unwrap() else { panic!("no list") };
        prop_assert_eq!(&items[1], &Value::Text(word));
        let Value::List(found) = &items[0] else { panic!("no list") };
        prop_assert_eq!(found.iter().filter_map(Value::to_float).collect::<Vec<_>>(), numbers);
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}\",:\\\\u0-9a-f.eEINn +-]{0,40}") {
        let _ = loads(&text);
        let _ = float(&text);
    }
}
