//! Adapters for rules of later versions. JSON to arguments, results to JSON.

use domain::twitter::later::{self, links};
use domain::twitter::numbers::Real;

use super::{Call, Found, Json, cases, in_precision, names, number, shaped, spelled, spelled_all};
use crate::json::offer;

const CASES: [&str; 1] = ["cases"];
const TIMES: [&str; 7] =
    ["times", "process_times", "process_time", "axon_times", "axon_time", "response_times", "time"];
const LIMITS: [&str; 6] =
    ["max_execution_time", "query_timeout", "timeout", "max_time", "limit", "max_execution_times"];

pub fn adjusted(call: &Call<'_>) -> Found<Json> {
    let (cases, listed) = cases(call, &CASES);
    let one = |case: &Json| {
        let natural = |keys: &[&str], usual: u64| case.any(keys).map_or(Ok(usual), Json::natural);
        let count = natural(&["links_count", "links"], 0)?;
        let duplicates = natural(&["duplicates", "duplicate_count", "duplicated_links_count"], 0)?;
        let expected = natural(&["max_links_threshold", "max_links", "threshold"], links::EXPECTED)?;
        Ok(Json::Float(links::adjusted(case.at("score")?.number()?, count, duplicates, expected)))
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

/// A list of times with one limit (or one limit each).
fn timed(case: &Json) -> Found<(Vec<Option<f64>>, Vec<f64>, bool)> {
    let optional = |json: &Json| match json {
        Json::Null => Ok(None),
        other => number(other).map(Some),
    };
    let (times, listed) = match case.any(&TIMES) {
        Ok(Json::List(items)) => (items.iter().map(optional).collect::<Found<Vec<_>>>()?, true),
        Ok(one) => (vec![optional(one)?], false),
        // A time of null is not found by its key.
        Err(_) => (vec![None], false),
    };
    let limits = match case.any(&LIMITS)? {
        Json::List(items) => items.iter().map(Json::number).collect::<Found<Vec<_>>>()?,
        one => vec![one.number()?; times.len()],
    };
    Ok((times, limits, listed))
}

fn by_time(call: &Call<'_>, rule: impl Fn(Option<f64>, f64) -> Json) -> Found<Json> {
    let (cases, listed) = cases(call, &CASES);
    let one = |case: &Json| {
        let (times, limits, list) = timed(case)?;
        if limits.len() == times.len() {
            shaped(times.iter().zip(&limits).map(|(time, limit)| rule(*time, *limit)).collect(), list)
        } else {
            // Several limits: a row for each.
            let row = |limit: &f64| Json::List(times.iter().map(|time| rule(*time, *limit)).collect());
            Ok(Json::List(limits.iter().map(row).collect()))
        }
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

pub fn performance(call: &Call<'_>) -> Found<Json> {
    if call.inputs.any(&LIMITS).is_err() && call.inputs.get("cases").is_none() {
        return ranked(call);
    }
    let plain = names(call, "sigmoid_scale")? && !names(call, "reward")?;
    by_time(call, |time, limit| {
        let seconds = later::counted_time(time, true, limit);
        Json::Float(if plain { later::speed(seconds, limit) } else { later::performance(seconds, limit) })
    })
}

pub fn ranked(call: &Call<'_>) -> Found<Json> {
    let (cases, listed) = cases(call, &CASES);
    let one = |case: &Json| {
        let most = case.get("max_reward").map_or(Ok(1.0), Json::number)?;
        let least = case.get("min_reward").map_or(Ok(0.1), Json::number)?;
        let times = case.any(&TIMES)?.map(number)?;
        Ok(spelled_all(&later::ranked(&times, most, least)))
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

pub fn penalties(call: &Call<'_>) -> Found<Json> {
    in_precision(call, penalties_in::<f32>, penalties_in::<f64>)
}

fn penalties_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    if names(call, "ExponentialTimePenaltyModel")? {
        return by_time(call, |time, limit| spelled(later::slowness::<R>(time, limit)));
    }
    if names(call, "StreamingPenaltyModel")? {
        let given = call.inputs.any(&["token_counts", "tokens_per_chunk", "chunk_token_counts", "cases", "chunks"])?;
        let nested = given.list()?.iter().any(|item| matches!(item, Json::List(_) | Json::Null));
        let of = |row: &Json| match row {
            Json::Null => Ok(spelled(later::lumps::<R>(&[]))),
            row => Ok(spelled(later::lumps::<R>(&row.naturals()?))),
        };
        return if nested { given.map(of).map(Json::List) } else { of(given) };
    }
    let maximum = call.inputs.get("max_penalty").map_or(Ok(0.9), Json::number)?;
    let (cases, listed) = cases(call, &CASES);
    let one = |case: &Json| {
        let count = |keys: &[&str]| {
            case.any(keys).and_then(|value| value.list().map(|l| l.len() as u64).or_else(|_| value.natural()))
        };
        let all = count(&["links", "twitter_links", "total_links", "total"])?;
        let found = count(&["valid_links", "links_content", "valid"])?;
        let foreign = case.any(&["foreign", "all_valid_domains"]).and_then(Json::flag).unwrap_or(true);
        Ok(spelled(R::near(links::inverted_link_penalty(all, found, foreign, maximum))))
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

pub fn relevance(call: &Call<'_>) -> Found<Json> {
    let (cases, listed) = cases(call, &CASES);
    let one = |case: &Json| {
        let marks = |keys: &[&str]| case.any(keys).map_or(Ok(Vec::new()), Json::numbers);
        let natural = |keys: &[&str], usual: u64| case.any(keys).map_or(Ok(usual), Json::natural);
        let reward = if names(call, "SummaryRelevanceRewardModel")? {
            let mark = case.any(&["score", "summary_score", "mark", "judge"])?.number()?;
            links::summary(
                mark,
                &marks(&["link_scores", "description_scores", "links_scores", "link_description_scores"])?,
            )
        } else {
            let given = marks(&["scores", "marks", "judge_scores"])?;
            let count = natural(&["links_count", "links"], given.len() as u64)?;
            let duplicates = natural(&["duplicates"], 0)?;
            if names(call, "WebSearchContentRelevanceModel")? {
                let checked = case.any(&["check_score", "checked"]).map_or(Ok(1.0), Json::number)?;
                links::web_search(&given, count, duplicates, natural(&["expected_links", "expected"], 10)?, checked)
            } else {
                let as_given = case.any(&["as_given", "valid", "tweets_valid"])?.flags()?;
                links::twitter_content(&given, &as_given, count, duplicates)
            }
        };
        Ok(Json::Float(reward))
    };
    let found = cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?;
    match call.expected {
        Json::Object(_) => Ok(offer(call.expected, vec![("rewards", Json::List(found))])),
        _ => shaped(found, listed),
    }
}
