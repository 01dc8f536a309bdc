//! A log with the kinds, proportions and sizes of the demo's: eight miners of whom one copies, one sends spam, one is
//! dead and one sends what is no answer; answers of three sentences; 40 rounds an epoch.

use domain::events::{Event, FailureReason};
use domain::types::Block;

use crate::support::{Answer, World, history, load, rule_set};

const MINERS: u16 = 8;
/// Rounds of the demo's epoch.
const EPOCH: usize = 40;
/// Availability is asked for so many rounds at a time.
const SWEEP: usize = 5;

/// An answer of about 450 bytes.
fn text(round: usize, miner: usize) -> Answer {
    let sentence = |number: usize| {
        format!(
            "Miner {miner} found in passage {} that the shorter waves of the light are bent by the air more than the longer ones, \
             as {number} of the {round} measurements show.",
            round * 7 + number
        )
    };
    Answer::Text((0..3).map(sentence).collect::<Vec<_>>().join(" "))
}

fn answers(round: usize) -> [Answer; 8] {
    let own = |miner| text(round, miner);
    let spam = Answer::Text("The sky is blue because of scattering.".to_owned());
    let [malformed, dead] = [FailureReason::Malformed, FailureReason::Unreachable].map(Answer::Fails);
    [own(1), own(2), own(3), own(1), own(4), spam, malformed, dead]
}

/// So many rounds, in closed epochs.
pub(crate) fn world(rounds: usize) -> World {
    let mut world = World::new(MINERS, rule_set("readme", MINERS, load::DIMENSIONS), load::DIMENSIONS);
    world.open();
    for round in 0..rounds {
        if round % SWEEP == 0 {
            world.sweep(&[]);
        }
        let id = format!("demo-1795183698-2-q{round:03}");
        world.accept(&id, history::question("Why is the sky blue at noon and red in the evening? What bends light?"));
        world.round(&id, 1, &answers(round));
        world.wait(36);
        if (round + 1) % EPOCH == 0 {
            world.finish_epoch();
        }
    }
    world
}

/// The same log, with every vector block empty.
pub(crate) fn without_vectors(world: &mut World) {
    for draft in &mut world.drafts {
        if let Event::EmbeddingComputed(embedding) = &mut draft.event {
            embedding.vectors = Block::default();
        }
    }
}
