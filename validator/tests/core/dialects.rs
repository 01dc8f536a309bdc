//! A round in every dialect of the wire, with real miners, audited.

use domain::events::{Event, FailureReason};
use domain::mechanism;
use domain::wire::{self, Dialect};
use miner::{Behaviour as Kind, EmbeddingSource, Malformation, MinerConfig, Profile, Server};
use validator::service::{ChallengeState, MinerOutcome};

use crate::world::{World, challenge, close_epoch, ended, honest, until};

/// The bodies that were issued, rebuilt from the log.
async fn issued_bodies(world: &World) -> Vec<(String, Vec<u8>)> {
    let (log, origin) = (world.log().await, world.reader().await.origin().to_owned());
    let mechanism = mechanism::open(&world.rule_set).unwrap();
    let of = |kind: fn(&Event) -> bool| log.iter().find(|(_, event)| kind(event)).unwrap();
    let (selected, _) = of(|event| matches!(event, Event::MinersSelected(_)));
    let (_, Event::ChallengeAccepted(accepted)) = of(|event| matches!(event, Event::ChallengeAccepted(_))) else {
        panic!("no challenge")
    };
    let bodies = log.iter().filter_map(|(_, event)| match event {
        Event::ChallengeIssued(issued) => {
            let challenge = &accepted.challenge;
            let request = wire::issued_request(mechanism.as_ref(), challenge, &origin, *selected, issued).unwrap();
            assert_eq!(request.hash, issued.request_hash);
            Some((issued.nonce.clone(), request.body))
        }
        _ => None,
    });
    bodies.collect()
}

async fn a_round_in(dialect: Dialect) {
    let mut world = World::new(honest()).await;
    world.dialect = dialect;
    let mut miners = Vec::new();
    for (number, peer) in (0_u16..).zip(std::mem::take(&mut world.peers)) {
        let (address, keypair) = (peer.address, peer.key.clone());
        peer.end().await;
        let mut config = MinerConfig::new(address, keypair, EmbeddingSource::Shared(world.embeddings.clone()));
        config.profile = Profile::numbered(number);
        // All of them see a validator's receipt, and the last one signs with another's key.
        config.require_signed = true;
        if number == 2 {
            config.behaviour = Kind::Malformed { way: Some(Malformation::ForeignKey) };
        }
        let server = Server::bind(config).await.unwrap();
        miners.push(tokio::spawn(server.serve(std::future::pending())));
    }
    let running = world.start(world.config()).await;
    until("all are available", || async { running.handle.stats().active_miners == 3 }).await;
    running.handle.accept(challenge("c1")).await.unwrap();
    let status = ended(&running.handle, "c1").await;
    assert_eq!(status.state, ChallengeState::Evaluated, "{dialect:?} {status:?}");
    let outcomes = |wanted: MinerOutcome| {
        status.attempts[0].miners.iter().filter(|miner| miner.outcome == wanted).map(|miner| miner.failure).collect()
    };
    let (answered, failed): (Vec<_>, Vec<_>) = (outcomes(MinerOutcome::Answered), outcomes(MinerOutcome::Failed));
    assert_eq!(answered.len(), 2, "{dialect:?} {status:?}");
    assert_eq!(failed, [Some(FailureReason::BadSignature)], "{dialect:?}");
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    for (nonce, body) in issued_bodies(&world).await {
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let own = (dialect == Dialect::FiberEncrypted).then_some(nonce);
        assert_eq!(body["nonce"].as_str(), own.as_deref(), "{dialect:?}");
    }
    for (_, event) in world.log().await {
        match event {
            Event::ChallengeIssued(issued) => assert_eq!(issued.dialect, dialect.name()),
            Event::ResponseReceived(response) => {
                assert_eq!((response.dialect.as_str(), response.signature.is_some()), (dialect.name(), true));
                assert!(serde_json::from_slice::<serde_json::Value>(response.body.bytes()).is_ok(), "in clear");
                assert!(response.sent_at < response.received_at);
            }
            _ => {}
        }
    }
    world.assert_sound().await;
    miners.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_over_plain_http() {
    a_round_in(Dialect::Http).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_as_the_dendrite_of_sdk_6_to_10() {
    a_round_in(Dialect::Axon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_under_btauth() {
    a_round_in(Dialect::BtAuth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_plain_fiber() {
    a_round_in(Dialect::FiberPlain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_encrypted_fiber() {
    a_round_in(Dialect::FiberEncrypted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_looshs_dialect_of_fiber() {
    a_round_in(Dialect::FiberLoosh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_epistula() {
    a_round_in(Dialect::Epistula).await;
}
