//! A log of a load: rounds of many miners with long answers, for measurements.

use super::{Answer, World, history, rule_set};

/// Length of a vector of all-MiniLM-L6-v2.
pub const DIMENSIONS: u16 = 384;

/// Distinct texts of an answer of so many sentences.
fn answer(round: usize, miner: usize, sentences: usize) -> String {
    let words = ["light", "air", "short", "waves", "scatter", "blue", "sky", "most", "bend", "sun", "colour", "eye"];
    let word = |at: usize| words[(at * 7 + round * 3 + miner * 5) % words.len()];
    let sentence = |at: usize| {
        let (first, second, third) = (word(at), word(at + 1), word(at + 4));
        format!("In round {round} miner {miner} says that {first} and {second} make {third} number {at}.")
    };
    (0..sentences).map(sentence).collect::<Vec<_>>().join(" ")
}

/// An epoch of `rounds` rounds in each of which all of `miners` miners answer with `sentences` sentences, and its end.
pub fn world(base: &str, rounds: usize, miners: u16, sentences: usize) -> World {
    let mut world = World::new(miners, rule_set(base, miners, DIMENSIONS), DIMENSIONS);
    world.open();
    for round in 0..rounds {
        if round % 10 == 0 {
            world.sweep(&[]);
        }
        let id = format!("load-{round}");
        world.accept(&id, history::question("Why is the sky blue? What bends light?"));
        let texts = (0..usize::from(miners)).map(|miner| Answer::Text(answer(round, miner, sentences)));
        let answers: Vec<Answer> = texts.collect();
        world.round(&id, 1, &answers);
        world.wait(36);
    }
    world.finish_epoch();
    world
}
