//! YAML text to trees with places.
//!
//! PURE. The file is cut into its documents first, so that a syntax error ends its own document
//! only. Each document goes through serde-saphyr with a budget, and with `Spanned` around every
//! key and value. Duplicate keys and merge keys (`<<`) are handed on as they stand: the decoder
//! reports them, with their places.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Options, Spanned, alias_limits, budget,
    options::{MergeKeyPolicy, NonFiniteFloatPolicy},
};

use super::{
    problem::{Code, Lines, invisible, quote},
    tree::{Entry, Node, Span, Value},
};

/// The most bytes that a file may have.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most documents that a file may have.
pub const MAX_DOCUMENTS: usize = 128;
/// How deep a document may nest.
pub const MAX_DEPTH: usize = 32;
/// The most nodes that the documents of a file may have together, aliases expanded.
const MAX_NODES: usize = 50_000;
/// The most events that aliases may replay within a document.
const MAX_REPLAYED: usize = 1_000;
/// The most bytes of text in the documents of a file together, aliases expanded.
const MAX_TEXT: usize = 2 * MAX_BYTES;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The part of the file that it stands in, `---` and comments included.
    pub span: Span,
    /// Its content.
    pub root: Node,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of problem it is.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Reads all documents of a file, and why others could not be read. Documents of nothing but
/// comments are left out.
#[must_use]
pub fn read(text: &str) -> (Vec<Document>, Vec<Fault>) {
    if let Some(fault) = forbidden(text) {
        return (Vec::new(), vec![fault]);
    }
    let mut documents = Vec::new();
    let mut faults = Vec::new();
    let mut left = Left { nodes: MAX_NODES, text: MAX_TEXT };
    for (number, span) in split(text).into_iter().enumerate() {
        if number >= MAX_DOCUMENTS {
            faults.push(Fault {
                code: Code::TooComplex,
                span: span.start..span.start,
                message: format!("more than {MAX_DOCUMENTS} documents in one file"),
                help: "the rest of the file was not read: split it".to_owned(),
            });
            break;
        }
        match parse(&text[span.clone()], &left) {
            Ok(mut root) => {
                left.spend(&root);
                place(&mut root, text, span.start);
                documents.push(Document { span, root });
            }
            Err(error) => faults.push(fault(&error, text, &span)),
        }
    }
    (documents, faults)
}

/// What the rest of a file may still take: memory is bounded for the file, not for each document.
struct Left {
    nodes: usize,
    text: usize,
}

impl Left {
    fn spend(&mut self, node: &Node) {
        self.nodes = self.nodes.saturating_sub(1);
        match &node.value {
            Value::Text(text) => self.text = self.text.saturating_sub(text.len()),
            Value::List(items) => items.iter().for_each(|item| self.spend(item)),
            Value::Map(entries) => entries.iter().for_each(|entry| {
                self.spend(&entry.key);
                self.spend(&entry.value);
            }),
            _ => {}
        }
    }
}

/// What is refused before any parsing.
fn forbidden(text: &str) -> Option<Fault> {
    if text.len() > MAX_BYTES {
        return Some(Fault {
            code: Code::TooLarge,
            span: 0..0,
            message: format!("the file has {} bytes, more than {MAX_BYTES}", text.len()),
            help: "nothing of it was read: split it into several files".to_owned(),
        });
    }
    // Whether nothing but blanks was seen in the line so far.
    let mut indentation = true;
    for (at, c) in text.char_indices() {
        let refused = match c {
            '\0' => Some(("the file has a NUL character".to_owned(), "save it as text without it")),
            '\u{feff}' => Some((
                "the file has a byte order mark (U+FEFF)".to_owned(),
                "save it as UTF-8 without it",
            )),
            // Text would be read in another order than it is shown, comments among it.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some((
                format!(
                    "the file has a character (U+{:04X}) that changes the direction of text",
                    u32::from(c)
                ),
                "write the text without it",
            )),
            // It looks like a level of its own and is none.
            c if indentation && invisible(c) => Some((
                format!(
                    "this line begins with a character (U+{:04X}) that is no space",
                    u32::from(c)
                ),
                "indent with spaces",
            )),
            _ => None,
        };
        if let Some((message, what)) = refused {
            return Some(Fault {
                code: Code::ForbiddenCharacter,
                span: at..at + c.len_utf8(),
                message,
                help: format!("nothing of the file was read: {what}"),
            });
        }
        indentation = c == '\n' || indentation && matches!(c, ' ' | '\t' | '\r');
    }
    None
}

/// Cuts a text into its documents. YAML forbids `---` and `...` at the beginning of a line within
/// any scalar, so that lines are enough to find them.
fn split(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let mut full = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let opens = marker(content, "---");
        if opens && full {
            spans.push(start..end);
            start = end;
            full = false;
        }
        end += line.len();
        if marker(content, "...") {
            if full {
                spans.push(start..end);
            }
            start = end;
            full = false;
        } else if !full {
            let content = if opens { content[3..].trim_start() } else { content.trim_start() };
            // A directive counts as content only for the parser, which wants it before its `---`.
            full = !content.is_empty() && !content.starts_with('#') && !line.starts_with('%');
        }
    }
    if full {
        spans.push(start..end);
    }
    spans
}

/// Whether a line is the marker, alone or followed by a blank.
fn marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// What serde-saphyr is asked to do.
fn options(left: &Left) -> Options {
    serde_saphyr::options! {
        budget: budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: left.nodes,
            max_events: 4 * MAX_NODES,
            max_aliases: 1_000,
            max_anchors: 200,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_BYTES,
            max_total_scalar_bytes: left.text,
            max_documents: 2,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        // Without it the keys `n` and `y` would be booleans.
        strict_booleans: true,
        // `007` and `1_000` are what they look like.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
        emit_comments: false,
    }
}

/// Parses one document; spans are relative to it.
fn parse(document: &str, left: &Left) -> Result<Node, Box<Error>> {
    serde_saphyr::from_str_with_options::<Node>(document, options(left)).map_err(Box::new)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        // `defined`, not `referenced`: what came by an alias is put right where it is written.
        let span = spanned.defined.span();
        let byte = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let start = byte(span.byte_offset()).unwrap_or(0);
        let end = start.saturating_add(byte(span.byte_len()).unwrap_or(0));
        Ok(Self { span: start..end, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.push(Entry { key, value });
        }
        Ok(Value::Map(map))
    }
}

/// Moves spans from the document into the file, and gives a block map or list, whose own span is
/// empty, that of its first key or item.
fn place(node: &mut Node, text: &str, base: usize) {
    let first = match &mut node.value {
        Value::List(items) => {
            items.iter_mut().for_each(|item| place(item, text, base));
            items.first().map(|item| item.span.clone())
        }
        Value::Map(entries) => {
            for entry in entries.iter_mut() {
                place(&mut entry.key, text, base);
                place(&mut entry.value, text, base);
            }
            entries.first().map(|entry| entry.key.span.clone())
        }
        _ => None,
    };
    let inside = |at: usize| text.floor_char_boundary(at.saturating_add(base).min(text.len()));
    node.span = inside(node.span.start)..inside(node.span.end);
    if let Some(first) = first
        && node.span.is_empty()
    {
        node.span = first;
    }
}

/// Which budget a document breaks, in our words. The parser's are the names of its own fields.
fn too_much(message: &str) -> String {
    if message.contains("recursion limit") || message.contains("Depth") {
        format!("this document nests deeper than {MAX_DEPTH} levels")
    } else if message.contains("Nodes") {
        format!("this document has more than {MAX_NODES} values")
    } else if message.contains("ScalarBytes") {
        "this document has too much text, counted with every repetition by an alias".to_owned()
    } else if message.contains("recursive") {
        "this document has an anchor within itself".to_owned()
    } else if message.contains("alias") || message.contains("Alias") {
        "this document multiplies by aliases".to_owned()
    } else {
        format!("this document nests or multiplies too much ({message})")
    }
}

/// A parser's error in our words and at its place in the file.
fn fault(error: &Error, text: &str, document: &Span) -> Fault {
    let inner = match error.without_snippet() {
        Error::AliasError { error, .. } => error,
        plain => plain,
    };
    let at = error.location().map_or(document.start, |location| {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let part = &text[document.clone()];
        document.start + Lines::new(part).byte(number(location.line()), number(location.column()))
    });
    // The parser finds a tab late, and tells the line before it.
    let tab = indented_by_tab(text, at, document.end);
    let at = tab.unwrap_or(at);
    // One character is marked: the parser gives points, not ranges.
    let width = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let full = inner.to_string();
    // The place is told by us; the parser appends its own, counted within the document.
    let message = full.find(" at line ").map_or(full.as_str(), |cut| &full[..cut]);
    // It may quote the file, of any length.
    let message = match message.char_indices().nth(160) {
        Some((cut, _)) => format!("{}…", &message[..cut]),
        None => message.to_owned(),
    };
    let complex = matches!(
        inner,
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::RecursiveReferencesRequireWeakTypes { .. }
    ) || message.contains("recursion limit");
    let (code, message) = if complex {
        (Code::TooComplex, too_much(&message))
    } else if let Error::UnsupportedTag { tag, .. } = inner {
        (Code::Syntax, format!("the tag {} means nothing here", quote(tag)))
    } else if tab.is_some() {
        (Code::Syntax, "this line is indented with a tab".to_owned())
    } else {
        (Code::Syntax, format!("this is not YAML: {message}"))
    };
    let help = if complex {
        format!(
            "it was not read; at most {MAX_DEPTH} levels, {MAX_NODES} values and {MAX_REPLAYED} repeated ones by aliases"
        )
    } else {
        let rest = "the rest of this document was not read, so it may have more problems";
        // Schedules begin with these; to YAML the one is an alias, the other is reserved.
        match text.get(at..at + width) {
            Some(mark @ ("*" | "@")) => {
                format!(
                    "a text that begins with `{mark}` needs quotes, as in `\"{}\"`; {rest}",
                    if mark == "*" { "*/5 * * * *" } else { "@daily" }
                )
            }
            Some("\t") => format!("indent with spaces; {rest}"),
            _ => rest.to_owned(),
        }
    };
    Fault { code, span: at..at + width, message, help }
}

/// The tab in the indentation of the line of byte `at`, or of one of the two lines after it.
fn indented_by_tab(text: &str, at: usize, end: usize) -> Option<usize> {
    let first = text.get(..at)?.rfind('\n').map_or(0, |before| before + 1);
    let mut start = first;
    for line in text.get(first..end)?.split_inclusive('\n').take(3) {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t') {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests;
