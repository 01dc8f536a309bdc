//! Miners: identity, slots, score history, moving averages.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use domain::types::Hotkey;
use projections::Frame;
use projections::queries::{self, ScoreFilter};

use super::Meta;
use super::explain::Explanation;
use super::scores::Score;
use crate::context::Request;
use crate::cursor::{Page, decode, page, page_cost, page_size};
use crate::error::{Code, fail, internal, of_read_models};
use crate::scalars::{DateTime, EventPosition};

/// A miner. The hotkey is the identity; a uid is a slot that changes hands.
pub(crate) struct Miner(pub(crate) Arc<Frame>, pub(crate) queries::Miner);

impl Miner {
    fn key(&self) -> Result<Hotkey> {
        self.1.hotkey.parse().map_err(|error| internal(&format!("hotkey {}: {error}", self.1.hotkey)))
    }
}

/// A miner. The hotkey is the identity; a uid is a slot that changes hands.
#[Object]
impl Miner {
    /// At which position it was read.
    async fn meta(&self) -> Meta {
        Meta(self.0.clone())
    }
    /// The identity.
    async fn hotkey(&self) -> &str {
        &self.1.hotkey
    }
    /// The slot it holds.
    async fn uid(&self) -> Option<u16> {
        self.1.uid
    }
    /// Its owner, as last observed.
    async fn coldkey(&self) -> Option<&String> {
        self.1.coldkey.as_ref()
    }
    /// Whether it holds a validator permit.
    async fn validator_permit(&self) -> bool {
        self.1.validator_permit
    }
    /// Rounds in which it was drawn.
    async fn drawn(&self) -> u64 {
        self.1.drawn
    }
    /// Rounds in which a usable answer of it was recorded.
    async fn answered(&self) -> u64 {
        self.1.answered
    }
    /// The last availability sweep that asked it.
    async fn availability(&self) -> Option<Availability> {
        self.1.availability.clone().map(Availability::from)
    }
    /// The states of its slots, newest first, at most 100.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn slots(&self) -> Vec<Slot> {
        self.1.slots.iter().map(Slot::from).collect()
    }
    /// Its scores with every component, newest first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn score_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
        #[graphql(desc = "Of this epoch only.")] epoch: Option<u64>,
        #[graphql(desc = "Of this epoch or later ones.")] from_epoch: Option<u64>,
        #[graphql(desc = "Of this epoch or earlier ones.")] to_epoch: Option<u64>,
        #[graphql(desc = "Recorded at or after.")] since: Option<DateTime>,
        #[graphql(desc = "Recorded before.")] until: Option<DateTime>,
    ) -> Result<Page<Score>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = request.moved(&self.0, after.map(|cursor| cursor.read_at)).await?;
        let epochs = match (epoch, from_epoch, to_epoch) {
            (None, None, None) => None,
            (Some(epoch), None, None) => Some(epoch..=epoch),
            (None, from, to) => Some(from.unwrap_or(0)..=to.unwrap_or(u64::MAX)),
            (Some(_), ..) => return Err(fail(Code::BadUserInput, "give either epoch or fromEpoch and toEpoch")),
        };
        let filter = ScoreFilter { epochs, since: since.map(|time| time.0), until: until.map(|time| time.0) };
        let before = after.map(|cursor| cursor.key);
        let view = request.view().await?;
        let found = queries::score_history(&view, &frame, &self.key()?, &filter, before, size + 1).await;
        let found = found.map_err(|error| of_read_models(&error))?;
        let scores = found.into_iter().map(|score| (score.position, Score(frame.clone(), score)));
        Ok(page(Meta(frame.clone()), after.is_some(), size, scores))
    }
    /// Its moving averages, newest epoch first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn moving_averages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
    ) -> Result<Page<MovingAverage>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = request.moved(&self.0, after.map(|cursor| cursor.read_at)).await?;
        let view = request.view().await?;
        let before = after.map(|cursor| cursor.key);
        let found = queries::averages_of(&view, &frame, &self.key()?, before, size + 1).await;
        let found = found.map_err(|error| of_read_models(&error))?;
        let averages = found.into_iter().map(|average| (average.epoch, MovingAverage::from(average)));
        Ok(page(Meta(frame.clone()), after.is_some(), size, averages))
    }
    /// What availability sweeps found, newest first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn availability_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
    ) -> Result<Page<Availability>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = request.moved(&self.0, after.map(|cursor| cursor.read_at)).await?;
        let view = request.view().await?;
        let before = after.map(|cursor| cursor.key);
        let found = queries::availability_of(&view, &frame, &self.key()?, before, size + 1).await;
        let found = found.map_err(|error| of_read_models(&error))?;
        let probes = found.into_iter().map(|probe| (probe.position, Availability::from(probe)));
        Ok(page(Meta(frame.clone()), after.is_some(), size, probes))
    }
    /// Why its weight in an epoch is what it is; null when the epoch is not open yet.
    #[graphql(complexity = "100 + 8 * child_complexity")]
    async fn explain_score(&self, context: &Context<'_>, epoch: u64) -> Result<Option<Explanation>> {
        let view = Request::of(context)?.view().await?;
        let found = queries::explain(&view, &self.0, &self.key()?, epoch).await;
        Ok(found.map_err(|error| of_read_models(&error))?.map(|found| Explanation(self.0.clone(), found)))
    }
}

/// What an availability sweep found.
#[derive(SimpleObject)]
pub(crate) struct Availability {
    /// Where the sweep is recorded.
    position: EventPosition,
    /// When it was recorded.
    at: DateTime,
    /// Whether the miner said that it is available.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// Milliseconds until the answer or the failure.
    latency_ms: u64,
}

impl From<queries::Availability> for Availability {
    fn from(found: queries::Availability) -> Self {
        Self {
            position: EventPosition(found.position),
            at: DateTime(found.recorded_at),
            available: found.available,
            reason: found.reason,
            latency_ms: found.latency_ms,
        }
    }
}

/// The state of a slot from one observation to the next that differs.
#[derive(SimpleObject)]
pub(crate) struct Slot {
    /// The slot.
    uid: u16,
    /// The observation that began it.
    from_position: EventPosition,
    /// The observation that ended it.
    to_position: Option<EventPosition>,
    /// Announced axon address and port; null when it announced none.
    axon: Option<String>,
    /// Stake in rao, as a decimal string.
    stake: String,
    /// May set weights.
    validator_permit: bool,
}

impl From<&queries::Slot> for Slot {
    fn from(slot: &queries::Slot) -> Self {
        Self {
            uid: slot.uid,
            from_position: EventPosition(slot.from_position),
            to_position: slot.to_position.map(EventPosition),
            axon: slot.axon.clone(),
            stake: slot.stake.clone(),
            validator_permit: slot.validator_permit,
        }
    }
}

/// What an epoch carried out for a miner.
#[derive(SimpleObject)]
pub(crate) struct MovingAverage {
    /// The epoch.
    epoch: u64,
    /// Position of its derivation.
    position: EventPosition,
    /// The miner.
    hotkey: String,
    /// The average; null before the first counted score of the window.
    average: Option<f64>,
    /// The 64 bits of the average, hex.
    average_bits: Option<String>,
    /// When it last answered an availability sweep.
    last_seen_at: Option<DateTime>,
    /// Rounds in which it was ever drawn.
    drawn: u64,
    /// Scores in the window.
    items: u64,
}

impl From<queries::Average> for MovingAverage {
    fn from(average: queries::Average) -> Self {
        Self {
            epoch: average.epoch,
            position: EventPosition(average.position),
            hotkey: average.hotkey,
            average: average.average,
            average_bits: average.average_bits,
            last_seen_at: average.last_seen.map(DateTime),
            drawn: average.drawn,
            items: average.items,
        }
    }
}
