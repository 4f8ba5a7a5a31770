//! The chain: what an entry's hash is made of.
//!
//! PURE. Each entry's `prev` is the hash of the entry before it in its stream, [`GENESIS`] at
//! seq 0. The hash of an entry is SHA-256, in lower-case hexadecimal, over these eleven fields in
//! this order:
//!
//! | field | as |
//! | --- | --- |
//! | `v` | decimal |
//! | `stream` | text |
//! | `seq` | decimal |
//! | `prev` | text, 64 hexadecimal digits |
//! | `wall` | text, RFC 3339 in UTC with nine digits of fraction |
//! | `boot` | text |
//! | `mono` | decimal, milliseconds |
//! | `process` | text |
//! | `epoch` | decimal |
//! | `kind` | text |
//! | `body` | text, JSON exactly as stored |
//!
//! Each field is its length in bytes as an unsigned 64-bit big-endian number, then its bytes.
//! Text is UTF-8; decimal is ASCII digits without sign or leading zeros. Lengths come first so
//! that no two different entries give the same bytes.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The shape of the envelope that this firedrill writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// `prev` of the first entry of a stream.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry as its columns hold it: envelope, kind, and the body as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Shape of the envelope.
    pub v: u32,
    /// The stream: a run's id, or `daemon`.
    pub stream: String,
    /// Position in the stream, from 0.
    pub seq: u64,
    /// Hash of the entry before.
    pub prev: String,
    /// Wall time, RFC 3339 in UTC with nine digits of fraction.
    pub wall: String,
    /// The boot that `mono` counts from.
    pub boot: String,
    /// Milliseconds of CLOCK_BOOTTIME.
    pub mono: u64,
    /// The process that wrote it.
    pub process: String,
    /// Its epoch of leadership.
    pub epoch: u64,
    /// The event's name.
    pub kind: String,
    /// The event's fields as JSON text.
    pub body: String,
}

impl Record {
    /// The hash that the next entry of the stream carries as its `prev`.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(self.v.to_string().as_bytes());
        field(self.stream.as_bytes());
        field(self.seq.to_string().as_bytes());
        field(self.prev.as_bytes());
        field(self.wall.as_bytes());
        field(self.boot.as_bytes());
        field(self.mono.to_string().as_bytes());
        field(self.process.as_bytes());
        field(self.epoch.to_string().as_bytes());
        field(self.kind.as_bytes());
        field(self.body.as_bytes());
        hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _infallible = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Where a stream stands: its last seq and that entry's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Seq of the last entry.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Head {
    /// The head that `record` makes.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { seq: record.seq, hash: record.hash() }
    }

    /// Seq and `prev` of the entry after `head`; of the first one where there is no head.
    #[must_use]
    pub fn next(head: Option<&Self>) -> (u64, String) {
        head.map_or_else(|| (0, GENESIS.to_owned()), |head| (head.seq + 1, head.hash.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            v: 1,
            stream: "s".into(),
            seq: 0,
            prev: GENESIS.into(),
            wall: "2026-01-02T03:04:05.000000006Z".into(),
            boot: "b".into(),
            mono: 7,
            process: "p".into(),
            epoch: 3,
            kind: "RunEnded".into(),
            body: "{\"ä\":1}".into(),
        }
    }

    /// The figure comes from another implementation of the docstring (Python's hashlib).
    #[test]
    fn the_hash_is_the_documented_one() {
        assert_eq!(
            record().hash(),
            "0fa6fd800e64d3afb34fb6656036371e249b8eb62f1cdfde7dc2eea3366fe5fc"
        );
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let mut moved = record();
        moved.boot = String::new();
        moved.wall.push('b');
        assert_ne!(moved.hash(), record().hash());
    }
}
