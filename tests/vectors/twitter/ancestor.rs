//! Adapters for what the ancestor's validator and miner have and for the chain's schedule. JSON to arguments, results to JSON.

use domain::twitter::later::{self, filters, gate};
use domain::twitter::payout;

use super::{Call, Found, Json, cases, names, number, shaped};
use crate::json::{floats, offer};

const CASES: [&str; 3] = ["cases", "responses", "answers"];

fn mask(passes: bool) -> Json {
    Json::Float(f64::from(u8::from(passes)))
}

/// The filters skip the normalisation: what they are given is what they give.
fn unchanged(call: &Call<'_>) -> Option<Found<Json>> {
    let skips = names(call, "normalize_rewards").unwrap_or(false);
    skips.then(|| call.inputs.any(&["rewards", "x", "values"]).and_then(|given| given.map(number)).map(|r| floats(&r)))
}

fn each(call: &Call<'_>, one: impl Fn(&Json) -> Found<Json>) -> Found<Json> {
    let (cases, listed) = cases(call, &CASES);
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

pub fn relevance(call: &Call<'_>) -> Found<Json> {
    if let Some(found) = unchanged(call) {
        return found;
    }
    each(call, |case| {
        let closeness = match case.any(&["closeness", "bert", "bert_reward", "negative_rmse"]) {
            Ok(closeness) => number(closeness)?,
            Err(_) => filters::closeness(&case.at("prompt")?.numbers()?, &case.at("completion")?.numbers()?),
        };
        let cosine = number(case.any(&["cosine", "mpnet", "mpnet_cosine"])?)?;
        Ok(mask(filters::relevant(closeness, cosine)))
    })
}

pub fn diversity(call: &Call<'_>) -> Found<Json> {
    if let Some(found) = unchanged(call) {
        return found;
    }
    each(call, |case| {
        let distance = match case.any(&["cosines", "similarities"]) {
            Ok(cosines) => filters::batch_distance(&cosines.numbers()?).ok_or("an answer alone has no distance")?,
            Err(_) => number(case.any(&["distance", "batch_distance", "batch"])?)?,
        };
        let historic = case.any(&["historic_distance", "historic", "history"]).ok().map(number).transpose()?;
        let reward = filters::diversity(distance, historic);
        let usual = Json::Object(Vec::new());
        let offers = vec![("reward", Json::Float(reward)), ("mask", mask(filters::diverse(reward)))];
        match call.expected {
            Json::Object(_) => Ok(offer(call.expected, offers)),
            Json::List(items) if matches!(items.first(), Some(Json::Object(_))) => {
                Ok(offer(items.first().unwrap_or(&usual), offers))
            }
            _ => Ok(Json::Float(reward)),
        }
    })
}

pub fn decency(call: &Call<'_>) -> Found<Json> {
    if let Some(found) = unchanged(call) {
        return found;
    }
    each(call, |case| {
        let chunk = |logits: Vec<f64>| match logits[..] {
            [not, hate] => Ok([not, hate]),
            _ => Err("a chunk has two logits".to_owned()),
        };
        let chunks: Vec<[f64; 2]> =
            case.any(&["chunks", "logits"])?.rows()?.into_iter().map(chunk).collect::<Found<_>>()?;
        Ok(mask(filters::decent(&chunks)))
    })
}

pub fn significance(call: &Call<'_>) -> Found<Json> {
    each(call, |case| {
        let natural = |keys: &[&str]| case.any(keys).and_then(Json::natural);
        let words = u32::try_from(natural(&["words", "n", "length"])?).map_err(|error| error.to_string())?;
        let missed = natural(&["error", "err", "missed"]).unwrap_or(0);
        let (count, completions) = (natural(&["count"])?, natural(&["completions", "num_completions"])?);
        Ok(Json::Float(filters::significance(words, count, missed, completions)))
    })
}

/// A course of events: a user's query with its rewards, or a round of the validator's own. Each round says whether it is paid with.
pub fn organic(call: &Call<'_>) -> Found<Json> {
    let mut debts = later::OrganicDebts::default();
    let mut paid = Vec::new();
    for event in call.inputs.any(&["events", "steps", "course"])?.list()? {
        let hotkey = event.get("hotkey").map_or(Ok("hotkey"), Json::text)?;
        match event.any(&["organic", "rewards"]) {
            Ok(rewards) => debts.answered(&hotkey, &rewards.numbers()?),
            Err(_) => paid.push(debts.pays(&hotkey)),
        }
    }
    Ok(Json::List(paid.into_iter().map(Json::Bool).collect()))
}

pub fn blocks_left(call: &Call<'_>) -> Found<Json> {
    each(call, |case| {
        let of = |keys: &[&str]| case.any(keys).or_else(|_| call.inputs.any(keys)).and_then(Json::natural);
        let narrow = |value: u64| u16::try_from(value).map_err(|error| error.to_string());
        let (netuid, tempo) = (narrow(of(&["netuid"])?)?, narrow(of(&["tempo"])?)?);
        Ok(Json::Int(payout::blocks_left(of(&["block", "current_block"])?, netuid, tempo).into()))
    })
}

pub fn priority(call: &Call<'_>) -> Found<Json> {
    each(call, |case| {
        let real = |keys: &[&str]| case.any(keys).ok().map(number).transpose();
        let seconds = match real(&["minutes", "period_minutes"])? {
            Some(minutes) => Some(minutes * 60.0),
            None => real(&["seconds", "seconds_since_tenth_last", "period"])?,
        };
        Ok(Json::Float(gate::priority(real(&["stake"])?, seconds)))
    })
}
