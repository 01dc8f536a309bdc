//! Labels: what the mechanism cannot use is refused before anything is recorded, and what stands in the log is not tried for ever.

use async_trait::async_trait;
use domain::events::{Challenge, Event, LabelRevealed};
use domain::mechanism;
use domain::round;
use domain::types::{Micros, Position};
use ledger::{Cause, Expected, NewEvent, Unit};
use validator::Error;
use validator::service::{ChallengeState, Handle};
use validator::sources::conversion::{Conversations, label};
use validator::sources::{LabelSource, reveal_in_turn};

use crate::peer::Behaviour;
use crate::world::{World, close_epoch, ended, positions, until};

const ANSWERS: [&str; 2] = [
    r#"{"prediction":{"conversion_happened":1,"time_to_conversion_seconds":60.0},"confidence":0.8,"response_time":0.1}"#,
    r#"{"prediction":{"conversion_happened":0,"time_to_conversion_seconds":-1.0},"confidence":0.7,"response_time":0.2}"#,
];

pub async fn world() -> World {
    let mut world = World::new(ANSWERS.map(Behaviour::Says).into()).await;
    world.rule_set = mechanism::shipped_by_name("conversion/readme").unwrap();
    world
}

pub fn task(number: u64) -> Challenge {
    Conversations::of_ledger("the test").challenge(number).unwrap()
}

/// A round that waits for its label.
pub async fn waiting(handle: &Handle, number: u64) -> String {
    let challenge = task(number);
    let id = challenge.id.clone();
    handle.accept(challenge).await.unwrap();
    assert_eq!(ended(handle, &id).await.state, ChallengeState::Evaluated);
    until("it waits", || async { handle.waiting_for_labels(9).iter().any(|one| one.round.starts_with(&id)) }).await;
    round::stream_id(&id, 1)
}

/// The rule's label of a task.
pub fn truth(number: u64) -> (String, String) {
    let at = Micros(0);
    label(&task(number), at, Micros(u64::MAX)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_cannot_be_used_is_refused_and_nothing_is_recorded() {
    let world = world().await;
    let running = world.start(world.config()).await;
    let round = waiting(&running.handle, 0).await;
    let (source, label) = truth(0);
    let happened = label.contains("\"conversion_happened\":1");
    let other = if happened {
        r#"{"conversion_happened":0,"time_to_conversion_seconds":-1.0}"#
    } else {
        r#"{"conversion_happened":1,"time_to_conversion_seconds":9.5}"#
    };
    let long = "x".repeat(70_000);
    for (stream, source, text, field, problem) in [
        ("nobody/1", source.as_str(), label.as_str(), "round", "waits for none"),
        (&round, &source, "", "label", "the label"),
        (&round, &source, r#"{"conversion_happened":2}"#, "label", "conversion_happened is no class"),
        (&round, &source, other, "label", "does not follow from the rule"),
        (&round, &source, &long, "label", "70000 bytes"),
        (&round, &long, &label, "source", "70000 bytes"),
    ] {
        let refused = running.handle.reveal_label(stream, source, text).await.unwrap_err();
        assert!(matches!(refused, Error::Label { field: found, .. } if found == field), "{refused:?}");
        assert!(refused.to_string().contains(problem) && refused.to_string().contains(stream), "{refused}");
    }
    assert_eq!(positions(&world.log().await, "LabelRevealed"), Vec::<u64>::new());
    assert_eq!(running.handle.waiting_for_labels(9).len(), 1, "it goes on waiting");
    running.handle.reveal_label(&round, &source, &label).await.unwrap();
    assert!(running.handle.waiting_for_labels(9).is_empty());
    let again = running.handle.reveal_label(&round, &source, &label).await.unwrap_err();
    assert!(matches!(again, Error::Label { field: "round", .. }), "{again:?}");
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    let log = world.log().await;
    assert_eq!(positions(&log, "LabelRevealed").len(), 1);
    let scored = |(_, event): &(Position, Event)| matches!(event, Event::RoundEvaluated(e) if e.label.is_some());
    assert_eq!(log.iter().filter(|event| scored(event)).count(), 1);
    world.assert_sound().await;
}

/// As an earlier program recorded it, before labels were looked at first.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_label_that_is_recorded_holds_nothing_up() {
    let world = world().await;
    let running = world.start(world.config()).await;
    let stream = waiting(&running.handle, 1).await;
    running.stop().await;
    let evaluated = Position(positions(&world.log().await, "RoundEvaluated")[0]);
    let revealed = LabelRevealed {
        challenge_id: task(1).id,
        attempt: 1,
        evaluated,
        source: "the test".to_owned(),
        label: "maybe".to_owned(),
    };
    let ledger = world.writer().await;
    let cause = Cause::Position(evaluated.0);
    let event = NewEvent::of(round::LABEL_STREAM_TYPE, &stream, &revealed.into(), 0, cause).unwrap();
    let unit = Unit::of(vec![event]).expecting(round::LABEL_STREAM_TYPE, &stream, Expected::Any);
    ledger.append(unit).await.unwrap();
    ledger.close().await;
    for epoch in 0..2 {
        let running = world.start(world.config()).await;
        assert!(running.handle.waiting_for_labels(9).is_empty());
        close_epoch(&running.handle, epoch).await;
        running.stop().await;
    }
    let log = world.log().await;
    assert!(!log.iter().any(|(_, event)| matches!(event, Event::RoundEvaluated(e) if e.label.is_some())));
    world.assert_sound().await;
}

/// Knows the label of every task but some.
struct KnowsAllBut(Vec<String>);

#[async_trait]
impl LabelSource for KnowsAllBut {
    async fn label(&self, challenge: &Challenge, evaluated: Micros, _: Micros) -> Option<(String, String)> {
        if self.0.contains(&challenge.id) { None } else { label(challenge, evaluated, Micros(u64::MAX)) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_that_wait_in_vain_keep_no_other_from_its_label() {
    const ROUNDS: u64 = 7;
    let world = world().await;
    let running = world.start(world.config()).await;
    for number in 0..ROUNDS {
        waiting(&running.handle, number).await;
    }
    // Two in one look: those that come first fill the first two looks for ever.
    let mut waiting: Vec<String> = running.handle.waiting_for_labels(99).into_iter().map(|one| one.round).collect();
    assert_eq!(waiting.len() as u64, ROUNDS);
    let in_vain: Vec<String> = waiting.drain(..4).collect();
    let unknown = (0..ROUNDS).map(|number| task(number).id).filter(|id| in_vain.contains(&round::stream_id(id, 1)));
    let source = KnowsAllBut(unknown.collect());
    assert_eq!(source.0.len(), 4);
    let pause = std::time::Duration::from_millis(20);
    let revealing = tokio::spawn(reveal_in_turn(running.handle.clone(), source, pause, 2));
    until("the others have their labels", || async {
        running.handle.waiting_for_labels(99).iter().all(|one| in_vain.contains(&one.round))
    })
    .await;
    assert_eq!(running.handle.waiting_for_labels(99).len(), 4);
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    revealing.await.unwrap();
    assert_eq!(positions(&world.log().await, "LabelRevealed").len(), 3);
    world.assert_sound().await;
}
