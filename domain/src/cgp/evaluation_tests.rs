use super::*;
use crate::cgp::constants::Constants;
use proptest::prelude::*;

fn running() -> Evaluator {
    Constants::v2_30_65().evaluator.unwrap()
}

fn ours() -> Evaluator {
    Constants::assay_1().evaluator.unwrap()
}

fn seed() -> Digest {
    sha256(b"round")
}

fn texts(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

/// A vector for every tag: near the axis of the truth for tags that begin with "o", away from it for "x", none for "z".
fn vector(tag: &str) -> Vec<f64> {
    let turn = tag.bytes().fold(0u32, |sum, byte| (sum * 31 + u32::from(byte)) % 97);
    let spread = f64::from(turn) / 400.0;
    match tag.as_bytes().first() {
        Some(b'x') => vec![0.01, 1.0, spread],
        Some(b'z') => vec![0.0, 0.0, 0.0],
        Some(b'n') => vec![f64::NAN, 0.0, 0.0],
        Some(b'm') => vec![-1.0, 0.1, spread],
        _ => vec![1.0, spread, 0.1],
    }
}

fn run(tags: &[&[&str]], rule: &Evaluator) -> Vec<Outcome> {
    let truth_tags = texts(&["okra", "olive", "onion", "orange"]);
    let truth_vectors: Vec<Vec<f64>> = truth_tags.iter().map(|tag| vector(tag)).collect();
    let truth = Truth { tags: &truth_tags, neighbourhood: Neighbourhood::of(&truth_vectors).unwrap() };
    let lists: Vec<Vec<String>> = tags.iter().map(|tags| texts(tags)).collect();
    let vectors: Vec<BTreeMap<String, Vec<f64>>> =
        lists.iter().map(|list| list.iter().map(|tag| (tag.clone(), vector(tag))).collect()).collect();
    let answers: Vec<Option<Answer<'_>>> = lists
        .iter()
        .zip(&vectors)
        .map(|(list, vectors)| {
            let vectors = vectors.iter().map(|(tag, vector)| (tag.as_str(), vector.as_slice())).collect();
            Some(Answer { tags: Some(list), vectors: Some(vectors) })
        })
        .collect();
    evaluate(&truth, &answers, rule, &seed())
}

const GOOD: &[&str] = &["okra", "olive", "oats", "oregano", "oyster"];

#[test]
fn what_cannot_be_scored_costs_nobody_else() {
    let truth = Truth { tags: &[], neighbourhood: None };
    let list = texts(GOOD);
    let none = Answer { tags: Some(&list), vectors: None };
    let null = Answer { tags: None, vectors: None };
    let found = evaluate(&truth, &[None, Some(null), Some(none)], &running(), &seed());
    assert_eq!(found, [Err(NotScored::NoOutput), Err(NotScored::TooFewTags), Err(NotScored::NoVectors)]);
    let mixed = run(&[GOOD, &["okra"], &["nan", "nun", "okra"]], &running());
    assert_eq!(mixed[0], run(&[GOOD], &running())[0]);
    assert_eq!(mixed[1], Err(NotScored::TooFewTags));
}

#[test]
fn repeated_tags_pass_the_minimum_upstream_only() {
    let answer: &[&str] = &["okra", "okra", "olive"];
    assert!(score(&run(&[answer], &running())[0]) > 0.0);
    assert_eq!(run(&[answer], &ours())[0], Err(NotScored::TooFewTags));
}

#[test]
fn a_vector_without_direction_spoils_an_answer_upstream_only() {
    let spoilt: &[&str] = &["okra", "olive", "oats", "oregano", "oyster", "zero"];
    let statistics = |rule: &Evaluator| run(&[spoilt], rule)[0].as_ref().unwrap().statistics;
    assert_eq!(statistics(&running()).maximum, 0.0);
    let names: Vec<Penalty> =
        run(&[spoilt], &running())[0].as_ref().unwrap().penalties.iter().map(|(penalty, _)| *penalty).collect();
    assert!(names.contains(&Penalty::Junk));
    assert!(statistics(&ours()).maximum > 0.9);
    let with_nan: &[&str] = &["okra", "olive", "oats", "oregano", "nan"];
    assert!(score(&run(&[with_nan], &ours())[0]) > 0.5);
    assert_eq!(score(&run(&[&["nan", "nun", "nil"]], &ours())[0]), 0.0);
}

#[test]
fn off_topic_answers_earn_upstream_only() {
    let spam: &[&str] = &["xylophone", "xenon", "xerox", "xray"];
    assert!(score(&run(&[spam], &running())[0]) > 0.0);
    assert_eq!(score(&run(&[spam], &ours())[0]), 0.0);
    let opposite: &[&str] = &["mud", "mop", "mat"];
    let negative = run(&[opposite], &running())[0].as_ref().unwrap().clone();
    assert!(negative.score < 0.0 && negative.score > negative.adjusted, "penalties improve negative scores");
    assert_eq!(score(&run(&[opposite], &ours())[0]), 0.0);
}

#[test]
fn the_same_answers_share_one_score() {
    let reordered: Vec<&str> = GOOD.iter().rev().copied().chain(["okra"]).collect();
    let alone = score(&run(&[GOOD], &ours())[0]);
    let found = run(&[GOOD, &reordered, &["okra", "oats", "oak", "oil", "oxtail"]], &ours());
    assert_eq!((score(&found[0]), score(&found[1])), (alone / 2.0, alone / 2.0));
    assert_eq!(found[2].as_ref().map(|scored| scored.sharers), Ok(1));
    let upstream = run(&[GOOD, &reordered], &running());
    assert_eq!(score(&upstream[0]), score(&upstream[1]));
    assert_eq!(score(&upstream[0]), score(&run(&[GOOD], &running())[0]));
}

#[test]
fn nearly_the_same_answers_share_too() {
    let tags: Vec<String> = (0..20).map(|at| format!("o{at:02}")).collect();
    // With the first `changed` tags replaced.
    let copy = |changed: usize| -> Vec<String> {
        tags.iter().enumerate().map(|(at, tag)| if at < changed { format!("{tag}x") } else { tag.clone() }).collect()
    };
    let sharers = |changed: usize, rule: &Evaluator| {
        let copy = copy(changed);
        let [own, copy] = [&tags, &copy].map(|tags| tags.iter().map(String::as_str).collect::<Vec<_>>());
        let alone = score(&run(&[&own], rule)[0]);
        let found = run(&[&own, &copy, &["mud", "mop", "mat"]], rule);
        let sharers = found[0].as_ref().unwrap().sharers;
        assert_eq!(score(&found[0]), alone / sharers as f64);
        sharers
    };
    for (changed, expected) in [(0, 2), (1, 2), (5, 2), (6, 1)] {
        assert_eq!(sharers(changed, &ours()), expected, "{changed}");
        assert_eq!(sharers(changed, &running()), 1);
    }
    // Who earns nothing shares nothing: a list that is mostly another one's but has too few tags.
    let found = run(&[&["okra", "olive", "oats"], &["okra", "olive"]], &ours());
    assert_eq!(found[0].as_ref().unwrap().sharers, 1);
    let spam = run(&[&["xylophone", "xenon", "xray"], &["xylophone", "xenon", "xray"]], &ours());
    assert!(spam.iter().all(|outcome| outcome.as_ref().unwrap().sharers == 1 && score(outcome) == 0.0));
}

#[test]
fn twenty_are_twenty_one_upstream() {
    let tags: Vec<String> = (0..25).map(|at| format!("o{at:02}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let scored = |rule: &Evaluator| run(&[&tags], rule)[0].as_ref().unwrap().similarities.len();
    assert_eq!((scored(&running()), scored(&ours())), (21, 20));
    let unique = run(&[&tags], &ours())[0].as_ref().unwrap().unique;
    assert_eq!(unique, 25, "penalties look at all tags");
}

#[test]
fn the_document_pays_the_average() {
    let truth = texts(&["a", "b", "c", "d", "e"]);
    let answers = [texts(&["a", "b", "c", "d"]), texts(&["a", "b", "c"]), texts(&["a", "b"]), texts(&[])];
    let answers: Vec<&[String]> = answers.iter().map(Vec::as_slice).collect();
    let rule = Constants::readme().overlap.unwrap();
    let found = bell_rewards(&truth, &answers, &rule);
    assert_eq!(found[3].base, 0.0);
    assert!(found[0].base > found[1].base && found[1].reward > found[0].reward);
    assert!((found.iter().map(|reward| reward.reward).sum::<f64>() - 1.0).abs() < 1e-12);
    let same = bell_rewards(&truth, &[answers[0], answers[0]], &rule);
    assert!(same.iter().all(|reward| reward.reward == 0.0));
}

proptest! {
    #[test]
    fn permuting_miners_permutes_scores(
        lists in prop::collection::vec(prop::collection::vec("[omxzn][a-d]{1,2}", 0..30), 1..8), by in 0usize..8, strict: bool,
    ) {
        let rule = if strict { ours() } else { running() };
        let mut lists: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        let go = |lists: &[Vec<&str>]| {
            let slices: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
            // Debug text: NaN similarities are equal too.
            run(&slices, &rule).iter().map(|outcome| format!("{outcome:?}")).collect::<Vec<_>>()
        };
        let before = go(&lists);
        let by = by % lists.len();
        lists.rotate_left(by);
        let mut after = go(&lists);
        after.rotate_right(by);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn scores_are_finite_and_bounded(lists in prop::collection::vec(prop::collection::vec("[omxzn][a-d]{1,2}", 0..30), 1..8)) {
        let slices: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        let slices: Vec<&[&str]> = slices.iter().map(Vec::as_slice).collect();
        for outcome in run(&slices, &running()) {
            prop_assert!((-1.0..=1.0).contains(&score(&outcome)));
        }
        for outcome in run(&slices, &ours()) {
            prop_assert!((0.0..=1.0).contains(&score(&outcome)));
        }
    }
}
