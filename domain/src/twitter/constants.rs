//! The constants of the Twitter rule sets, typed, and the three values that are shipped.
//!
//! [`Constants`] in declared order is the canonical JSON of a rule set, whose hash a ledger adopts: a field may be added
//! only under a new rule set, and a shipped value must never change.
//!
//! * `twitter/readme`: the document. Where it is silent, its own commit's code decides: it names three reward models whose
//!   outputs "are added", a filter of tweets by the query, and a moving average, and neither a way from there to weights nor
//!   any number but the penalties' maxima.
//! * `twitter/2.5.9`: that commit's code, which reports a version of its ancestor. One reward model counts, averages run
//!   over the whole process, and slots inherit from their predecessors.
//! * `twitter/assay-1`: ours. It differs from the code in [`Remedies`], in the variance of a lone reward and the least one,
//!   in the judge (nothing but a number, whole tags cleaned), in where repeated tokens are penalised, in what the accuracy penalty
//!   takes for a hit and how much it charges, in a length that every answer is asked for, and in weights from a moving average by
//!   hotkey.

use serde::{Deserialize, Serialize};

use super::criteria::{self, Criterion, Unit};
use crate::mechanism::{self, Check, Weakness};

/// Similarity of word triples from which on answers are near copies. It is reported under every rule set, and acts where a
/// rule set has it in its [`Remedies`].
pub const NEAR_COPIES: f64 = 0.8;

/// Everything that a round's scores and an epoch's weights depend on besides recorded facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Who is asked, and for how long.
    pub collection: Collection,
    /// How a prompt becomes a query (spec 1.3).
    pub analysis: Analysis,
    /// The reward models in the order of the sum (spec 2.6).
    pub rewards: Rewards,
    /// From raw rewards to rewards in [0, 1] (spec 2.1).
    pub normalisation: Normalisation,
    /// The prompt reward's judge (spec 2.3).
    pub judge: Judge,
    /// The preference reward (spec 2.4).
    pub preference: Preference,
    /// Penalties (spec 2.7).
    pub penalties: Penalties,
    /// What upstream lacks.
    pub remedies: Remedies,
    /// Moving average of rewards (spec 2.9).
    pub average: Average,
    /// From averages to weights (spec 2.10).
    pub weights: WeightRule,
}

/// Size and duration of a round (spec 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Miners asked in a round at most; every available one is asked.
    pub miners: u16,
    /// Milliseconds until the collector gives up.
    pub deadline_ms: u32,
    /// Milliseconds within which a miner answers the sweep that each round begins with.
    pub availability_ms: u32,
    /// The model that requests name.
    pub model: String,
    /// The sampling seed that requests name.
    pub seed: i64,
}

/// Query analysis by a language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// The model asked.
    pub model: String,
    /// Its temperature.
    pub temperature: f64,
    /// Its seed; `null` for none.
    pub seed: Option<i64>,
    /// The key of the reply that holds the query: a text or a map.
    pub query_key: QueryKey,
    /// How often the model is asked when it fails, before the round is given up or the prompt's own words stand in.
    pub attempts: u32,
}

/// Under which name a reply holds its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKey {
    /// The document's text and the first commit: a text, `""` when it is missing.
    QueryString,
    /// The document's snippet and its commit's code: a text or a map, `{}` when it is missing.
    ApiParams,
}

/// The reward models and their weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewards {
    /// A sequence classifier's logit of question and answer.
    pub rlhf: RewardModel,
    /// A language model's mark for the answer.
    pub prompt: RewardModel,
    /// A language model's mean log-probability of the answer.
    pub dpo: RewardModel,
    /// How far from 1 the weights' single-precision sum may be.
    pub sum_tolerance: f64,
}

/// One reward model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardModel {
    /// Its public name, for people.
    pub name: String,
    /// Its share of the reward; 0 needs no evidence.
    pub weight: f64,
}

/// Running statistics of raw rewards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// The count of rewards never exceeds it, so that new batches keep some influence.
    pub count_limit: u64,
    /// Variances up to it are not divided by.
    pub minimum_variance: f64,
    /// A batch of one counts as a batch without variance; otherwise the state becomes NaN for ever.
    pub lone_reward_has_no_variance: bool,
}

/// Reading of a judge's mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// The best mark.
    pub best: f64,
    /// The reply must be the number and nothing else; otherwise the first number in it counts.
    pub whole_reply: bool,
    /// How inputs are kept from closing the template's tags.
    pub sanitising: Sanitising,
}

/// What is deleted from the texts that go into a judge's template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sanitising {
    /// The tags' names wherever they stand, in a drawn order (upstream: the order of a set).
    NamesInDrawnOrder,
    /// The tags with their brackets, until none is left.
    Tags,
}

/// The preference reward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// The reward of what cannot be measured; e^−11 is below an even guess among 50,257 tokens.
    pub floor: f64,
    /// Answers of up to so many characters get the floor.
    pub short_characters: u64,
    /// Tokens that would complete an n-gram of this length for the second time are penalised.
    pub repeated_tokens: u64,
    /// How many standard deviations below the mean logit they are put.
    pub penalty_deviations: f64,
    /// Tokens that the model takes.
    pub maximum_tokens: u64,
    /// A token is penalised only where it completes a repetition; otherwise wherever it stands in the answer, as soon as the
    /// answer's end could be repeated by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_where_repeated: bool,
}

/// Penalties, multiplied into the reward in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalties {
    /// The largest penalty for missing the task's criteria. Upstream's own tasks have none.
    pub task_validation: f64,
    /// What every answer is asked for, besides the task's own criteria.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<Criterion>,
    /// The largest penalty for missing what the query asks for.
    pub accuracy: f64,
    /// What the accuracy penalty is divided by.
    pub accuracy_shares: AccuracyShares,
    /// `#` and `@` are put before terms that already begin with them, so that `##term` is looked for.
    pub prefix_always: bool,
    /// An empty term is found in every answer; otherwise it is no term.
    pub empty_term_matches: bool,
    /// A term is found inside of other words, so that chairs speak of AI; otherwise only where a word begins.
    pub inside_words: bool,
    /// How many keywords an answer has to have, but never more than half of them, rounded up.
    pub keyword_hits: u64,
}

/// Into how many shares the accuracy penalty is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccuracyShares {
    /// Three, of which lists without terms are never charged.
    Three,
    /// As many as there are lists with terms, so that an answer without any hit loses everything.
    ListsWithTerms,
}

/// Rules against weaknesses of upstream. All off: upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedies {
    /// An answer of white space counts as failed.
    pub blank_answers_fail: bool,
    /// A raw reward that is NaN or infinite earns 0 and stays out of the running statistics.
    pub only_finite_rewards: bool,
    /// Answers that are equal but for case and white space share one reward.
    pub equal_answers_share: bool,
    /// Known miners that were not asked, because they were not available, count as a reward of 0.
    pub absent_miners_count: bool,
    /// A model's analysis that cannot be had or read is replaced by that of the prompt's own words; otherwise the round is given
    /// up.
    pub own_words_replace_unusable_analysis: bool,
    /// A reward model's reply that cannot be read, and its refusal to judge an answer, cost that answer its reward; otherwise
    /// the round is given up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable_verdicts_stand_alone: bool,
    /// From this similarity of their word triples on answers are equal too, with all that are similar to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<f64>,
}

/// Moving average of rewards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// Weight of the newest reward.
    pub alpha: f64,
    /// The average begins at 0 in every round, so that it says nothing of the past.
    pub forgets: bool,
    /// Whose it is.
    pub identity: Identity,
}

/// Whom averages belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The slot: who takes it over inherits what its predecessor earned.
    Uid,
    /// The miner.
    Hotkey,
}

/// From averages to weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum WeightRule {
    /// Shares of the sum of the moving averages.
    MovingAverage {},
    /// The mean reward per round since the process began, smoothed; set every so many rounds.
    RunMean {
        /// Weight of the newest mean.
        alpha: f64,
        /// Rounds between two weight settings.
        rounds: u64,
    },
}

fn model(name: &str, weight: f64) -> RewardModel {
    RewardModel { name: name.to_owned(), weight }
}

fn rewards(weights: [f64; 3], sum_tolerance: f64) -> Rewards {
    Rewards {
        rlhf: model("OpenAssistant/reward-model-deberta-v3-large-v2", weights[0]),
        prompt: model("VMware/open-llama-7b-open-instruct", weights[1]),
        dpo: model("cerebras/btlm-3b-8k-base", weights[2]),
        sum_tolerance,
    }
}

impl Constants {
    /// `twitter/readme`: what the document states. Three models count alike ("added together"); the average lasts.
    pub fn readme() -> Self {
        let code = Self::v2_5_9();
        Self {
            analysis: Analysis { temperature: 0.85, seed: Some(12), query_key: QueryKey::QueryString, ..code.analysis },
            rewards: rewards([1.0 / 3.0; 3], 1e-6),
            average: Average { alpha: 0.05, forgets: false, identity: Identity::Hotkey },
            weights: WeightRule::MovingAverage {},
            ..code
        }
    }

    /// `twitter/2.5.9`: the code at the document's own commit.
    pub fn v2_5_9() -> Self {
        let model = "gpt-4-1106-preview".to_owned();
        Self {
            collection: Collection {
                miners: 256,
                deadline_ms: 60_000,
                availability_ms: 4_000,
                model: model.clone(),
                seed: 1234,
            },
            analysis: Analysis { model, temperature: 0.1, seed: None, query_key: QueryKey::ApiParams, attempts: 2 },
            rewards: rewards([1.0, 0.0, 0.0], 0.0),
            normalisation: Normalisation {
                count_limit: 3000,
                minimum_variance: 0.0,
                lone_reward_has_no_variance: false,
            },
            judge: Judge { best: 10.0, whole_reply: false, sanitising: Sanitising::NamesInDrawnOrder },
            preference: Preference {
                floor: -11.0,
                short_characters: 5,
                repeated_tokens: 5,
                penalty_deviations: 10.0,
                maximum_tokens: 8192,
                only_where_repeated: false,
            },
            penalties: Penalties {
                task_validation: 0.6,
                criteria: Vec::new(),
                accuracy: 1.0,
                accuracy_shares: AccuracyShares::Three,
                prefix_always: true,
                empty_term_matches: true,
                inside_words: true,
                keyword_hits: 1,
            },
            remedies: Remedies {
                blank_answers_fail: false,
                only_finite_rewards: false,
                equal_answers_share: false,
                absent_miners_count: false,
                own_words_replace_unusable_analysis: false,
                unreadable_verdicts_stand_alone: false,
                near_copies: None,
            },
            average: Average { alpha: 0.05, forgets: true, identity: Identity::Uid },
            weights: WeightRule::RunMean { alpha: 0.3, rounds: 10 },
        }
    }

    /// `twitter/assay-1`: upstream's code with its listed weaknesses closed.
    pub fn assay_1() -> Self {
        let code = Self::v2_5_9();
        Self {
            rewards: Rewards { sum_tolerance: 1e-6, ..code.rewards },
            normalisation: Normalisation {
                minimum_variance: 1e-9,
                lone_reward_has_no_variance: true,
                ..code.normalisation
            },
            judge: Judge { whole_reply: true, sanitising: Sanitising::Tags, ..code.judge },
            preference: Preference { only_where_repeated: true, ..code.preference },
            penalties: Penalties {
                // A sentence at least, and no more than anybody reads; far from it an answer loses all that this penalty may take.
                criteria: vec![Criterion::Range { least: 15, most: 600, unit: Unit::Words, penalty: 0.6 }],
                accuracy_shares: AccuracyShares::ListsWithTerms,
                prefix_always: false,
                empty_term_matches: false,
                inside_words: false,
                keyword_hits: 2,
                ..code.penalties
            },
            remedies: Remedies {
                blank_answers_fail: true,
                only_finite_rewards: true,
                equal_answers_share: true,
                absent_miners_count: true,
                own_words_replace_unusable_analysis: true,
                unreadable_verdicts_stand_alone: true,
                near_copies: Some(NEAR_COPIES),
            },
            average: Average { alpha: 0.05, forgets: false, identity: Identity::Hotkey },
            weights: WeightRule::MovingAverage {},
            ..code
        }
    }
}

impl mechanism::Constants for Constants {
    const ALGORITHM: &'static str = "twitter";

    fn shipped() -> Vec<(&'static str, Self)> {
        vec![("readme", Self::readme()), ("2.5.9", Self::v2_5_9()), ("assay-1", Self::assay_1())]
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        super::weaknesses::of(self)
    }

    fn checks(&self) -> Vec<Check> {
        let (positive, shares) = ("must be above 0", "must lie between 0 and 1");
        let within = |x: f64| (0.0..=1.0).contains(&x);
        let models = [&self.rewards.rlhf, &self.rewards.prompt, &self.rewards.dpo];
        let weights = models.map(|model| model.weight);
        let sums = super::reward::weights_accepted(&weights.map(|w| w as f32), self.rewards.sum_tolerance);
        let (run_alpha, run_rounds) = match self.weights {
            WeightRule::RunMean { alpha, rounds } => (alpha, rounds),
            WeightRule::MovingAverage {} => (1.0, 1),
        };
        let ngram = self.preference.repeated_tokens;
        let asked = criteria::check(&self.penalties.criteria).is_ok();
        let by_hotkey = self.average.identity == Identity::Hotkey;
        let whose = match self.weights {
            WeightRule::MovingAverage {} => by_hotkey && !self.average.forgets,
            WeightRule::RunMean { .. } => !by_hotkey,
        };
        vec![
            ("collection.miners", positive, self.collection.miners > 0),
            ("collection.deadline_ms", positive, self.collection.deadline_ms > 0),
            ("collection.availability_ms", positive, self.collection.availability_ms > 0),
            ("analysis.temperature", "must lie between 0 and 2", (0.0..=2.0).contains(&self.analysis.temperature)),
            ("analysis.attempts", "must lie between 1 and 10", (1..=10).contains(&self.analysis.attempts)),
            ("rewards.weight", shares, weights.into_iter().all(within)),
            ("rewards.sum_tolerance", shares, within(self.rewards.sum_tolerance)),
            ("rewards.weight", "must sum to 1", sums),
            ("normalisation.count_limit", positive, self.normalisation.count_limit > 0),
            ("normalisation.minimum_variance", "must be 0 or more", self.normalisation.minimum_variance >= 0.0),
            ("judge.best", positive, self.judge.best > 0.0),
            ("preference.floor", "must be below 0", self.preference.floor < 0.0),
            ("preference.repeated_tokens", "must lie between 2 and 64", (2..=64).contains(&ngram)),
            ("preference.penalty_deviations", "must be 0 or more", self.preference.penalty_deviations >= 0.0),
            ("preference.maximum_tokens", positive, self.preference.maximum_tokens > 0),
            ("penalties.task_validation", shares, within(self.penalties.task_validation)),
            ("penalties.criteria", "must be few, with targets and penalties in their domain", asked),
            ("penalties.accuracy", shares, within(self.penalties.accuracy)),
            ("penalties.keyword_hits", positive, self.penalties.keyword_hits > 0),
            ("remedies.near_copies", shares, self.remedies.near_copies.is_none_or(within)),
            ("average.alpha", shares, within(self.average.alpha)),
            ("weights.alpha", shares, within(run_alpha)),
            ("weights.rounds", positive, run_rounds > 0),
            ("average", "must last and be the hotkey's for a moving average, the slot's for the mean of a run", whose),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mechanism::Constants as _;

    #[test]
    fn constants_outside_of_their_domain_are_named() {
        let with = |change: fn(&mut Constants)| {
            let mut constants = Constants::assay_1();
            change(&mut constants);
            constants.problem().map(|(constant, _)| constant)
        };
        assert_eq!(with(|c| c.rewards.rlhf.weight = 0.5), Some("rewards.weight"));
        assert_eq!(with(|c| c.average.alpha = f64::NAN), Some("average.alpha"));
        assert_eq!(with(|c| c.penalties.accuracy = 1.5), Some("penalties.accuracy"));
        assert_eq!(with(|c| c.normalisation.minimum_variance = f64::NAN), Some("normalisation.minimum_variance"));
        assert_eq!(with(|c| c.weights = WeightRule::RunMean { alpha: 0.3, rounds: 0 }), Some("weights.rounds"));
        assert_eq!(with(|c| c.preference.repeated_tokens = 1), Some("preference.repeated_tokens"));
        assert_eq!(with(|c| c.average.identity = Identity::Uid), Some("average"));
        assert_eq!(with(|c| c.average.forgets = true), Some("average"));
        assert_eq!(with(|c| c.weights = WeightRule::RunMean { alpha: 0.3, rounds: 10 }), Some("average"));
    }
}
