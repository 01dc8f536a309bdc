//! Wallet files: key files of every kind, envelopes, and names of variables. A file is one case, or holds cases in lists or
//! under names; what a field is follows from its own name.

use std::path::Path;

use network::wallet::phrase::Phrase;
use network::wallet::sealing::Sealing;
use network::wallet::{keyfile, password};

use super::json::{Found, Json, object};

/// Fields that other fields use.
const ABOUT: [&str; 4] = ["name", "note", "mnemonic", "password"];
const VARIABLE: &str = "env_var_for_path_";

/// What is expected and what was computed, by a name for the reader.
pub type Judged = Vec<(String, Found<(Json, Json)>)>;

fn said(error: network::Error) -> String {
    error.to_string()
}

fn parsed(text: &[u8]) -> Found<Json> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// Runs all cases of a file.
pub fn run(json: &Json, path: &str) -> Judged {
    let fields = match json {
        Json::List(items) => {
            return items.iter().enumerate().flat_map(|(at, item)| run(item, &format!("{path}[{at}]"))).collect();
        }
        Json::Object(fields) => fields,
        other => return vec![(path.to_owned(), Err(format!("{other:?} is no case")))],
    };
    let mut judged = Judged::new();
    for (key, value) in fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
        let name = format!("{path}/{key}");
        match value {
            Json::Object(_) | Json::List(_) => judged.extend(run(value, &name)),
            _ => judged.push((name, field(json, key, value))),
        }
    }
    judged
}

fn field(case: &Json, key: &str, value: &Json) -> Found<(Json, Json)> {
    if let Some(template) = key.strip_prefix(VARIABLE) {
        return Ok((value.clone(), Json::Text(variable(template, value.text()?)?)));
    }
    if key.starts_with("keyfile_json") {
        return secret_file(value.text()?);
    }
    if key.contains("pub_json") {
        let text = value.text()?.as_bytes();
        let public = keyfile::parse_public(text).map_err(said)?;
        return Ok((parsed(text)?, parsed(&keyfile::write_public(&public).map_err(said)?)?));
    }
    if key.contains("encrypted") {
        return envelope(case, key, value.text()?);
    }
    if key.starts_with("ss58") {
        let key = Phrase::parse(case.at("mnemonic")?.text()?).and_then(|phrase| phrase.keypair()).map_err(said)?;
        return Ok((value.clone(), Json::Text(key.ss58())));
    }
    Err("what this field is, is not in the table".to_owned())
}

/// The file read and written again, its parts in any order.
fn secret_file(text: &str) -> Found<(Json, Json)> {
    let key = keyfile::parse(text.as_bytes()).map_err(said)?;
    let expected = parsed(text.as_bytes())?;
    let phrase = match expected.get("secretPhrase") {
        Some(phrase) => Some(Phrase::parse(phrase.text()?).map_err(said)?),
        None => None,
    };
    let written = keyfile::write(&key, phrase.as_ref()).map_err(said)?;
    Ok((expected, parsed(&written)?))
}

/// The envelope opened with the case's password; what is in it is the case's key.
fn envelope(case: &Json, key: &str, text: &str) -> Found<(Json, Json)> {
    let bytes = match key.ends_with("_hex") {
        true => hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| error.to_string())?,
        false => text.as_bytes().to_vec(),
    };
    let form = Sealing::of(&bytes).ok_or("no envelope that is known")?;
    let opened = form.open(&bytes, case.at("password")?.text()?.as_bytes()).map_err(said)?;
    let found = keyfile::parse(&opened).map_err(said)?.ss58();
    Ok((object(vec![("ss58", case.at("ss58")?.clone())]), object(vec![("ss58", Json::Text(found))])))
}

/// The variable's name for a path whose `<HOME>` only the expected name tells, with `_` for each separator.
fn variable(template: &str, expected: &str) -> Found<String> {
    let Some((_, rest)) = template.split_once("<HOME>") else { return Ok(password::variable(Path::new(template))) };
    let tail = password::variable(Path::new(rest));
    let tail = tail.strip_prefix("BT_PW_").ok_or("the variable has another beginning")?;
    let home = expected.strip_prefix("BT_PW_").and_then(|name| name.strip_suffix(tail)).ok_or("another path")?;
    let home = home.replace('_', "/").to_lowercase();
    Ok(password::variable(Path::new(&format!("{home}{rest}"))))
}

#[test]
fn wallet_fields_that_differ_or_are_unknown_fail() {
    let failures = |text: &str| {
        let judged = run(&parsed(text.as_bytes()).unwrap(), "probe");
        judged.into_iter().filter(|(_, pair)| !matches!(pair, Ok((a, b)) if a == b)).count()
    };
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let address = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
    assert_eq!(failures(&format!(r#"[{{"mnemonic":"{phrase}","ss58":"{address}"}}]"#)), 0);
    assert_eq!(failures(&format!(r#"{{"a":{{"mnemonic":"{phrase}","ss58":"5F"}}}}"#)), 1);
    assert_eq!(failures(r#"{"env_var_for_path_<HOME>/a.b":"BT_PW__X_A_B"}"#), 0);
    assert_eq!(failures(r#"{"env_var_for_path_/x/a.b":"BT_PW__X_A-B","other":"x","keyfile_json_x":"{}"}"#), 3);
}
