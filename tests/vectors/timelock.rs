//! Timelock commits. Encryption is randomised, so ciphertexts are opened and never compared.

use commit_reveal::{
    Beacon, Payload, PublicKey, QUICKNET, Signature, Weights, decrypt, encrypt, open_envelope, seal_envelope,
};

use super::json::{Found, Json, naturals, object};

/// The fields of a case; every other one must be a ciphertext.
const FIELDS: [&str; 7] = ["name", "note", "round", "signature_g1", "public_key_g2", "payload_scale", "payload"];

fn bytes(json: &Json) -> Found<Vec<u8>> {
    let text = json.text()?;
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| error.to_string())
}

fn array<const LENGTH: usize>(json: &Json) -> Found<[u8; LENGTH]> {
    bytes(json)?.try_into().map_err(|found: Vec<u8>| format!("{} bytes instead of {LENGTH}", found.len()))
}

fn shorts(json: &Json) -> Found<Vec<u16>> {
    json.map(|item| u16::try_from(item.natural()?).map_err(|error| error.to_string()))
}

fn described(payload: &Payload) -> Json {
    object(vec![
        ("hotkey", Json::Text(format!("0x{}", hex::encode(&payload.hotkey)))),
        ("uids", naturals(payload.uids.iter().copied())),
        ("values", naturals(payload.values.iter().copied())),
        ("version_key", naturals([payload.version_key])),
    ])
}

/// The names of the ciphertexts of a case.
pub fn ciphertexts(case: &Json) -> Found<Vec<&str>> {
    let names = case.fields()?.iter().map(|(key, _)| key.as_str()).filter(|key| !FIELDS.contains(key));
    names
        .map(|key| key.starts_with("ciphertext").then_some(key).ok_or_else(|| format!("section {key:?} is not known")))
        .collect()
}

/// The payload written and read, the signature checked, a ciphertext of our own opened; then the one named, with and without
/// an envelope.
pub fn check(case: &Json, name: &str) -> Found<(Json, Json)> {
    let said = |error: commit_reveal::Error| error.to_string();
    let round = case.at("round")?.natural()?;
    let beacon = Beacon { public_key: array(case.at("public_key_g2")?)?, ..QUICKNET };
    let key = PublicKey::from_bytes(&beacon.public_key).map_err(said)?;
    let signature = Signature::from_bytes(&array(case.at("signature_g1")?)?).map_err(said)?;
    let stated = case.at("payload")?;
    let weights = Weights {
        uids: shorts(stated.at("uids")?)?,
        values: shorts(stated.at("values")?)?,
        version_key: stated.at("version_key")?.natural()?,
    };
    let hotkey: [u8; 32] = array(stated.at("hotkey")?)?;
    let written = Payload::new(&hotkey, weights.clone()).to_bytes();
    let ours = encrypt(&written, round, &key, [7; 32]).map_err(said)?;
    let stored = bytes(case.at(name)?)?;
    let (ciphertext, enveloped) = open_envelope(&stored).unwrap_or((stored, round));
    let opened = decrypt(&ciphertext, &signature).map_err(said)?;
    let read = Weights::from_bytes(&opened, &hotkey).map_err(said)?;
    let expected = object(vec![
        ("payload", stated_in_order(stated)?),
        ("payload_scale", case.at("payload_scale")?.clone()),
        ("opened", case.at("payload_scale")?.clone()),
        ("ours", case.at("payload_scale")?.clone()),
        ("signed", Json::Bool(true)),
        ("round", naturals([round, round])),
        ("weights", Json::Bool(true)),
        ("length", naturals([ciphertext.len()])),
    ]);
    let resealed = open_envelope(&seal_envelope(&ours, round)).map_err(said)?;
    let actual = object(vec![
        ("payload", described(&Payload::from_bytes(&opened).map_err(said)?)),
        ("payload_scale", Json::Text(hex::encode(&written))),
        ("opened", Json::Text(hex::encode(&opened))),
        ("ours", Json::Text(hex::encode(decrypt(&resealed.0, &signature).map_err(said)?))),
        ("signed", Json::Bool(key.verifies(round, &signature))),
        ("round", naturals([enveloped, resealed.1])),
        ("weights", Json::Bool(read == weights)),
        ("length", naturals([ours.len()])),
    ]);
    Ok((expected, actual))
}

/// A payload as the file states it, numbers in lists as [`described`] has them.
fn stated_in_order(stated: &Json) -> Found<Json> {
    let fields = stated.fields()?.iter().map(|(key, value)| match value {
        Json::Int(_) => (key.as_str(), Json::List(vec![value.clone()])),
        other => (key.as_str(), other.clone()),
    });
    Ok(object(fields.collect()))
}
