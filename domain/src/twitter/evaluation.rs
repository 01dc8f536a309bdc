//! From a round's facts to what is asked of models, and from their recorded verdicts to scores.
//!
//! Responses are computed in order of hotkey, so that the order of arrival changes nothing. A drawn miner without an answer is
//! a response of another status than 200: it earns 0, and the 0 counts, as upstream scatters it.
//!
//! What upstream gets wrong is counted under every rule set, whether it has a remedy or not: see `report`.

use super::analysis::QueryAnalysis;
use super::average::RunMean;
use super::constants::{Constants, NEAR_COPIES, WeightRule};
use super::judge;
use super::mechanism::Twitter;
use super::preference::is_measurable;
use super::report::{Heard, Scored};
use super::reward::SUCCESS;
use super::running::{self, Holders};
use super::step::{self, Evidence, Response, Statistics, is_measured};
use super::task::Task;
use super::verdicts::{
    AnalysisRequest, DPO, LogitRequest, MarkRequest, PROMPT, PreferenceRequest, QUERY_ANALYSIS, RLHF, penalised_tokens,
    read_analysis, read_log_probability, read_logit, read_mark,
};
use crate::draw::Stream;
use crate::events::{DrawnMiner, FailureReason, ResponseScored, RoundEvaluated, Statistic};
use crate::mechanism::{Evaluation, EvaluationError, JudgementRequest, ResponseFact, RoundFacts, Stage, Want};
use crate::text::strip;
use crate::types::{Block, Hotkey, sha256};

/// The verdicts that are missing at a stage.
pub(super) fn wants(twitter: &Twitter, stage: Stage, facts: &RoundFacts) -> Vec<Want> {
    // Without a task there is nothing to ask; the evaluation says why.
    let Ok(task) = Task::of(facts.task.as_deref(), &facts.prompt) else { return Vec::new() };
    let constants = twitter.constants();
    let requests = match stage {
        Stage::BeforeIssue => {
            vec![request(QUERY_ANALYSIS, None, &AnalysisRequest::new(&task.prompt, &constants.analysis))]
        }
        Stage::AfterAnswers => {
            facts.responses.iter().flat_map(|response| of_response(constants, facts, &task, response)).collect()
        }
    };
    let missing = |asked: &JudgementRequest| facts.judgement(&asked.purpose, asked.hotkey).is_none();
    requests.into_iter().flatten().filter(missing).map(Want::Judgement).collect()
}

/// None only for what does not serialise, which no request of texts and finite numbers does.
fn request(purpose: &str, hotkey: Option<Hotkey>, body: &impl serde::Serialize) -> Option<JudgementRequest> {
    let request = serde_json::to_string(body).ok()?;
    Some(JudgementRequest { purpose: purpose.to_owned(), hotkey, request })
}

/// What the reward models with a weight are asked of one response.
fn of_response(
    constants: &Constants,
    facts: &RoundFacts,
    task: &Task,
    response: &ResponseFact,
) -> Vec<Option<JudgementRequest>> {
    let mut requests = Vec::new();
    if !is_measured(&Response { status: SUCCESS, completion: &response.text }, &constants.remedies) {
        return requests;
    }
    let hotkey = response.miner.hotkey;
    let (prompt, completion) = (task.prompt.clone(), strip(&response.text).to_owned());
    if constants.rewards.rlhf.weight > 0.0 {
        let body = LogitRequest { task: prompt.clone(), completion: completion.clone() };
        requests.push(request(RLHF, Some(hotkey), &body));
    }
    if constants.rewards.prompt.weight > 0.0 {
        let seed = facts.seed.unwrap_or_else(|| sha256(facts.challenge_id.as_bytes()));
        let mut stream = Stream::new(seed, &format!("judge/{}/{hotkey}", facts.attempt));
        let body = MarkRequest::new(&prompt, &completion, constants, &mut stream);
        requests.push(request(PROMPT, Some(hotkey), &body));
    }
    if asks_preference(constants, &response.text) {
        let rule = &constants.preference;
        let body = PreferenceRequest {
            task: prompt,
            completion,
            context_tokens: rule.maximum_tokens,
            repeated_tokens: rule.repeated_tokens,
            only_where_repeated: rule.only_where_repeated,
        };
        requests.push(request(DPO, Some(hotkey), &body));
    }
    requests
}

/// The floor of what cannot be measured needs no model.
fn asks_preference(constants: &Constants, completion: &str) -> bool {
    constants.rewards.dpo.weight > 0.0 && is_measurable(completion, &constants.preference)
}

/// A drawn miner with its answer, or with why there is none.
#[derive(Clone, Copy)]
pub(super) struct Drawn<'a> {
    pub(super) miner: &'a DrawnMiner,
    pub(super) answer: Result<&'a ResponseFact, FailureReason>,
}

impl<'a> Drawn<'a> {
    fn response(&self) -> Response<'a> {
        match self.answer {
            Ok(answer) => Response { status: SUCCESS, completion: &answer.text },
            Err(_) => Response { status: 0, completion: "" },
        }
    }
}

/// Scores a round.
///
/// # Errors
/// A task that is none, and verdicts that are missing or cannot be read.
pub(super) fn evaluate(twitter: &Twitter, facts: &RoundFacts) -> Result<Evaluation, EvaluationError> {
    let constants = twitter.constants();
    let task = Task::of(facts.task.as_deref(), &facts.prompt)
        .map_err(|problem| EvaluationError::MalformedTask { rule_set: twitter.rule_set().name(), problem })?;
    let (analysis, own_words) = analysis(constants, facts, &task)?;
    let answers = facts.responses.iter().map(|answer| Drawn { miner: &answer.miner, answer: Ok(answer) });
    let failures = facts.failures.iter().map(|(miner, reason)| Drawn { miner, answer: Err(*reason) });
    // As recorded: answers in order of arrival, then failures.
    let drawn: Vec<Drawn<'_>> = answers.chain(failures).collect();
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by_key(|at| drawn[*at].miner.hotkey);
    let responses: Vec<Response<'_>> = order.iter().map(|at| drawn[*at].response()).collect();
    let (evidence, heard) = evidence(constants, facts, order.iter().map(|at| drawn[*at]))?;
    let mut statistics = running::models(&facts.statistics);
    // Upstream's own tasks never have a criterion (spec 2.7), so that its validation penalty takes nothing.
    let criteria = [&constants.penalties.criteria[..], &task.criteria].concat();
    let outcome = step::evaluate(&responses, &evidence, &analysis, &criteria, &mut statistics, constants);
    let outcome = outcome.map_err(|error| unusable("rewards", None, error.to_string()))?;
    let near = constants.remedies.near_copies.unwrap_or(NEAR_COPIES);
    let (run, holders) = run(constants, facts, &drawn);
    let mut places = vec![0; drawn.len()];
    for (place, at) in order.iter().enumerate() {
        places[*at] = place;
    }
    let round = Scored {
        facts,
        constants,
        analysis: &analysis,
        own_words,
        criteria: criteria.len(),
        outcome: &outcome,
        heard: &heard,
        equal: step::sharing(&responses, &outcome.measured, None),
        near: step::sharing(&responses, &outcome.measured, Some(near)),
        holders: &holders,
    };
    let scores: Vec<ResponseScored> =
        drawn.iter().zip(places).map(|(drawn, place)| round.score(drawn, place)).collect();
    let evaluated = RoundEvaluated {
        challenge_id: facts.challenge_id.clone(),
        attempt: facts.attempt,
        rule_set: twitter.rule_set().hash(),
        // Nothing is agreed upon here: the round is as good as its rewards, and it is one when somebody earns.
        consensus: round.mean(),
        consensus_achieved: scores.iter().any(|scored| scored.score > 0.0),
        best: outcome.best.filter(|place| outcome.rewards[*place] > 0.0).map(|place| drawn[order[place]].miner.hotkey),
        components: round.components(&scores, &statistics),
        labels: Vec::new(),
        label: None,
        statistics: recorded(constants, &statistics, run, &holders, &scores),
        similarity: Block::default(),
    };
    Ok(Evaluation { scores, round: evaluated })
}

fn unusable(purpose: &str, about: Option<Hotkey>, problem: String) -> EvaluationError {
    EvaluationError::UnusableJudgement { purpose: purpose.to_owned(), about, problem }
}

fn reply<'a>(facts: &'a RoundFacts, purpose: &str, about: Option<Hotkey>) -> Result<&'a [u8], EvaluationError> {
    let missing = || EvaluationError::MissingJudgement { purpose: purpose.to_owned(), about };
    facts.judgement(purpose, about).map(|judged| judged.reply.as_slice()).ok_or_else(missing)
}

/// The validator's own analysis of its prompt, and whether it is that of the prompt's own words for want of a better one.
fn analysis(constants: &Constants, facts: &RoundFacts, task: &Task) -> Result<(QueryAnalysis, bool), EvaluationError> {
    match read_analysis(reply(facts, QUERY_ANALYSIS, None)?, &constants.analysis) {
        Ok(analysis) => Ok((analysis, false)),
        Err(_) if constants.remedies.own_words_replace_unusable_analysis => {
            Ok((QueryAnalysis::of_words(&task.prompt), true))
        }
        Err(problem) => Err(unusable(QUERY_ANALYSIS, None, problem)),
    }
}

/// Raw rewards of each response, in order, of the models that have a weight; and what is to be reported of the verdicts.
fn evidence<'a>(
    constants: &Constants,
    facts: &RoundFacts,
    drawn: impl Iterator<Item = Drawn<'a>>,
) -> Result<(Evidence<f32>, Vec<Heard>), EvaluationError> {
    let rules = &constants.rewards;
    let (mut evidence, mut all) = (Evidence::default(), Vec::new());
    for drawn in drawn {
        let (about, response) = (drawn.miner.hotkey, drawn.response());
        let measured = is_measured(&response, &constants.remedies);
        let asked = |weight: f64| measured && weight > 0.0;
        let mut heard = Heard::default();
        let mut read =
            |purpose: &str, of: &dyn Fn(&[u8]) -> Result<f32, String>| match of(reply(facts, purpose, Some(about))?) {
                Err(_) if constants.remedies.unreadable_verdicts_stand_alone => {
                    heard.unreadable += 1;
                    Ok(f32::NAN)
                }
                read => read.map_err(|problem| unusable(purpose, Some(about), problem)),
            };
        evidence.rlhf.push(if asked(rules.rlhf.weight) { Some(read(RLHF, &read_logit)?) } else { None });
        let mark = |reply: &[u8]| Ok(read_mark(reply, constants));
        evidence.prompt.push(if asked(rules.prompt.weight) { Some(read(PROMPT, &mark)?) } else { None });
        let likely = |reply: &[u8]| read_log_probability(reply, constants);
        evidence.dpo.push(match asked(rules.dpo.weight) {
            true if asks_preference(constants, response.completion) => Some(read(DPO, &likely)?),
            true => Some(constants.preference.floor as f32),
            false => None,
        });
        let said = |purpose: &str| facts.judgement(purpose, Some(about)).map(|judged| judged.reply.as_slice());
        heard.mark_in_words =
            said(PROMPT).is_some_and(|reply| judge::says_more_than_a_mark(&String::from_utf8_lossy(reply)));
        heard.penalised_tokens = said(DPO).map_or(0, |reply| penalised_tokens(reply, constants));
        all.push(heard);
    }
    Ok((evidence, all))
}

/// The run before this round and the holders of its slots after it; empty where weights do not follow from it.
fn run(constants: &Constants, facts: &RoundFacts, drawn: &[Drawn<'_>]) -> (RunMean<u16, f32>, Holders) {
    let WeightRule::RunMean { .. } = constants.weights else { return (RunMean::default(), Holders::default()) };
    let run = running::run(&facts.statistics);
    let mut holders = running::holders(&facts.statistics);
    holders.update(&run, drawn.iter().map(|drawn| (drawn.miner.uid, drawn.miner.hotkey)));
    (run, holders)
}

/// Statistics after the round; sums of the run only where weights follow from them.
fn recorded(
    constants: &Constants,
    statistics: &Statistics<f32>,
    mut run: RunMean<u16, f32>,
    holders: &Holders,
    scores: &[ResponseScored],
) -> Vec<Statistic> {
    let mut all = running::of_models(statistics);
    if let WeightRule::RunMean { alpha, rounds } = constants.weights {
        let mut rewards: Vec<(u16, f32)> = scores.iter().map(|scored| (scored.uid.0, scored.score as f32)).collect();
        rewards.sort_by_key(|(uid, _)| *uid);
        run.update(&rewards, alpha, rounds);
        all.extend(running::of_run(&run));
        all.extend(running::of_holders(holders));
    }
    all
}
