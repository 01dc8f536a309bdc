use super::*;
use crate::mechanism::Constants as _;

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
