//! The schema against the decoder: golden files hand their mistakes to [`agrees`], and `random`
//! makes documents from the tables.

mod random;

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    config::fields::CONFIGURATION,
    drill::{
        fields::DRILL,
        problem::{Code, Problem},
        read,
    },
};

static DRILLS: LazyLock<Validator> = LazyLock::new(|| validator(&DRILL));
static CONFIGURATIONS: LazyLock<Validator> = LazyLock::new(|| validator(&CONFIGURATION));

fn validator(root: &'static Table) -> Validator {
    let schema = serde_json::to_value(of(root, "test")).expect("a schema");
    jsonschema::draft7::new(&schema).expect("a schema of draft 7")
}

/// Checks that the schema and the decoder say the same of a file of drills.
pub(crate) fn agrees(text: &str, problems: &[Problem]) {
    agree(&DRILL, &DRILLS, text, problems);
}

/// Checks that the schema and the decoder say the same of a configuration.
pub(crate) fn agrees_on_configuration(text: &str, problems: &[Problem]) {
    agree(&CONFIGURATION, &CONFIGURATIONS, text, problems);
}

/// Whether the schema refuses a document of the text, after a comparison with what the decoder
/// noted.
fn agree(root: &'static Table, validator: &Validator, text: &str, problems: &[Problem]) -> bool {
    let (documents, _) = read::read(text);
    let refusals: Vec<String> = documents
        .iter()
        .flat_map(|document| {
            let json = serde_json::to_value(&document.root).expect("JSON");
            let refusals: Vec<String> = validator
                .iter_errors(&json)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            refusals
        })
        .collect();
    let told: Vec<Seen> = problems.iter().map(|problem| seen(root, problem)).collect();
    let list = || problems.iter().map(|it| format!("{}: {}\n", it.key, it.message));
    if refusals.is_empty() {
        assert!(
            documents.is_empty() || !told.contains(&Seen::Must),
            "the schema accepts this, though the decoder says:\n{}\n{text}",
            list().collect::<String>()
        );
    } else {
        assert!(
            told.iter().any(|seen| *seen != Seen::Never),
            "the schema refuses this:\n{}\nand the decoder says only:\n{}\n{text}",
            refusals.join("\n"),
            list().collect::<String>()
        );
    }
    !refusals.is_empty()
}

/// Whether a schema can see a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It has to refuse the document.
    Must,
    /// Its pattern is wider than the rule, so it may or may not.
    May,
    /// It cannot see it: references, duplicates, what values mean beside each other.
    Never,
}

fn seen(root: &'static Table, problem: &Problem) -> Seen {
    if !problem.is_error() {
        return Seen::Never;
    }
    match problem.code {
        // What a file's name is not is found by looking into it.
        Code::InlineSecret if problem.message.contains("and not the name of a file") => Seen::Never,
        Code::UnknownKey
        | Code::InlineSecret
        | Code::MissingKey
        | Code::EmptyValue
        | Code::WrongType
        | Code::ExactlyOne
        | Code::OutOfPlace
        | Code::NotSupportedYet => Seen::Must,
        Code::WrongKind if problem.key == "kind" => Seen::Must,
        // A second document, which may lack anything.
        Code::WrongKind => Seen::May,
        // A list that is too long.
        Code::TooComplex if !problem.key.is_empty() => Seen::Must,
        Code::InvalidValue => match shape_at(root, &problem.key) {
            Some(shape) => invalid(&shape, problem),
            None => Seen::May,
        },
        // More than are told: who knows of which sort.
        Code::TooMany => Seen::May,
        _ => Seen::Never,
    }
}

/// Whether a schema can see that a value is illegal.
fn invalid(shape: &Shape, problem: &Problem) -> Seen {
    let wider = match shape {
        Shape::Texts(inner) => return invalid(inner, problem),
        Shape::Selector
        | Shape::Cron
        | Shape::TimeZone
        | Shape::Url
        | Shape::HttpsUrl
        | Shape::UrlPath
        | Shape::Address
        | Shape::Port
        | Shape::ObjectName => !problem.message.contains("an empty text"),
        // What is a quantity.
        Shape::Scalar => true,
        // What is a character, and what a pattern of `strftime` means.
        Shape::Text | Shape::TextOrEmpty | Shape::File => {
            !problem.message.contains("an empty text")
        }
        // A number in quotes is no matter of ranges.
        Shape::CountOrShare(..) => problem.message.contains("found the text"),
        // Sums, and numbers of more than 64 bits.
        Shape::Duration | Shape::DurationOrZero => {
            problem.message.contains("longer than a year")
                || problem.message.contains("must take turns")
        }
        _ => false,
    };
    if wider { Seen::May } else { Seen::Must }
}

/// The shape of the value at a key path.
fn shape_at(root: &'static Table, key: &str) -> Option<Shape> {
    let mut table = root;
    let mut parts = key.split('.');
    loop {
        let part = parts.next()?;
        let shape = table.field(part.split('[').next()?)?.shape;
        if matches!(shape, Shape::Named(_)) && parts.next().is_none() {
            return Some(shape);
        }
        match below(&shape) {
            Some(inner) => table = inner,
            None => return Some(shape),
        }
    }
}

fn roots() -> [&'static Table; 2] {
    [&DRILL, &CONFIGURATION]
}

#[test]
fn the_schemas_keep_to_their_draft() {
    for root in roots() {
        let schema = serde_json::to_value(of(root, "test")).expect("a schema");
        jsonschema::draft7::meta::validate(&schema).expect("draft 7");
        assert_eq!(schema["$schema"], DRAFT);
    }
}

/// Tables are known by their names: two of one name would be one definition.
#[test]
fn a_name_means_one_table() {
    let mut all: Vec<(String, &'static Table)> = Vec::new();
    for root in roots() {
        walk(root, &mut |table| {
            let known = all.iter().find(|(known, _)| *known == name(table));
            if let Some((known, first)) = known {
                assert_eq!(format!("{first:?}"), format!("{table:?}"), "two tables are `{known}`");
            } else {
                all.push((name(table), table));
            }
        });
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"backgroundCheck") && names.contains(&"drillSpec"), "{names:?}");
}

#[test]
fn defaults_and_examples_are_what_the_schema_takes() {
    let mut count = 0;
    for root in roots() {
        walk(root, &mut |table| {
            for field in table.fields() {
                let schema = serde_json::to_value(property(field)).expect("a schema");
                // Tables are refered to by name only.
                if below(&field.shape).is_some() {
                    continue;
                }
                let validator = jsonschema::draft7::new(&schema).expect("a schema");
                let values = schema.get("default").into_iter();
                for value in values.chain(schema["examples"].as_array().into_iter().flatten()) {
                    count += 1;
                    assert!(validator.is_valid(value), "{}.{}: {value}", table.what, field.name);
                }
            }
        });
    }
    assert!(count > 50, "{count}");
}

static EVERYTHING: Table = Table {
    what: "a test of everything",
    groups: &[&[
        Field::required("one", Shape::Name, "One."),
        Field::default("two", Shape::Count(1, 9), "3", "Two.").pending("nothing happens"),
        Field::optional("three", Shape::Texts(&Shape::Port), "Three.").example("[http, 80]"),
        Field::optional("four", Shape::Later("no"), "Four."),
        Field::optional("five", Shape::Duration, "Five."),
    ]],
    rules: &[
        Rule::AtMostOne(&["two", "three"]),
        Rule::Needs("two", &["five"]),
        Rule::Refuses("two", &["one"]),
    ],
};

#[test]
fn a_table_as_a_schema() {
    let schema = serde_json::to_value(object(&EVERYTHING)).expect("a schema");
    let two = json!({
        "type": "integer", "minimum": 1, "maximum": 9, "default": 3,
        "description": "Two. Default: `3`. This version reads it and does not act on it: nothing happens.",
    });
    assert_eq!(schema["properties"]["two"], two);
    assert_eq!(schema["properties"]["three"]["examples"], json!([["http", 80]]));
    assert_eq!(schema["properties"].get("four"), None, "not of this version");
    assert_eq!(schema["not"], json!({"required": ["two", "three"]}));
    assert_eq!(
        schema["dependencies"],
        json!({"two": {"required": ["five"], "not": {"required": ["one"]}}})
    );
}

#[test]
fn what_forms_can_say() {
    let takes = |shape: &Shape, value: Json| {
        let schema = serde_json::to_value(value::schema(shape)).expect("a schema");
        jsonschema::draft7::new(&schema).expect("a schema").is_valid(&value)
    };
    for (shape, good, bad) in [
        (
            Shape::Duration,
            json!(["15m", "1h30m", "5ms", "0h1s"]),
            json!(["", "0s", "1d", "m", "1m1h", "5", 5]),
        ),
        (Shape::DurationOrZero, json!(["0s", "0ms", "1h"]), json!(["", "1w", 0])),
        (
            Shape::Name,
            json!(["a", "a-1", "x".repeat(40)]),
            json!(["", "-a", "A", "a\n", "x".repeat(41), 1]),
        ),
        (Shape::ObjectName, json!(["a.b", "x".repeat(63)]), json!(["a..b", ".a", "a_b"])),
        (
            Shape::Port,
            json!([80, "80", "http"]),
            json!([0, 65536, "0", "-http", "a--b", "x".repeat(16)]),
        ),
        (Shape::CountOrShare(1, 9), json!([1, 9, "25%", "3"]), json!([0, 10, "0%", "101%", "x"])),
        (
            Shape::Url,
            json!(["http://a", "https://a.b:80/c"]),
            json!(["", "ftp://a", "http://a?b", "http://a b", "http://u@a"]),
        ),
        (Shape::HttpsUrl, json!(["https://[::1]:6443"]), json!(["http://a"])),
        (Shape::UrlPath, json!(["/", "/a?b=c"]), json!(["", "a", "/a#b", "/a b"])),
        (
            Shape::Cron,
            json!(["* * * * *", " 0\t3 * * mon ", "@daily"]),
            json!(["", "* * * *", "* * * * * *", "@every 5m"]),
        ),
        (
            Shape::TimeZone,
            json!(["UTC", "America/Port-au-Prince", "Etc/GMT+1"]),
            json!(["", "+02:00"]),
        ),
        (
            Shape::Address,
            json!(["127.0.0.1:90", "[::1]:90"]),
            json!(["localhost:90", "::1:90", "1.2.3.4"]),
        ),
        (
            Shape::Labels,
            json!([{}, {"a": ""}, {"a.b/c_d": "E"}]),
            json!([{"": "a"}, {"a": 1}, {"-a": "b"}, {"a": "b c"}]),
        ),
        (Shape::Scalar, json!(["", 1, 1.5, true]), json!([null, [], {}])),
        (Shape::Selector, json!(["a"]), json!(["", " ", 1])),
    ] {
        for value in good.as_array().expect("a list") {
            assert!(takes(&shape, value.clone()), "{shape:?} takes {value}");
        }
        for value in bad.as_array().expect("a list") {
            assert!(!takes(&shape, value.clone()), "{shape:?} does not take {value}");
        }
    }
}
