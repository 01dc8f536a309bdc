//! What an operator erased stays decided: the validator starts again, goes on, and never shows by other rules what it cannot
//! read by the right ones.

use domain::events::{EpochOutcome, Event};
use domain::mechanism;
use validator::ValidatorConfig;

use crate::world::{World, challenge, close_epoch, ended, honest, positions, until};

/// Erases events with nobody else at the ledger.
async fn erase(world: &World, erased: &[u64]) {
    let (config, settings) = (world.config(), world.settings.clone());
    let url = world.database.url();
    let ledger =
        validator::open_ledger_with(&url, "the operator", &config, world.chain.as_ref(), settings).await.unwrap();
    for position in erased {
        ledger.erase(*position, "asked for").await.unwrap();
    }
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_stays_ended_though_its_end_is_erased() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    ended(&running.handle, "c1").await;
    assert_eq!(close_epoch(&running.handle, 0).await.outcome, EpochOutcome::Included);
    until("epoch 1 opens", || async { running.handle.stats().epoch == Some(1) }).await;
    running.stop().await;
    let log = world.log().await;
    let ends = [positions(&log, "RoundEvaluated")[0], positions(&log, "EpochClosed")[0]];
    erase(&world, &ends).await;

    // What is left can be exported, and an audit of it says that it cannot tell, and why.
    let reader = world.reader().await;
    let range = reader.epoch_range(0).await.unwrap().unwrap();
    let checkpoint = reader.checkpoint_covering(range.end).await.unwrap().unwrap();
    let bundle = reader.export(&range, &checkpoint, Vec::new()).await.unwrap();
    let report = audit::bundle::audit(bundle.as_slice(), audit::Settings::default()).unwrap();
    assert_eq!((report.verdict, report.difference_count), (audit::Verdict::CannotTell, 0), "{report}");
    let doubts = format!("{:?}", report.doubts);
    assert!(doubts.contains("the payload of this RoundEvaluated was erased"), "{doubts}");

    let running = world.start(world.config()).await;
    assert_eq!(running.handle.challenge_stats().queue_size, 0, "nothing is drawn again");
    running.handle.accept(challenge("c2")).await.unwrap();
    ended(&running.handle, "c2").await;
    let closed = close_epoch(&running.handle, 1).await;
    assert_eq!((closed.epoch, closed.outcome), (1, EpochOutcome::Included), "{}", closed.reason);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_answer_is_read_by_the_rules_of_its_round() {
    let world = World::new(honest()).await;
    let running = world.start(world.config()).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    let before = ended(&running.handle, "c1").await.best_answer.unwrap();
    assert_eq!(close_epoch(&running.handle, 0).await.outcome, EpochOutcome::Included);
    running.stop().await;

    // Other rules from the next epoch on.
    let other = || ValidatorConfig { rule_set: mechanism::shipped_by_name("loosh/1.2.8").unwrap(), ..world.config() };
    let running = world.start(other()).await;
    close_epoch(&running.handle, 1).await;
    until("the other rules are in force", || async { running.handle.health().rule_set == "loosh/1.2.8" }).await;
    let after = running.handle.status("c1").await.unwrap().unwrap();
    assert_eq!(after.best_answer, Some(before), "under other rules the same answer");
    running.stop().await;

    let adopted: Vec<u64> = world
        .log()
        .await
        .iter()
        .filter(|(_, event)| matches!(event, Event::RuleSetAdopted(adopted) if adopted.hash == world.rule_set.hash()))
        .map(|(position, _)| position.0)
        .collect();
    let (config, settings) = (world.config(), world.settings.clone());
    let url = world.database.url();
    let ledger =
        validator::open_ledger_with(&url, "the operator", &config, world.chain.as_ref(), settings).await.unwrap();
    let refused = ledger.erase(adopted[0], "asked for").await.unwrap_err().to_string();
    assert!(refused.contains("RuleSetAdopted"), "nobody would know any more how it was read: {refused}");
    ledger.close().await;
}
