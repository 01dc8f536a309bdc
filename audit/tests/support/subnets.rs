//! Small histories of the subnets besides Loosh: two epochs of rounds with answers of every sort, verdicts without a model,
//! and labels, one of them for a round of the epoch before.

use domain::events::*;
use domain::ruleset::RuleSet;
use domain::twitter::constants::WeightRule;
use domain::twitter::mechanism::Twitter;
use domain::types::*;
use serde_json::json;

use super::history::question;
use super::{Answer, World};

/// The subnets besides Loosh.
pub const NAMES: &[&str] = &["bettertherapy", "cgp", "conversion", "twitter"];

/// All of them. Loosh's rounds need many vectors, and have a history of their own.
pub const ALL: &[&str] = &["bettertherapy", "cgp", "conversion", "loosh", "twitter"];

/// What a subnet's rounds ask and how they are answered.
pub struct Sample {
    pub task: fn(u8) -> String,
    pub answers: fn(u8) -> Vec<Vec<u8>>,
    /// Source and text of a label.
    pub label: fn(&str) -> (String, String),
    /// Seconds until a label comes. The last one takes a day and more.
    pub patience: u64,
}

/// Seconds after which some labels do not count any more, and others do for the first time.
const LATE: u64 = 100_000;

/// How many rounds the first epoch has: where weights follow from runs of rounds, a whole one.
fn first_rounds(rules: &RuleSet) -> u8 {
    let run = Twitter::new(rules.clone()).ok().and_then(|twitter| match twitter.constants().weights {
        WeightRule::RunMean { rounds, .. } => u8::try_from(rounds).ok(),
        WeightRule::MovingAverage {} => None,
    });
    run.unwrap_or(3)
}

pub fn sample(name: &str) -> Sample {
    match name {
        "bettertherapy" => Sample {
            task: |round| {
                let question =
                    format!("I lie awake before exams and worry about failing number {round}. What can I do?");
                let answer =
                    "Worry before exams is common. Write your worries down, breathe slowly, and plan one small step.";
                let shipped = json!({"id": format!("q{round}"), "question": question, "answer": answer});
                json!({"request_id": "btai_01J0000000000000000000000A", "question": {"shipped": shipped}}).to_string()
            },
            answers: |round| {
                let texts = [
                    "Worry before exams is common. Writing worries down and breathing slowly helps; plan one small step.",
                    "Buy gold now.",
                    "",
                    "Breathe slowly before the exam and plan a small step for the evening, so that worry has less room.",
                ];
                texts
                    .iter()
                    .map(|text| {
                        json!({"output": format!("{text} {}", " ".repeat(round.into()))}).to_string().into_bytes()
                    })
                    .collect()
            },
            label: |_| ("batch".into(), r#"{"status":"completed"}"#.into()),
            patience: LATE,
        },
        "cgp" => Sample {
            task: |round| {
                let talk = [
                    "Did you finally plant the tomatoes in the vegetable garden?",
                    "Yes, the tomatoes and two rows of beans. The vegetable garden gets good morning sun.",
                    "My compost heap attracts snails, and snails eat the lettuce every spring.",
                    "Copper tape keeps snails away. My neighbour swears by copper tape on every pot.",
                    "Does she grow lettuce too, or only herbs like basil and parsley?",
                    "Basil, parsley, and strawberries in hanging baskets above the compost heap.",
                    "Strawberries in hanging baskets sound clever, out of reach for the snails.",
                    "Watering the hanging baskets is a chore, so she built drip irrigation from old bottles.",
                    "Drip irrigation from bottles? I threw away a whole crate of bottles last week.",
                    "Keep the next crate, and bring tomatoes when you visit the greenhouse on Sunday.",
                    "The greenhouse! I forgot that you repaired the greenhouse roof after the storm.",
                    "New glass panes, and the seedlings of peppers survived the storm under a blanket.",
                ];
                let lines: Vec<_> = talk.iter().enumerate().map(|(at, text)| json!([at % 2, text])).collect();
                format!(
                    r#"{{"guid":"30216549871324578123654{round}","window_index":0,"window":{{"start":0,"end":10}},"participants":["Ana","Ben"],"lines":{},"describe":{}}}"#,
                    serde_json::to_string(&lines).unwrap(),
                    round == 0
                )
            },
            answers: |round| {
                let tags: [&[&str]; 4] = [
                    &["tomatoes", "vegetable garden", "compost heap", "snails", "copper tape", "hanging baskets"],
                    &["football", "stock market", "rockets"],
                    &["snails"],
                    &["drip irrigation", "greenhouse", "tomatoes", "strawberries", "lettuce"],
                ];
                let body = |tags: &&[&str]| {
                    let output =
                        json!({"uid": 17, "tags": tags, "profiles": [], "convoChecksum": round, "vectors": {}});
                    json!({"cgp_output": [output]}).to_string().into_bytes()
                };
                tags.iter().map(body).collect()
            },
            label: |_| (String::new(), String::new()),
            patience: 0,
        },
        "conversion" => Sample {
            task: |round| {
                let mut stream = domain::draw::Stream::new(HexBytes([round; 32]), domain::conversion::generate::LABEL);
                let features = domain::conversion::generate::conversation(&mut stream).unwrap();
                domain::conversion::task::write(&features).unwrap()
            },
            answers: |round| {
                let prediction = |class: u8, seconds: f64, confidence: f64| {
                    let prediction = json!({"conversion_happened": class, "time_to_conversion_seconds": seconds});
                    json!({"prediction": prediction, "confidence": confidence}).to_string().into_bytes()
                };
                let seconds = 60.0 + f64::from(round);
                vec![
                    prediction(1, seconds, 0.9),
                    prediction(0, -1.0, 0.2),
                    prediction(7, 3.0, 0.5),
                    prediction(1, 75.0, 0.6),
                ]
            },
            label: |task| {
                let features = domain::conversion::task::read(task).unwrap();
                let rule = domain::conversion::constants::Constants::readme().label.rule;
                let truth = domain::conversion::truth::Truth::of(&features, &rule);
                (domain::conversion::truth::RULE_SOURCE.into(), truth.unwrap().to_label())
            },
            patience: 20_000,
        },
        "twitter" => Sample {
            task: |round| {
                json!({"prompt": format!("What do people say about electric bicycles in winter, part {round}?"), "query_seed": round}).to_string()
            },
            answers: |round| {
                let texts = [
                    "People say that electric bicycles lose range in winter, but heated grips help. #ebike",
                    "Free money, click here.",
                    "",
                    "Electric bicycles need winter tyres; riders report 30 % less range below zero.",
                ];
                texts
                    .iter()
                    .map(|text| {
                        json!({"messages": "q", "completion": format!("{text}{}", " ".repeat(round.into()))})
                            .to_string()
                            .into_bytes()
                    })
                    .collect()
            },
            label: |_| (String::new(), String::new()),
            patience: 0,
        },
        "loosh" => Sample {
            task: |round| json!({"round": round}).to_string(),
            answers: |round| {
                let texts = [
                    "Salt lowers the melting point of ice. That is why roads are salted in winter.",
                    "Ice melts where salt dissolves in its film of water. Cold nights need more salt.",
                    "Buy gold now, it never melts.",
                    "Salted water freezes at a lower temperature. Roads stay free of ice for longer.",
                ];
                texts
                    .iter()
                    .map(|text| json!({"response_text": format!("{text} {round}")}).to_string().into_bytes())
                    .collect()
            },
            label: |_| (String::new(), String::new()),
            patience: 0,
        },
        other => panic!("no sample of {other}"),
    }
}

/// Two epochs under a rule set.
pub fn complete(rules: RuleSet) -> World {
    played(World::new(6, rules, 384))
}

/// The same in a world that was made before.
pub fn played(mut world: World) -> World {
    let sample = sample(world.rules.algorithm());
    world.open();
    world.sweep(&[6]);
    let mut waiting = Vec::new();
    let first = first_rounds(&world.rules);
    for number in 0..first {
        waiting.extend(round(&mut world, &sample, number));
    }
    // One label comes at once, the others in the next epoch.
    if let Some((evaluated, task)) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        let (source, label) = label_of(&world, &sample, &task);
        world.wait(sample.patience);
        world.reveal(evaluated, (&source, &label), |_| {});
    }
    end_epoch(&mut world);
    world.start();
    world.sweep(&[]);
    // Another round is scored between a label and its scores.
    let mut next = first;
    let labels = waiting.len();
    for (number, (evaluated, task)) in (1..).zip(waiting) {
        let (source, label) = label_of(&world, &sample, &task);
        world.wait(if number == labels { LATE } else { sample.patience });
        world.reveal(evaluated, (&source, &label), |world| {
            round(world, &sample, next);
            next += 1;
        });
    }
    round(&mut world, &sample, next);
    end_epoch(&mut world);
    world
}

/// What a round of a subnet asks.
pub fn challenge(task: String) -> Challenge {
    Challenge {
        prompt: Some("A task.".into()),
        model: Some("any".into()),
        tools: Some("[]".into()),
        tool_choice: Some("\"none\"".into()),
        task: Some(task),
        ..question("")
    }
}

fn label_of(world: &World, sample: &Sample, task: &str) -> (String, String) {
    let (source, label) = (sample.label)(task);
    (world.label_source.clone().unwrap_or(source), label)
}

/// Runs a round; where its scores wait for a label, its evaluation and its task.
fn round(world: &mut World, sample: &Sample, round: u8) -> Option<(Position, String)> {
    let (id, task) = (format!("t{round}"), (sample.task)(round));
    world.accept(&id, challenge(task.clone()));
    let mut attempt = world.issue(&id, 1);
    let mut answers: Vec<Answer> = (sample.answers)(round).into_iter().map(Answer::Body).collect();
    answers.resize(attempt.selected.drawn.len().max(answers.len()), Answer::Fails(FailureReason::Unreachable));
    world.answers(&mut attempt, &answers);
    world.evidence(&mut attempt);
    let evaluated = world.evaluate(&attempt);
    world.mechanism.awaits_labels().then_some((evaluated, task))
}

pub fn end_epoch(world: &mut World) {
    // Labels took their time; who is paid was seen since.
    world.sweep(&[]);
    world.wait(24);
    world.observe(true);
    let derived = world.derive();
    let size = world.checkpoint();
    let outcome = world.included();
    world.anchor(size, outcome);
    match derived.skip {
        Some(skip) => world.close(EpochOutcome::Skipped, skip.name()),
        None => {
            let extrinsic = world.submit(&derived);
            world.include(&derived, extrinsic);
            world.close(EpochOutcome::Included, "");
        }
    }
}
