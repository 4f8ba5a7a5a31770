//! Pages of a bbolt database: header, branch, leaf. PURE.
//!
//! Format: bbolt `internal/common/{page,inode}.go`. Nothing in a page is believed: every position,
//! length and count is held against the bytes that are there, keys must ascend, and the data of
//! elements must follow one another, so that no byte is counted twice.

use std::{fmt::Display, ops::Range};

use super::{
    bytes::{u16_at, u32_at, u64_at},
    fault::{Fault, broken},
};

/// Bytes of a page's header.
pub const HEADER: usize = 16;
/// Bytes of an element, in branches and leaves alike.
const ELEMENT: usize = 16;

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Names pages below it.
    Branch,
    /// Holds keys and values.
    Leaf,
    /// Lists free pages.
    Freelist,
}

/// A page's header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// How many elements it has.
    pub count: u16,
    /// How many pages after this one belong to it.
    pub overflow: u32,
}

impl Header {
    /// Decodes the header of the page `id`.
    ///
    /// # Errors
    /// When the page calls itself another, or has no type.
    pub fn decode(bytes: &[u8], id: u64) -> Result<Self, Fault> {
        let fields = (u64_at(bytes, 0), u16_at(bytes, 8), u16_at(bytes, 10), u32_at(bytes, 12));
        let (Some(own), Some(flags), Some(count), Some(overflow)) = fields else {
            return broken(format!("page {id} is cut off"));
        };
        if own != id {
            return broken(format!("page {id} calls itself page {own}"));
        }
        let kind = match flags {
            0x01 => Kind::Branch,
            0x02 => Kind::Leaf,
            0x10 => Kind::Freelist,
            _ => return broken(format!("page {id} has the unknown type {flags:#x}")),
        };
        Ok(Self { kind, count, overflow })
    }
}

/// The position of a key or of a key with its value, from an element's own beginning.
fn range(page: &[u8], at: usize, pos: u32, length: u64) -> Option<Range<usize>> {
    let start = at.checked_add(usize::try_from(pos).ok()?)?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= page.len()).then_some(start..end)
}

/// One row of a leaf.
#[derive(Clone, Debug)]
pub struct Row<'p> {
    /// The value is a bucket.
    pub bucket: bool,
    /// The key.
    pub key: &'p [u8],
    /// The value; it lies right behind the key.
    pub value: &'p [u8],
    /// Where key and value lie in [`Leaf::bytes`].
    pub place: Range<usize>,
}

/// A leaf that was checked: all its rows can be had.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'p> {
    bytes: &'p [u8],
    count: usize,
}

impl<'p> Leaf<'p> {
    /// Checks a leaf with `count` rows. `bytes` is the page from its header on; `name` is for
    /// messages.
    ///
    /// # Errors
    /// With the first rule that it breaks.
    pub fn check(bytes: &'p [u8], count: u16, name: &dyn Display) -> Result<Self, Fault> {
        let leaf = Self { bytes, count: usize::from(count) };
        let mut free = HEADER + leaf.count * ELEMENT;
        let mut before: &[u8] = &[];
        for index in 0..leaf.count {
            let Some(row) = leaf.row(index) else {
                return broken(format!("{name}: row {index} lies outside of the page"));
            };
            let flags = u32_at(bytes, HEADER + index * ELEMENT).unwrap_or(0);
            if flags > 1 {
                return broken(format!("{name}: row {index} has the unknown type {flags:#x}"));
            }
            if row.place.start < free {
                return broken(format!("{name}: row {index} overlaps what is before it"));
            }
            // The empty key is before all others, so it is refused too.
            if row.key <= before {
                return broken(format!("{name}: the key of row {index} is out of order"));
            }
            (free, before) = (row.place.end, row.key);
        }
        Ok(leaf)
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The page's bytes from its header on.
    #[must_use]
    pub fn bytes(&self) -> &'p [u8] {
        self.bytes
    }

    /// The row `index`; none past the last.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<Row<'p>> {
        if index >= self.count {
            return None;
        }
        let at = HEADER + index * ELEMENT;
        let flags = u32_at(self.bytes, at)?;
        let (pos, ksize) = (u32_at(self.bytes, at + 4)?, u32_at(self.bytes, at + 8)?);
        let vsize = u32_at(self.bytes, at + 12)?;
        let place = range(self.bytes, at, pos, u64::from(ksize) + u64::from(vsize))?;
        let middle = place.start + usize::try_from(ksize).ok()?;
        Some(Row {
            bucket: flags == 1,
            key: self.bytes.get(place.start..middle)?,
            value: self.bytes.get(middle..place.end)?,
            place,
        })
    }

    /// All rows from the last to the first.
    pub fn rows_descending(&self) -> impl Iterator<Item = Row<'p>> + use<'p> {
        let leaf = *self;
        (0..leaf.count).rev().filter_map(move |index| leaf.row(index))
    }

    /// The first key.
    #[must_use]
    pub fn first(&self) -> Option<&'p [u8]> {
        self.row(0).map(|row| row.key)
    }

    /// The last key.
    #[must_use]
    pub fn last(&self) -> Option<&'p [u8]> {
        self.row(self.count.checked_sub(1)?).map(|row| row.key)
    }
}

/// A branch that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'p> {
    bytes: &'p [u8],
    count: usize,
}

impl<'p> Branch<'p> {
    /// Checks a branch with `count` children.
    ///
    /// # Errors
    /// With the first rule that it breaks.
    pub fn check(bytes: &'p [u8], count: u16, name: &dyn Display) -> Result<Self, Fault> {
        let branch = Self { bytes, count: usize::from(count) };
        if branch.count == 0 {
            return broken(format!("{name}: a branch without children"));
        }
        let mut before: Option<&[u8]> = None;
        for index in 0..branch.count {
            let Some((key, _)) = branch.child(index) else {
                return broken(format!("{name}: child {index} lies outside of the page"));
            };
            if before.is_some_and(|before| key <= before) {
                return broken(format!("{name}: the key of child {index} is out of order"));
            }
            before = Some(key);
        }
        Ok(branch)
    }

    /// A branch whose bytes were checked before.
    #[must_use]
    pub fn checked(bytes: &'p [u8], count: usize) -> Self {
        Self { bytes, count }
    }

    /// The least key of the child `index`, and its page.
    #[must_use]
    pub fn child(&self, index: usize) -> Option<(&'p [u8], u64)> {
        if index >= self.count {
            return None;
        }
        let at = HEADER + index * ELEMENT;
        let (pos, ksize) = (u32_at(self.bytes, at)?, u32_at(self.bytes, at + 4)?);
        let page = u64_at(self.bytes, at + 8)?;
        let place = range(self.bytes, at, pos, u64::from(ksize))?;
        // Keys come after the elements.
        (place.start >= HEADER + self.count * ELEMENT)
            .then(|| self.bytes.get(place).map(|key| (key, page)))?
    }
}
