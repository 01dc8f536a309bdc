//! Adapters for windows, tags, the document's base score and bell curve, and its mock run.

use domain::cgp::constants::{Constants, Membership, Validation};
use domain::cgp::conversation::{self, Line};
use domain::cgp::overlap::{Overlap, compare as compare_tags};
use domain::cgp::{bell, mock, similarity, tags, windows};

use super::super::json::{Found, Json, naturals, object, offer, texts};
use super::super::loosh::Call;
use super::{float, floats, from, numbers, running, seed, whole};

fn window_json(found: &[std::ops::Range<usize>]) -> Json {
    let pair = |window: &std::ops::Range<usize>| naturals([window.start as u64, window.end as u64]);
    Json::List(found.iter().map(pair).collect())
}

/// How many items: a number, or the items themselves.
fn items(inputs: &Json) -> Found<usize> {
    match inputs.any(&["n_items", "n_lines", "lines", "array", "items"])? {
        Json::List(items) => Ok(items.len()),
        count => Ok(count.natural()? as usize),
    }
}

pub fn split_overlap_array(call: &Call<'_>) -> Found<Json> {
    let (size, overlap) = (whole(call.inputs, "size", 10)?, whole(call.inputs, "overlap", 2)?);
    let found = windows::split(items(call.inputs)?, size, overlap);
    let offers = vec![("window_count", Json::Int(found.len() as i128)), ("windows", window_json(&found))];
    Ok(offer(call.expected, offers))
}

pub fn conversation_windows(call: &Call<'_>) -> Found<Json> {
    let rule = if from(call, "12981da") { running().windows } else { Constants::readme().windows };
    let found = windows::of_conversation(items(call.inputs)?, &rule);
    let offers = vec![("window_count", Json::Int(found.len() as i128)), ("windows", window_json(&found))];
    Ok(offer(call.expected, offers))
}

pub fn enough_windows(call: &Call<'_>) -> Found<Json> {
    let count = call.inputs.any(&["window_count", "n_windows", "windows"])?.natural()? as usize;
    let stated = call.inputs.get("min_convo_windows").map(Json::natural).transpose()?;
    let kept = windows::enough(count, stated, &running().windows);
    Ok(offer(call.expected, vec![("kept", Json::Bool(kept)), ("valid", Json::Bool(kept))]))
}

pub fn safe_tag(call: &Call<'_>) -> Found<Json> {
    let found = tags::safe_tag(call.inputs.any(&["tag", "inStr"])?.text()?);
    Ok(object(vec![("safe_tag", Json::Text(found))]))
}

pub fn clean_tag_set(call: &Call<'_>) -> Found<Json> {
    let raw: Vec<Option<&str>> = call.inputs.at("tags")?.list()?.iter().map(|tag| tag.text().ok()).collect();
    let found = texts(tags::clean_raw_tag_set(&raw));
    let offers = ["set_sorted", "tags_sorted", "tags", "sorted", "clean_tags"].map(|key| (key, found.clone()));
    Ok(offer(call.expected, offers.to_vec()))
}

pub fn clean_tags(call: &Call<'_>) -> Found<Json> {
    Ok(object(vec![("tags", texts(tags::clean_tags(&call.inputs.at("tags")?.texts()?)))]))
}

pub fn compare_arrays(call: &Call<'_>) -> Found<Json> {
    let (first, second) = (call.inputs.at("arr1")?.texts()?, call.inputs.at("arr2")?.texts()?);
    let found = compare_tags(&first, &second);
    Ok(object(vec![
        ("both", texts(found.both)),
        ("unique_1", texts(found.only_first)),
        ("unique_2", texts(found.only_second)),
    ]))
}

pub fn is_empty_vector(call: &Call<'_>) -> Found<Json> {
    let found = similarity::is_zero(&numbers(call.inputs.at("vector")?)?);
    let offers = ["empty", "is_empty", "value", "result"].map(|key| (key, Json::Bool(found)));
    Ok(offer(call.expected, offers.to_vec()))
}

fn lines(json: &Json) -> Found<Vec<Line>> {
    let pairs = json.list()?.iter().filter_map(|line| line.list().ok()).filter(|line| line.len() == 2);
    pairs.map(|pair| Ok(Line(pair[0].natural()? as u32, pair[1].text()?.to_owned()))).collect()
}

pub fn prompt_xml(call: &Call<'_>) -> Found<Json> {
    let found = conversation::prompt_xml(&lines(call.inputs.at("lines")?)?, false);
    Ok(offer(call.expected, vec![("xml", Json::Text(found))]))
}

fn validation_rule(call: &Call<'_>) -> Found<Validation> {
    let rule = running().tags.validation.ok_or("the running rule set validates nothing")?;
    // The classic revision kept every element that occurs in the joined text.
    Ok(if from(call, "12981da") { rule } else { Validation { membership: Membership::Fragment, ..rule } })
}

pub fn validate_tag_set(call: &Call<'_>) -> Found<Json> {
    let sent = call.inputs.any(&["tags", "original_tags"])?.texts()?;
    let rule = validation_rule(call)?;
    let input = tags::validation_input(&sent, &rule, &seed());
    let reply = call.inputs.any(&["reply", "response", "content", "llm_reply", "llm_response"])?.text()?;
    let found = tags::parse_validation(reply, &sent, &input, &rule).map_or(Json::Null, texts);
    let offers = ["tags", "tags_sorted", "set_sorted", "valid_tags"].map(|key| (key, found.clone()));
    Ok(offer(call.expected, offers.to_vec()))
}

pub fn base_score(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let overlap = match (inputs.get("ground_truth_tags"), inputs.get("miner_tags")) {
        (Some(truth), Some(answer)) => Overlap::of(&truth.texts()?, &answer.texts()?),
        _ => {
            let count = |key: &str| match inputs.at(key)? {
                Json::List(items) => Ok::<usize, String>(items.len()),
                other => Ok(other.natural()? as usize),
            };
            Overlap {
                truth: count("total_1")?,
                answer: count("total_2")?,
                both: count("both")?,
                only_truth: count("unique_1")?,
                only_answer: count("unique_2")?,
            }
        }
    };
    let rule = Constants::readme().overlap.ok_or("the document's rule set has no base score")?;
    match rule.score(&overlap) {
        Ok(score) => Ok(object(vec![("score", float(score))])),
        // The revision after the document's pays nothing instead of failing.
        Err(_) if from(call, "f189e9b") => Ok(object(vec![("score", float(0.0))])),
        Err(_) => Ok(division_by_zero()),
    }
}

fn division_by_zero() -> Json {
    object(vec![("error", Json::Text("ZeroDivisionError".to_owned()))])
}

pub fn bell_curve(call: &Call<'_>) -> Found<Json> {
    let scores = numbers(call.inputs.at("scores")?)?;
    if from(call, "f189e9b") {
        return Ok(object(vec![("rewards", floats(bell::rewards(&scores)))]));
    }
    Ok(bell::shares(&scores).map_or_else(|_| division_by_zero(), |shares| object(vec![("rewards", floats(shares))])))
}

pub fn mock_valid(call: &Call<'_>) -> Found<Json> {
    let count = match call.inputs.any(&["tag_count", "tags"])? {
        Json::List(tags) => tags.len(),
        count => count.natural()? as usize,
    };
    Ok(object(vec![("valid", Json::Bool(mock::is_valid(count)))]))
}

/// Every text of a nested list.
fn all_texts(json: &Json) -> Vec<String> {
    match json {
        Json::Text(text) => vec![text.clone()],
        Json::List(items) => items.iter().flat_map(all_texts).collect(),
        Json::Object(fields) => fields.iter().flat_map(|(_, value)| all_texts(value)).collect(),
        _ => Vec::new(),
    }
}

/// The conversation of the vector, or the shipped one where the vector only names the mock run. Counts, verdicts and lists
/// go by their types: the results have one of each.
pub fn mock_tags(call: &Call<'_>) -> Found<Json> {
    let lines = ["lines", "exchanges"];
    let given = call.inputs.any(&["lines", "exchanges", "conversation", "convo", "text"]).ok();
    let given = given.map(|given| all_texts(given.any(&lines).unwrap_or(given)));
    let shipped = || mock::conversation().iter().map(|line| line.text().to_owned()).collect();
    let found = mock::tags(&given.filter(|lines| lines.len() > 1).unwrap_or_else(shipped));
    let mut sorted = found.clone();
    sorted.sort();
    let result = |(key, value): &(String, Json)| {
        let found = match value {
            Json::Int(_) => Json::Int(found.len() as i128),
            Json::Bool(_) => Json::Bool(mock::is_valid(found.len())),
            _ if key.contains("sorted") => texts(&sorted),
            _ => texts(&found),
        };
        (key.clone(), found)
    };
    Ok(Json::Object(call.expected.fields()?.iter().map(result).collect()))
}
