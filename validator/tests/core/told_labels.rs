//! Labels that others tell: through the route, epochs late, and in a file; and the rule, which is silent then.

use std::time::Duration;

use domain::events::{Event, LabelRevealed, WeightsDerived};
use domain::round;
use domain::types::Position;
use reqwest::StatusCode;
use serde_json::{Value, json};
use validator::ValidatorConfig;
use validator::sources::{self, Labels, LabelsFrom};

use crate::labels::{task, truth, waiting, world};
use crate::routes::Routes;
use crate::world::{World, close_epoch, ended, positions, until};

fn label(number: u64, source: &str, label: Value) -> Value {
    json!({"challenge_id": task(number).id, "attempt": 1, "source": source, "label": label})
}

async fn tell(routes: &Routes, label: Value) -> (StatusCode, Value) {
    routes.ask("/labels", "/labels", Some(label)).await
}

fn derived(log: &[(Position, Event)], epoch: u64) -> (Position, &WeightsDerived) {
    let found = log.iter().find_map(|(position, event)| match event {
        Event::WeightsDerived(derived) if derived.epoch == epoch => Some((*position, derived)),
        _ => None,
    });
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_comes_two_epochs_late_counts_where_it_stands() {
    let world = world().await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    for number in [0, 1] {
        waiting(&running.handle, number).await;
    }
    for epoch in [0, 1] {
        close_epoch(&running.handle, epoch).await;
    }
    let awaited = routes.get("/labels").await;
    assert_eq!((&awaited["total"], &awaited["waiting"][1]["challenge_id"]), (&json!(2), &json!("conversion-1")));
    // A service that knows no time, and whose truth is not the rule's.
    let (_, text) = truth(0);
    let other = json!({"conversion_happened": u8::from(!text.contains("\"conversion_happened\":1"))});
    until("epoch 2 opens", || async { running.handle.stats().epoch == Some(2) }).await;
    let (status, told) = tell(&routes, label(0, "the shop's books", other.clone())).await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    assert_eq!(routes.get("/labels").await["total"], 1);
    close_epoch(&running.handle, 2).await;
    routes.stop().await;
    running.stop().await;

    let log = world.log().await;
    let position = told["position"].as_u64().unwrap();
    assert_eq!(positions(&log, "LabelRevealed"), [position]);
    let at = |position: u64| &log[usize::try_from(position).unwrap()].1;
    let Event::LabelRevealed(LabelRevealed { source, label, .. }) = at(position) else { panic!() };
    assert_eq!((source.as_str(), label), ("the shop's books", &other.to_string()));
    let evaluated = told["evaluated"].as_u64().unwrap();
    let Event::RoundEvaluated(round) = at(evaluated) else { panic!() };
    assert_eq!(round.label, Some(Position(position)));
    let paid = |epoch| derived(&log, epoch).1.weights.iter().any(|weight| weight.weight > 0);
    assert_eq!([paid(0), paid(1), paid(2)], [false, false, true], "nobody earns before the label is there");
    let (second, third) = (derived(&log, 1).0.0, derived(&log, 2).0.0);
    assert!((second..third).contains(&position) && (second..third).contains(&evaluated));
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_names_no_waiting_round_is_refused_by_its_field() {
    let world = world().await;
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    waiting(&running.handle, 0).await;
    let (rule, text) = truth(0);
    let not_the_rules = if text.contains("\"conversion_happened\":1") { 0 } else { 1 };
    let not_the_rules = json!({"conversion_happened": not_the_rules, "time_to_conversion_seconds": -1.0});
    let good = |number, attempt: u32| json!({"challenge_id": task(number).id, "attempt": attempt, "source": rule, "label": text});
    for (body, status, code, field) in [
        (good(7, 1), 404, "unknown_round", "challenge_id"),
        (good(0, 2), 404, "unknown_round", "attempt"),
        (good(0, 9), 404, "unknown_round", "attempt"),
        (label(0, "crm", json!({"conversion_happened": 2})), 422, "invalid_field", "label"),
        (label(0, "crm", json!("maybe")), 422, "invalid_field", "label"),
        (label(0, &rule, not_the_rules), 422, "invalid_field", "label"),
        (label(0, "", json!({})), 422, "invalid_field", "source"),
    ] {
        let (found, refused) = tell(&routes, body.clone()).await;
        let error = (found.as_u16(), &refused["error"]["code"], &refused["error"]["field"]);
        assert_eq!(error, (status, &json!(code), &json!(field)), "{body}: {refused}");
    }
    assert_eq!(positions(&world.log().await, "LabelRevealed"), Vec::<u64>::new());
    // Of two at once, one counts.
    let (first, second) = tokio::join!(tell(&routes, good(0, 1)), tell(&routes, good(0, 1)));
    let mut statuses = [first.0.as_u16(), second.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{first:?} {second:?}");
    let (status, again) = tell(&routes, good(0, 1)).await;
    assert_eq!((status.as_u16(), &again["error"]["code"]), (409, &json!("label_not_awaited")), "{again}");
    close_epoch(&running.handle, 0).await;
    routes.stop().await;
    running.stop().await;
    assert_eq!(positions(&world.log().await, "LabelRevealed").len(), 1);
    world.assert_sound().await;

    // Rules that score at once wait for no label.
    let mut world = self::world().await;
    world.rule_set = domain::mechanism::shipped_by_name("conversion/0.1.0").unwrap();
    let running = world.start(world.config()).await;
    let routes = Routes::serve(running.handle.clone()).await;
    running.handle.accept(task(0)).await.unwrap();
    ended(&running.handle, &task(0).id).await;
    let (status, refused) = tell(&routes, label(0, "crm", json!({"conversion_happened": 0}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("scored at once"), "{refused}");
    routes.stop().await;
    running.stop().await;
}

/// Runs with the validator's own conversations until one of them waits, a little longer, and gives how many labels were told.
async fn labels_after_a_while(world: &World, labels: Labels) -> usize {
    let config = ValidatorConfig { labels, task_interval: Some(Duration::from_secs(60)), ..world.config() };
    let running = world.start(config).await;
    let tasks = sources::start(&running.handle, &world.rule_set, &world.judge).unwrap();
    until("a conversation is evaluated", || async { running.handle.stats().evaluated_challenges > 0 }).await;
    // The rule is asked each second.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    running.stop().await;
    for task in tasks {
        task.await.unwrap();
    }
    positions(&world.log().await, "LabelRevealed").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_is_silent_where_others_tell() {
    let at_once = |from| Labels { from, after: Some(Duration::ZERO) };
    let world = world().await;
    assert_eq!(labels_after_a_while(&world, at_once(LabelsFrom::Pushed)).await, 0);
    // The same round, whose label a file knows.
    let file = world.directory.path().join("labels.jsonl");
    let first = round::stream_id(&task(0).id, 1);
    assert_eq!(first, "conversion-0/1");
    std::fs::write(
        &file,
        r#"{"challenge_id":"conversion-0","source":"the shop","label":{"conversion_happened":true}}"#,
    )
    .unwrap();
    assert_eq!(labels_after_a_while(&world, at_once(LabelsFrom::File(file.clone()))).await, 1);
    let late = Labels { from: LabelsFrom::Rule, after: Some(Duration::from_secs(3600)) };
    let log = world.log().await;
    let Some((_, Event::LabelRevealed(told))) = log.iter().find(|(_, event)| event.kind() == "LabelRevealed") else {
        panic!("{log:?}")
    };
    assert_eq!((told.source.as_str(), told.label.as_str()), ("the shop", r#"{"conversion_happened":true}"#));
    let started: Vec<&str> = log
        .iter()
        .filter_map(
            |(_, event)| {
                if let Event::ValidatorStarted(started) = event { Some(&*started.configuration) } else { None }
            },
        )
        .collect();
    assert!(started[0].contains(r#""labels":"pushed""#) && started[1].contains(r#""labels":"file""#), "{started:?}");
    assert!(!started[1].contains("labels.jsonl"), "no paths of this machine");

    let world = self::world().await;
    assert_eq!(labels_after_a_while(&world, late).await, 0, "not before its time");
    assert_eq!(labels_after_a_while(&world, at_once(LabelsFrom::Rule)).await, 1);
    let running = world.start(world.config()).await;
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;
}
