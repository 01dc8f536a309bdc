//! From a round's facts to what is asked of models, and from their recorded verdicts to scores.
//!
//! Responses are computed in order of hotkey, so that the order of arrival changes nothing. A drawn miner without an answer is
//! a response of another status than 200: it earns 0, and the 0 counts, as upstream scatters it.
//!
//! What upstream gets wrong is counted under every rule set, whether it has a remedy or not: blank and equal answers, raw
//! rewards that are no finite number, models whose variance does not scale.

use super::analysis::QueryAnalysis;
use super::average::RunMean;
use super::constants::{Constants, WeightRule};
use super::mechanism::Twitter;
use super::numbers;
use super::preference::is_measurable;
use super::reward::SUCCESS;
use super::running::{self, MODELS};
use super::step::{self, Evidence, Outcome, Response, Statistics, is_measured};
use super::task::Task;
use super::verdicts::{
    AnalysisRequest, DPO, LogitRequest, MarkRequest, PROMPT, PreferenceRequest, QUERY_ANALYSIS, RLHF, read_analysis,
    read_log_probability, read_logit, read_mark,
};
use crate::draw::Stream;
use crate::events::{Component, DrawnMiner, FailureReason, ResponseScored, RoundEvaluated, Statistic, ZeroReason};
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
        let (context_tokens, repeated_tokens) =
            (constants.preference.maximum_tokens, constants.preference.repeated_tokens);
        let body = PreferenceRequest { task: prompt, completion, context_tokens, repeated_tokens };
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
struct Drawn<'a> {
    miner: &'a DrawnMiner,
    answer: Result<&'a ResponseFact, FailureReason>,
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
    let analysis = analysis(constants, facts, &task)?;
    let answers = facts.responses.iter().map(|answer| Drawn { miner: &answer.miner, answer: Ok(answer) });
    let failures = facts.failures.iter().map(|(miner, reason)| Drawn { miner, answer: Err(*reason) });
    // As recorded: answers in order of arrival, then failures.
    let drawn: Vec<Drawn<'_>> = answers.chain(failures).collect();
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by_key(|at| drawn[*at].miner.hotkey);
    let responses: Vec<Response<'_>> = order.iter().map(|at| drawn[*at].response()).collect();
    let evidence = evidence(constants, facts, order.iter().map(|at| drawn[*at]))?;
    let mut statistics = running::models(&facts.statistics);
    // Upstream's task never has a criterion (spec 2.7), so that its validation penalty takes nothing.
    let outcome = step::evaluate(&responses, &evidence, &analysis, &[], &mut statistics, constants);
    let outcome = outcome.map_err(|error| unusable("rewards", None, error.to_string()))?;
    let equal = step::sharing(&responses, &outcome.measured);
    let mut places = vec![0; drawn.len()];
    for (place, at) in order.iter().enumerate() {
        places[*at] = place;
    }
    let round = Scored { facts, outcome: &outcome, equal: &equal };
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
        components: round.components(&analysis, &statistics, constants),
        labels: Vec::new(),
        label: None,
        statistics: recorded(constants, facts, &statistics, &scores),
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

/// The validator's own analysis of its prompt.
fn analysis(constants: &Constants, facts: &RoundFacts, task: &Task) -> Result<QueryAnalysis, EvaluationError> {
    match read_analysis(reply(facts, QUERY_ANALYSIS, None)?, &constants.analysis) {
        Ok(analysis) => Ok(analysis),
        Err(_) if constants.remedies.own_words_replace_unusable_analysis => Ok(QueryAnalysis::of_words(&task.prompt)),
        Err(problem) => Err(unusable(QUERY_ANALYSIS, None, problem)),
    }
}

/// Raw rewards of each response, in order, of the models that have a weight.
fn evidence<'a>(
    constants: &Constants,
    facts: &RoundFacts,
    drawn: impl Iterator<Item = Drawn<'a>>,
) -> Result<Evidence<f32>, EvaluationError> {
    let rules = &constants.rewards;
    let mut evidence = Evidence::default();
    for drawn in drawn {
        let (about, response) = (drawn.miner.hotkey, drawn.response());
        let measured = is_measured(&response, &constants.remedies);
        let asked = |weight: f64| measured && weight > 0.0;
        let read = |purpose: &str, of: &dyn Fn(&[u8]) -> Result<f32, String>| {
            let reply = reply(facts, purpose, Some(about))?;
            of(reply).map_err(|problem| unusable(purpose, Some(about), problem))
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
    }
    Ok(evidence)
}

/// Statistics after the round; sums of the run only where weights follow from them.
fn recorded(
    constants: &Constants,
    facts: &RoundFacts,
    statistics: &Statistics<f32>,
    scores: &[ResponseScored],
) -> Vec<Statistic> {
    let mut all = running::of_models(statistics);
    if let WeightRule::RunMean { alpha, rounds } = constants.weights {
        let mut run: RunMean<u16, f32> = running::run(&facts.statistics);
        let mut rewards: Vec<(u16, f32)> = scores.iter().map(|scored| (scored.uid.0, scored.score as f32)).collect();
        rewards.sort_by_key(|(uid, _)| *uid);
        run.update(&rewards, alpha, rounds);
        all.extend(running::of_run(&run));
    }
    all
}

/// A round that is computed.
struct Scored<'a> {
    facts: &'a RoundFacts,
    outcome: &'a Outcome<f32>,
    /// Among how many equal answers each is, whether they share or not.
    equal: &'a [u64],
}

impl Scored<'_> {
    fn score(&self, drawn: &Drawn<'_>, place: usize) -> ResponseScored {
        let reward = self.outcome.rewards[place];
        ResponseScored {
            challenge_id: self.facts.challenge_id.clone(),
            attempt: self.facts.attempt,
            hotkey: drawn.miner.hotkey,
            uid: drawn.miner.uid,
            score: f64::from(reward),
            counted: true,
            filtered: None,
            reason: (reward == 0.0).then(|| self.reason(drawn, place)),
            components: drawn.answer.map_or_else(|_| Vec::new(), |answer| self.parts(answer, place)),
        }
    }

    /// Why a reward is 0.
    fn reason(&self, drawn: &Drawn<'_>, place: usize) -> ZeroReason {
        let outcome = self.outcome;
        match drawn.answer {
            Err(reason) => reason.into(),
            Ok(_) if !outcome.measured[place] => ZeroReason::EmptyAnswer,
            Ok(_) if outcome.weighted[place] > 0.0 => ZeroReason::Penalised,
            // A raw reward that is no finite number, or one that such a number spoilt.
            Ok(_)
                if outcome
                    .models
                    .iter()
                    .flatten()
                    .any(|model| !numbers::is_finite(model.raw[place]) || numbers::is_nan(model.logged[place])) =>
            {
                ZeroReason::NoJudgement
            }
            Ok(_) => ZeroReason::JudgedZero,
        }
    }

    /// Components of an answer under upstream's names.
    fn parts(&self, answer: &ResponseFact, place: usize) -> Vec<Component> {
        let outcome = self.outcome;
        let mut parts = vec![
            component("response_time_ms", f64::from(answer.response_time_ms)),
            component("first_token_ms", f64::from(answer.first_byte_ms)),
        ];
        for (name, model) in MODELS.into_iter().zip(&outcome.models) {
            let Some(model) = model.as_ref().filter(|_| outcome.measured[place]) else { continue };
            let raw = model.raw[place];
            // The record holds no NaN: the verdict's reply does.
            parts.push(match numbers::is_finite(raw) {
                true => component(name, f64::from(raw)),
                false => component(&format!("{name}_not_finite"), 1.0),
            });
            parts.push(component(&format!("{name}_normalized"), f64::from(model.normalised[place])));
        }
        parts.push(component("weighted_reward", f64::from(outcome.weighted[place])));
        let penalties =
            [("task_validation_penalty", &outcome.task_validation), ("accuracy_match_penalty", &outcome.accuracy)];
        for (name, penalty) in penalties {
            parts.push(component(&format!("{name}_raw"), f64::from(penalty.raw[place])));
            parts.push(component(&format!("{name}_adjusted"), f64::from(penalty.adjusted[place])));
            parts.push(component(&format!("{name}_applied"), f64::from(penalty.applied[place])));
        }
        parts.push(component("equal_answers", self.equal[place] as f64));
        parts.push(component("shared_by", outcome.sharing[place] as f64));
        parts
    }

    /// Mean reward of the drawn miners; 0 for nobody.
    fn mean(&self) -> f64 {
        f64::from(super::payout::mean_or_zero(&self.outcome.rewards))
    }

    fn components(
        &self,
        analysis: &QueryAnalysis,
        statistics: &Statistics<f32>,
        constants: &Constants,
    ) -> Vec<Component> {
        let count = |what: usize| what as f64;
        let outcome = self.outcome;
        let blank = self.facts.responses.iter().filter(|answer| strip(&answer.text).is_empty()).count();
        let not_finite = (0..outcome.measured.len()).filter(|at| {
            outcome.measured[*at] && outcome.models.iter().flatten().any(|model| !numbers::is_finite(model.raw[*at]))
        });
        let states = [&statistics.rlhf, &statistics.prompt, &statistics.dpo];
        let least = constants.normalisation.minimum_variance as f32;
        let unscaled = states.into_iter().zip(&outcome.models).filter(|(state, model)| {
            let scales = state.variance.0 > least;
            model.is_some() && !scales
        });
        vec![
            component("mean_reward", self.mean()),
            component("answers", count(self.facts.responses.len())),
            component("measured_answers", count(outcome.measured.iter().filter(|measured| **measured).count())),
            component("blank_answers", count(blank)),
            component("equal_answers", count(self.equal.iter().filter(|equal| **equal > 1).count())),
            component("not_finite_rewards", count(not_finite.count())),
            component("unscaled_models", count(unscaled.count())),
            component("keywords", count(analysis.keywords.len())),
            component("hashtags", count(analysis.hashtags.len())),
            component("user_mentions", count(analysis.user_mentions.len())),
        ]
    }
}

fn component(name: &str, value: f64) -> Component {
    Component { name: name.to_owned(), value }
}
