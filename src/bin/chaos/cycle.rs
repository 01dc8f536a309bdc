//! One cycle: a validator is started, something is broken at a point, and what must follow is waited for.

use crate::chance::Chance;
use crate::child::{Child, was_killed};
use crate::points::Point;
use crate::proxy::Proxy;
use crate::pusher::Pusher;
use crate::stage::Stage;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a validator may take until it meets its point.
const REACH: Duration = Duration::from_secs(60);
/// How often a point that was not met in time is tried again.
const TRIES: u32 = 3;
/// How long a validator may take to work again after its database was away.
const RECOVERY: Duration = Duration::from_secs(60);
/// How long it may take to come up.
const START: Duration = Duration::from_secs(60);
/// At most so long after the start (or the chosen event) something is broken, in milliseconds.
const ANY_MOMENT: u64 = 3_000;
const JUST_AFTER: u64 = 40;
/// Between two looks at the log.
const LOOK: Duration = Duration::from_millis(10);
/// Cuts of one cycle.
const CUTS: u32 = 3;

/// What one cycle came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cycle {
    /// From 1.
    pub(crate) number: u32,
    /// The point's name.
    pub(crate) point: String,
    /// How often it was tried until it was met.
    pub(crate) tries: u32,
    /// What happened besides.
    pub(crate) note: String,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// Runs a cycle. An error is a validator that did what it must not, or did not do what it must.
pub(crate) async fn run(
    stage: &mut Stage,
    pusher: &mut Pusher,
    number: u32,
    point: Point,
    chance: &mut Chance,
) -> Result<Cycle> {
    let begun = Instant::now();
    let (tries, note) = match point {
        Point::Fault(name) => fault(stage, name, chance).await?,
        Point::Kill => (1, kill(stage, chance).await?),
        Point::PowerCut => (1, power_cut(stage, chance).await?),
        Point::Crash(kind) => (1, crash(stage, pusher, kind, chance).await?),
        Point::Cut => (1, cut(stage, pusher, chance).await?),
    };
    stage.check()?;
    pusher.check()?;
    Ok(Cycle { number, point: point.to_string(), tries, note, seconds: begun.elapsed().as_secs_f64() })
}

/// The validator kills itself at a named point. That it did is shown by how it ended and by what it said last.
async fn fault(stage: &mut Stage, name: &'static str, chance: &mut Chance) -> Result<(u32, String)> {
    for tries in 1..=TRIES {
        let pass = chance.between(1, passes(name));
        let mut child = stage.start_validator(Some(format!("{name}:{pass}")), None)?;
        let Some(status) = child.exit(REACH).await? else {
            child.kill().await?;
            continue;
        };
        let said = child.output();
        let last = said.lines().rev().find(|line| line.contains("the process ends itself here"));
        if !was_killed(status) || !last.is_some_and(|line| line.contains(name)) {
            return Err(child.ended(status).context(format!("the validator was to kill itself at {name}")));
        }
        let note = if may_change_seats(name) && chance.once_in(2) {
            format!("slot {} changed hands meanwhile", stage.replace_miner(chance).await?)
        } else {
            tokio::time::sleep(chance.pause(500)).await;
            format!("at pass {pass}")
        };
        return Ok((tries, note));
    }
    bail!("point {name} was not met in {TRIES} tries of {} s", REACH.as_secs())
}

/// What a challenge meets is met often enough to strike later than at the first pass; what an epoch meets is not.
fn passes(name: &str) -> u64 {
    match name {
        "before_commit" | "after_commit_before_answer" | "after_issue" | "after_first_response" | "before_evaluate" => {
            6
        }
        _ => 1,
    }
}

/// Between derivation and submission a slot may change hands: then nobody else may get what was meant for its holder.
fn may_change_seats(name: &str) -> bool {
    matches!(name, "after_derivation" | "after_checkpoint" | "after_anchor" | "before_submission")
}

async fn kill(stage: &mut Stage, chance: &mut Chance) -> Result<String> {
    let child = stage.start_validator(None, None)?;
    let after = chance.pause(ANY_MOMENT * 2);
    tokio::time::sleep(after).await;
    child.kill().await?;
    Ok(format!("{} ms after the start", after.as_millis()))
}

async fn power_cut(stage: &mut Stage, chance: &mut Chance) -> Result<String> {
    let mut child = stage.start_validator(None, None)?;
    await_available(stage, &mut child).await?;
    let after = chance.pause(ANY_MOMENT);
    tokio::time::sleep(after).await;
    let away = away(chance);
    let (killed, crashed) = tokio::join!(child.kill(), stage.crash_database(away));
    killed.and(crashed)?;
    Ok(format!("{} ms after the validator was up", after.as_millis()))
}

/// How long PostgreSQL stays down: mostly a moment, sometimes longer.
fn away(chance: &mut Chance) -> Duration {
    if chance.once_in(4) { chance.pause(4_000) } else { chance.pause(800) }
}

async fn crash(
    stage: &mut Stage,
    pusher: &mut Pusher,
    kind: Option<&'static str>,
    chance: &mut Chance,
) -> Result<String> {
    let mut child = stage.start_validator(None, None)?;
    await_available(stage, &mut child).await?;
    let note = match kind {
        None => {
            let after = chance.pause(ANY_MOMENT);
            tokio::time::sleep(after).await;
            format!("{} ms after the validator was up", after.as_millis())
        }
        Some(kind) => {
            let position = next_of_kind(stage, &mut child, kind).await?;
            tokio::time::sleep(chance.pause(JUST_AFTER)).await;
            format!("at position {position}")
        }
    };
    let away = away(chance);
    stage.crash_database(away).await?;
    recovers(pusher, &mut child).await.with_context(|| format!("after PostgreSQL crashed {note}"))?;
    end(child, chance).await?;
    Ok(note)
}

async fn cut(stage: &mut Stage, pusher: &mut Pusher, chance: &mut Chance) -> Result<String> {
    let proxy = Proxy::start(&stage.cluster.socket()).await?;
    let mut child = stage.start_validator(None, Some(proxy.url("assay")))?;
    await_available(stage, &mut child).await?;
    for _ in 0..CUTS {
        tokio::time::sleep(chance.pause(ANY_MOMENT / 2)).await;
        proxy.cut();
        tokio::time::sleep(chance.pause(400)).await;
        proxy.mend();
    }
    recovers(pusher, &mut child).await.context("after its connections to PostgreSQL were cut")?;
    end(child, chance).await?;
    Ok(format!("{CUTS} cuts"))
}

async fn await_available(stage: &Stage, child: &mut Child) -> Result<()> {
    child.await_ready("the validator is available", START, || stage.available()).await
}

/// Waits until the log has a new event of a kind.
async fn next_of_kind(stage: &Stage, child: &mut Child, kind: &str) -> Result<u64> {
    let reader = stage.reader().await?;
    let from = reader.head().await?.size;
    let begun = Instant::now();
    while begun.elapsed() < REACH {
        child.check()?;
        if let Some(event) = reader.by_kind(kind, from, 1).await?.first() {
            return Ok(event.position);
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("no {kind} was recorded in {} s; see {}", REACH.as_secs(), child.log().display())
}

/// The validator is not started anew: it must take challenges again by itself.
async fn recovers(pusher: &mut Pusher, child: &mut Child) -> Result<()> {
    let before = pusher.counts().acknowledged;
    let ready = || {
        let now = pusher.counts().acknowledged;
        async move { now > before }
    };
    child.await_ready("it takes challenges again", RECOVERY, ready).await
}

/// Ends a validator that survived: asked politely, or not.
async fn end(child: Child, chance: &mut Chance) -> Result<()> {
    if chance.once_in(2) { child.stop().await } else { child.kill().await }
}
