//! The conversation server of Conversation Genome, on loopback: a conversation is reserved there, and what was found is brought back.

use super::cast::Player;
use super::{Game, clipped};
use crate::subnets::{CGP, NetworkName};
use anyhow::{Context, Result};
use conversations::server::{Config, Server};
use conversations::{Client, ClientConfig, store};
use domain::cgp::constants::Constants;
use domain::events::Challenge;
use domain::mechanism::Mechanism;
use domain::ruleset::RuleSet;
use network::keys::Keypair;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use validator::sources::served;

/// The conversations that come with the program.
const SHIPPED: &str = include_str!("../../demo/conversations.jsonl");

/// The server, and the way to it.
pub struct Desk {
    client: Client,
    serving: JoinHandle<()>,
    guid: String,
    _folder: TempDir,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Desk {
    /// Starts the server with the shipped conversations and opens a client. Says where it is.
    ///
    /// # Errors
    /// A folder or an address that cannot be had.
    pub async fn open() -> Result<(Self, Vec<String>)> {
        let folder = tempfile::tempdir().context("a folder for the conversation server cannot be made")?;
        let file = folder.path().join("conversations.jsonl");
        let (path, records) = (file.clone(), folder.path().join("records"));
        let stock = tokio::task::spawn_blocking(move || {
            std::fs::write(&path, SHIPPED)?;
            anyhow::Ok(store::read(&path)?)
        });
        let stock = stock.await??;
        let count = stock.len();
        let server = Server::bind(Config::new(([127, 0, 0, 1], 0).into(), records), stock).await?;
        let address = format!("http://{}", server.address());
        let serving = tokio::spawn(server.run(std::future::pending()));
        let client = Client::open(&ClientConfig::new(&address))?;
        let said = vec![format!("{address} holds {count} conversations")];
        Ok((Self { client, serving, guid: String::new(), _folder: folder }, said))
    }

    /// Reserves a conversation and cuts it into windows, a challenge each. Says what it is.
    ///
    /// # Errors
    /// A server that gives none, and a conversation that is too short.
    pub async fn reserve(&mut self, rule_set: &RuleSet) -> Result<(Vec<Challenge>, Vec<String>)> {
        let found = self.client.reserve().await?.conversation;
        self.guid.clone_from(&found.guid);
        let (lines, people) = (found.lines.len(), found.participants.len());
        let mut said = vec![format!("reserved {}: {lines} lines of {people} participants", found.guid)];
        let challenges = served::windows(found, rule_set).map_err(anyhow::Error::msg)?;
        for (at, challenge) in challenges.iter().enumerate() {
            said.push(format!("window {at}: {}", clipped(challenge.prompt.as_deref().unwrap_or_default())));
        }
        Ok((challenges, said))
    }

    /// Puts the records of a window's round: of the whole conversation once, and of every answer. Says how the answers' tags
    /// compare with the ground truth.
    ///
    /// # Errors
    /// A server that takes none.
    pub async fn put(
        &self,
        (at, game): (usize, &Game),
        mechanism: &dyn Mechanism,
        validator: &Keypair,
        players: &[Player],
    ) -> Result<Vec<String>> {
        let by = served::MadeBy { model: game.made_by.clone(), embeddings_model: game.embedded_by.clone() };
        let netuid = CGP.number(NetworkName::Local).context("the subnet has no number")?;
        let facts = game.round.facts(&game.challenge, mechanism, &[])?;
        let found = served::records(mechanism.rule_set(), (&game.challenge, &facts), by, (netuid, validator.hotkey()));
        let (whole, answers) = found.map_err(anyhow::Error::msg)?;
        let mut said = Vec::new();
        let Some(whole) = whole else { return Ok(vec![format!("window {at}: the conversation is left out")]) };
        if at == 0 {
            self.client.record(&self.guid, &whole).await?;
            said.push(format!("put the ground truth of the whole conversation: {} tags", whole.data.tags.len()));
        }
        for answer in answers {
            self.client.record(&self.guid, &answer).await?;
            let who = players.iter().find(|player| player.keypair.ss58() == answer.hotkey);
            let who = who.map_or(answer.hotkey.as_str(), |player| player.name);
            let (shared, own): (Vec<&String>, Vec<&String>) =
                answer.data.tags.iter().partition(|tag| whole.data.tags.contains(tag));
            let list = |tags: &[&String]| tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ");
            let (count, all) = (shared.len(), answer.data.tags.len());
            let which = if shared.is_empty() { String::new() } else { format!(": {}", clipped(&list(&shared))) };
            said.push(format!(
                "window {at}: put {who}'s answer; {count} of its {all} tags are in the ground truth{which}"
            ));
            if !own.is_empty() {
                said.push(format!("window {at}: {who}'s own: {}", clipped(&list(&own))));
            }
        }
        Ok(said)
    }
}

/// Who scores what: the server keeps records, the validator scores tags, and profiles are scored by nobody.
pub fn who_scores(rule_set: &RuleSet) -> Vec<String> {
    let mut said = vec!["the server keeps the records and returns no scores: the validator scores the tags".to_owned()];
    let stated = rule_set.constants::<Constants>().ok().and_then(|constants| constants.profiles);
    said.push(match stated {
        Some(profiles) => format!(
            "profiles: the document lets the {} score them; it has no route for it and there is no formula, so nobody does; they weigh {}",
            profiles.stated_scorer, profiles.weight
        ),
        None => "profiles: nobody scores them; they are recorded and weigh nothing".to_owned(),
    });
    said
}
