//! How far a challenge is, read from its own streams. Content is shown only after its round's evaluation is committed.

use std::collections::BTreeMap;

use domain::events::{Event, MinersSelected};
use domain::mechanism::Mechanism;
use domain::round;
use domain::types::{Hotkey, Micros, Position};

use super::{AnswerView, AttemptState, AttemptStatus, ChallengeState, ChallengeStatus, MinerOutcome, MinerStatus};
use crate::Error;
use crate::board::decode;
use crate::rounds::LAST_ATTEMPT;
use crate::rules;
use crate::shared::{Shared, streams};

/// Events of one stream with their positions.
type Recorded = Vec<(Position, Micros, Event)>;

/// The events of a stream that are not erased.
pub(super) async fn stream(shared: &Shared, stream_type: &str, stream_id: &str) -> Result<Recorded, Error> {
    let stored = shared.journal.ledger().reader().stream(stream_type, stream_id, 1).await?;
    let mut events = Vec::with_capacity(stored.len());
    for row in &stored {
        if let Some(event) = decode(row)? {
            events.push((Position(row.position), Micros(row.recorded_at), event));
        }
    }
    Ok(events)
}

/// The status of a challenge; none when there is no such challenge.
pub(super) async fn of(shared: &Shared, id: &str) -> Result<Option<ChallengeStatus>, Error> {
    let acceptance = stream(shared, streams::CHALLENGE, id).await?;
    let accepted = acceptance.into_iter().find_map(|(position, time, event)| match event {
        Event::ChallengeAccepted(accepted) => Some((position, time, accepted.commitment)),
        _ => None,
    });
    let Some((accepted, accepted_at, commitment)) = accepted else { return Ok(None) };
    let mut status = ChallengeStatus {
        id: id.to_owned(),
        state: ChallengeState::Queued,
        accepted,
        accepted_at,
        commitment,
        attempts: Vec::new(),
        best_answer: None,
        consensus: None,
        consensus_achieved: None,
    };
    for attempt in 1..=LAST_ATTEMPT {
        let events = stream(shared, round::STREAM_TYPE, &round::stream_id(id, attempt)).await?;
        if events.is_empty() {
            break;
        }
        add_attempt(shared, &mut status, &events).await?;
    }
    Ok(Some(status))
}

async fn add_attempt(shared: &Shared, status: &mut ChallengeStatus, events: &Recorded) -> Result<(), Error> {
    let drawn = events.iter().find_map(|(position, _, event)| match event {
        Event::MinersSelected(selected) => Some((*position, selected)),
        _ => None,
    });
    let Some((position, selected)) = drawn else { return Ok(()) };
    let mut attempt = AttemptStatus {
        attempt: selected.attempt,
        state: AttemptState::Running,
        selected: position,
        ended: None,
        rule_set: selected.rule_set,
        abandoned: None,
        miners: miners(selected, events),
    };
    status.state = ChallengeState::Running;
    for (position, _, event) in events {
        match event {
            Event::RoundAbandoned(abandoned) => {
                attempt.state = AttemptState::Abandoned;
                attempt.ended = Some(*position);
                attempt.abandoned = Some(abandoned.reason);
                status.state = if abandoned.last { ChallengeState::Abandoned } else { ChallengeState::Queued };
            }
            Event::RoundEvaluated(evaluated) => {
                attempt.state = AttemptState::Evaluated;
                attempt.ended = Some(*position);
                status.state = ChallengeState::Evaluated;
                status.consensus = Some(evaluated.consensus);
                status.consensus_achieved = Some(evaluated.consensus_achieved);
                if let Some(best) = evaluated.best {
                    // Read as it was read then: the rules in force now may be others.
                    let mechanism = rules::of_round(shared, selected.rule_set).await?;
                    status.best_answer = mechanism.and_then(|rules| answer(rules.as_ref(), selected, events, best));
                }
                reveal_scores(&mut attempt, events);
            }
            _ => {}
        }
    }
    status.attempts.push(attempt);
    Ok(())
}

/// What came of each drawn miner, without content.
fn miners(selected: &MinersSelected, events: &Recorded) -> Vec<MinerStatus> {
    let blank = |miner: &domain::events::DrawnMiner| MinerStatus {
        hotkey: miner.hotkey,
        uid: miner.uid,
        outcome: MinerOutcome::Drawn,
        issued: None,
        answered: None,
        failure: None,
        response_time_ms: None,
        score: None,
        filtered: None,
        reason: None,
    };
    let mut miners: Vec<MinerStatus> = selected.drawn.iter().map(blank).collect();
    let places: BTreeMap<Hotkey, usize> = miners.iter().enumerate().map(|(at, miner)| (miner.hotkey, at)).collect();
    for (position, _, event) in events {
        let (hotkey, outcome) = match event {
            Event::ChallengeIssued(issued) => (issued.hotkey, MinerOutcome::Asked),
            Event::ResponseReceived(response) => (response.hotkey, MinerOutcome::Answered),
            Event::ResponseFailed(failure) => (failure.hotkey, MinerOutcome::Failed),
            _ => continue,
        };
        let Some(miner) = places.get(&hotkey).and_then(|at| miners.get_mut(*at)) else { continue };
        miner.outcome = outcome;
        match event {
            Event::ChallengeIssued(_) => miner.issued = Some(*position),
            Event::ResponseFailed(failure) => {
                miner.answered = Some(*position);
                miner.failure = Some(failure.reason);
            }
            Event::ResponseReceived(response) => {
                miner.answered = Some(*position);
                miner.response_time_ms = Some(response.response_time_ms);
            }
            _ => {}
        }
    }
    miners
}

fn reveal_scores(attempt: &mut AttemptStatus, events: &Recorded) {
    for (_, _, event) in events {
        let Event::ResponseScored(scored) = event else { continue };
        if let Some(miner) = attempt.miners.iter_mut().find(|miner| miner.hotkey == scored.hotkey) {
            miner.score = Some(scored.score);
            miner.filtered = scored.filtered;
            miner.reason = scored.reason;
        }
    }
}

fn answer(mechanism: &dyn Mechanism, selected: &MinersSelected, events: &Recorded, best: Hotkey) -> Option<AnswerView> {
    let uid = selected.drawn.iter().find(|miner| miner.hotkey == best)?.uid;
    events.iter().find_map(|(position, _, event)| match event {
        Event::ResponseReceived(response) if response.hotkey == best => {
            let text = mechanism.parse_response(response.body.bytes()).ok()?;
            let response_time_ms = response.response_time_ms;
            Some(AnswerView { hotkey: best, uid, text, response_time_ms, position: *position })
        }
        _ => None,
    })
}
