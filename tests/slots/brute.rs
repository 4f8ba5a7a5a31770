//! A zone as nothing but a list of offsets, and slots by listing minutes.

use firedrill::schedule::zone;
use jiff::{Timestamp, tz::TimeZone};

use super::expression::Expression;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// The clock of a zone over some time.
pub struct Clock {
    pub name: String,
    pub zone: TimeZone,
    pieces: Vec<Piece>,
}

/// A time without a change. Civil times are counted in seconds as if they were UTC.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: i64,
    to: i64,
    offset: i64,
}

impl Piece {
    /// The civil times that the clock shows, the end left out.
    fn civil(&self) -> (i64, i64) {
        (self.from + self.offset, self.to + self.offset)
    }

    fn shows(&self, civil: i64) -> bool {
        let (from, to) = self.civil();
        (from..to).contains(&civil)
    }
}

impl Clock {
    /// Looks at the clock every 15 minutes, and between two looks that differ at every second
    /// that halving leads to. No two changes are that near each other.
    pub fn of(name: &str, from: i64, to: i64) -> Self {
        let zone = zone::find(name).expect(name);
        let offset = |at: i64| {
            let at = Timestamp::from_second(at).expect("an instant");
            i64::from(zone.to_offset(at).seconds())
        };
        let mut pieces = vec![Piece { from, to, offset: offset(from) }];
        let mut at = from;
        while at < to {
            let last = pieces.last_mut().expect("there is one");
            let next = at + 900;
            if offset(next) != last.offset {
                let (mut old, mut new) = (at, next);
                while new - old > 1 {
                    let middle = i64::midpoint(old, new);
                    if offset(middle) == last.offset {
                        old = middle;
                    } else {
                        new = middle;
                    }
                }
                last.to = new;
                pieces.push(Piece { from: new, to, offset: offset(new) });
            }
            at = next;
        }
        Self { name: name.to_owned(), zone, pieces }
    }

    /// When the clock changes.
    pub fn changes(&self) -> Vec<i64> {
        self.pieces.iter().skip(1).map(|piece| piece.from).collect()
    }

    /// Whether a date is not shown at all.
    pub fn skips_a_day(&self) -> bool {
        self.pieces.windows(2).any(|two| two[1].offset - two[0].offset >= DAY)
    }

    /// The instants, in seconds, after one (seconds, nanoseconds) and before another.
    pub fn slots(&self, expression: &Expression, after: (i64, i32), to: i64) -> Vec<i64> {
        let mut slots = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            // What moves, moves by a day at most.
            if piece.to < after.0 - 2 * DAY || piece.from > to + 2 * DAY {
                continue;
            }
            let (from, until) = piece.civil();
            let seen = |civil: i64| self.pieces[..index].iter().any(|piece| piece.shows(civil));
            let (near, far) = (after.0 + piece.offset - 2 * DAY, to + piece.offset + 2 * DAY);
            for civil in expression.minutes(from.max(near), until.min(far)) {
                if !seen(civil) {
                    slots.push(civil - piece.offset);
                }
            }
            if let Some(before) = index.checked_sub(1).map(|index| self.pieces[index]) {
                // The civil minutes that no piece shows.
                for civil in expression.minutes(before.civil().1, from) {
                    if !self.pieces.iter().any(|piece| piece.shows(civil)) {
                        slots.push(civil - before.offset);
                    }
                }
            }
        }
        slots.retain(|slot| *slot > after.0 && *slot < to);
        slots.sort_unstable();
        slots.dedup();
        slots
    }
}
