//! What the offline supporter says, by the rules that pay it.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use domain::bettertherapy::constants::Constants;
use domain::bettertherapy::duplicates::repeats;
use domain::bettertherapy::generator::{Pair, pair};
use domain::bettertherapy::task::output;
use domain::bettertherapy::verdict::{Verdict, verdicts};

const QUESTIONS: &str = include_str!("../../../demo/therapy.jsonl");

fn qualities(pair: &Pair, answers: &[&str]) -> Vec<f64> {
    let rule = Constants::assay_1().judge;
    let reply = domain::bettertherapy::offline::reply(&pair.question, &pair.answer, answers, &rule);
    let number = |verdict: &Verdict| if let Verdict::Quality(quality) = verdict { *quality } else { -1.0 };
    verdicts(&reply, answers.len(), &rule).iter().map(number).collect()
}

#[test]
fn what_a_person_said_is_given_back() {
    for (said, back) in [
        ("I lie awake. What helps?", Some("you lie awake")),
        ("Why me? Since my dog died I am sad, and I still was not myself.", None),
        (
            "My mother says I'm lazy; I was never told why.",
            Some("your mother says you are lazy; you were never told why"),
        ),
        ("What helps?", None),
        ("{} is no sentence.", None),
        ("", None),
    ] {
        if let Some(back) = back {
            assert_eq!(reflected(said).as_deref(), Some(back));
        } else if !said.starts_with("Why") {
            assert_eq!(reflected(said), None, "{said}");
        }
    }
    let since = reflected("Why me? Since my dog died I am sad, and I still was not myself.");
    assert_eq!(since.as_deref(), Some("since your dog died you are sad, and you still were not yourself"));
}

#[tokio::test]
async fn requests_are_answered_and_refused() {
    let miner = Supporter::of_variant(0).unwrap();
    let request = r#"{"prompt":"I cannot sleep at night. What helps?","request_id":"btai_1","output":null}"#;
    let body = miner.answer(request).await.unwrap();
    let said = output(&body).unwrap();
    assert!(said.contains("you cannot sleep at night") && said.contains("fixed time for getting up"), "{said}");
    assert_eq!(body, miner.answer(request).await.unwrap());
    let echoed: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(echoed["request_id"], "btai_1");
    for wrong in ["", "{}", r#"{"prompt":3}"#, r#"{"prompt":" "}"#] {
        assert_eq!(miner.answer(wrong).await.unwrap_err().field.as_deref(), Some("prompt"), "{wrong}");
    }
    let long = format!("{{\"prompt\":\"{}\"}}", "x".repeat(MAXIMUM_REQUEST_BYTES));
    assert_eq!(miner.answer(&long).await.unwrap_err().field.as_deref(), Some("request"));
    assert!(output(&miner.spam()).unwrap().contains("stay positive"));
}

#[test]
fn honest_answers_pass_the_floor_and_spam_does_not() {
    let floor = Constants::assay_1().scoring.floor;
    let pairs: Vec<Pair> = QUESTIONS.lines().map(|line| pair(line).unwrap()).collect();
    let spam = output(&Supporter::of_variant(0).unwrap().spam()).unwrap();
    for variant in 0..8 {
        let miner = Supporter::of_variant(variant).unwrap();
        let (mut sum, mut passed) = (0.0, 0);
        for pair in &pairs {
            let found = qualities(pair, &[&miner.support(&pair.question), &spam]);
            sum += found[0].max(0.0);
            passed += usize::from(found[0] > floor);
            assert!(found[1] <= floor, "{}", pair.question);
        }
        let mean = sum / pairs.len() as f64;
        eprintln!("variant {variant}: mean {mean:.3}, {passed} of {} pass", pairs.len());
        assert!(mean > 0.4 && passed * 10 > pairs.len() * 8, "variant {variant}: mean {mean}, {passed} pass");
    }
}

#[test]
fn variants_do_not_repeat_each_other() {
    let miners: Vec<Supporter> = (0..8).map(|variant| Supporter::of_variant(variant).unwrap()).collect();
    let (mut copies, mut all) = (0, 0);
    for line in QUESTIONS.lines() {
        let question = pair(line).unwrap().question;
        let answers: Vec<String> = miners.iter().map(|miner| miner.support(&question)).collect();
        let texts: Vec<&str> = answers.iter().map(String::as_str).collect();
        copies += repeats(&texts, 0.8).iter().flatten().count();
        all += texts.len();
    }
    eprintln!("{copies} of {all} answers repeat another");
    assert!(copies * 20 < all, "{copies} of {all}");
}
