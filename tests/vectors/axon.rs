//! The protocol of SDK 6 to 10 and `btauth/1` (`axon.json`): requests as written, exchanges with our own axon on loopback under the
//! file's clock, and what our own dendrite makes of each answer.
//!
//! Where our axon is stricter, the situation is told by the exchange itself and the answer that we give instead is checked too.

use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Answer, Axon, Call, Clock, Dendrite, HandlerError, PriorityError, Request, Route, Target};
use network::address::AddressGuard;
use network::btauth::{Authenticator, Crypto, Presented, Signed};
use network::keys::{self, Keypair};
use network::legacy::nonces::NonceLimits;
use network::legacy::{Json as Wire, Kind, Shape, message, python, shape, verify};
use tokio::runtime::Runtime;

use super::Tally;
use super::axon_client::{client_outcome, echo};
use super::axon_peers::{Exchange, exchange};
use super::json::{Found, Json, compare, naturals, object, texts};

/// Sections by the beginning of their names: versions of the SDK follow.
const ABOUT: [&str; 4] = ["_about", "sdk", "note", "keys"];

/// Why our axon answers otherwise than the SDK's, by situation.
const STRICTER: [(&str, &str); 4] = [
    ("no signature", "an unsigned request is nobody's; SDK 10.5.0 refuses it too"),
    ("a nonce ahead of the clock", "it would shut out every later request of its sender, and could be kept for later"),
    ("a handler slower than the timeout", "nobody waits any more, and the place is needed"),
    ("a nonce below one that was used", "requests may overtake each other; each still counts once"),
];

pub fn run(json: &Json, tally: &mut Tally) {
    assert!(STRICTER.iter().all(|(situation, reason)| situation.len() > 8 && reason.len() > 8));
    let runtime = Runtime::new().unwrap();
    for (section, content) in json.fields().unwrap_or_default() {
        let is = |start: &str| section.starts_with(start);
        match section.as_str() {
            about if ABOUT.contains(&about) => {}
            "version_as_int" => tally.judge(section, version(json, content)),
            "keypair_checks" => keypair_checks(json, content, tally),
            "requests" => cases(content, tally, |case| request(json, case)),
            _ if is("server_cases_") => cases(content, tally, |case| runtime.block_on(server_case(json, case))),
            _ if is("server_case_differences_") => {
                cases(content, tally, |case| runtime.block_on(difference(json, case)));
            }
            // What the SDK's handler takes for the sender comes from the body; ours is told the signer.
            _ if is("forward_saw_") => tally.not_ours += content.list().map_or(1, <[Json]>::len),
            _ if is("client_outcomes_") => {
                for (situation, outcome) in content.fields().unwrap_or_default() {
                    tally.judge(situation, runtime.block_on(client_outcome(json, outcome)));
                }
            }
            _ if is("btauth_1") => cases(content, tally, |case| btauth(json, case)),
            other => tally.fail("axon", format!("section {other:?} is not in the table")),
        }
    }
}

fn cases(content: &Json, tally: &mut Tally, check: impl Fn(&Json) -> Found<(Json, Json)>) {
    match content.list() {
        Err(error) => tally.fail("axon", error),
        Ok(list) => list.iter().enumerate().for_each(|(at, case)| {
            let name = case.get("case").and_then(|name| name.text().ok()).map_or(format!("[{at}]"), str::to_owned);
            tally.judge(&name, check(case));
        }),
    }
}

pub fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

pub fn fault(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The key of an address, among those that the file names.
fn key_of(json: &Json, ss58: &str) -> Found<Keypair> {
    let keys = json.at("keys")?.fields()?;
    let (_, key) = keys
        .iter()
        .find(|(_, key)| key.get("ss58").is_some_and(|known| known == &text(ss58)))
        .ok_or_else(|| format!("{ss58} is none of the file's keys"))?;
    Keypair::from_uri(key.at("uri")?.text()?).map_err(fault)
}

pub fn key_named(json: &Json, name: &str) -> Found<Keypair> {
    Keypair::from_uri(json.at("keys")?.at(name)?.at("uri")?.text()?).map_err(fault)
}

fn version(json: &Json, content: &Json) -> Found<(Json, Json)> {
    let sdk = json.at("sdk")?.text()?;
    let parts: Vec<u64> = sdk.split([' ', '.']).filter_map(|part| part.parse().ok()).collect();
    let [major, minor, patch] = parts[..] else { return Err(format!("{sdk:?} names no version")) };
    Ok((content.clone(), naturals([message::version_integer(major, minor, patch)]).list()?[0].clone()))
}

fn keypair_checks(json: &Json, content: &Json, tally: &mut Tally) {
    let checked = |wrapped: &str| {
        let alice = key_named(json, "alice")?;
        let signature = alice.sign(wrapped.as_bytes());
        Ok(Json::Bool(message::is_signed(&alice.public(), "a message", &signature)))
    };
    for (name, expected) in content.fields().unwrap_or_default() {
        let actual = match name.as_str() {
            "sign_plain_string_verifies_plain" => checked("a message"),
            "verify_accepts_bytes_wrapped_signature" => checked("<Bytes>a message</Bytes>"),
            // Python takes a text that begins with 0x for bytes; what is signed here begins with a decimal number.
            "verify_hex_string_data_interpretation" => {
                tally.not_ours += 1;
                continue;
            }
            other => Err(format!("{other:?} is not in the table")),
        };
        tally.judge(name, actual.map(|actual| (expected.clone(), actual)));
    }
}

/// A synapse as a body shows it: the values have their declared types already.
fn shape_of(case: &Json, body: &Wire) -> Found<(Shape, Vec<(String, Wire)>)> {
    let Wire::Object(model) = body else { return Err("the body is no object".to_owned()) };
    let own = model.iter().position(|(name, _)| name == "computed_body_hash").ok_or("no computed_body_hash")? + 1;
    let fields = model[own..].to_vec();
    let is_required =
        |name: &str| case.at("headers").is_ok_and(|all| all.get(&format!("bt_header_input_obj_{name}")).is_some());
    let mut shape = Shape::new(case.at("synapse_name")?.text()?);
    for (name, _) in &fields {
        shape = if is_required(name) {
            shape.required(name, Kind::Any)
        } else {
            shape.defaulted(name, Kind::Any, Wire::Null)
        };
    }
    Ok((shape.hashed(case.at("required_hash_fields")?.texts()?), fields))
}

/// A fixed request: texts and hashes of its values, the message, the headers in order, and the body byte for byte.
fn request(json: &Json, case: &Json) -> Found<(Json, Json)> {
    let headers = case.at("headers")?;
    let header = |name: &str| headers.at(name)?.text();
    let body_text = case.at("body_json")?.text()?;
    let body = Wire::parse(body_text.as_bytes()).map_err(fault)?;
    let (shape, fields) = shape_of(case, &body)?;
    let hashed = case.at("hash_inputs")?.map(|input| {
        let value = body.get(input.at("field")?.text()?).ok_or("a hashed field is not in the body")?;
        Ok(object(vec![
            ("field", input.at("field")?.clone()),
            ("python_str", text(python::string_of(value))),
            ("sha3_256", text(shape::value_hash(value))),
        ]))
    })?;
    let number = |name: &str| header(name)?.parse::<u64>().map_err(fault);
    let nonce = number("bt_header_dendrite_nonce")?;
    let seconds = header("timeout")?.parse().map_err(fault)?;
    let address = format!("{}:{}", header("bt_header_axon_ip")?, header("bt_header_axon_port")?);
    let target = Target {
        hotkey: case.at("receiver_ss58")?.text()?.parse().map_err(|e| format!("{e}"))?,
        address: address.parse().map_err(|e| format!("{e}"))?,
    };
    let signer = key_of(json, case.at("signer_ss58")?.text()?)?;
    let limits = DendriteLimits::default();
    let dendrite = Dendrite::new(signer, header("bt_header_dendrite_ip")?, AddressGuard::for_network("local"), limits)
        .map_err(fault)?
        .clock(Clock::of(move || nonce))
        .uuid(header("bt_header_dendrite_uuid")?);
    let call = Call::typed(&shape, fields, Duration::from_secs_f64(seconds)).map_err(fault)?;
    let mut head = dendrite.head(&target, &call);
    let own = head.dendrite.signature.clone().unwrap_or_default();
    // The SDK's version and what is of its machine; the signature is checked instead.
    head.dendrite.version = i64::try_from(number("bt_header_dendrite_version")?).ok();
    head.dendrite.signature = Some(case.at("signature")?.text()?.to_owned());
    head.header_size = i64::try_from(number("header_size")?).map_err(fault)?;
    head.total_size = i64::try_from(number("total_size")?).map_err(fault)?;
    let lines = head.lines();
    let signed = |signature: &str| {
        let public = domain::ss58::decode(case.at("signer_ss58")?.text()?).map_err(fault)?;
        let parsed = message::parse_signature(signature).ok_or("the signature is not 0x and 128 digits")?;
        Ok::<_, String>(message::is_signed(&public, case.at("signed_message")?.text()?, &parsed))
    };
    let actual = object(vec![
        ("url", text(format!("http://{}/{}", target.address, shape.name))),
        ("method", text("POST")),
        ("hash_inputs", Json::List(hashed)),
        ("computed_body_hash", text(head.computed_body_hash.clone().unwrap_or_default())),
        ("headers", object(lines.iter().map(|(name, value)| (name.as_str(), text(value))).collect())),
        ("body_json", text(String::from_utf8_lossy(&call.body(&head)))),
        ("header_names_in_order", texts(lines.iter().map(|(name, _)| name))),
        ("signature_verifies", Json::Bool(signed(case.at("signature")?.text()?)? && signed(&own)?)),
    ]);
    Ok((only(case, &actual)?, actual))
}

/// Of a case, the keys that something answers for; every other one is an input, named here.
fn only(case: &Json, actual: &Json) -> Found<Json> {
    const INPUTS: [&str; 8] = [
        "case",
        "synapse_name",
        "required_hash_fields",
        "signed_message",
        "signature",
        "signer_ss58",
        "signer_public_key",
        "receiver_ss58",
    ];
    let fields = case.fields()?;
    if let Some((key, _)) = fields.iter().find(|(key, _)| !INPUTS.contains(&key.as_str()) && actual.get(key).is_none())
    {
        return Err(format!("nothing answers for {key}"));
    }
    Ok(Json::Object(fields.iter().filter(|(key, _)| !INPUTS.contains(&key.as_str())).cloned().collect()))
}

/// The axon that the exchanges of the file were made with. `names` are the routes besides, in order.
fn file_axon(bob: Keypair, names: &[String], now: u64) -> Axon {
    let unchanged = |_: Request| async { Ok(Answer::unchanged()) };
    let plain = |name: &str| Shape::new(name).optional("x", Kind::Integer);
    let list = |kind| Kind::List(Box::new(kind));
    let route = |name: &str| match name {
        "Echo" => Route::new(echo(), |request: Request| async move {
            let prompt = request.field("prompt").and_then(Wire::as_text).unwrap_or_default();
            Ok(Answer::fields([("out", Wire::text(prompt.to_uppercase()))]))
        }),
        "Nested" => {
            let shape = Shape::new("Nested")
                .required("texts", list(Kind::Text))
                .required("scores", list(Kind::Float))
                .required("opts", Kind::Map(Box::new(Kind::Float)))
                .required("flag", Kind::Bool)
                .optional("maybe", Kind::Text)
                .hashed(["texts", "scores", "opts", "flag", "maybe"]);
            Route::new(shape, unchanged)
        }
        "Boom" => Route::new(plain(name), |_: Request| async { Err(HandlerError::Failed("boom".to_owned())) }),
        "Slow" => Route::new(plain(name), |_: Request| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(Answer::unchanged())
        }),
        "Black" => Route::new(plain(name), unchanged).blacklist(|_| Some("not a validator".to_owned())),
        "Prio" => Route::new(plain(name), unchanged).priority(|_| Err(PriorityError::TimedOut)),
        other => Route::new(plain(other), unchanged),
    };
    let axon = Axon::new(bob).clock(Clock::of(move || now));
    names.iter().fold(axon, |axon, name| axon.route(route(name)))
}

const ROUTES: [&str; 7] = ["Echo", "Plain", "Nested", "Boom", "Slow", "Black", "Prio"];

/// The answer to an exchange, and what our axon gives to the same bytes at the same time.
async fn server_case(json: &Json, case: &Json) -> Found<(Json, Json)> {
    let expected = Exchange::expected(case)?;
    let now = expected.time()?;
    let sent = Exchange::request(case)?;
    // An unknown name is answered with all names.
    let names: Vec<String> = match expected.message().split_once("Available synapses ") {
        Some((_, list)) => list.split('\'').skip(1).step_by(2).filter(|n| *n != "Synapse").map(str::to_owned).collect(),
        None => ROUTES.map(str::to_owned).into(),
    };
    let axon = file_axon(key_named(json, "bob")?, &names, now);
    let mut ours = exchange(axon, &sent, expected.was_used()).await?;
    // A replay is refused as the SDK's; what was only overtaken counts the first time.
    let mut answer = ours.remove(0);
    if let Some(second) = ours.pop() {
        answer = if answer.status == 200 { second } else { answer };
    }
    let head = sent.head().ok();
    let dendrite = head.as_ref().map(|head| head.dendrite.clone()).unwrap_or_default();
    if expected.status == 200 {
        let (status, message) = if dendrite.signature.is_none_or(|signature| signature.is_empty()) {
            (401, "Not Verified with error: Missing Signature")
        } else if dendrite.nonce.is_some_and(|nonce| nonce > now + verify::AHEAD.as_nanos() as u64) {
            (401, "Not Verified with error: Nonce is too new: ")
        } else if head.is_some_and(|head| expected.process_time().is_some_and(|taken| taken > head.timeout)) {
            (408, "Response timeout after: ")
        } else {
            return Ok((expected.comparable(Some(&sent))?, answer.comparable(None)?));
        };
        let told =
            |status: u16, message: &str| object(vec![("status", naturals([status])), ("message", text(message))]);
        let begins = answer.message().starts_with(message);
        return Ok((told(status, message), told(answer.status, if begins { message } else { answer.message() })));
    }
    Ok((expected.comparable(Some(&sent))?, answer.comparable(None)?))
}

/// Where a later SDK answers otherwise, ours is the later one's answer.
async fn difference(json: &Json, case: &Json) -> Found<(Json, Json)> {
    let find = |key: &str| {
        case.fields()?.iter().find(|(name, _)| name.ends_with(key)).map(|(_, v)| v.clone()).ok_or(format!("no {key}"))
    };
    let body = find("_body")?;
    let later = case.fields()?.iter().find(|(name, _)| body_of(name, case)).map(|(_, status)| status.clone());
    let all = json.fields()?.iter().filter(|(name, _)| name.starts_with("server_cases_"));
    let all: Vec<&Json> = all.filter_map(|(_, list)| list.list().ok()).flatten().collect();
    let same = all.iter().find(|known| known.get("case") == case.get("case"));
    let accepted = || {
        all.iter().find(|known| {
            Exchange::expected(known).is_ok_and(|e| e.status == 200 && e.process_time().is_some_and(|t| t < 1.0))
        })
    };
    let known = same.or_else(accepted).ok_or("no exchange to begin with")?;
    let mut sent = Exchange::request(known)?;
    if same.is_none() {
        if !body.text()?.contains("Missing Signature") {
            return Err("the exchange is not in the file, and its message does not say what it was".to_owned());
        }
        sent.headers.retain(|(name, _)| name != "bt_header_dendrite_signature");
    }
    let names = ROUTES.map(str::to_owned);
    let axon = file_axon(key_named(json, "bob")?, &names, Exchange::expected(known)?.time()?);
    let answer = exchange(axon, &sent, false).await?.remove(0);
    let line = later.ok_or("no status of the later version")?;
    let status: u16 = line.text()?.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status line")?;
    let pair = |status, body: &str| object(vec![("status", naturals([status])), ("body", text(body))]);
    Ok((pair(status, body.text()?), pair(answer.status, &answer.body)))
}

/// Whether a key's value is the status line that goes with the body: its name is the body's without the suffix.
fn body_of(name: &str, case: &Json) -> bool {
    case.get(&format!("{name}_body")).is_some()
}

fn btauth(json: &Json, case: &Json) -> Found<(Json, Json)> {
    let (method, path, body) = (case.at("method")?.text()?, case.at("path")?.text()?, case.at("body_utf8")?.text()?);
    let nonce = case.at("nonce_ns")?.natural()?;
    let receiver = case.get("receiver").map(Json::text).transpose()?;
    let headers = case.at("headers")?;
    let find = |name: &str| {
        let (_, value) = headers.fields().ok()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.text().ok().map(str::as_bytes)
    };
    let presented = Presented::read(find).map_err(fault)?;
    let signed = Signed { method, target: path, body: body.as_bytes(), nonce, receiver };
    let crypto = if find("x-bittensor-crypto") == Some(b"ed25519") { Crypto::Ed25519 } else { Crypto::Sr25519 };
    let own = receiver.map_or_else(|| key_named(json, "bob").map(|bob| bob.ss58()), |r| Ok(r.to_owned()))?;
    let verify = |presented: &Presented| {
        let authenticator = Authenticator::new(own.clone(), receiver.is_some(), NonceLimits::default());
        authenticator.verify(presented, (method, path, body.as_bytes()), nonce).map_err(fault)
    };
    let mut actual = vec![
        ("payload_utf8", text(signed.payload(crypto, &presented.hotkey))),
        ("verified_as", text(verify(&presented)?.as_str())),
    ];
    let names = |names: Vec<String>| {
        let mut names: Vec<String> = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort();
        texts(names)
    };
    let theirs = names(headers.fields()?.iter().map(|(name, _)| name.clone()).collect());
    // What we sign ourselves has the same headers and verifies by the same rules.
    if crypto == Crypto::Sr25519 {
        let ours = signed.sign(&key_of(json, &presented.hotkey)?);
        let read = Presented::read(|name| ours.iter().find(|(key, _)| *key == name).map(|(_, v)| v.as_bytes()));
        verify(&read.map_err(fault)?)?;
        actual.push(("headers", names(ours.into_iter().map(|(name, _)| name.to_owned()).collect())));
    } else {
        actual.push(("headers", theirs.clone()));
    }
    let expected = object(vec![
        ("payload_utf8", case.at("payload_utf8")?.clone()),
        ("verified_as", case.at("verified_as")?.clone()),
        ("headers", theirs),
    ]);
    Ok((expected, object(actual)))
}

/// A forged answer or request would be noticed by these adapters.
#[test]
fn changed_cases_fail_by_name() {
    let parsed = |json: &str| serde_json::from_str::<Json>(json).unwrap();
    let mut tally = Tally::default();
    run(&parsed(r#"{"version_as_int":9012003,"sdk":"bittensor 9.12.2","surprise":[1]}"#), &mut tally);
    assert_eq!((tally.equal, tally.failures.len()), (0, 2), "{:?}", tally.failures);
    assert!(compare(&parsed("{\"a\":1}"), &parsed("{\"a\":2}"), 0.0).len() == 1);
    assert!(!keys::verify(&[0; 32], b"", &[0; 64]));
}
