//! The fields of the query type.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use domain::events::Event as Fact;
use domain::types::Hotkey;
use projections::{Frame, Selector, queries};

use crate::context::Request;
use crate::cursor::{Cursor, FeedPage, Page, decode, feed_page, page, page_cost, page_size};
use crate::error::{Code, fail, of_read_models};
use crate::scalars::EventPosition;
use crate::types::{AsOfInput, Epoch, Event, Explanation, LeaderboardEntry, Ledger, Meta, Miner, Round};

/// Kinds that a feed may be asked for at once.
const MAX_KINDS: usize = 40;

/// Questions to the read models of the ledgers in this database.
pub(crate) struct Query;

/// Which ledger, and when.
struct Place {
    netuid: Option<u16>,
    ledger: Option<String>,
    as_of: Option<AsOfInput>,
}

impl Place {
    async fn frame(self, request: &Request) -> Result<Arc<Frame>> {
        let selector = Selector { origin: self.ledger, netuid: self.netuid };
        request.frame(&selector, AsOfInput::moment(self.as_of)).await
    }

    /// The frame of a page: that of the cursor, which must be the one asked for.
    async fn page_frame(self, request: &Request, after: Option<Cursor>) -> Result<Arc<Frame>> {
        let given = self.as_of.is_some();
        let frame = self.frame(request).await?;
        match after {
            Some(cursor) if given && cursor.read_at != frame.position => {
                let message = format!(
                    "the cursor is of a page read at position {}, asOf asks for {}",
                    cursor.read_at, frame.position
                );
                Err(fail(Code::BadUserInput, message))
            }
            after => request.moved(&frame, after.map(|cursor| cursor.read_at)).await,
        }
    }
}

fn hotkey(text: &str) -> Result<Hotkey> {
    text.parse().map_err(|error| fail(Code::BadUserInput, format!("hotkey {text:?}: {error}")))
}

fn read<T>(result: projections::Result<T>) -> Result<T> {
    result.map_err(|error| of_read_models(&error))
}

/// Questions to the read models of the ledgers in this database.
#[Object]
impl Query {
    /// All ledgers, by origin.
    #[graphql(complexity = "1 + 4 * child_complexity")]
    async fn ledgers(&self, context: &Context<'_>) -> Result<Vec<Ledger>> {
        let view = Request::of(context)?.view().await?;
        Ok(view.ledgers().iter().cloned().map(Ledger).collect())
    }

    /// A miner by its hotkey; null when the ledger has not heard of it.
    async fn miner(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(name = "hotkey", desc = "SS58 address.")] address: String,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Option<Miner>> {
        let request = Request::of(context)?;
        let key = hotkey(&address)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let found = read(queries::miner(&*request.view().await?, &frame, &key).await)?;
        Ok(found.map(|miner| Miner(frame, miner)))
    }

    /// The miner that holds a slot.
    async fn miner_by_uid(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        uid: u16,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Option<Miner>> {
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let view = request.view().await?;
        let Some(address) = read(queries::hotkey_at(&view, &frame, uid).await)? else { return Ok(None) };
        let found = read(queries::miner(&view, &frame, &hotkey(&address)?).await)?;
        Ok(found.map(|miner| Miner(frame, miner)))
    }

    /// All miners by their moving average, best first.
    #[graphql(complexity = "10 + page_cost(first, child_complexity)")]
    async fn leaderboard(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Page<LeaderboardEntry>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.page_frame(request, after).await?;
        let board = read(queries::leaderboard(&*request.view().await?, &frame).await)?;
        let (live, weight_epoch) = (board.live, board.weight_epoch);
        let behind = after.map_or(0, |cursor| cursor.key);
        let rows = board.rows.into_iter().filter(|row| u64::from(row.rank) > behind);
        let entries =
            rows.map(|row| (u64::from(row.rank), LeaderboardEntry { frame: frame.clone(), row, live, weight_epoch }));
        Ok(page(Meta(frame.clone()), after.is_some(), size, entries))
    }

    /// The round of a challenge: the given attempt, else the newest one. Null when there is none.
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn round(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        challenge_id: String,
        #[graphql(desc = "From 1.")] attempt: Option<u32>,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Option<Round>> {
        if challenge_id.contains('\0') {
            return Err(fail(Code::BadUserInput, "challengeId contains a NUL character"));
        }
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let found = read(queries::round(&*request.view().await?, &frame, &challenge_id, attempt).await)?;
        Ok(found.map(|round| Round(frame, round)))
    }

    /// Rounds, newest draw first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn rounds(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(desc = "Rounds that ended in this epoch only.")] epoch: Option<u64>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Page<Round>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.page_frame(request, after).await?;
        let before = after.map(|cursor| cursor.key);
        let found = read(queries::rounds(&*request.view().await?, &frame, epoch, before, size + 1).await)?;
        let rounds = found.into_iter().map(|round| (round.position, Round(frame.clone(), round)));
        Ok(page(Meta(frame.clone()), after.is_some(), size, rounds))
    }

    /// An epoch by its number; null when it is not open yet.
    async fn epoch(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        number: u64,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Option<Epoch>> {
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let found = read(queries::epoch(&*request.view().await?, &frame, number).await)?;
        Ok(found.map(|epoch| Epoch(frame, epoch)))
    }

    /// Epochs, newest first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn epochs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The cursor of the entry before the page.")] after: Option<String>,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Page<Epoch>> {
        let (size, after) = (page_size(first)?, decode(after.as_deref())?);
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.page_frame(request, after).await?;
        let before = after.map(|cursor| cursor.key);
        let found = read(queries::epochs(&*request.view().await?, &frame, before, size + 1).await)?;
        let epochs = found.into_iter().map(|epoch| (epoch.epoch, Epoch(frame.clone(), epoch)));
        Ok(page(Meta(frame.clone()), after.is_some(), size, epochs))
    }

    /// Why a miner's weight in an epoch is what it is; null when the epoch is not open yet.
    #[graphql(complexity = "100 + 8 * child_complexity")]
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn explain_score(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(name = "hotkey", desc = "SS58 address.")] address: String,
        epoch: u64,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<Option<Explanation>> {
        let request = Request::of(context)?;
        let key = hotkey(&address)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let found = read(queries::explain(&*request.view().await?, &frame, &key, epoch).await)?;
        Ok(found.map(|found| Explanation(frame, found)))
    }

    /// The log itself, oldest first. Following it is asking again after the last position.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The subnet; needed only where there are several ledgers.")] netuid: Option<u16>,
        #[graphql(desc = "Origin of the ledger, where the subnet alone is not unique.")] ledger: Option<String>,
        #[graphql(desc = "After this position; from the beginning when left out.")] after: Option<EventPosition>,
        #[graphql(desc = "Of these kinds only.")] kinds: Option<Vec<String>>,
        #[graphql(desc = "Entries of a page, 0 to 100; 25 when left out.")] first: Option<i32>,
        #[graphql(desc = "The moment asked about; now when left out.")] as_of: Option<AsOfInput>,
    ) -> Result<FeedPage<Event>> {
        let size = page_size(first)?;
        check_kinds(kinds.as_deref())?;
        let request = Request::of(context)?;
        let frame = Place { netuid, ledger, as_of }.frame(request).await?;
        let behind = after.map(|position| position.0);
        let found = queries::feed(&*request.view().await?, &frame, behind, kinds.as_deref(), size + 1).await;
        let events = read(found)?.into_iter().map(|event| (event.position, Event(frame.clone(), event)));
        Ok(feed_page(Meta(frame.clone()), behind.is_some(), size, events))
    }
}

fn check_kinds(kinds: Option<&[String]>) -> Result<()> {
    let kinds = kinds.unwrap_or_default();
    if kinds.len() > MAX_KINDS {
        return Err(fail(Code::BadUserInput, format!("{} kinds are more than {MAX_KINDS}", kinds.len())));
    }
    match kinds.iter().find(|kind| !Fact::KINDS.contains(&kind.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            let known = Fact::KINDS.join(", ");
            Err(fail(Code::BadUserInput, format!("{unknown:?} is no kind of event; known: {known}")))
        }
    }
}
