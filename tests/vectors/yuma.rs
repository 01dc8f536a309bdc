//! Epochs of the chain: every stored result and the bits of every intermediate one.

use yuma::{EpochInput, I32F32, Stake, epoch_traced};

use super::json::{Found, Json, naturals, object};

/// The fields of an input; another one would be ignored, so it is refused.
const FIELDS: [&str; 20] = [
    "activity_cutoff",
    "alpha_low_high_u16",
    "alpha_sigmoid_steepness",
    "block_at_registration",
    "bonds_moving_average",
    "bonds_penalty_u16",
    "bonds_u16",
    "current_block",
    "kappa_u16",
    "last_tempo_block",
    "last_update",
    "liquid_alpha",
    "max_allowed_validators",
    "owner_uid",
    "rao_emission",
    "stake_threshold",
    "stake_u64",
    "validator_permit",
    "weights_u16",
    "yuma3",
];

fn short(json: &Json) -> Found<u16> {
    u16::try_from(json.natural()?).map_err(|error| error.to_string())
}

/// Rows of `[uid, value]`.
fn rows(json: &Json) -> Found<Vec<Vec<(u16, u16)>>> {
    json.map(|row| {
        row.map(|entry| match entry.list()? {
            [uid, value] => Ok((short(uid)?, short(value)?)),
            other => Err(format!("{other:?} is no pair")),
        })
    })
}

fn input(json: &Json) -> Found<EpochInput> {
    if let Some((key, _)) = json.fields()?.iter().find(|(key, _)| !FIELDS.contains(&key.as_str())) {
        return Err(format!("nothing reads the input {key}"));
    }
    let number = |key: &str| json.at(key)?.natural();
    let alpha_values = match json.at("alpha_low_high_u16")?.list()? {
        [low, high] => (short(low)?, short(high)?),
        other => return Err(format!("{other:?} is no pair of rates")),
    };
    let steepness = match json.at("alpha_sigmoid_steepness")? {
        Json::Int(value) => i16::try_from(*value).map_err(|error| error.to_string())?,
        other => return Err(format!("{other:?} is no integer")),
    };
    Ok(EpochInput {
        block: number("current_block")?,
        last_epoch_block: number("last_tempo_block")?,
        activity_cutoff: number("activity_cutoff")?,
        last_update: json.at("last_update")?.naturals()?,
        block_at_registration: json.at("block_at_registration")?.naturals()?,
        earliest_commit: Vec::new(),
        stake: json.at("stake_u64")?.naturals()?.into_iter().map(Stake::whole).collect(),
        stake_threshold: number("stake_threshold")?,
        validator_permit: json.at("validator_permit")?.flags()?,
        max_allowed_validators: short(json.at("max_allowed_validators")?)?,
        owner: json.get("owner_uid").map(short).transpose()?,
        weights: rows(json.at("weights_u16")?)?,
        bonds: rows(json.at("bonds_u16")?)?,
        kappa: short(json.at("kappa_u16")?)?,
        bonds_moving_average: number("bonds_moving_average")?,
        bonds_penalty: short(json.at("bonds_penalty_u16")?)?,
        yuma3: json.at("yuma3")?.flag()?,
        liquid_alpha: json.at("liquid_alpha")?.flag()?,
        alpha_values,
        alpha_sigmoid_steepness: steepness,
        emission: number("rao_emission")?,
    })
}

fn bits(values: &[I32F32]) -> Json {
    naturals(values.iter().map(|value| value.to_bits()))
}

fn flags(values: &[bool]) -> Json {
    Json::List(values.iter().copied().map(Json::Bool).collect())
}

fn pairs<T: Copy>(matrix: &[Vec<(u16, T)>], value: impl Fn(T) -> i128) -> Json {
    let pair = |(uid, entry): &(u16, T)| naturals([i128::from(*uid), value(*entry)]);
    Json::List(matrix.iter().map(|row| Json::List(row.iter().map(pair).collect())).collect())
}

/// What is expected of a case, and what our epoch computes from its input.
pub fn check(case: &Json) -> Found<(Json, Json)> {
    let (output, trace) = epoch_traced(&input(case.at("in")?)?).map_err(|error| error.to_string())?;
    let matrix = |rows: &[Vec<(u16, I32F32)>]| pairs(rows, |value| value.to_bits().into());
    let alphas = trace.alphas.map_or(Json::Null, |rows| Json::List(rows.iter().map(|row| bits(row)).collect()));
    let traced = object(vec![
        ("active_stake", bits(&trace.active_stake)),
        ("alphas", alphas),
        ("clipped", matrix(&trace.clipped)),
        ("consensus", bits(&trace.consensus)),
        ("dividends", bits(&trace.dividends)),
        ("ema_bonds", matrix(&trace.ema_bonds)),
        ("incentive", bits(&trace.incentive)),
        ("stake", bits(&trace.stake)),
        ("validator_trust", bits(&trace.validator_trust)),
        ("weights", matrix(&trace.weights)),
        ("weights_for_bonds", matrix(&trace.weights_for_bonds)),
    ]);
    let stored = object(vec![
        ("active", flags(&output.active)),
        ("bonds", pairs(&output.bonds, i128::from)),
        ("combined_emission", naturals(output.emission)),
        ("consensus", naturals(output.consensus)),
        ("dividends", naturals(output.dividends)),
        ("incentive", naturals(output.incentive)),
        ("new_validator_permit", flags(&output.permits)),
        ("server_emission", naturals(output.server_emission)),
        ("stake_weight", naturals(output.stake_weight)),
        ("validator_emission", naturals(output.validator_emission)),
        ("validator_trust", naturals(output.validator_trust)),
    ]);
    let expected = object(vec![("bits", case.at("bits")?.clone()), ("out", case.at("out")?.clone())]);
    Ok((expected, object(vec![("bits", traced), ("out", stored)])))
}
