//! What comes of a round: scores, the label where one is awaited, shares and weights.

use super::cast::{Player, name, swept};
use super::{Game, clipped};
use anyhow::{Context, Result};
use domain::epoch::EpochFold;
use domain::events::{Event, MetagraphObserved, ResponseScored, RoundEvaluated};
use domain::mechanism::{Evaluation, LabelFacts, Mechanism};
use domain::round;
use domain::types::{Hotkey, Micros, Position};
use std::sync::Arc;
use validator::sources;

/// Scores and evaluation of a round, and when they stand.
pub type Scored = (Micros, Vec<Event>);

/// Reveals the round's label at the first moment at which its source knows it, without waiting for that moment, and scores
/// the round once more. Gives what is to say and the scores.
///
/// # Errors
/// A label that no source tells, or that the mechanism cannot use.
pub fn label(
    mechanism: &dyn Mechanism,
    game: &Game,
    (evaluated, events): &Scored,
    players: &[Player],
) -> Result<(Vec<String>, Scored)> {
    let evaluated = *evaluated;
    let found = sources::first_label(mechanism.rule_set(), &game.challenge, evaluated).map_err(anyhow::Error::msg)?;
    let (revealed, source, label) = found.context("no source tells the label of this round")?;
    let (scores, round) = parts(events).context("the round is not evaluated")?;
    let seconds = (revealed.0 - evaluated.0) as f64 / 1e6;
    let known = format!("label of {source}, known {seconds:.0} s after the evaluation: {}", clipped(&label));
    let statistics = round.statistics.clone();
    let round = Evaluation { scores, round };
    let facts = LabelFacts { position: Position(7), source, label, revealed, evaluated, round, statistics };
    let again = round::events(mechanism.evaluate_label(&facts).context("the round cannot be scored by its label")?);
    let mut lines = vec![known];
    lines.extend(self::scores(&again, players));
    Ok((lines, (revealed, again)))
}

/// A round's scores and its evaluation.
pub fn parts(events: &[Event]) -> Option<(Vec<ResponseScored>, RoundEvaluated)> {
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

/// A line for each score with its components, and one for the round.
pub fn scores(events: &[Event], players: &[Player]) -> Vec<String> {
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

/// A line for each miner: its scores in all rounds, and their share of everybody's. Where a curve made them of base scores, those
/// too.
pub fn shares(scored: &[Scored], players: &[Player]) -> Vec<String> {
    let of = |hotkey: Hotkey| -> Vec<(f64, Option<f64>)> {
        let events = scored.iter().flat_map(|(_, events)| events);
        let score = |event: &Event| match event {
            Event::ResponseScored(scored) if scored.hotkey == hotkey => {
                let base = scored.components.iter().find(|component| component.name == "base_score");
                Some((scored.score, base.map(|base| base.value)))
            }
            _ => None,
        };
        events.filter_map(score).collect()
    };
    let all: Vec<Vec<(f64, Option<f64>)>> = players.iter().map(|player| of(player.keypair.hotkey())).collect();
    let total: f64 = all.iter().flatten().map(|(score, _)| score).sum();
    let line = |(player, scores): (&Player, &Vec<(f64, Option<f64>)>)| {
        let own: f64 = scores.iter().map(|(score, _)| score).sum();
        let share = if total > 0.0 { 100.0 * own / total } else { 0.0 };
        let scores: Vec<String> = scores
            .iter()
            .map(|(score, base)| {
                base.map_or(format!("{score:.4}"), |base| format!("{score:.4} (base score {base:.2})"))
            })
            .collect();
        format!("{}: {}, which is {share:.1} % of what all have", player.name, scores.join(" + "))
    };
    let curve = all.iter().flatten().any(|(_, base)| base.is_some());
    let curve = curve
        .then(|| "by the bell curve: the nearer a base score is to its window's mean, the more it earns".to_owned());
    curve.into_iter().chain(players.iter().zip(&all).map(line)).collect()
}

/// The weights that follow, a line each, and whether anybody earned.
pub fn weights(
    mechanism: &Arc<dyn Mechanism>,
    own: Hotkey,
    observed: &MetagraphObserved,
    scored: &[Scored],
) -> (Vec<String>, bool) {
    let mut fold = EpochFold::genesis(Arc::clone(mechanism), own);
    let at = validator::clock::now();
    fold.apply(Position(0), at, &Event::AvailabilitySwept(swept(observed)));
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
