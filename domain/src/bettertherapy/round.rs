//! A round from its recorded answers and judgements to one score per answer.
//!
//! [`plan`] says who is judged together, which decides how many judgements have to be recorded; [`evaluate`] reads them.
//! The validator and the audit call both with the same recorded texts.

use std::collections::BTreeMap;

use super::batching::{File, Line, files};
use super::collection::{JudgeLine, LineOutcome, Pending, Stored, collect};
use super::constants::Constants;
use super::duplicates::repeats;
use super::scoring::{Points, Score, Zero, score};
use super::tokens::rule as token_rule;
use super::verdict::{Gap, Verdict, verdicts};

/// An answer of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer<'a> {
    /// The miner's slot: answers are judged in its order.
    pub uid: u16,
    /// The text; `None` when no answer came.
    pub text: Option<&'a str>,
    /// Seconds from sending to reading; `None` when no answer came.
    pub seconds: Option<f64>,
}

/// What came back for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The judge's text.
    Content(&'a str),
    /// A status other than success.
    Failed,
    /// Nothing at all.
    Nothing,
}

/// What a round came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// One per answer, in the order given.
    pub scores: Vec<Score>,
    /// Why upstream's pass ended without an effect; then nothing counts and averages stay.
    pub aborted: Option<String>,
}

/// Who is judged together: files of lines, whose members are places in `answers`.
#[must_use]
pub fn plan<'a>(answers: &[Answer<'a>], rule: &Constants) -> Vec<File<'a>> {
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.sort_by_key(|at| (answers[*at].uid, *at));
    let texts: Vec<Option<&str>> = order.iter().map(|at| answers[*at].text).collect();
    let mut files = files(&texts, &rule.judge, token_rule(rule.judge.tokens));
    for member in files.iter_mut().flat_map(|file| &mut file.lines).flat_map(|line| &mut line.members) {
        *member = order.get(*member).copied().unwrap_or(*member);
    }
    files
}

/// Scores a round. `answers` are in order of arrival, `files` is their [`plan`], and `replies` holds what came back for each
/// line of each file; what is not there did not come.
#[must_use]
pub fn evaluate(answers: &[Answer<'_>], files: &[File<'_>], replies: &[Vec<Reply<'_>>], rule: &Constants) -> Outcome {
    if rule.judge.upstream_collection {
        return as_upstream(answers, files, replies, rule);
    }
    let mut verdict = vec![Verdict::Missing(Gap::NoReply); answers.len()];
    let mut seen: Vec<&str> = answers.iter().map(|answer| answer.text.unwrap_or_default()).collect();
    for (line, reply) in lines(files, replies) {
        for (member, text) in line.members.iter().zip(&line.texts) {
            seen[*member] = text;
        }
        if let Reply::Content(content) = reply {
            for (member, found) in line.members.iter().zip(verdicts(content, line.members.len(), &rule.judge)) {
                verdict[*member] = found;
            }
        }
    }
    let mut scores: Vec<Score> = answers
        .iter()
        .zip(&verdict)
        .map(|(answer, verdict)| score(answer.text, answer.seconds, verdict, &rule.scoring))
        .collect();
    if let Some(rule) = &rule.duplicates {
        let paid: Vec<usize> = (0..scores.len()).filter(|at| scores[*at].reason.is_none()).collect();
        let texts: Vec<&str> = paid.iter().map(|at| seen[*at]).collect();
        for (place, earlier) in repeats(&texts, rule.similarity).into_iter().enumerate() {
            if let Some(earlier) = earlier {
                let score = &mut scores[paid[place]];
                *score = Score::zero(Zero::Duplicate(paid[earlier]), score.points.quality, true);
            }
        }
    }
    Outcome { scores, aborted: None }
}

fn lines<'f, 'a>(
    files: &'f [File<'a>],
    replies: &'f [Vec<Reply<'f>>],
) -> impl Iterator<Item = (&'f Line<'a>, Reply<'f>)> {
    files.iter().enumerate().flat_map(move |(at, file)| {
        let of_file = replies.get(at);
        file.lines.iter().enumerate().map(move |(place, line)| {
            (line, of_file.and_then(|replies| replies.get(place)).copied().unwrap_or(Reply::Nothing))
        })
    })
}

/// The round as upstream's pass reads it: one request per file, all answers stored with the last one. Scores of several
/// rounds that wait together are added by the caller.
fn as_upstream(answers: &[Answer<'_>], files: &[File<'_>], replies: &[Vec<Reply<'_>>], rule: &Constants) -> Outcome {
    let stored = answers.iter().enumerate().map(|(at, answer)| Stored {
        uid: at as i64,
        text: answer.text.map(str::to_owned),
        seconds: answer.seconds,
    });
    let stored: Vec<Stored> = stored.collect();
    let requests: Vec<Pending> = files
        .iter()
        .enumerate()
        .map(|(at, file)| {
            let last = at + 1 == files.len();
            let stored = if last { stored.clone() } else { Vec::new() };
            request(file, replies.get(at).map_or(&[], Vec::as_slice), stored)
        })
        .collect();
    let pass = collect(&requests, answers.len(), rule);
    if let Some(problem) = pass.aborted {
        let lost = Score::zero(Zero::LineLost(problem.clone()), 0.0, false);
        return Outcome { scores: vec![lost; answers.len()], aborted: Some(problem) };
    }
    let mut scores: Vec<Score> = answers.iter().map(unjudged).collect();
    for skipped in pass.skipped {
        if let Some(score) = skipped.uid.parse().ok().and_then(|at: usize| scores.get_mut(at)) {
            *score = Score::zero(skipped.reason, 0.0, true);
        }
    }
    for judged in pass.judged {
        if let Some(score) = usize::try_from(judged.uid).ok().and_then(|at| scores.get_mut(at)) {
            let total = pass.sums.get(&judged.uid).copied().unwrap_or_default();
            let reason = (total == 0.0).then_some(Zero::BelowFloor);
            *score = Score { points: Points { total, ..judged.points }, counted: true, reason };
        }
    }
    Outcome { scores, aborted: None }
}

fn unjudged(answer: &Answer<'_>) -> Score {
    let reason = match answer.text {
        None => Zero::NoAnswer,
        Some("") => Zero::Empty,
        Some(_) => Zero::Unjudged(Gap::NoReply),
    };
    Score::zero(reason, 0.0, true)
}

fn request(file: &File<'_>, replies: &[Reply<'_>], stored: Vec<Stored>) -> Pending {
    let joined = |line: &Line<'_>| line.members.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let metadata: BTreeMap<String, String> =
        file.lines.iter().map(|line| (line.identifier(""), joined(line))).collect();
    let outcome = |reply: Option<&Reply<'_>>| match reply {
        Some(Reply::Content(content)) => LineOutcome::Content(Some((*content).to_owned())),
        Some(Reply::Failed) => LineOutcome::Failed,
        Some(Reply::Nothing) | None => LineOutcome::Broken("no response".to_owned()),
    };
    let lines = file
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| JudgeLine { identifier: line.identifier(""), outcome: outcome(replies.get(at)) })
        .collect();
    Pending { age_seconds: f64::INFINITY, completed: true, lines, metadata, stored }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
