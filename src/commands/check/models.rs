//! Asks each configured model for something small: a completion, a verdict, the vectors of a sentence.

use super::Finding;
use crate::configuration::Configuration;
use crate::judges;
use crate::models::{self, Embedding, Reward};
use anyhow::{Context, Result, ensure};
use domain::mechanism::{self, JudgementRequest, Mechanism};
use domain::ruleset::RuleSet;
use domain::twitter::constants::Constants;
use domain::twitter::verdicts::{DPO, LogitRequest, PreferenceRequest, RLHF, read_log_probability, read_logit};
use inference::{ModelIdentity, ServiceLimits};
use std::time::Duration;
use validator::reward_models::{Kind, RewardModel};

/// How long the vectors of one sentence may take.
const EMBEDDING_PATIENCE: Duration = Duration::from_secs(60);
/// Tokens that the tiny completion may have: enough for a word, and for the thoughts that some models count.
const TINY: u32 = 64;
/// A question and an answer for reward models.
const PAIR: [&str; 2] = ["What does the assayer do?", "The assayer weighs."];
/// Rules whose rounds ask for every kind of reward model.
const RULES: &str = "twitter/readme";

/// One tiny completion of each endpoint.
pub(super) async fn endpoints(configuration: Option<&Configuration>) -> Vec<Finding> {
    let Some(mut configuration) = configuration.cloned() else { return Vec::new() };
    for endpoint in configuration.llm.values_mut() {
        // A check says what is the matter now.
        endpoint.attempts = 1;
    }
    let asked = judges::open_all(&configuration).into_iter().map(|(name, client)| async move {
        let result = async { tiny_completion(&client?).await }.await;
        Finding::of(format!("llm.{name}"), result)
    });
    futures::future::join_all(asked).await
}

async fn tiny_completion(client: &llm::Client) -> Result<String> {
    let user = "Reply with the word OK.".to_owned();
    let request = llm::Request { user, maximum_tokens: TINY, ..llm::Request::default() };
    match client.complete(&request).await {
        Ok(completion) => Ok(format!("{} answers in {} ms", completion.model, completion.latency_ms)),
        // The key is accepted; a model that thinks may need more tokens than a check asks for.
        Err(llm::Error::NoText { reason, .. }) => Ok(format!("{} answers, without a text ({reason})", client.model())),
        Err(error) => Err(error.into()),
    }
}

/// One verdict of each reward model, one after the other: they may be large.
pub(super) async fn rewards(configuration: Option<&Configuration>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, reward) in configuration.iter().flat_map(|configuration| &configuration.reward) {
        findings.push(Finding::of(format!("reward.{name}"), verdict(name.clone(), reward.clone()).await));
    }
    findings
}

async fn verdict(name: String, reward: Reward) -> Result<String> {
    let model = tokio::task::spawn_blocking(move || reward.open(&name)).await??;
    let rules = mechanism::open(&mechanism::shipped_by_name(RULES)?)?;
    let verdict = model.judge(&request(model.kind())?, rules.as_ref()).await.map_err(anyhow::Error::msg)?;
    let (what, number) = match model.kind() {
        Kind::Classifier => ("logit", read_logit(&verdict.reply)),
        Kind::LanguageModel => ("mean log-probability", read_log_probability(&verdict.reply, &Constants::readme())),
    };
    let number = number.map_err(anyhow::Error::msg)?;
    ensure!(number.is_finite(), "{} gives {number}, which is no finite number", model.recorded_name());
    Ok(format!("{}, {what} {number} in {} ms, on {}", model.recorded_name(), verdict.latency_ms, place(&model)))
}

fn place(model: &RewardModel) -> String {
    let ModelIdentity { runtime, provider, provider_asked, .. } = model.identity();
    match provider_asked.starts_with(provider.as_str()) {
        true => format!("{runtime} {provider}"),
        false => format!("{runtime} {provider}, where {provider_asked} was asked for"),
    }
}

fn request(kind: Kind) -> Result<JudgementRequest> {
    let [task, completion] = PAIR.map(str::to_owned);
    let (purpose, request) = match kind {
        Kind::Classifier => (RLHF, serde_json::to_string(&LogitRequest { task, completion })?),
        Kind::LanguageModel => {
            let rule = Constants::readme().preference;
            let (context_tokens, repeated_tokens) = (rule.maximum_tokens, rule.repeated_tokens);
            let only_where_repeated = false;
            let asked = PreferenceRequest { task, completion, context_tokens, repeated_tokens, only_where_repeated };
            (DPO, serde_json::to_string(&asked)?)
        }
    };
    Ok(JudgementRequest { purpose: purpose.to_owned(), hotkey: None, request })
}

/// The vectors of a sentence, and which of the shipped rules take them; those of the subnets to be served must.
pub(super) async fn embeddings(configured: Option<Embedding>, served: &[RuleSet]) -> Result<String> {
    let limits = ServiceLimits { answer_wait: EMBEDDING_PATIENCE, ..ServiceLimits::default() };
    let open = move || models::embeddings(configured.as_ref(), &limits);
    let service = tokio::task::spawn_blocking(open).await??;
    let identity = service.identity().clone();
    let vectors = service.embed(vec!["The assayer weighs.".to_owned()]).await?;
    let vector = vectors.first().context("the model gave no vector")?;
    let (numbers, wanted) = (vector.len(), identity.dimensions);
    ensure!(numbers == wanted, "{} gives vectors of {numbers} numbers, its manifest says {wanted}", identity.name);
    ensure!(vector.iter().all(|number| number.is_finite()), "{} gives numbers that are not finite", identity.name);
    let rules = accepting(&identity)?;
    ensure!(
        !rules.is_empty(),
        "no shipped rule set accepts {} with weights {}; `assay rules --show NAME` says which models one lists",
        identity.name,
        identity.weights_sha256
    );
    for rule_set in served {
        models::check_accepted(&identity, mechanism::open(rule_set)?.as_ref())?;
    }
    let rules = rules.join(", ");
    Ok(format!("{}, {numbers} numbers, on {} {}; for {rules}", identity.name, identity.runtime, identity.provider))
}

/// Names of the shipped rule sets that need vectors and take this model's.
fn accepting(identity: &ModelIdentity) -> Result<Vec<String>> {
    let open = |rules: RuleSet| mechanism::open(&rules).ok();
    let needs = |mechanism: &std::sync::Arc<dyn Mechanism>| mechanism.needs_vectors();
    let takes =
        |mechanism: &std::sync::Arc<dyn Mechanism>| models::check_accepted(identity, mechanism.as_ref()).is_ok();
    let found = mechanism::shipped().into_iter().filter_map(open).filter(needs).filter(takes);
    Ok(found.map(|mechanism| mechanism.rule_set().name()).collect())
}
