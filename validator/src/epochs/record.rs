//! An epoch as recorded: the aggregate's state and where its events stand.

use domain::Aggregate;
use domain::epoch::{self, Epoch};
use domain::events::{Event, WeightsDerived};
use domain::types::{BlockNumber, Position};

use crate::Error;
use crate::board::decode;
use crate::shared::Shared;

/// One epoch's stream, folded.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// The state.
    pub(super) epoch: Epoch,
    /// Revision 0, which carries the state, and where it stands.
    pub(super) derivation: Option<(Position, WeightsDerived)>,
    /// Where the newest revision stands.
    pub(super) newest_derivation: Option<Position>,
    /// Where the newest submission stands.
    pub(super) submission: Option<Position>,
    /// How often weights were signed.
    pub(super) submissions: u32,
    /// The chain's last refusal.
    pub(super) rejection: Option<String>,
    /// The block in which the weights came to stand on chain.
    pub(super) included: Option<BlockNumber>,
    /// Where the last event stands.
    pub(super) last: Option<Position>,
}

impl Record {
    /// Reads an epoch's stream.
    ///
    /// # Errors
    /// What the ledger says.
    pub(super) async fn read(shared: &Shared, number: u64) -> Result<Self, Error> {
        let reader = shared.journal.ledger().reader();
        let mut record = Self::default();
        for stored in reader.stream(epoch::STREAM_TYPE, &epoch::stream_id(number), 1).await? {
            let Some(event) = decode(&stored)? else { continue };
            record.apply(Position(stored.position), &event);
        }
        Ok(record)
    }

    fn apply(&mut self, position: Position, event: &Event) {
        self.epoch.apply(event);
        self.last = Some(position);
        match event {
            Event::WeightsDerived(derived) => {
                self.newest_derivation = Some(position);
                if derived.revision == 0 {
                    self.derivation = Some((position, derived.clone()));
                }
            }
            Event::WeightsSubmitted(_) => {
                self.submission = Some(position);
                self.submissions += 1;
            }
            Event::WeightsIncluded(included) => self.included = Some(included.block),
            Event::WeightsRevealed(revealed) => self.included = Some(revealed.block),
            Event::WeightsRejected(rejected) => self.rejection = Some(rejected.error.clone()),
            _ => {}
        }
    }
}
