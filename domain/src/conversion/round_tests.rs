use super::*;
use proptest::prelude::*;

const YES: Truth = Truth { happened: true, seconds: 70.0 };

fn says(class: i128, seconds: f64, confidence: Option<f64>) -> Submission {
    Submission { prediction: Some(Prediction { class, seconds }), confidence, claimed_seconds: 0.0 }
}

fn scores(truth: &Truth, submissions: &[Option<Submission>], constants: &Constants) -> Vec<f64> {
    let entries: Vec<Entry<'_>> = submissions
        .iter()
        .map(|submission| Entry { coldkey: "", submission: submission.as_ref(), measured_seconds: 3.0 })
        .collect();
    evaluate(truth, &entries, None, constants).scores.iter().map(|scored| scored.score).collect()
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
}

#[test]
fn the_running_upstream_pays_everybody_the_same() {
    let answers = [Some(says(1, 70.0, Some(0.9))), Some(says(0, -1.0, Some(0.1))), None];
    let code = Constants::v0_1_0();
    assert!(close(&scores(&YES, &answers, &code), &[0.2; 3]));
    assert!(close(&scores(&Truth::NO, &answers, &code), &[0.475; 3]));
    // The quickstart and our rule set tell them apart.
    let readme = scores(&YES, &answers, &Constants::readme());
    assert!(readme[0] > 0.5 && readme[1] < 0.3 && readme[2] == 0.0, "{readme:?}");
    assert!(close(
        &scores(&YES, &answers, &Constants::assay_1()),
        &[0.8 * (0.55 * 0.375 + 0.45) + 0.2 * 0.95, 0.0, 0.0]
    ));
}

#[test]
fn the_quickstarts_mix_is_nested() {
    // 80 % of (55 % class weight + 35 % regression + 10 % diversity) and 20 % time.
    let found = scores(&YES, &[Some(says(1, 77.5, Some(0.9)))], &Constants::readme());
    assert!(close(&found, &[0.8 * (0.55 * 0.375 + 0.35 * 0.5 + 0.1 * 0.8) + 0.2 * 0.95]), "{found:?}");
}

#[test]
fn what_earns_nothing_under_our_rules() {
    let ours = Constants::assay_1();
    let read = Constants {
        gate: super::super::constants::Gate { answers_read: true, ..Constants::v0_1_0().gate },
        ..Constants::v0_1_0()
    };
    let nan = says(1, f64::NAN, Some(0.9));
    let infinite = says(1, f64::INFINITY, Some(0.9));
    let echo = says(0, -1.0, None);
    let early = Submission { claimed_seconds: -6000.0, ..says(0, -1.0, Some(0.5)) };
    for (truth, answer, upstream, expected) in [
        (YES, Some(nan), 0.0, 0.0),
        (YES, Some(infinite), 0.365, 0.0),
        (Truth::NO, Some(echo), 0.475, 0.0),
        (Truth::NO, None, 0.475, 0.0),
        (Truth::NO, Some(Submission::default()), 0.475, 0.0),
        (YES, Some(early), 0.2 * 101.0, 0.0),
        // An instant "yes" that knows nothing of the time has only guessed the class.
        (YES, Some(says(1, 1.0, Some(1.0))), 0.365, 0.8 * 0.55 * 0.375),
    ] {
        assert!(
            close(&scores(&truth, &[answer], &read), &[upstream]),
            "{answer:?} {:?}",
            scores(&truth, &[answer], &read)
        );
        assert!(close(&scores(&truth, &[answer], &ours), &[expected]), "{answer:?}");
    }
}

#[test]
fn one_coldkey_is_paid_once_under_our_rules() {
    let answers: Vec<Submission> = (0..5u8).map(|n| says(1, 70.0, Some(f64::from(n) / 8.0))).collect();
    let entry = |coldkey, at: usize| Entry { coldkey, submission: answers.get(at), measured_seconds: 0.0 };
    let entries = [entry("a", 0), entry("a", 1), entry("b", 2), entry("", 3), entry("", 4), entry("b", 9)];
    let shares =
        |constants| evaluate(&YES, &entries, None, &constants).scores.iter().map(|s| s.share).collect::<Vec<_>>();
    assert_eq!(shares(Constants::assay_1()), [0.5, 0.5, 1.0, 1.0, 1.0, 0.0]);
    assert_eq!(shares(Constants::readme()), [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
}

#[test]
fn equal_answers_share_under_our_rules() {
    let (yes, later, surer) = (says(1, 70.0, Some(0.9)), says(1, 70.5, Some(0.9)), says(1, 70.0, Some(0.91)));
    let zero = |confidence| says(0, -1.0, Some(confidence));
    let (no, minus) = (zero(0.0), zero(-0.0));
    let answers = [("a", &yes), ("b", &yes), ("c", &later), ("d", &surer), ("a", &surer), ("e", &no), ("f", &minus)];
    let entries: Vec<Entry<'_>> = answers
        .iter()
        .map(|(coldkey, submission)| Entry { coldkey, submission: Some(submission), measured_seconds: 0.0 })
        .collect();
    let shares =
        |constants| evaluate(&YES, &entries, None, &constants).scores.iter().map(|s| s.share).collect::<Vec<_>>();
    // The first shares with its copy and with its owner's second answer, which is a copy itself.
    let third = 1.0 / 3.0;
    assert_eq!(shares(Constants::assay_1()), [third, 0.5, 1.0, 0.5, third, 0.5, 0.5]);
    assert_eq!(shares(Constants::readme()), [1.0; 7]);
}

#[test]
fn class_statistics_are_carried_only_where_the_rule_set_says_so() {
    let right = says(1, 70.0, Some(1.0));
    let entries = [Entry { coldkey: "", submission: Some(&right), measured_seconds: 0.0 }; 3];
    let carried = ClassState { positive: 0.1, negative: 0.9, recent: vec![true; 98] };
    let after = |constants: &Constants| evaluate(&YES, &entries, Some(&carried), constants);
    let code = after(&Constants::v0_1_0());
    assert_eq!((code.classes.positive, code.classes.recent.len()), (0.375, 0));
    // Three answers count three times: the hundredth truth moves the weights, but only for the next round.
    let readme = after(&Constants::readme());
    assert_eq!((readme.classes.positive, readme.classes.recent.len()), (0.0, 101));
    assert!(readme.scores.iter().all(|scored| scored.classification == 0.1));
    let ours = after(&Constants::assay_1());
    assert_eq!((ours.classes.positive, ours.classes.recent.len()), (0.1, 99));
}

#[test]
fn reasons() {
    let answers = [
        (None, Some(Zero::NoAnswer)),
        (Some(says(7, 1.0, Some(0.5))), Some(Zero::Invalid)),
        (Some(says(0, -1.0, Some(0.5))), Some(Zero::WrongClass)),
        (Some(says(1, 70.0, Some(0.5))), None),
    ];
    for (answer, expected) in answers {
        let entries = [Entry { coldkey: "", submission: answer.as_ref(), measured_seconds: 1.0 }];
        assert_eq!(evaluate(&YES, &entries, None, &Constants::assay_1()).scores[0].zero, expected, "{answer:?}");
    }
    let nan = says(1, f64::NAN, Some(0.5));
    let entries = [Entry { coldkey: "", submission: Some(&nan), measured_seconds: 1.0 }];
    assert_eq!(evaluate(&YES, &entries, None, &Constants::readme()).scores[0].zero, Some(Zero::NotFinite));
    assert!(evaluate(&YES, &[], None, &Constants::readme()).scores.is_empty());
}

fn any_answer() -> impl Strategy<Value = Option<Submission>> {
    let number =
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-1.0), -100.0f64..200.0];
    let confidence = prop::option::of(number.clone());
    let prediction =
        prop::option::of((-1i128..3, number.clone()).prop_map(|(class, seconds)| Prediction { class, seconds }));
    prop::option::of(
        (prediction, confidence, number).prop_map(|(prediction, confidence, claimed_seconds)| Submission {
            prediction,
            confidence,
            claimed_seconds,
        }),
    )
}

proptest! {
    #[test]
    fn scores_are_finite_and_permuting_miners_permutes_them(
        answers in prop::collection::vec((any_answer(), 0usize..3, 0.0f64..90.0), 0..12), turn in 0usize..12, happened: bool,
        recent in prop::collection::vec(any::<bool>(), 0..120), which in 0usize..4,
    ) {
        let mut constants = <Constants as crate::mechanism::Constants>::shipped()[which % 3].1.clone();
        // The fourth: upstream's formulas with the answers that miners gave.
        constants.gate.answers_read |= which == 3;
        let truth = if happened { YES } else { Truth::NO };
        let entries: Vec<Entry<'_>> = answers
            .iter()
            .map(|(submission, owner, measured_seconds)| Entry {
                coldkey: ["", "a", "b"][*owner],
                submission: submission.as_ref(),
                measured_seconds: *measured_seconds,
            })
            .collect();
        let carried = ClassState { positive: 0.4, negative: 0.6, recent };
        let found = evaluate(&truth, &entries, Some(&carried), &constants);
        for scored in &found.scores {
            prop_assert!(scored.score.is_finite());
            prop_assert_eq!(scored.zero.is_some(), scored.score <= 0.0);
            if !constants.reward.claimed_time && constants.gate.confidence_demanded {
                prop_assert!((0.0..=1.0).contains(&scored.score));
            }
        }
        let mut turned = entries.clone();
        turned.rotate_left(if entries.is_empty() { 0 } else { turn % entries.len() });
        let mut expected = found.scores.clone();
        expected.rotate_left(if entries.is_empty() { 0 } else { turn % entries.len() });
        let again = evaluate(&truth, &turned, Some(&carried), &constants);
        prop_assert_eq!(again.scores, expected);
        prop_assert_eq!(again.classes, found.classes);
    }
}
