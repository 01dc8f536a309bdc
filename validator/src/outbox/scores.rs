//! Asks the service for its validators and its scores, and records what is new: draws and weights name what they used.
//!
//! One event holds both answers as they came, `{"scores":…,"validators":…}`, so that a draw, which names one position, can be
//! recomputed from it. While the service does not answer, what was recorded last stays in force, as upstream has it.

use std::collections::BTreeSet;

use axon::challenge_service::ChallengeService;
use domain::events::ExternalScoresFetched;
use domain::mechanism::Mechanism;
use domain::metagraph::announces_axon;
use domain::types::{Block, Hotkey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Outbox;
use crate::Error;
use crate::journal::Entry;
use crate::service::Handle;
use crate::shared::streams;

/// Miners that are asked about; a subnet has 256 slots.
const MOST_MINERS: usize = 1024;
/// Bytes of a reply that are recorded. It can never be erased.
const LARGEST_REPLY: usize = 1 << 20;

/// Scores of nobody: rules that read nothing here read no scores of others at all.
const NOBODY: &[u8] = br#"{"scores":{}}"#;

/// Both answers, each as it came.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scores: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validators: Option<Box<RawValue>>,
}

/// Asks until the validator stops.
pub(super) async fn fetch(handle: Handle, outbox: Outbox) {
    while !handle.is_stopping() {
        let asked = tokio::select! {
            asked = once(&handle, &outbox.service) => asked,
            () = handle.shared().stop.stopped() => return,
        };
        let pause = match asked {
            Ok(true) => outbox.fetch,
            // The metagraph is not there yet.
            Ok(false) => outbox.look,
            Err(Error::Stopping) => return,
            Err(error) => {
                tracing::warn!(%error, "scores of the challenge service cannot be recorded; trying again later");
                outbox.fetch
            }
        };
        handle.sleep(pause).await;
    }
}

/// Asks both, and records the answers if they are new. False while it is not known whom to ask about.
async fn once(handle: &Handle, service: &ChallengeService) -> Result<bool, Error> {
    let shared = handle.shared();
    let (miners, known) = {
        let fold = shared.board.read();
        let Some((_, metagraph)) = &fold.metagraph else { return Ok(false) };
        let announced = metagraph.neurons().filter(|neuron| neuron.hotkey != shared.own && announces_axon(neuron));
        let miners: BTreeSet<Hotkey> = announced.map(|neuron| neuron.hotkey).take(MOST_MINERS).collect();
        (miners.into_iter().collect::<Vec<_>>(), fold.external.as_ref().map(|(_, reply)| reply.to_vec()))
    };
    let mut answers: Answers =
        known.as_deref().and_then(|known| serde_json::from_slice(known).ok()).unwrap_or_default();
    let mut news = Vec::new();
    match service.validators().await.map(|(_, raw)| whole(raw)) {
        Ok(Some(raw)) => {
            answers.validators = Some(raw);
            news.push("GET /validators".to_owned());
        }
        Ok(None) => tracing::warn!("the challenge service's list of validators cannot be used"),
        Err(problem) => tracing::warn!(failure = ?problem.failure, "the challenge service does not list validators"),
    }
    match service.sybil_scores(&miners).await.map(|(_, raw)| scores(&raw)) {
        Ok(Some(raw)) => {
            answers.scores = Some(raw);
            news.push(format!("POST /analytics/sybil-scores/batch of {} miners", miners.len()));
        }
        Ok(None) => tracing::warn!("the challenge service's scores cannot be used"),
        Err(problem) => tracing::warn!(failure = ?problem.failure, "the challenge service gives no scores"),
    }
    if news.is_empty() {
        return Ok(true);
    }
    let reply = serde_json::to_vec(&answers).map_err(|error| Error::Refused(error.to_string()))?;
    record(handle, news.join("; "), reply, known.as_deref()).await.map(|()| true)
}

async fn record(handle: &Handle, request: String, reply: Vec<u8>, known: Option<&[u8]>) -> Result<(), Error> {
    let shared = handle.shared();
    if !is_news(shared.mechanism().as_ref(), known, &reply) {
        return Ok(());
    }
    if reply.len() > LARGEST_REPLY {
        let bytes = reply.len();
        tracing::warn!(bytes, LARGEST_REPLY, "the challenge service's answers are over the limit and not used");
        return Ok(());
    }
    let (source, reply) = ("challenge-api".to_owned(), Block::new(reply));
    let fetched = ExternalScoresFetched { source, request, status: 200, reply };
    let position = shared.journal.observe(Entry::new(streams::EXTERNAL, streams::ONLY, fetched), &shared.stop).await?;
    shared.board.reach(position).await
}

/// Whether the rules read something else in a reply than in the one that is recorded. Its bytes may differ each time, by a time
/// or an order, and an event stands for ever.
fn is_news(rules: &dyn Mechanism, known: Option<&[u8]>, reply: &[u8]) -> bool {
    let Some(read) = rules.external_scores(reply) else {
        if rules.external_scores(NOBODY).is_some() {
            tracing::warn!(bytes = reply.len(), "nothing in the challenge service's answers can be read");
        }
        return false;
    };
    known.and_then(|known| rules.external_scores(known)) != Some(read)
}

fn whole(raw: Vec<u8>) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8(raw).ok()?).ok()
}

/// The scores alone: nothing else that the service says there passes for a list of validators.
fn scores(raw: &[u8]) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Reply {
        scores: Box<RawValue>,
    }
    serde_json::from_slice::<Reply>(raw).ok().map(|reply| reply.scores)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use domain::mechanism;

    #[test]
    fn what_means_the_same_is_recorded_once() {
        let rules = |name| mechanism::open(&mechanism::shipped_by_name(name).unwrap()).unwrap();
        let (reading, blind) = (rules("loosh/1.2.8"), rules("loosh/readme"));
        let hotkey = Hotkey::from_public(&[1; 32]);
        let reply = |score: &str, beside: &str| {
            format!(r#"{{"scores":{{"{hotkey}":{score}}},"validators":[{beside}]}}"#).into_bytes()
        };
        let known = reply("0.5", "");
        for (bytes, expected) in [
            (known.clone(), false),
            (reply("5e-1", r#"{"last_seen":"today"}"#), false),
            (reply(r#"{"sybil_score":0.50,"at":7}"#, ""), false),
            (reply("0.25", ""), true),
            (reply("null", ""), true),
            (b"{}".to_vec(), false),
        ] {
            assert_eq!(
                is_news(reading.as_ref(), Some(&known), &bytes),
                expected,
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            assert!(!is_news(blind.as_ref(), None, &bytes));
        }
        assert!(is_news(reading.as_ref(), None, &known));
    }

    #[test]
    fn answers_are_kept_as_they_came() {
        let scored = scores(br#"{"validators":["x"], "scores":{"a": 1.50}, "more":[]}"#);
        let answers = Answers { scores: scored, validators: whole(br#"[ {"hotkey":"b"} ]"#.to_vec()) };
        let text = serde_json::to_string(&answers).unwrap();
        assert_eq!(text, r#"{"scores":{"a": 1.50},"validators":[ {"hotkey":"b"} ]}"#);
        let again: Answers = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert!(whole(vec![0xff]).is_none() && whole(b"[".to_vec()).is_none() && scores(b"[]").is_none());
    }
}
