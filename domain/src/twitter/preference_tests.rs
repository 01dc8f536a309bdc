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
fn a_repetition_is_charged_wherever_its_tokens_stand_upstream_and_once_under_ours() {
    let (code, ours) = (rule(), Constants::assay_1().preference);
    // The prompt is token 0. 9 follows 1 2 3 4 a second time at the place 9 of the answer; the answer ends with 1 2 3 4 again.
    let tokens = [0, 1, 2, 3, 4, 9, 1, 2, 3, 4, 9, 1, 2, 3, 4];
    let logits: Vec<Vec<f64>> = (0..tokens.len()).map(|at| (0..10).map(|c| ((c + at) % 3) as f64).collect()).collect();
    let of = |rule: &Preference| measure(&tokens, 1, &logits, rule).unwrap();
    let plain = of(&Preference { repeated_tokens: 64, ..rule() });
    assert!(plain.repeated.is_empty());
    let charged = |found: &Measured<f64>| -> Vec<usize> {
        (0..found.per_token.len()).filter(|at| found.per_token[*at] < plain.per_token[*at] - 1.0).collect()
    };
    let (upstream, sound) = (of(&code), of(&ours));
    // Upstream charges the first 9 too, which repeats nothing; and would charge any 9 before.
    assert_eq!((&upstream.repeated[..], charged(&upstream)), (&[9][..], vec![4, 9]));
    // Every token from the second 9 on completes a run of five for the second time.
    assert_eq!((&sound.repeated[..], charged(&sound)), (&[9, 1, 2, 3, 4][..], vec![9, 10, 11, 12, 13]));
    // A run that is not at the end goes free upstream.
    let ended = [&tokens[..], &[5, 6, 7, 8]].concat();
    assert!(repeated(&ended[1..], 5).is_empty());
    assert_eq!(watched(&ended[1..], 5, true), [9, 1, 2, 3, 4]);
    assert!(watched(&[1, 2, 3], 5, true).is_empty() && watched(&[], 5, true).is_empty());
    let hostile: Vec<u32> = (0..4096).chain(0..4096).collect();
    assert_eq!(watched(&hostile, 5, true).len(), MOST_WATCHED);
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
        only_where_repeated: bool,
    ) {
        if repeat {
            tokens.copy_within(4..8, 10);
        }
        let rule = Preference { only_where_repeated, ..rule() };
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
        prop_assert!(!repeat || only_where_repeated || !full.repeated.is_empty());
        prop_assert!((compact - full.reward).abs() < 1e-9, "{} {}", compact, full.reward);
        prop_assert!(full.reward <= 0.0 && full.per_token.len() == 14 - prompt);
    }
}
