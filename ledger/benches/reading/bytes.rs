//! Bytes of one round: payloads, vectors among them, leaves in a bundle, and what the database takes with indexes.

use domain::events::Event;

use crate::line;
use crate::stored::{Filling, discard, size_on_disk};
use crate::support::load;
use crate::support::seal::seal;

/// Rounds of 7 and 64 miners; answers of 3 sentences, as the demo's, and of 20.
const SHAPES: [(u16, usize); 4] = [(7, 3), (7, 20), (64, 3), (64, 20)];

pub(crate) async fn run(url: &str, rounds: usize) {
    println!("# bytes of a round, its acceptance included, over {rounds} rounds under loosh/1.2.8");
    for (miners, sentences) in SHAPES {
        let world = load::world("1.2.8", rounds, miners, sentences);
        let sealed = seal(&world);
        let (mut payloads, mut vectors, mut envelopes, mut events) = (0, 0, 0, 0);
        let name = format!("bytes-a-round-{miners}-miners-{sentences}-sentences");
        let mut filling = Filling::begin(url, &name).await;
        for (draft, recorded) in world.drafts.iter().zip(sealed.records) {
            if let Event::EmbeddingComputed(embedding) = &draft.event {
                vectors += embedding.vectors.bytes().len();
            }
            if matches!(draft.stream_type.as_str(), "round" | "challenge") {
                payloads += recorded.payload.as_ref().map_or(0, Vec::len);
                // Tag, length, leaf, whether there is a payload, salt, length of the payload.
                envelopes += 1 + 4 + recorded.leaf().encode().unwrap().len() + 1 + 32 + 4;
                events += 1;
                filling.push(recorded).await;
            }
        }
        filling.finish(url).await;
        let disk = size_on_disk(url, &name).await;
        let each = |bytes: usize| bytes as f64 / rounds as f64;
        line(&format!("events-a-round-{miners}-miners-{sentences}-sentences"), each(events), 1);
        line(&format!("{name}-payloads"), each(payloads), 0);
        line(&format!("{name}-vectors-of-them"), each(vectors), 0);
        line(&format!("{name}-in-a-bundle"), each(payloads + envelopes), 0);
        line(&format!("{name}-in-the-database"), each(disk as usize), 0);
        discard(url, &name).await;
    }
}
