//! Who gives verdicts: a mechanism's request goes to the reward model, or becomes a completion of the endpoint, that the
//! configuration names for its purpose. Requests that are no messages and purposes without a model stay with the mechanism's own
//! rule.
//!
//! **Architecture invariant:** a reply is passed on as it came. What it means is decided by the mechanism from the recorded
//! bytes.

use crate::configuration::{Configuration, variable};
use anyhow::Result;
use async_trait::async_trait;
use domain::mechanism::{JudgementRequest, Mechanism, WithoutVerdict};
use llm::{Client, LanguageModel, Request};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use validator::judge::{Judge, LONGEST_REPLY, Offline, Verdict};
use validator::reward_models::RewardModel;

/// Every configured endpoint, open.
pub fn open_all(configuration: &Configuration) -> Vec<(String, Result<Client, llm::Error>)> {
    let open = |(name, endpoint): (&String, &llm::Endpoint)| (name.clone(), Client::open(name, endpoint, &variable));
    configuration.llm.iter().map(open).collect()
}

/// Every configured reward model, open. Blocks for as long as their files take.
pub fn open_rewards(configuration: &Configuration) -> Vec<(String, Result<RewardModel>)> {
    configuration.reward.iter().map(|(name, reward)| (name.clone(), reward.open(name))).collect()
}

/// Who gives the verdicts: the configured endpoints and reward models, or without any the mechanisms themselves.
pub fn open(configuration: &Configuration) -> Result<Arc<dyn Judge>> {
    let mut models: BTreeMap<String, Arc<dyn LanguageModel>> = BTreeMap::new();
    for (name, client) in open_all(configuration) {
        let client = client?;
        tracing::info!(endpoint = name, model = client.model(), "a language model gives verdicts");
        models.insert(name, Arc::new(client));
    }
    let mut rewards = BTreeMap::new();
    for (name, reward) in open_rewards(configuration) {
        let reward = reward?;
        let (identity, kind) = (reward.identity(), reward.kind().name());
        tracing::info!(
            reward = name,
            kind,
            model = reward.recorded_name(),
            runtime = identity.runtime,
            version = identity.runtime_version,
            provider_asked = identity.provider_asked,
            provider = identity.provider,
            "a reward model gives verdicts"
        );
        rewards.insert(name, reward);
    }
    if models.is_empty() && rewards.is_empty() {
        tracing::info!("no model is configured: mechanisms judge by their own rules");
        return Ok(Arc::new(Offline));
    }
    Ok(Arc::new(Judges { models, rewards, configuration: configuration.clone() }))
}

/// Endpoints and reward models, and the purposes that they serve.
#[derive(Debug)]
pub struct Judges {
    models: BTreeMap<String, Arc<dyn LanguageModel>>,
    rewards: BTreeMap<String, RewardModel>,
    configuration: Configuration,
}

/// What is read of a request; further fields are the mechanism's.
#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    system: String,
    user: Option<String>,
    #[serde(default)]
    maximum_tokens: u32,
    /// JSON, or JSON as text.
    #[serde(default)]
    schema: Option<Value>,
}

/// The messages of a request; none if it is not one to a language model.
fn messages(request: &JudgementRequest) -> Option<Request> {
    let messages: Messages = serde_json::from_str(&request.request).ok()?;
    let json_schema = match messages.schema {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(schema) => Some(schema.to_string()),
    };
    let Messages { system, maximum_tokens, .. } = messages;
    Some(Request { system, user: messages.user?, maximum_tokens, json_schema })
}

#[async_trait]
impl Judge for Judges {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        let route = self.configuration.route(&request.purpose);
        if let Some((name, reward)) = route.and_then(|name| self.rewards.get_key_value(name)) {
            return reward.judge(request, mechanism).await.map_err(|problem| format!("[reward.{name}]: {problem}"));
        }
        let model = route.and_then(|name| self.models.get(name));
        let (Some(model), Some(messages)) = (model, messages(request)) else {
            return Offline.judge(request, mechanism).await;
        };
        // What a refusal costs is the mechanism's to say; about a whole round it is none unless the mechanism reads such.
        let is_read = mechanism.without_verdict(&request.purpose) == WithoutVerdict::IsScored;
        let recorded = request.hotkey.is_some() || is_read;
        let completion = match model.complete(&messages).await {
            Err(error) if recorded && error.is_of_request() => return Ok(Verdict::refused(&error.to_string())),
            completion => completion.map_err(|error| error.to_string())?,
        };
        if completion.text.len() > LONGEST_REPLY {
            let problem = format!("the reply of {} is over {LONGEST_REPLY} bytes", completion.model);
            return if recorded { Ok(Verdict::refused(&problem)) } else { Err(problem) };
        }
        Ok(Verdict {
            model: completion.model,
            parameters: completion.parameters_json,
            prompt_tokens: completion.prompt_tokens,
            completion_tokens: completion.completion_tokens,
            latency_ms: completion.latency_ms,
            reply: completion.text.into_bytes(),
        })
    }

    fn has_model(&self, purpose: &str) -> bool {
        let served = |name| self.models.contains_key(name) || self.rewards.contains_key(name);
        self.configuration.route(purpose).is_some_and(served)
    }
}

#[cfg(test)]
#[path = "judges_tests.rs"]
mod tests;
