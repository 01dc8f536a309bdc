//! Our half of `make interop`: an axon for Python's dendrite, and a dendrite that asks Python's axon.
//!
//! `interop serve` prints `ready ADDRESS HOTKEY` and serves until it is stopped; `interop ask ADDRESS` prints one line a check and
//! exits with 1 when one does not hold.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Answer, Axon, Call, Dendrite, Outcome, Request, Route, Target};
use axum::body::Bytes;
use network::address::AddressGuard;
use network::keys::Keypair;
use network::legacy::{Json, Kind, Shape};
use tokio::net::TcpListener;

type Fault = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve().await.map(|()| ExitCode::SUCCESS),
        ["ask", address] => ask(address.parse()?).await,
        _ => Err("usage: interop serve | interop ask ADDRESS".into()),
    }
}

fn echo() -> Shape {
    Shape::new("Echo")
        .required("prompt", Kind::Text)
        .defaulted("n", Kind::Integer, Json::Integer(0))
        .optional("out", Kind::Text)
        .hashed(["prompt", "n"])
}

fn plain(name: &str) -> Shape {
    Shape::new(name).optional("x", Kind::Integer)
}

fn stream() -> Shape {
    Shape::new("Stream").required("prompt", Kind::Text).defaulted("completion", Kind::Text, Json::text(""))
}

fn prompt(request: &Request) -> String {
    request.field("prompt").and_then(Json::as_text).unwrap_or_default().to_owned()
}

async fn serve() -> Result<(), Fault> {
    let keypair = Keypair::from_uri("//Bob")?;
    let hotkey = keypair.ss58();
    let streamed = |request: Request| async move {
        let words = prompt(&request).split(' ').map(|word| Ok(Bytes::from(format!("{word} ")))).collect::<Vec<_>>();
        Ok(Answer::stream(futures::stream::iter(words)))
    };
    let axon = Axon::new(keypair)
        .route(Route::new(echo(), |request: Request| async move {
            Ok(Answer::fields([("out", Json::text(prompt(&request).to_uppercase()))]))
        }))
        .route(
            Route::new(plain("Black"), |_: Request| async { Ok(Answer::unchanged()) })
                .blacklist(|_| Some("not a validator".to_owned())),
        )
        .route(Route::new(plain("Slow"), |_: Request| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(Answer::unchanged())
        }))
        .route(Route::new(stream(), streamed));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {} {hotkey}", listener.local_addr()?);
    Ok(axon.serve(listener, std::future::pending()).await?)
}

struct Checks(bool);

impl Checks {
    fn check(&mut self, what: &str, holds: bool, seen: &Outcome) {
        self.0 &= holds;
        let (code, message) = (seen.status_code, seen.status_message.as_deref().unwrap_or_default());
        let detail = if holds { String::new() } else { format!(": {code:?} {message}, {:?}", seen.failure) };
        println!("{}  assay dendrite -> python axon: {what}{detail}", if holds { "ok  " } else { "FAIL" });
    }
}

fn dendrite(clock: Option<u64>) -> Result<Dendrite, Fault> {
    let guard = AddressGuard::for_network("local");
    let dendrite = Dendrite::new(Keypair::from_uri("//Alice")?, "127.0.0.1", guard, DendriteLimits::default())?;
    Ok(match clock {
        Some(now) => dendrite.clock(axon::Clock::of(move || now)),
        None => dendrite,
    })
}

fn echo_call(text: &str) -> Result<Call, axon::Error> {
    Call::typed(&echo(), vec![("prompt".to_owned(), Json::text(text))], Duration::from_secs(12))
}

async fn ask(address: std::net::SocketAddr) -> Result<ExitCode, Fault> {
    let target = Target { hotkey: Keypair::from_uri("//Bob")?.hotkey(), address };
    let (asks, mut checks) = (Arc::new(dendrite(None)?), Checks(true));
    for text in ["hello", "", "τao ☃ 日本語 \"q\" 'q' \\ \n \u{200b} 😀", &"x".repeat(100_000)] {
        let outcome = asks.ask(&target, &echo_call(text)?).await;
        let expected = Json::text(text.to_uppercase());
        let what = format!("success ({} characters)", text.chars().count());
        checks.check(&what, outcome.is_success() && outcome.field("out") == Some(&expected), &outcome);
    }
    let exact = Call::exact(
        "Echo",
        r#"{"prompt":"exact","n":7,"assay":{"position":1}}"#,
        &["prompt", "n"],
        &[("prompt", "\"\"")],
        Duration::from_secs(12),
    )?;
    let outcome = asks.ask(&target, &exact).await;
    checks.check("exact bytes with a field of ours", outcome.field("out") == Some(&Json::text("EXACT")), &outcome);
    refusals(&asks, &target, &mut checks).await?;
    let mut pieces = 0;
    let call =
        Call::typed(&stream(), vec![("prompt".to_owned(), Json::text("one two three"))], Duration::from_secs(12))?;
    let outcome = asks.ask_streaming(&target, &call, |_| pieces += 1).await;
    let whole = &outcome.body[..] == b"one two three ";
    checks.check("streaming", outcome.is_success() && whole && pieces > 0, &outcome);
    let ping = Call::typed(&Shape::new("Synapse"), vec![], Duration::from_secs(5))?;
    let outcome = asks.ask(&target, &ping).await;
    checks.check("ping", outcome.is_success(), &outcome);
    Ok(if checks.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn refusals(asks: &Dendrite, target: &Target, checks: &mut Checks) -> Result<(), Fault> {
    let says = |outcome: &Outcome, status, text: &str| {
        outcome.status_code == Some(status) && outcome.status_message.as_ref().is_some_and(|m| m.starts_with(text))
    };
    let call = |name: &str, seconds| Call::typed(&plain(name), vec![], Duration::from_secs(seconds));
    let outcome = asks.ask(target, &call("Black", 12)?).await;
    let text = "Forbidden. Key is blacklisted: not a validator.";
    checks.check("blacklisted", says(&outcome, 403, text), &outcome);
    let outcome = asks.ask(target, &call("Nowhere", 12)?).await;
    checks.check("unknown route", says(&outcome, 404, "Synapse name 'Nowhere' not found."), &outcome);
    let outcome = asks.ask(target, &call("Slow", 1)?).await;
    checks.check("time-out", says(&outcome, 408, "Request timeout after 1.0 seconds"), &outcome);
    let other = Target { hotkey: Keypair::from_uri("//Charlie")?.hotkey(), ..target.clone() };
    let outcome = asks.ask(&other, &echo_call("hello")?).await;
    checks.check("wrong signature", says(&outcome, 401, "Not Verified with error: Signature mismatch"), &outcome);
    // A clock that stands gives the first of two dendrites the nonce of the second.
    let now = axon::Clock::system().now();
    let outcome = dendrite(Some(now))?.uuid("one").ask(target, &echo_call("hello")?).await;
    checks.check("the nonce to be replayed", outcome.is_success(), &outcome);
    let outcome = dendrite(Some(now))?.uuid("one").ask(target, &echo_call("hello")?).await;
    let text = "Not Verified with error: Nonce is too old, a newer one was last processed";
    checks.check("replayed nonce", says(&outcome, 401, text), &outcome);
    let nobody = Target { address: ([127, 0, 0, 1], 1).into(), ..target.clone() };
    let outcome = asks.ask(&nobody, &echo_call("hello")?).await;
    checks.check("nobody there", says(&outcome, 503, "Service unavailable at 127.0.0.1:1/Echo"), &outcome);
    Ok(())
}
