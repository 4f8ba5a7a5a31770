//! The value of a row in the bucket `key`: `mvccpb.KeyValue`. PURE.
//!
//! Format: etcd `api/mvccpb/kv.proto`.

use super::protobuf::{Fields, Malformed, Value};

/// A key of a user, and what it held at a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyValue<'r> {
    /// The key.
    pub key: &'r [u8],
    /// The main revision that made it.
    pub create_revision: i64,
    /// The main revision of this row.
    pub mod_revision: i64,
    /// How often it was written since it was made.
    pub version: i64,
    /// What it held.
    pub value: &'r [u8],
    /// The lease that it ends with, or 0.
    pub lease: i64,
}

impl<'r> KeyValue<'r> {
    /// Decodes a row's value. Unknown fields are passed over, as etcd does.
    ///
    /// # Errors
    /// When etcd could not decode it.
    pub fn decode(bytes: &'r [u8]) -> Result<Self, Malformed> {
        let mut row = Self::default();
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(key)) => row.key = key,
                (2, Value::Number(n)) => row.create_revision = n.cast_signed(),
                (3, Value::Number(n)) => row.mod_revision = n.cast_signed(),
                (4, Value::Number(n)) => row.version = n.cast_signed(),
                (5, Value::Bytes(value)) => row.value = value,
                (6, Value::Number(n)) => row.lease = n.cast_signed(),
                (1..=6, _) => return Err(Malformed),
                _ => {}
            }
        }
        Ok(row)
    }
}
