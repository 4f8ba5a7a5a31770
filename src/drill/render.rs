//! Problems for people (as rustc tells them) and for programs (JSON).
//!
//! PURE.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle,
};
use serde::Serialize;

use super::{
    problem::{Also, Place, Problem, Severity, invisible, neutral},
    tree::Span,
};

/// Longer lines, in bytes, are not shown: no person wrote them, and each costs the renderer time.
const LONGEST_LINE: usize = 1024;

/// The texts of the files that problems are about.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// Adds a file's text.
    pub fn add(&mut self, path: &Path, text: &str) {
        self.texts.insert(path.to_owned(), text.to_owned());
    }

    /// One file's text.
    #[must_use]
    pub fn of(path: &Path, text: &str) -> Self {
        let mut sources = Self::default();
        sources.add(path, text);
        sources
    }

    /// Covers everything that problems call secret, and whatever cannot be seen or would play with
    /// the terminal. Positions stay as they are.
    fn covered(mut self, problems: &[Problem]) -> Self {
        for text in self.texts.values_mut() {
            if text.contains(hidden) {
                *text = text.chars().map(|c| if hidden(c) { stand_in(c) } else { c }).collect();
            }
        }
        for problem in problems {
            if let (Some(secret), Some(text)) = (&problem.secret, self.texts.get_mut(&problem.path))
                && let Some(covered) = text.get(secret.clone()).map(cover)
            {
                text.replace_range(secret.clone(), &covered);
            }
        }
        self
    }
}

/// Whether a character is not shown as it is. Blanks, line ends and tabs are the renderer's matter.
fn hidden(c: char) -> bool {
    invisible(c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// A character that is seen, of the same length in bytes, so that no place moves.
fn stand_in(c: char) -> char {
    match c.len_utf8() {
        1 => '?',
        2 => '\u{b7}',
        3 => '\u{fffd}',
        _ => '\u{1f6ab}',
    }
}

/// Replaces each character by one of the same length in bytes, so that no place moves.
fn cover(text: &str) -> String {
    text.chars()
        .map(|c| match (c, c.len_utf8()) {
            ('\n' | '\r', _) => c,
            (_, 1) => '*',
            (_, 2) => '\u{b7}',
            (_, 3) => '\u{2022}',
            _ => '\u{1f512}',
        })
        .collect()
}

/// All problems as text, each followed by an empty line; colour only if asked for.
#[must_use]
pub fn text(problems: &[Problem], sources: &Sources, colour: bool) -> String {
    let sources = sources.clone().covered(problems);
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for problem in problems {
        out.push_str(&one(problem, &sources, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn one(problem: &Problem, sources: &Sources, renderer: &Renderer) -> String {
    let source = sources.texts.get(&problem.path).map(String::as_str);
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let path = neutral(&problem.path.to_string_lossy());
    let message = neutral(&problem.message);
    let title = level.primary_title(&message).id(problem.code.as_str());
    let mut group: Group<'_> = Group::with_title(title);
    // The place in the file is shown only where the file has one: spans of an empty text do not.
    match source.filter(|source| can_show(source, &problem.place.span)) {
        Some(source) => {
            let mut snippet = snippet(source, &problem.place, &path, AnnotationKind::Primary, None);
            let also = problem.also.as_ref();
            let here =
                also.filter(|also| also.path.is_none() && can_show(source, &also.place.span));
            let elsewhere = also.and_then(|also| Some((also, also.path.as_ref()?)));
            if let Some(Also { place, label, .. }) = here {
                if let Some(together) = together(source, problem, place, label, &path) {
                    snippet = together;
                } else {
                    group = group.element(snippet);
                    snippet =
                        self::snippet(source, place, &path, AnnotationKind::Context, Some(label));
                }
            }
            group = group.element(snippet);
            if let Some((also, path)) = elsewhere
                && let Some(source) = sources.texts.get(path)
                && can_show(source, &also.place.span)
            {
                let (place, label) = (&also.place, Some(also.label.as_str()));
                let path = neutral(&path.to_string_lossy());
                group = group.element(self::snippet(
                    source,
                    place,
                    &path,
                    AnnotationKind::Context,
                    label,
                ));
            }
        }
        None => {
            let Place { line, column, .. } = problem.place;
            let mut origin = Origin::path(path);
            if (line, column) != (1, 1) {
                origin = origin.line(line).char_column(column);
            }
            group = group.element(origin);
        }
    }
    let help = problem.help.as_deref().map(neutral);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// Whether a span's line can be shown.
fn can_show(source: &str, span: &Span) -> bool {
    !source.is_empty()
        && span.end <= source.len()
        && window(source, span.start, span.start).len() <= LONGEST_LINE
}

/// One snippet with both places, where they are near each other.
fn together<'s>(
    source: &'s str,
    problem: &'s Problem,
    also: &Place,
    label: &'s str,
    path: &str,
) -> Option<Snippet<'s, annotate_snippets::Annotation<'s>>> {
    if problem.place.line.abs_diff(also.line) > 20 {
        return None;
    }
    let (first, last) = if also.line < problem.place.line {
        (also, &problem.place)
    } else {
        (&problem.place, also)
    };
    let window = window(source, first.span.start, last.span.start);
    if window.len() > LONGEST_LINE {
        return None;
    }
    let shift = |span: &Span| shown(source, span, &window);
    Some(
        Snippet::source(&source[window.clone()])
            .line_start(first.line)
            .path(path.to_owned())
            .annotation(AnnotationKind::Primary.span(shift(&problem.place.span)))
            .annotation(AnnotationKind::Context.span(shift(&also.span)).label(label)),
    )
}

fn snippet<'s>(
    source: &'s str,
    place: &Place,
    path: &str,
    kind: AnnotationKind,
    label: Option<&'s str>,
) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
    let window = window(source, place.span.start, place.span.start);
    let span = shown(source, &place.span, &window);
    Snippet::source(&source[window])
        .line_start(place.line)
        .path(path.to_owned())
        .annotation(kind.span(span).label(label))
}

/// The lines from that of byte `first` to that of byte `last`: the renderer need not see more.
fn window(source: &str, first: usize, last: usize) -> Span {
    let start = source[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = source[last..].find('\n').map_or(source.len(), |at| last + at);
    start..end.max(start)
}

/// A span within a window, cut at the end of its first line.
fn shown(source: &str, span: &Span, window: &Span) -> Span {
    let line_end =
        source[span.start..].find(['\n', '\r']).map_or(source.len(), |at| span.start + at);
    let end = span.end.min(line_end).min(window.end).max(span.start);
    span.start - window.start..end - window.start
}

/// A problem as programs read it.
#[derive(Serialize)]
struct Json<'p> {
    path: std::borrow::Cow<'p, str>,
    line: usize,
    column: usize,
    severity: &'static str,
    code: &'static str,
    message: &'p str,
    help: Option<&'p str>,
    key: &'p str,
    also: Option<JsonAlso<'p>>,
}

/// Another place that has to do with a problem.
#[derive(Serialize)]
struct JsonAlso<'p> {
    path: std::borrow::Cow<'p, str>,
    line: usize,
    column: usize,
    label: &'p str,
}

/// All problems as a JSON list of `{path, line, column, severity, code, message, help, key, also}`;
/// `also` is null or `{path, line, column, label}`. Lines and columns count from 1, columns in
/// characters; `code` is stable.
#[must_use]
pub fn values(problems: &[Problem]) -> serde_json::Value {
    let list: Vec<Json<'_>> = problems
        .iter()
        .map(|problem| Json {
            path: problem.path.to_string_lossy(),
            line: problem.place.line,
            column: problem.place.column,
            severity: problem.severity.as_str(),
            code: problem.code.as_str(),
            message: &problem.message,
            help: problem.help.as_deref(),
            key: &problem.key,
            also: problem.also.as_ref().map(|also| JsonAlso {
                path: also.path.as_ref().unwrap_or(&problem.path).to_string_lossy(),
                line: also.place.line,
                column: also.place.column,
                label: &also.label,
            }),
        })
        .collect();
    // A list of numbers and texts has no way to fail.
    serde_json::to_value(list).unwrap_or_default()
}

#[cfg(test)]
mod tests;
