//! Keys and values with all their past, and changes that are not yet part of it.
//!
//! [`Store`] keeps for each key what it was after which block, so that a read at any block is a search in that key's own
//! changes; its size is that of the changes, not of the chain. [`Overlay`] collects the changes of one block above it and
//! can take back what a failed call did.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::hashing::blake2_256;

/// What a key was set to ([`None`] when it was removed) and after which block.
type Change = (u32, Option<Box<[u8]>>);

/// What changed in a block.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Something that can be read by key.
pub(crate) trait Read {
    /// The value under a key.
    fn read(&self, key: &[u8]) -> Option<&[u8]>;
}

/// All keys that ever had a value.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    keys: BTreeMap<Vec<u8>, Vec<Change>>,
}

impl Store {
    /// The state after a block.
    pub(crate) fn at(&self, block: u32) -> View<'_> {
        View { store: self, block }
    }

    /// Makes the changes of `block`, which is above all before it, part of the store.
    pub(crate) fn commit(&mut self, block: u32, changes: Changes) {
        for (key, value) in changes {
            let past = self.keys.entry(key).or_default();
            let value = value.map(Vec::into_boxed_slice);
            if past.last().is_none_or(|(_, last)| *last != value) {
                past.push((block, value));
            }
        }
    }
}

/// The state after one block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    store: &'a Store,
    block: u32,
}

impl View<'_> {
    fn value_in<'p>(&self, past: &'p [Change]) -> Option<&'p [u8]> {
        let after = past.partition_point(|(block, _)| *block <= self.block);
        past.get(after.checked_sub(1)?)?.1.as_deref()
    }

    /// The blocks up to this view's in which a key changed.
    pub(crate) fn changes_of(&self, key: &[u8]) -> Vec<u32> {
        let past = self.store.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        past.iter().map(|(block, _)| *block).filter(|block| *block <= self.block).collect()
    }

    /// Keys that begin with `prefix` and are above `after`, in their order, at most `limit`.
    pub(crate) fn keys(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_vec()),
            _ => Bound::Included(prefix.to_vec()),
        };
        let range = self.store.keys.range((from, Bound::Unbounded));
        let beginning = range.take_while(|(key, _)| key.starts_with(prefix));
        let standing = beginning.filter(|(_, past)| self.value_in(past).is_some());
        standing.take(limit).map(|(key, _)| key.clone()).collect()
    }
}

impl Read for View<'_> {
    fn read(&self, key: &[u8]) -> Option<&[u8]> {
        self.value_in(self.store.keys.get(key)?)
    }
}

/// A key, and what stood in the changes before it was written ([`None`]: it was not among them).
#[derive(Debug)]
struct Undo {
    key: Vec<u8>,
    before: Option<Option<Vec<u8>>>,
}

/// The changes of a block in the making.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    base: View<'a>,
    changes: Changes,
    /// How to undo each change, oldest first.
    journal: Vec<Undo>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(base: View<'a>) -> Self {
        Self { base, changes: Changes::new(), journal: Vec::new() }
    }

    /// Sets or removes a value.
    pub(crate) fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.changes.insert(key.clone(), value);
        self.journal.push(Undo { key, before });
    }

    /// Where [`Overlay::take_back`] can return to.
    pub(crate) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Undoes what was written since `mark`, newest first.
    pub(crate) fn take_back(&mut self, mark: usize) {
        while self.journal.len() > mark {
            let Some(Undo { key, before }) = self.journal.pop() else { return };
            match before {
                Some(before) => self.changes.insert(key, before),
                None => self.changes.remove(&key),
            };
        }
    }

    /// The changes, and the root of the state with them.
    ///
    /// The root is blake2-256 of the parent's root and the SCALE form of the changed keys with their values, sorted by
    /// key. It covers the whole state because the parent's does, but is no root of a trie: this chain has no read proofs.
    pub(crate) fn finish(self, parent_root: [u8; 32]) -> (Changes, [u8; 32]) {
        let mut covered = parent_root.to_vec();
        codec::Encode::encode_to(&self.changes, &mut covered);
        (self.changes, blake2_256(&covered))
    }
}

impl Read for Overlay<'_> {
    fn read(&self, key: &[u8]) -> Option<&[u8]> {
        match self.changes.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.base.read(key),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn changes(pairs: &[(&[u8], Option<&[u8]>)]) -> Changes {
        pairs.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn each_block_reads_its_own_past() {
        let mut store = Store::default();
        store.commit(0, changes(&[(b"a", Some(b"0")), (b"b", Some(b"0"))]));
        store.commit(2, changes(&[(b"a", Some(b"2")), (b"ab", Some(b"x"))]));
        store.commit(3, changes(&[(b"a", None), (b"b", Some(b"0"))]));
        let read = |block, key: &[u8]| store.at(block).read(key).map(<[u8]>::to_vec);
        assert_eq!(
            [0, 1, 2, 3, 9].map(|block| read(block, b"a")),
            [Some(b"0".to_vec()), Some(b"0".to_vec()), Some(b"2".to_vec()), None, None]
        );
        assert_eq!(read(1, b"ab"), None);
        assert_eq!(store.at(2).keys(b"a", None, 10), [b"a".to_vec(), b"ab".to_vec()]);
        assert_eq!(store.at(2).keys(b"a", None, 1), [b"a".to_vec()]);
        assert_eq!(store.at(2).keys(b"a", Some(b"a"), 10), [b"ab".to_vec()]);
        assert_eq!(store.at(3).keys(b"a", None, 10), [b"ab".to_vec()]);
        assert_eq!(store.at(2).keys(b"", None, 10).len(), 3);
        assert_eq!(store.keys[b"b".as_slice()].len(), 1, "what did not change is not kept twice");
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut store = Store::default();
        store.commit(0, changes(&[(b"a", Some(b"0"))]));
        let mut overlay = Overlay::new(store.at(0));
        overlay.write(b"a".to_vec(), Some(b"1".to_vec()));
        let mark = overlay.mark();
        overlay.write(b"a".to_vec(), None);
        overlay.write(b"b".to_vec(), Some(b"2".to_vec()));
        let inner = overlay.mark();
        overlay.write(b"b".to_vec(), Some(b"3".to_vec()));
        overlay.take_back(inner);
        assert_eq!((overlay.read(b"a"), overlay.read(b"b")), (None, Some(b"2".as_slice())));
        overlay.take_back(mark);
        assert_eq!((overlay.read(b"a"), overlay.read(b"b")), (Some(b"1".as_slice()), None));
        let (left, root) = overlay.finish([0; 32]);
        assert_eq!(left, changes(&[(b"a", Some(b"1"))]));
        let other = Overlay::new(store.at(0)).finish([0; 32]).1;
        assert_ne!(root, other);
    }
}
