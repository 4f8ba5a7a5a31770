//! Ports on loopback, so that several labs run at once and never answer for one another.
//!
//! Each lab takes a block of `SIZE` ports below the kernel's ephemeral range. The first port of
//! a block is its lock: the lab listens on it (and never answers) as long as it lives, so no other
//! lab takes the same block; the others are handed out one by one. A port that some other program
//! grabs in between shows as "address already in use" in a part's log, and the whole start is
//! tried again on another block.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Context, bail};

const FIRST: u16 = 20_000;
const SIZE: u16 = 24;
const BLOCKS: u16 = 500;

/// A block of free ports on 127.0.0.1.
#[derive(Debug)]
pub struct Ports {
    lock: TcpListener,
    taken: AtomicU16,
}

impl Ports {
    /// Takes a free block.
    ///
    /// # Errors
    /// When no block is free.
    pub fn take() -> anyhow::Result<Self> {
        // The hasher's random key is the only source of randomness that std has.
        let start = RandomState::new().hash_one(std::process::id());
        for i in 0..BLOCKS {
            let block = u16::try_from((start + u64::from(i)) % u64::from(BLOCKS))?;
            if let Some(lock) = lock_block(FIRST + block * SIZE) {
                return Ok(Self { lock, taken: AtomicU16::new(1) });
            }
        }
        bail!("no {SIZE} free ports in a row between {FIRST} and {}", FIRST + BLOCKS * SIZE)
    }

    /// The next port of the block.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn next(&self) -> anyhow::Result<u16> {
        let base = self.lock.local_addr().context("own port block")?.port();
        let offset = self.taken.fetch_add(1, Ordering::Relaxed);
        if offset >= SIZE {
            bail!("a lab has {} ports and all are taken", SIZE - 1);
        }
        Ok(base + offset)
    }
}

/// Listens on `base` if all ports of its block are free.
fn lock_block(base: u16) -> Option<TcpListener> {
    let lock = TcpListener::bind((Ipv4Addr::LOCALHOST, base)).ok()?;
    // All at once, so that one is not counted twice.
    let all: Option<Vec<_>> =
        (1..SIZE).map(|i| TcpListener::bind((Ipv4Addr::LOCALHOST, base + i)).ok()).collect();
    all.map(|_| lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn two_labs_share_no_port() {
        let (a, b) = (Ports::take().unwrap(), Ports::take().unwrap());
        let ports: Vec<u16> =
            (1..SIZE).flat_map(|_| [a.next().unwrap(), b.next().unwrap()]).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(a.next().is_err(), "a block has an end");
    }

    #[test]
    fn a_block_with_a_port_in_use_is_passed_over() {
        let ports = Ports::take().unwrap();
        let base = ports.lock.local_addr().unwrap().port();
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 3)).unwrap();
        drop(ports);
        assert!(lock_block(base).is_none());
        drop(other);
    }
}
