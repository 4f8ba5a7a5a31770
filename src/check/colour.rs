//! The colour of a background check: green or red, and since when. PURE.

use std::time::Duration;

use crate::clock::Mono;

/// The colour of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// The last answer was good.
    Green,
    /// The last answer was not, or did not come.
    Red,
}

/// A fold over the answers of one check. Before the first it has no colour: that is neither good
/// nor bad.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lamp {
    now: Option<(Colour, Mono)>,
}

impl Lamp {
    /// An answer to the question that was asked at `asked`. Returns the new colour if it turned,
    /// since when being the instant of asking: what an answer shows was so when we asked.
    pub fn answer(&mut self, green: bool, asked: Mono) -> Option<(Colour, Mono)> {
        let colour = if green { Colour::Green } else { Colour::Red };
        if self.now.is_some_and(|(now, _)| now == colour) {
            return None;
        }
        self.now = Some((colour, asked));
        self.now
    }

    /// The colour by the last answer.
    #[must_use]
    pub fn colour(&self) -> Option<Colour> {
        self.now.map(|(colour, _)| colour)
    }

    /// Since when it has been red without a break.
    #[must_use]
    pub fn red_since(&self) -> Option<Mono> {
        self.now.and_then(|(colour, since)| (colour == Colour::Red).then_some(since))
    }

    /// Whether it has been red for `limit` without a break.
    #[must_use]
    pub fn too_long(&self, limit: Duration, now: Mono) -> bool {
        self.red_since().is_some_and(|since| now.since(since) >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turns_are_told() {
        let mut lamp = Lamp::default();
        assert_eq!(lamp.colour(), None);
        assert_eq!(lamp.answer(true, Mono(1)), Some((Colour::Green, Mono(1))));
        assert_eq!(lamp.answer(true, Mono(2)), None);
        assert_eq!(lamp.answer(false, Mono(3)), Some((Colour::Red, Mono(3))));
        assert_eq!(lamp.answer(false, Mono(4)), None);
        assert_eq!(lamp.red_since(), Some(Mono(3)));
        assert_eq!(lamp.answer(true, Mono(5)), Some((Colour::Green, Mono(5))));
        assert_eq!(lamp.red_since(), None);
    }

    #[test]
    fn red_without_a_break_is_what_counts() {
        let limit = Duration::from_millis(10);
        let mut lamp = Lamp::default();
        assert!(!lamp.too_long(limit, Mono(99)), "no answer yet is not red");
        lamp.answer(false, Mono(0));
        assert!(!lamp.too_long(limit, Mono(9)));
        assert!(lamp.too_long(limit, Mono(10)));
        lamp.answer(true, Mono(9));
        lamp.answer(false, Mono(11));
        assert!(!lamp.too_long(limit, Mono(20)));
        assert!(lamp.too_long(limit, Mono(21)));
    }
}
