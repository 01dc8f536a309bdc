use super::*;

#[test]
fn shipped_rule_sets_have_these_hashes() {
    let found: Vec<String> = shipped().iter().map(|set| format!("{} {}", set.name(), set.hash())).collect();
    assert_eq!(found, GOLDEN);
}

const GOLDEN: [&str; 3] = [
    "bettertherapy/readme 9839a7e5bfcea2a3c0e7c2ba20c440f41e148e0be9500e396df32fbd52317d6d",
    "bettertherapy/1.2.2 eaeed98ae6dc8a017b194c6ccd4c8cb9eda28fb6b5eb315adc1652d34f6ab315",
    "bettertherapy/assay-1 b288421e7c1087e321d295f3e60adc37c4233e4b11b5e3bf94b5c6a0ba4c18c5",
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
