//! etcd's hash of the key space at a revision, `HashKV`. PURE.
//!
//! Rules: etcd `server/storage/mvcc/hash.go`, and `keep` of `key_index.go`. What a member answers
//! depends on how far it has compacted: rows up to there count only if they are the newest of
//! their key and no deletion. Where no key lives, all of them count but a deletion at the very
//! point, which some servers keep and some do not.

use super::{
    crc::{Crc, Piece},
    revision::Revision,
};

/// What the member says that has never compacted.
pub const NEVER: i64 = -1;

/// The hash, fed from the newest row to the oldest.
pub struct HashKv {
    compacted: i64,
    hash: Crc,
    /// The hash for the case that no key lives: etcd then leaves no row out but a deletion at the
    /// point of compaction. None as soon as one does.
    without_keep: Option<Crc>,
}

impl HashKv {
    /// For a member that has compacted up to `compacted`, or [`NEVER`].
    #[must_use]
    pub fn new(compacted: i64) -> Self {
        Self { compacted, hash: Crc::default(), without_keep: Some(Crc::default()) }
    }

    /// How far the member has compacted, or [`NEVER`].
    #[must_use]
    pub fn compacted(&self) -> i64 {
        self.compacted
    }

    /// Whether a row counts; `newest` of its key.
    #[must_use]
    pub fn counts(&self, revision: Revision, newest: bool) -> bool {
        revision.main > self.compacted || (newest && !revision.tombstone)
    }

    fn at_the_point(&self, revision: Revision) -> bool {
        revision.tombstone && revision.main == self.compacted
    }

    /// Takes the bytes of rows that count.
    pub fn prepend(&mut self, rows: Piece) {
        self.hash.prepend(rows);
    }

    /// Is told of every row, whether it counts or not, as long as [`Self::undecided`].
    pub fn note(&mut self, revision: Revision, newest: bool, row: &[u8]) {
        if newest && !revision.tombstone {
            self.without_keep = None;
        } else if !self.at_the_point(revision)
            && let Some(hash) = &mut self.without_keep
        {
            hash.prepend(Piece::of(row));
        }
    }

    /// No key that lives was met so far.
    #[must_use]
    pub fn undecided(&self) -> bool {
        self.without_keep.is_some()
    }

    /// The hash; it begins with the bucket's name.
    #[must_use]
    pub fn value(mut self) -> u32 {
        let mut hash = self.without_keep.take().unwrap_or(self.hash);
        hash.prepend(Piece::of(b"key"));
        hash.value()
    }
}
