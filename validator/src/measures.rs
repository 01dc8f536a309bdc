//! What the validator tells of itself for Prometheus.
//!
//! Most of it is read where it is kept already: in the fold of the log, the view of the chain, the watch over weights. Counted here
//! is only what no event says: how long appends take, what the database refused, and what models were asked.
//!
//! **Invariant:** no label is a hotkey, an id, an address or a chain's own words; a page asks neither ledger nor chain nor miner.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chain::Hyperparameters;
use domain::mechanism::{JudgementRequest, Mechanism, NO_REPLY, NO_VERDICT, OFFLINE};
use ledger::Ledger;
use metrics::{Counters, Histograms, Labels, Page};

use crate::journal::is_final;
use crate::judge::{Judge, Verdict};
use crate::shared::Shared;

/// What was being done when the database failed.
const APPEND: &str = "append";
const PING: &str = "ping";

/// What is counted beside the work.
#[derive(Debug, Clone)]
pub(crate) struct Measures {
    appends: Histograms<0>,
    database_errors: Counters<1>,
    judgements: Counters<1>,
    tokens: Counters<1>,
    judging: Histograms<0>,
    outbox: Arc<AtomicU64>,
    parameters: Arc<Mutex<Option<Parameters>>>,
}

/// Of the subnet's hyperparameters, in blocks.
#[derive(Debug, Clone, Copy)]
struct Parameters {
    tempo: u16,
    activity_cutoff: u16,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            appends: Histograms::new([]).beginning_with::<&str>([[]]),
            database_errors: Counters::new(["operation"]).beginning_with([[APPEND], [PING]]),
            judgements: Counters::new(["outcome"]).beginning_with(OUTCOMES.map(|outcome| [outcome])),
            tokens: Counters::new(["kind"]).beginning_with([["completion"], ["prompt"]]),
            judging: Histograms::new([]).beginning_with::<&str>([[]]),
            outbox: Arc::default(),
            parameters: Arc::default(),
        }
    }
}

impl Measures {
    /// Nothing counted yet; every append of the ledger is counted from now on.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let measures = Self::default();
        let (appends, errors) = (measures.appends.clone(), measures.database_errors.clone());
        ledger.observe(Box::new(move |taken, outcome| match outcome {
            Ok(_) => appends.observe::<&str>([], taken),
            Err(error) if !is_final(error) => errors.one([APPEND]),
            // The caller's own fault, or the end of this writer.
            Err(_) => {}
        }));
        measures
    }

    /// The database was asked whether it is there, and did not answer.
    pub(crate) fn ping_failed(&self) {
        self.database_errors.one([PING]);
    }

    /// Takes note of the subnet's hyperparameters.
    pub(crate) fn learn(&self, parameters: &Hyperparameters) {
        let Hyperparameters { tempo, activity_cutoff, .. } = *parameters;
        let known = Some(Parameters { tempo, activity_cutoff });
        *self.parameters.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Takes note of how many rounds have results on their way.
    pub(crate) fn outbox(&self, rounds: usize) {
        self.outbox.store(rounds as u64, Ordering::Relaxed);
    }

    /// The same judge, with its verdicts counted.
    pub(crate) fn judge(&self, inner: Arc<dyn Judge>) -> Arc<dyn Judge> {
        Arc::new(Counted { inner, measures: self.clone() })
    }
}

/// What came of asking for a verdict: of a model, of the mechanism's own rule, refused by the model, no reply, or an error.
const OUTCOMES: [&str; 5] = ["model", "offline", "refused", "no_reply", "failed"];

/// A judge whose verdicts are counted.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Judge>,
    measures: Measures,
}

#[async_trait]
impl Judge for Counted {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        let begun = Instant::now();
        let judged = self.inner.judge(request, mechanism).await;
        let measures = &self.measures;
        let outcome = match &judged {
            Err(_) => "failed",
            Ok(verdict) if verdict.model == OFFLINE => "offline",
            Ok(verdict) if verdict.model == NO_VERDICT => "refused",
            Ok(verdict) if verdict.model == NO_REPLY => "no_reply",
            Ok(verdict) => {
                measures.tokens.add(["prompt"], u64::from(verdict.prompt_tokens));
                measures.tokens.add(["completion"], u64::from(verdict.completion_tokens));
                measures.judging.observe::<&str>([], begun.elapsed());
                "model"
            }
        };
        measures.judgements.one([outcome]);
        judged
    }

    fn has_model(&self, purpose: &str) -> bool {
        self.inner.has_model(purpose)
    }
}

/// The page of one validator.
pub(crate) fn page(shared: &Shared) -> Page {
    let algorithm = shared.config.rule_set.algorithm().to_owned();
    let mut page = Page::of(vec![("netuid", shared.config.netuid.to_string().into()), ("mechanism", algorithm.into())]);
    metrics::process(&mut page);
    itself(&mut page, shared);
    log(&mut page, shared);
    rounds(&mut page, shared);
    epochs(&mut page, shared);
    chain(&mut page, shared);
    weights(&mut page, shared);
    models(&mut page, &shared.measures);
    page
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn itself(page: &mut Page, shared: &Shared) {
    let rules = shared.mechanism().rule_set().name();
    let info: Labels = vec![("version", env!("CARGO_PKG_VERSION").into()), ("rule_set", rules.into())];
    page.gauges("assay_validator_info", "Always 1; the labels tell version and rules.", [(info, 1.0)]);
    let running = !shared.board.read().paused;
    page.gauge("assay_validator_running", "1 while rounds are issued, 0 while paused.", flag(running));
    if let Some(disk) = metrics::disk(&shared.config.checkpoint_directory) {
        let help = "Size of the disk that holds the checkpoints.";
        page.gauge("assay_disk_size_bytes", help, disk.size as f64);
        let help = "Room on the disk that holds the checkpoints.";
        page.gauge("assay_disk_available_bytes", help, disk.available as f64);
    }
}

fn log(page: &mut Page, shared: &Shared) {
    let measures = &shared.measures;
    let size = shared.journal.ledger().size();
    page.gauge("assay_log_events", "Events in the log.", size as f64);
    let (covered, at) = {
        let fold = shared.board.read();
        (fold.checkpoint.map(|(size, _)| size), fold.figures.checkpoint_at)
    };
    page.gauge("assay_checkpoint_events", "Events under the last checkpoint.", covered.unwrap_or(0) as f64);
    if let Some(at) = at {
        let help = "When the last checkpoint was recorded, in seconds since 1970.";
        page.gauge("assay_checkpoint_timestamp_seconds", help, at.0 as f64 / 1e6);
    }
    let help = "1 if the database answered when it was asked last.";
    page.gauge("assay_database_connected", help, flag(shared.ledger_answers()));
    page.histograms("assay_append_seconds", "Time of appends until their commit.", measures.appends.read());
    let help = "Appends and pings that the database failed.";
    page.counters("assay_database_errors_total", help, measures.database_errors.read());
}

fn rounds(page: &mut Page, shared: &Shared) {
    let fold = shared.board.read();
    let figures = &fold.figures;
    page.counter("assay_challenges_accepted_total", "Challenges accepted.", fold.counters.accepted);
    page.gauge("assay_challenges_queued", "Challenges that wait for a round.", fold.queued() as f64);
    page.gauge("assay_rounds_active", "Rounds under way.", fold.active() as f64);
    page.counter("assay_rounds_opened_total", "Rounds whose miners were drawn.", figures.rounds_opened);
    let ended = figures.rounds_ended.clone();
    page.counted("assay_rounds_ended_total", "Rounds that ended, by outcome.", "outcome", ended);
    let help = "Time from a round's draw to its scores.";
    page.histogram("assay_round_seconds", help, figures.round_seconds.clone());
    let responses = figures.responses.clone();
    page.counted("assay_responses_total", "Answers and failures of drawn miners.", "outcome", responses);
    let help = "Time until usable answers.";
    page.histogram("assay_response_seconds", help, figures.response_seconds.clone());
    page.gauge("assay_labels_awaited", "Rounds whose scores wait for a label.", fold.waiting.len() as f64);
    let available = fold.available().count();
    page.gauge("assay_miners_available", "Miners that answered the last sweep.", available as f64);
    let deliveries = figures.deliveries.clone();
    let help = "Attempts to bring results back to a challenge service.";
    page.counted("assay_deliveries_total", help, "outcome", deliveries);
    let pending = shared.measures.outbox.load(Ordering::Relaxed);
    page.gauge("assay_outbox_rounds", "Rounds with results still on their way.", pending as f64);
    let swept = fold.sweep.as_ref().map_or(0, |(_, sweep)| sweep.probes.len());
    page.gauge("assay_miners_swept", "Miners that the last sweep asked.", swept as f64);
}

fn epochs(page: &mut Page, shared: &Shared) {
    let fold = shared.board.read();
    let head = shared.chain_view.newest().0;
    if let Some(epoch) = &fold.epoch {
        page.gauge("assay_epoch_number", "The open epoch.", epoch.opened.epoch as f64);
        let open = head.0.saturating_sub(epoch.opened.block.0);
        page.gauge("assay_epoch_open_blocks", "Blocks since the open epoch began.", open as f64);
    }
    let help = "Blocks after which an epoch ends.";
    page.gauge("assay_epoch_length_blocks", help, shared.config.epoch_blocks as f64);
    let closed = fold.figures.epochs.clone();
    page.counted("assay_epochs_closed_total", "Epochs that ended, by outcome.", "outcome", closed);
}

fn chain(page: &mut Page, shared: &Shared) {
    let (head, age) = shared.chain_view.newest();
    page.gauge("assay_chain_head_block", "The newest block seen.", head.0 as f64);
    let help = "Time since the newest block was seen first.";
    page.gauge("assay_chain_head_age_seconds", help, age.as_secs_f64());
    let help = "1 if the chain answered within the last minute.";
    page.gauge("assay_chain_connected", help, flag(shared.chain_view.head().is_ok()));
    let known = *shared.measures.parameters.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Parameters { tempo, activity_cutoff }) = known {
        page.gauge("assay_chain_tempo_blocks", "The subnet's tempo.", f64::from(tempo));
        let help = "Blocks without weights after which a validator counts as inactive.";
        page.gauge("assay_chain_activity_cutoff_blocks", help, f64::from(activity_cutoff));
    }
}

fn weights(page: &mut Page, shared: &Shared) {
    let (fates, set, derived) = {
        let fold = shared.board.read();
        let figures = &fold.figures;
        let since = |block: Option<_>| block.or(figures.first_block);
        (figures.weights.clone(), since(figures.set_block), since(figures.derived_block))
    };
    page.counted("assay_weights_total", "What became of weights.", "fate", fates);
    let head = shared.chain_view.newest().0;
    for (name, help, block) in [
        (
            "assay_blocks_since_weights_set",
            "Blocks since weights came to stand on chain, or since the first epoch if they never did.",
            set,
        ),
        (
            "assay_blocks_since_weights_derived",
            "Blocks since the last derivation, or since the first epoch if there was none.",
            derived,
        ),
    ] {
        if let Some(block) = block {
            page.gauge(name, help, head.0.saturating_sub(block.0) as f64);
        }
    }
    let waiting = shared.watch.open().map_or(Duration::ZERO, |open| Duration::from_secs(open.waiting_seconds));
    let help = "How long the fate of a submission has been open; 0 when none is.";
    page.gauge("assay_submission_waiting_seconds", help, waiting.as_secs_f64());
    let misdirected = shared.watch.misdirected_weights().len();
    let help = "Weights that this process saw go to another hotkey than they were derived for, up to 256.";
    page.gauge("assay_weights_misdirected", help, misdirected as f64);
}

fn models(page: &mut Page, measures: &Measures) {
    let help = "Verdicts asked for, by what came of it.";
    page.counters("assay_judgements_total", help, measures.judgements.read());
    let help = "Tokens of language models that gave verdicts.";
    page.counters("assay_judgement_tokens_total", help, measures.tokens.read());
    page.histograms("assay_judgement_seconds", "Time of models until their verdicts.", measures.judging.read());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::mechanism;

    /// Says what its request's text says.
    #[derive(Debug)]
    struct Parrot;

    #[async_trait]
    impl Judge for Parrot {
        async fn judge(&self, request: &JudgementRequest, _: &dyn Mechanism) -> Result<Verdict, String> {
            match request.request.as_str() {
                "failed" => Err("no".to_owned()),
                "refused" => Ok(Verdict::refused("no")),
                "no_reply" => Ok(Verdict::missing("no")),
                "offline" => Ok(Verdict { model: OFFLINE.to_owned(), ..Verdict::missing("") }),
                _ => Ok(Verdict {
                    model: "a/b".to_owned(),
                    prompt_tokens: 7,
                    completion_tokens: 3,
                    ..Verdict::missing("")
                }),
            }
        }

        fn has_model(&self, purpose: &str) -> bool {
            purpose == "yes"
        }
    }

    #[tokio::test]
    async fn verdicts_are_counted_by_what_came_of_them() {
        let measures = Measures::default();
        let judge = measures.judge(Arc::new(Parrot));
        assert!(judge.has_model("yes") && !judge.has_model("no"));
        let rules = mechanism::open(&mechanism::shipped_by_name("loosh/readme").unwrap()).unwrap();
        for text in ["failed", "refused", "refused", "no_reply", "offline", "a", "b"] {
            let request = JudgementRequest { purpose: "p".to_owned(), hotkey: None, request: text.to_owned() };
            let _ = judge.judge(&request, rules.as_ref()).await;
        }
        let mut page = Page::default();
        models(&mut page, &measures);
        let text = page.text();
        for row in [
            r#"assay_judgements_total{outcome="failed"} 1"#,
            r#"assay_judgements_total{outcome="refused"} 2"#,
            r#"assay_judgements_total{outcome="no_reply"} 1"#,
            r#"assay_judgements_total{outcome="offline"} 1"#,
            r#"assay_judgements_total{outcome="model"} 2"#,
            r#"assay_judgement_tokens_total{kind="prompt"} 14"#,
            r#"assay_judgement_tokens_total{kind="completion"} 6"#,
            "assay_judgement_seconds_count 2",
        ] {
            assert!(text.lines().any(|line| line == row), "{row} is not in\n{text}");
        }
    }
}
