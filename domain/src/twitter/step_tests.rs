#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn ok(completion: &str) -> Response<'_> {
    Response { status: 200, completion }
}

fn asked() -> QueryAnalysis {
    QueryAnalysis::of_words("SpaceX launch")
}

fn run(responses: &[Response<'_>], logits: &[f32], constants: &Constants) -> Outcome<f32> {
    let raw: Raw<f32> = logits.iter().copied().map(Some).collect();
    let evidence = Evidence { rlhf: raw.clone(), prompt: raw.clone(), dpo: raw };
    evaluate(responses, &evidence, &asked(), &[], &mut Statistics::default(), constants).unwrap()
}

#[test]
fn upstream_pays_spam_empty_answers_and_copies_and_we_do_not() {
    let responses = [
        ok("The SpaceX launch moved to Friday."),
        ok("the spacex  LAUNCH moved to friday. "),
        ok("Buy my coin!"),
        ok("  "),
        Response { status: 408, completion: "SpaceX" },
    ];
    let logits = [4.0, 4.0, -2.0, -3.0, 9.0];
    let upstream = run(&responses, &logits, &Constants::v2_5_9());
    assert!(upstream.rewards[..4].iter().all(|reward| *reward > 0.0), "{upstream:?}");
    let ours = run(&responses, &logits, &Constants::assay_1());
    assert_eq!((ours.rewards[2], ours.rewards[3], ours.rewards[4]), (0.0, 0.0, 0.0));
    assert_eq!((&ours.sharing[..], ours.best), (&[2, 2, 1, 1, 1][..], Some(0)));
    assert!(ours.rewards[0] == ours.rewards[1] && ours.rewards[0] == ours.weighted[0] / 2.0);
    assert_eq!(ours.best_completion(&responses), "The SpaceX launch moved to Friday.");
    assert_eq!(upstream.measured, [true, true, true, true, false]);
}

#[test]
fn a_word_more_makes_an_answer_of_its_own_upstream_and_not_under_ours() {
    let one = "SpaceX moved the launch to Friday because of strong wind at the coast, say two accounts with pictures.";
    let dressed =
        "SpaceX moved the launch to Friday because of strong wind at the coast (say two accounts, with pictures) !!";
    let longer = format!("{one} Great.");
    let other = "Two pictures of the pad were shared by SpaceX; the launch is on Friday if the wind allows it.";
    let responses = [ok(one), ok(dressed), ok(&longer), ok(other)];
    let upstream = run(&responses, &[1.0, 1.0, 1.0, 1.5], &Constants::v2_5_9());
    assert_eq!(upstream.sharing, [1; 4]);
    let ours = run(&responses, &[1.0, 1.0, 1.0, 1.5], &Constants::assay_1());
    assert_eq!(ours.sharing, [3, 3, 3, 1]);
    assert!(ours.rewards[..3].iter().sum::<f32>() <= ours.weighted[0] + 1e-6);
    assert_eq!(sharing(&responses, &[true, true, false, true], None), [1; 4]);
    assert_eq!(sharing(&responses, &[true, true, false, true], Some(0.8)), [2, 2, 1, 1]);
}

#[test]
fn a_nan_reward_zeroes_a_whole_round_upstream_and_one_answer_under_ours() {
    let responses = [ok("SpaceX a"), ok("SpaceX b"), ok("SpaceX c")];
    let logits = [f32::NAN, 1.0, 2.0];
    assert_eq!(run(&responses, &logits, &Constants::v2_5_9()).rewards, [0.0; 3]);
    let ours = run(&responses, &logits, &Constants::assay_1()).rewards;
    assert!(ours[0] == 0.0 && ours[1] > 0.0 && ours[2] > ours[1], "{ours:?}");
}

#[test]
fn the_document_adds_three_models() {
    let responses = [ok("SpaceX a"), ok("SpaceX b")];
    let found = run(&responses, &[1.0, 2.0], &Constants::readme());
    assert!(found.models.iter().all(Option::is_some));
    let one = run(&responses, &[1.0, 2.0], &Constants::v2_5_9());
    assert!(one.models[1].is_none() && (found.rewards[1] - one.rewards[1]).abs() < 1e-6);
}

#[test]
fn missing_evidence_changes_nothing() {
    let mut statistics = Statistics::<f32>::default();
    let responses = [ok("SpaceX"), ok("b")];
    for (rlhf, missing) in [(vec![Some(1.0), None], true), (vec![Some(1.0)], false), (vec![], false)] {
        let evidence = Evidence { rlhf, ..Evidence::default() };
        let found = evaluate(&responses, &evidence, &asked(), &[], &mut statistics, &Constants::v2_5_9());
        assert_eq!(matches!(found, Err(Error::MissingReward { model: "rlhf", response: 1 })), missing);
        assert!(found.is_err() && statistics == Statistics::default());
    }
    let nobody = run(&[], &[], &Constants::assay_1());
    assert!(nobody.rewards.is_empty() && nobody.best.is_none() && nobody.best_completion(&[]).is_empty());
}

#[test]
fn statistics_are_carried_even_when_they_are_nan() {
    let mut statistics = Statistics::<f32>::default();
    let evidence = Evidence { rlhf: vec![Some(2.0)], ..Evidence::default() };
    evaluate(&[ok("SpaceX")], &evidence, &asked(), &[], &mut statistics, &Constants::v2_5_9()).unwrap();
    let text = serde_json::to_string(&statistics).unwrap();
    assert!(text.starts_with(r#"{"rlhf":{"count":1,"mean":2.0,"variance":"NaN"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Statistics<f32>>(&text).unwrap(), statistics);
}

proptest! {
    #[test]
    fn rewards_are_finite_shares_and_follow_their_miners(
        texts in prop::collection::vec("(SpaceX|launch|coin| |x){0,3}", 1..8),
        logits in prop::collection::vec(-9f32..9.0, 8),
        failed in prop::collection::vec(any::<bool>(), 8),
        turn in 0usize..8,
    ) {
        for constants in [Constants::readme(), Constants::v2_5_9(), Constants::assay_1()] {
            let mut responses: Vec<Response<'_>> = texts
                .iter()
                .zip(&failed)
                .map(|(text, failed)| Response { status: if *failed { 500 } else { 200 }, completion: text })
                .collect();
            let mut logits = logits[..responses.len()].to_vec();
            let mut straight = run(&responses, &logits, &constants).rewards;
            prop_assert!(straight.iter().all(|reward| (0.0..=1.0).contains(reward)));
            let by = turn % responses.len();
            responses.rotate_left(by);
            logits.rotate_left(by);
            straight.rotate_left(by);
            let turned = run(&responses, &logits, &constants).rewards;
            for (a, b) in straight.iter().zip(&turned) {
                prop_assert!((a - b).abs() < 2e-4, "{} {}", a, b);
            }
        }
    }

    #[test]
    fn copying_an_answer_never_pays_under_ours(
        logits in prop::collection::vec(-5f32..5.0, 4),
        copies in 1usize..6,
    ) {
        let constants = Constants::assay_1();
        let texts = ["SpaceX one", "SpaceX two", "SpaceX three", "SpaceX four"];
        let mut responses: Vec<Response<'_>> = texts.iter().map(|text| ok(text)).collect();
        let mut logits = logits;
        for _ in 0..copies {
            responses.push(responses[0]);
            logits.push(logits[0]);
        }
        let found = run(&responses, &logits, &constants);
        let group: f32 = found.rewards[0] + found.rewards[4..].iter().sum::<f32>();
        prop_assert!(group <= found.weighted[0] + 1e-5);
    }
}
