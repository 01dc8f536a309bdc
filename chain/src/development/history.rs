//! A value with all its past: what it was after any block.

use domain::types::BlockNumber;

/// The changes of one value, oldest first. Its size is that of its changes, not of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History<T> {
    changes: Vec<(BlockNumber, T)>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { changes: Vec::new() }
    }
}

impl<T: PartialEq> History<T> {
    pub(crate) fn new(block: BlockNumber, value: T) -> Self {
        Self { changes: vec![(block, value)] }
    }

    /// The value after `block`, with the block of the change.
    pub(crate) fn at(&self, block: BlockNumber) -> Option<(BlockNumber, &T)> {
        let after = self.changes.partition_point(|(changed, _)| *changed <= block);
        let (changed, value) = self.changes.get(after.checked_sub(1)?)?;
        Some((*changed, value))
    }

    pub(crate) fn latest(&self) -> Option<&T> {
        self.changes.last().map(|(_, value)| value)
    }

    /// Sets the value as of `block`, which is never before the last change.
    pub(crate) fn set(&mut self, block: BlockNumber, value: T) {
        match self.changes.last_mut() {
            Some((_, last)) if *last == value => {}
            Some((changed, last)) if *changed == block => *last = value,
            _ => self.changes.push((block, value)),
        }
    }
}
