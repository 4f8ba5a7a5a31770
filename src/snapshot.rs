//! Snapshots of etcd: what a file holds, and whether it can be trusted.
//!
//! A snapshot is a bbolt database as its server streamed it, and the SHA-256 of that. The reader is
//! our own: etcd's tools map the file into memory and end by a signal on a damaged one, look at the
//! digest only when they restore, and at the rows not at all. Here every position, length, count
//! and depth is held against the file, and nothing is written.
//!
//! The bytes come through [`source::Source`]: a file today, ranges of an object in a store later.

pub mod buckets;
mod bytes;
pub mod container;
pub mod crc;
pub mod digest;
pub mod fault;
pub mod faults;
pub mod file;
pub mod freelist;
pub mod hash_kv;
pub mod inspection;
pub mod key_value;
pub mod keys;
pub mod keyspace;
pub mod kubernetes;
pub mod meta;
pub mod page;
pub mod protobuf;
pub mod records;
pub mod revision;
pub mod run;
pub mod source;
pub mod stranger;
pub mod tree;
pub mod verdict;
pub mod visited;

use jiff::Timestamp;

use source::Source;
use verdict::{Facts, Level, Verdict};

/// Judges a bare snapshot on this thread alone; `now` is for the age of its content.
///
/// This is the entry of fuzzing, too: `inspect(&mut data, Level::Intact, Timestamp::UNIX_EPOCH)`
/// with any `data: &[u8]` ends, without a panic and within the memory that
/// [`inspection`] names.
#[must_use]
pub fn inspect(source: &mut dyn Source, level: Level, now: Timestamp) -> Verdict {
    let facts = Facts { size: Some(source.size()), ..Facts::default() };
    let mut look = inspection::Inspection::begin(source, level, facts, vec![]);
    let computed = look.to_hash().map(|length| digest::of(source, length));
    look.read(source, now);
    if let Some(computed) = computed {
        look.digest(source, computed);
    }
    look.end()
}
