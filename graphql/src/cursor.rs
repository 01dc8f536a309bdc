//! Cursors and pages.

use async_graphql::connection::{
    Connection, CursorType, DefaultConnectionName, DefaultEdgeName, DisableNodesField, Edge, EmptyFields,
};
use async_graphql::{OutputType, Result, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Code, fail};
use crate::types::Meta;
use projections::queries::MAX_PAGE;

/// Entries of a page when nothing is said.
pub(crate) const DEFAULT_PAGE: u32 = 25;

/// Where a page ended, and the position that it was read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The frame's position.
    pub(crate) read_at: u64,
    /// Position, epoch number or rank of the entry.
    pub(crate) key: u64,
}

impl CursorType for Cursor {
    type Error = &'static str;

    fn decode_cursor(text: &str) -> Result<Self, Self::Error> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let text = std::str::from_utf8(&bytes).ok()?;
            let (read_at, key) = text.strip_prefix("1.")?.split_once('.')?;
            Some(Self { read_at: read_at.parse().ok()?, key: key.parse().ok()? })
        };
        let in_range = |cursor: &Self| i64::try_from(cursor.read_at).is_ok() && i64::try_from(cursor.key).is_ok();
        parse().filter(in_range).ok_or("the cursor is not one that this server gave")
    }

    fn encode_cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("1.{}.{}", self.read_at, self.key))
    }
}

/// What every page says besides its entries.
#[derive(SimpleObject)]
pub(crate) struct PageFields {
    /// At which position the page was read. Later pages of the same connection are read there too.
    pub(crate) meta: Meta,
}

/// A Relay connection that says at which position it was read.
pub(crate) type Page<T> =
    Connection<Cursor, T, PageFields, EmptyFields, DefaultConnectionName, DefaultEdgeName, DisableNodesField>;

/// A page of the log. Its cursors are positions: the log only grows, so its pages cannot shift, and the last cursor is
/// where following goes on.
pub(crate) type FeedPage<T> =
    Connection<String, T, PageFields, EmptyFields, DefaultConnectionName, DefaultEdgeName, DisableNodesField>;

/// The size of a page.
pub(crate) fn page_size(first: Option<i32>) -> Result<u32> {
    let Some(first) = first else { return Ok(DEFAULT_PAGE) };
    let size = u32::try_from(first).ok().filter(|first| *first <= MAX_PAGE);
    size.ok_or_else(|| fail(Code::BadUserInput, format!("first is {first}, not 0 to {MAX_PAGE}")))
}

/// For the cost of a connection: what an unbounded or refused page would cost at most.
pub(crate) fn page_cost(first: Option<i32>, child: usize) -> usize {
    let entries = usize::try_from(first.unwrap_or(DEFAULT_PAGE.cast_signed())).unwrap_or(0);
    1 + entries.min(MAX_PAGE as usize + 1) * child
}

pub(crate) fn decode(after: Option<&str>) -> Result<Option<Cursor>> {
    after.map(Cursor::decode_cursor).transpose().map_err(|problem| fail(Code::BadUserInput, problem))
}

/// A page of up to `size` of the entries; one more shows that there is a next page.
pub(crate) fn page<T: OutputType>(
    meta: Meta,
    after: bool,
    size: u32,
    entries: impl IntoIterator<Item = (u64, T)>,
) -> Page<T> {
    let read_at = meta.position();
    let mut entries = entries.into_iter();
    let mut connection = Connection::with_additional_fields(after, false, PageFields { meta });
    let shown = entries.by_ref().take(size as usize);
    connection.edges.extend(shown.map(|(key, node)| Edge::new(Cursor { read_at, key }, node)));
    connection.has_next_page = entries.next().is_some();
    connection
}

/// As [`page`], of the log.
pub(crate) fn feed_page<T: OutputType>(
    meta: Meta,
    after: bool,
    size: u32,
    entries: impl IntoIterator<Item = (u64, T)>,
) -> FeedPage<T> {
    let mut entries = entries.into_iter();
    let mut connection = Connection::with_additional_fields(after, false, PageFields { meta });
    let shown = entries.by_ref().take(size as usize);
    connection.edges.extend(shown.map(|(position, node)| Edge::new(position.to_string(), node)));
    connection.has_next_page = entries.next().is_some();
    connection
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cursors_are_opaque_and_checked() {
        let cursor = Cursor { read_at: 41, key: 7 };
        let text = cursor.encode_cursor();
        assert!(!text.contains('.') && !text.contains('='));
        assert_eq!(Cursor::decode_cursor(&text).unwrap(), cursor);
        for wrong in ["", "x", "MS4x", "é", &URL_SAFE_NO_PAD.encode("2.1.1"), &URL_SAFE_NO_PAD.encode("1.-1.2")] {
            assert!(Cursor::decode_cursor(wrong).is_err(), "{wrong}");
        }
        let over = URL_SAFE_NO_PAD.encode(format!("1.1.{}", u64::MAX));
        assert!(Cursor::decode_cursor(&over).is_err());
    }

    #[test]
    fn pages_have_a_size_and_a_cost() {
        assert_eq!(page_size(None).unwrap(), 25);
        assert_eq!(page_size(Some(0)).unwrap(), 0);
        assert_eq!(page_size(Some(100)).unwrap(), 100);
        assert!(page_size(Some(101)).is_err() && page_size(Some(-1)).is_err());
        assert_eq!(page_cost(None, 4), 101);
        assert_eq!(page_cost(Some(i32::MAX), 4), 405);
        assert_eq!(page_cost(Some(-5), 4), 1);
    }
}
