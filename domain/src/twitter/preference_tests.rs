#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::twitter::constants::Constants;
use proptest::prelude::*;

fn rule() -> Preference {
    Constants::v2_5_9().preference
}

#[test]
fn tokens_that_followed_the_last_four_are_repeated() {
    for (answer, expected) in [
        (&[1, 2, 3, 4, 9, 1, 2, 3, 4][..], &[9][..]),
        (&[1, 2, 3, 4, 9, 1, 2, 3, 4, 8, 1, 2, 3, 4, 9, 1, 2, 3, 4], &[9, 8]),
        (&[7, 7, 7, 7, 7, 7], &[7]),
        (&[1, 2, 3, 4], &[]),
        (&[1, 2, 3], &[]),
        (&[], &[]),
    ] {
        assert_eq!(repeated(answer, 5), expected, "{answer:?}");
    }
}

#[test]
fn what_cannot_be_measured_gets_the_floor() {
    let mut rule = rule();
    rule.maximum_tokens = 3;
    let row = vec![0.0f64; 4];
    let logits = vec![row; 3];
    let reward = |tokens: &[u32], prompt| measure(tokens, prompt, &logits, &rule).unwrap().reward;
    // The prompt fills the model; the answer is cut away; there is but one token.
    assert_eq!([reward(&[1, 2, 3, 1], 3), reward(&[1, 2], 2), reward(&[1], 0)], [-11.0; 3]);
    assert!((reward(&[1, 2, 3, 1], 1) + math::ln(4.0)).abs() < 1e-12);
    assert!(measure(&[1, 4], 1, &logits, &rule).is_err() && measure::<f64>(&[1, 2], 1, &[], &rule).is_err());
    let nothing = vec![vec![f64::NAN; 4]; 3];
    assert_eq!(measure(&[1, 2], 1, &nothing, &rule).unwrap().reward, -11.0);
    for (answer, expected) in [("", false), ("      ", false), ("abcde", false), ("ααααα", false), (" abcd ", true)]
    {
        assert_eq!(is_measurable(answer, &rule), expected, "{answer:?}");
    }
}

proptest! {
    #[test]
    fn recorded_outputs_give_what_the_logits_give(
        cells in prop::collection::vec(-6f64..6.0, 14 * 6),
        mut tokens in prop::collection::vec(0u32..6, 14),
        prompt in 1usize..4,
        repeat: bool,
    ) {
        if repeat {
            tokens.copy_within(4..8, 10);
        }
        let rule = rule();
        let logits: Vec<Vec<f64>> = cells.chunks(6).map(<[f64]>::to_vec).collect();
        let full = measure(&tokens, prompt, &logits, &rule).unwrap();
        let rows = &logits[..13];
        let all: Vec<f64> = rows.iter().flatten().copied().collect();
        let log_sum = |row: &[f64]| math::ln(row.iter().map(|x| math::exp(*x)).sum::<f64>());
        let outputs = Outputs {
            tokens: (prompt..14)
                .map(|at| TokenOutput {
                    log_probability: rows[at - 1][tokens[at] as usize] - log_sum(&rows[at - 1]),
                    log_sum: log_sum(&rows[at - 1]),
                    repeated: full.repeated.iter().map(|t| rows[at - 1][*t as usize] - log_sum(&rows[at - 1])).collect(),
                })
                .collect(),
            mean: numbers::mean(&all),
            deviation: numbers::root(numbers::unbiased_variance(&all)),
        };
        let compact = from_outputs(&tokens[prompt..], &outputs, &rule).unwrap();
        prop_assert!(!repeat || !full.repeated.is_empty());
        prop_assert!((compact - full.reward).abs() < 1e-9, "{} {}", compact, full.reward);
        prop_assert!(full.reward <= 0.0 && full.per_token.len() == 14 - prompt);
    }
}
