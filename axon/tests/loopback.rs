//! Our dendrite asks our axon over loopback: every answer that an axon gives, and what the dendrite makes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axon::client::DendriteLimits;
use axon::{Answer, Axon, AxonLimits, Call, Clock, Dendrite, Failure, HandlerError, PriorityError, Request, Route};
use axum::body::Bytes;
use network::address::AddressGuard;
use network::keys::Keypair;
use network::legacy::{Json, Kind, Shape};

use support::{Running, alice, bob, dendrite, echo_call, echo_shape, fields, raw, test_axon};

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let running = Running::start(test_axon()).await;
    let outcome = dendrite().ask(&running.target(), &echo_call("hi")).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.field("out"), Some(&Json::text("HI")));
    assert_eq!(outcome.field("prompt"), Some(&Json::text("hi")));
    assert_eq!((outcome.status_code, outcome.status_message.as_deref()), (Some(200), Some("Success")));
    assert!(outcome.sent_at <= outcome.first_byte_at && outcome.first_byte_at <= outcome.received_at);
    let asked = outcome.field("dendrite").unwrap();
    assert_eq!(asked.get("hotkey"), Some(&Json::text(alice().ss58())));
}

#[tokio::test]
async fn answers_are_signed_over_both_bodies() {
    let running = Running::start(test_axon()).await;
    let body = r#"{"prompt":"hi","n":1}"#;
    let call = Call::exact("Echo", body, &["prompt", "n"], &[("prompt", "\"\"")], Duration::from_secs(12)).unwrap();
    let outcome = dendrite().ask(&running.target(), &call).await;
    assert_eq!(outcome.field("out"), Some(&Json::text("HI")), "{outcome:?}");
    let text = |name: &str| outcome.headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("assay-hotkey"), bob().ss58());
    let signature: [u8; 64] = hex::decode(text("assay-signature")).unwrap().try_into().unwrap();
    let hashes = [body.as_bytes(), &outcome.body].map(|bytes| domain::types::sha256(bytes).0);
    let message = domain::wire::response_message(&hashes[0], &hashes[1]);
    assert!(network::keys::verify(&bob().public(), &message, &signature));
}

#[tokio::test]
async fn every_refusal_in_the_sdks_words() {
    let running = Running::start(test_axon()).await;
    let shape = |name: &str| Shape::new(name).optional("x", Kind::Integer);
    for (name, status, text) in [
        ("Black", 403, "Forbidden. Key is blacklisted: not a validator."),
        ("Prio", 408, "Response timeout after: 12.0s"),
        ("Nowhere", 404, "Synapse name 'Nowhere' not found. Available synapses ['Synapse', 'Echo', 'Black', "),
        ("Boom", 500, "Internal Server Error #"),
        ("Panic", 500, "Internal Server Error #"),
        ("Teapot", 418, "short and stout"),
    ] {
        let call = Call::typed(&shape(name), vec![], Duration::from_secs(12)).unwrap();
        let outcome = dendrite().ask(&running.target(), &call).await;
        let message = outcome.status_message.clone().unwrap();
        assert_eq!(outcome.status_code, Some(status), "{name}: {message}");
        assert!(message.starts_with(text), "{name}: {message}");
        assert_eq!(outcome.failure, Some(Failure::Refused));
        assert!(!message.contains("the log only"), "{message}");
    }
}

#[tokio::test]
async fn only_errors_between_two_hotkeys_are_signed() {
    let running = Running::start(test_axon()).await;
    let (dendrite, call) = (dendrite(), echo_call("hi"));
    let refused = |name: &'static str, value: Option<&'static str>| {
        let mut lines = dendrite.head(&running.target(), &call).lines();
        lines.retain(|(line, _)| line != "bt_header_dendrite_signature" && (line != name || value.is_none()));
        lines.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        let running = &running;
        async move { raw(running, "POST /Black", &lines, b"{}").await }
    };
    let signed = |answer: &str| {
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        answer.lines().any(|line| line.starts_with("bt_header_axon_signature: 0x"))
    };
    assert!(signed(&refused("", None).await));
    for name in ["bt_header_dendrite_hotkey", "bt_header_axon_hotkey"] {
        for text in ["17.any text.that.somebody.wants.signed", "", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQX"] {
            assert!(!signed(&refused(name, Some(text)).await), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn pings_are_answered() {
    let running = Running::start(Axon::new(bob())).await;
    let call = Call::typed(&Shape::new("Synapse"), vec![], Duration::from_secs(5)).unwrap();
    assert!(dendrite().ask(&running.target(), &call).await.is_success());
}

#[tokio::test]
async fn a_request_counts_once() {
    let running = Running::start(test_axon()).await;
    let (dendrite, call) = (dendrite(), echo_call("hi"));
    let head = dendrite.head(&running.target(), &call);
    let body = call.body(&head);
    let first = raw(&running, "POST /Echo", &head.lines(), &body).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let again = raw(&running, "POST /Echo", &head.lines(), &body).await;
    assert!(again.starts_with("HTTP/1.1 401") && again.contains("a newer one was last processed"), "{again}");
}

#[tokio::test]
async fn identity_is_the_signers_whatever_the_body_says() {
    let who = Shape::new("Who").optional("who", Kind::Text);
    let handler = |request: Request| async move { Ok(Answer::fields([("who", Json::text(request.hotkey.as_str()))])) };
    let running = Running::start(Axon::new(bob()).route(Route::new(who, handler))).await;
    let body = format!(r#"{{"dendrite":{{"hotkey":"{}"}},"who":null}}"#, bob().ss58());
    let call = Call::exact("Who", body, &[], &[], Duration::from_secs(12)).unwrap();
    let outcome = dendrite().ask(&running.target(), &call).await;
    assert_eq!(outcome.field("who"), Some(&Json::text(alice().ss58())));
    assert_eq!(outcome.field("dendrite").unwrap().get("hotkey"), Some(&Json::text(alice().ss58())));
}

#[tokio::test]
async fn a_request_to_somebody_else_does_not_count() {
    let running = Running::start(test_axon()).await;
    let mut target = running.target();
    target.hotkey = alice().hotkey();
    let outcome = dendrite().ask(&target, &echo_call("hi")).await;
    assert_eq!(outcome.status_code, Some(401));
    assert!(outcome.status_message.unwrap().starts_with("Not Verified with error: Signature mismatch with "));
}

#[tokio::test]
async fn bodies_are_bounded_before_they_are_parsed() {
    let limits = AxonLimits { body_bytes: 2_000, ..AxonLimits::default() };
    let running = Running::start(test_axon().limits(limits)).await;
    let outcome = dendrite().ask(&running.target(), &echo_call(&"x".repeat(3_000))).await;
    assert_eq!(outcome.status_code, Some(413), "{outcome:?}");
    // Announced by nobody, and longer than it may be.
    let (dendrite, call) = (dendrite(), echo_call("hi"));
    let mut lines = dendrite.head(&running.target(), &call).lines();
    lines.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
    let chunks = format!("800\r\n{}\r\n", "x".repeat(0x800)).repeat(2);
    let answer = raw(&running, "POST /Echo", &lines, chunks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // JSON that is none, and a hash of something else.
    for (body, status) in
        [("{nope", 422), ("", 500), ("[1]", 500), (r#"{"prompt":"ho","n":0}"#, 500), (r#"{"n":0}"#, 500)]
    {
        let lines = dendrite.head(&running.target(), &call).lines();
        let answer = raw(&running, "POST /Echo", &lines, body.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{body}: {answer}");
    }
}

#[tokio::test]
async fn time_ends_for_slow_handlers_and_for_slow_axons() {
    let running = Running::start(test_axon()).await;
    let slow = Shape::new("Slow").optional("x", Kind::Integer);
    let call = Call::typed(&slow, vec![], Duration::from_millis(300)).unwrap();
    let (dendrite, target) = (dendrite(), running.target());
    let head = dendrite.head(&target, &call);
    let answer = raw(&running, "POST /Slow", &head.lines(), &call.body(&head)).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("Response timeout after: 0.3s"), "{answer}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = axon::Target { hotkey: bob().hotkey(), address: listener.local_addr().unwrap() };
    let outcome = dendrite.ask(&silent, &call).await;
    assert_eq!(outcome.status_message.as_deref(), Some("Request timeout after 0.3 seconds"));
    assert_eq!((outcome.status_code, outcome.failure), (Some(408), Some(Failure::TimedOut)));
}

#[tokio::test]
async fn what_the_guard_refuses_is_not_asked() {
    let guard = AddressGuard::for_network("finney");
    let public = Dendrite::new(alice(), "1.2.3.4", guard, DendriteLimits::default()).unwrap();
    let running = Running::start(test_axon()).await;
    let outcome = public.ask(&running.target(), &echo_call("hi")).await;
    assert_eq!((outcome.status_code, outcome.failure), (Some(503), Some(Failure::ForbiddenAddress)));
}

#[tokio::test]
async fn streams_arrive_piece_by_piece_and_are_signed_behind() {
    let handler = |request: Request| async move {
        let text = request.field("prompt").and_then(Json::as_text).unwrap_or_default().to_owned();
        let words: Vec<_> = text.split_inclusive(' ').map(|word| Ok(Bytes::from(word.to_owned()))).collect();
        Ok(Answer::stream(futures::stream::iter(words)))
    };
    let shape = Shape::new("Stream").required("prompt", Kind::Text);
    let running = Running::start(Axon::new(bob()).route(Route::new(shape.clone(), handler))).await;
    let call = Call::typed(&shape, fields([("prompt", Json::text("one two three"))]), Duration::from_secs(5)).unwrap();
    let mut pieces = Vec::new();
    let outcome = dendrite().ask_streaming(&running.target(), &call, |piece| pieces.push(piece.to_vec())).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(pieces.concat(), b"one two three");
    assert_eq!(&outcome.body[..], b"one two three");
    assert!(outcome.headers.contains_key("assay-signature"));
}

#[tokio::test]
async fn a_stream_that_takes_too_long_breaks_off() {
    let handler = |_: Request| async {
        let endless = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        Ok(Answer::stream(endless))
    };
    let limits = AxonLimits { longest: Duration::from_millis(200), ..AxonLimits::default() };
    let shape = Shape::new("Endless");
    let running = Running::start(Axon::new(bob()).limits(limits).route(Route::new(shape.clone(), handler))).await;
    let call = Call::typed(&shape, vec![], Duration::from_secs(20)).unwrap();
    let outcome = dendrite().ask(&running.target(), &call).await;
    assert_eq!(outcome.failure, Some(Failure::Disconnected), "{outcome:?}");
    assert!(!outcome.body.is_empty());
}

#[tokio::test]
async fn the_higher_stake_comes_first_and_a_full_queue_answers_503() {
    let running_now = Arc::new(AtomicUsize::new(0));
    let (entered, release) = (Arc::clone(&running_now), Arc::new(tokio::sync::Semaphore::new(0)));
    let gate = Arc::clone(&release);
    let handler = move |request: Request| {
        let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
        async move {
            entered.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.map_err(|e| HandlerError::Failed(e.to_string()))?.forget();
            Ok(Answer::fields([("who", Json::text(request.hotkey.as_str()))]))
        }
    };
    let rich = Keypair::from_uri("//Charlie").unwrap();
    let stake = rich.ss58();
    let shape = Shape::new("Who").optional("who", Kind::Text);
    let route = Route::new(shape.clone(), handler)
        .priority(move |hotkey| Ok(if hotkey.as_str() == stake { 1000.0 } else { 1.0 }));
    let limits = AxonLimits { handlers: 1, waiting: 1, ..AxonLimits::default() };
    let running = Running::start(Axon::new(bob()).limits(limits).route(route)).await;
    let ask = |keypair: Keypair| {
        let (target, call) = (running.target(), Call::typed(&shape, vec![], Duration::from_secs(20)).unwrap());
        tokio::spawn(async move { support::dendrite_of(keypair).ask(&target, &call).await })
    };
    let first = ask(alice());
    while running_now.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let poor = ask(alice());
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The queue has one place; the greater stake takes it.
    let wealthy = ask(rich);
    let displaced = poor.await.unwrap();
    assert_eq!(displaced.status_code, Some(503), "{displaced:?}");
    release.add_permits(2);
    assert!(first.await.unwrap().is_success() && wealthy.await.unwrap().is_success());
}

#[tokio::test]
async fn btauth_on_the_same_routes() {
    let running = Running::start(test_axon()).await;
    let outcome = dendrite().ask_btauth(&running.target(), &echo_call("hi")).await;
    assert_eq!(outcome.field("out"), Some(&Json::text("HI")), "{outcome:?}");
    assert!(outcome.is_success() && outcome.field("dendrite").is_none());
    let mut other = running.target();
    other.hotkey = alice().hotkey();
    let refused = dendrite().ask_btauth(&other, &echo_call("hi")).await;
    assert_eq!(refused.status_code, Some(403), "{refused:?}");
    let stale = dendrite().clock(Clock::of(|| 1)).ask_btauth(&running.target(), &echo_call("hi")).await;
    assert_eq!(stale.status_code, Some(401), "{stale:?}");
    let black = Call::typed(&Shape::new("Black"), vec![], Duration::from_secs(5)).unwrap();
    assert_eq!(dendrite().ask_btauth(&running.target(), &black).await.status_code, Some(403));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_asked_at_once() {
    let running = Running::start(test_axon()).await;
    let calls = (0..64).map(|_| (running.target(), echo_call("hi"))).collect();
    let outcomes = Arc::new(dendrite()).ask_all(calls).await;
    assert_eq!(outcomes.len(), 64);
    assert!(outcomes.iter().all(axon::Outcome::is_success), "{:?}", outcomes.iter().find(|o| !o.is_success()));
}

#[test]
fn names_that_are_no_path_are_refused() {
    for name in ["", "a/b", "ä", "a?b", &"x".repeat(200)] {
        let route = Route::new(Shape::new(name), |_: Request| async { Ok(Answer::unchanged()) });
        assert!(Axon::new(bob()).route(route).into_router().is_err(), "{name}");
    }
    let failing = |_: &domain::types::Hotkey| Err(PriorityError::Failed);
    let route = Route::new(echo_shape(), |_: Request| async { Ok(Answer::unchanged()) }).priority(failing);
    assert!(Axon::new(bob()).route(route).into_router().is_ok());
}
