//! The models that run in this process, as configured: reward models by name, and the embedding model.

use anyhow::{Context, Result, ensure};
use domain::mechanism::Mechanism;
use inference::{EmbeddingService, ModelConfig, ModelIdentity, ServiceLimits};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use validator::reward_models::{Kind, RewardModel};

/// The longest wait for an answer that may be configured: an hour.
const LONGEST_WAIT_SECONDS: u64 = 3_600;
/// More threads than any machine gives one batch.
const MOST_THREADS: usize = 256;

/// Where a model computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// On the CPU.
    #[default]
    Cpu,
    /// On the first NVIDIA GPU, or on the CPU where there is none.
    Cuda,
    /// On the first NVIDIA GPU, or not at all.
    CudaRequired,
}

impl From<Provider> for inference::Provider {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Cpu => Self::Cpu,
            Provider::Cuda => Self::Cuda { device: 0, required: false },
            Provider::CudaRequired => Self::Cuda { device: 0, required: true },
        }
    }
}

/// `[reward.NAME]`: a reward model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// What it is, and with it which requests it answers.
    pub kind: Kind,
    /// The folder with `model.onnx`, `tokenizer.json` and `manifest.json`; relative to the configuration file.
    pub folder: PathBuf,
    /// Where it computes.
    #[serde(default)]
    pub provider: Provider,
    /// Threads that compute one answer. Default: one per core, at most 8.
    pub threads: Option<usize>,
    /// The longest wait for one answer, those that were asked for before included.
    #[serde(default = "Reward::patience")]
    pub timeout_seconds: u64,
}

impl Reward {
    const fn patience() -> u64 {
        300
    }

    /// What cannot work, as a sentence about the section's key.
    ///
    /// # Errors
    /// A number outside of its range.
    pub fn check(&self) -> Result<()> {
        let seconds = self.timeout_seconds;
        ensure!(
            (1..=LONGEST_WAIT_SECONDS).contains(&seconds),
            "timeout_seconds = {seconds} is not within 1 to {LONGEST_WAIT_SECONDS}"
        );
        check_threads(self.threads)
    }

    /// Opens it. Blocks for as long as the files take.
    ///
    /// # Errors
    /// Names section, key and folder.
    pub fn open(&self, name: &str) -> Result<RewardModel> {
        let config = config(self.folder.clone(), self.provider, self.threads);
        RewardModel::open(self.kind, &config, Duration::from_secs(self.timeout_seconds))
            .with_context(|| format!("[reward.{name}] folder = {:?}", self.folder))
    }
}

/// `[embedding]`: another embedding model than the one that `make setup` fetches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// The folder with `model.onnx`, `tokenizer.json` and `manifest.json`; relative to the configuration file.
    pub model: PathBuf,
    /// Where it computes.
    #[serde(default)]
    pub provider: Provider,
    /// Threads that compute one batch. Default: one per core, at most 8.
    pub threads: Option<usize>,
}

impl Embedding {
    /// As [`Reward::check`].
    ///
    /// # Errors
    /// A number outside of its range.
    pub fn check(&self) -> Result<()> {
        check_threads(self.threads)
    }
}

fn check_threads(threads: Option<usize>) -> Result<()> {
    match threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        Some(threads) => anyhow::bail!("threads = {threads} is not within 1 to {MOST_THREADS}"),
        None => Ok(()),
    }
}

fn config(folder: PathBuf, provider: Provider, threads: Option<usize>) -> ModelConfig {
    ModelConfig { provider: provider.into(), threads, ..ModelConfig::at(folder) }
}

/// A folder as the configuration file means it.
pub fn beside(file: &Path, folder: &mut PathBuf) {
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        *folder = parent.join(&folder);
    }
}

/// Opens the embedding model, the configured one or the one of `make setup`, and starts its thread. Blocks for as long as
/// the files take.
///
/// # Errors
/// Names the key and the folder of a configured one.
pub fn embeddings(configured: Option<&Embedding>, limits: &ServiceLimits) -> Result<EmbeddingService> {
    let embedder = match configured {
        None => inference::open(&ModelConfig::discover()).context("the embedding model; run `make setup`")?,
        Some(Embedding { model, provider, threads }) => inference::open(&config(model.clone(), *provider, *threads))
            .with_context(|| format!("[embedding] model = {model:?}"))?,
    };
    let identity = embedder.identity();
    tracing::info!(
        model = identity.name,
        weights = identity.weights_sha256,
        runtime = identity.runtime,
        version = identity.runtime_version,
        provider_asked = identity.provider_asked,
        provider = identity.provider,
        "embedding model is open"
    );
    EmbeddingService::start(embedder, limits).context("the embedding service")
}

/// Refuses an embedding model whose vectors a mechanism would not take as evidence, before anything is begun with it.
///
/// # Errors
/// Names the models that the rule set lists.
pub fn check_accepted(identity: &ModelIdentity, mechanism: &dyn Mechanism) -> Result<()> {
    let model = validator::evidence::recorded_model(identity).map_err(anyhow::Error::msg)?;
    ensure!(
        !mechanism.needs_vectors() || mechanism.accepts(&model),
        "rule set {} does not accept the embedding model {} with {} numbers, weights {} and tokenizer {}; it lists {}",
        mechanism.rule_set().name(),
        model.name,
        model.dimensions,
        model.weights,
        model.tokenizer,
        listed(mechanism.rule_set().bytes())
    );
    Ok(())
}

/// The models that a rule set's bytes list, for people.
fn listed(bytes: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        constants: Constants,
    }
    #[derive(Deserialize)]
    struct Constants {
        #[serde(default)]
        models: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        name: String,
        weights: String,
    }
    let models = serde_json::from_str::<Body>(bytes).map(|body| body.constants.models).unwrap_or_default();
    let names: Vec<String> = models.iter().map(|model| format!("{} with {}", model.name, model.weights)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use domain::mechanism;

    fn open(rules: &str) -> std::sync::Arc<dyn Mechanism> {
        mechanism::open(&mechanism::shipped_by_name(rules).unwrap()).unwrap()
    }

    fn tiny(name: &str) -> Embedding {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("inference/models").join(name);
        Embedding { model, provider: Provider::Cpu, threads: Some(1) }
    }

    #[tokio::test]
    async fn another_model_opens_alike_and_only_rules_that_list_it_take_it() {
        let service = embeddings(Some(&tiny("tiny-mpnet")), &ServiceLimits::default()).unwrap();
        assert_eq!(service.embed(vec!["the moon".to_owned()]).await.unwrap()[0].len(), 16);
        let refused = check_accepted(service.identity(), open("loosh/1.2.8").as_ref()).unwrap_err().to_string();
        assert!(
            refused.contains("loosh/1.2.8 does not accept the embedding model tiny-mpnet with 16 numbers"),
            "{refused}"
        );
        let mpnet = "all-mpnet-base-v2 with 78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658";
        assert!(refused.contains(mpnet), "{refused}");
        // It needs none.
        check_accepted(service.identity(), open("twitter/readme").as_ref()).unwrap();
        let listed: ModelIdentity = ModelIdentity {
            weights_sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658".to_owned(),
            dimensions: 768,
            ..service.identity().clone()
        };
        check_accepted(&listed, open("loosh/1.2.8").as_ref()).unwrap();
        assert!(check_accepted(&listed, open("loosh/readme").as_ref()).is_err());
    }

    #[test]
    fn a_model_that_cannot_be_opened_names_its_key() {
        let error = embeddings(Some(&tiny("tiny-classifier")), &ServiceLimits::default()).err().unwrap();
        let error = format!("{error:#}");
        assert!(error.contains("[embedding] model = ") && error.contains("is for sequence classification"), "{error}");
        let missing = Reward {
            kind: Kind::Classifier,
            folder: "nowhere".into(),
            provider: Provider::Cpu,
            threads: None,
            timeout_seconds: 1,
        };
        let error = format!("{:#}", missing.open("mine").unwrap_err());
        assert!(error.contains("[reward.mine] folder = \"nowhere\"") && error.contains("manifest.json"), "{error}");
    }

    #[test]
    fn folders_are_relative_to_the_file() {
        for (file, folder, expected) in
            [("assay.toml", "m", "m"), ("/etc/assay/a.toml", "m", "/etc/assay/m"), ("/etc/a.toml", "/srv/m", "/srv/m")]
        {
            let mut found = PathBuf::from(folder);
            beside(Path::new(file), &mut found);
            assert_eq!(found, Path::new(expected));
        }
    }
}
