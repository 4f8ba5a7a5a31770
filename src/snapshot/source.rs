//! Where the bytes of a snapshot come from: bounded reads at a position. PURE.
//!
//! Nothing is mapped into memory: a file that shrinks while it is mapped kills the process, and a
//! store in the network cannot be mapped at all.

use std::io;

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

/// A piece of a source that is kept in memory, so that pages that lie side by side are read
/// together.
///
/// A tree is walked from its end to its beginning, and a database that only grows has its leaves in
/// that order: who asks for the bytes just before the last ones gets many at once. Where pages are
/// scattered, little more is read than what was asked for.
pub struct Window<'s> {
    source: &'s mut dyn Source,
    /// No byte at or after this is read.
    end: u64,
    /// The least that is read at once, in bytes.
    least: usize,
    at: u64,
    bytes: Vec<u8>,
    filled: usize,
}

/// The most that is read at once because it may be needed next.
const AHEAD: usize = 1 << 20;

impl<'s> Window<'s> {
    /// A window on the first `end` bytes of `source` that reads at least `least` bytes at once.
    pub fn new(source: &'s mut dyn Source, end: u64, least: usize) -> Self {
        Self { source, end, least, at: 0, bytes: Vec::new(), filled: 0 }
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
        let held = self.at + self.filled as u64;
        if offset < self.at || end > held {
            let backwards = end <= self.at && self.at - end <= self.least as u64;
            let forwards = offset >= self.at && offset <= held;
            let (from, size) = if self.filled > 0 && backwards {
                let size = length.max(AHEAD) as u64;
                (end.saturating_sub(size), size.min(end))
            } else {
                let size = length.max(if forwards { AHEAD } else { self.least }) as u64;
                (offset, size.min(self.end - offset))
            };
            let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
            if self.bytes.len() < size {
                self.bytes.resize(size, 0);
            }
            // Nothing is held while a read may fail.
            self.filled = 0;
            self.source.read_at(from, &mut self.bytes[..size])?;
            (self.at, self.filled) = (from, size);
        }
        let start = usize::try_from(offset - self.at).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(&self.bytes[start..start + length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts reads and the bytes that they ask for.
    struct Counted<'b>(&'b [u8], Vec<(u64, usize)>);

    impl Source for Counted<'_> {
        fn size(&self) -> u64 {
            self.0.size()
        }

        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.1.push((offset, buffer.len()));
            self.0.read_at(offset, buffer)
        }
    }

    #[test]
    fn what_lies_side_by_side_is_read_together_and_nothing_else() {
        let bytes: Vec<u8> = (0..4 * AHEAD).map(|i| (i / 4096) as u8).collect();
        let mut source = Counted(&bytes, vec![]);
        let size = bytes.len() as u64;
        let mut window = Window::new(&mut source, size - 32, 4096);
        for page in (0..1023_u64).rev() {
            let got = window.get(page * 4096, 4096).expect("a page");
            assert!(got.iter().all(|byte| *byte == page as u8));
        }
        assert!(source.1.len() < 8, "{:?}", source.1);

        let mut source = Counted(&bytes, vec![]);
        let mut window = Window::new(&mut source, size, 4096);
        for page in [700_u64, 3, 500, 90] {
            window.get(page * 4096, 4096).expect("a page");
        }
        assert!(source.1.iter().all(|(_, length)| *length == 4096), "{:?}", source.1);
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let bytes = [7_u8; 100];
        let mut source = bytes.as_slice();
        let mut window = Window::new(&mut source, 50, 16);
        assert_eq!(window.get(0, 50).expect("all"), &[7; 50]);
        assert!(window.get(40, 11).is_err());
        assert!(window.get(u64::MAX, 2).is_err());
        assert_eq!(window.get(49, 1).expect("the last"), &[7]);
    }
}
