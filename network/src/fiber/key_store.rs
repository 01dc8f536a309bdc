//! The symmetric keys that validators brought, each under the validator's hotkey and the name it gave the key.
//!
//! Bounded: a validator that brings more than its share replaces its own oldest key; when the store as a whole is full, new
//! keys are refused until some expire. Times are Unix seconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::types::Hotkey;

use super::Refusal;
use crate::fernet::FernetKey;

/// Keys of one validator: one in use, one being replaced, and some of its other processes.
pub const MAXIMUM_OF_ONE: usize = 8;
/// Keys of all: 512 validators with their full share.
pub const MAXIMUM_KEYS: usize = 4096;

#[derive(Debug)]
struct Kept {
    key: Arc<FernetKey>,
    since: u64,
}

/// The keys.
#[derive(Debug)]
pub struct KeyStore {
    keys: BTreeMap<Hotkey, BTreeMap<String, Kept>>,
    lifetime: u64,
    most: usize,
}

impl KeyStore {
    /// An empty store whose keys live for `lifetime` seconds.
    #[must_use]
    pub fn new(lifetime: u64) -> Self {
        Self::with_limit(lifetime, MAXIMUM_KEYS)
    }

    /// As [`Self::new`], for at most `most` keys.
    #[must_use]
    pub fn with_limit(lifetime: u64, most: usize) -> Self {
        Self { keys: BTreeMap::new(), lifetime, most }
    }

    /// Keeps a key; one of the same name is replaced.
    ///
    /// # Errors
    /// [`Refusal::Full`] when there is no room.
    pub fn insert(&mut self, hotkey: &Hotkey, uuid: &str, key: FernetKey, now: u64) -> Result<(), Refusal> {
        let own = self.keys.get(hotkey).map_or(0, BTreeMap::len);
        let replaces = self.keys.get(hotkey).is_some_and(|keys| keys.contains_key(uuid));
        if !replaces && own < MAXIMUM_OF_ONE && self.len() >= self.most {
            self.sweep(now);
            if self.len() >= self.most {
                return Err(Refusal::Full);
            }
        }
        let keys = self.keys.entry(*hotkey).or_default();
        if !replaces && keys.len() >= MAXIMUM_OF_ONE {
            let oldest = keys.iter().min_by_key(|(_, kept)| kept.since).map(|(name, _)| name.clone());
            oldest.and_then(|name| keys.remove(&name));
        }
        keys.insert(uuid.to_owned(), Kept { key: Arc::new(key), since: now });
        Ok(())
    }

    /// The key of that name, while it lives.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`].
    pub fn get(&self, hotkey: &Hotkey, uuid: &str, now: u64) -> Result<Arc<FernetKey>, Refusal> {
        let kept = self.keys.get(hotkey).and_then(|keys| keys.get(uuid));
        let alive = kept.filter(|kept| now.saturating_sub(kept.since) < self.lifetime);
        alive.map(|kept| kept.key.clone()).ok_or(Refusal::UnknownKey)
    }

    /// How long a key lives, in seconds.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// Drops the keys that have expired.
    pub fn sweep(&mut self, now: u64) {
        let lifetime = self.lifetime;
        for keys in self.keys.values_mut() {
            keys.retain(|_, kept| now.saturating_sub(kept.since) < lifetime);
        }
        self.keys.retain(|_, keys| !keys.is_empty());
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many validators have brought one.
    #[must_use]
    pub fn hotkeys(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hotkey(number: u8) -> Hotkey {
        Hotkey::from_public(&[number; 32])
    }

    fn key(number: u8) -> FernetKey {
        FernetKey::from_bytes([number; 32])
    }

    #[test]
    fn keys_live_for_their_time_and_for_their_owner() {
        let mut store = KeyStore::new(100);
        store.insert(&hotkey(1), "a", key(1), 1000).unwrap();
        assert_eq!(store.get(&hotkey(1), "a", 1099).unwrap().bytes(), &[1; 32]);
        assert_eq!(store.get(&hotkey(1), "a", 1100).unwrap_err(), Refusal::UnknownKey);
        assert!(store.get(&hotkey(2), "a", 1000).is_err() && store.get(&hotkey(1), "b", 1000).is_err());
        store.insert(&hotkey(1), "a", key(2), 1050).unwrap();
        assert_eq!((store.get(&hotkey(1), "a", 1149).unwrap().bytes(), store.len()), (&[2; 32], 1));
        store.sweep(1150);
        assert!(store.is_empty() && store.hotkeys() == 0);
    }

    #[test]
    fn the_store_is_bounded() {
        let mut store = KeyStore::with_limit(100, 10);
        for number in 0..20 {
            store.insert(&hotkey(1), &number.to_string(), key(number), 1000 + u64::from(number)).unwrap();
        }
        assert_eq!(store.len(), MAXIMUM_OF_ONE, "one validator pushes out its own keys only");
        assert!(store.get(&hotkey(1), "11", 1020).is_err() && store.get(&hotkey(1), "12", 1020).is_ok());
        store.insert(&hotkey(2), "a", key(1), 1020).unwrap();
        store.insert(&hotkey(3), "a", key(1), 1020).unwrap();
        assert_eq!(store.insert(&hotkey(4), "a", key(1), 1020), Err(Refusal::Full));
        assert!(store.insert(&hotkey(3), "a", key(2), 1020).is_ok(), "a key is replaced where it stands");
        assert!(store.insert(&hotkey(1), "new", key(2), 1020).is_ok());
        assert!(store.insert(&hotkey(4), "a", key(1), 1118).is_ok(), "expired keys make room");
    }
}
