//! What miners answer and language models reply, read by every shipped rule set.

use std::sync::{Arc, LazyLock};

use domain::bettertherapy::{collection, generator, python_json};
use domain::cgp::constants::{Membership, Validation};
use domain::cgp::{conversation, tags};
use domain::conversion::truth::Truth;
use domain::events::TextRole;
use domain::mechanism::{Mechanism, open, shipped};
use domain::twitter::constants::Constants;
use domain::twitter::verdicts;

use super::{choice, choosing};

static MECHANISMS: LazyLock<Vec<Arc<dyn Mechanism>>> =
    LazyLock::new(|| shipped().iter().filter_map(|rules| open(rules).ok()).collect());

const BODIES: [&str; 11] = [
    r#"{"response_text":"Tea is picked by hand. It is dried in the sun, then rolled.\n\n- green\n- black"}"#,
    r#"{"cgp_output":[{"tags":["green tea","picking","a tag"],"profiles":[{"tag":"tea","attribs":[1]}]}]}"#,
    r#"{"features":{"conversation_duration_seconds":90.5},"prediction":{"conversion_happened":1,"time_to_conversion_seconds":66.5},"confidence":0.5}"#,
    r#"{"prediction":null}"#,
    r#"{"prediction":{"conversion_happened":0,"time_to_conversion_seconds":"-1"},"confidence":"nan"}"#,
    r#"{"completion":"Two people like tea [1](https://x.com/a/status/1).","tweets":[]}"#,
    "Two people like tea.",
    r#"{"output":"Breathe in, and out. **Then** rest."}"#,
    r#"{"output":null}"#,
    r#"{"scores":{"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY":{"sybil_score":0.5,"priority_weight":1}},"validators":["5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"]}"#,
    r#"{"scores":{"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY":0.25}}"#,
];

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    let number = MECHANISMS.len();
    let of = |body: &str| (0..number).map(|at| choosing(at, body.as_bytes())).collect::<Vec<_>>();
    BODIES.iter().flat_map(|body| of(body)).collect()
}

/// The first two bytes choose the rule set. An answer has no NUL, and its parts are parts of it.
pub(super) fn answers(input: &[u8]) -> bool {
    let Some((mechanism, body)) = choice(&MECHANISMS, input) else { return false };
    let outside = mechanism.external_scores(body).is_some();
    let Ok(text) = mechanism.parse_response(body) else { return outside };
    assert!(!text.contains('\0'), "{}", mechanism.rule_set().name());
    for role in [TextRole::Answer, TextRole::Prompt] {
        for part in mechanism.text_parts(role, &text).parts {
            assert!(text.get(part.start as usize..part.end as usize).is_some(), "{part:?}");
        }
    }
    true
}

const REPLIES: [&str; 12] = [
    "tea, \"Green Tea\", picking by hand",
    r#"{"tags":["tea","picking"]}"#,
    "Good english keywords: tea, picking\n*** Malformed: asdf",
    r#"{"good":["tea"],"malformed":["asdf"]}"#,
    r#"{"quality_score":7.5,"primary_reason":"","reason_details":""}"#,
    r#"{"question":"What calms?","answer":"Breathing."}"#,
    r#"{"custom_id":"request-1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"{\"scores\":[1,2.5]}"}}]}},"error":null}"#,
    r#"{"keywords":["tea"],"hashtags":[],"user_mentions":[]}"#,
    r#"{"logit":0.5}"#,
    r#"{"tokens":[1,2],"log_probabilities":[-1.5,-2],"log_sums":[3,4],"repeated":[false,true],"mean":0,"deviation":1}"#,
    "Score: 7 of 10",
    r#"{"log_probability":"NaN"}"#,
];

pub(super) fn reply_seeds() -> Vec<Vec<u8>> {
    REPLIES.iter().map(|reply| reply.as_bytes().to_vec()).collect()
}

/// Every reader of a model's reply takes it or not; marks are numbers in their range.
pub(super) fn replies(input: &[u8]) -> bool {
    static TWITTER: LazyLock<[Constants; 2]> = LazyLock::new(|| [Constants::readme(), Constants::v2_5_9()]);
    for constants in TWITTER.iter() {
        let mark = verdicts::read_mark(input, constants);
        assert!((0.0..=1.0).contains(&mark), "{mark}");
        let _ = verdicts::read_log_probability(input, constants);
        assert!(verdicts::penalised_tokens(input, constants) <= input.len() as u64);
    }
    let mut read = verdicts::read_logit(input).is_ok();
    let Ok(reply) = std::str::from_utf8(input) else { return read };
    for strict in [false, true] {
        let quality = conversation::parse_quality(reply, strict);
        assert!(quality.as_ref().is_none_or(|found| (1.0..=10.0).contains(&found.quality_score)));
        read |= quality.is_some();
    }
    let (sent, input) = (["tea", "picking"], ["tea".to_owned(), "picking".to_owned()]);
    for membership in [Membership::Fragment, Membership::Sent, Membership::Clean] {
        let rule = Validation { sample: 20, longest_tag: 32, membership };
        let known = |found: Option<Vec<String>>| {
            // Nothing comes out but what was asked about, or, by the old rule, a piece of it.
            let asked = input.join(",");
            assert!(found.unwrap_or_default().iter().all(|tag| asked.contains(tag.as_str())));
        };
        known(tags::parse_validation(reply, &sent, &input, &rule));
        known(tags::parse_validation_json(reply, &sent, &input, &rule));
    }
    read |= tags::parse_tag_json(reply).is_some();
    let _ = tags::parse_tag_reply(reply);
    let _ = collection::judge_line(reply);
    if let Ok(pair) = generator::pair(reply) {
        assert!(!pair.question.trim().is_empty() && !pair.answer.trim().is_empty());
        read = true;
    }
    read | python_json::loads(reply).is_ok()
}

pub(super) fn label_seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"conversion_happened":1,"time_to_conversion_seconds":66.275}"#,
        r#"{"conversion_happened":false,"time_to_conversion_seconds":-1}"#,
        r#"{"conversion_happened":true}"#,
        r#"{"test_pk":"c1","labels":true}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A label that is read is written and read again as the same.
pub(super) fn labels(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let label = Truth::parse_label(text, 60.0);
    if let Ok(label) = &label {
        assert_eq!(Truth::parse_label(&label.to_label(), 60.0).as_ref().ok(), Some(label));
    }
    label.is_ok() || Truth::parse_service_reply(text, "c1", 60.0).is_ok()
}
