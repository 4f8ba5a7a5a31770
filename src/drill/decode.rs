//! The collecting decoder: reads objects of the tree by their field tables and notes every
//! problem on the way. It never stops at the first one.
//!
//! PURE. A getter answers `None` for a key that is not there and for one whose value is wrong; in
//! the second case, and where a required key is missing, the problem has been noted already. So
//! `?` on what is required is never silent.

mod object;
mod values;
mod when;

pub use object::Object;
pub use values::MAX_ITEMS;
#[cfg(test)]
pub(crate) use values::check_text;

use std::path::Path;

use super::{
    problem::{Code, Lines, Problem, Severity},
    table::Sort,
    tree::Span,
};

/// The most problems told of one file: a file that is wrong throughout needs no more.
pub const MAX_PROBLEMS: usize = 200;

/// The help of a problem that has none of its own.
const REFERENCE: &str = "the samples in drills/ and config/ show each key with its values";

/// A value, where it stands, and its key path.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
    /// Its key path.
    pub key: String,
}

/// A step named by another part of the drill, to be looked up when all steps are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The name.
    pub to: At<String>,
    /// The kinds that the step may be of; any if there are none.
    pub kinds: &'static [&'static str],
}

/// What a drill asks of the configuration, to be looked up when there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Mention {
    /// The name of a thing.
    Name {
        /// Of which sort it is.
        sort: Sort,
        /// The name.
        at: At<String>,
    },
    /// This many nodes are cordoned at once, on the drill's own cluster.
    Cordons(At<u64>),
}

/// Collects the problems of one file.
pub struct Decoder<'t> {
    path: &'t Path,
    text: &'t str,
    problems: Vec<Problem>,
    dropped: usize,
    errors: usize,
    references: Vec<Reference>,
    mentions: Vec<Mention>,
    pending: Vec<String>,
}

impl<'t> Decoder<'t> {
    /// Begins with no problems.
    #[must_use]
    pub fn new(path: &'t Path, text: &'t str) -> Self {
        Self {
            path,
            text,
            problems: Vec::new(),
            dropped: 0,
            errors: 0,
            references: Vec::new(),
            mentions: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Notes an error.
    pub fn error(
        &mut self,
        code: Code,
        span: &Span,
        key: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.errors += 1;
        self.note(Severity::Error, code, span, key, message.into())
    }

    /// Notes a warning.
    pub fn warning(
        &mut self,
        code: Code,
        span: &Span,
        key: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.note(Severity::Warning, code, span, key, message.into())
    }

    fn note(
        &mut self,
        severity: Severity,
        code: Code,
        span: &Span,
        key: &str,
        message: String,
    ) -> &mut Problem {
        let mut problem = Problem::of_file(self.path, severity, code, message);
        problem.place.span = span.clone();
        key.clone_into(&mut problem.key);
        // One slot beyond the limit takes all that will not be told.
        if self.problems.len() > MAX_PROBLEMS {
            self.problems.pop();
            self.dropped += 1;
        }
        let at = self.problems.len();
        self.problems.push(problem);
        &mut self.problems[at]
    }

    /// Whether further problems will only be counted.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() > MAX_PROBLEMS
    }

    /// How many errors were noted so far.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The references noted since the last call.
    pub fn take_references(&mut self) -> Vec<Reference> {
        std::mem::take(&mut self.references)
    }

    /// Notes that so many nodes are cordoned at once.
    pub fn cordons(&mut self, count: At<u64>) {
        self.mentions.push(Mention::Cordons(count));
    }

    /// What was asked of the configuration since the last call.
    pub fn take_mentions(&mut self) -> Vec<Mention> {
        std::mem::take(&mut self.mentions)
    }

    /// Notes a key that this version does nothing with, and what that means.
    pub(super) fn pending(&mut self, span: &Span, key: &str, name: &str, instead: &str) {
        let message = format!("`{name}` is not acted on by this version");
        self.warning(Code::NotActedOn, span, key, message).help(instead);
        self.pending.push(format!("`{key}` is not acted on by this version: {instead}"));
    }

    /// One sentence for each key noted since the last call that this version does nothing with.
    pub fn take_pending(&mut self) -> Vec<String> {
        std::mem::take(&mut self.pending)
    }

    /// All problems in the order of the file, with lines and columns.
    #[must_use]
    pub fn finish(mut self) -> Vec<Problem> {
        if self.problems.len() > MAX_PROBLEMS {
            self.problems.pop();
            self.dropped += 1;
        }
        // Most files have no problem, and then nobody asks where their lines begin.
        if self.problems.is_empty() {
            return Vec::new();
        }
        let lines = Lines::new(self.text);
        for problem in &mut self.problems {
            problem.place = lines.place(&problem.place.span);
            if let Some(also) = &mut problem.also {
                also.place = lines.place(&also.place.span);
            }
            if let Some(secret) = &mut problem.secret {
                *secret = lines.place(secret).span;
            }
        }
        self.problems.sort_by_key(|problem| problem.place.span.start);
        // Every problem says what to do next.
        for problem in self.problems.iter_mut().filter(|problem| problem.help.is_none()) {
            problem.help = Some(REFERENCE.to_owned());
        }
        if self.dropped > 0 {
            let more = format!("{} more problems in this file are not told", self.dropped);
            let mut more = Problem::of_file(self.path, Severity::Error, Code::TooMany, more);
            more.help("mend these first, then validate again");
            self.problems.push(more);
        }
        self.problems
    }
}
