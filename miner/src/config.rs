//! How one miner is set up. Everything is checked once, before it listens.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inference::{EmbeddingConfig, EmbeddingService};
use network::keys::Keypair;

use crate::subnets::Subnet;
use crate::wire::Gate;
use crate::{Behaviour, Error, Writer};

/// Where embeddings come from.
#[derive(Clone)]
pub enum EmbeddingSource {
    /// This miner opens a model of its own.
    Open(EmbeddingConfig),
    /// Several miners of one process share a model.
    Shared(EmbeddingService),
}

/// One miner.
pub struct MinerConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The hotkey that signs answers.
    pub keypair: Keypair,
    /// Honest, or one of the misbehaving kinds.
    pub behaviour: Behaviour,
    /// The subnet whose synapses it answers; Loosh's questions when none.
    pub subnet: Option<Arc<dyn Subnet>>,
    /// A language model that writes honest answers; without one, and where it fails, they are found.
    pub writer: Option<Writer>,
    /// How an honest answer is chosen.
    pub profile: Profile,
    /// The model.
    pub embedding: EmbeddingSource,
    /// A file of passages instead of the shipped ones.
    pub corpus: Option<PathBuf>,
    /// A folder for the corpus' vectors, shared by miners; without one they are computed at each start.
    pub cache: Option<PathBuf>,
    /// Answer only requests that carry a valid receipt.
    pub require_signed: bool,
    /// Who may ask in the dialects that prove a hotkey, and who comes first; everybody, in turn, when none.
    pub gate: Option<Arc<dyn Gate>>,
    /// Sizes and times.
    pub limits: Limits,
}

impl MinerConfig {
    /// An honest miner with the shipped corpus and default limits.
    #[must_use]
    pub fn new(listen: SocketAddr, keypair: Keypair, embedding: EmbeddingSource) -> Self {
        Self {
            listen,
            keypair,
            behaviour: Behaviour::Honest,
            subnet: None,
            writer: None,
            profile: Profile::default(),
            embedding,
            corpus: None,
            cache: None,
            require_signed: false,
            gate: None,
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.profile.check()?;
        self.limits.check()
    }
}

/// Sizes and times of one miner.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's body. Default 256 KiB.
    pub body_bytes: usize,
    /// Requests that are answered at once, on the plain route and in each dialect; more are told to come back. Default 32.
    pub concurrent: usize,
    /// Open connections; more wait to be accepted. Default 256.
    pub connections: usize,
    /// Time to send a body. Default 10 s.
    pub body_timeout: Duration,
    /// Time to find an answer. Default 60 s.
    pub answer_timeout: Duration,
    /// Time in which nothing comes on a connection. Default 180 s: longer than any answer takes.
    pub idle_timeout: Duration,
    /// Time for open requests to end at shutdown. Default 5 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 256 << 10,
            concurrent: 32,
            connections: 256,
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(180),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), Error> {
        for (field, value) in
            [("body_bytes", self.body_bytes), ("concurrent", self.concurrent), ("connections", self.connections)]
        {
            if value == 0 {
                return Err(Error::Setting { field, value: value.to_string(), reason: "it must be at least 1" });
            }
        }
        Ok(())
    }
}

/// How an honest miner chooses its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Passages an answer may draw from, 1 to 8.
    pub passages: usize,
    /// Sentences of an answer, 1 to 12.
    pub sentences: usize,
    /// 0 takes the most relevant sentences even if they repeat each other; up to 1, which avoids repetition above all.
    pub variety: f32,
    /// Share of the corpus this miner has, above 0 and up to 1; which part is decided by `seed`.
    pub corpus_share: f32,
    /// Decides which part of the corpus this miner has.
    pub seed: u64,
    /// Whether the answer opens by naming the passage it draws from.
    pub names_source: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { passages: 2, sentences: 4, variety: 0.2, corpus_share: 1.0, seed: 0, names_source: false }
    }
}

impl Profile {
    /// One of many different profiles: the same number gives the same one.
    #[must_use]
    pub fn numbered(number: u16) -> Self {
        let pick = |from: &[usize]| from[usize::from(number) % from.len()];
        Self {
            passages: pick(&[2, 1, 3]),
            sentences: pick(&[4, 3, 5, 4, 6]),
            variety: [0.2, 0.0, 0.4, 0.3][usize::from(number) % 4],
            corpus_share: [1.0, 0.95, 1.0, 0.9, 0.97, 0.85, 0.92][usize::from(number) % 7],
            seed: u64::from(number),
            names_source: number % 4 == 3,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let setting = |field, value: String, reason| Err(Error::Setting { field, value, reason });
        if !(1..=8).contains(&self.passages) {
            return setting("passages", self.passages.to_string(), "it must be from 1 to 8");
        }
        if !(1..=12).contains(&self.sentences) {
            return setting("sentences", self.sentences.to_string(), "it must be from 1 to 12");
        }
        if !(0.0..=1.0).contains(&self.variety) {
            return setting("variety", self.variety.to_string(), "it must be from 0 to 1");
        }
        if !(self.corpus_share > 0.0 && self.corpus_share <= 1.0) {
            return setting("corpus_share", self.corpus_share.to_string(), "it must be above 0 and at most 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn numbered_profiles_are_valid_and_differ() {
        for number in 0..60 {
            assert!(Profile::numbered(number).check().is_ok(), "{number}");
            for other in 0..number {
                let (mut left, mut right) = (Profile::numbered(number), Profile::numbered(other));
                // The seed always differs; something else should differ as well among the first dozen.
                (left.seed, right.seed) = (0, 0);
                assert!(number >= 12 || left != right, "{number} and {other} choose alike");
            }
        }
    }

    #[test]
    fn refuses_what_makes_no_answer() {
        let check = |change: fn(&mut Profile), field: &str| {
            let mut profile = Profile::default();
            change(&mut profile);
            let error = profile.check().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(field), "{field}: {error:?}");
        };
        check(|p| p.passages = 0, "passages");
        check(|p| p.passages = 9, "passages");
        check(|p| p.sentences = 0, "sentences");
        check(|p| p.variety = f32::NAN, "variety");
        check(|p| p.variety = 1.5, "variety");
        check(|p| p.corpus_share = 0.0, "corpus_share");
        check(|p| p.corpus_share = f32::NAN, "corpus_share");
    }
}
