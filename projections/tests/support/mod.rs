//! A little log as a validator writes it, appended through the real ledger: what the read side's tests are asked about.
//!
//! Scores are made up; weights and moving averages are derived from them by the real epoch fold.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, unreachable_pub, missing_docs)]

use std::sync::Arc;

use cluster::TestDatabase;
use domain::epoch::EpochFold;
use domain::events::*;
use domain::mechanism::{self, Mechanism};
use domain::twitter::running;
use domain::types::*;
use ledger::{Appended, Cause, Expected, Ledger, NewEvent, Unit};

pub const MINERS: u8 = 6;
/// A text that stands in every prompt and answer, to look for where it must not be.
pub const SECRET: &str = "the moon is made of basalt";

pub async fn database() -> TestDatabase {
    let all: Vec<_> = ledger::migrate::MIGRATIONS.iter().chain(projections::MIGRATIONS).copied().collect();
    let template = format!("read_side_{}", ledger::migrate::fingerprint(&all));
    let prepare = |url: String| async move {
        ledger::migrate::run(&url).await?;
        projections::migrate(&url).await.map(drop).map_err(|error| ledger::Error::Stopped { reason: error.chain() })
    };
    cluster::test_database(&template, prepare).await.unwrap()
}

pub fn hotkey(seed: u8) -> Hotkey {
    Hotkey::from_public(&[seed; 32])
}

pub fn digest(text: &str) -> Digest {
    sha256(text.as_bytes())
}

/// The validator; its miners have the seeds 1 to [`MINERS`] and the uids of the same numbers.
pub const OWN: u8 = 100;

pub struct World {
    pub ledger: Ledger,
    mechanism: Arc<dyn Mechanism>,
    fold: EpochFold,
    last_derived: Option<WeightsDerived>,
    epoch: u64,
    block: u64,
    random: u64,
    run: running::Run,
}

impl World {
    /// A ledger with its rule set, metagraph and first sweep.
    pub async fn open(url: &str, netuid: u16) -> Self {
        Self::open_under(url, netuid, "loosh/readme").await
    }

    /// As [`World::open`], under a shipped rule set.
    pub async fn open_under(url: &str, netuid: u16, rules: &str) -> Self {
        let genesis = digest("genesis");
        let origin = LedgerOpened::origin_of(&genesis, NetUid(netuid), &hotkey(OWN), 0);
        let opened = LedgerOpened {
            leaf_format: 1,
            origin: origin.clone(),
            genesis_hash: genesis,
            netuid: NetUid(netuid),
            hotkey: hotkey(OWN),
            checkpoint_key: digest("checkpoint key"),
        };
        let opening = NewEvent::of("ledger", &origin, &opened.into(), 0, Cause::Own).unwrap();
        let ledger = Ledger::create(url, &origin, "the test", opening).await.unwrap();
        let rules = mechanism::shipped_by_name(rules).unwrap();
        let mechanism = mechanism::open(&rules).unwrap();
        let fold = EpochFold::genesis(mechanism.clone(), hotkey(OWN));
        let random = 0x9e37_79b9_7f4a_7c15 ^ u64::from(netuid);
        let mut world =
            Self { ledger, mechanism, fold, last_derived: None, epoch: 0, block: 100, random, run: Default::default() };
        let adopted = RuleSetAdopted { name: rules.name(), hash: rules.hash(), bytes: rules.bytes().to_owned() };
        world.append("ledger", "rules", vec![adopted.into()]).await;
        world.metagraph(true, (1..=MINERS).map(|seed| (u16::from(seed), seed)).collect()).await;
        world.sweep(&[]).await;
        world
    }

    pub fn origin(&self) -> &str {
        self.ledger.origin()
    }

    pub fn size(&self) -> u64 {
        self.ledger.size()
    }

    fn roll(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    pub async fn append(&mut self, stream_type: &str, stream_id: &str, events: Vec<Event>) -> Appended {
        self.block += 1;
        let made = |event| NewEvent::of(stream_type, stream_id, event, self.block, Cause::Own).unwrap();
        let unit = Unit::of(events.iter().map(made).collect());
        let appended = self.ledger.append(unit.expecting(stream_type, stream_id, Expected::Any)).await.unwrap();
        for (position, event) in (appended.first..).zip(&events) {
            self.fold.apply(Position(position), Micros(appended.recorded_at), event);
        }
        appended
    }

    /// Who holds which slot; the validator is always uid 0.
    pub async fn metagraph(&mut self, full: bool, miners: Vec<(u16, u8)>) -> Appended {
        let neuron = |uid: u16, seed: u8| Neuron {
            uid: Uid(uid),
            hotkey: hotkey(seed),
            coldkey: hotkey(seed + 120),
            ip: "127.0.0.1".into(),
            port: 9000 + uid,
            stake: Rao(1_000_000_007),
            validator_permit: seed == OWN,
            last_update: BlockNumber(self.block),
        };
        let own = full.then_some((0, OWN));
        let neurons = own.into_iter().chain(miners).map(|(uid, seed)| neuron(uid, seed)).collect();
        let block = BlockNumber(self.block);
        let observed =
            MetagraphObserved { block, block_hash: digest("block"), owner: None, full, neurons, removed: Vec::new() };
        self.append("chain", "metagraph", vec![observed.into()]).await
    }

    pub async fn sweep(&mut self, away: &[u8]) -> Appended {
        let probe = |seed: u8| Probe {
            hotkey: hotkey(seed),
            available: !away.contains(&seed),
            reason: if away.contains(&seed) { "connection refused".into() } else { String::new() },
            latency_ms: u32::from(seed),
        };
        let mut probes: Vec<Probe> = (1..=MINERS).map(probe).collect();
        probes.sort_by_key(|probe| probe.hotkey);
        self.append("chain", "availability", vec![AvailabilitySwept { probes }.into()]).await
    }

    pub async fn open_epoch(&mut self) -> Appended {
        let rule_set = self.mechanism.rule_set().hash();
        let opened =
            EpochOpened { epoch: self.epoch, block: BlockNumber(self.block), chain_epoch: self.block / 361, rule_set };
        let id = self.epoch.to_string();
        self.append("epoch", &id, vec![opened.into()]).await
    }

    pub async fn accept(&mut self, id: &str) -> Appended {
        let challenge = Challenge {
            id: id.into(),
            correlation_id: None,
            prompt: Some(format!("Is it true that {SECRET}? \"{id}\"")),
            messages: None,
            model: None,
            tools: None,
            tool_choice: None,
            temperature: 0.7,
            top_p: 0.95,
            max_tokens: 512,
            metadata: None,
            created_at: None,
            requester: None,
            task: None,
        };
        let commitment = domain::wire::commitment(&challenge).unwrap();
        let block = BlockNumber(self.block);
        let accepted = ChallengeAccepted { block, block_hash: digest("block"), commitment, challenge };
        self.append("challenge", id, vec![accepted.into()]).await
    }

    /// Draws four miners from `first` on, asks them and records three answers and one failure.
    pub async fn ask(&mut self, id: &str, attempt: u32, first: u8) -> Vec<u8> {
        let drawn: Vec<u8> = (0..4).map(|step| (first + step) % MINERS + 1).collect();
        let miner = |seed: u8| DrawnMiner {
            hotkey: hotkey(seed),
            uid: Uid(u16::from(seed)),
            coldkey: hotkey(seed + 120),
            ip: "127.0.0.1".into(),
            port: 9000 + u16::from(seed),
        };
        let selected = MinersSelected {
            challenge_id: id.into(),
            attempt,
            accepted: Position(self.size() - 1),
            metagraph: Position(2),
            sweep: Position(3),
            external_scores: None,
            rule_set: self.mechanism.rule_set().hash(),
            seed: digest(id),
            limit: 4,
            candidates: (1..=MINERS).map(|seed| Candidate { hotkey: hotkey(seed), weight: 1_000_000 }).collect(),
            excluded: vec![Excluded { hotkey: hotkey(OWN), reason: Exclusion::Own }],
            drawn: drawn.iter().copied().map(miner).collect(),
        };
        let stream = domain::round::stream_id(id, attempt);
        self.append("round", &stream, vec![selected.into()]).await;
        let request_hash = digest(&stream);
        let issue = |seed: u8| ChallengeIssued {
            challenge_id: id.into(),
            attempt,
            hotkey: hotkey(seed),
            address: format!("http://127.0.0.1:{}", 9000 + u16::from(seed)),
            dialect: "assay/http".into(),
            request_hash,
            nonce: "00ff".into(),
            deadline: Micros(1_700_000_060_000_000),
            receipt: HexBytes([12; 64]),
        };
        let issued = drawn.iter().map(|seed| issue(*seed).into()).collect();
        self.append("round", &stream, issued).await;
        for (place, seed) in drawn.iter().enumerate() {
            let event: Event =
                if place == 3 { self.failure(id, attempt, *seed) } else { self.answer(id, attempt, *seed) };
            self.append("round", &stream, vec![event]).await;
        }
        drawn
    }

    fn answer(&mut self, id: &str, attempt: u32, seed: u8) -> Event {
        let response_time_ms = u32::try_from(self.roll() % 900).unwrap() + 50;
        let sent_at = Micros(1_700_000_000_000_000);
        ResponseReceived {
            challenge_id: id.into(),
            attempt,
            hotkey: hotkey(seed),
            address: "http://127.0.0.1".into(),
            dialect: "assay/http".into(),
            status: 200,
            sent_at,
            first_byte_at: Micros(0),
            received_at: Micros(sent_at.0 + u64::from(response_time_ms) * 1_000),
            response_time_ms,
            request_hash: digest(id),
            signature: seed.is_multiple_of(2).then_some(HexBytes([13; 64])),
            body: Block::new(format!("{{\"response_text\":\"Yes: {SECRET}.\"}}").into_bytes()),
        }
        .into()
    }

    fn failure(&mut self, id: &str, attempt: u32, seed: u8) -> Event {
        ResponseFailed {
            challenge_id: id.into(),
            attempt,
            hotkey: hotkey(seed),
            reason: FailureReason::TimedOut,
            detail: format!("cut off after {SECRET}"),
            sent_at: Micros(1_700_000_000_000_000),
            failed_at: Micros(1_700_000_060_000_000),
            status: 0,
            request_hash: digest(id),
            signature: None,
            signed_by: None,
            body: Block::default(),
        }
        .into()
    }

    /// Scores the drawn and ends the round.
    pub async fn evaluate(&mut self, id: &str, attempt: u32, drawn: &[u8]) -> Appended {
        let events = self.scored(id, attempt, drawn, None);
        self.append("round", &domain::round::stream_id(id, attempt), events).await
    }

    /// Reveals a label of a round and scores its drawn once more.
    pub async fn label(&mut self, id: &str, attempt: u32, drawn: &[u8], evaluated: u64) -> Appended {
        let stream = domain::round::stream_id(id, attempt);
        let revealed = LabelRevealed {
            challenge_id: id.into(),
            attempt,
            evaluated: Position(evaluated),
            source: "the test".into(),
            label: "1".into(),
        };
        let revealed = self.append(domain::round::LABEL_STREAM_TYPE, &stream, vec![revealed.into()]).await;
        let events = self.scored(id, attempt, drawn, Some(Position(revealed.first)));
        self.append(domain::round::LABEL_STREAM_TYPE, &stream, events).await
    }

    fn scored(&mut self, id: &str, attempt: u32, drawn: &[u8], label: Option<Position>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rewards = Vec::new();
        for (place, seed) in drawn.iter().enumerate() {
            let failed = place == 3;
            let score = if failed { 0.0 } else { (self.roll() % 1_000_000) as f64 / 999_983.0 };
            rewards.push((u16::from(*seed), score as f32));
            let components = vec![
                Component { name: "emission".into(), value: score },
                Component { name: "consensus".into(), value: score / 3.0 },
            ];
            let scored = ResponseScored {
                challenge_id: id.into(),
                attempt,
                hotkey: hotkey(*seed),
                uid: Uid(u16::from(*seed)),
                score,
                counted: !failed,
                filtered: None,
                reason: failed.then_some(ZeroReason::TimedOut),
                components,
            };
            events.push(scored.into());
        }
        let similarity: Vec<u8> = [1.0, 0.5, 0.25, 1.0, 0.75, 1.0f64].iter().flat_map(|x| x.to_be_bytes()).collect();
        let evaluated = RoundEvaluated {
            challenge_id: id.into(),
            attempt,
            rule_set: self.mechanism.rule_set().hash(),
            consensus: 0.91,
            consensus_achieved: true,
            best: Some(hotkey(drawn[0])),
            components: vec![Component { name: "mu".into(), value: 0.9 }],
            labels: drawn[..3].iter().map(|seed| hotkey(*seed)).collect(),
            label,
            statistics: self.statistics(&rewards),
            similarity: Block::new(similarity),
        };
        events.push(evaluated.into());
        events
    }

    /// Upstream's Twitter scraper keeps its averages in the statistics; the others need none for them.
    fn statistics(&mut self, rewards: &[(u16, f32)]) -> Vec<Statistic> {
        self.run.update(rewards, 0.3, 2);
        if self.mechanism.rule_set().algorithm() == "twitter" { running::of_run(&self.run) } else { Vec::new() }
    }

    pub async fn abandon(&mut self, id: &str, attempt: u32, last: bool) -> Appended {
        let detail = "the process ended".into();
        let reason = AbandonReason::Restart;
        let event = RoundAbandoned { challenge_id: id.into(), attempt, reason, last, detail };
        self.append("round", &domain::round::stream_id(id, attempt), vec![event.into()]).await
    }

    /// A whole round.
    pub async fn round(&mut self, id: &str) -> Appended {
        let first = u8::try_from(self.roll() % u64::from(MINERS)).unwrap();
        self.accept(id).await;
        let drawn = self.ask(id, 1, first).await;
        self.evaluate(id, 1, &drawn).await
    }

    /// Derives the epoch's weights by the real fold, up to the newest event.
    pub async fn derive(&mut self) -> Appended {
        let derived = self.fold.derive();
        let id = self.epoch.to_string();
        let appended = self.append("epoch", &id, vec![derived.clone().into()]).await;
        let (mechanism, graph) = (self.mechanism.clone(), self.fold.metagraph().1.clone());
        let mut next = EpochFold::carry(mechanism, hotkey(OWN), &derived).unwrap();
        let neurons: Vec<Neuron> = graph.neurons().cloned().collect();
        let seen = domain::metagraph::Metagraph::full(graph.block, digest("block"), None, &neurons);
        next.antecedent(derived.metagraph, &seen.into());
        next.apply(Position(appended.first), Micros(appended.recorded_at), &derived.clone().into());
        self.fold = next;
        self.last_derived = Some(derived);
        appended
    }

    pub async fn submit(&mut self) -> Appended {
        let derived = self.last_derived.clone().expect("derived");
        let id = self.epoch.to_string();
        let anchored = CheckpointAnchored {
            epoch: self.epoch,
            size: self.size(),
            root: digest("root"),
            extrinsic: digest("anchor"),
            outcome: ChainOutcome::Included { block: BlockNumber(self.block), block_hash: digest("block") },
        };
        let submitted = WeightsSubmitted {
            epoch: self.epoch,
            derived: Position(self.size() - 1),
            extrinsic: digest("weights"),
            nonce: self.epoch,
            era_birth: BlockNumber(self.block),
            era_period: 64,
            version_key: 1,
            uids: derived.weights.iter().map(|weight| weight.uid).collect(),
            weights: derived.weights.iter().map(|weight| weight.weight).collect(),
        };
        self.append("epoch", &id, vec![anchored.into(), submitted.into()]).await
    }

    pub async fn include(&mut self) -> Appended {
        let (block, block_hash) = (BlockNumber(self.block), digest("block"));
        let included = WeightsIncluded { epoch: self.epoch, extrinsic: digest("weights"), block, block_hash };
        let id = self.epoch.to_string();
        self.append("epoch", &id, vec![included.into()]).await
    }

    pub async fn close_epoch(&mut self) -> Appended {
        let closed = EpochClosed { epoch: self.epoch, outcome: EpochOutcome::Included, reason: String::new() };
        let id = self.epoch.to_string();
        let appended = self.append("epoch", &id, vec![closed.into()]).await;
        self.epoch += 1;
        appended
    }

    /// A whole epoch of so many rounds; the round `e<epoch>-c0` needs a second attempt.
    pub async fn epoch(&mut self, rounds: u32) {
        self.open_epoch().await;
        for number in 0..rounds {
            let id = format!("e{}-c{number}", self.epoch);
            if number == 0 {
                self.accept(&id).await;
                self.ask(&id, 1, 0).await;
                self.abandon(&id, 1, false).await;
                let drawn = self.ask(&id, 2, 1).await;
                self.evaluate(&id, 2, &drawn).await;
            } else {
                self.round(&id).await;
            }
        }
        self.derive().await;
        self.submit().await;
        self.include().await;
        self.close_epoch().await;
    }
}

/// Three epochs, in the second of which a slot changes hands and a miner is away; then an open one with an open round.
pub async fn little_log(url: &str) -> World {
    let mut world = World::open(url, 78).await;
    world.epoch(3).await;
    world.metagraph(false, vec![(3, 7)]).await;
    world.sweep(&[2]).await;
    world.epoch(2).await;
    world.epoch(2).await;
    world.open_epoch().await;
    world.round("open-c0").await;
    world.accept("open-c1").await;
    world.ask("open-c1", 1, 2).await;
    world
}
