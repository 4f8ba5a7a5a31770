//! Schemas of single values. PURE.
//!
//! A pattern takes everything that the decoder takes, and may take more: what a cron expression or a
//! selector means is no matter of patterns. Patterns are ECMA 262, of the part that all of its
//! readers have; `[0-9]`, not `\d`, which some read as any script's digits.

use super::{Additional, Schema, Types};
use crate::drill::table::Shape;

/// A DNS-1123 label.
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
/// The name part of a label key, and a label value that is not empty.
const LABEL_NAME: &str = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
/// Hours, minutes, seconds, milliseconds, each once, in this order.
const DURATION: &str = "([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?";

/// The schema of one value.
pub(super) fn schema(shape: &Shape) -> Schema {
    let text = || Schema { types: Types(&["string"]), ..Schema::default() };
    let full = || Schema { min_length: Some(1), ..text() };
    let like = |pattern: String| Schema { pattern: Some(format!("^{pattern}$")), ..text() };
    let count = |least, most| Schema {
        types: Types(&["integer"]),
        minimum: Some(least),
        maximum: Some(most),
        ..Schema::default()
    };
    match *shape {
        Shape::Text | Shape::File => full(),
        Shape::TextOrEmpty => text(),
        Shape::Name | Shape::Step(_) | Shape::Configured(_) => {
            Schema { max_length: Some(40), ..like(LABEL.to_owned()) }
        }
        Shape::Namespace => Schema { max_length: Some(63), ..like(LABEL.to_owned()) },
        Shape::ObjectName => {
            Schema { max_length: Some(253), ..like(format!(r"{LABEL}(\.{LABEL})*")) }
        }
        Shape::Choice(words) => Schema { choices: Some(words), ..text() },
        Shape::Flag => Schema { types: Types(&["boolean"]), ..Schema::default() },
        Shape::Count(least, most) => count(least, most),
        Shape::CountOrShare(least, most) => Schema {
            any_of: vec![count(least, most), like("([0-9]+|0*(100|[1-9][0-9]?)%)".to_owned())],
            ..Schema::default()
        },
        Shape::LabelValue => like(LABEL_NAME.to_owned()),
        Shape::Share => like("0*(100|[1-9][0-9]?)%".to_owned()),
        Shape::Number => Schema { types: Types(&["number"]), ..Schema::default() },
        Shape::Scalar => {
            Schema { types: Types(&["string", "number", "boolean"]), ..Schema::default() }
        }
        Shape::Port => Schema {
            any_of: vec![
                count(1, 65535),
                like(format!("(0*[1-9][0-9]{{0,4}}|(?=.{{1,15}}$)(?=.*[a-z])(?!.*--){LABEL})")),
            ],
            ..Schema::default()
        },
        Shape::Address => like(r"(\[[0-9A-Fa-f:.]+(%[0-9]+)?\]|[0-9.]+):[0-9]+".to_owned()),
        // A digit above zero somewhere, then the form.
        Shape::Duration => like(format!("(?=.*[1-9]){DURATION}")),
        Shape::DurationOrZero => like(format!("(?=.){DURATION}")),
        Shape::Selector => Schema { pattern: Some("\\S".to_owned()), ..text() },
        Shape::Url => like(r"[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+(/[^?#@\s]*)?".to_owned()),
        Shape::HttpsUrl => like(r"[Hh][Tt][Tt][Pp][Ss]://[^/?#@\s]+(/[^?#@\s]*)?".to_owned()),
        Shape::UrlPath => like("/[!-\"$-~]*".to_owned()),
        Shape::Cron => like("[ \\t]*(@[a-z]+|[!-~]+([ \\t]+[!-~]+){4})[ \\t]*".to_owned()),
        Shape::TimeZone => like("[A-Za-z][A-Za-z0-9_+/-]*".to_owned()),
        Shape::Labels => Schema {
            types: Types(&["object"]),
            property_names: Some(Box::new(like(format!(r"({LABEL}(\.{LABEL})*/)?{LABEL_NAME}")))),
            additional_properties: Some(Additional::Each(Box::new(like(format!(
                "({LABEL_NAME})?"
            ))))),
            ..Schema::default()
        },
        // Composed of others, by the parent.
        Shape::Texts(_) | Shape::Object(_) | Shape::Objects(_) | Shape::Named(_) => {
            Schema::default()
        }
        Shape::Later(_) => Schema::default(),
    }
}
