//! One round outside of any network, told step by step: the validator's task, real miners on loopback, evidence, scores, weights.
//!
//! Nothing is recorded and no chain is asked; everything else is what a validator does, by the same functions. Of Conversation
//! Genome every window of one conversation is played, and the conversation comes from a conversation server on loopback.

mod cast;
mod desk;
mod evidence;
mod exchange;
mod outcome;
mod steps;

use anyhow::{Context, Result, ensure};
use cast::{Player, name};
use desk::Desk;
use domain::events::{Challenge, MetagraphObserved, Statistic};
use domain::mechanism::{self, Mechanism, Stage};
use domain::round::Round;
use domain::ruleset::RuleSet;
use inference::EmbeddingService;
use network::keys::Keypair;
use outcome::Scored;
use std::sync::Arc;
use steps::{Narrator, Step};
use validator::judge::Judge;

/// A ledger that does not exist: requests name one.
const ORIGIN: &str = "assay/0000000000000000/0/";

/// What produces evidence.
pub struct Tools {
    /// Vectors.
    pub embeddings: EmbeddingService,
    /// Verdicts.
    pub judge: Arc<dyn Judge>,
}

/// A round that is played.
struct Game {
    challenge: Challenge,
    round: Round,
    /// Model of the ground truth, where there is one.
    made_by: String,
    /// Model of the vectors.
    embedded_by: String,
}

/// Who plays, and under which rules.
struct Play<'a> {
    mechanism: Arc<dyn Mechanism>,
    tools: &'a Tools,
    validator: Keypair,
    players: Vec<Player>,
    metagraph: MetagraphObserved,
    narrator: Narrator,
}

/// Runs one round of a task under a rule set and prints every step. Fails when nobody earns anything.
///
/// # Errors
/// The step that went wrong.
pub async fn round(rule_set: &RuleSet, challenge: Challenge, tools: &Tools) -> Result<()> {
    let mut play = Play::of(rule_set, tools).await?;
    play.narrator.tell(Step::Task, &[clipped(challenge.prompt.as_deref().unwrap_or_default())]);
    play.rounds(vec![challenge], None).await
}

/// Runs the rounds of one conversation under a rule set of Conversation Genome, from the conversation server to the weights, and
/// prints every step. Fails when nobody earns anything.
///
/// # Errors
/// The step that went wrong.
pub async fn conversation(rule_set: &RuleSet, tools: &Tools) -> Result<()> {
    let mut play = Play::of(rule_set, tools).await?;
    let (mut desk, said) = Desk::open().await?;
    play.narrator.tell(Step::Connect, &said);
    let (windows, said) = desk.reserve(rule_set).await?;
    play.narrator.tell(Step::Task, &said);
    play.rounds(windows, Some(&desk)).await
}

impl<'a> Play<'a> {
    async fn of(rule_set: &RuleSet, tools: &'a Tools) -> Result<Self> {
        let mechanism = mechanism::open(rule_set)?;
        let validator = Keypair::from_uri("//process//validator")?;
        let players = cast::players(rule_set.algorithm(), &tools.embeddings).await?;
        let metagraph = cast::metagraph(&validator, &players);
        let narrator = Narrator::of(rule_set.algorithm(), mechanism.awaits_labels());
        Ok(Self { mechanism, tools, validator, players, metagraph, narrator })
    }

    /// Plays rounds side by side, step by step.
    async fn rounds(mut self, challenges: Vec<Challenge>, desk: Option<&Desk>) -> Result<()> {
        let mut games = self.games(challenges)?;
        let before = self.gather(&mut games, Stage::BeforeIssue).await?;
        self.narrator.tell(Step::Before, &before);
        let drawn = self.drawn(&games);
        self.narrator.tell(Step::Draw, &drawn);
        let (sent, received) = self.ask(&mut games).await?;
        self.narrator.tell(Step::Sent, &sent);
        self.narrator.tell(Step::Received, &received);
        let mut after = self.gather(&mut games, Stage::AfterAnswers).await?;
        if let Some(desk) = desk {
            for game in games.iter().enumerate() {
                after.extend(desk.put(game, self.mechanism.as_ref(), &self.validator, &self.players).await?);
            }
            after.extend(desk::who_scores(self.mechanism.rule_set()));
        }
        self.narrator.tell(Step::After, &after);
        let mut scored = self.evaluate(&games)?;
        if self.mechanism.awaits_labels() {
            let mut said = Vec::new();
            for (game, evaluated) in games.iter().zip(scored.clone()) {
                let (lines, again) = outcome::label(self.mechanism.as_ref(), game, &evaluated, &self.players)?;
                said.extend(lines);
                scored.push(again);
            }
            self.narrator.tell(Step::Label, &said);
        }
        if desk.is_some() {
            self.narrator.tell(Step::Divide, &outcome::shares(&scored, &self.players));
        }
        let own = self.validator.hotkey();
        let (mut weights, earned) = outcome::weights(&self.mechanism, own, &self.metagraph, &scored);
        weights.push("outside of any network: they are sent to no chain".to_owned());
        self.narrator.tell(Step::Weights, &weights);
        ensure!(earned, "nobody earned anything in this round");
        Ok(())
    }

    fn games(&self, challenges: Vec<Challenge>) -> Result<Vec<Game>> {
        let game = |mut challenge: Challenge| {
            challenge.id = format!("process-{}", challenge.id);
            let round = cast::draw(self.mechanism.as_ref(), &challenge, &self.validator, &self.metagraph)?;
            Ok(Game { challenge, round, made_by: String::new(), embedded_by: String::new() })
        };
        challenges.into_iter().map(game).collect()
    }

    async fn gather(&self, games: &mut [Game], stage: Stage) -> Result<Vec<String>> {
        let mut said = Vec::new();
        let many = games.len() > 1;
        for (at, game) in games.iter_mut().enumerate() {
            let lines = evidence::gather(game, self.mechanism.as_ref(), stage, self.tools).await?;
            said.extend(of_window(many, at, lines));
        }
        Ok(said)
    }

    fn drawn(&self, games: &[Game]) -> Vec<String> {
        let line = |(at, game): (usize, &Game)| {
            let drawn: Vec<String> = game
                .round
                .selected()
                .map(|selected| selected.drawn.iter().map(|miner| name(&self.players, &miner.hotkey)).collect())
                .unwrap_or_default();
            let line = format!("drawn: {} of {} miners, {}", drawn.len(), self.players.len(), drawn.join(", "));
            of_window(games.len() > 1, at, vec![line])
        };
        games.iter().enumerate().flat_map(line).collect()
    }

    async fn ask(&self, games: &mut [Game]) -> Result<(Vec<String>, Vec<String>)> {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        let many = games.len() > 1;
        for (at, game) in games.iter_mut().enumerate() {
            let Game { challenge, round, .. } = game;
            let asked = exchange::ask(round, challenge, self.mechanism.as_ref(), &self.validator, &self.players);
            let said = asked.await?;
            sent.extend(of_window(many, at, said.sent));
            received.extend(of_window(many, at, said.received));
        }
        Ok((sent, received))
    }

    /// Scores the rounds one after the other: each goes on from the statistics that the one before left.
    fn evaluate(&mut self, games: &[Game]) -> Result<Vec<Scored>> {
        let (mut scored, mut said): (Vec<Scored>, Vec<String>) = (Vec::new(), Vec::new());
        let mut statistics: Vec<Statistic> = Vec::new();
        for (at, Game { challenge, round, .. }) in games.iter().enumerate() {
            let events = round.evaluate(challenge, self.mechanism.as_ref(), &statistics);
            let events = events.context("the round cannot be evaluated")?;
            statistics = outcome::parts(&events).map(|(_, round)| round.statistics).unwrap_or_default();
            said.extend(of_window(games.len() > 1, at, outcome::scores(&events, &self.players)));
            scored.push((validator::clock::now(), events));
        }
        self.narrator.tell(Step::Scores, &said);
        Ok(scored)
    }
}

/// Lines that say which of several windows they are of.
fn of_window(many: bool, at: usize, lines: Vec<String>) -> Vec<String> {
    if many { lines.into_iter().map(|line| format!("window {at}: {line}")).collect() } else { lines }
}

fn clipped(text: &str) -> String {
    const LONGEST: usize = 160;
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().count() > LONGEST { format!("{plain}\u{2026}") } else { plain }
}
