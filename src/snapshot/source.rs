//! Where the bytes of a snapshot come from: bounded reads at a position. PURE.
//!
//! Nothing is mapped into memory: a file that shrinks while it is mapped kills the process, and a
//! store in the network cannot be mapped at all.

use std::{collections::HashMap, io};

/// Bytes that can be read at any position.
pub trait Source {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// When the bytes cannot be had, or there are fewer.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = start.checked_add(buffer.len()).and_then(|end| self.get(start..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Parts of a source that are kept in memory, so that pages that lie side by side are read together.
///
/// bbolt writes a changed page wherever a page is free, so the leaves of a tree lie in several runs
/// of the file at once, each in order: what is read is kept in blocks, many enough for all runs.
pub struct Window<'s> {
    source: &'s mut dyn Source,
    /// No byte at or after this is read.
    end: u64,
    blocks: Vec<Block>,
    by_number: HashMap<u64, usize>,
    /// The block that is given up next.
    oldest: usize,
    /// What lies in more than one block.
    long: Vec<u8>,
}

struct Block {
    number: u64,
    bytes: Vec<u8>,
}

/// Bytes of a block.
pub const BLOCK: u64 = 64 << 10;
/// How many blocks are kept: 12 MiB.
const BLOCKS: usize = 192;

impl<'s> Window<'s> {
    /// A window on the first `end` bytes of `source`.
    pub fn new(source: &'s mut dyn Source, end: u64) -> Self {
        Self {
            source,
            end,
            blocks: Vec::new(),
            by_number: HashMap::new(),
            oldest: 0,
            long: Vec::new(),
        }
    }

    /// `length` bytes from `offset`.
    ///
    /// # Errors
    /// When the source has no such bytes. The caller bounds `length`.
    pub fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = offset
            .checked_add(length as u64)
            .filter(|end| *end <= self.end)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if length == 0 {
            return Ok(&[]);
        }
        let number = offset / BLOCK;
        if number != (end - 1) / BLOCK {
            if self.long.len() < length {
                // To the byte: growing as vectors do would take twice as much.
                self.long.reserve_exact(length - self.long.len());
                self.long.resize(length, 0);
            }
            let long = &mut self.long[..length];
            self.source.read_at(offset, long)?;
            return Ok(long);
        }
        let index = match self.by_number.get(&number) {
            Some(index) => *index,
            None => self.read(number)?,
        };
        let start = usize::try_from(offset - number * BLOCK).unwrap_or(usize::MAX);
        Ok(&self.blocks[index].bytes[start..start + length])
    }

    /// Reads a block in place of the oldest.
    fn read(&mut self, number: u64) -> io::Result<usize> {
        let start = number * BLOCK;
        let length = usize::try_from(BLOCK.min(self.end - start)).unwrap_or(0);
        let index = if self.blocks.len() < BLOCKS {
            self.blocks.push(Block { number, bytes: vec![0; length] });
            self.blocks.len() - 1
        } else {
            let index = self.oldest;
            self.oldest = (self.oldest + 1) % BLOCKS;
            let block = &mut self.blocks[index];
            self.by_number.remove(&block.number);
            block.number = number;
            block.bytes.resize(length, 0);
            index
        };
        self.source.read_at(start, &mut self.blocks[index].bytes)?;
        // Only what was read may be found again.
        self.by_number.insert(number, index);
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the bytes that are asked for.
    struct Counted<'b>(&'b [u8], u64);

    impl Source for Counted<'_> {
        fn size(&self) -> u64 {
            self.0.size()
        }

        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.1 += buffer.len() as u64;
            self.0.read_at(offset, buffer)
        }
    }

    #[test]
    fn pages_of_several_runs_are_read_once() {
        let bytes: Vec<u8> = (0..40 << 20).map(|i: usize| (i / 4096) as u8).collect();
        let mut source = Counted(&bytes, 0);
        let mut window = Window::new(&mut source, bytes.len() as u64 - 32);
        // Backwards in one half and, between, in the other.
        for page in (0..5119_u64).rev() {
            for page in [page, page + 5120] {
                let got = window.get(page * 4096, 4096).expect("a page");
                assert!(got.iter().all(|byte| *byte == page as u8));
            }
        }
        assert!(source.1 <= bytes.len() as u64, "{}", source.1);
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let bytes = [7_u8; 100];
        let mut source = bytes.as_slice();
        let mut window = Window::new(&mut source, 50);
        assert_eq!(window.get(0, 50).expect("all"), &[7; 50]);
        assert!(window.get(40, 11).is_err());
        assert!(window.get(u64::MAX, 2).is_err());
        assert_eq!(window.get(49, 1).expect("the last"), &[7]);
        assert_eq!(window.get(50, 0).expect("nothing"), &[0_u8; 0]);
    }

    #[test]
    fn what_lies_over_the_edge_of_a_block_is_whole_and_a_failed_read_is_not_kept() {
        struct Once(Vec<u8>, bool);
        impl Source for Once {
            fn size(&self) -> u64 {
                self.0.len() as u64
            }
            fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
                if std::mem::take(&mut self.1) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                self.0.as_slice().read_at(offset, buffer)
            }
        }
        let bytes: Vec<u8> = (0..3 * BLOCK).map(|i| (i % 251) as u8).collect();
        let mut source = Once(bytes.clone(), true);
        let mut window = Window::new(&mut source, bytes.len() as u64);
        assert!(window.get(5, 9).is_err());
        assert_eq!(window.get(5, 9).expect("now"), &bytes[5..14]);
        let edge = BLOCK as usize - 3;
        assert_eq!(window.get(BLOCK - 3, 8).expect("both"), &bytes[edge..edge + 8]);
    }
}
