//! Adapters for language models' outputs and replies, and for queries. JSON to arguments, results to JSON.

use domain::twitter::constants::{Constants, Preference, QueryKey};
use domain::twitter::judge::{self, Task};
use domain::twitter::numbers::Real;
use domain::twitter::preference as dpo;
use domain::twitter::{analysis::QueryAnalysis, tweet};

use super::{Call, Found, Json, cases, in_precision, is_first_generation, names, nears, shaped, spelled, spelled_all};
use crate::json::{naturals, offer, texts};

const TEXTS: [&str; 8] = ["texts", "responses", "replies", "outputs", "generated", "score_texts", "response", "text"];

pub fn preference(call: &Call<'_>) -> Found<Json> {
    if call.inputs.get("logits").is_none() {
        let rule = Constants::v2_5_9().preference;
        let of = |completion: &Json| {
            let measured = dpo::is_measurable(completion.text()?, &rule);
            Ok(if measured { Json::Text("model".to_owned()) } else { Json::Float(rule.floor) })
        };
        return call.inputs.at("completions")?.map(of).map(Json::List);
    }
    in_precision(call, preference_in::<f32>, preference_in::<f64>)
}

fn preference_in<R: Real>(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let natural = |keys: &[&str], usual: u64| inputs.any(keys).map_or(Ok(usual), Json::natural);
    let usual = Constants::v2_5_9().preference;
    let rule = Preference {
        repeated_tokens: natural(&["ngram_size"], usual.repeated_tokens)?,
        maximum_tokens: natural(&["model_max_length", "max_length"], usual.maximum_tokens)?,
        ..usual
    };
    let token = |token: &Json| u32::try_from(token.natural()?).map_err(|error| error.to_string());
    let tokens = inputs.any(&["tokens", "combined"])?.map(token)?;
    let logits: Vec<Vec<R>> = inputs.at("logits")?.list()?.iter().map(nears).collect::<Found<_>>()?;
    let prompt = inputs.at("prompt_len")?.natural()? as usize;
    let found = dpo::measure(&tokens, prompt, &logits, &rule).map_err(|error| error.to_string())?;
    Ok(match call.expected {
        Json::Object(_) => offer(
            call.expected,
            vec![
                ("banned", naturals(found.repeated)),
                ("per_token", spelled_all(&found.per_token)),
                ("reward", spelled(found.reward)),
            ],
        ),
        _ => spelled(found.reward),
    })
}

/// The texts of the inputs: a list under one of the usual names, the list of cases, or one text.
fn texts_of<'a>(call: &Call<'a>) -> Found<(Vec<&'a str>, bool)> {
    match call.inputs.any(&TEXTS) {
        Ok(Json::Text(text)) => Ok((vec![text], false)),
        Ok(list) => Ok((list.texts()?, true)),
        Err(_) => {
            let of = |case: &'a Json| case.text().or_else(|_| case.any(&TEXTS).and_then(Json::text));
            Ok((call.inputs.at("cases")?.list()?.iter().map(of).collect::<Found<_>>()?, true))
        }
    }
}

pub fn marks(call: &Call<'_>) -> Found<Json> {
    let (texts, listed) = texts_of(call)?;
    let links = names(call, "LinkContentPrompt")? || names(call, "SearchSummaryRelevancePrompt")?;
    let first = is_first_generation(call)?;
    let mark = |text: &str| {
        let mark = if links {
            judge::link_mark(text)
        } else if first {
            judge::first_mark(text).unwrap_or(0)
        } else {
            judge::coded_mark(text)
        };
        f64::from(mark)
    };
    let rule = Constants::v2_5_9().judge;
    let expected =
        |at: usize| if listed { call.expected.list().ok().and_then(|list| list.get(at)) } else { Some(call.expected) };
    let of = |(at, text): (usize, &&str)| match expected(at) {
        Some(expected @ Json::Object(_)) => offer(
            expected,
            vec![("score", Json::Float(mark(text))), ("reward", Json::Float(judge::reward("augment", text, &rule)))],
        ),
        _ => Json::Float(mark(text)),
    };
    let found: Vec<Json> = texts.iter().enumerate().map(of).collect();
    match call.expected {
        Json::Object(_) if listed => {
            let rewards = texts.iter().map(|text| Json::Float(judge::reward("augment", text, &rule))).collect();
            let mut offers: Vec<(&str, Json)> = Vec::new();
            for key in ["scores", "score", "extracted"] {
                offers.push((key, Json::List(found.clone())));
            }
            for key in ["rewards", "reward"] {
                offers.push((key, Json::List(Vec::clone(&rewards))));
            }
            Ok(offer(call.expected, offers))
        }
        _ => shaped(found, listed),
    }
}

pub fn prompt_reward(call: &Call<'_>) -> Found<Json> {
    let rule = Constants::v2_5_9().judge;
    let (cases, listed) = cases(call, &["cases"]);
    let one = |case: &Json| {
        let task = case.any(&["name", "task_name"])?.text()?;
        let reply = case.any(&["score_text", "generated", "reply", "response", "text"])?.text()?;
        Ok(Json::Float(judge::reward(task, reply, &rule)))
    };
    shaped(cases.into_iter().map(one).collect::<Found<Vec<Json>>>()?, listed)
}

pub fn tags(call: &Call<'_>) -> Found<Json> {
    if let Ok(name) = call.inputs.any(&["templates"]) {
        let of = |name: &Json| {
            let name = name.text()?;
            let found = Task::named(name).map_or_else(|| judge::tags(name), |task| judge::tags(task.template()));
            Ok(texts(found))
        };
        return name.map(of).map(Json::List);
    }
    let (given, listed) = match call.inputs.any(&["inputs", "input_texts"]) {
        Ok(list) => (list.texts()?, true),
        Err(_) => match call.inputs.any(&["input_text"]) {
            Ok(one) => (vec![one.text()?], false),
            Err(_) => texts_of(call)?,
        },
    };
    shaped(given.into_iter().map(|text| texts(judge::tags(text))).collect(), listed)
}

pub fn sanitised(call: &Call<'_>) -> Found<Json> {
    let order = call.inputs.any(&["tags", "order", "tag_order"])?.texts()?;
    let (given, listed) = match call.inputs.get("args") {
        Some(args) => (args.texts()?, true),
        None => texts_of(call)?,
    };
    shaped(given.into_iter().map(|text| Json::Text(judge::without_names(text, &order))).collect(), listed)
}

/// Pairs of text and query in the ways in which they may be given.
pub fn filter(call: &Call<'_>) -> Found<Json> {
    if let Ok(tweets) = call.inputs.any(&["tweets", "dataset"]) {
        return filtered(call, tweets);
    }
    let text_of = |json: &Json| -> Found<String> {
        Ok(json.any(&["text", "tweet", "tweet_query", "tweet_text"])?.text()?.to_owned())
    };
    let query_of = |json: &Json| -> Found<String> {
        Ok(json.any(&["query", "filter_query", "filter", "query_string"])?.text()?.to_owned())
    };
    if let Ok(list) = call.inputs.any(&["cases", "pairs"]).and_then(Json::list) {
        let of = |case: &Json| match case {
            Json::List(pair) if pair.len() == 2 => Ok(Json::Bool(tweet::matches(pair[0].text()?, pair[1].text()?))),
            case => Ok(Json::Bool(tweet::matches(&text_of(case)?, &query_of(case)?))),
        };
        return list.iter().map(of).collect::<Found<_>>().map(Json::List);
    }
    let many = |keys: &[&str]| call.inputs.any(keys).and_then(Json::texts);
    let texts = many(&["texts"]).or_else(|_| Ok::<_, String>(vec![]))?;
    let queries = many(&["queries", "filter_queries"]).or_else(|_| Ok::<_, String>(vec![]))?;
    let row = |query: &str, texts: &[&str]| {
        Json::List(texts.iter().map(|text| Json::Bool(tweet::matches(text, query))).collect())
    };
    match (texts.is_empty(), queries.is_empty()) {
        (true, true) => Ok(Json::Bool(tweet::matches(&text_of(call.inputs)?, &query_of(call.inputs)?))),
        (false, true) => Ok(row(&query_of(call.inputs)?, &texts)),
        (true, false) => {
            let text = text_of(call.inputs)?;
            Ok(Json::List(queries.iter().map(|query| Json::Bool(tweet::matches(&text, query))).collect()))
        }
        // One text for each query, or every text for each query.
        (false, false) => match call.expected.list()?.first() {
            Some(Json::List(_)) => Ok(Json::List(queries.iter().map(|query| row(query, &texts)).collect())),
            _ => {
                let pairs = texts.iter().zip(&queries);
                Ok(Json::List(pairs.map(|(text, query)| Json::Bool(tweet::matches(text, query))).collect()))
            }
        },
    }
}

/// The first match of each query among given tweets: its place, id or text, as expected.
fn filtered(call: &Call<'_>, given: &Json) -> Found<Json> {
    let tweets: Vec<(Option<&str>, &Json)> = given
        .list()?
        .iter()
        .map(|item| (item.text().ok().or_else(|| item.get("text").and_then(|text| text.text().ok())), item))
        .collect();
    let plain: Vec<tweet::Tweet> = tweets
        .iter()
        .enumerate()
        .map(|(at, (text, _))| {
            let text = text.map_or(String::new(), |text| format!(r#","text":{}"#, serde_json::Value::from(text)));
            serde_json::from_str(&format!(r#"{{"id":"{at}"{text}}}"#)).map_err(|error| error.to_string())
        })
        .collect::<Found<_>>()?;
    let queries = match call.inputs.any(&["queries", "query", "filter_query", "query_string"])? {
        Json::Text(query) => vec![query.as_str()],
        list => list.texts()?,
    };
    let first = |query: &&str, expected: Option<&Json>| -> Json {
        let at = tweet::first_match(&plain, query).and_then(|found| found.id.parse::<usize>().ok());
        let items: Vec<Json> = at.map(|at| represent(tweets[at].1, at, expected)).into_iter().collect();
        match expected {
            Some(Json::List(_)) => Json::List(items),
            Some(Json::Int(_)) => Json::Int(items.len() as i128),
            _ => items.into_iter().next().unwrap_or(Json::Null),
        }
    };
    if let (1, None) = (queries.len(), call.inputs.get("queries")) {
        return Ok(first(&queries[0], Some(call.expected)));
    }
    match call.expected {
        Json::Object(fields) => {
            let of = |(key, expected): &(String, Json)| (key.clone(), first(&key.as_str(), Some(expected)));
            Ok(Json::Object(fields.iter().map(of).collect()))
        }
        expected => {
            let list = expected.list()?;
            Ok(Json::List(queries.iter().enumerate().map(|(at, query)| first(query, list.get(at))).collect()))
        }
    }
}

/// A tweet as the vector writes it: whole, its id, its text, or its place.
fn represent(tweet: &Json, at: usize, expected: Option<&Json>) -> Json {
    let sample = match expected {
        Some(Json::List(items)) => items.first(),
        other => other,
    };
    match sample {
        Some(Json::Int(_)) => Json::Int(at as i128),
        Some(Json::Text(_)) => match (tweet, tweet.get("id")) {
            (Json::Text(_), _) => tweet.clone(),
            (_, Some(id)) if sample == Some(id) => id.clone(),
            (_, id) => tweet.get("text").or(id).cloned().unwrap_or(Json::Null),
        },
        _ => tweet.clone(),
    }
}

pub fn analysis(call: &Call<'_>) -> Found<Json> {
    let key = if call.inputs.get("api_params").is_some() { QueryKey::ApiParams } else { QueryKey::QueryString };
    let reply = match call.inputs.any(&["reply", "response", "json"]) {
        Ok(text) => text.text()?.to_owned(),
        Err(_) => return Err("no reply to read".to_owned()),
    };
    let found = QueryAnalysis::from_reply(&reply, key).map_err(|error| error.to_string())?;
    Ok(offer(
        call.expected,
        vec![
            ("query_string", Json::Text(found.query.clone())),
            ("api_params", Json::Text(found.query)),
            ("keywords", texts(found.keywords)),
            ("hashtags", texts(found.hashtags)),
            ("user_mentions", texts(found.user_mentions)),
        ],
    ))
}
