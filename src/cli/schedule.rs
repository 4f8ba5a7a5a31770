//! `firedrill schedule`: the next slots of an expression.

use std::{fmt::Write as _, path::Path};

use jiff::{Timestamp, civil::DateTime};
use serde::Serialize;

use crate::{
    clock::{Clock as _, SystemClock},
    drill::{
        problem::{Code, Lines, Problem, Severity, quote},
        render::Sources,
        tree::Span,
    },
    schedule::{Cron, DayMatch, Slot, slots, zone},
};

use super::{
    args::{self, Format, ScheduleArgs},
    place::{Exit, problems_of},
};

/// The answer, for stdout.
///
/// # Errors
/// With exit code 2 and every problem if expression, zone or time is refused.
pub fn run(args: &ScheduleArgs, output: Format) -> Result<String, Exit> {
    let mut refused = Refused::default();
    let cron = expression(args, &mut refused);
    let zone = zone::find(&args.time_zone).map_err(|error| {
        refused.add("--time-zone", &args.time_zone, None, &error.message, &error.help);
    });
    let after = match &args.after {
        Some(text) => instant(text).map_err(|(message, help)| {
            refused.add("--after", text, None, &message, help);
        }),
        None => Ok(now()?),
    };
    let (Some(cron), Ok(zone), Ok(after)) = (cron, zone, after) else {
        return Err(problems_of(&refused.problems, &refused.sources));
    };
    let next: Vec<Slot> = slots::next(&cron, &zone, after).take(usize::from(args.count)).collect();
    Ok(match output {
        Format::Text => text(&next, args),
        Format::Json => json(&next)?,
    })
}

/// What is wrong with the arguments.
#[derive(Default)]
struct Refused {
    problems: Vec<Problem>,
    sources: Sources,
}

impl Refused {
    /// Adds a problem of an argument, at a place in it; of all of it without one.
    fn add(&mut self, argument: &str, text: &str, span: Option<Span>, message: &str, help: &str) {
        let path = Path::new(argument);
        let mut problem =
            Problem::of_file(path, Severity::Error, Code::InvalidValue, message.to_owned());
        problem.place = Lines::new(text).place(&span.unwrap_or(0..text.len()));
        problem.help(help);
        self.problems.push(problem);
        self.sources.add(path, text);
    }
}

fn expression(args: &ScheduleArgs, refused: &mut Refused) -> Option<Cron> {
    if !args.more.is_empty() {
        let all = format!("{} {}", args.expression, args.more.join(" "));
        let message = "the expression is one argument, and here are several";
        let help = "put it in quotes, or the shell reads `*` as the names of files: '0 3 * * mon'";
        refused.add("EXPR", &all, Some(args.expression.len() + 1..all.len()), message, help);
        return None;
    }
    let day_match = args.day_match.map(|how| match how {
        args::DayMatch::Or => DayMatch::Or,
        args::DayMatch::And => DayMatch::And,
    });
    Cron::parse(&args.expression, day_match)
        .map_err(|error| {
            refused.add("EXPR", &args.expression, Some(error.span), &error.message, &error.help);
        })
        .ok()
}

/// Reads an instant as RFC 3339 has it, with at most nine digits of a second.
fn instant(text: &str) -> Result<Timestamp, (String, &'static str)> {
    let help = "write it as RFC 3339 has it, such as `2027-03-27T00:00:00Z`";
    let not = |why: &str| (format!("{} is not an instant{why}", quote(text)), help);
    if text.is_empty() {
        return Err(("the instant is empty".to_owned(), help));
    }
    // jiff reads more forms than that, some of which leave the instant to the reader.
    let mut form = String::new();
    for c in text.chars() {
        form.push(if c.is_ascii_digit() { '0' } else { c.to_ascii_uppercase() });
    }
    // RFC 3339 lets a blank stand for the T, and `date --rfc-3339` writes it so.
    let rest = ["0000-00-00T00:00:00", "0000-00-00 00:00:00"]
        .iter()
        .find_map(|known| form.strip_prefix(known));
    let Some(rest) = rest else { return Err(not("")) };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches('0');
            if !(1..=9).contains(&(fraction.len() - zone.len())) {
                return Err(not(": a second has one to nine digits after the point"));
            }
            zone
        }
        None => rest,
    };
    match zone {
        "" => Err(not(": it has neither `Z` nor an offset")),
        "Z" | "+00:00" | "-00:00" => {
            text.parse().map_err(|_| not(": there is no such time, or it is out of range"))
        }
        _ => Err(not("")),
    }
}

fn now() -> Result<Timestamp, Exit> {
    let clock = SystemClock::new()
        .map_err(|error| Exit::internal(format!("error: no clock can be read: {error}")))?;
    Ok(clock.now().wall)
}

/// A slot as programs read it.
#[derive(Serialize)]
struct Json<'s> {
    /// In UTC, RFC 3339.
    instant: Timestamp,
    /// The minute that the expression names, in the zone, even where the zone does not have it.
    civil: DateTime,
    note: Option<&'s str>,
}

/// The answer for programs.
#[derive(Serialize)]
struct Answer<'s> {
    next: Vec<Json<'s>>,
}

fn json(next: &[Slot]) -> Result<String, Exit> {
    let next = next
        .iter()
        .map(|Slot { instant, civil, note }| Json {
            instant: *instant,
            civil: *civil,
            note: note.as_deref(),
        })
        .collect();
    serde_json::to_string(&Answer { next })
        .map_err(|error| Exit::internal(format!("error: the answer cannot be written: {error}")))
}

fn text(next: &[Slot], args: &ScheduleArgs) -> String {
    let mut out = String::new();
    for Slot { instant, civil, note } in next {
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{instant}  {} {}", civil.strftime("%a %Y-%m-%d %H:%M"), args.time_zone);
        if let Some(note) = note {
            let _ = writeln!(out, "  {note}");
        }
    }
    if next.len() < usize::from(args.count) {
        out.push_str("no more slots: the calendar ends with the year 9999\n");
    }
    out
}
