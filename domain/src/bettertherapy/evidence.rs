//! The verdicts that a round needs, as requests, and what answers them where no model is configured.
//!
//! Before any miner is asked: the base answer ([`BASE`]). Once all have answered: the quality of the answers. Where each
//! answer is judged by itself there is one judgement per response, named [`QUALITY`] and about its miner. Where answers share
//! a judgement, as upstream has them, there is one per line, named `quality/<file>/<line>` and about the round.
//!
//! A record made under one grouping can be scored under the other ([`Board::replies`]): verdicts of single answers make up a
//! line, and of a recorded line each answer has its place.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::batching::{File, Line};
use super::constants::Constants;
use super::generator;
use super::offline;
use super::request::{DATA, Request, judge};
use super::round::{Answer, Reply, plan};
use super::selection::{Reason, Slot, exclusions};
use super::task::Asked;
use super::verdict::{Verdict, verdicts};
use crate::events::DrawnMiner;
use crate::mechanism::{EvaluationError, JudgementRequest, RoundFacts, Stage, Want};
use crate::types::Hotkey;

/// Purpose of the judgement that holds a round's question and base answer.
pub const BASE: &str = "question_and_base_answer";
/// Purpose of the judgement of one answer, and the beginning of a line's.
pub const QUALITY: &str = "quality";

/// What a model is asked. Fields that no model sees stand last.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    system: String,
    user: String,
    maximum_tokens: u32,
    schema: Box<RawValue>,
    /// The pair that stands in the task, for [`offline`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pair: Option<Pair>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    question: String,
    answer: String,
}

/// Whether a purpose is the judgement of an answer or of a line.
#[must_use]
pub fn is_quality(purpose: &str) -> bool {
    purpose.strip_prefix(QUALITY).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The canonical JSON of a request.
///
/// # Errors
/// A schema that is no JSON.
fn text(request: Request, pair: Option<Pair>) -> Result<String, serde_json::Error> {
    let Request { system, user, maximum_tokens, schema } = request;
    serde_json::to_string(&Question { system, user, maximum_tokens, schema: RawValue::from_string(schema)?, pair })
}

/// The request that has a model write a question, for a validator that makes its challenges so.
///
/// # Errors
/// None that occurs: the schema is a constant.
pub fn question_request() -> Result<JudgementRequest, serde_json::Error> {
    let request = text(generator::question_request(), None)?;
    Ok(JudgementRequest { purpose: "question".to_owned(), hotkey: None, request })
}

/// The base answer of a round, as recorded.
///
/// # Errors
/// When none is recorded, or the recorded reply holds none.
pub fn base_answer(facts: &RoundFacts) -> Result<String, EvaluationError> {
    let missing = || EvaluationError::MissingJudgement { purpose: BASE.to_owned(), about: None };
    let recorded = facts.judgement(BASE, None).ok_or_else(missing)?;
    generator::answer(&String::from_utf8_lossy(&recorded.reply)).map_err(|_| missing())
}

/// What is still missing at a stage.
#[must_use]
pub fn wants(stage: Stage, facts: &RoundFacts, rule: &Constants) -> Vec<Want> {
    // A task that cannot be read gets no evidence: it cannot be issued either, which says why.
    let Ok(asked) = Asked::of(&facts.challenge_id, facts.task.as_deref(), &facts.prompt) else { return Vec::new() };
    let found = match stage {
        Stage::BeforeIssue if facts.judgement(BASE, None).is_none() => base_request(asked).map(|want| vec![want]),
        Stage::BeforeIssue => Ok(Vec::new()),
        Stage::AfterAnswers => match base_answer(facts) {
            Ok(base) => qualities(facts, &asked.question, &base, rule),
            Err(_) => Ok(Vec::new()),
        },
    };
    // Texts and finite numbers always serialise.
    found.unwrap_or_default().into_iter().map(Want::Judgement).collect()
}

fn base_request(asked: Asked) -> Result<JudgementRequest, serde_json::Error> {
    let request = generator::answer_request(&asked.question);
    let pair = asked.base_answer.map(|answer| Pair { question: asked.question, answer });
    Ok(JudgementRequest { purpose: BASE.to_owned(), hotkey: None, request: text(request, pair)? })
}

fn qualities(
    facts: &RoundFacts,
    question: &str,
    base: &str,
    rule: &Constants,
) -> Result<Vec<JudgementRequest>, serde_json::Error> {
    let board = Board::of(facts, rule);
    let mut found = Vec::new();
    for (file, line) in board.lines() {
        let (purpose, hotkey) = board.name(file, line, rule);
        if facts.judgement(&purpose, hotkey).is_none() && facts.failed_call(&purpose, hotkey).is_none() {
            let request = text(judge(question, base, &line.texts, &rule.judge), None)?;
            found.push(JudgementRequest { purpose, hotkey, request });
        }
    }
    Ok(found)
}

/// The reply to a request where no model is configured: the shipped pair, or the verdict of the judge that reads words only.
#[must_use]
pub fn offline_reply(request: &JudgementRequest, rule: &Constants) -> Option<String> {
    let question: Question = serde_json::from_str(&request.request).ok()?;
    if request.purpose == BASE {
        return serde_json::to_string(&question.pair?).ok();
    }
    if !is_quality(&request.purpose) {
        return None;
    }
    #[derive(Deserialize)]
    struct Data {
        question: String,
        base_answer: String,
        answers: Vec<Numbered>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        text: String,
    }
    let line = question.user.lines().find_map(|line| line.strip_prefix(DATA))?;
    let data: Data = serde_json::from_str(line).ok()?;
    let answers: Vec<&str> = data.answers.iter().map(|answer| answer.text.as_str()).collect();
    Some(offline::reply(&data.question, &data.base_answer, &answers, &rule.judge))
}

/// What is recorded of a line's judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineReply {
    /// The judge's text.
    Content(String),
    /// The model refused the request: in upstream's output file a status other than success.
    Failed,
    /// No reply came: in upstream's output file a line without a response.
    Nothing,
}

impl LineReply {
    /// As a round reads it.
    #[must_use]
    pub fn read(&self) -> Reply<'_> {
        match self {
            Self::Content(text) => Reply::Content(text),
            Self::Failed => Reply::Failed,
            Self::Nothing => Reply::Nothing,
        }
    }
}

/// The answers of a round that are judged, and who is judged together.
#[derive(Debug)]
pub struct Board<'a> {
    facts: &'a RoundFacts,
    /// Why a response is not judged, by its place among the responses.
    pub excluded: Vec<Option<Reason>>,
    /// Places of the judged among the responses.
    pub places: Vec<usize>,
    /// The judged, in order of arrival.
    pub answers: Vec<Answer<'a>>,
    /// Their grouping; members are places in `answers`.
    pub files: Vec<File<'a>>,
}

impl<'a> Board<'a> {
    /// Sorts a round's responses.
    #[must_use]
    pub fn of(facts: &'a RoundFacts, rule: &Constants) -> Self {
        let excluded = over_quota(facts, rule);
        let places: Vec<usize> = (0..facts.responses.len()).filter(|at| excluded[*at].is_none()).collect();
        let answer = |at: &usize| {
            let response = &facts.responses[*at];
            let seconds = f64::from(response.response_time_ms) / 1000.0;
            Answer { uid: response.miner.uid.0, text: Some(&response.text), seconds: Some(seconds) }
        };
        let answers: Vec<Answer<'a>> = places.iter().map(answer).collect();
        let files = plan(&answers, rule);
        Self { facts, excluded, places, answers, files }
    }

    /// Every line with the number of its file, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &Line<'a>)> {
        self.files.iter().zip(1..).flat_map(|(file, number)| file.lines.iter().map(move |line| (number, line)))
    }

    fn hotkey(&self, member: usize) -> Hotkey {
        self.facts.responses[self.places[member]].miner.hotkey
    }

    /// Purpose and subject of a line's judgement.
    fn name(&self, file: usize, line: &Line<'_>, rule: &Constants) -> (String, Option<Hotkey>) {
        match (rule.judge.answers_per_line, &line.members[..]) {
            (Some(1), [member]) => (QUALITY.to_owned(), Some(self.hotkey(*member))),
            _ => (format!("{QUALITY}/{file}/{}", line.number), None),
        }
    }

    /// The judge's reply to every line of every file, or that it failed.
    ///
    /// # Errors
    /// When neither is recorded.
    pub fn replies(&self, rule: &Constants) -> Result<Vec<Vec<LineReply>>, EvaluationError> {
        let of_file =
            |(file, number): (&File<'a>, usize)| file.lines.iter().map(|line| self.reply(number, line, rule)).collect();
        self.files.iter().zip(1..).map(of_file).collect()
    }

    fn reply(&self, file: usize, line: &Line<'a>, rule: &Constants) -> Result<LineReply, EvaluationError> {
        let (purpose, about) = self.name(file, line, rule);
        if let Some(found) = self.recorded(&purpose, about) {
            return Ok(LineReply::Content(found.into_owned()));
        }
        if let Some(failed) = self.facts.failed_call(&purpose, about) {
            return Ok(if failed.refused { LineReply::Failed } else { LineReply::Nothing });
        }
        let scores: Option<Vec<f64>> = line.members.iter().map(|member| self.alone(*member, rule)).collect();
        let composed = scores.and_then(|scores| serde_json::to_string(&serde_json::json!({ "scores": scores })).ok());
        composed.map(LineReply::Content).ok_or(EvaluationError::MissingJudgement { purpose, about })
    }

    fn recorded(&self, purpose: &str, about: Option<Hotkey>) -> Option<Cow<'a, str>> {
        self.facts.judgement(purpose, about).map(|judged| String::from_utf8_lossy(&judged.reply))
    }

    /// The number that a record of another grouping gives to one answer.
    fn alone(&self, member: usize, rule: &Constants) -> Option<f64> {
        let number = |verdict: &Verdict| match verdict {
            Verdict::Quality(quality) => Some(*quality),
            Verdict::Rejected => Some(rule.judge.rejection.unwrap_or(0.0)),
            Verdict::Missing(_) => None,
        };
        if let Some(reply) = self.recorded(QUALITY, Some(self.hotkey(member))) {
            return number(verdicts(&reply, 1, &rule.judge).first()?);
        }
        let files = plan(&self.answers, &Constants::v1_2_2());
        let mut lines =
            files.iter().zip(1..).flat_map(|(file, number)| file.lines.iter().map(move |line| (number, line)));
        let (file, line) = lines.find(|(_, line)| line.members.contains(&member))?;
        let place = line.members.iter().position(|other| *other == member)?;
        let reply = self.recorded(&format!("{QUALITY}/{file}/{}", line.number), None)?;
        number(verdicts(&reply, line.members.len(), &rule.judge).get(place)?)
    }
}

/// Which responses are one too many of their address, endpoint or coldkey (spec 3.3), by the miners that were drawn. The draw
/// leaves such slots out; where they were asked nevertheless, they are neither judged nor paid. Slots that were not drawn use
/// nothing up.
fn over_quota(facts: &RoundFacts, rule: &Constants) -> Vec<Option<Reason>> {
    let mut drawn: Vec<&DrawnMiner> = facts.responses.iter().map(|response| &response.miner).collect();
    drawn.extend(facts.failures.iter().map(|(miner, _)| miner));
    drawn.sort_by_key(|miner| (miner.uid, miner.hotkey));
    let slot = |miner: &&'_ DrawnMiner| (miner.ip.clone(), miner.port, miner.coldkey.to_string());
    let owned: Vec<(String, u16, String)> = drawn.iter().map(slot).collect();
    let slots: Vec<Slot<'_>> = owned
        .iter()
        .map(|(address, port, coldkey)| Slot {
            address,
            port: *port,
            serving: true,
            coldkey,
            permit: false,
            stake: 0.0,
            blocked: false,
        })
        .collect();
    let reasons = exclusions(&slots, &rule.selection);
    let of = |hotkey: Hotkey| drawn.iter().position(|miner| miner.hotkey == hotkey).and_then(|at| reasons[at]);
    facts.responses.iter().map(|response| of(response.miner.hotkey)).collect()
}
