use super::*;

#[test]
fn shipped_rule_sets_have_these_hashes() {
    let found: Vec<String> = shipped().iter().map(|set| format!("{} {}", set.name(), set.hash())).collect();
    assert_eq!(found, GOLDEN);
}

const GOLDEN: [&str; 3] = [
    "bettertherapy/readme 73bfa2747afb8dd541145db99040e6e5916cd0b2a344baecd9b4159596087b84",
    "bettertherapy/1.2.2 07b8330ad1bdac7df4783a2029b561889d75a24af1b1e98654d386d23cbdd548",
    "bettertherapy/assay-1 8773ec6dc92a74f7b9a7ce0aff2eb58f8811a0af4752aed3f35ac46165755f9b",
];

#[test]
fn shipped_rule_sets_are_sound_and_come_back() {
    for ((version, constants), rule_set) in all().into_iter().zip(shipped()) {
        assert_eq!(constants.problem(), None, "{version}");
        assert_eq!(rule_set.name(), format!("bettertherapy/{version}"));
        assert_eq!(rule_set.constants::<Constants>().unwrap(), constants);
    }
}

#[test]
fn shipped_rule_sets_differ() {
    let [(_, readme), (_, running), (_, ours)] = all();
    assert!(readme != running && running != ours && readme != ours);
}

#[test]
fn wrong_constants_are_named() {
    let mut wrong = Constants::assay_1();
    wrong.judge.line_tokens = 10;
    assert_eq!(wrong.problem().map(|(name, _)| name), Some("judge.line_tokens"));
    let mut wrong = Constants::assay_1();
    wrong.scoring.buckets.reverse();
    assert_eq!(wrong.problem().map(|(name, _)| name), Some("scoring.buckets"));
    let mut wrong = Constants::assay_1();
    wrong.average.alpha = f64::NAN;
    assert_eq!(wrong.problem().map(|(name, _)| name), Some("average.alpha"));
    let mut wrong = Constants::assay_1();
    wrong.payout.burn = Burn::Times { uid: 0, times: -1.0, total: 1.0 };
    assert_eq!(wrong.problem().map(|(name, _)| name), Some("payout.burn"));
}
