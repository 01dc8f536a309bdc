//! Rounds that begin with a sweep of their own, and models that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chain::Chain;
use domain::events::{Event, MinersSelected, ZeroReason};
use domain::mechanism::{self, JudgementRequest, Mechanism, NO_VERDICT, OFFLINE};
use domain::twitter::verdicts::{QUERY_ANALYSIS, RLHF};
use domain::types::{Hotkey, Position};
use futures::TryStreamExt;
use localnet::RootCall;
use network::keys::Keypair;
use validator::ValidatorConfig;
use validator::judge::{Judge, Offline, Verdict};
use validator::service::{ChallengeState, MinerOutcome};

use crate::peer::Behaviour;
use crate::world::{NETUID, PATIENCE, World, challenge, close_epoch, ended, honest, positions, search, until};

const PROMPT: &str = "What do people say about the tide and the moon?";
const ANSWERS: [&str; 2] = [
    r#"{"completion":"People say that the moon pulls the tide, and that the sun does so a little as well, twice a day."}"#,
    r#"{"completion":"Two accounts write that the tide at the coast follows the moon by an hour; one shows a picture of it."}"#,
];

fn draws(log: &[(Position, Event)]) -> Vec<(Position, MinersSelected)> {
    let draw = |(position, event): &(Position, Event)| match event {
        Event::MinersSelected(selected) => Some((*position, selected.clone())),
        _ => None,
    };
    log.iter().filter_map(draw).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_asks_who_is_there_before_it_draws() {
    let mut world = World::new(vec![Behaviour::Says(ANSWERS[0]), Behaviour::Says(ANSWERS[1])]).await;
    world.rule_set = mechanism::shipped_by_name("twitter/2.5.9").unwrap();
    // The one periodic sweep is at the start.
    let config = ValidatorConfig { sweep_interval: Duration::from_secs(3600), ..world.config() };
    let running = world.start(config).await;
    running.handle.accept(search("both", PROMPT)).await.unwrap();
    assert_eq!(ended(&running.handle, "both").await.attempts[0].miners.len(), 2);
    let gone = world.peers.pop().unwrap();
    let gone_key = gone.key.hotkey();
    gone.end().await;
    running.handle.accept(search("one", PROMPT)).await.unwrap();
    let status = ended(&running.handle, "one").await;
    assert_eq!(status.state, ChallengeState::Evaluated);
    let miners: Vec<(Hotkey, MinerOutcome)> =
        status.attempts[0].miners.iter().map(|miner| (miner.hotkey, miner.outcome)).collect();
    assert_eq!(miners, [(world.peers[0].key.hotkey(), MinerOutcome::Answered)], "who left was asked nothing");
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;

    let log = world.log().await;
    let (accepted, draws) = (positions(&log, "ChallengeAccepted"), draws(&log));
    assert_eq!((accepted.len(), draws.len()), (2, 2));
    let reader = world.reader().await;
    let stored: Vec<_> = reader.events(0, u64::MAX, None).try_collect().await.unwrap();
    for (accepted, (drawn, selected)) in accepted.iter().zip(&draws) {
        assert!(selected.sweep.0 > *accepted && selected.sweep < *drawn);
        let sweep = stored.iter().find(|stored| stored.position == selected.sweep.0).unwrap();
        assert_eq!((sweep.kind.as_str(), sweep.cause), ("AvailabilitySwept", *accepted));
    }
    let away = &draws[1].1.excluded;
    assert!(away.iter().any(|excluded| excluded.hotkey == gone_key), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_miners_a_round_does_not_fill_the_log_with_sweeps() {
    let mut world = World::new(vec![Behaviour::Unavailable]).await;
    world.rule_set = mechanism::shipped_by_name("twitter/assay-1").unwrap();
    let config = ValidatorConfig {
        sweep_interval: Duration::from_secs(3600),
        candidates_poll: Duration::from_millis(50),
        candidates_wait: Duration::from_millis(900),
        ..world.config()
    };
    let running = world.start(config).await;
    running.handle.accept(search("lonely", PROMPT)).await.unwrap();
    assert_eq!(ended(&running.handle, "lonely").await.state, ChallengeState::Abandoned);
    running.stop().await;
    world.assert_sound().await;
    assert!(positions(&world.log().await, "AvailabilitySwept").len() <= 3);
}

/// Sets a peer's stake and waits until it has a permit, or none any more.
async fn stake(world: &World, tao: u64, permit: bool) {
    let hotkey = world.peers[0].key.hotkey();
    let (account, stake) = (localnet::account(&hotkey).unwrap(), tao * 1_000_000_000);
    world.arrange(RootCall::set_stake { netuid: NETUID.0, hotkey: account, stake }).await;
    until("the permit follows", || async {
        let head = world.chain.head().await.unwrap().number;
        let metagraph = world.chain.metagraph(NETUID, head).await.unwrap();
        metagraph.neuron_of(&hotkey).unwrap().validator_permit == permit
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_holder_that_is_up_leads_to_no_sweep_until_it_is_a_miner() {
    let mut world = World::new(vec![Behaviour::Says(ANSWERS[0])]).await;
    world.rule_set = mechanism::shipped_by_name("twitter/assay-1").unwrap();
    stake(&world, 5000, true).await;
    let config = ValidatorConfig {
        sweep_interval: Duration::from_secs(3600),
        candidates_poll: Duration::from_millis(50),
        candidates_wait: PATIENCE,
        ..world.config()
    };
    let running = world.start(config).await;
    running.handle.accept(search("patient", PROMPT)).await.unwrap();
    let sweeps = || async { positions(&world.log().await, "AvailabilitySwept").len() };
    until("the round has its sweep", || async { sweeps().await == 2 }).await;
    // Twenty looks: the only one who is up may not be drawn, so asking again finds nobody.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sweeps().await, 2);
    stake(&world, 0, false).await;
    assert_eq!(ended(&running.handle, "patient").await.state, ChallengeState::Evaluated);
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;
    let log = world.log().await;
    let swept = positions(&log, "AvailabilitySwept");
    assert_eq!(swept.len(), 3, "and once more when it could be");
    let draws = draws(&log);
    assert_eq!((draws.len(), draws[0].1.sweep), (1, Position(swept[2])));
    assert_eq!(draws[0].1.drawn[0].hotkey, world.peers[0].key.hotkey());
}

/// Fails at the analysis, and at the first miner's answer.
#[derive(Debug)]
struct Failing {
    first: Hotkey,
    analyses: AtomicU32,
}

#[async_trait]
impl Judge for Failing {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        match request.purpose.as_str() {
            QUERY_ANALYSIS => {
                self.analyses.fetch_add(1, Ordering::SeqCst);
                Err("the endpoint is away".to_owned())
            }
            RLHF if request.hotkey == Some(self.first) => Ok(Verdict::refused("refused by a content filter")),
            _ => Offline.judge(request, mechanism).await,
        }
    }

    fn has_model(&self, purpose: &str) -> bool {
        purpose == QUERY_ANALYSIS || purpose == RLHF
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_ends_a_round_upstream_and_costs_one_answer_under_ours() {
    for (rules, survives) in [("twitter/2.5.9", false), ("twitter/assay-1", true)] {
        let mut world = World::new(vec![Behaviour::Says(ANSWERS[0]), Behaviour::Says(ANSWERS[1])]).await;
        world.rule_set = mechanism::shipped_by_name(rules).unwrap();
        let first = world.peers[0].key.hotkey();
        let judge = Arc::new(Failing { first, analyses: AtomicU32::new(0) });
        world.judge = Arc::clone(&judge) as Arc<dyn Judge>;
        let running = world.start(world.config()).await;
        until("miners are available", || async { running.handle.stats().active_miners == 2 }).await;
        running.handle.accept(search("t1", PROMPT)).await.unwrap();
        let status = ended(&running.handle, "t1").await;
        assert_eq!(status.state == ChallengeState::Evaluated, survives, "{rules}");
        // Each attempt at the round asks twice, as the rules say.
        let attempts = u32::try_from(status.attempts.len()).unwrap();
        assert_eq!(judge.analyses.load(Ordering::SeqCst), 2 * attempts, "{rules}");
        close_epoch(&running.handle, 0).await;
        running.stop().await;
        world.assert_sound().await;
        if !survives {
            continue;
        }
        let mut models = Vec::new();
        for (_, event) in world.log().await {
            match event {
                Event::JudgementRecorded(verdict) => models.push((verdict.hotkey, verdict.model)),
                Event::ResponseScored(scored) if scored.hotkey == first => {
                    assert_eq!((scored.score, scored.reason), (0.0, Some(ZeroReason::NoJudgement)));
                }
                Event::ResponseScored(scored) => assert!(scored.score > 0.0, "{scored:?}"),
                _ => {}
            }
        }
        assert!(models.contains(&(None, OFFLINE.to_owned())) && models.contains(&(Some(first), NO_VERDICT.to_owned())));
    }
}

/// Seen alone, an epoch begins with the metagraph of its beginning; a sweep that asked whom an earlier one had would find nobody to vouch for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_over_the_end_of_an_epoch_is_made_again() {
    let world = World::new([honest(), vec![Behaviour::Hangs]].concat()).await;
    // A sweep is always under way, and only a derivation sees that a slot changed hands.
    let config = ValidatorConfig {
        sweep_interval: Duration::from_millis(10),
        sweep_timeout: Duration::from_secs(2),
        metagraph_blocks: 1_000_000,
        ..world.config()
    };
    let running = world.start(config).await;
    running.handle.accept(challenge("one")).await.unwrap();
    assert_eq!(ended(&running.handle, "one").await.state, ChallengeState::Evaluated);
    for epoch in 0..3_u16 {
        let newcomer = Keypair::from_uri(&format!("//newcomer//{epoch}")).unwrap();
        let account = localnet::account(&newcomer.hotkey()).unwrap();
        let (uid, hotkey, coldkey) = (epoch + 1, account, account);
        world.arrange(RootCall::replace_neuron { netuid: NETUID.0, uid, hotkey, coldkey }).await;
        close_epoch(&running.handle, u64::from(epoch)).await;
        let sweeps = || async { positions(&world.log().await, "AvailabilitySwept").len() };
        let before = sweeps().await;
        until("the next sweep is recorded", || async { sweeps().await > before }).await;
    }
    running.stop().await;
    world.assert_sound().await;
}
