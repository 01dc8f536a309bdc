//! The codec's promises: golden bytes of every kind, exact floats, and clear refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod samples;

use domain::codec::{self, CodecError};
use domain::events::{Component, Event, ExternalScoresFetched, Payload, ResponseScored};
use domain::types::{Block, Hotkey, Uid};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Floats {
    double: f64,
    single: f32,
}

impl Payload for Floats {
    const KIND: &'static str = "Floats";
    const VERSION: u16 = 1;
}

/// A full-period generator, so that the million patterns are the same in every run.
fn patterns() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[test]
fn a_million_bit_patterns_survive() {
    let edges = [0u64, 1 << 63, 1, u64::MAX >> 12, 0x7fef_ffff_ffff_ffff, 0x0010_0000_0000_0000];
    let mut survived = 0u32;
    for bits in edges.into_iter().chain(patterns()) {
        let value = Floats { double: f64::from_bits(bits), single: f32::from_bits((bits >> 17) as u32) };
        if !value.double.is_finite() || !value.single.is_finite() {
            assert!(matches!(codec::encode(&value), Err(CodecError::NotFinite { .. })));
            continue;
        }
        let bytes = codec::encode(&value).unwrap();
        let back: Floats = codec::decode(&bytes).unwrap();
        assert_eq!(back.double.to_bits(), value.double.to_bits(), "{bits:016x}");
        assert_eq!(back.single.to_bits(), value.single.to_bits(), "{bits:016x}");
        assert_eq!(codec::encode(&back).unwrap(), bytes, "{bits:016x}");
        survived += 1;
        if survived == 1_000_000 {
            break;
        }
    }
}

#[test]
fn every_kind_has_golden_bytes() {
    let events = samples::one_of_each();
    let kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds, Event::KINDS, "a sample for each kind, in order");
    let mut golden = String::new();
    for event in &events {
        let bytes = event.encode().unwrap();
        let json = codec::json_part(event.kind(), &bytes).unwrap();
        let blocks = &bytes[4 + json.len()..];
        golden.push_str(&format!("{} v{}\n{}\n", event.kind(), event.version(), String::from_utf8_lossy(json)));
        golden.push_str(&format!("{} {}\n\n", hex::encode(&bytes[..4]), hex::encode(blocks)));
        assert_eq!(&codec::decode_canonical(event.kind(), event.version(), &bytes).unwrap(), event);
    }
    insta::assert_snapshot!("golden_payloads", golden);
}

fn scored(value: f64) -> ResponseScored {
    ResponseScored {
        challenge_id: "c".into(),
        attempt: 1,
        hotkey: samples::hotkey(1),
        uid: Uid(3),
        score: 1.0,
        counted: true,
        filtered: None,
        reason: None,
        components: vec![Component { name: "theta".into(), value }],
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Guid {
    #[serde(with = "domain::types::u128_text")]
    guid: u128,
}

impl Payload for Guid {
    const KIND: &'static str = "Guid";
    const VERSION: u16 = 1;
}

#[test]
fn wide_integers_are_strings() {
    for guid in [0, 1 << 53, u128::from(u64::MAX) + 1, u128::MAX] {
        let bytes = codec::encode(&Guid { guid }).unwrap();
        assert_eq!(codec::json_part("Guid", &bytes).unwrap(), format!("{{\"guid\":\"{guid}\"}}").as_bytes());
        assert_eq!(codec::decode::<Guid>(&bytes).unwrap(), Guid { guid });
    }
    let json = br#"{"guid":"340282366920938463463374607431768211456"}"#;
    let too_wide = [&(json.len() as u32).to_be_bytes(), json.as_slice()].concat();
    assert!(matches!(codec::decode::<Guid>(&too_wide), Err(CodecError::Json { .. })));
}

#[test]
fn not_a_number_is_refused_by_name() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = codec::encode(&scored(value)).unwrap_err().to_string();
        assert_eq!(error, "ResponseScored.components[0].value is not a finite number");
    }
}

#[test]
fn malformed_payloads_are_refused() {
    let good = codec::encode(&scored(0.5)).unwrap();
    let text = String::from_utf8(good[4..].to_vec()).unwrap();
    let framed = |json: &str, blocks: &[u8]| {
        let mut bytes = (json.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.extend_from_slice(blocks);
        bytes
    };
    for (bytes, want) in [
        (vec![], "shorter than its length field"),
        (vec![0, 0, 0, 9, b'{'], "json part is cut short"),
        (framed(&text, b"x"), "left over"),
        (framed(&text.replace("\"uid\":3", "\"uid\":70000"), b""), "malformed"),
        (framed(&text.replace("\"uid\":3", "\"uid\":3,\"more\":1"), b""), "malformed"),
        (framed(&text.replace("\"uid\":3", "\"uid\":3,\"uid\":3"), b""), "malformed"),
        (framed(&text.replace("\"uid\":3", "\"uid\": 3"), b""), "not canonical"),
        (framed(&text.replace("\"value\":0.5", "\"value\":5e-1"), b""), "not canonical"),
    ] {
        let error = codec::decode_canonical("ResponseScored", 1, &bytes).unwrap_err();
        assert!(error.to_string().contains(want), "{error}, wanted {want}");
    }
    assert!(matches!(Event::decode("ResponseScored", 2, &good), Err(CodecError::Unknown { version: 2, .. })));
    assert!(matches!(Event::decode("Nonsense", 1, &good), Err(CodecError::Unknown { .. })));
}

#[test]
fn a_block_too_short_or_too_long_is_refused() {
    let event = samples::one_of_each().into_iter().find(|event| event.kind() == "EmbeddingComputed").unwrap();
    let bytes = event.encode().unwrap();
    for bad in [&bytes[..bytes.len() - 1], &[bytes.as_slice(), &[0]].concat()] {
        assert!(matches!(Event::decode(event.kind(), 1, bad), Err(CodecError::Frame { .. })));
    }
}

#[test]
fn a_payload_over_the_limit_is_refused() {
    let mut event = samples::one_of_each().into_iter().find(|event| event.kind() == "ResponseReceived").unwrap();
    if let Event::ResponseReceived(response) = &mut event {
        response.body = Block::new(vec![0; codec::MAX_PAYLOAD as usize]);
    }
    assert!(matches!(event.encode(), Err(CodecError::TooLarge { .. })));
}

/// Equal numbers are not always the same bytes, and a block is part of them.
#[test]
fn the_same_bytes_are_the_same_payload() {
    let scored = |score: f64| ResponseScored {
        challenge_id: "c".into(),
        attempt: 1,
        hotkey: Hotkey::from_public(&[7; 32]),
        uid: Uid(3),
        score,
        counted: true,
        filtered: None,
        reason: None,
        components: Vec::new(),
    };
    let reply = |block: &[u8]| ExternalScoresFetched {
        source: "s".into(),
        request: "r".into(),
        status: 200,
        reply: Block::new(block.to_vec()),
    };
    assert!(codec::same_bytes(&scored(0.5), &scored(0.5)));
    assert!(!codec::same_bytes(&scored(0.0), &scored(-0.0)));
    assert!(!codec::same_bytes(&scored(f64::NAN), &scored(f64::NAN)));
    assert!(codec::same_bytes(&reply(b"ab"), &reply(b"ab")));
    assert!(!codec::same_bytes(&reply(b"ab"), &reply(b"ac")));
    assert!(!codec::same_bytes(&reply(b"ab"), &reply(b"abc")));
}
