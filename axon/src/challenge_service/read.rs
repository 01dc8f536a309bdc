//! What is read from the service. Its answers are bounded in number, and entries that make no sense are left out, not believed.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::types::Hotkey;
use reqwest_tls::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{ChallengeService, with_type};
use crate::post::{Problem, within};

const TIME: Duration = Duration::from_secs(30);
/// Entries of a list that are looked at; a subnet has 256 slots.
const MAXIMUM_ENTRIES: usize = 4096;

#[derive(Deserialize)]
struct Shown {
    public_key: String,
}

/// What the service thinks of a miner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SybilScore {
    /// 0 for an honest miner to 1 for a certain sybil.
    pub sybil_score: f64,
    /// The weight in the draw, where it is given.
    pub priority_weight: Option<f64>,
}

impl ChallengeService {
    /// The hotkeys of validators that are listed and permitted, by the chain or by the service's own word, with the raw
    /// answer for the record.
    ///
    /// # Errors
    /// [`Problem`] for everything else than a whole answer of status 200 with a list.
    pub async fn validators(&self) -> Result<(Vec<Hotkey>, Vec<u8>), Problem> {
        let reply = within(TIME, self.send(Method::GET, "/validators", self.signed(b""), Vec::new())).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        Ok((read_validators(&reply.body)?, reply.body.to_vec()))
    }

    /// Scores and weights of miners, with the raw answer. A miner that the service says nothing about is not in it.
    ///
    /// # Errors
    /// [`Problem`] for everything else than a whole answer of status 200 with scores.
    pub async fn sybil_scores(&self, miners: &[Hotkey]) -> Result<(BTreeMap<Hotkey, SybilScore>, Vec<u8>), Problem> {
        let body = serde_json::json!({ "miner_hotkeys": miners }).to_string().into_bytes();
        let headers = with_type(self.signed(&body), "application/json");
        let reply = within(TIME, self.send(Method::POST, "/analytics/sybil-scores/batch", headers, body)).await?;
        if reply.status != 200 {
            return Err(Problem::refused(&reply));
        }
        Ok((read_sybil_scores(&reply.body)?, reply.body.to_vec()))
    }
}

/// The hotkeys of permitted validators in an answer: a list, bare or under `validators`, of which the first 4,096 entries count.
///
/// # Errors
/// [`Problem`] for what is no such list.
pub fn read_validators(answer: &[u8]) -> Result<Vec<Hotkey>, Problem> {
    let answer: Value = serde_json::from_slice(answer).map_err(Problem::protocol)?;
    let list = answer.as_array().or_else(|| answer["validators"].as_array());
    let list = list.ok_or_else(|| Problem::protocol("the answer has no list of validators"))?;
    let permitted = |entry: &&Value| {
        entry["validator_permit"] == Value::Bool(true) || entry["metadata"]["admin_approved"] == Value::Bool(true)
    };
    Ok(list.iter().take(MAXIMUM_ENTRIES).filter(permitted).filter_map(hotkey).collect())
}

/// The scores and weights in an answer, of which the first 4,096 count.
///
/// # Errors
/// [`Problem`] for an answer without `scores`.
pub fn read_sybil_scores(answer: &[u8]) -> Result<BTreeMap<Hotkey, SybilScore>, Problem> {
    let answer: Value = serde_json::from_slice(answer).map_err(Problem::protocol)?;
    let scores = answer["scores"].as_object().ok_or_else(|| Problem::protocol("the answer has no scores"))?;
    let read = |(name, value): (&String, &Value)| {
        let hotkey: Hotkey = name.parse().ok()?;
        let number = |value: &Value| value.as_f64().filter(|number| number.is_finite());
        let sybil_score = number(value).or_else(|| number(&value["sybil_score"]))?;
        let priority_weight = number(&value["priority_weight"]).filter(|weight| *weight >= 0.0);
        Some((hotkey, SybilScore { sybil_score, priority_weight }))
    };
    Ok(scores.iter().take(MAXIMUM_ENTRIES).filter_map(read).collect())
}

/// The RSA key in an answer, in PEM.
///
/// # Errors
/// [`Problem`] for an answer without `public_key`.
pub fn read_public_key(answer: &[u8]) -> Result<String, Problem> {
    let shown: Shown = serde_json::from_slice(answer).map_err(Problem::protocol)?;
    Ok(shown.public_key)
}

/// The hotkey of an entry: a bare text, or under one of its names.
fn hotkey(entry: &Value) -> Option<Hotkey> {
    let text = entry.as_str().or_else(|| entry["hotkey_ss58"].as_str()).or_else(|| entry["hotkey"].as_str())?;
    text.parse().ok()
}
