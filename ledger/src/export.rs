//! Writing one epoch as a bundle that can be audited offline: the range, what it relies on, and the proofs.
//!
//! One pass over the stored leaves collects every node that the proofs need, so that memory does not grow with the log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use audit::bundle::{Header, Writer};
use domain::events::Event;
use futures::TryStreamExt;
use tlog::checkpoint::Checkpoint;
use tlog::note::UnverifiedNote;
use tlog::proof::{self, Plan};
use tlog::tree::Coordinate;
use tlog::{Frontier, Hash};

use crate::error::{Error, Result};
use crate::range::EpochRange;
use crate::reader::LedgerReader;

/// Leaf hashes read by one statement.
const PAGE: u64 = 1 << 16;

impl LedgerReader {
    /// The first checkpoint that covers a position, as its signed note.
    ///
    /// # Errors
    /// What the database says.
    pub async fn checkpoint_covering(&self, end: u64) -> Result<Option<String>> {
        // A checkpoint's own event stands at or after its size.
        let mut from = end;
        loop {
            let page = self.by_kind("CheckpointPublished", from, 64).await?;
            let Some(last) = page.last().map(|stored| stored.position) else { return Ok(None) };
            for stored in page {
                if let Some(Event::CheckpointPublished(published)) = stored.fact()?
                    && published.size >= end
                {
                    return Ok(Some(published.note));
                }
            }
            from = last + 1;
        }
    }

    /// Writes the epoch's bundle, proven against the checkpoint, which must cover the range's end.
    ///
    /// # Errors
    /// What the database and `out` say, and [`Error::Checkpoint`] when the note is none or does not cover the range.
    pub async fn export<W: Write>(&self, range: &EpochRange, checkpoint: &str, out: W) -> Result<W> {
        let size = checkpoint_size(checkpoint, range.end)?;
        let single = range.antecedents.iter().chain(range.previous.iter());
        let positions: Vec<u64> = single.map(|stored| stored.position).collect();
        let plans: Result<Vec<Plan>> =
            positions.iter().map(|position| proof::inclusion_plan(*position, size).map_err(no_proof)).collect();
        let (plans, consistency) = (plans?, proof::consistency_plan(range.end, size).map_err(no_proof)?);
        let wanted: BTreeSet<Coordinate> = plans.iter().chain([&consistency]).flat_map(Plan::coordinates).collect();
        let (nodes, frontier) = self.nodes(size, range.from, &wanted).await?;

        let header = Header {
            origin: self.origin().to_owned(),
            epoch: Some(range.epoch),
            from: range.from,
            end: range.end,
            checkpoint: checkpoint.to_owned(),
            frontier,
        };
        let mut writer = Writer::new(out, &header).map_err(bundle)?;
        let mut proofs = plans.iter().map(|plan| plan.fold(&nodes).map_err(no_proof));
        for antecedent in &range.antecedents {
            let proof = proofs.next().transpose()?.unwrap_or_default();
            writer.antecedent(antecedent, &proof).map_err(bundle)?;
        }
        if let Some(previous) = &range.previous {
            let proof = proofs.next().transpose()?.unwrap_or_default();
            writer.previous(previous, &proof).map_err(bundle)?;
        }
        let mut events = self.events(range.from, range.end, None);
        while let Some(stored) = events.try_next().await? {
            writer.event(&stored).map_err(bundle)?;
        }
        writer.finish(&consistency.fold(&nodes).map_err(no_proof)?).map_err(bundle)
    }

    /// The nodes at the coordinates in the tree of `size`, and the frontier at `from`.
    async fn nodes(
        &self,
        size: u64,
        from: u64,
        wanted: &BTreeSet<Coordinate>,
    ) -> Result<(BTreeMap<Coordinate, Hash>, Frontier)> {
        let mut nodes = BTreeMap::new();
        let mut tree = Frontier::new();
        let mut at_from = tree.clone();
        while tree.size() < size {
            let begin = tree.size();
            let leaves = self.leaf_hashes(begin, size.min(begin + PAGE)).await?;
            if leaves.is_empty() {
                return Err(Error::Damaged { position: begin, reason: "the event is missing".to_owned() });
            }
            for leaf in leaves {
                tree.append_visiting(leaf, |level, index, hash| {
                    let coordinate = Coordinate { level, index };
                    if wanted.contains(&coordinate) {
                        nodes.insert(coordinate, hash);
                    }
                });
                if tree.size() == from {
                    at_from = tree.clone();
                }
            }
        }
        Ok((nodes, at_from))
    }
}

fn checkpoint_size(note: &str, end: u64) -> Result<u64> {
    let refused = |reason: String| Error::Checkpoint { reason };
    let parsed = UnverifiedNote::parse(note.as_bytes()).and_then(|note| Checkpoint::parse(&note.text));
    let size = parsed.map_err(|error| refused(error.to_string()))?.size;
    if size >= end { Ok(size) } else { Err(refused(format!("it covers {size} events, the epoch ends at {end}"))) }
}

fn no_proof(error: tlog::Error) -> Error {
    Error::Checkpoint { reason: format!("a proof cannot be built: {error}") }
}

fn bundle(error: audit::bundle::BundleError) -> Error {
    Error::Bundle { reason: Error::chain(&error) }
}
