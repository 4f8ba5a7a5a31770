//! Getters: cron expressions and time zones. PURE.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::{At, Decoder, Object, values::wrong_type};
use crate::{
    drill::{
        problem::Code,
        tree::{Node, Span, Value},
    },
    schedule::{Cron, DayMatch, zone},
};

impl Object<'_> {
    /// A cron expression; `how` names the key that says how its day fields join, if there is one.
    pub fn cron(&self, out: &mut Decoder<'_>, name: &str, how: Option<&str>) -> Option<At<Cron>> {
        let day_match = how.and_then(|key| self.day_match(out, key));
        let (field, node) = self.value(name)?;
        let path = self.path(name);
        let Value::Text(text) = &node.value else {
            return wrong_type(out, &field.shape.expected(), node, &path);
        };
        match Cron::parse(text, day_match) {
            Ok(cron) => Some(self.at(name, Some(node), cron)),
            Err(error) => {
                let span = out.within(node, text, error.span);
                out.error(Code::InvalidValue, &span, &path, error.message).help(error.help);
                None
            }
        }
    }

    fn day_match(&self, out: &mut Decoder<'_>, name: &str) -> Option<DayMatch> {
        match self.text(out, name).as_ref().map(|at| at.value.as_str()) {
            Some("and") => Some(DayMatch::And),
            Some(_) => Some(DayMatch::Or),
            // A wrong word was told already, and is not told as a missing one too.
            None => self.entry(name).map(|_| DayMatch::Or),
        }
    }

    /// An IANA time zone.
    pub fn time_zone(&self, out: &mut Decoder<'_>, name: &str) -> Option<At<TimeZone>> {
        let at = self.text(out, name)?;
        // The text was checked by its shape a moment ago.
        let value = zone::find(&at.value).ok()?;
        Some(At { value, span: at.span, key: at.key })
    }
}

impl Decoder<'_> {
    /// The place of a part of a text in the file: exact if the file has the text as it is, plain
    /// or in quotes; all of the scalar where escapes or folded lines lie between.
    fn within(&self, node: &Node, text: &str, part: Range<usize>) -> Span {
        let written = self.text.get(node.span.clone()).unwrap_or_default();
        let quoted =
            |mark: char| written.strip_prefix(mark).is_some_and(|rest| rest.starts_with(text));
        let start = if !part.is_empty() && written.starts_with(text) {
            node.span.start
        } else if !part.is_empty() && (quoted('"') || quoted('\'')) {
            node.span.start + 1
        } else {
            return node.span.clone();
        };
        start + part.start..start + part.end
    }
}

#[cfg(test)]
mod tests;
