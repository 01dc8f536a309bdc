//! One pass over the batches that are ready, as the running upstream makes it, faults included (spec 2.3 and 6).
//!
//! A pass reads the output lines of every ready request in turn. What upstream gets wrong is kept here, because scores
//! depend on it: a line that failed is read as the line before it, a score that cannot be converted ends its line, and a
//! line without a response ends the whole pass, which then changes nothing and starts again an hour later. Rule sets
//! without `upstream_collection` never come here.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::python_json::{Value, loads};
use super::scoring::{Points, Zero, points};
use super::verdict::{Gap, Verdict, lenient_items, lenient_verdict};
use crate::text::strip;

/// A stored answer of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The miner's slot.
    pub uid: i64,
    /// The answer.
    pub text: Option<String>,
    /// Its time in seconds.
    pub seconds: Option<f64>,
}

/// A line of a batch's output file.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeLine {
    /// Which request it answers.
    pub identifier: String,
    /// What it holds.
    pub outcome: LineOutcome,
}

/// What a line of a batch's output file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum LineOutcome {
    /// A reply; `None` when its content is no text.
    Content(Option<String>),
    /// No identifier, or a status other than 200.
    Failed,
    /// Something at which upstream's pass ends.
    Broken(String),
}

/// A request whose answers wait for their judgement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pending {
    /// Seconds since it was stored.
    pub age_seconds: f64,
    /// Whether its batch is completed and has an output file.
    pub completed: bool,
    /// The output.
    pub lines: Vec<JudgeLine>,
    /// Slots by line, separated by commas, as sent with the batch.
    pub metadata: BTreeMap<String, String>,
    /// Answers stored with it.
    pub stored: Vec<Stored>,
}

/// A miner that got a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Place of the request.
    pub request: usize,
    /// The slot.
    pub uid: i64,
    /// Its response time.
    pub seconds: Option<f64>,
    /// Its points.
    pub points: Points,
}

/// A miner that was listed in a line and got none.
#[derive(Debug, Clone, PartialEq)]
pub struct Skipped {
    /// Place of the request.
    pub request: usize,
    /// The slot as sent with the batch.
    pub uid: String,
    /// Why.
    pub reason: Zero,
}

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pass {
    /// Scores in order of reading.
    pub judged: Vec<Judged>,
    /// Miners without one.
    pub skipped: Vec<Skipped>,
    /// Sum of the scores of each slot over all requests.
    pub sums: BTreeMap<i64, f64>,
    /// Whether any request was ready.
    pub any_ready: bool,
    /// Places of the requests that are deleted: every ready one, judged or not.
    pub done: Vec<usize>,
    /// Why the pass ended early; then no score counts and nothing is deleted.
    pub aborted: Option<String>,
}

/// Whether answers of this age may be judged.
#[must_use]
pub fn is_ready(age_seconds: f64, rule: &Constants) -> bool {
    age_seconds > rule.judge.ready_after_seconds as f64
}

/// A line of an output file. Never fails: what upstream stumbles over is [`LineOutcome::Broken`].
#[must_use]
pub fn judge_line(raw: &str) -> JudgeLine {
    match parts_of_line(raw) {
        Ok(line) => line,
        Err(problem) => JudgeLine { identifier: String::new(), outcome: LineOutcome::Broken(problem) },
    }
}

fn parts_of_line(raw: &str) -> Result<JudgeLine, String> {
    let line = loads(strip(raw))?;
    let fields = |value: &Value| matches!(value, Value::Object(_));
    if !fields(&line) {
        return Err("no object".to_owned());
    }
    let failed = |identifier: &str| JudgeLine { identifier: identifier.to_owned(), outcome: LineOutcome::Failed };
    let identifier = match line.get("custom_id") {
        Some(Value::Text(identifier)) if !identifier.is_empty() => identifier,
        None | Some(Value::Text(_) | Value::Null) => return Ok(failed("")),
        Some(_) => return Err("an identifier that is no text".to_owned()),
    };
    let response = line.get("response").filter(|value| fields(value)).ok_or("no response")?;
    if !response.get("status_code").is_some_and(|status| status.equals(200.0)) {
        return Ok(failed(identifier));
    }
    let choices = response.get("body").and_then(|body| body.get("choices"));
    let first = match choices {
        Some(Value::List(choices)) => choices.first(),
        _ => None,
    };
    let message = first.and_then(|choice| choice.get("message")).filter(|value| fields(value));
    let content = match message.ok_or("no message")?.get("content") {
        Some(Value::Text(content)) => Some(content.clone()),
        _ => None,
    };
    Ok(JudgeLine { identifier: identifier.clone(), outcome: LineOutcome::Content(content) })
}

/// The line that is read: its slots and content. A failed line is read as the one before it.
struct Current {
    uids: Vec<String>,
    content: Option<String>,
}

/// Reads every ready request. `slots` is the number of slots of the subnet.
#[must_use]
pub fn collect(requests: &[Pending], slots: usize, rule: &Constants) -> Pass {
    let mut pass = Pass::default();
    let mut current: Option<Current> = None;
    for (at, request) in requests.iter().enumerate().filter(|(_, r)| is_ready(r.age_seconds, rule)) {
        pass.any_ready = true;
        pass.done.push(at);
        let mut reader = Reader { request: at, stored: BTreeMap::new(), slots, rule, judged: Vec::new() };
        reader.stored.extend(request.stored.iter().map(|answer| (answer.uid, answer)));
        for line in request.lines.iter().filter(|_| request.completed) {
            match next_line(line, &request.metadata) {
                Ok(Some(next)) => current = Some(next),
                Ok(None) => {}
                Err(problem) => {
                    let Pass { judged, skipped, .. } = pass;
                    return Pass { judged, skipped, any_ready: true, aborted: Some(problem), ..Pass::default() };
                }
            }
            if let Some(line) = &current {
                reader.line(line, &mut pass);
            }
        }
        pass.judged.append(&mut reader.judged);
    }
    pass
}

/// The next line to read; `None`: the one before it once more.
fn next_line(line: &JudgeLine, metadata: &BTreeMap<String, String>) -> Result<Option<Current>, String> {
    match &line.outcome {
        LineOutcome::Failed => Ok(None),
        LineOutcome::Broken(problem) => Err(problem.clone()),
        LineOutcome::Content(content) => {
            let uids =
                metadata.get(&line.identifier).ok_or_else(|| format!("no slots for line {}", line.identifier))?;
            let uids = uids.split(',').map(str::to_owned).collect();
            Ok(Some(Current { uids, content: content.clone() }))
        }
    }
}

struct Reader<'a> {
    request: usize,
    stored: BTreeMap<i64, &'a Stored>,
    slots: usize,
    rule: &'a Constants,
    judged: Vec<Judged>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Current, pass: &mut Pass) {
        let read = match &line.content {
            Some(content) => lenient_items(content, line.uids.len()),
            None => Err(Gap::Schema("no text".to_owned())),
        };
        let items = match read {
            Ok(items) => items,
            Err(gap) => return self.skip(&line.uids, &Zero::LineLost(gap.to_string()), pass),
        };
        for (at, uid) in line.uids.iter().enumerate() {
            let Some(item) = items.get(at) else {
                let gap = Gap::Count { expected: line.uids.len(), found: items.len() };
                return self.skip(&line.uids[at..], &Zero::Unjudged(gap), pass);
            };
            match self.one(uid, item, pass) {
                Ok(None) => {}
                Ok(Some(reason)) => self.skip(std::slice::from_ref(uid), &reason, pass),
                Err(problem) => return self.skip(&line.uids[at..], &Zero::LineLost(problem), pass),
            }
        }
    }

    fn skip(&self, uids: &[String], reason: &Zero, pass: &mut Pass) {
        let skipped = |uid: &String| Skipped { request: self.request, uid: uid.clone(), reason: reason.clone() };
        pass.skipped.extend(uids.iter().map(skipped));
    }

    /// Scores one answer, or says why it gets nothing.
    ///
    /// # Errors
    /// What ends the line.
    fn one(&mut self, uid_text: &str, item: &Value, pass: &mut Pass) -> Result<Option<Zero>, String> {
        let verdict = lenient_verdict(item, self.rule.judge.rejection).ok_or("a score is no number")?;
        let Verdict::Quality(quality) = verdict else { return Ok(Some(Zero::Rejected)) };
        let uid: i64 = strip(uid_text).parse().map_err(|_| format!("slot {uid_text:?} is no number"))?;
        let stored = self.stored.get(&uid);
        let complete = stored.and_then(|s| s.seconds.filter(|_| s.text.as_ref().is_some_and(|text| !text.is_empty())));
        let scoring = &self.rule.scoring;
        let points = match complete {
            Some(seconds) => points(quality, seconds, scoring),
            None if quality > scoring.floor && stored.is_none() => return Ok(Some(Zero::NotStored)),
            None if quality > scoring.floor => return Ok(Some(Zero::Incomplete)),
            None => points(quality, f64::NAN, scoring),
        };
        if usize::try_from(uid).is_ok_and(|uid| uid >= self.slots) {
            return Err(format!("slot {uid} does not exist"));
        }
        let stored = stored.ok_or_else(|| format!("the answer of slot {uid} is not stored"))?;
        self.judged.push(Judged { request: self.request, uid, seconds: stored.seconds, points });
        *pass.sums.entry(uid).or_insert(0.0) += points.total;
        Ok(None)
    }
}

#[cfg(test)]
#[path = "collection_tests.rs"]
mod tests;
