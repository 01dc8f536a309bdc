//! Whole rounds: what each stage drops, edges, and golden bits of one full round of both generations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;

fn constants(generation: u8) -> Constants {
    match generation {
        1 => Constants::readme(),
        2 => Constants::v1_2_8(),
        _ => Constants::assay_1(),
    }
}

fn run(embeddings: &[Embedding], texts: &[&str], times: &[u64], votes: Option<&[f64]>, generation: u8) -> Round {
    let prompt = Prompt {
        text: "Explain how tides work and explain why they differ",
        embedding: &[1.0, 0.0, 0.0],
        components: &[],
    };
    let entries: Vec<Entry<'_>> = embeddings
        .iter()
        .zip(texts)
        .zip(times)
        .map(|((embedding, text), time)| Entry {
            answer: Answer { text, embedding, sentences: None },
            response_time_ms: *time,
            confidence: 1.0,
        })
        .collect();
    evaluate(&prompt, &entries, votes, &constants(generation))
}

const TEXT: &str = "Tides rise because the Moon pulls the oceans; 2 bulges follow. However, coasts differ greatly.";

fn seven() -> Vec<Embedding> {
    [
        [0.95, 0.25, 0.10],
        [0.94, 0.28, 0.12],
        [0.96, 0.20, 0.15],
        [0.93, 0.30, 0.05],
        [0.10, 0.95, 0.20],
        [0.92, 0.33, 0.18],
        [0.90, 0.10, 0.40],
    ]
    .iter()
    .map(|row| row.to_vec())
    .collect()
}

#[test]
fn golden_bits() {
    for generation in [1, 2] {
        let texts = [TEXT, TEXT, "Short one here now.", TEXT, TEXT, TEXT, TEXT];
        let times = [1200, 900, 300, 2600, 150, 4000, 777];
        let votes = [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0];
        let round = run(&seven(), &texts, &times, (generation == 2).then_some(&votes[..]), generation);
        let mut bits: Vec<u64> = vec![round.theta.to_bits(), round.agreement.mu.to_bits(), round.best.factor.to_bits()];
        bits.extend(round.emissions.unwrap().iter().map(|e| e.emission.to_bits()));
        bits.extend(round.individual.unwrap().scores.iter().map(|s| s.to_bits()));
        let text: Vec<String> = bits.iter().map(|b| format!("{b:016x}")).collect();
        assert_eq!(text.join(" "), GOLDEN[generation as usize - 1], "generation {generation}");
    }
}

const GOLDEN: [&str; 2] = [
    "3feff46e4fa785cd 3fefdd1de5439e89 3ff000201d75c1a3 3ff0daefaf015fd4 3ff16f674dd65d31 3feefd3699fe36f2 3fec4d743181d2de 3fef78d274d2de60 3fe6e5090500e613 3fed742324abe516 3feff1c29219c099 3feff6c72c801d17 3fe1a44e1c0ebb67 3fefec1801528a95 3fe0b37b0474c676 3fefe59a0a9ad4cf 3fe5cb6ea237472a",
    "3fefe8087e375c98 3fefcc1a85954e2c 3ff0008277dd540b 3ff0d465968c0cc5 3ff16880aa3e2444 3ff290b6d1a25342 3fec435f8fbcb130 3fef6c9c98784904 3fe6dc2712c662f4 3fed68b5be87aa5f 3fdbb1e78cf3a4e0 3fdbaa2f07ebff59 3fe9d46a95495dd9 3feba100e3f788f7 3fe08c2bc37a8e05 3feb8c9e295b57fb 3fe5d761f0cd0355",
];

#[test]
fn every_drop_has_its_stage() {
    let texts = [TEXT, TEXT, "Short one here now.", TEXT, TEXT, TEXT, TEXT];
    let first = run(&seven(), &texts, &[100; 7], None, 1);
    assert_eq!(first.dropped_by[4], Some(Stage::Outlier));
    assert_eq!(first.dropped_by[2], Some(Stage::Length));
    let order: Vec<Stage> = first.kept_after.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(order, [Stage::Outlier, Stage::Cluster, Stage::Length]);
    let second = run(&seven(), &texts, &[100; 7], None, 2);
    assert_eq!(second.dropped_by[4], Some(Stage::Quality));
    assert_eq!(second.quality.as_ref().unwrap().scores[4], 0.0);
    for round in [first, second] {
        let (_, last) = round.kept_after.last().unwrap();
        assert_eq!(last, &round.in_consensus);
        for at in 0..7 {
            assert_eq!(round.dropped_by[at].is_none(), round.in_consensus[at]);
        }
    }
}

#[test]
fn edges() {
    for generation in [1, 2] {
        let empty = run(&[], &[], &[], None, generation);
        assert_eq!((empty.theta, empty.weighted_score, empty.individual.is_none()), (0.0, None, true));
        let one = run(&seven()[..1], &[TEXT], &[5], None, generation);
        assert_eq!((one.theta, one.emissions.unwrap()[0].emission), (0.0, 0.0));
        let same = run(&vec![vec![0.6, 0.8, 0.0]; 5], &[TEXT; 5], &[10; 5], None, generation);
        assert!((same.theta - 1.0).abs() < 1e-12);
        assert_eq!(same.in_consensus, [true; 5]);
        let still = run(&seven(), &[TEXT; 7], &[0; 7], None, generation);
        assert_eq!(still.emissions, Err(NoTime { responses: 7 }));
        let zero = run(&vec![vec![0.0; 3]; 3], &[""; 3], &[1; 3], None, generation);
        assert!(zero.theta.is_finite());
    }
    let two = constants(2);
    assert_eq!(single_answer(&[1.0, 0.0], &[0.1, 0.9], &two), Some((0.0, 0.0)));
    assert_eq!(single_answer(&[1.0, 0.0], &[0.9, 0.1], &two), Some((1.0, 1.0)));
    assert_eq!(single_answer(&[1.0, 0.0], &[0.9, 0.1], &constants(1)), None);
    assert!(is_test_answer(" \n[TEST MODE] canned", &two) && !is_test_answer("[test mode]", &two));
    assert!(!is_test_answer("[TEST MODE]", &constants(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_order_of_answers_does_not_matter(
        rows in proptest::collection::vec(proptest::collection::vec(0.01f64..1.0, 3), 3..8),
        generation in 1u8..=3,
    ) {
        let times: Vec<u64> = (0..rows.len() as u64).map(|i| 100 + 37 * i).collect();
        let texts = vec![TEXT; rows.len()];
        let forward = run(&rows, &texts, &times, None, generation);
        let back_rows: Vec<Embedding> = rows.iter().rev().cloned().collect();
        let back_times: Vec<u64> = times.iter().rev().copied().collect();
        let back = run(&back_rows, &texts, &back_times, None, generation);
        let reversed: Vec<bool> = back.in_consensus.iter().rev().copied().collect();
        // Clusters of equal weight go to the later one, by upstream's labels; everything else is symmetric.
        prop_assume!(reversed == forward.in_consensus);
        prop_assert!((forward.theta - back.theta).abs() < 1e-9);
        for (a, b) in forward.emissions.unwrap().iter().zip(back.emissions.unwrap().iter().rev()) {
            prop_assert!((a.emission - b.emission).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_is_ever_infinite(
        rows in proptest::collection::vec(proptest::collection::vec(-1f64..1.0, 3), 0..8),
        generation in 1u8..=3,
    ) {
        let texts = vec![TEXT; rows.len()];
        let times = vec![7; rows.len()];
        let votes = vec![0.5; rows.len()];
        let round = run(&rows, &texts, &times, Some(&votes), generation);
        prop_assert!(round.theta.is_finite() && round.best.factor.is_finite());
        let earned = round.emissions.unwrap();
        prop_assert!(earned.iter().all(|e| e.emission.is_finite()));
        // Under our own rules: at most the factors of a member and of the best one, and never below nothing.
        prop_assert!(generation < 3 || earned.iter().all(|e| (0.0..=1.8).contains(&e.emission)));
    }
}
