//! What our dendrite sends and what it makes of answers, beside the SDK's (`client_outcomes_…` of `axon.json`).

use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Call, Clock, Dendrite, Target};
use network::address::AddressGuard;
use network::legacy::{Json as Wire, Kind, Shape, python};

use super::axon_peers::StandIn;
use super::axon_wire::{fault, key_named, text};
use super::json::{Found, Json, object, texts};

/// What both sides have to write alike but for the machine: sizes of Python's objects, and randomised signatures.
const OF_THE_MACHINE: [&str; 3] = ["header_size", "total_size", "bt_header_dendrite_signature"];

/// The synapse of most of the file.
pub fn echo() -> Shape {
    Shape::new("Echo")
        .required("prompt", Kind::Text)
        .defaulted("n", Kind::Integer, Wire::Integer(0))
        .optional("out", Kind::Text)
        .hashed(["prompt", "n"])
}

fn echo_call(seconds: f64) -> Found<Call> {
    let shape = echo();
    let fields = vec![("prompt".to_owned(), Wire::text("hi!")), ("n".to_owned(), Wire::Integer(1))];
    Call::typed(&shape, fields, Duration::from_secs_f64(seconds)).map_err(fault)
}

/// What our dendrite makes of the answer that an outcome tells of.
pub async fn client_outcome(json: &Json, outcome: &Json) -> Found<(Json, Json)> {
    let guard = AddressGuard::for_network("local");
    let make =
        || Dendrite::new(key_named(json, "alice")?, "127.0.0.9", guard, DendriteLimits::default()).map_err(fault);
    let hotkey = key_named(json, "bob")?.hotkey();
    if let Some(head) = outcome.get("head") {
        return as_sent(head.text()?, outcome.at("body")?.text()?, make()?, hotkey).await;
    }
    let (dendrite, axon) = (outcome.at("dendrite")?, outcome.at("axon")?);
    let told = dendrite.get("status_message").and_then(|m| m.text().ok()).unwrap_or_default();
    let stand_in = StandIn::of(outcome)?;
    let running = stand_in.start().await;
    let seconds = told.strip_prefix("Request timeout after ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    let got = make()?.ask(&Target { hotkey, address: running.address }, &echo_call(seconds.unwrap_or(10.0))?).await;
    // Ports are of the machine, and Python's words about a model that cannot be made are its libraries'.
    let port = format!(":{}", running.address.port());
    let file_port = axon.at("port").map_or(String::new(), |p| p.natural().map_or(String::new(), |p| format!(":{p}")));
    let message = got.status_message.clone().unwrap_or_default().replace(&port, &file_port);
    let begin = |message: &str| match told.split_once("validation error") {
        Some(_) => message.chars().take("Failed to parse response: ".len()).collect(),
        None => message.to_owned(),
    };
    let state = |code: Json, message: String, axon_code: Json, success: bool, out: Json, timed: bool| {
        object(vec![
            ("status_code", code),
            ("status_message", text(message)),
            ("axon_status_code", axon_code),
            ("is_success", Json::Bool(success)),
            ("out", out),
            ("process_time_is_there", Json::Bool(timed)),
        ])
    };
    let value = |of: &Json, key: &str| of.get(key).cloned().unwrap_or(Json::Null);
    let success =
        outcome.get("is_success").map_or_else(|| Ok(value(dendrite, "status_code") == Json::Int(200)), Json::flag)?;
    let expected = state(
        value(dendrite, "status_code"),
        begin(told),
        value(axon, "status_code"),
        success,
        value(outcome, "out"),
        dendrite.get("process_time").is_some(),
    );
    let integer = |code: Option<i64>| code.map_or(Json::Null, |code| Json::Int(code.into()));
    let out = got.field("out").and_then(Wire::as_text).map_or(Json::Null, text);
    let actual = state(
        integer(got.status_code),
        begin(&message),
        integer(got.axon.status_code),
        got.is_success(),
        out,
        got.process_time.is_some(),
    );
    Ok((expected, actual))
}

/// The bytes of a request: names, order and values of the protocol's headers, and the body's keys in order.
async fn as_sent(head: &str, body: &str, dendrite: Dendrite, hotkey: domain::types::Hotkey) -> Found<(Json, Json)> {
    let of = |head: &str, name: &str| {
        let line = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.ok_or(format!("no header {name}"))
    };
    let nonce: u64 = of(head, "bt_header_dendrite_nonce")?.parse().map_err(|e| format!("{e}"))?;
    let seconds: f64 = of(head, "timeout")?.parse().map_err(|e| format!("{e}"))?;
    let running = StandIn::silent().start().await;
    let own_port = running.address.port().to_string();
    let dendrite = dendrite.clock(Clock::of(move || nonce)).uuid(of(head, "bt_header_dendrite_uuid")?);
    let sent = Wire::parse(body.as_bytes()).map_err(fault)?;
    let Some(prompt) = sent.get("prompt") else { return Err("no prompt in the body".to_owned()) };
    let shape = echo();
    let mut fields = vec![("prompt".to_owned(), prompt.clone())];
    fields.extend(sent.get("n").map(|n| ("n".to_owned(), n.clone())));
    let call = Call::typed(&shape, fields, Duration::from_secs_f64(seconds)).map_err(fault)?;
    let target = Target { hotkey, address: running.address };
    let (_, heard) = tokio::join!(dendrite.ask(&target, &call), running.heard());
    let (our_head, our_body) = heard.ok_or("nothing was sent")?;
    let port = |text: &str| text.replace(&own_port, &of(head, "bt_header_axon_port").unwrap_or_default());
    let ours = comparable_request(&port(&our_head), &port(&our_body))?;
    Ok((comparable_request(head, body)?, ours))
}

fn comparable_request(head: &str, body: &str) -> Found<Json> {
    let is_protocol = |name: &str| {
        name.starts_with("bt_header_")
            || ["name", "timeout", "header_size", "total_size", "computed_body_hash", "content-type"].contains(&name)
    };
    let of_the_machine = |name: &str| OF_THE_MACHINE.contains(&name) || name.ends_with("_version");
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let name = name.to_ascii_lowercase();
        if is_protocol(&name) {
            headers.push((name.clone(), if of_the_machine(&name) { String::new() } else { value.to_owned() }));
        }
    }
    headers.sort();
    let Wire::Object(model) = Wire::parse(body.as_bytes()).map_err(fault)? else { return Err("no object".to_owned()) };
    let keys = model.iter().map(|(name, value)| match value {
        Wire::Object(inner) => {
            format!("{name}: {}", inner.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(" "))
        }
        other if of_the_machine(name) => format!("{name}: {}", matches!(other, Wire::Integer(_))),
        other => format!("{name}: {}", python::dumps(other)),
    });
    Ok(object(vec![
        ("line", text(head.split("\r\n").next().unwrap_or_default())),
        ("headers", texts(headers.iter().map(|(name, value)| format!("{name}: {value}")))),
        ("body", texts(keys)),
    ]))
}
