//! A small but complete history: every kind of event, failures of every reason, attempts given up, a slot that changes
//! hands, a rejected and a skipped epoch, a commitment and its reveal, two rule sets, an erasure.

use domain::events::*;
use domain::types::*;

use super::{Answer, World, address, digest, keypair, rule_set};

pub const DIMENSIONS: u16 = 8;

pub fn question(prompt: &str) -> Challenge {
    Challenge {
        id: String::new(),
        correlation_id: Some("c-1".into()),
        prompt: Some(prompt.into()),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: 0.7,
        top_p: 0.95,
        max_tokens: 512,
        metadata: Some("{\"lang\":\"en\"}".into()),
        created_at: Some("2026-11-20T12:00:00Z".into()),
        requester: Some("test".into()),
        task: None,
    }
}

pub fn text(text: &str) -> Answer {
    Answer::Text(format!("{text} The sky scatters blue light most. Short waves bend more than long ones."))
}

pub fn complete() -> World {
    let mut world = World::new(6, rule_set("readme", 3, DIMENSIONS), DIMENSIONS);
    first_epoch(&mut world);
    second_epoch(&mut world);
    third_epoch(&mut world);
    fourth_epoch(&mut world);
    world
}

fn first_epoch(world: &mut World) {
    world.open();
    world.sweep(&[6]);
    world.accept("c1", question("Why is the sky blue? What scatters light?"));
    let unsigned = Answer::Unsigned("Air scatters short waves. That is why the sky looks blue to us.".into());
    world.round("c1", 1, &[text("First."), unsigned, text("Second.")]);
    world.deliver("c1", DeliveryItem::Batch, DeliveryRoute::Fiber, 503, DeliveryOutcome::Failed);
    world.deliver("c1", DeliveryItem::Heatmap, DeliveryRoute::Plain, 409, DeliveryOutcome::Refused);
    world.deliver("c1", DeliveryItem::Batch, DeliveryRoute::Plain, 0, DeliveryOutcome::Failed);

    world.accept("c2", question("How do tides work?"));
    let mut attempt = world.issue("c2", 1);
    world.answers(&mut attempt, &[text("Moon."), Answer::Silent, Answer::Silent]);
    world.start();
    world.abandon("c2", 1, AbandonReason::Restart);
    let failing = [Answer::Fails(FailureReason::Unreachable), text("Gravity."), Answer::Fails(FailureReason::TimedOut)];
    world.round("c2", 2, &failing);

    world.push(ValidatorPaused { by: "api".into() });
    world.push(ValidatorResumed { by: "api".into() });
    world.accept("c3", question("Who wrote Hamlet?"));
    let mut attempt = world.issue("c3", 1);
    let reasons = [FailureReason::Malformed, FailureReason::BadSignature, FailureReason::Refused];
    world.answers(&mut attempt, &reasons.map(Answer::Fails));
    world.abandon("c3", 1, AbandonReason::NoResponses);

    world.neurons[3].port += 1;
    world.neurons.pop();
    world.wait(36);
    world.observe(false);
    world.sweep(&[2]);
    let messages =
        Some("[{\"role\":\"system\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"Name a noble gas.\"}]".into());
    world.accept("c4", Challenge { prompt: None, messages, ..question("") });
    let others = [FailureReason::TooLarge, FailureReason::ForbiddenAddress].map(Answer::Fails);
    world.round("c4", 1, &[others[0].clone(), others[1].clone(), text("Argon.")]);

    world.wait(24);
    world.observe(true);
    world.accept("c5", question("What is a prime number? Give an example."));
    let derived = world.derive();
    let size = world.checkpoint();
    world.checkpoint();
    let outcome = world.included();
    world.anchor(size, outcome);
    // The slot of the best paid miner changes hands before submission.
    let gone = derived.weights[0].uid;
    let newcomer = keypair(700);
    world.neurons[usize::from(gone.0)].hotkey = address(&newcomer);
    world.miners.insert(address(&newcomer), newcomer);
    world.observe(false);
    let corrected = domain::epoch::reassigned(&derived, world.metagraph_at, &world.metagraph).unwrap();
    world.derived_at = world.push(corrected.clone());
    let extrinsic = world.submit(&corrected);
    world.include(&corrected, extrinsic);
    world.close(EpochOutcome::Included, "");
}

fn second_epoch(world: &mut World) {
    world.push(ValidatorStopped { reason: "upgrade".into() });
    world.adopt(rule_set("1.2.8", 4, DIMENSIONS));
    world.start();
    let hotkeys: Vec<Hotkey> = world.miners.keys().copied().collect();
    // Of a round of the epoch before.
    world.deliver("c1", DeliveryItem::Batch, DeliveryRoute::Fiber, 201, DeliveryOutcome::Delivered);
    world.fetch_external(&[(hotkeys[0], 0.0, 3.0), (hotkeys[1], 0.4, 1.5), (hotkeys[2], 0.9, 0.5)]);
    world.sweep(&[]);
    let mut attempt = world.issue("c5", 1);
    let same = text("Two.");
    world.answers(&mut attempt, &[same.clone(), text("Seven."), same, text("Eleven is one.")]);
    let judged = attempt.selected.drawn[0].hotkey;
    world.push(JudgementRecorded {
        challenge_id: "c5".into(),
        attempt: 1,
        hotkey: Some(judged),
        purpose: "score".into(),
        model: "openai/gpt-4".into(),
        request_hash: digest("request"),
        parameters: "{\"temperature\":0}".into(),
        prompt_tokens: 10,
        completion_tokens: 3,
        latency_ms: 900,
        reply: Block::new(b"7".to_vec()),
    });
    world.evidence(&mut attempt);
    world.evaluate(&attempt);
    let evaluated = Position(world.next().0 - 1);
    let (source, label) = ("server".into(), "true".into());
    world.push(LabelRevealed { challenge_id: "c5".into(), attempt: 1, evaluated, source, label });

    world.accept("c6", question("What is rust?"));
    for number in 1..=3 {
        let mut attempt = world.issue("c6", number);
        world.answers(
            &mut attempt,
            &[text("Iron."), Answer::SignedMalformed, Answer::Fails(FailureReason::Protocol), text("A language.")],
        );
        world.abandon("c6", number, AbandonReason::EvidenceFailed);
    }
    // Nobody to be drawn.
    world.sweep(&[1, 2, 3, 4, 5, 6]);
    world.accept("c8", question("Is anybody there?"));
    world.issue("c8", 1);
    world.abandon("c8", 1, AbandonReason::NoMiners);
    world.sweep(&[]);

    world.push(ValidatorPaused { by: "signal".into() });
    let paused = world.next().0 - 1;
    world.push(ValidatorResumed { by: "signal".into() });
    world.push(PayloadErased { position: Position(paused), reason: "request of a person".into() });
    world.drafts[paused as usize].erased = true;

    world.wait(24);
    world.observe(true);
    let derived = world.derive();
    let size = world.checkpoint();
    world.anchor(size, ChainOutcome::Rejected { error: "CommitmentRateLimit".into() });
    let outcome = world.included();
    world.anchor(size, outcome);
    for error in ["SettingWeightsTooFast", "expired"] {
        let extrinsic = world.submit(&derived);
        let outcome = match error {
            "expired" => ChainOutcome::Expired,
            _ => ChainOutcome::Rejected { error: error.into() },
        };
        world.chain.extrinsics.insert(extrinsic, outcome);
        world.push(WeightsRejected { epoch: world.epoch, extrinsic, error: error.into() });
    }
    world.close(EpochOutcome::Failed, "the extrinsic expired");
}

fn third_epoch(world: &mut World) {
    // Longer than scores are remembered, while the chain stands still.
    world.now += 26 * 3_600_000_000;
    world.sweep(&[]);
    world.observe(true);
    let derived = world.derive();
    assert_eq!(derived.skip, Some(SkipReason::NoScores));
    let size = world.checkpoint();
    world.anchor(size, ChainOutcome::Expired);
    world.close(EpochOutcome::Skipped, SkipReason::NoScores.name());
}

fn fourth_epoch(world: &mut World) {
    world.accept("c7", question("What melts ice? Name two things."));
    world.round("c7", 1, &[text("Salt."), text("Heat."), text("Sun."), text("[TEST MODE] Salt.")]);
    world.deliver("c7", DeliveryItem::QualityPlot, DeliveryRoute::Fiber, 0, DeliveryOutcome::GivenUp);
    world.wait(24);
    world.observe(true);
    let derived = world.derive();
    let size = world.checkpoint();
    let outcome = world.included();
    world.anchor(size, outcome);
    let extrinsic = world.submit(&derived);
    let outcome = world.included();
    world.chain.extrinsics.insert(extrinsic, outcome);
    let block = BlockNumber(world.block);
    let (epoch, commitment) = (world.epoch, digest("hidden"));
    world.push(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at: BlockNumber(world.block + 360) });
    world.wait(360 * 12);
    let block_hash = world.block_hash();
    world.weights_stand(&derived);
    world.push(WeightsRevealed { epoch, block: BlockNumber(world.block), block_hash });
    world.close(EpochOutcome::Included, "");
}

/// An epoch whose weights were committed, and of whose reveal the chain said nothing.
pub fn never_revealed() -> World {
    let mut world = World::new(6, rule_set("readme", 3, DIMENSIONS), DIMENSIONS);
    world.open();
    world.sweep(&[]);
    world.accept("c1", question("Why is the sky blue? What scatters light?"));
    world.round("c1", 1, &[text("First."), text("Second."), text("Third.")]);
    world.wait(24);
    world.observe(true);
    let derived = world.derive();
    let size = world.checkpoint();
    let outcome = world.included();
    world.anchor(size, outcome);
    let extrinsic = world.submit(&derived);
    let outcome = world.included();
    world.chain.extrinsics.insert(extrinsic, outcome);
    let (epoch, block, commitment) = (world.epoch, BlockNumber(world.block), digest("hidden"));
    world.push(WeightsCommitted { epoch, extrinsic, block, commitment, reveal_at: BlockNumber(world.block + 360) });
    world.wait(720 * 12);
    let error = domain::epoch::NOT_REVEALED.to_owned();
    world.push(WeightsRejected { epoch, extrinsic, error: error.clone() });
    world.close(EpochOutcome::Failed, &error);
    world
}

/// Epochs that go on while the weights of those before them wait for their reveal: three commitments wait at a time, one is never
/// revealed, and the fourth epoch's reveal is still due.
pub fn overlapping() -> World {
    let mut world = World::new(6, rule_set("readme", 3, DIMENSIONS), DIMENSIONS);
    world.open();
    world.sweep(&[]);
    let answers = |epoch: usize| ["First.", "Second.", "Third."].map(|answer| text(&format!("{answer} {epoch}.")));
    let mut committed = Vec::new();
    for epoch in 0..3 {
        let id = format!("c{epoch}");
        world.accept(&id, question("Why is the sky blue? What scatters light?"));
        world.round(&id, 1, &answers(epoch));
        committed.push(world.commit_epoch(1080));
    }
    // The first is revealed in mid-epoch, the second never, which shows only after the third.
    world.accept("c3", question("Why is grass green?"));
    world.wait(360 * 12);
    world.reveal_weights(&committed[0].0);
    world.round("c3", 1, &answers(3));
    committed.push(world.commit_epoch(1080));
    world.wait(720 * 12);
    world.reveal_weights(&committed[2].0);
    world.of_epoch(1, |world| {
        let error = domain::epoch::NOT_REVEALED.to_owned();
        world.push(WeightsRejected { epoch: 1, extrinsic: committed[1].1, error: error.clone() });
        world.push(EpochClosed { epoch: 1, outcome: EpochOutcome::Failed, reason: error });
    });
    world
}

/// Epochs whose weights were derived and never submitted: the chain would have refused them, did not answer, the validator
/// is a shadow, or, if `deregistered`, the chain does not know it any more.
pub fn unsent(deregistered: bool) -> World {
    let mut world = World::new(6, rule_set("readme", 3, DIMENSIONS), DIMENSIONS);
    world.open();
    world.sweep(&[]);
    world.accept("c1", question("Why is the sky blue? What scatters light?"));
    world.round("c1", 1, &[text("First."), text("Second."), text("Third.")]);
    let endings = [
        (EpochOutcome::Skipped, "rate_limited: 3 blocks since the last setting, 100 are required"),
        (EpochOutcome::Failed, "no submission: chain at ws://127.0.0.1:9944 cannot be reached"),
        (EpochOutcome::Skipped, "shadow"),
        (EpochOutcome::Skipped, "not_registered"),
    ];
    for (outcome, reason) in endings {
        world.wait(24);
        world.observe(true);
        assert_eq!(world.derive().skip, None);
        let size = world.checkpoint();
        // A shadow sends nothing, no anchor either.
        if reason != "shadow" {
            world.anchor(size, ChainOutcome::Expired);
        }
        if reason == "not_registered" && deregistered {
            let newcomer = keypair(701);
            world.neurons[0].hotkey = address(&newcomer);
            world.miners.insert(address(&newcomer), newcomer);
            world.wait(12);
            world.observe(false);
        }
        world.close(outcome, reason);
    }
    world
}
