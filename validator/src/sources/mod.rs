//! Where a subnet's challenges come from when no client pushes them: the validator makes tasks of its own.
//!
//! A source is a function of a running number, so that a restart goes on where the log ends. What it gives is accepted like a
//! challenge of any client: it counts once it is in the log.

pub mod bettertherapy;
pub mod cgp;
pub mod conversion;
pub mod label_file;
mod labels;
pub mod served;
pub mod twitter;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::events::Challenge;
use domain::ruleset::{RuleSet, RuleSetError};
use domain::types::Micros;
use tokio::task::JoinHandle;

pub use labels::{LABELS_AT_ONCE, LabelSource, Labels, LabelsFrom, reveal, reveal_in_turn};
pub use served::ConversationServer;

use crate::Error;
use crate::judge::Judge;
use crate::service::{AcceptError, Handle};

/// Makes challenges.
#[async_trait]
pub trait TaskSource: Send + Sync {
    /// The challenge with this number. Its id must be its own: a number is asked for again after a fault.
    ///
    /// # Errors
    /// Why there is none now, in a few words; it is asked again after a pause.
    async fn next(&self, number: u64) -> Result<Challenge, String>;
}

/// Between two looks whether labels are known.
const LABEL_PAUSE: Duration = Duration::from_secs(1);

/// Between two tries to make a task, after several that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The label that a round's source will tell, with where it comes from and the first moment at which it does; none where no
/// label is awaited.
///
/// # Errors
/// A rule set that cannot be read.
pub fn first_label(
    rule_set: &RuleSet,
    challenge: &Challenge,
    evaluated: Micros,
) -> Result<Option<(Micros, String, String)>, String> {
    let after = |wait: u64| Micros(evaluated.0.saturating_add(wait));
    let (at, found) = match rule_set.algorithm() {
        "conversion" => {
            let (labels, at) = (rule_labels(rule_set)?, after(conversion::LATENCY.0));
            (at, labels.of(challenge, evaluated, at))
        }
        "bettertherapy" => {
            let batches = batches(rule_set)?;
            let at = after(batches.ready_after_seconds.saturating_mul(1_000_000).saturating_add(1));
            (at, bettertherapy::label(challenge, evaluated, at, batches.ready_after_seconds))
        }
        _ => return Ok(None),
    };
    Ok(found.map(|(from, label)| (at, from, label)))
}

fn rule_labels(rule_set: &RuleSet) -> Result<conversion::RuleLabels, String> {
    let constants: domain::conversion::constants::Constants = rule_set.constants().map_err(words)?;
    Ok(conversion::RuleLabels { rule: constants.label.rule, latency: conversion::LATENCY })
}

fn batches(rule_set: &RuleSet) -> Result<bettertherapy::Batches, String> {
    let constants: domain::bettertherapy::constants::Constants = rule_set.constants().map_err(words)?;
    Ok(bettertherapy::Batches {
        ready_after_seconds: constants.judge.ready_after_seconds,
        interval: Duration::from_secs(constants.collection.interval_seconds),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
fn words(error: RuleSetError) -> String {
    error.to_string()
}

/// Starts what makes the tasks, and tells the labels, of a mechanism that needs such. They end with the validator.
///
/// # Errors
/// Shipped data or a rule set that cannot be read.
pub fn start(handle: &Handle, rule_set: &RuleSet, judge: &Arc<dyn Judge>) -> Result<Vec<JoinHandle<()>>, String> {
    start_with(handle, rule_set, judge, None)
}

/// As [`start`], with conversations of a server in place of the shipped ones. Other subnets than Conversation Genome have no use
/// for it.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    handle: &Handle,
    rule_set: &RuleSet,
    judge: &Arc<dyn Judge>,
    conversations: Option<&ConversationServer>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut tasks = Vec::new();
    match rule_set.algorithm() {
        "cgp" => match conversations {
            Some(server) => tasks.extend(served::start(handle, rule_set, server)?),
            None => tasks.push(fed(handle, cgp::Conversations::shipped(rule_set)?)),
        },
        "twitter" => {
            let chain = handle.clone();
            let newest = move || chain.newest_block();
            tasks.push(fed(handle, twitter::SearchPrompts::shipped(handle.origin(), newest)?));
        }
        "conversion" => {
            tasks.push(fed(handle, conversion::Unforeseen::of(handle.clone())));
            tasks.extend(conversion::labels(handle, rule_labels(rule_set)?)?);
        }
        "bettertherapy" => {
            let shipped = bettertherapy::Questions::of_ledger(handle.origin())?;
            let mechanism = domain::mechanism::open(rule_set).map_err(words)?;
            let written = judge.has_model("question");
            let source = if written { shipped.written_by(Arc::clone(judge), mechanism) } else { shipped };
            let batches = batches(rule_set)?;
            let interval = handle.shared().config.task_interval.unwrap_or(batches.interval);
            tasks.push(tokio::spawn(feed(handle.clone(), source, Pace::of_interval(interval))));
            tasks.push(tokio::spawn(reveal(handle.clone(), batches, LABEL_PAUSE)));
        }
        // Loosh's challenges are pushed by clients.
        _ => {}
    }
    Ok(tasks)
}

fn fed(handle: &Handle, source: impl TaskSource + 'static) -> JoinHandle<()> {
    let interval = handle.shared().config.task_interval.unwrap_or_default();
    tokio::spawn(feed(handle.clone(), source, Pace::of_interval(interval)))
}

/// How many challenges are made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Challenges that are open at once.
    pub open: usize,
    /// Between two looks whether more are wanted.
    pub pause: Duration,
    /// From one acceptance to the next at least; zero where nothing but the rounds sets the pace.
    pub interval: Duration,
}

impl Pace {
    /// One challenge after each interval; as many as can be without one.
    #[must_use]
    pub fn of_interval(interval: Duration) -> Self {
        let free = Self::default();
        if interval.is_zero() { free } else { Self { open: 1, interval, ..free } }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { open: 3, pause: Duration::from_millis(500), interval: Duration::ZERO }
    }
}

/// A challenge that is a task of the mechanism, without what clients may wish for.
#[must_use]
pub fn task(id: String, prompt: String, task: String) -> Challenge {
    Challenge {
        id,
        correlation_id: None,
        prompt: Some(prompt),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.0,
        top_p: 1.0,
        max_tokens: 1,
        metadata: None,
        created_at: None,
        requester: None,
        task: Some(task),
    }
}

/// How long until the next challenge is due. The interval runs from the last acceptance in the log, so that no restart shortens
/// or lengthens it.
async fn until_due(handle: &Handle, interval: Duration) -> Result<Duration, Error> {
    if interval.is_zero() {
        return Ok(Duration::ZERO);
    }
    let reader = handle.reader();
    let size = reader.head().await?.size;
    let last = reader.last_of_kind("ChallengeAccepted", size).await?;
    Ok(last.map_or(Duration::ZERO, |last| {
        let passed = crate::clock::now().0.saturating_sub(last.recorded_at);
        interval.saturating_sub(Duration::from_micros(passed))
    }))
}

/// Keeps so many challenges open until the validator stops.
pub async fn feed(handle: Handle, source: impl TaskSource, pace: Pace) {
    let mut again = pace.pause;
    while !handle.is_stopping() {
        let stats = handle.challenge_stats();
        if stats.queue_size + stats.active < pace.open {
            match until_due(&handle, pace.interval).await {
                Ok(wait) if wait.is_zero() => {}
                Ok(wait) => {
                    handle.sleep(wait).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "when the last task was accepted cannot be read; trying again");
                    handle.sleep(pace.pause).await;
                    continue;
                }
            }
            match source.next(stats.total_received).await {
                Ok(challenge) => match handle.accept(challenge).await {
                    // The fold counts it in a moment; the pause below is longer than that.
                    Ok(_) | Err(AcceptError::Duplicate { .. }) => {}
                    Err(error) => tracing::warn!(%error, "a task is not accepted; trying again"),
                },
                Err(problem) => {
                    tracing::warn!(problem, "there is no next task; trying again");
                    // Whoever makes it may charge for each try.
                    handle.sleep(again).await;
                    again = (again * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            again = pace.pause;
        }
        handle.sleep(pace.pause).await;
    }
}
