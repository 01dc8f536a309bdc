//! Evidence: what the mechanism asks for, produced by the same functions as in a validator.

use super::{Game, Tools, clipped};
use anyhow::{Result, bail};
use domain::Aggregate;
use domain::cgp::requests::GROUND_TRUTH;
use domain::events::Event;
use domain::mechanism::{Mechanism, Stage};
use validator::evidence::{self, Of};

/// Evidence may depend on other evidence so many times in a row.
const MAX_LOOKS: usize = 8;

/// Produces what the mechanism asks for. Says what it was.
///
/// # Errors
/// A model that fails, and rules that ask without end.
pub async fn gather(game: &mut Game, mechanism: &dyn Mechanism, stage: Stage, tools: &Tools) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let Game { challenge, round, .. } = game;
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
            if verdict.purpose == GROUND_TRUTH {
                game.made_by.clone_from(&verdict.model);
            }
            round.apply(&Event::JudgementRecorded(verdict));
        }
        if !texts.is_empty() {
            let vectors =
                evidence::vectors(&tools.embeddings, mechanism, of, texts).await.map_err(anyhow::Error::msg)?;
            for event in vectors {
                let (parts, model) = (event.parts.len(), &event.model.name);
                said.push(format!("vectors by {model}: a text of role {:?} and {parts} parts of it", event.role));
                game.embedded_by.clone_from(model);
                round.apply(&Event::EmbeddingComputed(event));
            }
        }
    }
    bail!("{} asks for evidence without end", mechanism.rule_set().name())
}
