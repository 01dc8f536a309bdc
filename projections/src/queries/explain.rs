//! "Why was my score zero?": everything the ledger says of a miner in an epoch, in the order in which it led to the weight.

use domain::events::Exclusion;
use domain::types::Hotkey;

use super::columns::Columns;
use super::epochs::{self, Epoch};
use super::scores::{self, Component, Score, ScoreFilter};
use super::{MAX_PAGE, averages, bits, explain_reason};
use crate::error::{Error, Result};
use crate::fold::signed;
use crate::view::{Frame, Meta, View};

/// Draws of one epoch that are looked at: the newest.
const MAX_DRAWS: i64 = 2_000;

/// What stands between a miner and its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its slot.
    Slot,
    /// Availability sweeps.
    Availability,
    /// Draws.
    Sampling,
    /// Its answers and their scores.
    Round,
    /// The moving average.
    Average,
    /// The derived weight.
    Weight,
    /// What came of it on chain.
    Chain,
}

/// One link of the chain of reasons.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// The event that says so, if it is one event.
    pub position: Option<u64>,
    /// What happened, as a sentence.
    pub text: String,
    /// The recorded word of the reason, if this step led to a zero.
    pub reason: Option<String>,
    /// The challenge, for a round.
    pub challenge_id: Option<String>,
    /// The score, for a round.
    pub score: Option<f64>,
    /// Its components, for a round.
    pub components: Vec<Component>,
}

/// The chain of reasons.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// At which position it was read.
    pub meta: Meta,
    /// The miner.
    pub hotkey: String,
    /// The epoch.
    pub epoch: u64,
    /// `open`, `derived` or `closed`.
    pub state: String,
    /// The slot that the weight is for.
    pub uid: Option<u16>,
    /// The weight, once it may be shown.
    pub weight: Option<u16>,
    /// Why it is zero, if it is.
    pub reason: Option<String>,
    /// The moving average that the epoch carried out.
    pub average: Option<f64>,
    /// Its 64 bits in hex.
    pub average_bits: Option<String>,
    /// First position of the epoch's range.
    pub range_from: u64,
    /// Last position of the epoch's range, so far.
    pub range_to: u64,
    /// The answer in one sentence.
    pub verdict: String,
    /// What led to it.
    pub steps: Vec<Step>,
}

impl Step {
    fn new(stage: Stage, position: Option<u64>, text: String) -> Self {
        Self { stage, position, text, reason: None, challenge_id: None, score: None, components: Vec::new() }
    }

    fn because(mut self, reason: Option<&str>) -> Self {
        self.reason = reason.map(str::to_owned);
        self
    }
}

/// Explains a miner's weight in an epoch; none when the epoch is not open yet.
///
/// # Errors
/// What the database says.
pub async fn explain(view: &View, frame: &Frame, hotkey: &Hotkey, number: u64) -> Result<Option<Explanation>> {
    let Some(epoch) = epochs::epoch(view, frame, number).await? else { return Ok(None) };
    let (from, to) = range(view, frame, &epoch).await?;
    let filter = ScoreFilter { epochs: Some(number..=number), ..ScoreFilter::default() };
    let scores = scores::score_history(view, frame, hotkey, &filter, None, MAX_PAGE).await?;
    let average = averages::averages_of(view, frame, hotkey, Some(number + 1), 1).await?;
    let average = average.into_iter().find(|average| average.epoch == number);
    let weight = epochs::weights_of_miner(view, frame, hotkey, Some(number), 1).await?.pop();
    let metagraph = epoch.derivation.as_ref().map_or(to, |derivation| derivation.metagraph_position);
    let mut steps = vec![slot(view, frame, hotkey, metagraph).await?];
    steps.extend(availability(view, frame, hotkey, from, to).await?);
    steps.push(sampling(view, frame, hotkey, from, to).await?);
    steps.extend(scores.iter().rev().map(scored));
    if let Some(average) = &average {
        let text = average.average.map_or_else(
            || "no score counts in the window, so there is no moving average".to_owned(),
            |value| format!("the moving average over {} scores of the window is {value}", average.items),
        );
        steps.push(Step::new(Stage::Average, Some(average.position), text));
    }
    let state = match (&epoch.closed_position, &epoch.derivation) {
        (Some(_), _) => "closed",
        (None, Some(_)) => "derived",
        (None, None) => "open",
    };
    let verdict = verdict(&epoch, weight.as_ref(), &scores);
    let position = epoch.derivation.as_ref().map(|derivation| derivation.position);
    let reason = weight.as_ref().and_then(|weight| weight.reason.clone());
    steps.push(Step::new(Stage::Weight, position, verdict.clone()).because(reason.as_deref()));
    steps.extend(epoch.steps.iter().map(on_chain));
    let value = average.as_ref().and_then(|average| average.average);
    Ok(Some(Explanation {
        meta: frame.into(),
        hotkey: hotkey.to_string(),
        epoch: number,
        state: state.to_owned(),
        uid: weight.as_ref().map(|weight| weight.uid),
        weight: weight.as_ref().map(|weight| weight.weight),
        reason,
        average: value,
        average_bits: value.map(bits),
        range_from: from,
        range_to: to,
        verdict,
        steps,
    }))
}

/// The positions whose events count in the epoch, as far as the frame sees them.
async fn range(view: &View, frame: &Frame, epoch: &Epoch) -> Result<(u64, u64)> {
    if let Some(derivation) = &epoch.derivation {
        return Ok((derivation.range_from, derivation.range_to));
    }
    let before: Option<i64> = sqlx::query_scalar(
        "SELECT max(range_to) FROM derivations WHERE ledger_id = $1 AND revision = 0 AND position <= $2 AND epoch < $3",
    )
    .bind(frame.id())
    .bind(frame.position_signed())
    .bind(signed(epoch.epoch))
    .fetch_one(&mut **view.connection().await)
    .await
    .map_err(Error::database("find the range of an epoch"))?;
    Ok((before.map_or(0, |to| to.unsigned_abs() + 1), frame.position))
}

async fn slot(view: &View, frame: &Frame, hotkey: &Hotkey, at: u64) -> Result<Step> {
    let row = sqlx::query(
        "SELECT uid, ip, port, validator_permit, from_position FROM slots
          WHERE ledger_id = $1 AND hotkey = $2 AND from_position <= $3 AND (to_position IS NULL OR to_position > $3)
          ORDER BY uid LIMIT 1",
    )
    .bind(frame.id())
    .bind(hotkey.as_str())
    .bind(signed(at))
    .fetch_optional(&mut **view.connection().await)
    .await
    .map_err(Error::database("find a miner's slot"))?;
    let Some(row) = row else {
        let text = format!("the hotkey held no slot in the metagraph of position {at}");
        return Ok(Step::new(Stage::Slot, Some(at), text));
    };
    let columns = Columns(&row);
    let (uid, ip, port): (_, String, _) = (columns.small("uid")?, columns.get("ip")?, columns.small("port")?);
    let axon = if port == 0 { "no axon announced".to_owned() } else { format!("axon {ip}:{port}") };
    let permit = if columns.get("validator_permit")? { ", with a validator permit" } else { "" };
    let position = columns.number("from_position")?;
    Ok(Step::new(Stage::Slot, Some(position), format!("held uid {uid}, {axon}{permit}")))
}

async fn availability(view: &View, frame: &Frame, hotkey: &Hotkey, from: u64, to: u64) -> Result<Option<Step>> {
    let row = sqlx::query(
        "SELECT count(*) AS asked, count(*) FILTER (WHERE available) AS available, max(position) AS last,
                (array_agg(reason ORDER BY position DESC) FILTER (WHERE NOT available))[1] AS reason
           FROM availability WHERE ledger_id = $1 AND hotkey = $2 AND position BETWEEN $3 AND $4",
    )
    .bind(frame.id())
    .bind(hotkey.as_str())
    .bind(signed(from))
    .bind(signed(to.min(frame.position)))
    .fetch_one(&mut **view.connection().await)
    .await
    .map_err(Error::database("count availability"))?;
    let columns = Columns(&row);
    let (asked, available) = (columns.number("asked")?, columns.number("available")?);
    let Some(last) = columns.number_if("last")? else { return Ok(None) };
    let mut text = format!("available in {available} of {asked} sweeps");
    if let Some(reason) = columns.get::<Option<String>>("reason")?.filter(|reason| !reason.is_empty()) {
        text = format!("{text}; the last failure: {reason}");
    }
    Ok(Some(Step::new(Stage::Availability, Some(last), text)))
}

/// What a draw says of a miner: one word and how many draws say it. The lists are long, so the database looks through them;
/// a text with a NUL is none that its JSON can hold.
const DRAWS: &str = "
SELECT coalesce(
         CASE WHEN draw -> 'drawn' @> jsonb_build_array(jsonb_build_object('hotkey', $4)) THEN 'drawn' END,
         (SELECT excluded ->> 'reason' FROM jsonb_array_elements(draw -> 'excluded') excluded
           WHERE excluded ->> 'hotkey' = $4 LIMIT 1),
         CASE WHEN draw -> 'candidates' @> jsonb_build_array(jsonb_build_object('hotkey', $4)) THEN 'candidate' END,
         'absent') AS word, count(*) AS draws
  FROM (SELECT json::jsonb AS draw FROM events
         WHERE ledger_id = $1 AND kind = 'MinersSelected' AND position BETWEEN $2 AND $3
           AND json IS NOT NULL AND position('\\u0000' IN json) = 0
         ORDER BY position DESC LIMIT $5) draws
 GROUP BY word ORDER BY word";

/// How often it was drawn, and why not otherwise.
async fn sampling(view: &View, frame: &Frame, hotkey: &Hotkey, from: u64, to: u64) -> Result<Step> {
    let rows = sqlx::query(DRAWS)
        .bind(frame.id())
        .bind(signed(from))
        .bind(signed(to.min(frame.position)))
        .bind(hotkey.as_str())
        .bind(MAX_DRAWS)
        .fetch_all(&mut **view.connection().await)
        .await
        .map_err(Error::database("look through the draws of an epoch"))?;
    let (mut all, mut drawn, mut others) = (0, 0, String::new());
    for row in &rows {
        let columns = Columns(row);
        let (word, draws): (String, u64) = (columns.get("word")?, columns.number("draws")?);
        all += draws;
        match word.as_str() {
            "drawn" => drawn = draws,
            "candidate" => others.push_str(&format!("; a candidate that was not drawn in {draws}")),
            "absent" => others.push_str(&format!("; not in the metagraph of {draws}")),
            reason => others.push_str(&format!("; excluded from {draws} because {}", excluded(reason))),
        }
    }
    let text = format!("drawn in {drawn} of {all} rounds{others}");
    Ok(Step::new(Stage::Sampling, None, text).because((drawn == 0).then_some("not_sampled")))
}

fn excluded(word: &str) -> String {
    let parsed = serde_json::from_value::<Exclusion>(serde_json::Value::String(word.to_owned()));
    parsed.map_or_else(|_| word.to_owned(), |reason| exclusion(reason).to_owned())
}

fn exclusion(reason: Exclusion) -> &'static str {
    match reason {
        Exclusion::Own => "it is the validator itself",
        Exclusion::Validator => "it holds a validator permit",
        Exclusion::NoAxon => "it announced no axon",
        Exclusion::Unavailable => "it did not answer the last availability sweep",
        Exclusion::NotSwept => "it had not been swept yet",
        Exclusion::AddressQuota => "too many slots are at its address",
        Exclusion::SameEndpoint => "an earlier slot has the same address and port",
        Exclusion::ColdkeyQuota => "its coldkey has too many slots",
    }
}

fn scored(score: &Score) -> Step {
    let because = score.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", explain_reason(reason)));
    let counted = if score.counted { "" } else { " (does not enter the moving average)" };
    let text = format!("round {}/{} scored {}{counted}{because}", score.challenge_id, score.attempt, score.score);
    Step {
        challenge_id: Some(score.challenge_id.clone()),
        score: Some(score.score),
        components: score.components.clone(),
        ..Step::new(Stage::Round, Some(score.position), text).because(score.reason.as_deref())
    }
}

fn verdict(epoch: &Epoch, weight: Option<&epochs::EpochWeight>, scores: &[Score]) -> String {
    let number = epoch.epoch;
    let Some(derivation) = &epoch.derivation else {
        return format!("epoch {number} is open: {} rounds scored so far, no weight is derived yet", scores.len());
    };
    if !epoch.weights_public {
        let position = derivation.position;
        return format!("the weights of epoch {number} are derived at position {position} and not public yet");
    }
    match weight {
        None => format!("the hotkey held no slot when the weights of epoch {number} were derived"),
        Some(weight) => match &weight.reason {
            Some(reason) => format!("weight 0 of 65535 for uid {}: {}", weight.uid, explain_reason(reason)),
            None => format!("weight {} of 65535 for uid {}", weight.weight, weight.uid),
        },
    }
}

fn on_chain(step: &epochs::ChainStep) -> Step {
    let block = step.block.map_or_else(String::new, |block| format!(" at block {block}"));
    let detail = step.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
    Step::new(Stage::Chain, Some(step.position), format!("{}{block}{detail}", step.step.replace('_', " ")))
}
