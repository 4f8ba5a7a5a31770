//! A snapshot whose bytes can be damaged in the right places.
//!
//! It shares no code with the reader that is tested: it knows only where things lie.

use sha2::{Digest as _, Sha256};

const HEADER: usize = 16;
const ELEMENT: usize = 16;

/// A snapshot in memory.
#[derive(Clone)]
pub struct Editor {
    /// All its bytes, the digest among them.
    pub bytes: Vec<u8>,
    page_size: usize,
}

impl Editor {
    /// Opens a good snapshot.
    #[must_use]
    pub fn open(bytes: Vec<u8>) -> Self {
        let page_size = usize::try_from(word(&bytes, HEADER + 8, 4)).unwrap_or(0);
        Self { bytes, page_size }
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    /// How many pages the first meta counts.
    #[must_use]
    pub fn pages(&self) -> u64 {
        word(&self.bytes, HEADER + 40, 8)
    }

    /// Where a page begins.
    #[must_use]
    pub fn at(&self, page: u64) -> usize {
        usize::try_from(page).unwrap_or(0) * self.page_size
    }

    /// A little-endian number of `width` bytes.
    #[must_use]
    pub fn get(&self, at: usize, width: usize) -> u64 {
        word(&self.bytes, at, width)
    }

    /// Writes a little-endian number of `width` bytes.
    pub fn set(&mut self, at: usize, width: usize, value: u64) {
        self.bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    /// Changes a field of both metas, with their checksums. `field` counts from the magic number.
    pub fn set_meta(&mut self, field: usize, width: usize, value: u64) {
        for page in 0..2 {
            let at = self.at(page) + HEADER;
            self.set(at + field, width, value);
            let sum =
                self.bytes[at..at + 56].iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                    (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
                });
            self.set(at + 56, 8, sum);
        }
    }

    /// The page of the root.
    #[must_use]
    pub fn root(&self) -> u64 {
        word(&self.bytes, HEADER + 16, 8)
    }

    /// Computes the digest anew, as whoever forges a snapshot would.
    #[must_use]
    pub fn reseal(mut self) -> Vec<u8> {
        let end = self.bytes.len() - 32;
        let digest = Sha256::digest(&self.bytes[..end]);
        self.bytes[end..].copy_from_slice(&digest);
        self.bytes
    }

    /// Rows of the leaf at `page`: where element, key and value lie.
    #[must_use]
    pub fn rows(&self, page: u64) -> Vec<Row> {
        let start = self.at(page);
        let count = usize::try_from(self.get(start + 10, 2)).unwrap_or(0);
        (0..count)
            .map(|index| {
                let element = start + HEADER + index * ELEMENT;
                let size = |at| usize::try_from(self.get(element + at, 4)).unwrap_or(0);
                let key = element + size(4);
                Row { element, key, key_size: size(8), value: key + size(8), value_size: size(12) }
            })
            .collect()
    }

    /// The row of the root for a bucket.
    #[must_use]
    pub fn bucket(&self, name: &[u8]) -> Row {
        let rows = self.rows(self.root());
        let found = rows.into_iter().find(|row| &self.bytes[row.key..row.value] == name);
        found.unwrap_or_else(|| panic!("no bucket {name:?}"))
    }

    /// The page at the top of the bucket `key`; 0 if it is inline.
    #[must_use]
    pub fn top(&self) -> u64 {
        self.get(self.bucket(b"key").value, 8)
    }

    /// Whether a page is a branch.
    #[must_use]
    pub fn is_branch(&self, page: u64) -> bool {
        self.get(self.at(page) + 8, 2) == 1
    }

    /// The page that the child `index` of a branch names, and where its number lies.
    #[must_use]
    pub fn child(&self, branch: u64, index: usize) -> (u64, usize) {
        let at = self.at(branch) + HEADER + index * ELEMENT + 8;
        (self.get(at, 8), at)
    }

    /// The first and the last leaf of the bucket `key`.
    #[must_use]
    pub fn edges(&self) -> (u64, u64) {
        let edge = |last: bool| {
            let mut page = self.top();
            while self.is_branch(page) {
                let count = usize::try_from(self.get(self.at(page) + 10, 2)).unwrap_or(1);
                page = self.child(page, if last { count - 1 } else { 0 }).0;
            }
            page
        };
        (edge(false), edge(true))
    }
}

/// Where a row lies.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its element.
    pub element: usize,
    /// Its key.
    pub key: usize,
    /// Bytes of the key.
    pub key_size: usize,
    /// Its value.
    pub value: usize,
    /// Bytes of the value.
    pub value_size: usize,
}

fn word(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut word = [0; 8];
    word[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(word)
}
