//! What is refused, each with its reason and a way out.
//!
//! PURE.

use super::{
    CronError, MACROS, MAX_BYTES,
    field::{Rule, Word},
};
use crate::drill::{problem::quote, suggest};

/// The form of an expression, for help lines.
const FORM: &str =
    "five fields: minute, hour, day of month, month, day of week, such as `0 3 * * mon`";

/// A macro where a field should be.
const MACRO_ALONE: &str = "a macro such as `@daily` stands alone";

fn refuse(
    span: std::ops::Range<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> CronError {
    CronError { span, message: message.into(), help: help.into() }
}

/// Refuses what no expression may have in it, before anything is read.
pub fn characters(expression: &str) -> Result<(), CronError> {
    if expression.trim_matches([' ', '\t']).is_empty() {
        return Err(refuse(0..expression.len(), "the schedule is empty", format!("write {FORM}")));
    }
    if expression.len() > MAX_BYTES {
        let from = (0..=MAX_BYTES).rev().find(|at| expression.is_char_boundary(*at)).unwrap_or(0);
        return Err(refuse(
            from..expression.len(),
            format!("the schedule has {} bytes, more than {MAX_BYTES}", expression.len()),
            "use ranges and steps, such as `10-50/5`, or make several drills of it",
        ));
    }
    let legal = |c: char| c.is_ascii_graphic() || matches!(c, ' ' | '\t');
    let Some((at, c)) = expression.char_indices().find(|(_, c)| !legal(*c)) else {
        return Ok(());
    };
    let span = at..at + c.len_utf8();
    let code = u32::from(c);
    Err(if matches!(c, '\n' | '\r') {
        refuse(span, "a schedule is one line", "put it in quotes, on the line of its key")
    } else {
        let what = if c.is_ascii() { "a control character" } else { "not an ASCII character" };
        refuse(
            span,
            format!("{} (U+{code:04X}) is {what}", quote(&c.to_string())),
            "fields are separated by blanks or tabs, and hold ASCII letters, digits, `*`, `,`, `-` \
             and `/`",
        )
    })
}

/// The fields that a macro stands for, or why it is none. There is at least one word.
pub fn not_a_macro(words: &[Word<'_>]) -> Result<&'static str, CronError> {
    let name = &words[0];
    let known = MACROS.iter().find(|(known, _)| *known == name.text);
    if let Some((_, fields)) = known {
        let Some(more) = words.get(1) else { return Ok(fields) };
        let end = words.last().unwrap_or(more).span().end;
        return Err(refuse(
            more.start..end,
            format!("`{}` stands alone", name.text),
            format!("leave the rest out, or write {FORM}"),
        ));
    }
    let lower = name.text.to_ascii_lowercase();
    Err(if lower == "@reboot" {
        refuse(
            name.span(),
            "`@reboot` is not an instant of the calendar: a drill is due at slots, not when \
             something starts",
            "write the times, such as `0 3 * * mon`; `firedrill run` starts a drill at any time",
        )
    } else if lower.starts_with("@every") {
        refuse(
            name.start..words.last().unwrap_or(name).span().end,
            "`@every` counts from the start of a process, so each restart would move the slots",
            "write a step on the clock, such as `*/15 * * * *` or `0 */6 * * *`",
        )
    } else {
        let help = suggest::help(name.text, MACROS.map(|(known, _)| known), "macros");
        refuse(name.span(), format!("there is no macro {}", quote(name.text)), help)
    })
}

/// Refuses another number of fields, with what it most likely was meant to be.
pub fn not_five_fields(expression: &str, words: &[Word<'_>]) -> Result<(), CronError> {
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return Err(unreadable(expression));
    };
    if let Some(name) = words.iter().find(|word| word.text.starts_with('@')) {
        return Err(refuse(name.span(), MACRO_ALONE, format!("write {FORM}")));
    }
    let upper = first.text.to_ascii_uppercase();
    if upper.starts_with("TZ=") || upper.starts_with("CRON_TZ=") {
        return Err(refuse(
            first.span(),
            "the time zone does not stand in the expression",
            "write it beside: `timeZone` in a drill, `--time-zone` on the command line",
        ));
    }
    let rest = |words: &[Word<'_>]| {
        quote(&words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
    };
    let is_year = |word: &Word<'_>| {
        word.text.len() >= 4 && word.text[..4].bytes().all(|byte| byte.is_ascii_digit())
    };
    Err(match words.len() {
        5 => return Ok(()),
        6 if is_year(last) => refuse(
            last.span(),
            "six fields: a schedule has no year",
            format!("leave the year out: {}", rest(&words[..5])),
        ),
        6 => refuse(
            first.span(),
            "six fields: a schedule has no seconds",
            format!("leave the seconds out: {}; note that 0 and 7 are Sunday", rest(&words[1..])),
        ),
        7 => refuse(
            first.span(),
            "seven fields: a schedule has neither seconds nor years",
            format!(
                "leave the first and the last out: {}; note that 0 and 7 are Sunday",
                rest(&words[1..6])
            ),
        ),
        1 => refuse(first.span(), "one field, not five", format!("write {FORM}")),
        count => refuse(
            first.start..last.span().end,
            format!("{count} fields, not five"),
            format!("write {FORM}"),
        ),
    })
}

/// Both day fields are restricted, and nobody said how they join.
pub fn both_days(day: &Word<'_>, weekday: &Word<'_>) -> CronError {
    refuse(
        day.start..weekday.span().end,
        format!(
            "day of month {} and day of week {} are both restricted, and programs differ in how \
             they join",
            quote(day.text),
            quote(weekday.text)
        ),
        "say it: `dayMatch: or` (either is enough, as crond does it) or `dayMatch: and` (both); \
         `--day-match` on the command line; or write `*` for one of them",
    )
}

/// No year has such a date.
pub fn never(day: &Word<'_>, month: &Word<'_>) -> CronError {
    refuse(
        day.start..month.span().end,
        format!(
            "it never fires: day {} and month {} meet in no year",
            quote(day.text),
            quote(month.text)
        ),
        "February has 28 or 29 days; April, June, September and November have 30",
    )
}

/// What is read by nobody, although nothing is known to be wrong with it.
pub fn unreadable(expression: &str) -> CronError {
    refuse(0..expression.len(), "this is not a schedule", format!("write {FORM}"))
}

/// Refuses characters and forms of other programs.
pub fn strange(rule: &Rule, item: &Word<'_>) -> Result<(), CronError> {
    let at = |mark: char| item.text.find(mark).map(|at| item.start + at..item.start + at + 1);
    let upper = item.text.to_ascii_uppercase();
    let whole = item.span();
    if let Some(span) = at('?') {
        return Err(refuse(span, "`?` is of Quartz, and means no more than `*`", "write `*`"));
    }
    if item.text.contains('#') {
        let nth = upper.split_once('#').and_then(|(day, n)| Some((day, n.parse::<u8>().ok()?)));
        let help = match nth {
            Some((day, n @ 1..=4)) if rule.is_weekday() && !day.is_empty() => format!(
                "write days {}-{} as day of month, `{}` as day of week, and dayMatch `and`",
                n * 7 - 6,
                n * 7,
                day.to_ascii_lowercase(),
            ),
            _ => "write the days of month in which it falls, such as `8-14` for the second, the \
                  day of week, and dayMatch `and`"
                .to_owned(),
        };
        return Err(refuse(
            whole,
            "`#`, the nth day of week of a month, is not part of five-field cron",
            help,
        ));
    }
    if at('~').is_some() {
        return Err(refuse(
            whole,
            "`~` draws a number at random, so nobody could say when the drill is due",
            "write a number, and spread drills with `jitter`",
        ));
    }
    if upper == "H" || upper.starts_with("H/") || upper.starts_with("H(") {
        return Err(refuse(
            whole,
            "`H` is of Jenkins, and hashes a job's name",
            "write a number, and spread drills with `jitter`",
        ));
    }
    if let Some(span) = at('+') {
        return Err(refuse(span, "a number has no sign here", "leave the `+` out"));
    }
    if let Some(span) = at('@') {
        return Err(refuse(span, MACRO_ALONE, format!("write {FORM}")));
    }
    if let Some(span) = at('.') {
        return Err(refuse(span, "numbers are whole", "leave the point and what follows it out"));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | '-');
    if let Some((byte, c)) = item.text.char_indices().find(|(_, c)| !legal(*c)) {
        return Err(refuse(
            item.start + byte..item.start + byte + c.len_utf8(),
            format!("`{c}` has no meaning in a field"),
            "a field holds `*`, numbers, names, ranges `a-b`, steps `a-b/n` and lists `a,b`",
        ));
    }
    Ok(())
}

/// `1,,2`, `,1`, `1,`
pub fn nothing_in_list(comma: &Word<'_>) -> CronError {
    refuse(
        comma.span(),
        "an entry of the list is empty",
        "write a number on both sides of each comma",
    )
}

/// `/5`
pub fn step_of_nothing(slash: &Word<'_>, step: &Word<'_>) -> CronError {
    let help = if step.text.is_empty() { "*/5".to_owned() } else { format!("*/{}", step.text) };
    refuse(slash.span(), "there is nothing before `/`", format!("write {}", quote(&help)))
}

/// `*/`
pub fn no_step(slash: &Word<'_>) -> CronError {
    refuse(slash.span(), "there is no step after `/`", "write a number, such as `*/5`")
}

/// `*/2/3`
pub fn two_steps(step: &Word<'_>) -> CronError {
    let at = step.start + step.text.find('/').unwrap_or(0);
    refuse(at..step.span().end, "there are two steps", "keep one of them")
}

/// `*/x`, `*/-5`
pub fn not_a_step(step: &Word<'_>) -> CronError {
    let message = if step.text.starts_with('-') {
        "a step has no sign".to_owned()
    } else {
        format!("the step {} is not a number", quote(step.text))
    };
    refuse(step.span(), message, "write a whole number above 0, such as `*/5`")
}

/// `*/0`
pub fn step_of_zero(step: &Word<'_>) -> CronError {
    refuse(
        step.span(),
        "a step of 0 never comes to the next number",
        "write a whole number above 0, such as `*/5`",
    )
}

/// `**`, `*-5`, `1-*`
pub fn star_with_more(base: &Word<'_>) -> CronError {
    refuse(
        base.span(),
        "`*` stands for all numbers, and takes nothing beside it but a step",
        "write `*`, `*/5`, or a range of numbers",
    )
}

/// `-5`, `-`
pub fn sign(rule: &Rule, base: &Word<'_>) -> CronError {
    let rest = base.text.trim_start_matches('-');
    if rest.is_empty() {
        return refuse(
            base.span(),
            "`-` stands between the two ends of a range",
            format!("write `{}-{}`", rule.least, rule.most),
        );
    }
    refuse(
        base.start..base.start + 1,
        "a number has no sign here, and a range needs a beginning",
        format!("write {} or {}", quote(rest), quote(&format!("{}-{rest}", rule.least))),
    )
}

/// `1-`
pub fn open_range(rule: &Rule, base: &Word<'_>, from: u8) -> CronError {
    refuse(base.span(), "the range has no end", format!("write `{from}-{}`", last(rule, from)))
}

/// `1-2-3`, `1--2`
pub fn dashes(dash: &Word<'_>, last: &Word<'_>) -> CronError {
    let message = if last.text.starts_with('-') {
        "a number has no sign here"
    } else {
        "a range has two ends, not three"
    };
    refuse(dash.start..last.span().end, message, "write it like `1-5`")
}

/// `22-6`, `FRI-SUN`
pub fn backwards(
    rule: &Rule,
    base: &Word<'_>,
    (from, to): (u8, u8),
    step: Option<u8>,
) -> CronError {
    let help = if step.is_some() {
        "no range wraps: list the numbers".to_owned()
    } else if rule.is_weekday() && to == 0 {
        let days = if from == 7 { "7".to_owned() } else { format!("{from}-7") };
        format!("no range wraps; Sunday is also 7: write `{days}`")
    } else {
        let piece = |from: u8, to: u8| {
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        };
        format!(
            "no range wraps: write `{},{}` if that is meant",
            piece(from, last(rule, from)),
            piece(rule.least, to)
        )
    };
    let named = base.text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let why = if named { format!(", from {from} to {to}") } else { String::new() };
    refuse(base.span(), format!("the range {} runs backwards{why}", quote(base.text)), help)
}

/// `5/15`
pub fn step_of_one(rule: &Rule, item: &Word<'_>, base: &Word<'_>, from: u8, step: u8) -> CronError {
    refuse(
        item.span(),
        format!(
            "{} is a step on a single {}, which programs read differently",
            quote(item.text),
            if base.text.bytes().all(|byte| byte.is_ascii_digit()) { "number" } else { "name" }
        ),
        format!(
            "write `{from}-{}/{step}` to go on to the end, or {} for that one",
            last(rule, from),
            quote(base.text)
        ),
    )
}

/// `60`
pub fn out_of_range(rule: &Rule, word: &Word<'_>) -> CronError {
    let help = match rule.what {
        "hour" if word.text.trim_start_matches('0') == "24" => {
            "midnight is hour `0` of the next day".to_owned()
        }
        "day of week" => "days of week go from 0 to 7; 0 and 7 are Sunday".to_owned(),
        what => format!("{what}s go from {} to {}", rule.least, rule.most)
            .replace("day of months", "days of month"),
    };
    refuse(word.span(), format!("there is no {} {}", rule.what, quote(word.text)), help)
}

/// What is neither a number nor a name of this field.
pub fn not_a_number(rule: &Rule, word: &Word<'_>) -> CronError {
    let upper = word.text.to_ascii_uppercase();
    let without_digits = upper.trim_matches(|c: char| c.is_ascii_digit());
    let day = matches!(rule.what, "day of month" | "day of week");
    if day && matches!(without_digits, "W" | "LW" | "WL") {
        return refuse(
            word.span(),
            "`W`, the weekday nearest to a day, is not part of five-field cron",
            "choose a day of week instead, such as `0 3 * * mon`",
        );
    }
    let last_weekday = upper.strip_suffix('L').is_some_and(|name| {
        rule.is_weekday() && rule.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    });
    if day && (without_digits == "L" || last_weekday) {
        return refuse(
            word.span(),
            "`L`, the last of a month, is not part of five-field cron",
            "choose a day that each month has, such as `28`, or the first of the next",
        );
    }
    if rule.names.is_empty() {
        let help = if word.text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            "only months and days of week have names; the order is minute, hour, day of month, \
             month, day of week"
                .to_owned()
        } else {
            format!("write numbers from {} to {}", rule.least, rule.most)
        };
        return refuse(word.span(), format!("{} is not a {}", quote(word.text), rule.what), help);
    }
    // A full name, or one of four letters.
    let short = rule.names.iter().find(|name| {
        word.text.len() > 3
            && word.text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(name))
    });
    let help = short.map_or_else(
        || suggest::help(word.text, rule.names.iter().copied(), "names"),
        |name| format!("names have three letters: `{name}`"),
    );
    refuse(word.span(), format!("{} is not a {}", quote(word.text), rule.what), help)
}

/// The last number of a field that a range from `from` can end in, as people count.
fn last(rule: &Rule, from: u8) -> u8 {
    if rule.is_weekday() && from < 7 { 6 } else { rule.most }
}
