//! Whole runs of rounds, labels and weights: what constant, random and copied answers are paid, beside honest ones.

use super::*;

/// What a miner says of a conversation in a round of this number.
type Says = fn(&Truth, usize) -> String;

fn with(truth: &Truth, error: f64, sure: f64) -> String {
    match truth.happened {
        true => yes(truth.seconds + error, &sure.to_string()),
        false => no(&(1.0 - sure).to_string()),
    }
}

/// In this order: two who know (the second also errs in each seventh round), a copy of the first, and five who do not look.
const MINERS: [(&str, Says); 8] = [
    ("honest", |truth, _| with(truth, 3.0, 0.9)),
    ("fallible", |truth, round| match round % 7 {
        0 => with(&Truth { happened: !truth.happened, seconds: 70.0 }, 0.0, 0.7),
        _ => with(truth, -4.0, 0.8),
    }),
    ("copycat", |truth, _| with(truth, 3.0, 0.9)),
    ("no", |_, _| no("0.1")),
    ("spam", |_, _| yes(60.0, "1")),
    ("jitter", |_, round| yes(60.0 + (round % 31) as f64, &(0.5 + (round % 43) as f64 / 100.0).to_string())),
    ("coin", |_, round| if sha256(&[u8::try_from(round).unwrap()]).0[0] < 128 { yes(75.0, "0.6") } else { no("0.4") }),
    ("silent", |_, _| "{}".to_owned()),
];

/// The rounds' scores as they come to count.
fn run(rules: &Conversion, rounds: usize) -> BTreeMap<Hotkey, MinerState> {
    let mut stream = Stream::new(sha256(b"weaknesses"), LABEL);
    let rule = Constants::readme().label.rule;
    let mut miners: BTreeMap<Hotkey, MinerState> = (1..=8u8)
        .map(|n| (hotkey(n), MinerState { last_seen: Some(Micros(9 * HOUR)), ..MinerState::default() }))
        .collect();
    let mut statistics = Vec::new();
    for round in 0..rounds {
        let features = conversation(&mut stream).unwrap();
        let truth = Truth::of(&features, &rule).unwrap();
        let bodies: Vec<String> = MINERS.iter().map(|(_, says)| says(&truth, round)).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let facts = RoundFacts { task: Some(task::write(&features).unwrap()), statistics, ..facts(true, &bodies, &[]) };
        let mut done = rules.evaluate(&facts).unwrap();
        if rules.awaits_labels() {
            rules.absorb(&mut miners, &done.scores, Micros(8 * HOUR));
            done = rules.evaluate_label(&labelled(&done, RULE_SOURCE, &truth.to_label(), 5_000_000)).unwrap();
        }
        rules.absorb(&mut miners, &done.scores, Micros(8 * HOUR + round as u64));
        statistics = done.round.statistics;
    }
    miners
}

/// Each miner's weight and reason by its name.
fn paid(version: &str, rounds: usize) -> BTreeMap<&'static str, (u16, Option<ZeroReason>)> {
    let rules = conversion(version);
    let found = derive(&rules, &metagraph((0..=8).map(neuron).collect()), &run(&rules, rounds));
    let weight =
        |n: u8| found.weights.iter().find(|weight| weight.hotkey == hotkey(n)).map_or(0, |weight| weight.weight);
    let reason = |n: u8| found.zeros.iter().find(|zero| zero.hotkey == hotkey(n)).map(|zero| zero.reason);
    (1..).zip(MINERS).map(|(n, (name, _))| (name, (weight(n), reason(n)))).collect()
}

#[test]
fn what_does_not_look_at_the_conversation_is_paid_upstream_only() {
    let ours = paid("assay-1", 120);
    for constant in ["no", "spam", "jitter"] {
        assert_eq!(ours[constant], (0, Some(ZeroReason::NotAboveConstant)), "{constant}: {ours:?}");
    }
    assert_eq!(ours["silent"], (0, Some(ZeroReason::NoScore)));
    // A coin may have luck; it is worth little.
    let fallible = ours["fallible"].0;
    assert!(fallible > u16::MAX / 2 && ours["coin"].0 < fallible / 20, "{ours:?}");
    for version in ["readme", "0.1.0"] {
        let theirs = paid(version, 120);
        let least = if version == "readme" { u16::MAX / 5 } else { u16::MAX };
        assert!(["no", "spam", "jitter", "coin"].iter().all(|name| theirs[name].0 >= least), "{version}: {theirs:?}");
    }
}

#[test]
fn a_copy_takes_from_its_original_and_from_nobody_else_by_our_rules() {
    let ours = paid("assay-1", 120);
    assert_eq!(ours["copycat"], ours["honest"]);
    let both = u32::from(ours["copycat"].0) + u32::from(ours["honest"].0);
    // The two are paid like one who never errs; the other errs in each seventh round.
    let other = u32::from(ours["fallible"].0);
    assert!(both > 2 * other && both < 3 * other, "{ours:?}");
    let readme = paid("readme", 120);
    assert_eq!((readme["copycat"].0, readme["honest"].0), (u16::MAX, u16::MAX), "each is paid in full");
}

#[test]
fn nobody_is_paid_before_there_are_labels_of_both_classes() {
    let rules = conversion("assay-1");
    let metagraph = metagraph((0..=8).map(neuron).collect());
    let mut stream = Stream::new(sha256(b"weaknesses"), LABEL);
    let rule = Constants::readme().label.rule;
    let truths: Vec<bool> =
        (0..30).map(|_| Truth::of(&conversation(&mut stream).unwrap(), &rule).unwrap().happened).collect();
    // One right answer of a class may be luck.
    let enough = |rounds: &usize| {
        let positives = truths[..*rounds].iter().filter(|truth| **truth).count();
        positives.min(*rounds - positives) >= 2
    };
    let paid_from = (1..30).find(|rounds| derive(&rules, &metagraph, &run(&rules, *rounds)).skip.is_none());
    assert_eq!(paid_from, (1..30).find(enough), "{truths:?}");
    let first = derive(&rules, &metagraph, &run(&rules, 1));
    assert!(first.zeros.iter().any(|zero| zero.reason == ZeroReason::NotAboveConstant));
}

#[test]
fn remembered_answers_are_bounded_and_forgotten() {
    let rules = conversion("assay-1");
    let rule = rules.constants().above_constant.clone().unwrap();
    let mut miners = run(&rules, 130);
    assert_eq!(miners[&hotkey(1)].window.len(), 100);
    assert!(miners[&hotkey(8)].window.is_empty(), "silence is no answer");
    let metagraph = metagraph((0..=8).map(neuron).collect());
    // What is older than the window is worth nothing, even before it is dropped.
    let at = |now| rules.derive(&EpochFacts { now, ..facts_of(&metagraph, &miners) });
    let week = rule.window_seconds * 1_000_000;
    assert_eq!(at(Micros(8 * HOUR + week)).window_start, Micros(8 * HOUR));
    for miner in miners.values_mut() {
        miner.last_seen = Some(Micros(9 * HOUR + week));
    }
    let late = rules.derive(&EpochFacts { now: Micros(9 * HOUR + week), ..facts_of(&metagraph, &miners) });
    assert_eq!((late.skip, late.window_start), (Some(SkipReason::NoScores), Micros(9 * HOUR)));
    // Rule sets that pay averages remember nothing.
    assert!(run(&conversion("readme"), 3).values().all(|miner| miner.window.is_empty()));
}

fn facts_of<'a>(metagraph: &'a Metagraph, miners: &'a BTreeMap<Hotkey, MinerState>) -> EpochFacts<'a> {
    EpochFacts { now: Micros(10 * HOUR), own: hotkey(0), metagraph, miners, external: None, statistics: &[] }
}
