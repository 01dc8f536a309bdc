//! Adapters for the vectors of the wire, of words that answers share, and of modes. JSON to arguments, results to JSON; no
//! arithmetic here.

use domain::loosh::keywords::word_similarity as alike;
use domain::loosh::matrix::{SquareMatrix, similarity};
use domain::loosh::payout::Mode;
use domain::loosh::sybil::{self, fused_pairs as fused, structural_similarity};
use domain::text::numbers::float_repr;
use domain::types::HexBytes;
use network::fernet::FernetKey;
use network::fiber::{handshake_message, service_headers, service_message};
use network::keys::Keypair;

use super::json::{Found, Json, offer, texts};
use super::loosh::{Call, cases, matrix, running};

/// A body that is null is none.
fn body(json: &Json) -> Found<&str> {
    if *json == Json::Null { Ok("") } else { json.text() }
}

/// A token is made again from the stated time and IV, and opens to its plaintext.
pub fn fernet(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let key = FernetKey::parse(case.any(&["key_base64url", "key"])?.text()?).map_err(|error| error.to_string())?;
        let open = |token: &str| key.open(token, None).map_err(|error| error.to_string());
        let plain = |bytes: Vec<u8>| String::from_utf8(bytes).map(Json::Text).map_err(|error| error.to_string());
        if let Some(token) = case.get("token") {
            return Ok(offer(expected, vec![("plaintext", plain(open(token.text()?)?)?)]));
        }
        let plaintext = case.at("plaintext")?.text()?.as_bytes();
        let iv: HexBytes<16> = case.at("iv_hex")?.text()?.parse().map_err(|_| "the IV is not 16 bytes in hex")?;
        let token = key.seal_with(plaintext, case.at("timestamp")?.natural()?, &iv.0);
        let token = token.map_err(|error| error.to_string())?;
        let opened = plain(open(&token)?)?;
        Ok(offer(expected, vec![("token", Json::Text(token)), ("plaintext", opened)]))
    })
}

/// The times' texts, and the messages where nonce and hotkey are given.
pub fn handshake(call: &Call<'_>) -> Found<Json> {
    let times = match call.inputs.get("timestamps") {
        Some(times) => times.numbers()?,
        None => vec![call.inputs.at("timestamp")?.number()?],
    };
    let given = |key: &str| call.inputs.get(key).map_or(Ok(""), Json::text);
    let (nonce, hotkey) = (given("nonce")?, given("hotkey")?);
    let strings: Vec<String> = times.iter().map(|time| float_repr(*time)).collect();
    let messages: Vec<String> = times.iter().map(|time| handshake_message(*time, nonce, hotkey)).collect();
    let first = |all: &[String]| all.first().cloned().map_or(Json::Null, Json::Text);
    let (string, message) = (first(&strings), first(&messages));
    Ok(offer(
        call.expected,
        vec![("strings", texts(strings)), ("messages", texts(messages)), ("string", string), ("message", message)],
    ))
}

/// The messages; and that a header made of one has the stated names and form.
pub fn service_signature(call: &Call<'_>) -> Found<Json> {
    let (hotkey, nonce) = (call.inputs.at("hotkey")?.text()?, call.inputs.at("nonce")?.text()?);
    let bodies = match call.inputs.get("bodies") {
        Some(bodies) => bodies.list()?.iter().map(body).collect::<Found<Vec<_>>>()?,
        None => vec![call.inputs.get("body").map_or(Ok(""), body)?],
    };
    let messages: Vec<String> = bodies.iter().map(|body| service_message(nonce, hotkey, body.as_bytes())).collect();
    let pair = Keypair::from_seed(&[1; 32]).map_err(|error| error.to_string())?;
    let headers = service_headers(&pair, nonce.parse().map_err(|_| "the nonce is no time")?, bodies[0].as_bytes());
    let signature = headers[2]
        .1
        .strip_prefix("0x")
        .filter(|hex| hex.len() == 128 && hex.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')));
    let form = if signature.is_some() { "0x + lowercase hex of 64-byte sr25519 signature" } else { "another form" };
    let first = messages.first().cloned().map_or(Json::Null, Json::Text);
    Ok(offer(
        call.expected,
        vec![
            ("signed_messages", texts(messages)),
            ("signed_message", first),
            ("header_names", texts(headers.iter().map(|(name, _)| *name))),
            ("signature_format", Json::Text(form.to_owned())),
        ],
    ))
}

pub fn word_similarity(call: &Call<'_>) -> Found<Json> {
    cases(call, |case, expected| {
        let found = matrix(&alike(&case.any(&["texts", "responses"])?.texts()?));
        Ok(offer(expected, ["similarity", "tfidf", "matrix", "sim"].map(|key| (key, found.clone())).into()))
    })
}

pub fn fused_pairs(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let answers = inputs.any(&["texts", "responses"])?.texts()?;
    let meaning = match inputs.get("embeddings") {
        Some(embeddings) => similarity(&embeddings.rows()?),
        None => SquareMatrix::from_rows(&inputs.at("similarity")?.rows()?).ok_or("the similarity is not square")?,
    };
    let limits = running().sybil_detection.unwrap_or_default();
    let included = match inputs.get("length_mask") {
        Some(mask) => mask.flags()?,
        None => sybil::long_enough(&answers, &limits),
    };
    let found = fused(&meaning, &alike(&answers), &structural_similarity(&answers), &included, &limits.fusion);
    let names = match inputs.get("hotkeys") {
        Some(hotkeys) => hotkeys.map(|hotkey| Ok(Json::Text(hotkey.text()?.to_owned())))?,
        None => (0..answers.len()).map(|at| Json::Int(at as i128)).collect(),
    };
    let pair = |(i, j): (usize, usize)| Json::List(vec![names[i].clone(), names[j].clone()]);
    Ok(offer(call.expected, vec![("pairs", Json::List(found.iter().map(|found| pair(found.pair)).collect()))]))
}

pub fn mode(call: &Call<'_>) -> Found<Json> {
    let rule = running().freshness;
    let keys = ["blocks_since_last_update", "blocks", "blocks_since_update"];
    let of = |blocks: &Json| {
        let mode = Mode::after(blocks.natural()?, &rule);
        let hours = mode.freshness_seconds(&rule).map_or(Json::Null, |seconds| Json::Int((seconds / 3600).into()));
        Ok((Json::Text(mode.name().to_owned()), hours))
    };
    cases(call, |case, expected| {
        let given = case.any(&keys)?;
        if let Json::List(all) = given {
            let found = all.iter().map(of).collect::<Found<Vec<_>>>()?;
            let modes = Json::List(found.iter().map(|(mode, _)| mode.clone()).collect());
            let hours = Json::List(found.into_iter().map(|(_, hours)| hours).collect());
            return Ok(offer(expected, vec![("modes", modes), ("freshness_hours", hours)]));
        }
        let (mode, hours) = of(given)?;
        Ok(offer(expected, vec![("mode", mode), ("freshness_hours", hours)]))
    })
}

/// Rows that no vector here runs: each on values that follow from the specification.
#[test]
fn rows_without_a_vector_run() {
    let run = |adapter: super::table::Adapter, inputs: &str, expected: &str| {
        let parse = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let (inputs, expected) = (parse(inputs), parse(expected));
        let actual = adapter(&Call { inputs: &inputs, expected: &expected }).unwrap();
        super::json::compare(&expected, &actual, 1e-12)
    };
    let nothing: Vec<String> = Vec::new();
    let (blocks, modes) =
        (r#"{"blocks":[0,3999,4000,4499,4500]}"#, r#"["NORMAL","NORMAL","DEGRADED","DEGRADED","EMERGENCY"]"#);
    assert_eq!(run(mode, blocks, &format!(r#"{{"modes":{modes}}}"#)), nothing);
    assert_eq!(run(mode, r#"{"blocks":4500}"#, r#"{"mode":"EMERGENCY","freshness_hours":null}"#), nothing);
    assert_ne!(run(mode, r#"{"blocks":4500}"#, r#"{"mode":"NORMAL"}"#), nothing);
    let answers = r#"["moon tides","moon tides","of the"]"#;
    let inputs =
        format!(r#"{{"texts":{answers},"similarity":[[1,0.9,0],[0.9,1,0],[0,0,1]],"length_mask":[true,true,true]}}"#);
    assert_eq!(run(word_similarity, &inputs, r#"{"similarity":[[1.0,1.0,0.0],[1.0,1.0,0.0],[0.0,0.0,0.0]]}"#), nothing);
    assert_eq!(run(fused_pairs, &inputs, r#"{"pairs":[[0,1]]}"#), nothing);
}
