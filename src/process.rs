//! One round outside of any network, told step by step: the validator's task, real miners on loopback, evidence, scores, weights.
//!
//! Nothing is recorded and no chain is asked; everything else is what a validator does, by the same functions.

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use domain::Aggregate;
use domain::epoch::EpochFold;
use domain::events::{
    Challenge, ChallengeIssued, DrawnMiner, Event, FailureReason, MetagraphObserved, Neuron, ResponseFailed,
    ResponseReceived, ResponseScored, RoundEvaluated,
};
use domain::mechanism::{self, Evaluation, LabelFacts, Mechanism, Stage};
use domain::metagraph::Metagraph;
use domain::round::{self, Round};
use domain::ruleset::RuleSet;
use domain::selection::{self, SelectionInput};
use domain::types::{Block, BlockNumber, HexBytes, Hotkey, Micros, Position, Rao, Uid, sha256};
use domain::wire;
use inference::EmbeddingService;
use miner::{Behaviour, EmbeddingSource, MinerConfig, Profile, Server, subnets};
use network::keys::Keypair;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use validator::evidence::{self, Of};
use validator::judge::Judge;
use validator::sources;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Evidence may depend on other evidence so many times in a row.
const MAX_LOOKS: usize = 8;
/// Two honest miners and one who answers at once without reading.
const MINERS: [(&str, Behaviour); 3] =
    [("ada", Behaviour::Honest), ("bela", Behaviour::Honest), ("spammer", Behaviour::Spammer)];
/// A ledger that does not exist: requests name one.
const ORIGIN: &str = "assay/0000000000000000/0/";

/// What produces evidence.
pub struct Tools {
    /// Vectors.
    pub embeddings: EmbeddingService,
    /// Verdicts.
    pub judge: Arc<dyn Judge>,
}

struct Player {
    name: &'static str,
    keypair: Keypair,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Runs one round of a task under a rule set and prints every step. Fails when nobody earns anything.
///
/// # Errors
/// The step that went wrong.
pub async fn round(rule_set: &RuleSet, mut challenge: Challenge, tools: &Tools) -> Result<()> {
    let mechanism = mechanism::open(rule_set)?;
    let validator = Keypair::from_uri("//process//validator")?;
    let origin = format!("{ORIGIN}{}", validator.ss58());
    challenge.id = format!("process-{}", challenge.id);
    step(1, "Task", &[clipped(challenge.prompt.as_deref().unwrap_or_default())]);
    let players = players(rule_set.algorithm(), &tools.embeddings).await?;
    let metagraph = metagraph(&validator, &players);
    let mut round = draw(mechanism.as_ref(), &challenge, &origin, &validator, &metagraph)?;
    let drawn: Vec<String> =
        round.selected().map(|s| s.drawn.iter().map(|m| name(&players, &m.hotkey)).collect()).unwrap_or_default();
    step(2, "Draw", &[format!("{} of {} miners: {}", drawn.len(), players.len(), drawn.join(", "))]);
    let before = gather(&mut round, &challenge, mechanism.as_ref(), Stage::BeforeIssue, tools).await?;
    step(3, "Evidence before any miner is asked", &before);
    let asked = ask(&mut round, &challenge, mechanism.as_ref(), (&origin, &validator), &players).await?;
    step(4, "Requests and answers", &asked);
    let after = gather(&mut round, &challenge, mechanism.as_ref(), Stage::AfterAnswers, tools).await?;
    step(5, "Evidence of the answers", &after);
    let events = round.evaluate(&challenge, mechanism.as_ref(), &[]).context("the round cannot be evaluated")?;
    let evaluated = validator::clock::now();
    step(6, "Scores", &scores(&events, &players));
    let mut scored = vec![(evaluated, events)];
    if mechanism.awaits_labels() {
        scored.push(label(mechanism.as_ref(), &challenge, evaluated, &scored[0].1, &players)?);
    }
    let (weights, earned) = weights(&mechanism, &validator, &metagraph, &scored);
    step(7, "Weights after this one round", &weights);
    ensure!(earned, "nobody earned anything in this round");
    Ok(())
}

/// Reveals the round's label at the first moment at which its source knows it, without waiting for that moment, and scores
/// the round once more. Gives the moment and the scores.
fn label(
    mechanism: &dyn Mechanism,
    challenge: &Challenge,
    evaluated: Micros,
    events: &[Event],
    players: &[Player],
) -> Result<(Micros, Vec<Event>)> {
    let found = sources::first_label(mechanism.rule_set(), challenge, evaluated).map_err(anyhow::Error::msg)?;
    let (revealed, source, label) = found.context("no source tells the label of this round")?;
    let (scores, round) = parts(events).context("the round is not evaluated")?;
    let seconds = (revealed.0 - evaluated.0) as f64 / 1e6;
    let title = format!("Scores by the label, which is known {seconds:.0} s after the evaluation");
    let mut lines = vec![format!("label of {source}: {}", clipped(&label))];
    let statistics = round.statistics.clone();
    let round = Evaluation { scores, round };
    let facts = LabelFacts { position: Position(7), source, label, revealed, evaluated, round, statistics };
    let again = round::events(mechanism.evaluate_label(&facts).context("the round cannot be scored by its label")?);
    lines.extend(self::scores(&again, players));
    step(6, &title, &lines);
    Ok((revealed, again))
}

fn step(number: u32, title: &str, lines: &[String]) {
    output::line(output::bold(&format!("{number}. {title}")));
    for line in lines {
        output::line(format!("   {line}"));
    }
    if lines.is_empty() {
        output::line("   none is asked for");
    }
}

fn clipped(text: &str) -> String {
    const LONGEST: usize = 160;
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().count() > LONGEST { format!("{plain}\u{2026}") } else { plain }
}

/// Starts the miners on loopback and waits until they answer.
async fn players(subnet: &str, embeddings: &EmbeddingService) -> Result<Vec<Player>> {
    let mut players = Vec::new();
    for (at, (name, behaviour)) in (1u16..).zip(MINERS) {
        let keypair = Keypair::from_uri(&format!("//process//{name}"))?;
        let source = EmbeddingSource::Shared(embeddings.clone());
        let mut config = MinerConfig::new(([127, 0, 0, 1], 0).into(), keypair.clone(), source);
        config.behaviour = behaviour;
        config.profile = Profile::numbered(at);
        config.subnet = subnets::open(subnet, at, &subnets::Data::default())?;
        let server = Server::bind(config).await?;
        let address = server.address();
        let serving = tokio::spawn(async move {
            if let Err(error) = server.serve(std::future::pending()).await {
                tracing::warn!(%error, "a miner ended");
            }
        });
        players.push(Player { name, keypair, address, serving });
    }
    for player in &players {
        ready(player).await?;
    }
    Ok(players)
}

async fn ready(player: &Player) -> Result<()> {
    let url = format!("http://{}/availability", player.address);
    for _ in 0..600 {
        if let Ok(reply) = reqwest::get(&url).await
            && reply.json::<serde_json::Value>().await.is_ok_and(|body| body["available"] == true)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("miner {} does not become ready", player.name)
}

fn name(players: &[Player], hotkey: &Hotkey) -> String {
    let found = players.iter().find(|player| player.keypair.hotkey() == *hotkey);
    found.map_or_else(|| hotkey.to_string(), |player| player.name.to_owned())
}

fn metagraph(validator: &Keypair, players: &[Player]) -> MetagraphObserved {
    let neuron = |uid: u16, hotkey: Hotkey, port: u16, permit: bool| Neuron {
        uid: Uid(uid),
        hotkey,
        coldkey: hotkey,
        ip: "127.0.0.1".into(),
        port,
        stake: Rao(0),
        validator_permit: permit,
        last_update: BlockNumber(0),
    };
    let own = validator.hotkey();
    let mut neurons = vec![neuron(0, own, 0, true)];
    neurons.extend((1..).zip(players).map(|(uid, p)| neuron(uid, p.keypair.hotkey(), p.address.port(), false)));
    Metagraph::full(BlockNumber(1), sha256(b"process"), Some(own), &neurons)
}

fn draw(
    mechanism: &dyn Mechanism,
    challenge: &Challenge,
    origin: &str,
    validator: &Keypair,
    observed: &MetagraphObserved,
) -> Result<Round> {
    let mut metagraph = Metagraph::default();
    metagraph.observe(observed);
    let probe = |neuron: &Neuron| domain::events::Probe {
        hotkey: neuron.hotkey,
        available: true,
        reason: String::new(),
        latency_ms: 0,
    };
    let mut probes: Vec<_> = observed.neurons.iter().filter(|neuron| neuron.port != 0).map(probe).collect();
    probes.sort_by_key(|probe| probe.hotkey);
    let selected = selection::select(&SelectionInput {
        challenge_id: &challenge.id,
        attempt: 1,
        accepted: Position(1),
        block_hash: observed.block_hash,
        commitment: wire::commitment(challenge)?,
        origin,
        own: validator.hotkey(),
        metagraph: (Position(2), &metagraph),
        sweep: (Position(3), &domain::events::AvailabilitySwept { probes }),
        priorities: None,
        mechanism,
    });
    ensure!(!selected.drawn.is_empty(), "no miner could be drawn");
    let mut round = Round::default();
    round.apply(&Event::MinersSelected(selected));
    Ok(round)
}

/// Produces what the mechanism asks for. Says what it was.
async fn gather(
    round: &mut Round,
    challenge: &Challenge,
    mechanism: &dyn Mechanism,
    stage: Stage,
    tools: &Tools,
) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let of = Of { challenge_id: &challenge.id, attempt: 1 };
    for _ in 0..MAX_LOOKS {
        let (texts, requests) = evidence::sorted(mechanism.wants(stage, &round.facts(challenge, mechanism, &[])?));
        if texts.is_empty() && requests.is_empty() {
            return Ok(said);
        }
        for request in requests {
            let verdict =
                evidence::verdict(tools.judge.as_ref(), mechanism, of, request).await.map_err(anyhow::Error::msg)?;
            let reply = clipped(&String::from_utf8_lossy(verdict.reply.bytes()));
            said.push(format!("{} by {}: {reply}", verdict.purpose, verdict.model));
            round.apply(&Event::JudgementRecorded(verdict));
        }
        if !texts.is_empty() {
            let vectors =
                evidence::vectors(&tools.embeddings, mechanism, of, texts).await.map_err(anyhow::Error::msg)?;
            for event in vectors {
                let (parts, model) = (event.parts.len(), &event.model.name);
                said.push(format!("vectors by {model}: a text of role {:?} and {parts} parts of it", event.role));
                round.apply(&Event::EmbeddingComputed(event));
            }
        }
    }
    bail!("{} asks for evidence without end", mechanism.rule_set().name())
}

/// Asks every drawn miner over HTTP, with a receipt, and takes in what comes.
async fn ask(
    round: &mut Round,
    challenge: &Challenge,
    mechanism: &dyn Mechanism,
    (origin, validator): (&str, &Keypair),
    players: &[Player],
) -> Result<Vec<String>> {
    let drawn = round.selected().map(|selected| selected.drawn.clone()).unwrap_or_default();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut said = Vec::new();
    for miner in &drawn {
        let mut issued = issue(challenge, miner);
        let wire::IssuedRequest { body, hash, .. } = wire::issued_request(mechanism, challenge, origin, Position(4), &issued)?;
        issued.request_hash = hash;
        issued.receipt = HexBytes(validator.sign(&wire::request_message(&hash.0)));
        round.apply(&Event::ChallengeIssued(issued.clone()));
        let sent_at = validator::clock::now();
        let request = client.post(format!("{}/inference", issued.address)).body(body.clone());
        let request = request.header("content-type", "application/json");
        let request = request.header(wire::header::VALIDATOR_HOTKEY, validator.ss58());
        let reply = request.header(wire::header::SIGNATURE, issued.receipt.to_string()).send().await?;
        let status = reply.status().as_u16();
        let answer = reply.bytes().await?.to_vec();
        let received_at = validator::clock::now();
        let took = received_at.0.saturating_sub(sent_at.0) / 1000;
        let parsed = mechanism.parse_response(&answer).ok().filter(|_| status == 200);
        let who = name(players, &miner.hotkey);
        said.push(match &parsed {
            Some(text) => format!("{who}: {} bytes sent, answered in {took} ms: {}", body.len(), clipped(text)),
            None => format!("{who}: no usable answer, status {status}: {}", clipped(&String::from_utf8_lossy(&answer))),
        });
        let event = outcome(&issued, parsed.is_some(), status, answer, sent_at, received_at);
        round.place(miner.hotkey, Position(5));
        round.apply(&event);
    }
    Ok(said)
}

fn issue(challenge: &Challenge, miner: &DrawnMiner) -> ChallengeIssued {
    ChallengeIssued {
        challenge_id: challenge.id.clone(),
        attempt: 1,
        hotkey: miner.hotkey,
        address: format!("http://{}:{}", miner.ip, miner.port),
        dialect: wire::Dialect::Http.name().into(),
        request_hash: HexBytes([0; 32]),
        nonce: miner.hotkey.to_string(),
        deadline: validator::clock::after(validator::clock::now(), PATIENCE),
        receipt: HexBytes([0; 64]),
    }
}

fn outcome(
    issued: &ChallengeIssued,
    usable: bool,
    status: u16,
    body: Vec<u8>,
    sent_at: Micros,
    received_at: Micros,
) -> Event {
    let (challenge_id, attempt, hotkey) = (issued.challenge_id.clone(), issued.attempt, issued.hotkey);
    let (request_hash, body) = (issued.request_hash, Block::new(body));
    if !usable {
        let (reason, detail) = (FailureReason::Malformed, String::new());
        let (failed_at, signature, signed_by) = (received_at, None, None);
        let failed = ResponseFailed {
            challenge_id,
            attempt,
            hotkey,
            reason,
            detail,
            sent_at,
            failed_at,
            status,
            request_hash,
            signature,
            signed_by,
            body,
        };
        return failed.into();
    }
    let response_time_ms = u32::try_from(received_at.0.saturating_sub(sent_at.0) / 1000).unwrap_or(u32::MAX);
    ResponseReceived {
        challenge_id,
        attempt,
        hotkey,
        address: issued.address.clone(),
        dialect: issued.dialect.clone(),
        status,
        sent_at,
        first_byte_at: received_at,
        received_at,
        response_time_ms,
        request_hash,
        signature: None,
        body,
    }
    .into()
}

/// A round's scores and its evaluation.
fn parts(events: &[Event]) -> Option<(Vec<ResponseScored>, RoundEvaluated)> {
    let (mut scores, mut round) = (Vec::new(), None);
    for event in events {
        match event {
            Event::ResponseScored(scored) => scores.push(scored.clone()),
            Event::RoundEvaluated(evaluated) => round = Some(evaluated.clone()),
            _ => {}
        }
    }
    Some((scores, round?))
}

fn scores(events: &[Event], players: &[Player]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::ResponseScored(scored) => {
            let parts: Vec<String> = scored.components.iter().map(|c| format!("{} {:.4}", c.name, c.value)).collect();
            let reason = scored.reason.map(|reason| format!(" ({reason:?})")).unwrap_or_default();
            Some(format!("{}: {:.6}{reason}  {}", name(players, &scored.hotkey), scored.score, parts.join(", ")))
        }
        Event::RoundEvaluated(round) => {
            let parts: Vec<String> = round.components.iter().map(|c| format!("{} {:.4}", c.name, c.value)).collect();
            Some(format!("round: {}", parts.join(", ")))
        }
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

/// The weights that follow, a line each, and whether anybody earned.
fn weights(
    mechanism: &Arc<dyn Mechanism>,
    validator: &Keypair,
    observed: &MetagraphObserved,
    scored: &[(Micros, Vec<Event>)],
) -> (Vec<String>, bool) {
    let mut fold = EpochFold::genesis(Arc::clone(mechanism), validator.hotkey());
    let at = validator::clock::now();
    let swept = observed.neurons.iter().filter(|neuron| neuron.port != 0).map(|neuron| domain::events::Probe {
        hotkey: neuron.hotkey,
        available: true,
        reason: String::new(),
        latency_ms: 0,
    });
    fold.apply(
        Position(0),
        at,
        &Event::AvailabilitySwept(domain::events::AvailabilitySwept { probes: swept.collect() }),
    );
    let events = || scored.iter().flat_map(|(at, events)| events.iter().map(|event| (*at, event)));
    for (at, event) in events() {
        fold.apply(Position(6), at, event);
    }
    let at = scored.last().map_or(at, |(at, _)| *at);
    fold.apply(Position(8), at, &Event::MetagraphObserved(observed.clone()));
    let derived = fold.derive();
    let mut lines: Vec<String> =
        derived.weights.iter().map(|w| format!("uid {}: {} of 65535", w.uid, w.weight)).collect();
    lines.extend(derived.zeros.iter().map(|zero| format!("uid {}: 0 ({:?})", zero.uid, zero.reason)));
    let earned = events().any(|(_, event)| matches!(event, Event::ResponseScored(scored) if scored.score > 0.0));
    (lines, earned)
}
