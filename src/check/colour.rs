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
#[derive(Clone, Copy, Debug)]
pub struct Lamp {
    /// Good answers in a row that turn it green after it was red.
    successes: u32,
    now: Option<(Colour, Mono)>,
    /// The good answers in a row since the last bad one: when the first was asked, how many, and
    /// when the bad one before them was asked.
    streak: Option<(Mono, u32, Mono)>,
    /// When the last answer was asked for.
    last: Option<Mono>,
}

/// A turn of a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The new colour.
    pub colour: Colour,
    /// Since when: the instant at which its first answer was asked for.
    pub since: Mono,
    /// The earliest instant at which it may have turned: when the last answer of the other colour
    /// was asked for. None for the first answer of all.
    pub lower: Option<Mono>,
}

impl Lamp {
    /// A lamp that turns green again after so many good answers in a row, at least one.
    #[must_use]
    pub fn new(successes: u32) -> Self {
        Self { successes: successes.max(1), now: None, streak: None, last: None }
    }

    /// An answer to the question that was asked at `asked`. Returns the turn if it turned, since
    /// the instant of asking: what an answer shows was so when we asked.
    pub fn answer(&mut self, green: bool, asked: Mono) -> Option<Turn> {
        let before = self.last.replace(asked);
        let turn = match (self.now.map(|(colour, _)| colour), green) {
            (None | Some(Colour::Green), false) => {
                Turn { colour: Colour::Red, since: asked, lower: before }
            }
            (None, true) => Turn { colour: Colour::Green, since: asked, lower: None },
            (Some(Colour::Green), true) => return None,
            (Some(Colour::Red), false) => {
                self.streak = None;
                return None;
            }
            (Some(Colour::Red), true) => {
                let bad = before.unwrap_or(asked);
                let (first, count, bad) = self.streak.unwrap_or((asked, 0, bad));
                if count + 1 < self.successes {
                    self.streak = Some((first, count + 1, bad));
                    return None;
                }
                Turn { colour: Colour::Green, since: first, lower: Some(bad) }
            }
        };
        self.streak = None;
        self.now = Some((turn.colour, turn.since));
        Some(turn)
    }

    /// The colour by the last answers.
    #[must_use]
    pub fn colour(&self) -> Option<Colour> {
        self.now.map(|(colour, _)| colour)
    }

    /// Since when it has been red without a break. Good answers break it only once there are
    /// enough of them in a row.
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

    fn turn(colour: Colour, since: u64, lower: Option<u64>) -> Option<Turn> {
        Some(Turn { colour, since: Mono(since), lower: lower.map(Mono) })
    }

    #[test]
    fn only_turns_are_told() {
        let mut lamp = Lamp::new(1);
        assert_eq!(lamp.colour(), None);
        assert_eq!(lamp.answer(true, Mono(1)), turn(Colour::Green, 1, None));
        assert_eq!(lamp.answer(true, Mono(2)), None);
        assert_eq!(lamp.answer(false, Mono(3)), turn(Colour::Red, 3, Some(2)));
        assert_eq!(lamp.answer(false, Mono(4)), None);
        assert_eq!(lamp.red_since(), Some(Mono(3)));
        assert_eq!(lamp.answer(true, Mono(5)), turn(Colour::Green, 5, Some(4)));
        assert_eq!(lamp.red_since(), None);
        assert_eq!(Lamp::new(1).answer(false, Mono(7)), turn(Colour::Red, 7, None));
    }

    #[test]
    fn it_turns_green_again_only_after_enough_good_answers() {
        let mut lamp = Lamp::new(3);
        assert_eq!(lamp.answer(true, Mono(0)), turn(Colour::Green, 0, None), "none was red yet");
        assert_eq!(lamp.answer(false, Mono(1)), turn(Colour::Red, 1, Some(0)));
        assert_eq!(lamp.answer(true, Mono(2)), None);
        assert_eq!(lamp.answer(true, Mono(3)), None);
        assert_eq!(lamp.answer(false, Mono(4)), None, "red all the while");
        assert!(lamp.too_long(Duration::from_millis(3), Mono(4)));
        assert_eq!(lamp.answer(true, Mono(5)), None);
        assert_eq!(lamp.answer(true, Mono(6)), None);
        assert_eq!(lamp.answer(true, Mono(7)), turn(Colour::Green, 5, Some(4)));
        assert_eq!(lamp.answer(false, Mono(8)), turn(Colour::Red, 8, Some(7)));
    }

    #[test]
    fn red_without_a_break_is_what_counts() {
        let limit = Duration::from_millis(10);
        let mut lamp = Lamp::new(1);
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
