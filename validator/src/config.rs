//! What one validator needs to know. Every wait, queue and retry has its limit here.

use std::path::PathBuf;
use std::time::Duration;

use domain::ruleset::RuleSet;
use domain::types::NetUid;
use network::checkpoint_key::CheckpointKey;
use network::keys::Keypair;
use serde::Serialize;

use crate::Error;
use crate::faults::Faults;
use crate::sources::Labels;

/// The version of timelocked commits that `commit_reveal` writes.
const TIMELOCK_VERSION: u16 = 4;

/// How weights are committed where a subnet wants that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitForm {
    /// Under a timelock where the chain opens those of the version that is written here, else by their hash.
    #[default]
    Auto,
    /// Encrypted for a round of the beacon; the chain opens them.
    Timelock,
    /// By their hash; the validator opens them, and must be running when it is their turn.
    Hash,
}

impl CommitForm {
    /// Whether weights are committed by their hash on a chain that takes timelocked ones of this version; 0 for none.
    pub fn is_hash(self, version: u16) -> bool {
        match self {
            Self::Auto => version != TIMELOCK_VERSION,
            Self::Timelock => false,
            Self::Hash => true,
        }
    }
}

/// The settings of one validator on one subnet.
#[derive(Debug, Clone)]
pub struct ValidatorConfig {
    /// The subnet.
    pub netuid: NetUid,
    /// The rule set that rounds and weights follow. An epoch that is open under another one is finished under that.
    pub rule_set: RuleSet,
    /// The validator's hotkey: signs receipts and extrinsics.
    pub hotkey: Keypair,
    /// Which of this hotkey's ledgers on the subnet: 0 for the first, the next number for one that is begun anew. A number that
    /// has no ledger yet begins one.
    pub ledger_number: u32,
    /// Signs checkpoints.
    pub checkpoint_key: CheckpointKey,
    /// Where checkpoints are written, outside of the database.
    pub checkpoint_directory: PathBuf,
    /// Blocks from an epoch's opening to its derivation. Upstream: 72 minutes, 360 blocks.
    pub epoch_blocks: u64,
    /// Blocks between two looks at the metagraph. Upstream: 300 s, 25 blocks.
    pub metagraph_blocks: u64,
    /// Time between two availability sweeps. Upstream: 30 s.
    pub sweep_interval: Duration,
    /// How long one miner may take to say that it is available. Upstream: 3 s.
    pub sweep_timeout: Duration,
    /// Miners probed at once. Upstream: 20.
    pub sweep_concurrency: usize,
    /// Rounds under way at once. Upstream: 15.
    pub concurrency: usize,
    /// Accepted challenges that may wait.
    pub queue_limit: usize,
    /// Time between two looks for candidates when there are none. Upstream: 2 s.
    pub candidates_poll: Duration,
    /// How long candidates are waited for. Upstream: 120 s.
    pub candidates_wait: Duration,
    /// When the collector of a round gives up, where that is sooner than the rule set's own deadline. A development chain is
    /// faster than a real one, and so are its rounds.
    pub response_deadline: Option<Duration>,
    /// Time between two tasks that the validator makes itself, in place of the rule set's. Zero: as soon as a round has ended.
    pub task_interval: Option<Duration>,
    /// Who tells labels that the world outside knows. BetterTherapy's batches end by their age whatever stands here.
    pub labels: Labels,
    /// How long a derivation waits for open rounds before it lets others pass and tries again.
    pub gate_wait: Duration,
    /// A checkpoint is written at least so often while the log grows.
    pub checkpoint_interval: Duration,
    /// How long an epoch that is derived may try to reach the chain before it closes as failed.
    pub submission_patience: Duration,
    /// How often an epoch's weights may be signed, each time after the one before is known to have failed.
    pub submission_attempts: u32,
    /// How long rounds may take to end when the validator stops; then they are left to the next start.
    pub stop_grace: Duration,
    /// Miners in private address ranges may be contacted.
    pub network_is_local: bool,
    /// How weights are committed where the subnet wants that.
    pub commit_form: CommitForm,
    /// Nothing is sent to the chain, neither weights nor anchors: epochs are derived, covered by a checkpoint outside of the
    /// database, and skipped. For running beside another validator of the same hotkey.
    pub shadow: bool,
    /// Where to fail, for tests of what a crash leaves behind.
    pub faults: Faults,
}

impl ValidatorConfig {
    /// Upstream's settings, and limits of our own where it has none.
    #[must_use]
    pub fn new(
        netuid: NetUid,
        rule_set: RuleSet,
        hotkey: Keypair,
        checkpoint_key: CheckpointKey,
        checkpoint_directory: PathBuf,
    ) -> Self {
        Self {
            netuid,
            rule_set,
            hotkey,
            ledger_number: 0,
            checkpoint_key,
            checkpoint_directory,
            epoch_blocks: 360,
            metagraph_blocks: 25,
            sweep_interval: Duration::from_secs(30),
            sweep_timeout: Duration::from_secs(3),
            sweep_concurrency: 20,
            concurrency: 15,
            queue_limit: 10_000,
            candidates_poll: Duration::from_secs(2),
            candidates_wait: Duration::from_secs(120),
            response_deadline: None,
            task_interval: None,
            labels: Labels::default(),
            gate_wait: Duration::from_secs(180),
            checkpoint_interval: Duration::from_secs(60),
            submission_patience: Duration::from_secs(600),
            submission_attempts: 3,
            stop_grace: Duration::from_secs(10),
            network_is_local: false,
            commit_form: CommitForm::default(),
            shadow: false,
            faults: Faults::default(),
        }
    }

    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let numbers = [
            ("epoch_blocks", self.epoch_blocks),
            ("metagraph_blocks", self.metagraph_blocks),
            ("sweep_concurrency", self.sweep_concurrency as u64),
            ("concurrency", self.concurrency as u64),
            ("queue_limit", self.queue_limit as u64),
            ("submission_attempts", u64::from(self.submission_attempts)),
        ];
        let times = [
            ("sweep_interval", self.sweep_interval),
            ("sweep_timeout", self.sweep_timeout),
            ("candidates_poll", self.candidates_poll),
            ("gate_wait", self.gate_wait),
            ("checkpoint_interval", self.checkpoint_interval),
        ];
        let zero = numbers.iter().find(|(_, value)| *value == 0).map(|(name, _)| *name);
        let zero = zero.or_else(|| times.iter().find(|(_, value)| value.is_zero()).map(|(name, _)| *name));
        if let Some(setting) = zero {
            return Err(Error::Setting { setting, problem: "must not be zero".to_owned() });
        }
        let minute = Duration::from_secs(60);
        if self.checkpoint_interval > minute {
            let problem = "is over 60 s: outside evidence must not be older".to_owned();
            return Err(Error::Setting { setting: "checkpoint_interval", problem });
        }
        Ok(())
    }

    /// The effective configuration as it goes into the log: no secrets, no paths of this machine.
    ///
    /// # Errors
    /// None in practice: all of it is text and numbers.
    pub(crate) fn describe(&self, dialect: &str, model: &str) -> Result<String, serde_json::Error> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        serde_json::to_string(&Described {
            netuid: self.netuid,
            rule_set: self.rule_set.name(),
            rule_set_hash: self.rule_set.hash().to_string(),
            hotkey: self.hotkey.ss58(),
            checkpoint_key: hex::encode(self.checkpoint_key.public()),
            dialect,
            embedding_model: model,
            epoch_blocks: self.epoch_blocks,
            metagraph_blocks: self.metagraph_blocks,
            sweep_interval_ms: millis(self.sweep_interval),
            sweep_timeout_ms: millis(self.sweep_timeout),
            sweep_concurrency: self.sweep_concurrency,
            concurrency: self.concurrency,
            queue_limit: self.queue_limit,
            candidates_poll_ms: millis(self.candidates_poll),
            candidates_wait_ms: millis(self.candidates_wait),
            response_deadline_ms: self.response_deadline.map(millis),
            task_interval_ms: self.task_interval.map(millis),
            labels: self.labels.name(),
            labels_after_ms: self.labels.after.map(millis),
            checkpoint_interval_ms: millis(self.checkpoint_interval),
            submission_patience_ms: millis(self.submission_patience),
            submission_attempts: self.submission_attempts,
            network_is_local: self.network_is_local,
            commit_form: self.commit_form,
            shadow: self.shadow,
        })
    }
}

#[derive(Serialize)]
struct Described<'a> {
    netuid: NetUid,
    rule_set: String,
    rule_set_hash: String,
    hotkey: String,
    checkpoint_key: String,
    dialect: &'a str,
    embedding_model: &'a str,
    epoch_blocks: u64,
    metagraph_blocks: u64,
    sweep_interval_ms: u64,
    sweep_timeout_ms: u64,
    sweep_concurrency: usize,
    concurrency: usize,
    queue_limit: usize,
    candidates_poll_ms: u64,
    candidates_wait_ms: u64,
    response_deadline_ms: Option<u64>,
    task_interval_ms: Option<u64>,
    labels: &'static str,
    labels_after_ms: Option<u64>,
    checkpoint_interval_ms: u64,
    submission_patience_ms: u64,
    submission_attempts: u32,
    network_is_local: bool,
    commit_form: CommitForm,
    shadow: bool,
}
