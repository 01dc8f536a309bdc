//! A validator, its miners and its chain in memory: makes ledgers with the same pure functions and real keys.
//!
//! Everything that a real validator does through I/O is decided here by the caller (who answers, how, when); everything that
//! it computes is computed by `domain`.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

pub mod bench;
pub mod epochs;
pub mod history;
pub mod load;
pub mod mutate;
pub mod rounds;
pub mod seal;
pub mod subnets;

pub use rounds::{Answer, Said};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use audit::keys::Ed25519NoteSigner;
use audit::{ChainView, Wanted};
use domain::events::*;
use domain::loosh::constants::Constants;
use domain::mechanism::{self, Mechanism};
use domain::metagraph::Metagraph;
use domain::round;
use domain::ruleset::{Body, RuleSet};
use domain::types::*;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};

pub const NETUID: NetUid = NetUid(78);
pub const TEMPO: u16 = 19;
const SECOND: u64 = 1_000_000;

/// An event before it is given its place in the tree.
#[derive(Debug, Clone)]
pub struct Draft {
    pub stream_type: String,
    pub stream_id: String,
    pub recorded_at: u64,
    pub block: u64,
    pub cause: u64,
    pub event: Event,
    pub erased: bool,
}

pub fn digest(text: &str) -> Digest {
    sha256(text.as_bytes())
}

pub fn keypair(seed: u64) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&sha256(&seed.to_be_bytes()).0).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

pub fn address(keypair: &Keypair) -> Hotkey {
    Hotkey::from_public(&keypair.public.to_bytes())
}

pub fn sign(keypair: &Keypair, message: &[u8]) -> Signature {
    HexBytes(keypair.sign_simple(b"substrate", message).to_bytes())
}

/// A rule set like a shipped one, with a small model and rounds of another size.
pub fn rule_set(base: &str, miners: u16, dimensions: u16) -> RuleSet {
    let mut constants = if base == "readme" { Constants::readme() } else { Constants::v1_2_8() };
    constants.collection.miners = miners;
    for model in &mut constants.models {
        model.dimensions = dimensions;
    }
    RuleSet::from_body(&Body { algorithm: "loosh".into(), version: format!("{base}-test"), constants }).unwrap()
}

pub struct World {
    pub drafts: Vec<Draft>,
    pub opened: LedgerOpened,
    pub own: Keypair,
    pub miners: BTreeMap<Hotkey, Keypair>,
    pub log_key: Ed25519NoteSigner,
    pub chain: ChainView,
    pub now: u64,
    pub block: u64,
    pub neurons: Vec<Neuron>,
    pub metagraph: Metagraph,
    pub metagraph_at: Position,
    pub sweep_at: Position,
    pub rules: RuleSet,
    pub mechanism: Arc<dyn Mechanism>,
    pub dimensions: u16,
    pub epoch: u64,
    pub previous: Option<WeightsDerived>,
    /// Running statistics as the round evaluated last left them.
    pub statistics: Vec<Statistic>,
    /// Scores follow from a label.
    labelled: bool,
    pub derived_at: Position,
    pub nonce: u64,
    /// Rounds begin with a sweep of their own where the mechanism asks for one.
    pub own_sweeps: bool,
    /// Whether rounds sweep twice and draw from the first.
    pub picks_sweeps: bool,
    /// Who is said to have given verdicts, all of which are the mechanism's own.
    pub model: String,
    /// What comes of the next calls for verdicts; of further ones, verdicts of [`Self::model`].
    pub said: VecDeque<Said>,
    /// Where labels are said to come from, in place of where they do.
    pub label_source: Option<String>,
}

impl World {
    /// A validator (uid 0) and miners 1 to `miners`, a second validator, and a neuron without an axon.
    pub fn new(miners: u16, rules: RuleSet, dimensions: u16) -> Self {
        let own = keypair(0);
        let keys: Vec<Keypair> = (1..=u64::from(miners)).map(keypair).collect();
        let neuron = |uid: u16, hotkey: Hotkey, port: u16| Neuron {
            uid: Uid(uid),
            hotkey,
            coldkey: address(&keypair(1000 + u64::from(uid))),
            ip: if port == 0 { "0.0.0.0".into() } else { format!("10.0.0.{uid}") },
            port,
            stake: Rao(1_000_000_000 + u64::from(uid)),
            validator_permit: false,
            last_update: BlockNumber(900),
        };
        let mut neurons = vec![Neuron { validator_permit: true, ..neuron(0, address(&own), 0) }];
        neurons.extend((1..=miners).zip(&keys).map(|(uid, key)| neuron(uid, address(key), 8000 + uid)));
        // Above the stake up to which some rule sets take a permit for a miner's.
        let stake = Rao(5_000_000_000_000);
        neurons.push(Neuron { validator_permit: true, stake, ..neuron(miners + 1, address(&keypair(501)), 9000) });
        neurons.push(neuron(miners + 2, address(&keypair(502)), 0));
        let genesis_hash = digest("genesis");
        let origin = LedgerOpened::origin_of(&genesis_hash, NETUID, &address(&own), 0);
        let log_key = Ed25519NoteSigner::new(&origin, &[7; 32]).unwrap();
        let checkpoint_key = HexBytes(*log_key.key().public_key());
        let hotkey = address(&own);
        let opened = LedgerOpened { leaf_format: 1, origin, genesis_hash, netuid: NETUID, hotkey, checkpoint_key };
        let chain = ChainView { genesis_hash: Some(genesis_hash), ..ChainView::default() };
        Self {
            drafts: Vec::new(),
            opened,
            own,
            miners: keys.into_iter().map(|key| (address(&key), key)).collect(),
            log_key,
            chain,
            now: 1_700_000_000 * SECOND,
            block: 1000,
            neurons,
            metagraph: Metagraph::default(),
            metagraph_at: Position(0),
            sweep_at: Position(0),
            mechanism: mechanism::open(&rules).unwrap(),
            rules,
            dimensions,
            epoch: 0,
            previous: None,
            statistics: Vec::new(),
            labelled: false,
            derived_at: Position(0),
            nonce: 0,
            own_sweeps: true,
            picks_sweeps: false,
            model: mechanism::OFFLINE.to_owned(),
            said: VecDeque::new(),
            label_source: None,
        }
    }

    pub fn next(&self) -> Position {
        Position(self.drafts.len() as u64)
    }

    /// Appends an event, a little later than the one before.
    pub fn push(&mut self, event: impl Into<Event>) -> Position {
        self.push_caused(event, None)
    }

    pub fn push_caused(&mut self, event: impl Into<Event>, cause: Option<Position>) -> Position {
        let (event, position) = (event.into(), self.next());
        self.now += 1_003;
        let (stream_type, stream_id) = self.stream(&event);
        let cause = cause.unwrap_or(position).0;
        let (recorded_at, block) = (self.now, self.block);
        self.drafts.push(Draft { stream_type, stream_id, recorded_at, block, cause, event, erased: false });
        position
    }

    fn stream(&self, event: &Event) -> (String, String) {
        let round = |id: &str, attempt| (round::STREAM_TYPE.to_owned(), round::stream_id(id, attempt));
        let label = |id: &str, attempt| (round::LABEL_STREAM_TYPE.to_owned(), round::stream_id(id, attempt));
        match event {
            Event::ChallengeAccepted(event) => ("challenge".to_owned(), event.challenge.id.clone()),
            Event::LabelRevealed(event) => {
                (round::LABEL_STREAM_TYPE.to_owned(), round::stream_id(&event.challenge_id, event.attempt))
            }
            Event::MinersSelected(event) => round(&event.challenge_id, event.attempt),
            Event::ChallengeIssued(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseReceived(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseFailed(event) => round(&event.challenge_id, event.attempt),
            Event::EmbeddingComputed(event) => round(&event.challenge_id, event.attempt),
            Event::JudgementRecorded(event) => round(&event.challenge_id, event.attempt),
            Event::ResponseScored(event) if self.labelled => label(&event.challenge_id, event.attempt),
            Event::RoundEvaluated(event) if self.labelled => label(&event.challenge_id, event.attempt),
            Event::ResponseScored(event) => round(&event.challenge_id, event.attempt),
            Event::RoundEvaluated(event) => round(&event.challenge_id, event.attempt),
            Event::RoundAbandoned(event) => round(&event.challenge_id, event.attempt),
            Event::DeliveryAttempted(event) => {
                (round::DELIVERY_STREAM_TYPE.to_owned(), round::stream_id(&event.challenge_id, event.attempt))
            }
            Event::EpochOpened(_)
            | Event::WeightsDerived(_)
            | Event::CheckpointAnchored(_)
            | Event::WeightsSubmitted(_)
            | Event::WeightsCommitted(_)
            | Event::WeightsRevealed(_)
            | Event::WeightsIncluded(_)
            | Event::WeightsRejected(_)
            | Event::EpochClosed(_) => ("epoch".to_owned(), self.epoch.to_string()),
            _ => ("ledger".to_owned(), "main".to_owned()),
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
        self.block += seconds / 12;
    }

    /// The hash of the newest block, which the chain now answers for.
    pub fn block_hash(&mut self) -> Digest {
        let hash = digest(&format!("block {}", self.block));
        self.chain.block_hashes.insert(BlockNumber(self.block), hash);
        hash
    }

    /// What the chain answers to the questions that an event raises, also where it was changed.
    pub fn answer(&self, chain: &mut ChainView, event: &Event) {
        let mut wanted = Wanted::default();
        wanted.note(event);
        for block in wanted.blocks {
            chain.block_hashes.entry(block).or_insert_with(|| digest(&format!("block {block}")));
        }
        for block in wanted.metagraphs {
            let before = self.chain.metagraphs.range(..=block).next_back();
            let metagraph = before.map(|(_, metagraph)| metagraph.clone()).unwrap_or_default();
            chain.metagraphs.entry(block).or_insert(metagraph);
        }
        for block in wanted.tempos {
            chain.tempos.entry(block).or_insert(TEMPO);
        }
        for extrinsic in wanted.extrinsics {
            chain.extrinsics.entry(extrinsic.hash).or_insert(ChainOutcome::Expired);
        }
        for block in wanted.weights {
            let before = self.chain.weights.range(..=block).next_back();
            let weights = before.map(|(_, weights)| weights.clone()).unwrap_or_default();
            chain.weights.entry(block).or_insert(weights);
        }
        for block in wanted.anchors {
            let before = chain.anchors.range(..=block).next_back().map(|(_, anchor)| anchor.clone());
            chain.anchors.entry(block).or_insert(before.unwrap_or_default());
        }
    }

    pub fn open(&mut self) {
        self.push(self.opened.clone());
        self.adopt(self.rules.clone());
        self.start();
        self.observe(true);
        self.open_epoch();
    }

    pub fn adopt(&mut self, rules: RuleSet) {
        self.push(RuleSetAdopted { name: rules.name(), hash: rules.hash(), bytes: rules.bytes().to_owned() });
        self.mechanism = mechanism::open(&rules).unwrap();
        self.rules = rules;
    }

    pub fn start(&mut self) {
        let configuration = format!("{{\"netuid\":{NETUID},\"token\":\"(hidden)\"}}");
        self.push(ValidatorStarted {
            version: "0.1.0".into(),
            genesis_hash: self.opened.genesis_hash,
            configuration_hash: digest(&configuration),
            configuration,
        });
    }

    /// The subnet's owner.
    fn owner(&self) -> Option<Hotkey> {
        Some(address(&keypair(900)))
    }

    pub fn observe(&mut self, full: bool) -> Position {
        let (block, hash) = (BlockNumber(self.block), self.block_hash());
        self.chain.metagraphs.insert(block, (self.owner(), self.neurons.clone()));
        let observed = if full {
            Metagraph::full(block, hash, self.owner(), &self.neurons)
        } else {
            self.metagraph.difference(block, hash, self.owner(), &self.neurons)
        };
        self.metagraph.observe(&observed);
        self.metagraph_at = self.push(observed);
        self.metagraph_at
    }

    pub fn sweep(&mut self, unavailable: &[u16]) {
        let own = self.opened.hotkey;
        let asked = self.neurons.iter().filter(|n| n.port != 0 && n.hotkey != own);
        let probe = |neuron: &Neuron| {
            let available = !unavailable.contains(&neuron.uid.0);
            let reason = if available { String::new() } else { "connection refused".to_owned() };
            Probe { hotkey: neuron.hotkey, available, reason, latency_ms: 3 + u32::from(neuron.uid.0) }
        };
        let mut probes: Vec<Probe> = asked.map(probe).collect();
        probes.sort_by_key(|probe| probe.hotkey);
        self.sweep_at = self.push(AvailabilitySwept { probes });
    }

    /// What the last sweep found, found again: the sweep that a round begins with.
    pub fn sweep_again(&mut self, cause: Position) {
        let Event::AvailabilitySwept(last) = self.drafts[self.sweep_at.0 as usize].event.clone() else {
            panic!("a sweep")
        };
        self.sweep_at = self.push_caused(last, Some(cause));
    }

    pub fn fetch_external(&mut self, entries: &[(Hotkey, f64, f64)]) {
        let entry = |(hotkey, sybil, priority): &(Hotkey, f64, f64)| {
            format!("\"{hotkey}\":{{\"sybil_score\":{sybil},\"priority_weight\":{priority}}}")
        };
        let reply = format!("{{\"scores\":{{{}}}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","));
        let (source, request) = ("challenge-api".to_owned(), "sybil-scores".to_owned());
        self.push(ExternalScoresFetched { source, request, status: 200, reply: Block::new(reply.into_bytes()) });
    }
}
