//! Rows that lie side by side, joined from the last to the first. PURE.
//!
//! In a leaf the rows' bytes follow one another, so a checksum over a whole leaf is one call.

use std::ops::Range;

/// A growing range of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run(Option<Range<usize>>);

impl Run {
    /// Adds the row at `place`, which lies before all that were added. What was joined so far is
    /// given back if the row does not touch it.
    pub fn add(&mut self, place: Range<usize>) -> Option<Range<usize>> {
        match &mut self.0 {
            Some(run) if run.start == place.end => {
                run.start = place.start;
                None
            }
            run => run.replace(place),
        }
    }

    /// What is joined and was not given back.
    pub fn take(&mut self) -> Option<Range<usize>> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_touch_are_joined() {
        let mut run = Run::default();
        assert_eq!(run.add(80..90), None);
        assert_eq!(run.add(60..80), None);
        assert_eq!(run.add(40..50), Some(60..90));
        assert_eq!(run.take(), Some(40..50));
        assert_eq!(run.take(), None);
    }
}
