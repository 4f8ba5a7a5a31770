//! The walk over the calendar: slots in the order of their instants.
//!
//! PURE. A slot is a civil minute; its instant is found in the zone. In a gap it moves by the
//! offset in force before the gap, in a fold the first of its two instants counts. Because a slot
//! that a gap has moved may come after slots that are later by the calendar (Lord Howe, 30 minutes:
//! 02:20 fires at 02:50, 02:35 at 02:35), days are read ahead until nothing that is still to be
//! read can come before what is handed out.

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::Cron;

/// One due instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// When it is due.
    pub instant: Timestamp,
    /// The civil minute that the expression names, even where the zone does not have it.
    pub civil: DateTime,
    /// What happened to it in a gap or a fold, for people.
    pub note: Option<String>,
}

/// The slots strictly after an instant, in the order of their instants, each instant once; until
/// jiff's calendar ends, on the last days of the year 9999.
pub fn next<'c>(cron: &'c Cron, zone: &'c TimeZone, after: Timestamp) -> Slots<'c> {
    // A gap moves a slot by at most 24 hours (Apia, 2011-12-30); a day more costs nothing.
    let local = zone.to_datetime(after).date();
    let from = local.checked_sub(2.days()).unwrap_or(Date::MIN);
    Slots { cron, zone, after, ahead: BinaryHeap::new(), from: Some(from) }
}

/// See [`next`].
#[derive(Clone, Debug)]
pub struct Slots<'c> {
    cron: &'c Cron,
    zone: &'c TimeZone,
    after: Timestamp,
    /// Slots that were read and not handed out, the first on top.
    ahead: BinaryHeap<Reverse<Due>>,
    /// The first date that was not read; none after the calendar's last.
    from: Option<Date>,
}

/// A slot before its note is written. The order is that of instants; of two at one instant, that
/// which the clock shows comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    instant: Timestamp,
    how: How,
    civil: DateTime,
}

/// How a civil minute got its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// The zone has it once.
    Plain,
    /// The zone has it twice.
    First,
    /// The zone does not have it.
    Moved,
}

impl Iterator for Slots<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let due = self.pop()?;
        let mut note = match due.how {
            How::Plain => None,
            How::First => Some(format!("{} comes twice; this is the first", due.civil_text())),
            How::Moved => {
                let shown = self.zone.to_datetime(due.instant);
                let shown = text(shown, shown.date() != due.civil.date());
                Some(format!("{} does not exist; it fires at {shown}", due.civil_text()))
            }
        };
        // Slots at one instant count once.
        while let Some(Reverse(same)) = self.ahead.peek()
            && same.instant == due.instant
        {
            if same.how == How::Moved && note.is_none() {
                note = Some(format!("also for {}, which does not exist", same.civil_text()));
            }
            self.ahead.pop();
        }
        self.after = due.instant;
        Some(Slot { instant: due.instant, civil: due.civil, note })
    }
}

impl Slots<'_> {
    /// The earliest of what is left.
    fn pop(&mut self) -> Option<Due> {
        loop {
            let Some(date) = self.from.and_then(|from| self.date_from(from)) else {
                self.from = None;
                return self.ahead.pop().map(|Reverse(due)| due);
            };
            self.from = Some(date);
            // Nothing of this date or later comes before this instant: where the zone has the
            // date's first minute it is that, in a gap a little less.
            let least = self
                .zone
                .to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
                .earlier();
            if let (Some(Reverse(due)), Ok(least)) = (self.ahead.peek(), least)
                && due.instant < least
            {
                return self.ahead.pop().map(|Reverse(due)| due);
            }
            self.read(date);
            self.from = date.tomorrow().ok();
        }
    }

    /// The first date, from `date` on, that has anything.
    fn date_from(&self, mut date: Date) -> Option<Date> {
        while !self.cron.is_on(date) {
            date = if self.cron.is_in(date.month()) {
                date.tomorrow().ok()?
            } else {
                date.last_of_month().tomorrow().ok()?
            };
        }
        Some(date)
    }

    /// Reads the slots of one date.
    fn read(&mut self, date: Date) {
        for hour in self.cron.hours() {
            for minute in self.cron.minutes() {
                let (hour, minute) = (hour.cast_signed(), minute.cast_signed());
                let civil = date.at(hour, minute, 0, 0);
                let instant = self.zone.to_ambiguous_timestamp(civil);
                let how = match instant.offset() {
                    AmbiguousOffset::Unambiguous { .. } => How::Plain,
                    AmbiguousOffset::Fold { .. } => How::First,
                    AmbiguousOffset::Gap { .. } => How::Moved,
                };
                // "Compatible" is our rule: of a fold the first, in a gap by the offset before it.
                // What has no instant lies beyond the calendar's end.
                if let Ok(instant) = instant.compatible()
                    && instant > self.after
                {
                    self.ahead.push(Reverse(Due { instant, how, civil }));
                }
            }
        }
    }
}

impl Due {
    fn civil_text(&self) -> String {
        text(self.civil, true)
    }
}

fn text(civil: DateTime, with_date: bool) -> String {
    let form = if with_date { "%Y-%m-%d %H:%M" } else { "%H:%M" };
    civil.strftime(form).to_string()
}

#[cfg(test)]
mod tests;
