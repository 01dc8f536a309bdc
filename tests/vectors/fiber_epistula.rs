//! fiber in both modes, and Epistula 2. Sections are told apart by their fields; signatures and RSA are randomised, so they
//! are verified and opened, and our own are made and read back.

use std::sync::Mutex;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::types::{HexBytes, Hotkey, sha256};
use network::epistula;
use network::fernet::FernetKey;
use network::fiber::headers::{Covered, Headers, message, nonce_time, signature};
use network::fiber::rsa_key::{MinerKey, encrypt};
use network::fiber::server::Miner;

use super::json::{Found, Json, object};
use super::wallet::Judged;

const ABOUT: [&str; 3] = ["name", "note", "keys"];

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn text(value: impl ToString) -> Json {
    Json::Text(value.to_string())
}

/// Runs all sections of a file, whatever they are called and however they are nested.
pub fn run(json: &Json, keys: Option<&Json>, path: &str) -> Judged {
    let keys = json.get("keys").or(keys);
    let one = |adapter: Found<(Json, Json)>| vec![(path.to_owned(), adapter)];
    if json.get("fernet_token").is_some() {
        return one(encrypted(json));
    }
    if json.get("body_sha256").is_some() {
        return one(plain(json, keys));
    }
    if json.get("headers").is_some_and(|headers| headers.get(epistula::VERSION).is_some()) {
        return one(epistula_2(json));
    }
    let items: Vec<(String, &Json)> = match json {
        Json::List(items) => items.iter().enumerate().map(|(at, item)| (format!("{path}[{at}]"), item)).collect(),
        Json::Object(fields) => {
            let sections = fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str()));
            sections.map(|(key, value)| (format!("{path}/{key}"), value)).collect()
        }
        _ => return one(Err("what this section is, is not in the table".to_owned())),
    };
    items.into_iter().flat_map(|(path, item)| run(item, keys, &path)).collect()
}

/// The section's own fields without those about it, each of which must be offered.
fn expected(section: &Json, given: &[&str]) -> Found<Json> {
    let fields = section.fields()?.iter();
    let fields = fields.filter(|(key, _)| !ABOUT.contains(&key.as_str()) && !given.contains(&key.as_str()));
    Ok(Json::Object(fields.cloned().collect()))
}

fn lower<'a>(headers: &'a Json, name: &str) -> Option<&'a str> {
    let fields = headers.fields().ok()?;
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.text().ok())
}

/// The exchange taken and opened, the message, the header fields, the token opened and made again.
fn encrypted(section: &Json) -> Found<(Json, Json)> {
    let key = MinerKey::from_pem(section.at("rsa_private_pkcs8_pem")?.text()?).map_err(said)?;
    let public = key.public_pem().to_owned();
    let open = |encrypted: &[u8]| key.decrypt(encrypted).map_err(said)?.ok_or_else(|| "it does not open".to_owned());
    let exchange = section.at("exchange_body")?;
    let brought = STANDARD.decode(exchange.at("encrypted_symmetric_key")?.text()?).map_err(said)?;
    let symmetric = open(&brought)?;
    if open(&encrypt(section.at("rsa_public_pem")?.text()?, &symmetric).map_err(said)?)? != symmetric {
        return Err("our own encryption does not open".to_owned());
    }
    let headers = section.at("headers")?;
    let read = Headers::read(|name| lower(headers, name)).map_err(said)?;
    let uuid = read.key_uuid.clone().ok_or("no symmetric-key-uuid")?;
    let fernet = FernetKey::from_bytes(symmetric.as_slice().try_into().map_err(said)?);
    let payload = fernet.open(section.at("fernet_token")?.text()?, None).map_err(said)?;
    let iv: HexBytes<16> = section.at("fernet_iv_hex")?.text()?.parse().map_err(|_| "the IV is not 16 bytes")?;
    let written = section.at("payload_json")?.text()?.as_bytes();
    let token = fernet.seal_with(written, section.at("fernet_ts")?.natural()?, &iv.0).map_err(said)?;
    let signed = message(&read.nonce, read.miner.as_str(), Covered::Key(&uuid));
    let mut fields = vec![("Content-Type", network::fiber::client::ENCRYPTED.to_owned())];
    fields.extend(read.fields());
    // Last, because a miner keeps its key.
    let body = format!("{{\"encrypted_symmetric_key\": \"{}\"}}", exchange.at("encrypted_symmetric_key")?.text()?);
    let now = nonce_time(&read.nonce).map_err(said)?;
    let taken = Miner::new(read.miner, key).exchange(&read, body.as_bytes(), now, |_| true).map_err(said)?;
    if taken != read.validator {
        return Err("the exchange is another validator's".to_owned());
    }
    let actual = vec![
        ("rsa_public_pem", text(public)),
        ("symmetric_key_hex", text(hex::encode(&symmetric))),
        ("symmetric_key_uuid", text(uuid)),
        ("headers", object(fields.into_iter().map(|(name, value)| (name, text(value))).collect())),
        ("signed_message", text(signed)),
        ("payload_json", text(String::from_utf8(payload).map_err(said)?)),
        ("fernet_token", text(token)),
    ];
    let given = ["rsa_private_pkcs8_pem", "exchange_body", "fernet_ts", "fernet_iv_hex"];
    Ok((expected(section, &given)?, object(actual)))
}

/// Hash and message, the signature against the validator's key, and whether a client sends the bytes that it signed.
fn plain(section: &Json, keys: Option<&Json>) -> Found<(Json, Json)> {
    let body = section.at("body")?.text()?;
    let stated = section.at("signed_message")?.text()?;
    let mut parts = stated.split(':');
    let (nonce, miner) = (parts.next().unwrap_or_default(), parts.next().ok_or("the message names no miner")?);
    let nonce_is_timed = nonce_time(nonce).map_err(said)?;
    let signed = section.at("signature")?.text()?;
    let validators = match section.get("headers").and_then(|headers| lower(headers, "validator-hotkey")) {
        Some(validator) => vec![validator],
        None => keys.ok_or("no keys")?.fields()?.iter().filter_map(|(_, key)| key.text().ok()).collect(),
    };
    let mut verified = false;
    for validator in validators {
        let headers = Headers {
            validator: validator.parse::<Hotkey>().map_err(said)?,
            miner: miner.parse::<Hotkey>().map_err(said)?,
            nonce: nonce.to_owned(),
            signature: signature(signed).ok_or("no signature")?,
            key_uuid: None,
        };
        let miner = || MinerKey::generate().map(|key| Miner::new(headers.miner, key)).map_err(said);
        if headers.verifies(Covered::Body(body.as_bytes())) {
            verified = miner()?.open(&headers, body.as_bytes(), nonce_is_timed, |_| true).is_ok();
        }
    }
    if !verified {
        return Err("the signature is of none of the keys".to_owned());
    }
    let mut actual = vec![
        ("body_sha256", text(sha256(body.as_bytes()))),
        ("signed_message", text(message(nonce, miner, Covered::Body(body.as_bytes())))),
    ];
    let sent = section.get("httpx_body").map(Json::text).transpose()?;
    for (key, _) in section.fields()?.iter().filter(|(key, _)| key.starts_with("httpx_") && key.contains("equal")) {
        actual.push((key, Json::Bool(sent == Some(body))));
    }
    Ok((expected(section, &["body", "signature", "headers", "httpx_body"])?, object(actual)))
}

/// The message, the whole verification at the request's time, and the secret signatures where there are some.
fn epistula_2(section: &Json) -> Found<(Json, Json)> {
    let (headers, body) = (section.at("headers")?, section.at("body")?.text()?.as_bytes());
    let field = |name| lower(headers, name).ok_or_else(|| format!("no {name}"));
    let sender: Hotkey = field(epistula::SIGNED_BY)?.parse().map_err(said)?;
    let now: u64 = field(epistula::TIMESTAMP)?.parse().map_err(said)?;
    let signed_for = lower(headers, epistula::SIGNED_FOR).filter(|text| !text.is_empty());
    let own: Hotkey = match signed_for {
        Some(receiver) => receiver.parse().map_err(said)?,
        None => sender,
    };
    let receiver = epistula::Receiver { own, unaddressed: signed_for.is_none() };
    let found = receiver.verify(|name| lower(headers, name), body, now, |_| true, &Mutex::default()).map_err(said)?;
    if found != sender {
        return Err("another sender".to_owned());
    }
    for name in epistula::SECRET_SIGNATURES {
        let Some(signed) = lower(headers, name) else { continue };
        if !epistula::is_secret_signature(signed, &sender, &own, now) {
            return Err(format!("{name} does not fit"));
        }
    }
    let message = epistula::message(body, field(epistula::UUID)?, now, signed_for);
    Ok((expected(section, &["body", "headers"])?, object(vec![("signed_message", text(message))])))
}

#[test]
fn sections_that_differ_or_are_unknown_fail() {
    let failures = |text: &str| {
        let judged = run(&serde_json::from_str(text).unwrap(), None, "probe");
        judged.into_iter().filter(|(_, pair)| !matches!(pair, Ok((a, b)) if a == b)).count()
    };
    let alice = network::keys::Keypair::from_uri("//Alice").unwrap();
    let request = |receiver: Option<&Hotkey>, body: &[u8]| {
        let fields = epistula::sign(&alice, body, receiver, 1_760_000_000_000).unwrap();
        let headers: Vec<String> = fields.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
        let uuid = &fields.iter().find(|(name, _)| *name == epistula::UUID).unwrap().1;
        let message = epistula::message(b"{}", uuid, 1_760_000_000_000, receiver.map(Hotkey::as_str));
        format!(r#"{{"body":"{{}}","headers":{{{}}},"signed_message":"{message}"}}"#, headers.join(","))
    };
    let own = alice.hotkey();
    assert_eq!(failures(&format!(r#"{{"any":[{}, {}]}}"#, request(Some(&own), b"{}"), request(None, b"{}"))), 0);
    assert_eq!(failures(&request(None, b"[]")), 1);
    assert_eq!(failures(&request(None, b"{}").replace("signed_message", "another")), 1);
    assert_eq!(failures(r#"{"unknown":"x","section":{"unknown":1}}"#), 2);
}
