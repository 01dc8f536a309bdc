//! Tasks that the validator makes itself: one after each interval, counted from the last in the log, or as fast as rounds end.

use std::time::Duration;

use domain::mechanism;
use futures::TryStreamExt;
use validator::ValidatorConfig;
use validator::sources;

use crate::peer::Behaviour;
use crate::world::{Running, World, close_epoch, until};

const ANSWER: &str =
    r#"{"output":"That sounds tiring. Maybe write down what worries you before bed, and talk to a friend."}"#;

async fn world() -> World {
    let mut world = World::new(vec![Behaviour::Says(ANSWER)]).await;
    world.rule_set = mechanism::shipped_by_name("bettertherapy/assay-1").unwrap();
    world
}

async fn started(world: &World, interval: Duration) -> Running {
    let config = ValidatorConfig { task_interval: Some(interval), ..world.config() };
    let running = world.start(config).await;
    sources::start(&running.handle, &world.rule_set, &world.judge).unwrap();
    running
}

/// Waits until so many tasks were accepted.
async fn accepted(running: &Running, count: u64) {
    until("tasks are accepted", || async { running.handle.challenge_stats().total_received >= count }).await;
}

/// When tasks were accepted.
async fn times(world: &World) -> Vec<Duration> {
    let reader = world.reader().await;
    let stored: Vec<_> = reader.events(0, u64::MAX, None).try_collect().await.unwrap();
    let accepted = stored.iter().filter(|stored| stored.kind == "ChallengeAccepted");
    accepted.map(|stored| Duration::from_micros(stored.recorded_at)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_lies_between_two_tasks_over_a_restart_too() {
    const INTERVAL: Duration = Duration::from_secs(2);
    let world = world().await;
    let running = started(&world, INTERVAL).await;
    accepted(&running, 2).await;
    running.stop().await;
    let running = started(&world, INTERVAL).await;
    accepted(&running, 3).await;
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    let times = times(&world).await;
    assert!(times.len() >= 3);
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= INTERVAL, "{times:?}");
    }
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_begin_the_interval_anew() {
    // Longer than the patience of any test: a second task comes only if the interval runs from somewhere else than the log.
    let long = Duration::from_secs(3600);
    let world = world().await;
    let running = started(&world, long).await;
    accepted(&running, 1).await;
    running.stop().await;
    let running = started(&world, long).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(running.handle.challenge_stats().total_received, 1);
    running.stop().await;
    // The same log under a short interval, which is over by now.
    let running = started(&world, Duration::from_millis(100)).await;
    accepted(&running, 2).await;
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_interval_rounds_set_the_pace() {
    let world = world().await;
    let begun = std::time::Instant::now();
    let running = started(&world, Duration::ZERO).await;
    accepted(&running, 4).await;
    let passed = begun.elapsed();
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    let times = times(&world).await;
    let interval = domain::bettertherapy::constants::Constants::assay_1().collection.interval_seconds;
    assert!(times[3] - times[0] < Duration::from_secs(interval) && passed < crate::world::PATIENCE);
    world.assert_sound().await;
}
