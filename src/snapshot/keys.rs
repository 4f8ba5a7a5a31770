//! Which keys of users were seen. PURE.
//!
//! Of each key only a keyed 64-bit hash is kept: two among ten million keys meet with a probability
//! of 3 in a million, and nobody can make them meet, because the hash's own key is drawn anew.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

/// Tables that grow one by one: while one is copied to twice its size, the others are not, so that
/// the whole takes at most 21 bytes a key.
const TABLES: usize = 64;

/// Takes a hash for what it is.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A set of keys.
pub struct Keys {
    secret: RandomState,
    tables: Vec<HashSet<u64, BuildHasherDefault<Identity>>>,
}

impl Default for Keys {
    fn default() -> Self {
        let tables = (0..TABLES).map(|_| HashSet::default()).collect();
        Self { secret: RandomState::new(), tables }
    }
}

impl Keys {
    /// Adds a key; false if it was there.
    pub fn insert(&mut self, key: &[u8]) -> bool {
        let hash = self.secret.hash_one(key);
        // Bits from the middle: a table itself uses the lowest and the highest.
        let table = usize::try_from(hash >> 40).unwrap_or(0) % TABLES;
        self.tables[table].insert(hash)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(HashSet::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(HashSet::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once() {
        let mut keys = Keys::default();
        assert!(keys.is_empty());
        for n in 0..20_000_u32 {
            assert!(keys.insert(&n.to_be_bytes()));
        }
        assert!(!keys.insert(&7_u32.to_be_bytes()) && keys.insert(b""));
        assert_eq!(keys.len(), 20_001);
    }
}
