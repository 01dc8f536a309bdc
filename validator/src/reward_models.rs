//! Reward models as judges: a classifier's logit of a question and an answer, and a causal language model's log-probabilities
//! of an answer, in the form in which the mechanism reads them.
//!
//! Each model has a thread of its own behind a bounded queue, and every wait has a limit. One answer is computed at a time, as
//! upstream does it, so that a number does not depend on what else was asked for meanwhile.
//!
//! **Architecture invariant:** a number is passed on as the model has it. What it is worth, and what one that is not finite
//! means, is decided by the mechanism from the recorded reply.

use std::time::{Duration, Instant};

use domain::mechanism::{JudgementRequest, Mechanism};
use domain::ruleset::RuleSet;
use domain::twitter::constants::Constants;
use domain::twitter::numbers::Recorded;
use domain::twitter::preference::{self, Outputs, TokenOutput};
use domain::twitter::verdicts::{DPO, LogitReply, LogitRequest, PreferenceReply, PreferenceRequest, RLHF};
use inference::{
    ClassifierService, LanguageModelService, ModelConfig, ModelIdentity, Reading, Sequence, ServiceLimits, TextPair,
    open_classifier, open_language_model,
};
use serde::{Deserialize, Serialize};

use crate::judge::{LONGEST_REPLY, Verdict};

/// Answers that wait for a model: more than the drawn miners of one round.
const QUEUE: usize = 256;

/// A digit and a comma. What cannot fit even so is not written out first.
const FEWEST_BYTES_PER_NUMBER: usize = 2;

/// What a reward model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sequence classification: one logit for two texts.
    Classifier,
    /// A causal language model that measures an answer.
    LanguageModel,
}

impl Kind {
    /// As a configuration spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::LanguageModel => "language_model",
        }
    }
}

/// The purposes that reward models serve, and what they must be for it.
pub const PURPOSES: [(&str, Kind); 2] = [(RLHF, Kind::Classifier), (DPO, Kind::LanguageModel)];

/// What a purpose's model must be; none for a purpose that no reward model serves.
#[must_use]
pub fn kind_for(purpose: &str) -> Option<Kind> {
    PURPOSES.iter().find(|(served, _)| *served == purpose).map(|(_, kind)| *kind)
}

/// A reward model that is open. Clones share its thread.
#[derive(Clone)]
pub struct RewardModel {
    service: Service,
    /// The longest wait for one answer.
    patience: Duration,
}

#[derive(Clone)]
enum Service {
    /// Gives logits.
    Classifier(ClassifierService),
    /// Gives log-probabilities.
    LanguageModel(LanguageModelService),
}

impl std::fmt::Debug for RewardModel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple(self.kind().name()).field(&self.identity().name).finish()
    }
}

/// What a number depends on besides the model's weights.
#[derive(Serialize)]
struct Parameters<'a> {
    kind: Kind,
    tokenizer_sha256: &'a str,
    /// The most that the model reads.
    longest: usize,
    /// What it read of this answer with its question.
    word_pieces: usize,
    /// Whether that is not all of it.
    truncated: bool,
    runtime: &'a str,
    runtime_version: &'a str,
    provider_asked: &'a str,
    provider: &'a str,
}

/// A reply with what it cost.
struct Answered {
    reply: String,
    longest: usize,
    word_pieces: usize,
    truncated: bool,
}

impl RewardModel {
    /// Opens a model and starts its thread. Blocks for as long as the files take. `patience` is the longest wait for one
    /// answer, what is asked before it included.
    ///
    /// # Errors
    /// As [`open_classifier`] and [`open_language_model`], and limits that are zero.
    pub fn open(kind: Kind, config: &ModelConfig, patience: Duration) -> Result<Self, inference::Error> {
        let limits = ServiceLimits { queue: QUEUE, gathered_texts: 1, queue_wait: patience, answer_wait: patience };
        let service = match kind {
            Kind::Classifier => Service::Classifier(ClassifierService::start(open_classifier(config)?, &limits)?),
            Kind::LanguageModel => {
                Service::LanguageModel(LanguageModelService::start(open_language_model(config)?, &limits)?)
            }
        };
        Ok(Self { service, patience })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.service {
            Service::Classifier(_) => Kind::Classifier,
            Service::LanguageModel(_) => Kind::LanguageModel,
        }
    }

    /// The model, the runtime and the provider.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        match &self.service {
            Service::Classifier(service) => service.identity(),
            Service::LanguageModel(service) => service.identity(),
        }
    }

    /// The model as verdicts name it: `onnx/NAME sha256:WEIGHTS`.
    #[must_use]
    pub fn recorded_name(&self) -> String {
        let identity = self.identity();
        format!("onnx/{} sha256:{}", identity.name, identity.weights_sha256)
    }

    /// The verdict on a request of the mechanism.
    ///
    /// # Errors
    /// A request of another form than this kind of model answers, and what goes wrong with the model, in words.
    pub async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        let begun = Instant::now();
        let answered = tokio::time::timeout(self.patience, self.answer(&request.request, mechanism)).await;
        let late = || {
            let (name, ms) = (&self.identity().name, self.patience.as_millis());
            format!("{name} gave no answer in {ms} ms; allow a longer wait, or use a smaller model or a faster machine")
        };
        let answered = answered.map_err(|_| late())??;
        let identity = self.identity();
        let parameters = Parameters {
            kind: self.kind(),
            tokenizer_sha256: &identity.tokenizer_sha256,
            longest: answered.longest,
            word_pieces: answered.word_pieces,
            truncated: answered.truncated,
            runtime: &identity.runtime,
            runtime_version: &identity.runtime_version,
            provider_asked: &identity.provider_asked,
            provider: &identity.provider,
        };
        Ok(Verdict {
            model: self.recorded_name(),
            parameters: serde_json::to_string(&parameters).map_err(|error| error.to_string())?,
            prompt_tokens: u32::try_from(answered.word_pieces).unwrap_or(u32::MAX),
            completion_tokens: 0,
            latency_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
            reply: answered.reply.into_bytes(),
        })
    }

    async fn answer(&self, request: &str, mechanism: &dyn Mechanism) -> Result<Answered, String> {
        let other = |error: serde_json::Error| {
            let (name, kind) = (&self.identity().name, self.kind().name());
            format!("the request is none to a {kind}, which {name} is: {error}")
        };
        match &self.service {
            Service::Classifier(service) => logit(service, serde_json::from_str(request).map_err(other)?).await,
            Service::LanguageModel(service) => {
                log_probabilities(service, serde_json::from_str(request).map_err(other)?, mechanism).await
            }
        }
    }
}

fn in_words(error: inference::Error) -> String {
    error.to_string()
}

fn written(reply: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(reply).map_err(|error| error.to_string())
}

async fn logit(service: &ClassifierService, asked: LogitRequest) -> Result<Answered, String> {
    let pair = TextPair { first: asked.task, second: asked.completion };
    let scores = service.score(vec![pair]).await.map_err(in_words)?;
    let score = scores.first().ok_or("the model gave no logit")?;
    Ok(Answered {
        reply: written(&LogitReply { logit: Recorded(f64::from(score.logit)) })?,
        longest: service.identity().max_word_pieces,
        word_pieces: score.word_pieces,
        truncated: score.truncated,
    })
}

/// Upstream's steps: tokens of the question and the answer as one text, those of the question alone counted, the whole cut at
/// what the rule set and the model take.
async fn log_probabilities(
    service: &LanguageModelService,
    asked: PreferenceRequest,
    mechanism: &dyn Mechanism,
) -> Result<Answered, String> {
    let PreferenceRequest { task, completion, context_tokens, repeated_tokens, only_where_repeated } = asked;
    let whole = format!("{task}{completion}");
    let texts = service.tokens(vec![task, whole]).await.map_err(in_words)?;
    let Ok([question, mut tokens]) = <[Vec<u32>; 2]>::try_from(texts) else {
        return Err("the tokenizer gave other texts than it was given".to_owned());
    };
    let longest = service.longest_sequence().min(usize::try_from(context_tokens).unwrap_or(usize::MAX));
    let truncated = tokens.len() > longest;
    tokens.truncate(longest);
    let word_pieces = tokens.len();
    let answered = |reply| Answered { reply, longest, word_pieces, truncated };
    // The very first token is never predicted.
    let from = question.len().max(1);
    if from >= tokens.len() {
        // Nothing of the answer can be read; upstream's mean of no numbers is none.
        return Ok(answered(mean(f64::NAN)?));
    }
    let answer = tokens[from..].to_vec();
    let runs = usize::try_from(repeated_tokens).unwrap_or(usize::MAX);
    let watch = move || (preference::watched(&answer, runs, only_where_repeated), answer);
    let (watched, answer) = in_background(watch).await?;
    let sequence = Sequence { tokens, from, watched };
    let readings = service.read(vec![sequence]).await.map_err(in_words)?;
    let reading = readings.into_iter().next().ok_or("the model gave no reading")?;
    let rules = mechanism.rule_set().clone();
    let reply = in_background(move || reply(&answer, &outputs(reading), rules)).await??;
    Ok(answered(reply))
}

/// Everything that the reward follows from; or, where that is too much for a record or JSON has no word for a number of it, what
/// follows under these rules.
fn reply(answer: &[u32], outputs: &Outputs, rules: RuleSet) -> Result<String, String> {
    let numbers = outputs.tokens.iter().fold(answer.len(), |sum, token| sum + 2 + token.repeated.len());
    if numbers.saturating_mul(FEWEST_BYTES_PER_NUMBER) <= LONGEST_REPLY && is_finite(outputs) {
        let full = written(&PreferenceReply::Outputs {
            tokens: answer.to_vec(),
            log_probabilities: outputs.tokens.iter().map(|token| token.log_probability).collect(),
            log_sums: outputs.tokens.iter().map(|token| token.log_sum).collect(),
            repeated: outputs.tokens.iter().map(|token| token.repeated.clone()).collect(),
            mean: outputs.mean,
            deviation: outputs.deviation,
        })?;
        if full.len() <= LONGEST_REPLY {
            return Ok(full);
        }
    }
    let constants: Constants = rules.constants().map_err(|error| error.to_string())?;
    mean(preference::from_outputs(answer, outputs, &constants.preference).map_err(|error| error.to_string())?)
}

fn is_finite(outputs: &Outputs) -> bool {
    let of_token = |token: &TokenOutput| {
        token.log_probability.is_finite() && token.log_sum.is_finite() && token.repeated.iter().all(|x| x.is_finite())
    };
    outputs.mean.is_finite() && outputs.deviation.is_finite() && outputs.tokens.iter().all(of_token)
}

/// A hostile answer can ask for much arithmetic; it must not hold up the loops.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}

fn mean(log_probability: f64) -> Result<String, String> {
    written(&PreferenceReply::Mean { log_probability: Recorded(log_probability) })
}

fn outputs(reading: Reading) -> Outputs {
    let token = |token: inference::TokenReading| TokenOutput {
        log_probability: token.log_probability,
        log_sum: token.log_sum,
        repeated: token.watched,
    };
    Outputs {
        tokens: reading.tokens.into_iter().map(token).collect(),
        mean: reading.mean,
        deviation: reading.deviation,
    }
}

#[cfg(test)]
#[path = "reward_models_tests.rs"]
mod tests;
