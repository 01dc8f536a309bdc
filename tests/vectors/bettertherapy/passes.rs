//! Upstream's `forward`: the part that collects judgements, and the part that asks miners and queues batches.

use domain::bettertherapy::batching::files;
use domain::bettertherapy::collection::{JudgeLine, Judged, Pass, Pending, Stored, collect, judge_line};
use domain::bettertherapy::payout::{is_ready_to_pay, rewards};
use domain::bettertherapy::scoring::Zero;
use std::collections::BTreeMap;

use super::super::json::{Found, Json, compare, naturals, object, offer};
use super::super::loosh::Call;
use super::{Words, running, words_of};

/// Slots of the stand-in metagraph: all that a subnet has.
const SLOTS: usize = 256;
const SECONDS_PER_HOUR: f64 = 3600.0;
const MILLISECONDS_PER_SECOND: u32 = 1000;

fn count(count: usize) -> Json {
    Json::Int(count as i128)
}

/// The line as it would stand in the output file.
fn raw(json: &Json) -> Found<String> {
    fn value(json: &Json) -> Found<serde_json::Value> {
        Ok(match json {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Int(value) => i64::try_from(*value).map_err(|error| error.to_string())?.into(),
            Json::Float(value) => (*value).into(),
            Json::Text(text) => text.clone().into(),
            Json::List(items) => items.iter().map(value).collect::<Found<Vec<_>>>()?.into(),
            Json::Object(fields) => {
                let field = |(key, item): &(String, Json)| Ok((key.clone(), value(item)?));
                serde_json::Value::Object(fields.iter().map(field).collect::<Found<_>>()?)
            }
        })
    }
    match json {
        // A line that is no JSON is given as its text.
        Json::Text(text) => Ok(text.clone()),
        other => Ok(value(other)?.to_string()),
    }
}

fn stored(row: &Json) -> Found<Stored> {
    let [uid, text, seconds] = row.list()? else { return Err("a row of three".to_owned()) };
    Ok(Stored { uid: uid.natural()? as i64, text: text.text().ok().map(str::to_owned), seconds: seconds.number().ok() })
}

fn pending(inputs: &Json) -> Found<Pending> {
    let metadata = inputs.at("metadata")?.fields()?.iter();
    let metadata = metadata.map(|(line, uids)| Ok((line.clone(), uids.text()?.to_owned())));
    let lines: Vec<JudgeLine> = inputs.at("judge_lines")?.map(|line| Ok(judge_line(&raw(line)?)))?;
    Ok(Pending {
        age_seconds: inputs.at("request_age_h")?.number()? * SECONDS_PER_HOUR,
        completed: inputs.at("batch_status")?.text()? == "completed",
        lines,
        metadata: metadata.collect::<Found<BTreeMap<_, _>>>()?,
        stored: inputs.at("stored_responses(uid,text,seconds)")?.map(stored)?,
    })
}

fn judged(row: &Judged) -> Json {
    object(vec![
        ("miner_id", Json::Int(row.uid.into())),
        ("response_time", row.seconds.map_or(Json::Null, Json::Float)),
        ("response_time_score", Json::Int(row.points.time_points as i128)),
        ("quality_score", Json::Float(row.points.quality_points())),
        ("total_score", Json::Float(row.points.total)),
    ])
}

/// What enters the average after a pass that came to its end, under the running burn.
fn updates(scores: &BTreeMap<i64, f64>, aborted: bool) -> Vec<(Vec<Json>, Vec<u16>)> {
    if aborted {
        return Vec::new();
    }
    let scores = scores.iter().filter_map(|(uid, score)| Some((u16::try_from(*uid).ok()?, *score))).collect();
    let found = rewards(&scores, &running().payout.burn);
    vec![(found.iter().map(|(_, reward)| Json::Float(*reward)).collect(), found.iter().map(|(uid, _)| *uid).collect())]
}

pub fn collection(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let request = pending(inputs)?;
    let answers = request.stored.len();
    let Pass { judged: rows, skipped, sums, any_ready, done, aborted } =
        collect(std::slice::from_ref(&request), SLOTS, &running());
    let blacklisted = skipped.iter().filter(|skipped| skipped.reason == Zero::Rejected);
    let update = |(rewards, uids): (Vec<Json>, Vec<u16>)| {
        object(vec![("rewards", Json::List(rewards)), ("uids", naturals(uids))])
    };
    let kept = usize::from(done.is_empty());
    Ok(offer(
        call.expected,
        vec![
            ("judged", Json::List(rows.iter().map(judged).collect())),
            ("blacklisted", Json::List(blacklisted.map(|skipped| Json::Text(skipped.uid.clone())).collect())),
            ("final_updates", Json::List(updates(&sums, aborted.is_some()).into_iter().map(update).collect())),
            ("sleep_s", Json::Int(running().collection.interval_seconds.into())),
            ("requests_left", count(kept)),
            // Deleting a request leaves its answers.
            ("responses_left", count(answers)),
            ("ready_to_set_weights", Json::Bool(is_ready_to_pay(false, any_ready, 0.0))),
        ],
    ))
}

/// A count of one stands for a word, and in other vectors for the empty text, which also has one part between spaces; a
/// vector does not say which, so that the one or the other reading of all its ones has to give what it expects.
pub fn challenge(call: &Call<'_>) -> Found<Json> {
    let word = asked(call, "w")?;
    if compare(call.expected, &word, super::super::TOLERANCE).is_empty() { Ok(word) } else { asked(call, "") }
}

fn asked(call: &Call<'_>, one: &str) -> Found<Json> {
    let inputs = call.inputs;
    let given = inputs.at("words_each")?.list()?;
    let text = |count: &Json| match count {
        Json::Null => Ok(None),
        Json::Int(1) => Ok(Some(one.to_owned())),
        count => Ok(Some(words_of(count.natural()?))),
    };
    let responders = inputs.at("responders")?.natural()? as usize;
    // Of many responders only the first are listed; the others answer alike.
    let answers = given.iter().cycle().take(responders).map(text).collect::<Found<Vec<_>>>()?;
    let borrowed: Vec<Option<&str>> = answers.iter().map(Option::as_deref).collect();
    let found = files(&borrowed, &running().judge, &Words);
    let queued = found.iter().map(|file| {
        let miners = file.lines.iter().map(|line| line.members.len()).sum();
        object(vec![("lines", count(file.lines.len())), ("miners", count(miners))])
    });
    // Without a file there is no request for the answers to hang on, and the hour ends; otherwise they hang on the last.
    let answered = if found.is_empty() { 0 } else { answers.len() };
    let rows = (1..=found.len()).map(|number| {
        let hang = if number == found.len() { answered } else { 0 };
        Json::List(vec![Json::Text(format!("b{number}")), count(hang)])
    });
    let without_text = answers.iter().take(answered).filter(|answer| answer.is_none()).count();
    let update = |(rewards, uids): (Vec<Json>, Vec<u16>)| Json::List(vec![Json::List(rewards), naturals(uids)]);
    Ok(offer(
        call.expected,
        vec![
            ("queued", Json::List(queued.collect())),
            (
                "final_updates",
                Json::List(updates(&BTreeMap::new(), found.is_empty()).into_iter().map(update).collect()),
            ),
            ("timeout", Json::Int((running().collection.deadline_ms / MILLISECONDS_PER_SECOND).into())),
            ("responses_per_request", Json::List(rows.collect())),
            ("null_text_rows", count(without_text)),
        ],
    ))
}
