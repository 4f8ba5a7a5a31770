//! The key of a row in the bucket `key`: a revision. PURE.
//!
//! Format: etcd `server/storage/mvcc/revision.go`: main revision, `_`, sub revision, big-endian, and
//! `t` behind it where the row says that a key was deleted.

use super::bytes::be_u64_at;

const LENGTH: usize = 17;
const TOMBSTONE: u8 = b't';

/// A revision of the key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Counts transactions.
    pub main: i64,
    /// Counts changes within one.
    pub sub: i64,
    /// The change deleted a key.
    pub tombstone: bool,
}

impl Revision {
    /// Decodes a row's key; none if etcd would not start with it.
    #[must_use]
    pub fn decode(key: &[u8]) -> Option<Self> {
        let tombstone = match key.len() {
            LENGTH => false,
            // etcd takes any 18th byte; it writes only this one.
            18 if key[LENGTH] == TOMBSTONE => true,
            _ => return None,
        };
        let main = i64::try_from(be_u64_at(key, 0)?).ok()?;
        let sub = i64::try_from(be_u64_at(key, 9)?).ok()?;
        (key[8] == b'_').then_some(Self { main, sub, tombstone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions() {
        let key = |main: u64, middle: u8, sub: u64, tail: &[u8]| {
            [&main.to_be_bytes()[..], &[middle], &sub.to_be_bytes(), tail].concat()
        };
        let good = Revision::decode(&key(7, b'_', 2, b""));
        assert_eq!(good, Some(Revision { main: 7, sub: 2, tombstone: false }));
        assert!(Revision::decode(&key(7, b'_', 2, b"t")).is_some_and(|it| it.tombstone));
        for bad in [
            key(7, b'-', 2, b""),
            key(7, b'_', 2, b"x"),
            key(7, b'_', 2, b"tt"),
            key(1 << 63, b'_', 2, b""),
            key(7, b'_', 1 << 63, b""),
            vec![],
        ] {
            assert_eq!(Revision::decode(&bad), None, "{bad:?}");
        }
    }
}
