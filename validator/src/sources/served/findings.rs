//! What the recorded rounds of a conversation found, as the records that its server takes.

use std::collections::BTreeMap;

use conversations::{AnswerData, ResultRecord, TagVector, TruthData, WHOLE_CONVERSATION};
use domain::Aggregate;
use domain::cgp::requests::GROUND_TRUTH;
use domain::cgp::results::{self, Results};
use domain::cgp::task::Task;
use domain::events::{Challenge, Event};
use domain::mechanism::RoundFacts;
use domain::round::{self, Round};
use domain::ruleset::RuleSet;
use domain::types::{Digest, Hotkey, NetUid, Position};

use super::batch::{self, Mark};
use crate::Error;
use crate::board::decode;
use crate::rounds::LAST_ATTEMPT;
use crate::rules;
use crate::shared::Shared;

/// Upstream's version of the scores that a record states; it never had another.
const SCORING: &str = "0.1";
/// The generation of upstream whose record this is.
const VERSION: &str = "0.2.0";

/// What the round of one window found.
#[derive(Debug)]
pub(super) struct Findings {
    mark: Mark,
    task: Task,
    results: Results,
    /// Provider and model of the ground truth.
    model: String,
    embeddings_model: String,
}

/// The findings of the window whose challenge was accepted there; none when its round was given up or cannot be read any more.
///
/// # Errors
/// What the ledger says.
pub(super) async fn of_window(shared: &Shared, accepted: Position) -> Result<Option<Findings>, Error> {
    let reader = shared.journal.ledger().reader();
    let stored = reader.get(accepted.0).await?;
    let Some(Event::ChallengeAccepted(accepted)) = stored.as_ref().map(decode).transpose()?.flatten() else {
        return Ok(None);
    };
    let Some((mark, task)) = batch::read(&accepted.challenge) else { return Ok(None) };
    for attempt in 1..=LAST_ATTEMPT {
        let id = round::stream_id(&accepted.challenge.id, attempt);
        let mut recorded = Recorded::default();
        for stored in reader.stream(round::STREAM_TYPE, &id, 1).await? {
            let Some(event) = decode(&stored)? else { continue };
            recorded.apply(Position(stored.position), event);
        }
        let Some(rules) = recorded.evaluated else { continue };
        let Some(mechanism) = rules::of_round(shared, rules).await? else { return Ok(None) };
        let facts = recorded.round.facts(&accepted.challenge, mechanism.as_ref(), &[]);
        return match facts.and_then(|facts| results::of(mechanism.rule_set(), &facts)) {
            Ok(results) => {
                let Recorded { model, embeddings_model, .. } = recorded;
                Ok(Some(Findings { mark, task, results, model, embeddings_model }))
            }
            Err(error) => {
                tracing::warn!(round = id, %error, "the results of a round cannot be read");
                Ok(None)
            }
        };
    }
    Ok(None)
}

/// What made a round's evidence.
#[derive(Debug, Clone, Default)]
pub struct MadeBy {
    /// Provider and model of the ground truth.
    pub model: String,
    /// Model of the vectors.
    pub embeddings_model: String,
}

/// The record of the whole conversation, and those of the answers in order of arrival.
pub type Records = (Option<ResultRecord<TruthData>>, Vec<ResultRecord<AnswerData>>);

/// The findings of a round that is evaluated, from its facts.
///
/// # Errors
/// A challenge of another source, and evidence that cannot be read.
pub(super) fn of_facts(
    rule_set: &RuleSet,
    challenge: &Challenge,
    facts: &RoundFacts,
    by: MadeBy,
) -> Result<Findings, String> {
    let (mark, task) = batch::read(challenge).ok_or("the challenge is no window of a conversation server's")?;
    let results = results::of(rule_set, facts).map_err(|error| error.to_string())?;
    let MadeBy { model, embeddings_model } = by;
    Ok(Findings { mark, task, results, model, embeddings_model })
}

/// What one attempt's stream holds.
#[derive(Debug, Default)]
struct Recorded {
    round: Round,
    /// The rule set that it was evaluated under.
    evaluated: Option<Digest>,
    model: String,
    embeddings_model: String,
}

impl Recorded {
    fn apply(&mut self, position: Position, event: Event) {
        match &event {
            Event::RoundEvaluated(evaluated) => self.evaluated = Some(evaluated.rule_set),
            Event::ResponseReceived(response) => self.round.place(response.hotkey, position),
            Event::JudgementRecorded(judged) if judged.purpose == GROUND_TRUTH => self.model.clone_from(&judged.model),
            Event::EmbeddingComputed(embedding) => self.embeddings_model.clone_from(&embedding.model.name),
            _ => {}
        }
        if !matches!(event, Event::ResponseScored(_) | Event::RoundEvaluated(_)) {
            self.round.apply(&event);
        }
    }
}

impl Findings {
    /// The validator's record, of the whole conversation; none when the conversation was left out.
    pub(super) fn of_conversation(&self, netuid: NetUid, own: Hotkey) -> Option<ResultRecord<TruthData>> {
        let truth = self.results.truth.as_ref()?;
        let data = TruthData {
            participants: self.task.participants.clone(),
            tags: truth.tags.clone(),
            vectors: vectors(&truth.vectors),
        };
        Some(self.record(netuid, "validator", WHOLE_CONVERSATION, own, data))
    }

    /// A record for each answer, in order of arrival.
    pub(super) fn of_answers(&self, netuid: NetUid) -> Vec<ResultRecord<AnswerData>> {
        let record = |answer: &results::AnswerResult| {
            let data = AnswerData {
                uid: answer.uid.0,
                tags: answer.tagged.tags.clone(),
                original_tags: answer.sent.clone(),
                profiles: [],
                vectors: vectors(&answer.tagged.vectors),
            };
            self.record(netuid, "miner", self.task.window_index, answer.hotkey, data)
        };
        self.results.answers.iter().map(record).collect()
    }

    fn record<T>(&self, netuid: NetUid, kind: &str, window: u32, hotkey: Hotkey, data: T) -> ResultRecord<T> {
        let provider = self.model.split('/').next().unwrap_or_default();
        ResultRecord {
            kind: kind.to_owned(),
            mode: "validator".to_owned(),
            model: self.model.clone(),
            embeddings_model: self.embeddings_model.clone(),
            marker_id: None,
            convo_window_index: window,
            hotkey: hotkey.to_string(),
            llm_type: provider.to_owned(),
            scoring_version: SCORING.to_owned(),
            batch_num: self.mark.batch,
            cgp_version: VERSION.to_owned(),
            netuid: netuid.0,
            data,
        }
    }
}

/// The recorded numbers are binary16 scaled to length one: single precision holds all that they say.
fn vectors(found: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, TagVector> {
    let narrow = |vector: &Vec<f64>| TagVector { vectors: vector.iter().map(|number| *number as f32).collect() };
    found.iter().map(|(tag, vector)| (tag.clone(), narrow(vector))).collect()
}
