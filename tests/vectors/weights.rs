//! Adapters for the SDK's weight processing (`weights.json`): sections of cases instead of named vectors.

use domain::sdk_weights::{EmitError, Limits, Processed, emit, normalise_max_weight, process};

use super::json::{Found, Json, floats, naturals, object, offer, texts};

/// The section of the file, its cases' key for what is expected, and the adapter.
pub type Section = (&'static str, fn(&Json) -> Found<(Json, Json)>);

pub const SECTIONS: &[Section] = &[
    ("process_then_emit", process_then_emit),
    ("emit_only", emit_only),
    ("normalize_max_weight", normalise),
    ("weight_commit_hash_v2", commit_hash),
    ("mechanism_split_u16", mechanism_split),
];

fn integers(json: &Json) -> Found<Vec<i64>> {
    json.map(|item| match item {
        Json::Int(value) => i64::try_from(*value).map_err(|error| error.to_string()),
        other => Err(format!("{other:?} is no integer")),
    })
}

/// Numbers that the file gives as doubles of single-precision values.
fn singles(json: &Json) -> Found<Vec<f32>> {
    Ok(json.numbers()?.into_iter().map(|value| value as f32).collect())
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn sent(found: Result<(Vec<i64>, Vec<u16>), EmitError>, keys: [&str; 2], uids: &[i64]) -> Json {
    match found {
        Ok((uids, values)) => object(vec![(keys[0], naturals(uids)), (keys[1], naturals(values))]),
        Err(error) => object(vec![("error", Json::Text(upstream_error(&error, uids)))]),
    }
}

/// The SDK's words for the same refusals.
fn upstream_error(error: &EmitError, uids: &[i64]) -> String {
    match error {
        EmitError::NegativeWeight(weight) => {
            format!("ValueError: Passed weight is negative cannot exist on chain {weight}")
        }
        EmitError::NegativeUid(_) => format!("ValueError: Passed uid is negative cannot exist on chain {uids:?}"),
        EmitError::Lengths { uids, weights } => {
            format!("ValueError: Passed weights and uids must have the same length, got {uids} and {weights}")
        }
    }
}

/// Refuses a field that nothing reads, so that no input is passed over.
fn only(json: &Json, read: &[&str]) -> Found<()> {
    match json.fields()?.iter().find(|(key, _)| !read.contains(&key.as_str())) {
        Some((key, _)) => Err(format!("nothing reads the input {key}")),
        None => Ok(()),
    }
}

fn process_then_emit(case: &Json) -> Found<(Json, Json)> {
    const READ: [&str; 6] =
        ["uids", "weights_f32", "num_neurons", "min_allowed_weights", "max_weight_limit", "exclude_quantile_u16"];
    only(case, &["name", "note", "in", "out"])?;
    let (inputs, expected) = (case.at("in")?, case.at("out")?);
    only(inputs, &READ)?;
    let limits = Limits {
        neurons: inputs.at("num_neurons")?.natural()? as usize,
        minimum: inputs.at("min_allowed_weights")?.natural()? as usize,
        maximum_share: inputs.at("max_weight_limit")?.number()?,
        exclude_quantile: u16::try_from(inputs.at("exclude_quantile_u16")?.natural()?).map_err(|e| e.to_string())?,
    };
    let (uids, processed) = process(&integers(inputs.at("uids")?)?, &singles(inputs.at("weights_f32")?)?, &limits);
    let weights = processed.to_doubles();
    let (precision, bits) = match &processed {
        Processed::Single(weights) => ("float32", texts(weights.iter().map(|w| format!("{:08x}", w.to_bits())))),
        Processed::Double(weights) => ("float64", texts(weights.iter().map(|w| format!("{:016x}", w.to_bits())))),
    };
    let emitted = sent(emit(&uids, &weights), ["emit_uids", "emit_vals"], &uids);
    let mut offers = vec![
        ("process_uids", naturals(uids.iter().copied())),
        ("process_weights", floats(&weights)),
        ("process_weights_dtype", Json::Text(precision.to_owned())),
        ("process_weights_hex", bits),
    ];
    for (key, value) in emitted.fields()? {
        offers.push((key.as_str(), value.clone()));
    }
    Ok((expected.clone(), offer(expected, offers)))
}

fn emit_only(case: &Json) -> Found<(Json, Json)> {
    only(case, &["name", "note", "uids", "weights_f32", "out"])?;
    let uids = integers(case.at("uids")?)?;
    let weights = doubles(&singles(case.at("weights_f32")?)?);
    Ok((case.at("out")?.clone(), sent(emit(&uids, &weights), ["uids", "vals"], &uids)))
}

fn normalise(case: &Json) -> Found<(Json, Json)> {
    only(case, &["name", "note", "x_f32", "limit", "y", "dtype"])?;
    let found = normalise_max_weight(&singles(case.at("x_f32")?)?, case.at("limit")?.number()?);
    let expected = object(vec![("y", case.at("y")?.clone()), ("dtype", case.at("dtype")?.clone())]);
    let actual = object(vec![("y", floats(&doubles(&found))), ("dtype", Json::Text("float32".to_owned()))]);
    Ok((expected, actual))
}

fn shorts(json: &Json) -> Found<Vec<u16>> {
    json.map(|item| u16::try_from(item.natural()?).map_err(|error| error.to_string()))
}

fn commit_hash(case: &Json) -> Found<(Json, Json)> {
    only(case, &["name", "note", "ss58", "netuid", "mecid", "uids", "values", "version_key", "salt", "hash"])?;
    let account = domain::ss58::decode(case.at("ss58")?.text()?).map_err(|error| error.to_string())?;
    let netuid = u16::try_from(case.at("netuid")?.natural()?).map_err(|error| error.to_string())?;
    let mechanism = case.get("mecid").map_or(Ok(0), Json::natural)?;
    let mechanism = u8::try_from(mechanism).map_err(|error| error.to_string())?;
    let hash = commit_reveal::weights_hash(
        &account,
        yuma::mechanisms::storage_index(netuid, mechanism),
        &shorts(case.at("uids")?)?,
        &shorts(case.at("values")?)?,
        &shorts(case.at("salt")?)?,
        case.at("version_key")?.natural()?,
    );
    Ok((case.at("hash")?.clone(), Json::Text(format!("0x{}", hex::encode(hash)))))
}

fn mechanism_split(case: &Json) -> Found<(Json, Json)> {
    only(case, &["name", "note", "in", "out"])?;
    let found = yuma::mechanisms::split(&case.at("in")?.numbers()?).map_err(|error| error.to_string())?;
    Ok((case.at("out")?.clone(), naturals(found)))
}
