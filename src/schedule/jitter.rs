//! Jitter: how long after its slot a drill starts, so that drills of one slot do not start together.
//!
//! PURE. It is not drawn but computed, so that who looks twice, or after a crash, or in another
//! process, gets the same answer.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The jitter of one slot of one drill: whole milliseconds, from none to `max`, each as likely.
///
/// It is `floor(n * (max + 1) / 2^64)` milliseconds, where `n` is the first eight bytes, most
/// significant first, of the SHA-256 of `firedrill jitter`, the instance's name, the drill's name
/// and the slot's instant in milliseconds since 1970 (decimal), each followed by a line feed.
#[must_use]
pub fn jitter(instance: &str, drill: &str, slot: Timestamp, max: Duration) -> Duration {
    let text = format!("firedrill jitter\n{instance}\n{drill}\n{}\n", slot.as_millisecond());
    let hash = Sha256::digest(text.as_bytes());
    let n = hash[..8].iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let choices = u128::from(crate::clock::millis(max)) + 1;
    // At most `max`, which is 64 bits.
    Duration::from_millis(u64::try_from((u128::from(n) * choices) >> 64).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
