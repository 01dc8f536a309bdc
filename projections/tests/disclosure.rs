//! What may be exported, asked of a real ledger in which ends are erased.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use projections::disclosure::hidden;
use support::{World, database};

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_end_is_an_end() {
    let database = database().await;
    let mut world = World::open(database.url(), 78).await;
    world.open_epoch().await;
    let drawn = {
        world.accept("c").await;
        world.ask("c", 1, 0).await
    };
    let evaluated = world.evaluate("c", 1, &drawn).await.last;
    // Given up once, and drawn again; given up for good.
    world.accept("again").await;
    world.ask("again", 1, 0).await;
    let given_up = world.abandon("again", 1, false).await.last;
    let drawn = world.ask("again", 2, 1).await;
    world.evaluate("again", 2, &drawn).await;
    world.accept("never").await;
    world.ask("never", 1, 2).await;
    let never = world.abandon("never", 1, true).await.last;
    world.derive().await;
    world.submit().await;
    let included = world.include().await.last;
    let closed = world.close_epoch().await.last;
    let reader = world.ledger.reader().clone();
    let range = reader.epoch_range(0).await.unwrap().unwrap();
    assert_eq!(hidden(&reader, &range).await.unwrap(), None);
    for position in [evaluated, given_up, never, included, closed] {
        world.ledger.erase(position, "asked for").await.unwrap();
        let range = reader.epoch_range(0).await.unwrap().unwrap();
        assert_eq!(hidden(&reader, &range).await.unwrap(), None, "{position} is erased");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_failure_discloses_nothing_of_what_is_drawn_again() {
    let database = database().await;
    let mut world = World::open(database.url(), 78).await;
    world.open_epoch().await;
    let accepted = world.accept("c").await.first;
    world.ask("c", 1, 0).await;
    let given_up = world.abandon("c", 1, false).await.last;
    world.ask("c", 2, 1).await;
    world.derive().await;
    world.ledger.erase(given_up, "asked for").await.unwrap();
    let reader = world.ledger.reader().clone();
    let range = reader.epoch_range(0).await.unwrap().unwrap();
    assert_eq!(hidden(&reader, &range).await.unwrap(), Some((accepted, "ChallengeAccepted".to_owned())));
}
