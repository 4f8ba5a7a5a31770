//! Availability: how long each background check was red. PURE.

use crate::run::event::What;

use super::{Availability, fold::Walk};

/// The step name of a background check's observations is this and the check's name.
const CHECK: &str = "check:";

/// One figure for each check of the drill, in its order.
///
/// Samples are transitions, so a colour holds until the next one. Only what one process saw
/// counts: across a crash nobody asked.
pub(super) fn availability(walk: &Walk<'_>) -> Vec<Availability> {
    walk.outline.checks.iter().map(|check| one(walk, check)).collect()
}

fn one(walk: &Walk<'_>, check: &str) -> Availability {
    let mut out = Availability {
        check: check.to_owned(),
        seen_millis: 0,
        red_millis: 0,
        red_spans: 0,
        longest_red_millis: 0,
        complete: false,
    };
    let mut samples =
        walk.seen.iter().filter(|seen| seen.step.strip_prefix(CHECK) == Some(check)).peekable();
    let Some(by) = samples.peek().map(|seen| seen.by) else { return out };
    // The colour since when, and how long it has been red without a break.
    let mut since = None;
    let mut red = false;
    let mut run = 0;
    for seen in samples.filter(|seen| seen.by == by) {
        out.advance(&mut since, &mut run, red, seen.at);
        match seen.what {
            What::Red if !red => {
                red = true;
                out.red_spans += 1;
            }
            What::Green => {
                red = false;
                run = 0;
            }
            What::CheckEnded => {
                out.complete = true;
                break;
            }
            _ => {}
        }
    }
    if !out.complete
        && let Some(last) = walk.last_of(by)
    {
        out.advance(&mut since, &mut run, red, last);
    }
    out
}

impl Availability {
    fn advance(
        &mut self,
        since: &mut Option<crate::clock::Mono>,
        run: &mut u64,
        red: bool,
        at: crate::clock::Mono,
    ) {
        // An instant before the one that we have is late news; time does not go back for it.
        let Some(from) = *since else {
            *since = Some(at);
            return;
        };
        let to = at.max(from);
        let span = to.0 - from.0;
        self.seen_millis += span;
        if red {
            self.red_millis += span;
            *run += span;
            self.longest_red_millis = self.longest_red_millis.max(*run);
        }
        *since = Some(to);
    }
}
