//! A model that refuses to judge an answer: what that costs, and whom.

use std::sync::Arc;

use async_trait::async_trait;
use domain::events::{AbandonReason, Event, ZeroReason};
use domain::mechanism::{self, JudgementRequest, Mechanism, NO_VERDICT};
use validator::judge::{Judge, Offline, Verdict};
use validator::service::ChallengeState;

use crate::peer::Behaviour;
use crate::world::{World, close_epoch, ended, scores, search};

const PROMPT: &str = "What do people say about the tide and the moon?";
const ANSWERS: [&str; 3] = [
    r#"{"messages":"q","completion":"People say that the moon pulls the tide, and that the sun does so a little."}"#,
    r#"{"messages":"q","completion":"Something that the filter of a model does not let through: poison."}"#,
    r#"{"messages":"q","completion":"The tide follows the moon."}"#,
];

/// Refuses to judge answers with a word, as a content filter does.
#[derive(Debug, Clone, Copy)]
struct Filter(&'static str);

#[async_trait]
impl Judge for Filter {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        if request.hotkey.is_some() && request.request.contains(self.0) {
            return Ok(Verdict::refused("the content filter says no"));
        }
        Offline.judge(request, mechanism).await
    }

    fn has_model(&self, _: &str) -> bool {
        true
    }
}

async fn played(rules: &str, filter: Filter) -> (World, ChallengeState) {
    let mut world = World::new(ANSWERS.map(Behaviour::Says).into()).await;
    world.rule_set = mechanism::shipped_by_name(rules).unwrap();
    world.judge = Arc::new(filter);
    let running = world.start(world.config()).await;
    running.handle.accept(search("t1", PROMPT)).await.unwrap();
    let state = ended(&running.handle, "t1").await.state;
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;
    (world, state)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_no_model_judges_costs_its_miner_alone_under_our_rules() {
    let (world, state) = played("twitter/assay-1", Filter("poison")).await;
    assert_eq!(state, ChallengeState::Evaluated);
    let log = world.log().await;
    let scores = scores(&log);
    let poisoner = world.peers[1].key.hotkey();
    assert_eq!(scores.len(), ANSWERS.len());
    for scored in scores {
        let refused = scored.hotkey == poisoner;
        assert_eq!(scored.reason == Some(ZeroReason::NoJudgement), refused, "{scored:?}");
        assert_eq!((scored.score == 0.0, scored.counted), (refused, true), "{scored:?}");
    }
    let refusals = log.iter().filter(|(_, event)| {
        matches!(event, Event::JudgementRecorded(verdict) if verdict.model == NO_VERDICT
            && verdict.hotkey == Some(poisoner) && verdict.reply.bytes() == b"the content filter says no")
    });
    assert!(refusals.count() > 0, "the refusal is on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_the_attempt_under_upstreams_and_wherever_no_answer_is_judged() {
    for (rules, word) in [("twitter/2.5.9", "poison"), ("twitter/assay-1", "completion")] {
        let (world, state) = played(rules, Filter(word)).await;
        assert_ne!(state, ChallengeState::Evaluated, "{rules}");
        let log = world.log().await;
        let failed = |event: &Event| matches!(event, Event::RoundAbandoned(end) if end.reason == AbandonReason::EvidenceFailed && end.detail.contains("content filter"));
        assert!(log.iter().any(|(_, event)| failed(event)), "{rules}");
        assert!(
            !log.iter()
                .any(|(_, event)| matches!(event, Event::JudgementRecorded(verdict) if verdict.model == NO_VERDICT))
        );
    }
}
