//! BetterTherapy's judgements that fail: under upstream's rules a failed one pays the line before it again, and one without a reply
//! stops the pass for everybody; under ours each costs its own answer, or the attempt is made again.

use std::sync::Arc;

use async_trait::async_trait;
use domain::bettertherapy::evidence::is_quality;
use domain::events::{AbandonReason, Event, RoundEvaluated, ZeroReason};
use domain::mechanism::{self, JudgementRequest, Mechanism, NO_REPLY, NO_VERDICT};
use domain::ruleset::RuleSet;
use domain::types::Position;
use llm::LanguageModel;
use llm::scripted::Scripted;
use validator::judge::{Judge, Offline, Verdict};
use validator::service::ChallengeState;
use validator::sources::bettertherapy::Questions;

use crate::peer::Behaviour;
use crate::world::{World, close_epoch, ended, scores};

/// Each fills a line of its own: more than half of 30 tokens.
const ANSWERS: [&str; 3] = [
    r#"{"output":"It sounds tiring to carry that alone for so long; maybe talk with one friend about a single part of it this week, and rest after it."}"#,
    r#"{"output":"Many people feel the same in such a month. Write down what you can change and what not, and give the first list an hour a day, no more."}"#,
    r#"{"output":"Your worry is understandable. A fixed hour for bed, a walk at noon, and a doctor if nothing of it helps after some weeks would be my steps."}"#,
];

/// Judges answers from a script, as the program does with an endpoint; everything else follows the mechanism.
#[derive(Debug)]
struct Quality(Scripted);

#[async_trait]
impl Judge for Quality {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        if !is_quality(&request.purpose) {
            return Offline.judge(request, mechanism).await;
        }
        let asked: serde_json::Value = serde_json::from_str(&request.request).unwrap();
        let text = |name: &str| asked[name].as_str().unwrap().to_owned();
        let messages =
            llm::Request { system: text("system"), user: text("user"), maximum_tokens: 1000, json_schema: None };
        match self.0.complete(&messages).await {
            Ok(completion) => Ok(Verdict {
                model: completion.model,
                parameters: completion.parameters_json,
                prompt_tokens: completion.prompt_tokens,
                completion_tokens: completion.completion_tokens,
                latency_ms: completion.latency_ms,
                reply: completion.text.into_bytes(),
            }),
            Err(error) if error.is_of_request() => Ok(Verdict::refused(&error.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn has_model(&self, purpose: &str) -> bool {
        is_quality(purpose)
    }
}

/// Upstream's rules, with a line for each of the answers and no day to wait.
fn upstream() -> RuleSet {
    let shipped = mechanism::shipped_by_name("bettertherapy/1.2.2").unwrap();
    let changed = shipped
        .bytes()
        .replace("\"answer_tokens\":400,\"line_tokens\":6000", "\"answer_tokens\":30,\"line_tokens\":30")
        .replace("\"ready_after_seconds\":86400", "\"ready_after_seconds\":0");
    RuleSet::parse(&changed).unwrap()
}

fn ours() -> RuleSet {
    mechanism::shipped_by_name("bettertherapy/assay-1").unwrap()
}

fn good(score: &str) -> Result<String, llm::Error> {
    Ok(format!("{{\"scores\":[{score}]}}"))
}

fn refused() -> Result<String, llm::Error> {
    Err(llm::Error::Refused { endpoint: "a".to_owned(), status: 400, message: "filtered".to_owned() })
}

fn away() -> Result<String, llm::Error> {
    Err(llm::Error::Unavailable { endpoint: "a".to_owned(), attempts: 3, problem: "503".to_owned() })
}

struct Played {
    world: World,
    state: ChallengeState,
    log: Vec<(Position, Event)>,
}

impl Played {
    /// Score and reason of each peer, in order of their slots.
    fn paid(&self) -> Vec<(f64, Option<ZeroReason>)> {
        let all = scores(&self.log);
        let of = |peer: &crate::peer::Peer| all.iter().find(|scored| scored.hotkey == peer.key.hotkey()).unwrap();
        self.world.peers.iter().map(|peer| (of(peer).score, of(peer).reason)).collect()
    }

    fn round<'a>(&'a self) -> &'a RoundEvaluated {
        let round = |(_, event): &'a (Position, Event)| match event {
            Event::RoundEvaluated(round) => Some(round),
            _ => None,
        };
        self.log.iter().find_map(round).unwrap()
    }

    fn figure(&self, name: &str) -> Option<f64> {
        self.round().components.iter().find(|component| component.name == name).map(|component| component.value)
    }

    /// Purposes of the recorded verdicts of a model.
    fn judged_by(&self, model: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for (_, event) in &self.log {
            if let Event::JudgementRecorded(verdict) = event
                && verdict.model == model
            {
                found.push(verdict.purpose.as_str());
            }
        }
        found
    }
}

async fn played(rules: RuleSet, script: Vec<Result<String, llm::Error>>) -> Played {
    let mut world = World::new(ANSWERS.map(Behaviour::Says).into()).await;
    world.rule_set = rules;
    world.judge = Arc::new(Quality(Scripted::new(script)));
    let running = world.start(world.config()).await;
    crate::world::until("miners are available", || async { running.handle.stats().active_miners == 3 }).await;
    let challenge = Questions::of_ledger("the test").unwrap().shipped(0).unwrap();
    let id = challenge.id.clone();
    running.handle.accept(challenge).await.unwrap();
    let state = ended(&running.handle, &id).await.state;
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;
    let log = world.log().await;
    Played { world, state, log }
}

/// What an instant answer of this quality earns upstream: 70 for quality, 30 for time.
fn points(quality: f64) -> f64 {
    70.0 * quality + 30.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_line_pays_the_one_before_it_twice_upstream_and_costs_one_answer_under_ours() {
    let script = || vec![good("0.9"), refused(), good("0.5")];
    let found = played(upstream(), script()).await;
    assert_eq!(found.state, ChallengeState::Evaluated);
    let paid = found.paid();
    assert!((paid[0].0 - 2.0 * points(0.9)).abs() < 1e-9 && (paid[2].0 - points(0.5)).abs() < 1e-9, "{paid:?}");
    assert_eq!(paid[1], (0.0, Some(ZeroReason::NoJudgement)));
    assert_eq!((found.figure("failed_judgements"), found.figure("pass_aborted")), (Some(1.0), Some(0.0)));
    assert_eq!(found.judged_by(NO_VERDICT), ["quality/1/2"]);
    assert_eq!(found.judged_by("scripted/script"), ["quality/1/1", "quality/1/3"]);

    let found = played(ours(), script()).await;
    assert_eq!(found.state, ChallengeState::Evaluated);
    let paid = found.paid();
    assert_eq!(paid[1], (0.0, Some(ZeroReason::NoJudgement)));
    for (at, quality) in [(0, 0.9), (2, 0.5)] {
        assert!((paid[at].0 - 100.0 * quality).abs() < 1e-9, "{paid:?}");
    }
    assert_eq!(found.judged_by(NO_VERDICT), ["quality"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_a_reply_stops_the_pass_upstream_and_the_attempt_under_ours() {
    let script = || vec![good("0.9"), away(), good("0.5")];
    let found = played(upstream(), script()).await;
    assert_eq!(found.state, ChallengeState::Evaluated);
    assert_eq!(found.paid(), [(0.0, Some(ZeroReason::NoJudgement)); 3]);
    assert!(scores(&found.log).iter().all(|scored| !scored.counted), "nobody's average moves");
    assert_eq!((found.figure("failed_judgements"), found.figure("pass_aborted")), (Some(1.0), Some(1.0)));
    assert_eq!(found.judged_by(NO_REPLY), ["quality/1/2"]);

    let again = script().into_iter().chain(["0.9", "0.8", "0.5"].map(good)).collect();
    let found = played(ours(), again).await;
    assert_eq!(found.state, ChallengeState::Evaluated);
    assert_eq!(found.round().attempt, 2, "the first attempt ended for everybody");
    assert!(found.paid().iter().all(|(score, reason)| *score > 0.0 && reason.is_none()));
    assert!(found.judged_by(NO_REPLY).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_all_refused_pay_nobody_and_a_model_that_is_away_judges_nothing() {
    let found = played(upstream(), vec![refused(), refused(), refused()]).await;
    assert_eq!(found.state, ChallengeState::Evaluated);
    assert_eq!(found.paid(), [(0.0, Some(ZeroReason::NoJudgement)); 3]);
    assert_eq!((found.figure("failed_judgements"), found.figure("pass_aborted")), (Some(3.0), Some(0.0)));

    let found = played(upstream(), (0..9).map(|_| away()).collect()).await;
    assert_eq!(found.state, ChallengeState::Abandoned);
    let failed = |(_, event): &(Position, Event)| matches!(event, Event::RoundAbandoned(end) if end.reason == AbandonReason::EvidenceFailed && end.detail.contains("503"));
    assert_eq!(found.log.iter().filter(|event| failed(event)).count(), 3, "each attempt says why");
    assert!(found.judged_by(NO_REPLY).is_empty(), "no answer is called unjudged for it");
}
