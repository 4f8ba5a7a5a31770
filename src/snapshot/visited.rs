//! Which pages were seen: one bit for each. PURE.
//!
//! A page that is reached twice is a fault, so no walk of a damaged tree can go round in circles or
//! take longer than the file is long.

/// A set of pages.
pub struct Visited {
    bits: Vec<u64>,
    pages: u64,
    count: u64,
}

impl Visited {
    /// An empty set of pages below `pages`. Takes one bit for each; the caller has checked that the
    /// file is long enough to hold them.
    #[must_use]
    pub fn new(pages: u64) -> Self {
        let words = usize::try_from(pages.div_ceil(64)).unwrap_or(0);
        Self { bits: vec![0; words], pages, count: 0 }
    }

    /// Adds a page; false if it is in the set already, or not a page of the database.
    pub fn insert(&mut self, page: u64) -> bool {
        let index = usize::try_from(page / 64).unwrap_or(usize::MAX);
        let bit = 1_u64 << (page % 64);
        match self.bits.get_mut(index) {
            Some(word) if page < self.pages && *word & bit == 0 => {
                *word |= bit;
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    /// Whether a page is in the set.
    #[must_use]
    pub fn contains(&self, page: u64) -> bool {
        let index = usize::try_from(page / 64).unwrap_or(usize::MAX);
        self.bits.get(index).is_some_and(|word| word & (1 << (page % 64)) != 0)
    }

    /// How many pages are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_once_and_only_if_it_exists() {
        let mut seen = Visited::new(130);
        assert!(seen.insert(0) && seen.insert(64) && seen.insert(129));
        assert!(!seen.insert(64) && !seen.insert(130) && !seen.insert(u64::MAX));
        assert_eq!(seen.count(), 3);
        assert!(seen.contains(129) && !seen.contains(128) && !seen.contains(u64::MAX));
    }
}
