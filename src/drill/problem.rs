//! What is wrong with a file, and where.
//!
//! PURE.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::tree::Span;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can be used, but hardly means what it says.
    Warning,
    /// The file cannot be used.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What sort of problem it is. The names are stable: scripts may match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The file cannot be opened or read.
    Unreadable,
    /// Over [`super::read::MAX_BYTES`].
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// NUL, a byte order mark.
    ForbiddenCharacter,
    /// Not YAML.
    Syntax,
    /// Nested too deep, or multiplied by aliases, or too many documents.
    TooComplex,
    /// No document in the file, no file in the folder.
    NothingToRead,
    /// Neither a drill nor a configuration, or the other of the two.
    WrongKind,
    /// A key that means nothing here.
    UnknownKey,
    /// The same key twice in one map.
    DuplicateKey,
    /// A required key is not there.
    MissingKey,
    /// A key without a value.
    EmptyValue,
    /// A list where text is wanted, and the like.
    WrongType,
    /// The right type, but not a legal value.
    InvalidValue,
    /// Known to the language, not to this version.
    NotSupportedYet,
    /// Read and checked, but this version does nothing with it.
    NotActedOn,
    /// Two things of one name.
    DuplicateName,
    /// A reference to a step that is not there.
    UnknownStep,
    /// A reference to a step that runs too late.
    LaterStep,
    /// A reference to a step of a kind that cannot give what is asked.
    WrongStepKind,
    /// None or several of keys of which exactly one is wanted.
    ExactlyOne,
    /// A known key that has no meaning beside another one.
    OutOfPlace,
    /// A secret in a file that others read.
    InlineSecret,
    /// A cluster that the configuration does not have.
    UnknownCluster,
    /// A target that the configuration does not have.
    UnknownTarget,
    /// A store that the configuration does not have.
    UnknownStore,
    /// A hook that the configuration does not have.
    UnknownHook,
    /// Something that nothing else makes use of.
    Unused,
    /// A file that the configuration names, and that cannot be used as it should be.
    BadFile,
    /// A login that will hardly work, or that others can use too.
    DoubtfulLogin,
    /// Two values that contradict each other.
    Conflict,
    /// A drill that restores or drains, and asks nothing of it.
    NoObjective,
    /// A sandbox that no step looks into.
    UnreadSandbox,
    /// A step that ends a recovery time without looking at what recovers.
    LooksElsewhere,
    /// A step that reads what may not be there.
    MayBeMissing,
    /// A limit so short that one bad answer is enough.
    HastyLimit,
    /// An objective whose figure says something else than its name.
    MisleadingObjective,
    /// A limit beyond another one, so that it can never matter.
    UnreachableLimit,
    /// A symbolic link in a folder, which is not followed.
    LinkSkipped,
    /// More problems than are told.
    TooMany,
}

impl Code {
    /// The stable name, such as `unknown-key`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too-large",
            Self::NotUtf8 => "not-utf8",
            Self::ForbiddenCharacter => "forbidden-character",
            Self::Syntax => "syntax",
            Self::TooComplex => "too-complex",
            Self::NothingToRead => "nothing-to-read",
            Self::WrongKind => "wrong-kind",
            Self::UnknownKey => "unknown-key",
            Self::DuplicateKey => "duplicate-key",
            Self::MissingKey => "missing-key",
            Self::EmptyValue => "empty-value",
            Self::WrongType => "wrong-type",
            Self::InvalidValue => "invalid-value",
            Self::NotSupportedYet => "not-supported-yet",
            Self::NotActedOn => "not-acted-on",
            Self::DuplicateName => "duplicate-name",
            Self::UnknownStep => "unknown-step",
            Self::LaterStep => "later-step",
            Self::WrongStepKind => "wrong-step-kind",
            Self::ExactlyOne => "exactly-one",
            Self::OutOfPlace => "out-of-place",
            Self::InlineSecret => "inline-secret",
            Self::UnknownCluster => "unknown-cluster",
            Self::UnknownTarget => "unknown-target",
            Self::UnknownStore => "unknown-store",
            Self::UnknownHook => "unknown-hook",
            Self::Unused => "unused",
            Self::BadFile => "bad-file",
            Self::DoubtfulLogin => "doubtful-login",
            Self::Conflict => "conflict",
            Self::NoObjective => "no-objective",
            Self::UnreadSandbox => "unread-sandbox",
            Self::LooksElsewhere => "looks-elsewhere",
            Self::MayBeMissing => "may-be-missing",
            Self::HastyLimit => "hasty-limit",
            Self::MisleadingObjective => "misleading-objective",
            Self::UnreachableLimit => "unreachable-limit",
            Self::LinkSkipped => "link-skipped",
            Self::TooMany => "too-many",
        }
    }
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the file's text.
    pub span: Span,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
}

impl Place {
    /// The beginning of a file.
    #[must_use]
    pub fn start() -> Self {
        Self { span: 0..0, line: 1, column: 1 }
    }
}

/// Another place that has to do with a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// The file; none = the one that the problem is in.
    pub path: Option<PathBuf>,
    /// Where in the file.
    pub place: Place,
    /// What stands there.
    pub label: String,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What sort it is.
    pub code: Code,
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub place: Place,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Key path, such as `spec.steps[1].veleroRestore.backup`; empty for the whole document.
    pub key: String,
    /// Another place that has to do with it, and what stands there.
    pub also: Option<Also>,
    /// Text that no output may show: the renderer covers it.
    pub secret: Option<Span>,
}

impl Problem {
    /// Whether it is an error, not a warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// A problem at the beginning of a file, such as that it cannot be read.
    #[must_use]
    pub fn of_file(path: &Path, severity: Severity, code: Code, message: String) -> Self {
        Self {
            severity,
            code,
            path: path.to_owned(),
            place: Place::start(),
            message,
            help: None,
            key: String::new(),
            also: None,
            secret: None,
        }
    }

    /// Adds what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that has to do with it.
    pub fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        let place = Place { span, line: 0, column: 0 };
        self.also = Some(Also { path: None, place, label: label.into() });
        self
    }

    /// Covers a span in every output.
    pub fn secret(&mut self, span: Span) -> &mut Self {
        self.secret = Some(span);
        self
    }
}

/// Finds lines and columns of a text.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Notes where the lines of `text` begin.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(
                text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1),
            )
            .collect();
        Self { text, starts }
    }

    /// All of the text.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The place of a span. The span is brought inside the text and onto character boundaries,
    /// whatever it was.
    #[must_use]
    pub fn place(&self, span: &Span) -> Place {
        let start = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let end = self.text.ceil_char_boundary(span.end.clamp(start, self.text.len()));
        let line = self.starts.partition_point(|first| *first <= start);
        let first = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(first..start).map_or(0, |before| before.chars().count()) + 1;
        Place { span: start..end, line, column }
    }

    /// The byte at which a 1-based line and column (in characters) begins; the end of the text if
    /// it has no such place.
    #[must_use]
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let Some(first) = self.starts.get(line.saturating_sub(1)) else { return self.text.len() };
        self.text[*first..]
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(self.text.len(), |(at, _)| first + at)
    }
}

/// Text of a file in a message: in backticks, at most 60 characters, and neutral.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let short: String = chars.by_ref().take(60).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("`{}{more}`", neutral(&short))
}

/// A text with its control, invisible and direction-changing characters escaped, because messages
/// go to terminals and people must see what is there.
#[must_use]
pub fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || invisible(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that are not seen, that look like a blank and are none, or that change the direction
/// of text.
#[must_use]
pub fn invisible(c: char) -> bool {
    matches!(
        c,
        '\u{a0}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{1680}'
            | '\u{180b}'..='\u{180e}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\nkéy: x\n");
        let place = lines.place(&(8..9));
        assert_eq!((place.line, place.column), (2, 6));
        assert_eq!(lines.byte(2, 6), 8);
        assert_eq!(lines.byte(9, 1), 10);
    }

    #[test]
    fn any_span_is_brought_into_the_text() {
        let lines = Lines::new("é");
        assert_eq!(lines.place(&(1..1)).span, 0..2);
        assert_eq!(lines.place(&(7..9)).span, 2..2);
        assert_eq!(lines.place(&Span { start: 2, end: 0 }).span, 2..2);
    }

    #[test]
    fn quoted_text_cannot_play_with_the_terminal() {
        assert_eq!(quote("a\u{1b}[2J\u{202e}b"), "`a\\u{1b}[2J\\u{202e}b`");
        assert_eq!(quote(&"x".repeat(70)), format!("`{}…`", "x".repeat(60)));
    }
}
