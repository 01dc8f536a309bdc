//! Rounds from facts: what each rule set makes of the same answers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::events::{DrawnMiner, FailureReason, ZeroReason};
use crate::mechanism::{JudgementFact, ResponseFact, WithoutVerdict};
use crate::twitter::constants::Remedies;
use crate::twitter::criteria::Criterion;
use crate::twitter::numbers::Recorded;
use crate::twitter::running;
use crate::twitter::verdicts::{DPO, LogitReply, PROMPT, RLHF};
use crate::types::{Position, Uid, sha256};
use proptest::prelude::*;

#[path = "derivation_tests.rs"]
mod epochs;

const ASKED: &str = "What are people saying about the SpaceX launch? #Starship";
const GOOD: &str = "Two accounts report that the SpaceX launch moved to Friday because of wind; one of them shows #Starship \
    on its pad, and a third asks whether tickets stay valid.";
const OTHER: &str =
    "The #Starship launch by SpaceX is on Friday, say three tweets. The weather on the coast is the reason.";
const SPAM: &str = "Great question! Our premium garden furniture ships free this week.";

fn twitter(version: &str) -> Twitter {
    let name = format!("twitter/{version}");
    Twitter::new(Twitter::shipped().into_iter().find(|set| set.name() == name).unwrap()).unwrap()
}

fn all() -> [Twitter; 3] {
    ["readme", "2.5.9", "assay-1"].map(twitter)
}

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_public(&[n; 32])
}

fn miner(n: u8) -> DrawnMiner {
    DrawnMiner { hotkey: hotkey(n), uid: Uid(n.into()), coldkey: hotkey(100), ip: "10.0.0.1".to_owned(), port: 1 }
}

/// Answers of miners 1, 2, … and failures of 90, 91, ….
fn facts(answers: &[&str], failures: u8) -> RoundFacts {
    let response = |(at, text): (usize, &&str)| {
        let n = u8::try_from(at + 1).unwrap();
        ResponseFact {
            position: Position(n.into()),
            miner: miner(n),
            response_time_ms: 1000 + u32::from(n),
            first_byte_ms: 100 + u32::from(n),
            text: (*text).to_owned(),
            text_hash: sha256(text.as_bytes()),
        }
    };
    RoundFacts {
        challenge_id: "c".to_owned(),
        attempt: 1,
        seed: Some(sha256(b"seed")),
        task: Some(Task::new(ASKED, 3).to_json().unwrap()),
        responses: answers.iter().enumerate().map(response).collect(),
        failures: (0..failures).map(|n| (miner(90 + n), FailureReason::TimedOut)).collect(),
        ..RoundFacts::default()
    }
}

/// Records what the mechanism asks for, as it says itself without a model, but for the replies given.
fn record(twitter: &Twitter, facts: &mut RoundFacts, replies: &[(&str, Option<u8>, &str)]) {
    for stage in [Stage::BeforeIssue, Stage::AfterAnswers] {
        for want in twitter.wants(stage, facts) {
            let Want::Judgement(request) = want else { panic!("{want:?}") };
            let told = replies
                .iter()
                .find(|(purpose, about, _)| *purpose == request.purpose && about.map(hotkey) == request.hotkey);
            let reply = told.map_or_else(|| twitter.offline(&request).unwrap(), |(_, _, reply)| (*reply).to_owned());
            facts.judgements.push(JudgementFact {
                purpose: request.purpose,
                hotkey: request.hotkey,
                reply: reply.into_bytes(),
            });
        }
        assert!(twitter.wants(stage, facts).is_empty());
    }
}

fn evaluated(twitter: &Twitter, mut facts: RoundFacts, replies: &[(&str, Option<u8>, &str)]) -> Evaluation {
    record(twitter, &mut facts, replies);
    twitter.evaluate(&facts).unwrap()
}

fn rewards(evaluation: &Evaluation) -> Vec<f64> {
    evaluation.scores.iter().map(|scored| scored.score).collect()
}

fn reasons(evaluation: &Evaluation) -> Vec<Option<ZeroReason>> {
    evaluation.scores.iter().map(|scored| scored.reason).collect()
}

fn of_round(evaluation: &Evaluation, name: &str) -> f64 {
    evaluation.round.components.iter().find(|part| part.name == name).expect(name).value
}

fn part(evaluation: &Evaluation, at: usize, name: &str) -> Option<f64> {
    evaluation.scores[at].components.iter().find(|part| part.name == name).map(|part| part.value)
}

#[test]
fn a_round_pays_summaries_by_upstreams_parts() {
    for (twitter, models) in all().into_iter().zip([3, 1, 1]) {
        let name = twitter.rule_set().name();
        let found = evaluated(&twitter, facts(&[GOOD, OTHER, SPAM], 1), &[]);
        let scores = rewards(&found);
        assert!(scores[0] > scores[2] && scores[1] > scores[2] && scores[3] == 0.0, "{name} {scores:?}");
        assert_eq!(found.scores[3].reason, Some(ZeroReason::TimedOut));
        assert!(found.scores.iter().all(|scored| scored.counted));
        assert_eq!(found.round.best, Some(hotkey(if scores[0] > scores[1] { 1 } else { 2 })), "{name}");
        let raw = running::MODELS.iter().filter(|model| part(&found, 0, model).is_some()).count();
        assert_eq!(raw, models, "{name}");
        assert_eq!(part(&found, 1, "first_token_ms"), Some(102.0));
        assert_eq!(part(&found, 0, "accuracy_match_penalty_applied"), Some(1.0));
        assert_eq!((of_round(&found, "answers"), of_round(&found, "hashtags")), (3.0, 1.0));
        assert!(found.round.consensus_achieved && found.round.similarity == crate::types::Block::default());
    }
}

#[test]
fn verdicts_are_asked_for_once_and_one_by_one() {
    for (twitter, models) in all().into_iter().zip([&[RLHF, PROMPT, DPO][..], &[RLHF], &[RLHF]]) {
        let mut facts = facts(&[GOOD, "  ", "tiny"], 1);
        let asked = |facts: &RoundFacts, stage| -> Vec<(String, Option<Hotkey>)> {
            let wants = twitter.wants(stage, facts).into_iter();
            wants
                .map(|want| match want {
                    Want::Judgement(request) => (request.purpose, request.hotkey),
                    Want::Vectors { .. } => panic!("vectors"),
                })
                .collect()
        };
        assert_eq!(asked(&facts, Stage::BeforeIssue), [(QUERY_ANALYSIS.to_owned(), None)]);
        let after = asked(&facts, Stage::AfterAnswers);
        let of = |n: u8| {
            after.iter().filter(move |(_, about)| *about == Some(hotkey(n))).map(|(purpose, _)| purpose.as_str())
        };
        assert_eq!(of(1).collect::<Vec<_>>(), models);
        // What the preference reward cannot measure has its floor without a model.
        assert_eq!(of(3).collect::<Vec<_>>(), models.iter().copied().filter(|one| *one != DPO).collect::<Vec<_>>());
        let blank_fails = twitter.constants().remedies.blank_answers_fail;
        assert_eq!(of(2).count() == 0, blank_fails);
        let missing = twitter.evaluate(&facts).unwrap_err();
        assert!(
            matches!(missing, EvaluationError::MissingJudgement { ref purpose, about: None } if purpose == QUERY_ANALYSIS)
        );
        record(&twitter, &mut facts, &[]);
        facts.judgements.truncate(1);
        let missing = twitter.evaluate(&facts).unwrap_err();
        assert!(
            matches!(missing, EvaluationError::MissingJudgement { ref purpose, about: Some(_) } if purpose == RLHF)
        );
    }
}

#[test]
fn tasks_are_the_mechanisms_or_a_clients_prompt() {
    for twitter in all() {
        let without = RoundFacts { task: None, prompt: ASKED.to_owned(), ..facts(&[GOOD], 0) };
        assert!(twitter.wants(Stage::BeforeIssue, &without) == twitter.wants(Stage::BeforeIssue, &facts(&[GOOD], 0)));
        let wrong = RoundFacts { task: Some("{}".to_owned()), ..facts(&[GOOD], 0) };
        assert!(twitter.wants(Stage::BeforeIssue, &wrong).is_empty());
        assert!(matches!(twitter.evaluate(&wrong), Err(EvaluationError::MalformedTask { .. })));
    }
}

#[test]
fn blank_answers_spam_and_copies_earn_upstream_and_not_under_ours() {
    let answers = [GOOD, GOOD, SPAM, " "];
    let upstream = evaluated(&twitter("2.5.9"), facts(&answers, 0), &[]);
    assert!(rewards(&upstream).iter().all(|reward| *reward > 0.0), "{upstream:?}");
    let ours = evaluated(&twitter("assay-1"), facts(&answers, 0), &[]);
    assert_eq!(reasons(&ours), [None, None, Some(ZeroReason::Penalised), Some(ZeroReason::EmptyAnswer)]);
    // Both rule sets report what they saw.
    for found in [&upstream, &ours] {
        assert_eq!((of_round(found, "blank_answers"), of_round(found, "equal_answers")), (1.0, 2.0));
        assert_eq!(part(found, 0, "equal_answers"), Some(2.0));
    }
    assert_eq!((part(&upstream, 0, "shared_by"), part(&ours, 0, "shared_by")), (Some(1.0), Some(2.0)));
    let weighted = part(&ours, 0, "weighted_reward").unwrap();
    assert!((rewards(&ours)[0] - weighted / 2.0).abs() < 1e-9);
}

#[test]
fn a_verdict_that_is_no_number_zeroes_all_upstream_and_one_under_ours() {
    let replies = [(RLHF, Some(1), r#"{"logit":"NaN"}"#)];
    let upstream = evaluated(&twitter("2.5.9"), facts(&[GOOD, OTHER], 0), &replies);
    assert_eq!(reasons(&upstream), [Some(ZeroReason::NoJudgement); 2]);
    assert!(upstream.round.best.is_none() && !upstream.round.consensus_achieved);
    let ours = evaluated(&twitter("assay-1"), facts(&[GOOD, OTHER], 0), &replies);
    assert_eq!(reasons(&ours), [Some(ZeroReason::NoJudgement), None]);
    for found in [&upstream, &ours] {
        assert_eq!(of_round(found, "not_finite_rewards"), 1.0);
        assert_eq!(part(found, 0, "rlhf_reward_model_not_finite"), Some(1.0));
        assert_eq!(part(found, 0, "rlhf_reward_model"), None);
    }
}

#[test]
fn a_verdict_that_cannot_be_read_ends_the_round_upstream_and_costs_its_answer_under_ours() {
    for (twitter, alone) in all().into_iter().zip([false, false, true]) {
        let mut round = facts(&[GOOD, OTHER], 0);
        record(&twitter, &mut round, &[(RLHF, Some(1), "the model is busy")]);
        match twitter.evaluate(&round) {
            Ok(found) => {
                assert!(alone);
                assert_eq!(reasons(&found), [Some(ZeroReason::NoJudgement), None]);
                assert_eq!(
                    (of_round(&found, "unreadable_verdicts"), part(&found, 1, "unreadable_verdicts")),
                    (1.0, Some(0.0))
                );
            }
            // What an abandoned round reports: which verdict, about whose answer.
            Err(error) => {
                let told = error.to_string();
                assert!(!alone && told.contains(RLHF) && told.contains(hotkey(1).as_str()), "{told}");
            }
        }
    }
}

#[test]
fn a_model_that_fails_ends_the_round_upstream_and_costs_no_more_than_it_must_under_ours() {
    for (twitter, alone) in all().into_iter().zip([false, false, true]) {
        assert_eq!(twitter.sweep_before_round(), Some(4000));
        assert_eq!((twitter.seeking(QUERY_ANALYSIS).attempts, twitter.seeking(RLHF).attempts), (2, 1));
        assert_eq!(twitter.seeking(QUERY_ANALYSIS).own_verdict_stands_in, alone);
        assert!(!twitter.seeking(RLHF).own_verdict_stands_in);
        assert_eq!(twitter.without_verdict(RLHF) == WithoutVerdict::CostsMiner, alone);
    }
}

#[test]
fn near_copies_earn_each_for_themselves_upstream_and_share_under_ours() {
    let dressed = format!("{GOOD} Great.");
    for (twitter, shares) in all().into_iter().zip([false, false, true]) {
        let found = evaluated(&twitter, facts(&[GOOD, &dressed, OTHER], 0), &[]);
        assert_eq!(of_round(&found, "near_copies"), 2.0);
        assert_eq!((part(&found, 0, "near_copies"), part(&found, 2, "near_copies")), (Some(2.0), Some(1.0)));
        assert_eq!((of_round(&found, "equal_answers"), part(&found, 1, "equal_answers")), (0.0, Some(1.0)));
        assert_eq!(part(&found, 1, "shared_by"), Some(if shares { 2.0 } else { 1.0 }));
    }
}

#[test]
fn the_validation_penalty_takes_nothing_upstream_unless_a_task_asks_for_something() {
    let stuffed = "SpaceX launch";
    for (twitter, asks) in all().into_iter().zip([false, false, true]) {
        let name = twitter.rule_set().name();
        let found = evaluated(&twitter, facts(&[GOOD, stuffed], 0), &[]);
        assert_eq!(of_round(&found, "task_criteria"), f64::from(u8::from(asks)), "{name}");
        assert_eq!(part(&found, 0, "task_validation_penalty_applied"), Some(1.0), "{name}");
        let applied = part(&found, 1, "task_validation_penalty_applied").unwrap();
        assert_eq!(applied < 0.41, asks, "{name} {applied}");
        // A client's task that asks for an answer without a list, twice as dear as the penalty may be.
        let plain = Task { criteria: vec![Criterion::Plain { penalty: 0.8 }], ..Task::new(ASKED, 3) };
        let list = format!("- {GOOD}");
        let asked = RoundFacts { task: Some(plain.to_json().unwrap()), ..facts(&[GOOD, &list], 0) };
        let found = evaluated(&twitter, asked, &[]);
        let raw = [0, 1].map(|at| part(&found, at, "task_validation_penalty_raw").unwrap() as f32);
        assert_eq!(raw, [0.0, 0.8], "{name}");
        assert_eq!(part(&found, 1, "task_validation_penalty_adjusted").unwrap() as f32, 0.6, "{name}");
        let [weighted, accuracy] =
            ["weighted_reward", "accuracy_match_penalty_applied"].map(|of| part(&found, 1, of).unwrap() as f32);
        let shared = part(&found, 1, "shared_by").unwrap() as f32;
        assert_eq!(found.scores[1].score as f32, weighted * (1.0 - 0.6) * accuracy / shared, "{name}");
    }
}

#[test]
fn what_upstreams_judge_loses_is_reported() {
    let answer = format!("{GOOD} In Summary: the Score is even.");
    let replies = [(PROMPT, Some(1), "The text asks for a 10, so 3")];
    let found = evaluated(&twitter("readme"), facts(&[&answer, OTHER], 0), &replies);
    assert_eq!((part(&found, 0, "template_words"), part(&found, 1, "template_words")), (Some(2.0), Some(0.0)));
    assert_eq!((part(&found, 0, "mark_in_words"), part(&found, 1, "mark_in_words")), (Some(1.0), Some(0.0)));
    assert_eq!((of_round(&found, "template_words"), of_round(&found, "marks_in_words")), (2.0, 1.0));
    assert_eq!(part(&found, 0, "prompt_reward_model"), Some(1.0));
    // Where the mark has no weight it is not asked for, and there is nothing to lose.
    for version in ["2.5.9", "assay-1"] {
        let found = evaluated(&twitter(version), facts(&[&answer, OTHER], 0), &[]);
        assert_eq!((of_round(&found, "template_words"), of_round(&found, "marks_in_words")), (0.0, 0.0));
    }
}

#[test]
fn tokens_that_repeat_are_reported_where_the_model_says_which_they_are() {
    let outputs = r#"{"tokens":[1,2,3,4,9,1,2,3,4],"log_probabilities":[-1,-1,-1,-1,-1,-1,-1,-1,-1],
        "log_sums":[0,0,0,0,0,0,0,0,0],"repeated":[[-3],[-3],[-3],[-3],[-1],[-3],[-3],[-3],[-3]],"mean":0,"deviation":1}"#;
    let found = evaluated(&twitter("readme"), facts(&[GOOD, OTHER], 0), &[(DPO, Some(1), outputs)]);
    assert_eq!((part(&found, 0, "penalised_tokens"), part(&found, 1, "penalised_tokens")), (Some(1.0), Some(0.0)));
    assert_eq!(of_round(&found, "penalised_tokens"), 1.0);
}

#[test]
fn what_the_accuracy_penalty_overlooks_is_reported() {
    for twitter in all() {
        let key = if twitter.rule_set().name() == "twitter/readme" { "query_string" } else { "api_params" };
        let reply = format!(
            r##"{{"{key}":"x","keywords":["launch","AI",""],"hashtags":["#Starship"],"user_mentions":["@a","b"]}}"##
        );
        let chairs =
            "Buy two chairs and get one free, from the launch of the shop on; and two more of them for a friend.";
        let found = evaluated(&twitter, facts(&[GOOD, chairs], 0), &[(QUERY_ANALYSIS, None, &reply)]);
        assert_eq!((of_round(&found, "signed_terms"), of_round(&found, "empty_terms")), (2.0, 1.0));
        assert_eq!(part(&found, 1, "keywords_inside_words"), Some(1.0), "{}", twitter.rule_set().name());
        let hits = part(&found, 1, "keyword_hits").unwrap();
        assert_eq!(hits, if twitter.constants().penalties.inside_words { 3.0 } else { 1.0 });
    }
}

#[test]
fn one_answer_alone_poisons_the_statistics_upstream_and_not_under_ours() {
    for (twitter, poisoned) in all().into_iter().zip([true, true, false]) {
        let mut statistics = Vec::new();
        for logit in [1.0, 2.0, 4.0] {
            let reply = serde_json::to_string(&LogitReply { logit: Recorded(logit) }).unwrap();
            let round = RoundFacts { statistics, ..facts(&[GOOD], 0) };
            let found = evaluated(&twitter, round, &[(RLHF, Some(1), &reply)]);
            // The first answer of all stands in the middle of itself, so that nothing scales it yet.
            assert!(logit == 1.0 || (of_round(&found, "unscaled_models") > 0.0) == poisoned);
            statistics = found.round.statistics;
        }
        let variance = running::models(&statistics).rlhf.variance.0;
        assert_eq!(variance.is_nan(), poisoned, "{}", twitter.rule_set().name());
        assert_eq!(running::models(&statistics).rlhf.count, 3);
    }
}

#[test]
fn an_unusable_analysis_costs_the_round_upstream_and_not_under_ours() {
    for (twitter, survives) in all().into_iter().zip([false, false, true]) {
        let mut round = facts(&[GOOD, SPAM], 0);
        record(&twitter, &mut round, &[(QUERY_ANALYSIS, None, "I cannot do that.")]);
        match twitter.evaluate(&round) {
            Ok(found) => {
                assert!(survives && found.scores[1].reason == Some(ZeroReason::Penalised));
                assert_eq!(of_round(&found, "own_words_analysis"), 1.0);
            }
            Err(error) => {
                assert!(
                    !survives && matches!(error, EvaluationError::UnusableJudgement { about: None, .. }),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn signs_of_an_analysis_are_doubled_upstream_and_not_under_ours() {
    // A model writes hashtags with their sign, as upstream's own example does.
    for (twitter, charged) in all().into_iter().zip([true, true, false]) {
        let key = if twitter.rule_set().name() == "twitter/readme" { "query_string" } else { "api_params" };
        let reply = format!(r##"{{"{key}":"x","keywords":["SpaceX"],"hashtags":["#Starship"],"user_mentions":[]}}"##);
        let found = evaluated(&twitter, facts(&[GOOD, OTHER], 0), &[(QUERY_ANALYSIS, None, &reply)]);
        let applied = part(&found, 0, "accuracy_match_penalty_applied").unwrap();
        assert_eq!(applied < 1.0, charged, "{} {applied}", twitter.rule_set().name());
    }
}

#[test]
fn a_miners_own_analysis_has_no_say() {
    for twitter in all() {
        let body =
            format!(r#"{{"messages":"q","completion":"{SPAM}","prompt_analysis":{{"keywords":["furniture"]}}}}"#);
        let text = twitter.parse_response(body.as_bytes()).unwrap();
        let bare = evaluated(&twitter, facts(&[GOOD, SPAM], 0), &[]);
        assert_eq!(evaluated(&twitter, facts(&[GOOD, &text], 0), &[]), bare);
    }
}

#[test]
fn remedies_are_all_off_upstream_and_all_on_under_ours() {
    let all_of = |on: bool| Remedies {
        blank_answers_fail: on,
        only_finite_rewards: on,
        equal_answers_share: on,
        absent_miners_count: on,
        own_words_replace_unusable_analysis: on,
        unreadable_verdicts_stand_alone: on,
        near_copies: on.then_some(0.8),
    };
    for (twitter, on) in all().into_iter().zip([false, false, true]) {
        assert_eq!(twitter.constants().remedies, all_of(on));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn scores_are_bounded_and_follow_their_miners(
        texts in prop::collection::vec("(SpaceX|launch|#Starship|coin| |rain){0,6}", 1..7),
        failures in 0u8..3,
        turn in 0usize..7,
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for twitter in all() {
            let straight = evaluated(&twitter, facts(&texts, failures), &[]);
            prop_assert!(crate::finite::check(&straight.scores).is_ok() && crate::finite::check(&straight.round).is_ok());
            for scored in &straight.scores {
                prop_assert!((0.0..=1.0).contains(&scored.score));
                prop_assert_eq!(scored.reason.is_some(), scored.score == 0.0);
            }
            let mut turned = facts(&texts, failures);
            turned.responses.rotate_left(turn % texts.len());
            turned.failures.reverse();
            let turned = evaluated(&twitter, turned, &[]);
            for scored in &turned.scores {
                prop_assert!(straight.scores.contains(scored));
            }
            prop_assert_eq!(turned.round, straight.round);
        }
    }
}
