//! The versions of streams that this writer has seen. As the ledger's only writer it need not ask twice.
//!
//! Bounded: two generations of entries; when the younger is full the older is forgotten. Emptied after any failure.

use std::collections::HashMap;

/// Entries of one generation. One batch names far fewer streams, so what it looked up is still there when it is built.
const GENERATION: usize = 1 << 16;

/// Stream names to versions; 0 means that the stream does not exist.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    young: HashMap<String, u64>,
    old: HashMap<String, u64>,
}

/// One string for a stream's name; neither part can contain the NUL between them.
pub(crate) fn name(stream_type: &str, stream_id: &str) -> String {
    let mut name = String::with_capacity(stream_type.len() + 1 + stream_id.len());
    name.push_str(stream_type);
    name.push('\0');
    name.push_str(stream_id);
    name
}

impl Versions {
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.young.get(name).or_else(|| self.old.get(name)).copied()
    }

    pub(crate) fn put(&mut self, name: String, version: u64) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, version);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_two_generations_and_keeps_the_newest() {
        let mut versions = Versions::default();
        for n in 0..3 * GENERATION as u64 {
            versions.put(name("t", &n.to_string()), n);
        }
        assert!(versions.young.len() + versions.old.len() <= 2 * GENERATION);
        let newest = 3 * GENERATION as u64 - 1;
        assert_eq!(versions.get(&name("t", &newest.to_string())), Some(newest));
        assert_eq!(versions.get(&name("t", "0")), None);
        versions.put(name("t", "5"), 9);
        versions.put(name("t", "5"), 10);
        assert_eq!(versions.get(&name("t", "5")), Some(10));
    }
}
