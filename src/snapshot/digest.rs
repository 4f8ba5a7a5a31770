//! The SHA-256 that a snapshot ends with. PURE.
//!
//! It covers everything before it. The server hashes what it sends, so a match proves that nothing
//! changed since, not that the server's database was right.

use std::io;

use sha2::{Digest as _, Sha256};

use super::{meta::DIGEST, source::Source};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// The SHA-256 of the first `length` bytes.
///
/// # Errors
/// When they cannot be read.
pub fn of(source: &mut dyn Source, length: u64) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < length {
        let take = usize::try_from(length - at).unwrap_or(CHUNK).min(CHUNK);
        source.read_at(at, &mut chunk[..take])?;
        hash.update(&chunk[..take]);
        at += take as u64;
    }
    Ok(hash.finalize().into())
}

/// The digest that a snapshot of `size` bytes ends with.
///
/// # Errors
/// When it cannot be read.
pub fn stored(source: &mut dyn Source, size: u64) -> io::Result<[u8; 32]> {
    let mut digest = [0; 32];
    source.read_at(size.saturating_sub(DIGEST), &mut digest)?;
    Ok(digest)
}
