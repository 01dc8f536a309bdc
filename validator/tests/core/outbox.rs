//! Loosh's challenge service: results and pictures go back over real HTTP, and what it says of validators and miners is used.

mod service;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::events::{Challenge, DeliveryAttempted, DeliveryItem, DeliveryOutcome, DeliveryRoute, Event, Exclusion};
use domain::types::{Position, sha256};
use futures::TryStreamExt;
use projections::{AsOf, Projector, ReadModels, Selector, queries};
use serde_json::Value;
use sqlx::Connection;
use tokio::task::JoinHandle;
use validator::outbox::{self, Outbox};
use validator::service::Handle;

use crate::world::{
    ANSWERS, PATIENCE, QUESTION, Running, World, challenge, close_epoch, ended, honest, positions, quick_rules, scores,
    until,
};
use service::{Got, StandIn};

async fn start(world: &World, service: &StandIn) -> (Running, Vec<JoinHandle<()>>) {
    let running = world.start(world.config()).await;
    let mut outbox = Outbox::new(service.client(&world.validator_key));
    outbox.look = Duration::from_millis(100);
    outbox.fetch = Duration::from_millis(300);
    let tasks = outbox::start(&running.handle, &world.rule_set, &outbox).unwrap();
    (running, tasks)
}

async fn stop((running, tasks): (Running, Vec<JoinHandle<()>>)) {
    running.stop().await;
    for task in tasks {
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    }
}

/// A challenge as the service sends it.
fn asked(id: &str) -> Challenge {
    Challenge { correlation_id: Some(format!("correlation-{id}")), ..challenge(id) }
}

async fn attempts(world: &World) -> Vec<(Position, DeliveryAttempted)> {
    let log = world.log().await.into_iter();
    log.filter_map(|(at, event)| if let Event::DeliveryAttempted(tried) = event { Some((at, tried)) } else { None })
        .collect()
}

/// Route, status and outcome of the attempts to bring an item.
fn of<'a>(
    attempts: &'a [(Position, DeliveryAttempted)],
    id: &'a str,
    item: DeliveryItem,
) -> Vec<(DeliveryRoute, u16, DeliveryOutcome)> {
    let these = attempts.iter().map(|(_, tried)| tried).filter(|tried| tried.challenge_id == id && tried.item == item);
    let these: Vec<&DeliveryAttempted> = these.collect();
    let numbers: Vec<u32> = these.iter().map(|tried| tried.number).collect();
    assert_eq!(numbers, (1..=u32::try_from(these.len()).unwrap()).collect::<Vec<_>>(), "{id} {item:?}");
    these.iter().map(|tried| (tried.route, tried.status, tried.outcome)).collect()
}

fn is_over(attempts: &[(Position, DeliveryAttempted)], id: &str, item: DeliveryItem) -> bool {
    of(attempts, id, item).last().is_some_and(|(.., outcome)| *outcome != DeliveryOutcome::Failed)
}

/// A figure of the validator's page; `of` is a part of its row where it has several.
pub fn figure(handle: &Handle, name: &str, of: &str) -> u64 {
    let page = handle.metrics().text();
    let wanted = |row: &&str| row.starts_with(&format!("{name}{{")) && row.contains(of);
    let row = page.lines().find(wanted).unwrap_or_else(|| panic!("{name} {of} in {page}"));
    row.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

async fn over(world: &World, ids: &[&str]) {
    let all = [DeliveryItem::Batch, DeliveryItem::Heatmap, DeliveryItem::QualityPlot];
    until("everything is brought", || async {
        let attempts = attempts(world).await;
        ids.iter().all(|id| all.iter().all(|item| is_over(&attempts, id, *item)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_and_pictures_go_back_by_both_routes() {
    let world = World::new(honest()).await;
    let service = StandIn::start().await;
    service.answers("c1", "batch", &[401, 201]);
    service.answers("c2", "batch", &[409]);
    service.answers("c3", "batch", &[503, 503, 503, 503, 201]);
    service.answers("c3", "heatmap", &[422, 201]);
    service.answers("c2", "quality_plot", &[400, 201]);
    let validator = start(&world, &service).await;
    validator.0.handle.accept(challenge("unasked")).await.unwrap();
    for id in ["c1", "c2", "c3"] {
        validator.0.handle.accept(asked(id)).await.unwrap();
    }
    over(&world, &["c1", "c2", "c3"]).await;
    ended(&validator.0.handle, "unasked").await;
    close_epoch(&validator.0.handle, 0).await;
    stop(validator).await;

    let tried = attempts(&world).await;
    use DeliveryItem::{Batch, Heatmap, QualityPlot};
    use DeliveryOutcome::{Delivered, Failed, Refused};
    use DeliveryRoute::{Fiber, Plain};
    assert_eq!(of(&tried, "c1", Batch), [(Fiber, 201, Delivered)], "a new key, and the same again");
    assert_eq!(of(&tried, "c1", Heatmap), [(Fiber, 201, Delivered)]);
    assert_eq!(of(&tried, "c2", Batch), [(Fiber, 409, Refused)]);
    let conflict = tried.iter().find(|(_, tried)| tried.status == 409).unwrap();
    assert!(conflict.1.detail.contains("has results of this challenge"), "{conflict:?}");
    let down = (Fiber, 503, Failed);
    assert_eq!(of(&tried, "c3", Batch), [down, down, down, down, (Plain, 201, Delivered)]);
    assert_eq!(of(&tried, "c3", Heatmap), [(Fiber, 422, Failed), (Plain, 201, Delivered)]);
    assert_eq!(of(&tried, "c1", QualityPlot), [(Fiber, 201, Delivered)]);
    assert_eq!(of(&tried, "c2", QualityPlot), [(Fiber, 400, Failed), (Plain, 201, Delivered)]);
    assert!(of(&tried, "unasked", Batch).is_empty(), "nobody asked for it");
    let got = service.got();
    let keys = service.exchanges();
    assert_eq!(keys, 2, "one key, and another after the refusal");
    check_contents(&world, &tried, &got).await;
    check_narratives(&world, &got).await;
    world.assert_sound().await;
}

/// What arrived is what the log says: texts, slots, emissions, and the very bytes whose hash is recorded.
async fn check_contents(world: &World, tried: &[(Position, DeliveryAttempted)], got: &[Got]) {
    let hash = |id: &str, item| {
        tried.iter().find(|(_, tried)| tried.challenge_id == id && tried.item == item).unwrap().1.request_hash.unwrap()
    };
    let log = world.log().await;
    let emissions: BTreeMap<String, f64> = scores(&log)
        .iter()
        .filter(|scored| scored.challenge_id == "c1" && scored.counted)
        .map(|scored| (scored.hotkey.to_string(), scored.score))
        .collect();
    for arrived in got.iter().filter(|arrived| arrived.status == 201) {
        if arrived.item != "batch" {
            let heatmap = arrived.item == "heatmap";
            assert!(arrived.bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{arrived:?}");
            let item = if heatmap { DeliveryItem::Heatmap } else { DeliveryItem::QualityPlot };
            assert_eq!(sha256(&arrived.bytes), hash(&arrived.id, item));
            continue;
        }
        assert_eq!(sha256(&arrived.bytes), hash(&arrived.id, DeliveryItem::Batch));
        let batch: Value = serde_json::from_slice(&arrived.bytes).unwrap();
        let texts: Vec<&str> =
            batch["responses"].as_array().unwrap().iter().map(|answer| answer["text"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), ANSWERS.len());
        assert!(ANSWERS.iter().all(|answer| texts.contains(answer)), "{batch}");
        for answer in batch["responses"].as_array().unwrap() {
            assert!(answer["miner_uid"].as_u64().unwrap() >= 1 && answer["finish_reason"] == "stop", "{answer}");
        }
        let told = batch["evaluation"]["narrative"].as_str().unwrap();
        assert!(
            told.starts_with(&format!("Round {}/1, told by rules", arrived.id)) && told.contains(QUESTION),
            "{told}"
        );
        assert!(told.contains("3 of 3 candidates were drawn") && told.contains("3 answered, none failed"), "{told}");
        assert_eq!(batch["validator_hotkey"], world.validator_key.ss58().as_str());
        assert_eq!(batch["original_request"]["prompt"], QUESTION);
        assert_eq!(batch["original_request"]["correlation_id"], format!("correlation-{}", arrived.id));
        if arrived.id == "c1" {
            let found = batch["evaluation"]["emissions"].as_object().unwrap();
            let found: BTreeMap<String, f64> =
                found.iter().map(|(key, value)| (key.clone(), value.as_f64().unwrap())).collect();
            assert_eq!(found, emissions);
            let best = batch["evaluation"]["best_miner_id"].as_str().unwrap();
            assert!(emissions.values().all(|emission| *emission <= emissions[best]));
        }
    }
}

/// Damages a round's scores behind the ledger's back, as a broken disk would.
async fn damage(world: &World, id: &str) {
    let mut admin = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    sqlx::query("SET session_replication_role = replica").execute(&mut admin).await.unwrap();
    // The first letter of the JSON; lengths are checked by the table itself.
    let update = "UPDATE ledger.events SET payload = overlay(payload placing '\\xff'::bytea from 5 for 1) \
                  WHERE kind = 'ResponseScored' AND stream_id = $1";
    let damaged = sqlx::query(update).bind(format!("{id}/1")).execute(&mut admin).await.unwrap();
    assert!(damaged.rows_affected() > 0, "{id}");
}

/// What the service is told of a round is what the read side tells of it.
async fn check_narratives(world: &World, got: &[Got]) {
    let url = world.database.url();
    projections::migrate(&url).await.unwrap();
    let projector = Projector::open(&url, projections::Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let view = ReadModels::open(&url).unwrap().begin().await.unwrap();
    let frame = view.frame(&Selector::default(), AsOf::Newest).await.unwrap();
    let batches: Vec<&Got> = got.iter().filter(|arrived| arrived.item == "batch" && arrived.status == 201).collect();
    assert!(batches.len() >= 2);
    for arrived in batches {
        let batch: Value = serde_json::from_slice(&arrived.bytes).unwrap();
        let told = queries::narrative(&view, &frame, &arrived.id, None).await.unwrap().unwrap().narrative.unwrap();
        assert_eq!(batch["evaluation"]["narrative"], told.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_that_cannot_be_read_keep_no_other_waiting() {
    let world = World::new(honest()).await;
    let service = StandIn::start().await;
    let damaged = ["d1", "d2", "d3", "d4"];
    let running = world.start(world.config()).await;
    for id in damaged {
        running.handle.accept(asked(id)).await.unwrap();
        ended(&running.handle, id).await;
    }
    running.stop().await;
    for id in damaged {
        damage(&world, id).await;
    }
    let validator = start(&world, &service).await;
    validator.0.handle.accept(asked("whole")).await.unwrap();
    let attempts = || async {
        let reader = world.reader().await;
        let stored: Vec<_> = reader.events(0, u64::MAX, Some(&["DeliveryAttempted"])).try_collect().await.unwrap();
        let attempts = stored.iter().map(|stored| match stored.fact().unwrap() {
            Some(Event::DeliveryAttempted(tried)) => (Position(stored.position), tried),
            other => panic!("{other:?}"),
        });
        attempts.collect::<Vec<_>>()
    };
    until("the whole round is brought", || async { is_over(&attempts().await, "whole", DeliveryItem::Heatmap) }).await;
    stop(validator).await;
    let tried = attempts().await;
    for id in damaged {
        let item = DeliveryItem::Batch;
        assert_eq!(of(&tried, id, item), [(DeliveryRoute::Fiber, 0, DeliveryOutcome::GivenUp)], "{id}");
        let (_, told) = tried.iter().find(|(_, tried)| tried.challenge_id == id && tried.item == item).unwrap();
        assert!(told.detail.contains("cannot be read") && told.request_hash.is_none(), "{told:?}");
    }
    assert!(service.got().iter().all(|arrived| arrived.id == "whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_mid_delivery_brings_nothing_twice() {
    let world = World::new(honest()).await;
    let service = StandIn::start().await;
    service.answers("c1", "heatmap", &[503, 500, 503, 201]);
    let (running, tasks) = start(&world, &service).await;
    running.handle.accept(asked("c1")).await.unwrap();
    until("the batch is there and the picture was tried", || async {
        let tried = attempts(&world).await;
        is_over(&tried, "c1", DeliveryItem::Batch) && !of(&tried, "c1", DeliveryItem::Heatmap).is_empty()
    })
    .await;
    until("the picture is counted as on its way", || async { figure(&running.handle, "assay_outbox_rounds", "") == 1 })
        .await;
    close_epoch(&running.handle, 0).await;
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    running.crash().await;

    let validator = start(&world, &service).await;
    over(&world, &["c1"]).await;
    assert_eq!(of(&attempts(&world).await, "c1", DeliveryItem::QualityPlot).len(), 1);
    // Long enough for whatever would be brought again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let deliveries = |outcome| figure(&validator.0.handle, "assay_deliveries_total", outcome);
    assert_eq!((figure(&validator.0.handle, "assay_outbox_rounds", ""), deliveries("delivered")), (0, 3));
    assert_eq!((deliveries("failed"), deliveries("given_up")), (3, 0));
    close_epoch(&validator.0.handle, 1).await;
    stop(validator).await;
    let tried = attempts(&world).await;
    let statuses = |item| of(&tried, "c1", item).iter().map(|(_, status, _)| *status).collect::<Vec<_>>();
    assert_eq!(statuses(DeliveryItem::Batch), [201]);
    assert_eq!(statuses(DeliveryItem::Heatmap), [503, 500, 503, 201]);
    let arrived = |item: &str| service.got().iter().filter(|arrived| arrived.item == item).count();
    assert_eq!((arrived("batch"), arrived("heatmap")), (1, 4));
    world.assert_sound().await;
    // The second epoch alone: its range begins between the attempts.
    let reader = world.reader().await;
    let range = reader.epoch_range(1).await.unwrap().unwrap();
    assert!(tried.iter().any(|(at, _)| at.0 < range.from) && tried.iter().any(|(at, _)| at.0 > range.from));
    let mut replay = audit::Replay::new(audit::Settings { epoch: Some(1), ..audit::Settings::default() });
    reader.feed(&range, &mut replay).await.unwrap();
    let report = replay.finish();
    assert_eq!(report.verdict, audit::Verdict::Equal, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_service_lists_is_not_drawn_and_its_weights_count() {
    let mut world = World::new(honest()).await;
    world.rule_set = domain::mechanism::shipped_by_name("loosh/1.2.8").unwrap();
    let service = StandIn::start().await;
    let peers: Vec<_> = world.peers.iter().map(|peer| peer.key.hotkey()).collect();
    service.says(
        serde_json::json!([{ "hotkey_ss58": peers[0], "validator_permit": true }, { "hotkey": peers[1] }]),
        serde_json::json!({ peers[1].to_string(): { "sybil_score": 0.0, "priority_weight": 2.5 }, "nonsense": 3 }),
    );
    let validator = start(&world, &service).await;
    until("what the service says is recorded", || async {
        !positions(&world.log().await, "ExternalScoresFetched").is_empty()
    })
    .await;
    // It is asked again and again, and what it says again is no news; then it says nothing any more.
    until("it is asked again", || async { service.questions() >= 4 }).await;
    service.is_silent();
    validator.0.handle.accept(challenge("c1")).await.unwrap();
    ended(&validator.0.handle, "c1").await;
    close_epoch(&validator.0.handle, 0).await;
    stop(validator).await;

    let log = world.log().await;
    let fetched = positions(&log, "ExternalScoresFetched");
    assert_eq!(fetched.len(), 1);
    for (_, event) in &log {
        match event {
            Event::MinersSelected(selected) => {
                assert_eq!(selected.external_scores, Some(Position(fetched[0])));
                let listed = selected.excluded.iter().find(|excluded| excluded.hotkey == peers[0]).unwrap();
                assert_eq!(listed.reason, Exclusion::Validator);
                let weight = |at: usize| selected.candidates.iter().find(|one| one.hotkey == peers[at]).unwrap().weight;
                assert_eq!((weight(1), weight(2)), (2_500_000, 1_000_000));
            }
            Event::WeightsDerived(derived) => {
                assert_eq!(derived.external_scores, Some(Position(fetched[0])));
                assert!(derived.weights.iter().all(|weight| weight.hotkey != peers[0]), "{derived:?}");
            }
            _ => {}
        }
    }
    assert!(!positions(&log, "MinersSelected").is_empty() && !positions(&log, "WeightsDerived").is_empty());
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_read_no_scores_record_none_and_other_subnets_have_no_such_service() {
    let world = World::new(Vec::new()).await;
    assert_eq!(world.rule_set, quick_rules());
    let service = StandIn::start().await;
    service.says(serde_json::json!([]), serde_json::json!({}));
    let validator = start(&world, &service).await;
    until("it is asked", || async { service.questions() >= 2 }).await;
    let other = domain::mechanism::shipped_by_name("cgp/readme").unwrap();
    let outbox = Outbox::new(service.client(&world.validator_key));
    assert!(outbox::start(&validator.0.handle, &other, &outbox).unwrap_err().contains("cgp/readme"));
    stop(validator).await;
    assert!(positions(&world.log().await, "ExternalScoresFetched").is_empty());
}
