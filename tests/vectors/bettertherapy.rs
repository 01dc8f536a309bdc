//! BetterTherapy: adapters from JSON to our functions, and no arithmetic but that of units.
//!
//! Rows are found by the upstream function's name at the end of a vector's source. Upstream's one long `forward` is three
//! of ours; which of them a vector is about shows in what its inputs hold.

#[path = "bettertherapy/passes.rs"]
mod passes;

use domain::bettertherapy::average::scattered;
use domain::bettertherapy::batching::files;
use domain::bettertherapy::constants::{Burn, Constants, Judge, Selection};
use domain::bettertherapy::generator::repaired;
use domain::bettertherapy::payout::{Due, is_due, rewards};
use domain::bettertherapy::python_json::Value;
use domain::bettertherapy::scoring::points;
use domain::bettertherapy::selection::{Slot, exclusions};
use domain::bettertherapy::tokens::TokenRule;
use domain::sdk_weights::{Limits, emit, normalise_max_weight, process};

use super::json::{Found, Json, compare, floats, naturals, object, offer, texts};
use super::loosh::Call;
use super::table::{Generation, Row, Verdict};

const fn ours(functions: &'static [&'static str], name: &'static str, adapter: super::table::Adapter) -> Row {
    Row { generation: Generation::Running, functions, also: &[], verdict: Verdict::Ours(name, adapter) }
}

/// Which function of ours answers for which upstream function, or why none does.
pub const TABLE: &[Row] = &[
    ours(&["create_batch"], "bettertherapy::batching::files", create_batch),
    ours(&["parse_response"], "bettertherapy::generator::repaired", parse_response),
    ours(&["normalize_max_weight"], "sdk_weights::normalise_max_weight", normalise),
    ours(&["convert_weights_and_uids_for_emit"], "sdk_weights::emit", emit_weights),
    ours(&["process_weights_for_netuid"], "sdk_weights::process", process_weights),
    ours(&["update_scores"], "bettertherapy::average::scattered", update_scores),
    ours(&["filter_uids"], "bettertherapy::selection::exclusions", filter_uids),
    ours(&["should_set_weights"], "bettertherapy::payout::is_due", should_set_weights),
    ours(&["forward"], "bettertherapy::{collection, batching, scoring, payout}", forward),
    Row {
        generation: Generation::Running,
        functions: &["compute_body_hash"],
        also: &[],
        verdict: Verdict::NotOurs(
            "the body hash of reports to the mining pool's blacklist service: Assay reports no miner to an outside party on one \
             model's word; a rejection is a recorded zero with its reason, and the operator's own list excludes",
        ),
    },
];

/// The row of a source: by what stands after `::`, or, where a source is prose, by any word of it.
fn find(source: &str) -> Option<&'static Verdict> {
    let named = source.rsplit_once("::").map_or(source, |(_, function)| function);
    let words: Vec<&str> = named.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    TABLE.iter().find(|row| words.iter().any(|word| row.functions.contains(word))).map(|row| &row.verdict)
}

/// The differences of a vector.
pub fn check(vector: &Json) -> Found<Option<Vec<String>>> {
    let source = super::source(vector)?;
    let verdict = find(&source)
        .ok_or_else(|| format!("no function of the table in {source:?}: neither ours nor known as not ours"))?;
    let Verdict::Ours(_, adapter) = verdict else { return Ok(None) };
    // `null` can be an expectation; `at` takes it for missing.
    let expected = vector.fields()?.iter().find(|(key, _)| key == "expected").ok_or("no expectation")?;
    let actual = adapter(&Call { inputs: vector.at("inputs")?, expected: &expected.1 })?;
    Ok(Some(compare(&expected.1, &actual, super::tolerance(vector)?)))
}

pub fn running() -> Constants {
    Constants::v1_2_2()
}

/// The vectors' stand-in for the tokenizer: one token per part between single spaces.
pub struct Words;

impl TokenRule for Words {
    fn clip<'a>(&self, text: &'a str, limit: usize) -> (&'a str, usize) {
        let end = text.match_indices(' ').map(|(at, _)| at).nth(limit.saturating_sub(1)).unwrap_or(text.len());
        (&text[..end], text[..end].split(' ').count())
    }
}

/// So many words.
pub fn words_of(count: u64) -> String {
    vec!["w"; count as usize].join(" ")
}

pub fn size(json: &Json) -> Found<u32> {
    u32::try_from(json.natural()?).map_err(|error| error.to_string())
}

fn create_batch(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let mut rule = Judge { answer_tokens: size(inputs.at("max_tokens_per_response")?)?, ..running().judge };
    if let Some(lines) = inputs.get("max_request_per_batch") {
        rule.lines_per_file = Some(size(lines)?);
    }
    let text = |count: &Json| match count {
        Json::Null => Ok(None),
        count => Ok(Some(words_of(count.natural()?))),
    };
    let answers = match inputs.get("responses") {
        Some(responses) => responses.map(|response| Ok(response.text().ok().map(str::to_owned)))?,
        None => inputs.at("response_word_counts")?.map(text)?,
    };
    let uids = inputs.at("miner_uids")?.naturals()?;
    let request = inputs.at("request_id")?.text()?;
    // Upstream goes through answers and slots together, to the end of the shorter list.
    let borrowed: Vec<Option<&str>> = answers.iter().map(Option::as_deref).take(uids.len()).collect();
    let found = files(&borrowed, &rule, &Words);
    let batches = found.iter().map(|file| {
        let identifiers: Vec<String> = file.lines.iter().map(|line| line.identifier(request)).collect();
        let slots = file.lines.iter().map(|line| {
            let uids: Vec<String> = line.members.iter().map(|at| uids[*at].to_string()).collect();
            Json::Text(uids.join(","))
        });
        object(vec![
            ("metadata", Json::Object(identifiers.iter().cloned().zip(slots).collect())),
            ("custom_ids", texts(&identifiers)),
            ("max_tokens", naturals(file.lines.iter().map(|_| rule.maximum_tokens))),
            ("model", Json::Text(rule.model.clone())),
        ])
    });
    Ok(object(vec![("batches", Json::List(batches.collect()))]))
}

/// A value of Python's JSON as the vectors write it.
fn value(found: &Value) -> Found<Json> {
    Ok(match found {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(digits) => Json::Int(digits.parse().map_err(|_| format!("{digits} is too long"))?),
        Value::Float(value) => Json::Float(*value),
        Value::Text(text) => Json::Text(text.clone()),
        Value::List(items) => Json::List(items.iter().map(value).collect::<Found<_>>()?),
        Value::Object(fields) => {
            let field = |(key, found): &(String, Value)| Ok((key.clone(), value(found)?));
            Json::Object(fields.iter().map(field).collect::<Found<_>>()?)
        }
    })
}

fn parse_response(call: &Call<'_>) -> Found<Json> {
    Ok(match repaired(call.inputs.at("text")?.text()?) {
        Ok(found) => object(vec![("ok", Json::Bool(true)), ("value", value(&found)?)]),
        Err(_) => object(vec![("ok", Json::Bool(false)), ("error", Json::Text("ValueError".to_owned()))]),
    })
}

fn normalise(call: &Call<'_>) -> Found<Json> {
    let limit = call.inputs.get("limit").map_or(Ok(0.1), Json::number)?;
    Ok(floats(&normalise_max_weight(&call.inputs.at("x")?.numbers()?, limit)))
}

fn refused() -> Json {
    object(vec![("error", Json::Text("ValueError".to_owned()))])
}

fn emit_weights(call: &Call<'_>) -> Found<Json> {
    let uids = call.inputs.at("uids")?.map(|uid| uid.number().map(|uid| uid as i64))?;
    let weights = call.inputs.at("weights")?.numbers()?;
    Ok(emit(&uids, &weights).map_or_else(
        |_| refused(),
        |(uids, values)| object(vec![("uids", naturals(uids)), ("values", naturals(values))]),
    ))
}

fn process_weights(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let weights: Vec<f32> = inputs.at("weights")?.numbers()?.into_iter().map(|weight| weight as f32).collect();
    let limits = Limits {
        neurons: inputs.at("n")?.natural()? as usize,
        minimum: inputs.at("min_allowed_weights")?.natural()? as usize,
        maximum_share: inputs.at("max_weight_limit")?.number()?,
        exclude_quantile: 0,
    };
    let slots: Vec<i64> = match inputs.get("uids") {
        Some(uids) => uids.map(|uid| uid.number().map(|uid| uid as i64))?,
        None => (0..).take(weights.len()).collect(),
    };
    let (uids, processed) = process(&slots, &weights, &limits);
    Ok(object(vec![("uids", naturals(uids)), ("weights", floats(&processed.to_doubles()))]))
}

/// A number; a text or nothing stands for NaN, which JSON does not have.
fn reward(json: &Json) -> Found<f64> {
    Ok(json.number().unwrap_or(f64::NAN))
}

fn update_scores(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let alpha = inputs.get("alpha").map_or(Ok(running().average.alpha), Json::number)?;
    let mut scores: Vec<f32> = inputs.at("scores")?.numbers()?.into_iter().map(|score| score as f32).collect();
    let mut after = Vec::new();
    for step in inputs.at("steps")?.list()? {
        let uids: Vec<usize> = step.at("uids")?.naturals()?.into_iter().map(|uid| uid as usize).collect();
        match scattered(&scores, &uids, &step.at("rewards")?.map(reward)?, alpha) {
            Ok(next) => scores = next,
            Err(_) => return Ok(refused()),
        }
        after.push(floats(&scores.iter().copied().map(f64::from).collect::<Vec<_>>()));
    }
    Ok(object(vec![("scores_after_each", Json::List(after))]))
}

fn filter_uids(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let per_key = inputs.get("max_per_key").map_or(Ok(15), size)?;
    let stake = inputs.get("vpermit_tao_limit").map_or(Ok(running().selection.permit_stake), Json::number)?;
    let blacklisted = inputs.get("blacklisted").map_or(Ok(Vec::new()), Json::texts)?;
    let rows = inputs.at("rows(ip,port,serving,coldkey,validator_permit,stake)")?.list()?;
    let slot = |(at, row): (usize, &'_ Json)| -> Found<(String, u16, bool, String, bool, f64, bool)> {
        let [address, port, serving, coldkey, permit, stake] = row.list()? else {
            return Err("a row of six".to_owned());
        };
        Ok((
            address.text()?.to_owned(),
            u16::try_from(port.natural()?).map_err(|error| error.to_string())?,
            serving.flag()?,
            coldkey.text()?.to_owned(),
            permit.flag()?,
            stake.number()?,
            blacklisted.contains(&format!("hk{at}").as_str()),
        ))
    };
    let rows = rows.iter().enumerate().map(slot).collect::<Found<Vec<_>>>()?;
    let slots: Vec<Slot<'_>> = rows
        .iter()
        .map(|(address, port, serving, coldkey, permit, stake, blocked)| Slot {
            address,
            port: *port,
            serving: *serving,
            coldkey,
            permit: *permit,
            stake: *stake,
            blocked: *blocked,
        })
        .collect();
    let found = exclusions(&slots, &Selection::upstream(per_key, stake));
    Ok(naturals((0..found.len()).filter(|at| found[*at].is_none())))
}

fn should_set_weights(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let due = Due {
        passes: inputs.at("step")?.natural()?,
        disabled: inputs.at("disable")?.flag()?,
        block: inputs.at("block")?.natural()?,
        last_set: inputs.at("last_updated")?.natural()?,
        interval_blocks: inputs.at("epoch_length")?.natural()?,
        ready: inputs.at("ready")?.flag()?,
        miner: inputs.at("neuron_type")?.text()? == "MinerNeuron",
    };
    Ok(Json::Bool(is_due(&due)))
}

fn forward(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    if inputs.get("judge_lines").is_some() {
        passes::collection(call)
    } else if inputs.get("words_each").is_some() {
        passes::challenge(call)
    } else if inputs.get("miner_scores").is_some() {
        burnt(call)
    } else if inputs.get("reward").is_some() || inputs.get("seconds").is_some() {
        documented(call)
    } else {
        Err("inputs of no known part of forward".to_owned())
    }
}

/// A missing verdict or time is none of the two rules' business: both give 0.
fn documented(call: &Call<'_>) -> Found<Json> {
    let (reward, seconds) = (call.inputs.get("reward"), call.inputs.get("seconds"));
    let quality = reward.map_or(Ok(0.0), Json::number)?;
    let seconds = seconds.map_or(Ok(f64::NAN), Json::number)?;
    let total = |rule: &Constants| Json::Float(points(quality, seconds, &rule.scoring).total);
    let offers = vec![("as_documented", total(&Constants::readme())), ("as_coded", total(&running()))];
    Ok(offer(call.expected, offers))
}

fn burnt(call: &Call<'_>) -> Found<Json> {
    let scores = call.inputs.at("miner_scores")?.numbers()?;
    let found = rewards(&(1..).zip(scores).collect(), &Burn::ninety_five());
    let values: Vec<f64> = found.iter().map(|(_, reward)| *reward).collect();
    let burnt_first = found.first().is_some_and(|(uid, _)| *uid == 0);
    let order = if burnt_first { "0 first, then miners" } else { "miners" };
    Ok(offer(call.expected, vec![("uids", Json::Text(order.to_owned())), ("values", floats(&values))]))
}
