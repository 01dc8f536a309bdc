//! What the chain asks of a setting of weights, and what is said of one that it would not take: the same under every rule set,
//! whatever upstream's program does.

use domain::bettertherapy::task::{Question, Task};
use domain::epoch::RATE_LIMITED;
use domain::events::{EpochOutcome, Event};
use domain::mechanism;
use domain::ruleset::RuleSet;
use localnet::{Hyperparameters, RootCall};
use validator::sources::bettertherapy::Questions;

use crate::peer::Behaviour;
use crate::world::{NETUID, Running, World, challenge, close_epoch, ended, honest, positions, until};

async fn change(world: &World, change: impl FnOnce(&mut Hyperparameters)) {
    let mut hyperparameters = world.specification.subnets[0].hyperparameters.clone();
    change(&mut hyperparameters);
    world.arrange(RootCall::set_hyperparameters { netuid: NETUID.0, hyperparameters }).await;
}

/// BetterTherapy, number 12: upstream's version key is 0, which the chain refuses as soon as the subnet asks for more.
#[tokio::test(flavor = "multi_thread")]
async fn weights_carry_the_version_key_that_the_chain_asks_for() {
    let question = Questions::of_ledger("the test").unwrap().shipped(0).unwrap();
    // As good as can be: the base answer itself.
    let Question::Shipped { answer, .. } = Task::parse(question.task.as_deref().unwrap()).unwrap().question else {
        panic!("{question:?}")
    };
    let answer: &'static str = serde_json::json!({"output": answer}).to_string().leak();
    for rules in ["bettertherapy/readme", "bettertherapy/1.2.2", "bettertherapy/assay-1"] {
        let mut world = World::new(vec![Behaviour::Says(answer)]).await;
        world.rule_set = mechanism::shipped_by_name(rules).unwrap();
        change(&world, |parameters| parameters.weights_version_key = 7).await;
        let running = world.start(world.config()).await;
        until("the miner is available", || async { running.handle.stats().active_miners == 1 }).await;
        running.handle.accept(question.clone()).await.unwrap();
        ended(&running.handle, &question.id).await;
        let closed = close_epoch(&running.handle, 0).await;
        assert_eq!((closed.outcome, closed.reason.as_str()), (EpochOutcome::Included, ""), "{rules}");
        running.stop().await;
        let keys: Vec<u64> = world.log().await.iter().filter_map(|(_, event)| version_key(event)).collect();
        assert_eq!(keys, [7], "{rules}");
        world.assert_sound().await;
    }
}

fn version_key(event: &Event) -> Option<u64> {
    match event {
        Event::WeightsSubmitted(submitted) => Some(submitted.version_key),
        _ => None,
    }
}

/// The constants of a Loosh rule set, with the embedding models of another.
fn with_models_of(rules: &str, other: &str) -> RuleSet {
    let of = |name: &str| mechanism::shipped_by_name(name).unwrap().bytes().to_owned();
    let models = |bytes: &str| {
        let begin = bytes.find("\"models\":[").unwrap();
        bytes[begin..=begin + bytes[begin..].find(']').unwrap()].to_owned()
    };
    let (rules, other) = (of(rules), of(other));
    RuleSet::parse(&rules.replace(&models(&rules), &models(&other))).unwrap()
}

async fn round(running: &Running, id: &str) {
    running.handle.accept(challenge(id)).await.unwrap();
    ended(&running.handle, id).await;
}

/// Loosh, number 18: upstream's program says that a setting was done which was never sent.
#[tokio::test(flavor = "multi_thread")]
async fn weights_that_are_not_sent_are_never_called_done() {
    for rules in ["loosh/1.2.8", "loosh/assay-1"] {
        let mut world = World::new(honest()).await;
        world.rule_set = with_models_of(rules, "loosh/readme");
        let running = world.start(world.config()).await;
        until("miners are available", || async { running.handle.stats().active_miners == 3 }).await;
        round(&running, "r0").await;
        let first = close_epoch(&running.handle, 0).await;
        assert_eq!((first.outcome, first.reason.as_str()), (EpochOutcome::Included, ""), "{rules}");
        change(&world, |parameters| parameters.weights_rate_limit = 1_000_000).await;
        round(&running, "r1").await;
        let second = close_epoch(&running.handle, 1).await;
        assert_eq!(second.outcome, EpochOutcome::Skipped, "{rules}");
        assert!(second.reason.starts_with(RATE_LIMITED), "{rules}: {}", second.reason);
        running.stop().await;
        let log = world.log().await;
        let closed = |event: &Event| match event {
            Event::EpochClosed(closed) => Some((closed.outcome, closed.reason.clone())),
            _ => None,
        };
        let closed: Vec<(EpochOutcome, String)> = log.iter().filter_map(|(_, event)| closed(event)).collect();
        assert_eq!(closed, [(first.outcome, first.reason), (second.outcome, second.reason)], "the log says the same");
        for kind in ["WeightsSubmitted", "WeightsIncluded"] {
            assert_eq!(positions(&log, kind).len(), 1, "{rules}: {kind}");
        }
        assert_eq!(positions(&log, "WeightsDerived").len(), 2);
        world.assert_sound().await;
    }
}
