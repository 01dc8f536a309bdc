//! Adapters for a round: normalisation, reward models, penalties, the whole step. JSON to arguments, results to JSON.

use domain::twitter::analysis::QueryAnalysis;
use domain::twitter::constants::{Constants, Normalisation, Penalties};
use domain::twitter::criteria::{Criterion, Place, Unit};
use domain::twitter::later::{Spread, stretched};
use domain::twitter::normaliser::Normaliser;
use domain::twitter::numbers::{Real, Recorded};
use domain::twitter::penalty::{self, Penalty};
use domain::twitter::reward;
use domain::twitter::step::{Evidence, Response, Statistics, evaluate};
use domain::twitter::{average, numbers};

use super::{Call, Found, Json, cases, in_precision, near, nears, number, shaped, spelled, spelled_all};
use crate::json::{object, offer};

fn code() -> Constants {
    Constants::v2_5_9()
}

fn limited(inputs: &Json) -> Found<Normalisation> {
    let mut rule = code().normalisation;
    if let Some(limit) = inputs.get("count_limit") {
        rule.count_limit = limit.natural()?;
    }
    Ok(rule)
}

pub fn normalise(call: &Call<'_>) -> Found<Json> {
    in_precision(call, normalise_in::<f32>, normalise_in::<f64>)
}

fn normalise_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let Some(batches) = call.inputs.get("batches") else { return stretch::<R>(call) };
    let rule = limited(call.inputs)?;
    let mut state = Normaliser::<R>::default();
    if let Some(initial) = call.inputs.get("initial") {
        state.count = initial.at("count")?.natural()?;
        state.mean = Recorded(near(initial.at("mean")?)?);
        state.variance = Recorded(near(initial.at("var")?)?);
    }
    let mut found = Vec::new();
    for batch in batches.list()? {
        let normalised = state.normalise(&nears(batch)?, &rule);
        found.push(object(vec![
            ("normalized", spelled_all(&normalised)),
            ("count", Json::Int(state.count.into())),
            ("mean", spelled(state.mean.0)),
            ("var", spelled(state.variance.0)),
        ]));
    }
    let expected = call.expected.list().unwrap_or_default();
    let nothing = Json::Null;
    let wanted = |(at, found): (usize, Json)| {
        let of = expected.get(at).unwrap_or(&nothing);
        Ok(offer(of, found.fields()?.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()))
    };
    found.into_iter().enumerate().map(wanted).collect::<Found<Vec<Json>>>().map(Json::List)
}

fn stretch<R: Real>(call: &Call<'_>) -> Found<Json> {
    let spread = match (call.inputs.get("factor"), call.inputs.get("power")) {
        (Some(factor), Some(power)) => Spread { factor: factor.number()?, power: power.number()? },
        _ => Spread::FINAL,
    };
    Ok(spelled_all(&stretched(&nears::<R>(call.inputs.at("rewards")?)?, spread)))
}

fn responses(json: &Json) -> Found<Vec<Response<'_>>> {
    json.list()?
        .iter()
        .map(|response| {
            let status = response.at("status_code")?.natural()?;
            let status = u16::try_from(status).map_err(|error| error.to_string())?;
            Ok(Response { status, completion: response.at("completion")?.text()? })
        })
        .collect()
}

/// Raw rewards from a map by trimmed completion, for responses that succeeded.
fn raw_rewards<R: Real>(responses: &[Response<'_>], by_completion: &Json) -> Found<Vec<Option<R>>> {
    let of = |response: &Response<'_>| {
        if response.status != reward::SUCCESS {
            return Ok(None);
        }
        by_completion.at(domain::text::strip(response.completion)).and_then(near).map(Some)
    };
    responses.iter().map(of).collect()
}

pub fn apply(call: &Call<'_>) -> Found<Json> {
    in_precision(call, apply_in::<f32>, apply_in::<f64>)
}

fn apply_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let name = inputs.at("model_name")?.text()?;
    let responses = responses(inputs.at("responses")?)?;
    let raw = raw_rewards::<R>(&responses, inputs.at("raw_by_stripped_completion")?)?;
    let found = reward::apply(&mut Normaliser::default(), &raw, &limited(inputs)?, false);
    let nothing = Json::List(vec![Json::Null; responses.len()]);
    let event = Json::Object(vec![
        (format!("{name}_normalized_reward"), nothing),
        (name.to_owned(), spelled_all(&found.raw)),
        (format!("{name}_normalized"), spelled_all(&found.logged)),
    ]);
    Ok(offer(call.expected, vec![("normalized", spelled_all(&found.normalised)), ("event", event)]))
}

pub fn stand_in(call: &Call<'_>) -> Found<Json> {
    let count = call.inputs.at("status_codes")?.list()?.len();
    let name = call.inputs.at("mock_name")?.clone();
    Ok(offer(
        call.expected,
        vec![
            ("normalized", spelled_all(&reward::stand_in::<f64>(count))),
            ("event", Json::Object(Vec::new())),
            ("name", name),
        ],
    ))
}

/// A single triple of weights, or several.
pub fn weight_gate(call: &Call<'_>) -> Found<Json> {
    in_precision(call, weight_gate_in::<f32>, weight_gate_in::<f64>)
}

fn weight_gate_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let named = call.inputs.any(&["weights", "reward_weights", "triples", "cases", "weight_sets"]).ok();
    let first = || call.inputs.fields().ok()?.iter().map(|(_, value)| value).find(|value| value.list().is_ok());
    let given = named.or_else(first).ok_or("no list of weights")?;
    let listed = given.list()?.iter().all(|item| matches!(item, Json::List(_) | Json::Object(_)));
    let sets: Vec<&Json> = if listed { given.list()?.iter().collect() } else { vec![given] };
    let one = |(at, set): (usize, &Json)| {
        let set = if let Json::Object(_) = set { set.any(&["weights", "reward_weights"])? } else { set };
        let weights = nears::<R>(set)?;
        let (total, accepted) = (spelled(numbers::sum(&weights)), reward::weights_accepted(&weights, 0.0));
        let expected =
            if listed { call.expected.list().ok().and_then(|list| list.get(at)) } else { Some(call.expected) };
        Ok(match expected {
            Some(Json::Bool(_)) => Json::Bool(accepted),
            Some(Json::Float(_) | Json::Int(_)) => total,
            Some(expected) => {
                let mut offers = vec![("weights", set.clone())];
                for key in ["sum", "total", "sum_f32", "f32_sum"] {
                    offers.push((key, total.clone()));
                }
                for key in ["accepted", "ok", "passes", "valid", "equals_one", "equal_to_one", "pass"] {
                    offers.push((key, Json::Bool(accepted)));
                }
                for key in ["raises", "refused", "rejected", "error", "fails"] {
                    offers.push((key, Json::Bool(!accepted)));
                }
                offer(expected, offers)
            }
            None => Json::Bool(accepted),
        })
    };
    let found = sets.into_iter().enumerate().map(one).collect::<Found<Vec<Json>>>()?;
    if listed && matches!(call.expected, Json::Object(_)) {
        // One list per key instead of one object per set.
        let column = |key: &str, pick: fn(&[bool], &[Json]) -> Json| {
            let sets: Vec<Vec<R>> = given.list().ok()?.iter().map(nears).collect::<Found<_>>().ok()?;
            let accepted: Vec<bool> = sets.iter().map(|set| reward::weights_accepted(set, 0.0)).collect();
            let sums: Vec<Json> = sets.iter().map(|set| spelled(numbers::sum(set))).collect();
            call.expected.get(key).map(|_| (key.to_owned(), pick(&accepted, &sums)))
        };
        let flags = |accepted: &[bool], _: &[Json]| Json::List(accepted.iter().copied().map(Json::Bool).collect());
        let against = |accepted: &[bool], _: &[Json]| Json::List(accepted.iter().map(|a| Json::Bool(!a)).collect());
        let sums = |_: &[bool], sums: &[Json]| Json::List(sums.to_vec());
        let mut fields = Vec::new();
        fields.extend(["accepted", "ok", "passes", "valid"].iter().filter_map(|key| column(key, flags)));
        fields.extend(["raises", "refused", "rejected", "error"].iter().filter_map(|key| column(key, against)));
        fields.extend(["sum", "sums", "total", "totals"].iter().filter_map(|key| column(key, sums)));
        return Ok(Json::Object(fields));
    }
    shaped(found, listed)
}

fn analysis(json: &Json) -> Found<QueryAnalysis> {
    let list = |key: &str| match json.get(key) {
        Some(terms) => terms.map(|term| Ok(term.text()?.to_owned())),
        None => Ok(Vec::new()),
    };
    Ok(QueryAnalysis {
        query: String::new(),
        keywords: list("keywords")?,
        hashtags: list("hashtags")?,
        user_mentions: list("user_mentions")?,
    })
}

/// A penalty in the shape in which it is expected: all of it, or the raw values.
fn shape<R: Real>(expected: &Json, found: &Penalty<R>) -> Json {
    match expected {
        Json::Object(_) => offer(
            expected,
            vec![
                ("raw", spelled_all(&found.raw)),
                ("adjusted", spelled_all(&found.adjusted)),
                ("applied", spelled_all(&found.applied)),
            ],
        ),
        _ => spelled_all(&found.raw),
    }
}

fn maximum(inputs: &Json, usual: f64) -> Found<f64> {
    inputs.get("max_penalty").map_or(Ok(usual), Json::number)
}

pub fn accuracy(call: &Call<'_>) -> Found<Json> {
    in_precision(call, accuracy_in::<f32>, accuracy_in::<f64>)
}

fn accuracy_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let asked = analysis(call.inputs.at("query_result")?)?;
    let rule = Penalties { accuracy: maximum(call.inputs, 1.0)?, ..code().penalties };
    let found = penalty::accuracy::<R>(&asked, &call.inputs.at("completions")?.texts()?, &rule);
    Ok(shape(call.expected, &found))
}

/// A criterion from an object that says its kind by its fields.
fn criterion_of(json: &Json) -> Found<Criterion> {
    let penalty = json.get("penalty").map_or(Ok(0.1), Json::number)?;
    let kind = json.any(&["kind", "type", "criterion", "class", "layout", "layout_type"]).and_then(Json::text);
    let kind = kind.unwrap_or_default();
    if let Ok(words) = json.any(&["words", "words_array", "sampled_words"]) {
        let place = json.any(&["match_type", "contentMatchType", "content_match_type", "match"])?.text()?;
        let place = match place.to_lowercase().replace(['_', '-'], " ").as_str() {
            "starts with" | "starts" => Place::Start,
            "ends with" | "ends" => Place::End,
            "includes" | "include" => Place::Anywhere,
            other => return Err(format!("unknown place {other}")),
        };
        let negated = json.any(&["negate_match", "negate", "negated"]).map_or(Ok(false), Json::flag)?;
        let words = words.map(|word| Ok(word.text()?.to_owned()))?;
        return Ok(Criterion::Content { words, place, negated, penalty });
    }
    let lowered = kind.to_lowercase();
    if lowered.contains("simple") {
        return Ok(Criterion::Plain { penalty });
    }
    if lowered.contains("list") || lowered.contains("layout") || lowered == "numbered" || lowered == "unordered" {
        return Ok(Criterion::List { numbered: lowered.contains("numbered"), penalty });
    }
    let target = json.any(&["target_length", "target"]).map_or(Ok(100), Json::natural)?;
    let unit = json.get("unit").map_or(Ok("words"), Json::text)?;
    let unit = Unit::named(unit).ok_or_else(|| format!("unknown unit {unit}"))?;
    Ok(Criterion::Length { target, unit, penalty })
}

pub fn criterion(call: &Call<'_>) -> Found<Json> {
    in_precision(call, criterion_in::<f32>, criterion_in::<f64>)
}

fn criterion_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let found = criterion_of(call.inputs)?.penalties::<R>(&call.inputs.at("completions")?.texts()?);
    found.map(|penalties| spelled_all(&penalties)).map_err(|error| error.to_string())
}

pub fn task_validation(call: &Call<'_>) -> Found<Json> {
    in_precision(call, task_validation_in::<f32>, task_validation_in::<f64>)
}

fn task_validation_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let (inputs, maximum) = (call.inputs, maximum(call.inputs, 0.6)?);
    let completions = inputs.at("completions")?.texts()?;
    let given = inputs.any(&["criteria", "criteria_penalties"])?.list()?;
    let values = given.iter().all(|item| matches!(item, Json::List(_))) && !given.is_empty();
    if values {
        // Criteria given by what they say of each completion.
        let mut total = vec![R::near(0.0); completions.len()];
        for criterion in given {
            for (sum, value) in total.iter_mut().zip(nears::<R>(criterion)?) {
                *sum = numbers::sum(&[*sum, value]);
            }
        }
        return Ok(shape(call.expected, &penalty::adjusted(total, maximum)));
    }
    let criteria = given.iter().map(criterion_of).collect::<Found<Vec<Criterion>>>()?;
    let found = penalty::task_validation::<R>(&criteria, &completions, maximum).map_err(|error| error.to_string())?;
    Ok(shape(call.expected, &found))
}

pub fn adjusted(call: &Call<'_>) -> Found<Json> {
    in_precision(call, adjusted_in::<f32>, adjusted_in::<f64>)
}

fn adjusted_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let raw = nears::<R>(call.inputs.any(&["raw", "raw_penalties", "penalties"])?)?;
    Ok(shape(call.expected, &penalty::adjusted(raw, maximum(call.inputs, 1.0)?)))
}

pub fn keywords(call: &Call<'_>) -> Found<Json> {
    let one = |task: &str, completion: &Json| Ok(penalty::keyword_match(task, completion.text()?));
    if let Some(given) = call.inputs.get("cases") {
        let of = |case: &Json| {
            let (task, completion) = match case {
                Json::List(pair) if pair.len() == 2 => (&pair[0], &pair[1]),
                case => (case.any(&["task_name", "name", "task"])?, case.any(&["completion", "text"])?),
            };
            one(task.text()?, completion)
        };
        return Ok(shape(call.expected, &penalty::adjusted(given.map(of)?, maximum(call.inputs, 1.0)?)));
    }
    let completions = call.inputs.at("completions")?;
    let names = call.inputs.any(&["task_name", "name", "task", "task_names", "names", "tasks"])?;
    let of_task = |task: &str| -> Found<Penalty<f64>> {
        Ok(penalty::adjusted(completions.map(|completion| one(task, completion))?, maximum(call.inputs, 1.0)?))
    };
    match names {
        Json::Text(task) => Ok(shape(call.expected, &of_task(task)?)),
        names => match call.expected {
            // By task, or one completion for each task.
            Json::Object(fields)
                if fields.iter().all(|(key, _)| names.texts().is_ok_and(|n| n.contains(&key.as_str()))) =>
            {
                let of = |(key, expected): &(String, Json)| Ok((key.clone(), shape(expected, &of_task(key)?)));
                fields.iter().map(of).collect::<Found<_>>().map(Json::Object)
            }
            Json::List(rows) if rows.iter().all(|row| matches!(row, Json::List(_) | Json::Object(_))) => {
                let of = |(task, expected): (&str, &Json)| Ok(shape(expected, &of_task(task)?));
                names.texts()?.into_iter().zip(rows).map(of).collect::<Found<_>>().map(Json::List)
            }
            expected => {
                let pairs = names.texts()?.into_iter().zip(completions.list()?);
                let raw = pairs.map(|(task, completion)| one(task, completion)).collect::<Found<Vec<f64>>>()?;
                Ok(shape(expected, &penalty::adjusted(raw, maximum(call.inputs, 1.0)?)))
            }
        },
    }
}

pub fn content(call: &Call<'_>) -> Found<Json> {
    in_precision(call, content_in::<f32>, content_in::<f64>)
}

fn content_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let completions = call.inputs.at("completions")?.texts()?;
    let raw = completions.into_iter().map(|completion| R::near(penalty::content_match(completion))).collect();
    Ok(shape(call.expected, &penalty::adjusted(raw, maximum(call.inputs, 0.2)?)))
}

pub fn step(call: &Call<'_>) -> Found<Json> {
    if call.inputs.get("query_result").is_some() {
        return in_precision(call, step_in::<f32>, step_in::<f64>);
    }
    in_precision(call, sum_in::<f32>, sum_in::<f64>)
}

/// The weighted sum alone, with factors of penalties if there are any.
fn sum_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let (sets, listed) = cases(call, &["cases"]);
    let one = |case: &Json| {
        let weights = nears::<R>(case.any(&["weights", "reward_weights"])?)?;
        let given = case.any(&["normalized", "normalised", "rewards", "model_rewards", "reward_vectors"])?;
        let rewards: Vec<Vec<R>> = given.list()?.iter().map(nears).collect::<Found<_>>()?;
        let rows: Vec<&[R]> = rewards.iter().map(Vec::as_slice).collect();
        let count = rows.first().map_or(0, |row| row.len());
        let weighted = reward::weighted_sum(&weights, &rows, count).map_err(|error| error.to_string())?;
        let mut total = weighted.clone();
        if let Ok(factors) = case.any(&["penalties", "applied", "applied_penalties"]) {
            for factor in factors.list()? {
                let factor = nears::<R>(factor)?;
                total = total.iter().zip(&factor).map(|(reward, factor)| *reward * *factor).collect();
            }
        }
        Ok(match call.expected {
            Json::Object(_) => {
                offer(call.expected, vec![("weighted", spelled_all(&weighted)), ("rewards", spelled_all(&total))])
            }
            _ => spelled_all(&total),
        })
    };
    shaped(sets.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

fn step_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let completions = inputs.at("completions")?.texts()?;
    let statuses = inputs.at("status_codes")?.naturals()?;
    let responses: Vec<Response<'_>> = statuses
        .iter()
        .zip(&completions)
        .map(|(status, completion)| {
            Ok(Response { status: u16::try_from(*status).map_err(|error| error.to_string())?, completion })
        })
        .collect::<Found<_>>()?;
    let mut constants = code();
    let weights = inputs.at("reward_weights")?.numbers()?;
    let [rlhf, prompt, dpo] = weights[..] else { return Err("three models have three weights".to_owned()) };
    (constants.rewards.rlhf.weight, constants.rewards.prompt.weight, constants.rewards.dpo.weight) =
        (rlhf, prompt, dpo);
    let raw = raw_rewards::<R>(&responses, inputs.at("raw_reward_by_completion")?)?;
    let evidence = Evidence { rlhf: raw.clone(), prompt: raw.clone(), dpo: raw };
    let asked = analysis(inputs.at("query_result")?)?;
    let mut state = Statistics::<R>::default();
    let found = evaluate(&responses, &evidence, &asked, &[], &mut state, &constants).map_err(|e| e.to_string())?;
    let uids: Vec<usize> = inputs.at("uids")?.map(|uid| Ok(uid.natural()? as usize))?;
    let start = match inputs.get("start") {
        Some(start) => nears(start)?,
        None => vec![R::near(0.0); inputs.at("n")?.natural()? as usize],
    };
    let scattered = average::scatter(&start, &uids, &found.rewards).map_err(|error| error.to_string())?;
    let moving = average::moving(&scattered, &start, number(inputs.at("alpha")?)?);
    let normalised = found.models[0].as_ref().map(|model| spelled_all(&model.normalised)).unwrap_or(Json::Null);
    let nothing = Json::Null;
    let wanted = |key: &str| call.expected.get("penalties").and_then(|p| p.get(key)).unwrap_or(&nothing);
    let penalties = object(vec![
        ("task_validation_penalty", shape(wanted("task_validation_penalty"), &found.task_validation)),
        ("accuracy_match_penalty", shape(wanted("accuracy_match_penalty"), &found.accuracy)),
    ]);
    Ok(offer(
        call.expected,
        vec![
            ("normalized", normalised),
            ("weighted", spelled_all(&found.weighted)),
            ("penalties", penalties),
            ("rewards", spelled_all(&found.rewards)),
            ("best", Json::Text(found.best_completion(&responses).to_owned())),
            ("scattered", spelled_all(&scattered)),
            ("moving_averaged", spelled_all(&moving)),
        ],
    ))
}
