//! Adapters for the vectors of averages, weights and reports. JSON to arguments, results to JSON; no arithmetic here.

use domain::loosh::average::{PastEvaluation, StoredEmission, UidHolder, averages, freshness_gate};
use domain::loosh::matrix::{SquareMatrix, select, similarity};
use domain::loosh::payout::{Mode, Node, normalised, not_serving, quantised, sybil_penalty};
use domain::loosh::round::{long_enough, minimum_words};
use domain::loosh::sybil;

use super::json::{Found, Json, floats, naturals, object, offer, texts};
use super::loosh::{Call, cases, from_map, labels, matrix, number_map, running};

pub fn moving_average(call: &Call<'_>) -> Found<Json> {
    let stored = |value: &Json| match value {
        Json::Int(_) | Json::Float(_) => value.number().map(StoredEmission::Number),
        Json::Text(text) => Ok(StoredEmission::Text(text.clone())),
        // Python's `float` of a boolean.
        Json::Bool(flag) => Ok(StoredEmission::Number(f64::from(u8::from(*flag)))),
        _ => Ok(StoredEmission::Other),
    };
    let evaluation = |past: &Json| {
        let emissions = match past.get("emissions") {
            Some(map) => {
                map.fields()?.iter().map(|(key, value)| Ok((key.clone(), stored(value)?))).collect::<Found<_>>()?
            }
            None => Vec::new(),
        };
        Ok(PastEvaluation { age: past.at("hours_ago")?.number()?, emissions })
    };
    let holder = |miner: &Json| {
        Ok(match miner.get("uid") {
            Some(uid) => Some(UidHolder {
                hotkey: miner.at("hotkey")?.text()?.to_owned(),
                uid: uid.natural()?.to_string(),
                // Never noted is older than anything.
                age: miner.get("last_updated_hours_ago").map_or(Ok(f64::INFINITY), Json::number)?,
            }),
            None => None,
        })
    };
    let evaluations = call.inputs.at("evaluations")?.map(evaluation)?;
    let holders = call.inputs.get("miners").map_or_else(|| Ok(Vec::new()), |miners| miners.map(holder))?;
    let holders: Vec<UidHolder> = holders.into_iter().flatten().collect();
    let (lookback, alpha) = (call.inputs.at("lookback_hours")?.number()?, call.inputs.at("alpha")?.number()?);
    Ok(object(vec![("ema", from_map(&averages(&evaluations, &holders, lookback, alpha)))]))
}

const AVERAGES: [&str; 5] = ["ema", "ema_scores", "miner_ema_scores", "scores", "averages"];

pub fn freshness(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let ema = number_map(case.any(&AVERAGES)?)?;
        let ages =
            case.any(&["last_success_hours_ago", "last_success_times_hours_ago", "hours_ago", "last_success"])?;
        // A missing or null time is never.
        let seen = ages.fields()?.iter().filter(|(_, hours)| *hours != Json::Null);
        let seen = seen.map(|(key, hours)| Ok((key.clone(), hours.number()?))).collect::<Found<_>>()?;
        let limit = case.any(&["freshness_hours", "hours", "limit_hours"])?.number()?;
        let (gated, stale) = freshness_gate(&ema, &seen, limit);
        let mut offers: Vec<(&str, Json)> =
            ["scores", "updated", "updated_scores", "ema", "gated"].map(|key| (key, from_map(&gated))).into();
        offers.extend(["stale_count", "stale"].map(|key| (key, Json::Int(stale.into()))));
        Ok(offer(expected, offers))
    })
}

pub fn penalty(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let ema = number_map(case.any(&AVERAGES)?)?;
        let sybil = number_map(case.any(&["sybil_scores", "sybil"])?)?;
        let serving = match case.any(&["serving_miners_count", "serving", "serving_count", "serving_miners"])? {
            Json::List(miners) => miners.len() as u64,
            count => count.natural()?,
        };
        let rule = running().sybil_penalty.ok_or("the running rule set has no sybil penalty")?;
        let found = sybil_penalty(&ema, &sybil, serving, &rule);
        let mut offers: Vec<(&str, Json)> =
            ["scores", "updated", "updated_scores", "ema"].map(|key| (key, from_map(&found.averages))).into();
        let count = i128::try_from(found.penalised.len()).map_err(|error| error.to_string())?;
        offers.extend(["penalized_count", "penalized", "penalised"].map(|key| (key, Json::Int(count))));
        offers.extend(
            ["safety_triggered", "safety", "safety_valve"].map(|key| (key, Json::Bool(found.safety_triggered))),
        );
        Ok(offer(expected, offers))
    })
}

/// A serving miner as a hotkey, a (hotkey, uid) pair, or an object of both.
fn serving_miner(json: &Json) -> Found<(String, Json)> {
    match json {
        Json::Text(hotkey) => Ok((hotkey.clone(), Json::Null)),
        Json::List(pair) => match &pair[..] {
            [Json::Text(hotkey), uid] | [uid, Json::Text(hotkey)] => Ok((hotkey.clone(), uid.clone())),
            _ => Err("a pair has a hotkey and a uid".to_owned()),
        },
        other => Ok((other.at("hotkey")?.text()?.to_owned(), other.any(&["uid", "node_id"])?.clone())),
    }
}

pub fn weight_normalisation(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let miners = match case.any(&["serving", "serving_miners", "nodes"]) {
            Ok(list) => list.map(serving_miner)?,
            Err(_) => Vec::new(),
        };
        let given = case.any(&AVERAGES).or_else(|_| case.at("weights"))?;
        let scores = match given {
            Json::Object(_) => {
                let of = |(hotkey, _): &(String, Json)| given.get(hotkey).map_or(Ok(0.0), Json::number);
                miners.iter().map(of).collect::<Found<Vec<f64>>>()?
            }
            list => list.numbers()?,
        };
        let name = case.any(&["mode", "operation_mode"]).and_then(Json::text).unwrap_or("NORMAL");
        let modes = [Mode::Normal, Mode::Degraded, Mode::Emergency];
        let mode = modes.into_iter().find(|mode| mode.name() == name).ok_or_else(|| format!("unknown mode {name}"))?;
        let found = normalised(&scores, mode);
        let weights = found.as_deref().map_or(Json::Null, floats);
        let mut offers: Vec<(&str, Json)> =
            ["weights", "normalized", "normalised", "result"].map(|key| (key, weights.clone())).into();
        offers.push(("uids", Json::List(miners.into_iter().map(|(_, uid)| uid).collect())));
        offers.extend(["skip", "skipped"].map(|key| (key, Json::Bool(found.is_none()))));
        offers.push(("u16", naturals(quantised(found.as_deref().unwrap_or_default()))));
        Ok(offer(expected, offers))
    })
}

pub fn serving(call: &Call<'_>) -> Found<Json> {
    let own = call.inputs.any(&["validator_hotkey", "own"])?.text()?;
    let validators = call.inputs.get("validators").map_or_else(|| Ok(Vec::new()), Json::texts)?;
    let node = |json: &Json| {
        let hotkey = json.at("hotkey")?.text()?.to_owned();
        Ok(Node {
            address: json.get("ip").map_or(Ok(""), Json::text)?.to_owned(),
            port: u16::try_from(json.at("port")?.natural()?).map_err(|error| error.to_string())?,
            validator: validators.contains(&hotkey.as_str()),
            hotkey,
        })
    };
    let nodes = call.inputs.at("nodes")?.map(node)?;
    let serving: Vec<&str> =
        nodes.iter().filter(|node| not_serving(node, own).is_none()).map(|node| node.hotkey.as_str()).collect();
    Ok(offer(call.expected, ["kept", "included", "miners", "serving"].map(|key| (key, texts(&serving))).into()))
}

pub fn sybil_report(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let all = match inputs.get("embeddings") {
        Some(embeddings) => similarity(&embeddings.rows()?),
        None => SquareMatrix::from_rows(&inputs.at("similarity")?.rows()?).ok_or("the similarity is not square")?,
    };
    let hotkeys = inputs.at("hotkeys")?.texts()?;
    let limits = sybil::Limits::default();
    let included = match (inputs.get("length_mask"), inputs.get("texts")) {
        (Some(mask), _) => mask.flags()?,
        (None, Some(texts)) => sybil::long_enough(&texts.texts()?, &limits),
        (None, None) => vec![inputs.get("all_pass_length_gate").map_or(Ok(true), Json::flag)?; all.size()],
    };
    let found = sybil::detect(&all, &included, &limits);
    let pair = |(i, j, value): &(usize, usize, f64)| {
        let name = |at: &usize| Json::Text(hotkeys[*at].to_owned());
        Json::List(vec![name(i), name(j), Json::Float(*value)])
    };
    let group = |group: &sybil::Group| {
        let mut members: Vec<&str> = group.members.iter().map(|at| hotkeys[*at]).collect();
        members.sort_unstable();
        object(vec![
            ("members", texts(members)),
            ("avg", Json::Float(group.average)),
            ("min", Json::Float(group.minimum)),
            ("max", Json::Float(group.maximum)),
        ])
    };
    Ok(offer(
        call.expected,
        vec![
            ("similarity", matrix(&all)),
            ("stats", distribution_json(&found.distribution)),
            ("high", Json::Float(found.distribution.adaptive_high_threshold)),
            ("very_high", Json::Float(found.distribution.adaptive_very_high_threshold)),
            ("pairs", Json::List(found.pairs.iter().map(pair).collect())),
            ("groups", Json::List(found.groups.iter().map(group).collect())),
        ],
    ))
}

fn distribution_json(found: &sybil::Distribution) -> Json {
    object(vec![
        ("mean", Json::Float(found.mean)),
        ("std", Json::Float(found.std)),
        ("p50", Json::Float(found.p50)),
        ("p90", Json::Float(found.p90)),
        ("p95", Json::Float(found.p95)),
        ("p99", Json::Float(found.p99)),
        ("p999", Json::Float(found.p999)),
        ("p9999", Json::Float(found.p9999)),
        ("adaptive_high_threshold", Json::Float(found.adaptive_high_threshold)),
        ("adaptive_very_high_threshold", Json::Float(found.adaptive_very_high_threshold)),
        ("floor_high_threshold", Json::Float(found.floor_high_threshold)),
        ("floor_very_high_threshold", Json::Float(found.floor_very_high_threshold)),
    ])
}

pub fn structural(call: &Call<'_>) -> Found<Json> {
    let found = sybil::structural_similarity(&call.inputs.at("texts")?.texts()?);
    let row = |row: &Vec<f32>| Json::List(row.iter().map(|cell| Json::Float(f64::from(*cell))).collect());
    Ok(object(vec![("similarity", Json::List(found.iter().map(row).collect()))]))
}

pub fn length_filter(call: &Call<'_>) -> Found<Json> {
    let words = call.inputs.at("word_counts")?.naturals()?;
    let sensitivity = call.inputs.at("sensitivity")?.number()?;
    let kept = select(&labels(call.inputs, words.len())?, &long_enough(&words, sensitivity));
    Ok(offer(
        call.expected,
        vec![("min_words", Json::Float(minimum_words(&words, sensitivity))), ("kept", texts(kept))],
    ))
}
