//! The language as pages for people: a walk over the field tables.
//!
//! PURE. Markdown, one section for each table. `docs/reference/` holds the pages, and
//! `tests/schema.rs` keeps them true.

use std::fmt::Write as _;

use super::{
    decode::MAX_ITEMS,
    read::{MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS},
    schema::below,
    table::{Field, Need, Rule, Shape, Table},
};

/// A page: what stands above its sections, and the table of the outermost object.
#[derive(Debug)]
pub struct Page<'p> {
    /// Its title.
    pub title: &'p str,
    /// A paragraph below the title.
    pub intro: &'p str,
    /// A whole file.
    pub sample: &'p str,
    /// The outermost object.
    pub root: &'static Table,
}

/// A table and the key paths at which it stands.
struct Section {
    table: &'static Table,
    paths: Vec<String>,
}

/// The page as Markdown.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let mut sections = Vec::new();
    collect(page.root, "", &mut sections);
    let mut out = format!(
        "<!-- Made from the field tables by `just schema`. Edits here are lost. -->\n\
         # {}\n\n{}\n\n```yaml\n{}\n```\n",
        page.title,
        page.intro.trim(),
        page.sample.trim_end()
    );
    for section in &sections {
        out.push_str(&tell(section));
    }
    out.push_str("\n## Values\n\n| value | what it looks like |\n| --- | --- |\n");
    let mut told: Vec<&str> = Vec::new();
    for field in sections.iter().flat_map(|section| section.table.fields()) {
        let shape = if let Shape::Texts(inner) = field.shape { *inner } else { field.shape };
        if let Some((word, form)) = form(&shape)
            && !told.contains(&word)
        {
            told.push(word);
            row(&mut out, &[word, form]);
        }
    }
    let _ = write!(
        out,
        "\nA list has at most {MAX_ITEMS} entries, and a file at most {MAX_BYTES} bytes, \
         {MAX_DOCUMENTS} documents (separated by `---`) and {MAX_DEPTH} levels.\n"
    );
    out
}

/// Tables in the order in which they are first met, each once.
fn collect(table: &'static Table, path: &str, sections: &mut Vec<Section>) {
    if let Some(known) = sections.iter_mut().find(|section| section.table.what == table.what) {
        known.paths.push(path.to_owned());
        return;
    }
    sections.push(Section { table, paths: vec![path.to_owned()] });
    for field in table.fields() {
        let Some(inner) = below(&field.shape) else { continue };
        let dot = if path.is_empty() { "" } else { "." };
        let more = match field.shape {
            Shape::Objects(_) => "[]",
            Shape::Named(_) => ".NAME",
            _ => "",
        };
        collect(inner, &format!("{path}{dot}{}{more}", field.name), sections);
    }
}

fn tell(section: &Section) -> String {
    let table = section.table;
    let mut out = format!("\n## {}\n\n", heading(table));
    let paths: Vec<String> =
        section.paths.iter().filter(|path| !path.is_empty()).map(|path| code(path)).collect();
    if !paths.is_empty() {
        let _ = write!(out, "At {}.\n\n", paths.join(", "));
    }
    out.push_str("| key | value | default | example | means |\n| --- | --- | --- | --- | --- |\n");
    let (later, known): (Vec<&Field>, Vec<&Field>) =
        table.fields().partition(|field| matches!(field.shape, Shape::Later(_)));
    for field in known {
        let default = match field.need {
            Need::Required => "**required**".to_owned(),
            Need::Optional => String::new(),
            Need::Default("") => code("\"\""),
            Need::Default(text) => code(text),
        };
        let mut doc = field.doc.to_owned();
        if let Some(instead) = field.pending {
            let _ = write!(doc, " **Not acted on by this version:** {instead}.");
        }
        let example = field.example.map(code).unwrap_or_default();
        row(&mut out, &[&code(field.name), &value(&field.shape), &default, &example, &doc]);
    }
    for rule in table.rules {
        let _ = write!(out, "\n- {}", sentence(rule));
    }
    if !later.is_empty() {
        let each: Vec<String> = later
            .iter()
            .map(|field| format!("{} ({})", code(field.name), field.doc.trim_end_matches('.')))
            .collect();
        let _ = write!(out, "\n- Refused by this version: {}.", each.join(", "));
    }
    if !table.rules.is_empty() || !later.is_empty() {
        out.push('\n');
    }
    out
}

fn sentence(rule: &Rule) -> String {
    let all = |names: &[&str]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
    match *rule {
        Rule::One([one]) => format!("{} must be there.", code(one)),
        Rule::One(names) => format!("Exactly one of {}.", all(names)),
        Rule::AtMostOne(names) => format!("At most one of {}.", all(names)),
        Rule::Needs(because, names) => format!("{} needs {}.", code(because), all(names)),
        Rule::NeedsOne(because, names) => {
            format!("{} needs one of {}.", code(because), all(names))
        }
        Rule::Refuses(because, names) => {
            format!("{} does not go together with {}.", code(because), all(names))
        }
    }
}

fn heading(table: &Table) -> String {
    let mut letters = table.what.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A link to a table's section, by the anchor that GitHub and others make of a heading.
fn link(table: &Table) -> String {
    let anchor: String = heading(table)
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    format!("[{}](#{anchor})", table.what)
}

fn value(shape: &Shape) -> String {
    let words = |words: &[&str], last: &str| match words {
        [rest @ .., end] if !rest.is_empty() => {
            let rest: Vec<String> = rest.iter().map(|word| code(word)).collect();
            format!("{} {last} {}", rest.join(", "), code(end))
        }
        words => words.iter().map(|word| code(word)).collect(),
    };
    match *shape {
        Shape::Choice(all) => words(all, "or"),
        Shape::Step([]) => "name of a step".to_owned(),
        Shape::Step(kinds) => format!("name of a step of the kind {}", words(kinds, "or")),
        Shape::Configured(sort) => format!("name of a {} of the configuration", sort.one()),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Count(least, most) => format!("whole number, {least} to {most}"),
        Shape::CountOrShare(least, most) => format!("whole number, {least} to {most}, or share"),
        Shape::DurationOrZero => "duration, may be `0s`".to_owned(),
        Shape::TextOrEmpty => "text, may be empty".to_owned(),
        Shape::Texts(inner) => format!("list: {}", value(inner)),
        Shape::Object(table) => link(table),
        Shape::Objects(table) => format!("list: {}", link(table)),
        Shape::Named(table) => format!("map from names: {}", link(table)),
        shape => form(&shape).map_or("", |(word, _)| word).to_owned(),
    }
}

/// The word for a shape, and the form of such a value with its unit.
fn form(shape: &Shape) -> Option<(&'static str, &'static str)> {
    Some(match shape {
        Shape::Text | Shape::TextOrEmpty => {
            ("text", "Any text. In quotes where YAML would read a number or a boolean.")
        }
        Shape::Name | Shape::Step(_) | Shape::Configured(_) => (
            "name",
            "A DNS-1123 label of at most 40 characters: `a-z`, `0-9` and `-`, with a letter or digit at both ends.",
        ),
        Shape::Namespace => ("namespace", "A DNS-1123 label of at most 63 characters."),
        Shape::ObjectName => (
            "object name",
            "A DNS-1123 subdomain of at most 253 characters: the name of a Kubernetes object, or `resource.group`.",
        ),
        Shape::CountOrShare(..) => {
            ("share", "Percent of all, in whole numbers from `1%` to `100%`.")
        }
        Shape::Share => ("share", "A whole percentage from `1%` to `100%`."),
        Shape::LabelValue => (
            "label value",
            "Letters, digits, `-`, `_` and `.`, at most 63, as a label may have it.",
        ),
        Shape::Number => ("number", "Any finite number."),
        Shape::Scalar => ("scalar", "A text, a number or a boolean."),
        Shape::Port => {
            ("port", "A number from 1 to 65535, or a port's name of at most 15 characters.")
        }
        Shape::Address => (
            "address",
            "An IP address and a port, such as `127.0.0.1:9090` or `[::1]:9090`; no host names.",
        ),
        Shape::Duration | Shape::DurationOrZero => (
            "duration",
            "Whole numbers with the units `h`, `m`, `s` and `ms`, from the largest to the smallest: `15m`, `24h`, `1h30m`. At most a year. Days are refused: not each has 24 hours.",
        ),
        Shape::Selector => {
            ("selector", "A label selector in Kubernetes' syntax: `a=b,c!=d,zone in (a,b),!old`.")
        }
        Shape::Url => ("URL", "An http or https URL without user, query and fragment."),
        Shape::HttpsUrl => ("https URL", "An https URL without user, query and fragment."),
        Shape::UrlPath => {
            ("URL path", "Begins with `/`; other characters than printable ASCII as `%xx`.")
        }
        Shape::File => (
            "file",
            "A file or folder. A relative path starts from the folder of the file that it is written in.",
        ),
        Shape::Cron => (
            "cron",
            "Five fields (minute, hour, day of month, month, day of week) or a macro such as `@daily`. `firedrill schedule` shows when it is due.",
        ),
        Shape::TimeZone => {
            ("time zone", "A name of the IANA database, such as `Europe/Berlin` or `UTC`.")
        }
        Shape::Labels => {
            ("labels", "A map from label keys to label values, as Kubernetes takes them.")
        }
        Shape::Choice(_)
        | Shape::Flag
        | Shape::Count(..)
        | Shape::Texts(_)
        | Shape::Object(_)
        | Shape::Objects(_)
        | Shape::Named(_)
        | Shape::Later(_) => return None,
    })
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A row of a Markdown table. A bar ends a cell even within code, unless it is escaped.
fn row(out: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(out, "| {} ", cell.replace('|', r"\|"));
    }
    out.push_str("|\n");
}
