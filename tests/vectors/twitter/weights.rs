//! Adapters for averages, weights, schedules and a miner's gate. JSON to arguments, results to JSON.

use domain::sdk_weights::{self, EmitError, Limits};
use domain::twitter::later::gate::{self, Caller, Gate, Refusal};
use domain::twitter::numbers::Real;
use domain::twitter::{average, payout};

use super::{Call, Found, Json, cases, in_precision, nears, number, shaped, spelled_all};
use crate::json::{floats, naturals, object, offer};

pub fn moving_average(call: &Call<'_>) -> Found<Json> {
    in_precision(call, moving_average_in::<f32>, moving_average_in::<f64>)
}

fn moving_average_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let alpha = number(inputs.at("alpha")?)?;
    let mut averages = match inputs.get("start") {
        Some(start) => nears::<R>(start)?,
        None => vec![R::near(0.0); inputs.at("n")?.natural()? as usize],
    };
    let repeats = inputs.any(&["repeat", "times", "rounds"]).map_or(Ok(1), Json::natural)?;
    let mut found = Vec::new();
    for _ in 0..repeats {
        for step in inputs.at("steps")?.list()? {
            let (uids, rewards) = match step {
                Json::List(pair) if pair.len() == 2 => (&pair[0], &pair[1]),
                step => (step.at("uids")?, step.at("rewards")?),
            };
            let uids: Vec<usize> = uids.map(|uid| Ok(uid.natural()? as usize))?;
            let scattered = average::scatter(&averages, &uids, &nears(rewards)?).map_err(|error| error.to_string())?;
            averages = average::moving(&scattered, &averages, alpha);
            found.push((spelled_all(&scattered), spelled_all(&averages)));
        }
    }
    let pair = |(scattered, moving): &(Json, Json), expected: &Json| match expected {
        Json::Object(_) => offer(
            expected,
            vec![
                ("scattered", scattered.clone()),
                ("moving_averaged", moving.clone()),
                ("moving_averaged_scores", moving.clone()),
            ],
        ),
        _ => moving.clone(),
    };
    let last = found.last().ok_or("no step")?;
    match call.expected {
        Json::List(steps) if steps.iter().all(|step| matches!(step, Json::Object(_) | Json::List(_))) => {
            let expected = |at: usize| steps.get(at).unwrap_or(&Json::Null);
            Ok(Json::List(found.iter().enumerate().map(|(at, step)| pair(step, expected(at))).collect()))
        }
        Json::Object(fields) if fields.iter().any(|(key, _)| key == "final") => {
            Ok(offer(call.expected, vec![("final", last.1.clone())]))
        }
        // Only the end is expected.
        expected => Ok(pair(last, expected)),
    }
}

pub fn smoothed(call: &Call<'_>) -> Found<Json> {
    in_precision(call, smoothed_in::<f32>, smoothed_in::<f64>)
}

fn smoothed_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let halves = inputs.get("total_scores").is_none();
    let given = inputs.any(&["total_scores", "scores"])?;
    if halves && inputs.get("steps_passed").is_none() {
        return Ok(spelled_all(&payout::shares(&nears::<R>(given)?)));
    }
    let alpha = inputs.get("alpha").map_or(Ok(0.3), Json::number)?;
    let steps = inputs.at("steps_passed")?.naturals()?;
    let mut past: Option<Vec<R>> = None;
    let mut found = Vec::new();
    for (row, step) in given.list()?.iter().zip(steps) {
        let row = nears::<R>(row)?;
        let means = if halves { average::half_start_mean(&row, step) } else { average::run_mean(&row, step) };
        let next = average::smoothed(&means, past.as_deref(), alpha);
        found.push(spelled_all(&next));
        past = Some(next);
    }
    Ok(Json::List(found))
}

pub fn due(call: &Call<'_>) -> Found<Json> {
    let every = call.inputs.at("iterations_per_set_weights")?.naturals()?;
    let scanned = call.inputs.at("steps_scanned")?.naturals()?;
    let fields = every.iter().zip(&scanned).map(|(every, scanned)| {
        (format!("every{every}"), naturals((0..*scanned).filter(|step| average::is_due(*step, *every))))
    });
    Ok(Json::Object(fields.collect()))
}

pub fn wrapped(call: &Call<'_>) -> Found<Json> {
    let natural = |json: &Json, keys: &[&str]| json.any(keys).and_then(Json::natural);
    let usual = natural(call.inputs, &["epoch_length", "every", "blocks_per_epoch", "length"]).unwrap_or(100);
    let (cases, listed) = cases(call, &["cases", "pairs", "blocks"]);
    let one = |case: &Json| {
        let (block, previous) = match case {
            Json::List(pair) if pair.len() == 2 => (pair[0].natural()?, pair[1].natural()?),
            case => (
                natural(case, &["block", "current_block"])?,
                natural(case, &["prev_block", "previous_block", "previous", "prev"])?,
            ),
        };
        let every = natural(case, &["epoch_length", "every"]).unwrap_or(usual);
        Ok(Json::Bool(payout::wrapped(block, previous, every)))
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

fn integers(json: &Json) -> Found<Vec<i64>> {
    json.map(|item| match item {
        Json::Int(value) => i64::try_from(*value).map_err(|error| error.to_string()),
        // A tensor of uids may be written as floats.
        Json::Float(value) => Ok(*value as i64),
        other => Err(format!("{other:?} is no integer")),
    })
}

pub fn process(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let weights: Vec<f32> = nears(inputs.at("weights")?)?;
    let uids = inputs.get("uids").map_or_else(|| Ok((0..).take(weights.len()).collect()), integers)?;
    let natural = |key: &str| inputs.get(key).map_or(Ok(0), Json::natural);
    let limits = Limits {
        neurons: inputs.get("num_neurons").map_or(Ok(weights.len() as u64), Json::natural)? as usize,
        minimum: natural("min_allowed_weights")? as usize,
        maximum_share: inputs.at("max_weight_limit")?.number()?,
        exclude_quantile: u16::try_from(natural("exclude_quantile")?).map_err(|error| error.to_string())?,
    };
    let (uids, processed) = sdk_weights::process(&uids, &weights, &limits);
    Ok(offer(call.expected, vec![("uids", naturals(uids)), ("weights", floats(&processed.to_doubles()))]))
}

pub fn capped(call: &Call<'_>) -> Found<Json> {
    let values: Vec<f32> = nears(call.inputs.any(&["x", "weights"])?)?;
    let limit = call.inputs.any(&["limit", "max_weight_limit"])?.number()?;
    Ok(spelled_all(&sdk_weights::normalise_max_weight(&values, limit)))
}

pub fn emit(call: &Call<'_>) -> Found<Json> {
    let (cases, listed) = cases(call, &["cases"]);
    let one = |case: &Json| {
        let weights: Vec<f32> = nears(case.at("weights")?)?;
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let uids = case.get("uids").map_or_else(|| Ok((0..).take(weights.len()).collect()), integers)?;
        Ok::<_, String>(sdk_weights::emit(&uids, &weights))
    };
    let shape = |found: Result<(Vec<i64>, Vec<u16>), EmitError>, expected: &Json| match (found, expected) {
        (Ok((uids, values)), Json::Object(_)) => {
            let values = naturals(values);
            let mut offers = vec![("uids", naturals(uids))];
            offers.extend(["weights", "vals", "values", "u16", "weight_vals"].map(|key| (key, values.clone())));
            offer(expected, offers)
        }
        (Ok((uids, values)), Json::List(items)) if items.iter().all(|item| matches!(item, Json::List(_))) => {
            Json::List(vec![naturals(uids), naturals(values)])
        }
        (Ok((_, values)), _) => naturals(values),
        (Err(_), Json::Text(_)) => Json::Text("ValueError".to_owned()),
        (Err(_), _) => object(vec![("error", Json::Text("ValueError".to_owned()))]),
    };
    let nothing = Json::Null;
    let expected = |at: usize| {
        if listed { call.expected.list().ok().and_then(|list| list.get(at)).unwrap_or(&nothing) } else { call.expected }
    };
    let found = cases.into_iter().enumerate().map(|(at, case)| Ok(shape(one(case)?, expected(at))));
    shaped(found.collect::<Found<Vec<Json>>>()?, listed)
}

/// A sequence of requests: objects with a hotkey and a time, pairs of them, or times of one hotkey.
pub fn gate(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let usual = gate::Limits::default();
    let real = |keys: &[&str], usual: f64| inputs.any(keys).map_or(Ok(usual), Json::number);
    let limits = gate::Limits {
        stake: real(&["blacklist_amt", "threshold", "stake_threshold", "min_stake"], usual.stake)?,
        window: match inputs.any(&["min_request_period", "period_minutes"]) {
            Ok(minutes) => minutes.number()? * 60.0,
            Err(_) => real(&["window", "time_window", "window_seconds"], usual.window)?,
        },
        requests: inputs.any(&["max_requests"]).map_or(Ok(usual.requests as u64), Json::natural)? as usize,
        unregistered: inputs.any(&["allow_non_registered"]).map_or(Ok(false), Json::flag)?,
        ..usual
    };
    let (requests, listed) = cases(call, &["requests", "events", "calls", "cases", "times"]);
    let mut gate = Gate::default();
    let mut found = Vec::new();
    for (at, request) in requests.into_iter().enumerate() {
        let (caller, now) = caller(request, inputs)?;
        let verdict = gate.admit(&caller, now, &limits);
        let expected =
            if listed { call.expected.list().ok().and_then(|list| list.get(at)) } else { Some(call.expected) };
        found.push(verdict_json(verdict, expected));
    }
    match call.expected {
        Json::Object(_) if listed => {
            let refused: Vec<bool> = found.iter().map(|verdict| *verdict == Json::Bool(true)).collect();
            let accepted = refused.iter().filter(|refused| !**refused).count();
            let flags = |yes: bool| Json::List(refused.iter().map(|refused| Json::Bool(*refused == yes)).collect());
            let mut offers = vec![("accepted_count", Json::Int(accepted as i128))];
            offers.extend(["blacklisted", "rejected", "refused"].map(|key| (key, flags(true))));
            offers.push(("accepted", flags(false)));
            Ok(offer(call.expected, offers))
        }
        _ => shaped(found, listed),
    }
}

fn caller<'a>(request: &'a Json, inputs: &'a Json) -> Found<(Caller<'a>, f64)> {
    let usual = inputs.get("hotkey").map_or(Ok("hotkey"), Json::text)?;
    let (hotkey, now) = match request {
        Json::Int(_) | Json::Float(_) => (usual, request.number()?),
        Json::List(pair) if pair.len() == 2 => (pair[0].text()?, pair[1].number()?),
        request => {
            let now = request.any(&["time", "t", "at", "now", "seconds"]).map_or(Ok(0.0), Json::number)?;
            (request.get("hotkey").map_or(Ok(usual), Json::text)?, now)
        }
    };
    // Flags of one request, or lists of all; keys are known by a part of their names.
    let flag = |part: &str, otherwise: bool| -> Found<bool> {
        match (like(request, part), like(inputs, part)) {
            (Some(Json::Bool(flag)), _) | (_, Some(Json::Bool(flag))) => Ok(*flag),
            (_, Some(list)) => Ok(list.texts()?.contains(&hotkey)),
            _ => Ok(otherwise),
        }
    };
    let registered = flag("regist", true)?;
    let stake = match like(request, "stake").or_else(|| like(request, "tao")) {
        Some(stake) => Some(stake.number()?),
        None => match inputs.any(&["stakes", "metagraph", "stake"]) {
            Ok(Json::Object(map)) => map.iter().find(|(key, _)| key == hotkey).map(|(_, s)| s.number()).transpose()?,
            Ok(stake) => Some(stake.number()?),
            Err(_) => Some(f64::INFINITY),
        },
    };
    let caller = Caller {
        hotkey,
        whitelisted: flag("whitelist", false)?,
        valid: flag("valid", true)?,
        stake: stake.filter(|_| registered),
    };
    Ok((caller, now))
}

/// The first field whose key has this part.
fn like<'a>(json: &'a Json, part: &str) -> Option<&'a Json> {
    json.fields().ok()?.iter().find(|(key, value)| key.contains(part) && *value != Json::Null).map(|(_, value)| value)
}

/// Upstream's verdict is whether the caller is refused; a vector may write another form of it.
fn verdict_json(verdict: Result<(), Refusal>, expected: Option<&Json>) -> Json {
    let refused = verdict.is_err();
    let reason = match verdict {
        Ok(()) => "accepted",
        Err(Refusal::NotValid) => "not_valid",
        Err(Refusal::NotRegistered) => "not_registered",
        Err(Refusal::LowStake) => "low_stake",
        Err(Refusal::TooMany) => "too_many",
    };
    match expected {
        Some(expected @ Json::Object(_)) => {
            let mut offers = vec![("reason", Json::Text(reason.to_owned()))];
            offers.extend(["blacklisted", "rejected", "refused", "blacklist"].map(|key| (key, Json::Bool(refused))));
            offers.push(("accepted", Json::Bool(!refused)));
            offer(expected, offers)
        }
        Some(Json::Text(text)) if text == "accept" || text == "reject" => {
            Json::Text(if refused { "reject" } else { "accept" }.to_owned())
        }
        Some(Json::Text(_)) => Json::Text(reason.to_owned()),
        _ => Json::Bool(refused),
    }
}
