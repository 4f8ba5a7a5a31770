//! A file with drills: text to drills and problems.

use std::{fs::File, io::Read as _, path::Path};

use super::{
    Drill,
    decode::Decoder,
    problem::{Code, Lines, Problem, Severity},
    read::{self, Document, Fault, MAX_BYTES},
    tree::Span,
    validate,
};
use crate::config::Config;

/// What a file gave.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The drills without errors, in the order of the file.
    pub drills: Vec<Drill>,
    /// Every problem, in the order of the file.
    pub problems: Vec<Problem>,
    /// The file's text, as far as it could be read.
    pub text: String,
    /// Where each drill's document begins, and the place of its name.
    places: Vec<(usize, Span)>,
}

impl Loaded {
    /// Whether there is an error; there may be drills all the same, from other documents.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Each drill's name and the place of that name in the file.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.drills.iter().zip(&self.places).map(|(drill, (_, name))| (drill.name.as_str(), name))
    }

    /// Every name in the drills that the configuration does not have, with places in the file.
    #[must_use]
    pub fn against(&self, config: &Config) -> Vec<Problem> {
        let lines = Lines::new(&self.text);
        let mut all = Vec::new();
        for (drill, (start, _)) in self.drills.iter().zip(&self.places) {
            for mut problem in validate::against(drill, config) {
                let span = &problem.place.span;
                problem.place = lines.place(&(span.start + start..span.end + start));
                all.push(problem);
            }
        }
        all
    }
}

/// Reads the drills of a file's text. Never panics, whatever the text.
#[must_use]
pub fn load(path: &Path, text: &str) -> Loaded {
    load_read(path, text, read::read(text))
}

/// As [`load`], of a text that has been read already: reading is most of the time that it takes.
#[must_use]
pub fn load_read(path: &Path, text: &str, read: (Vec<Document>, Vec<Fault>)) -> Loaded {
    let mut out = Decoder::new(path, text);
    let documents = documents(&mut out, read);
    let mut loaded = Loaded { text: text.to_owned(), ..Loaded::default() };
    for document in &documents {
        let Some(drill) = validate::drill(&mut out, document, path, text) else { continue };
        let name = document.root.find("metadata.name").map_or(0..0, |node| node.span.clone());
        let earlier =
            loaded.names().find(|(name, _)| *name == drill.name).map(|(_, span)| span.clone());
        if let Some(earlier) = earlier {
            let message = format!("there are two drills named `{}`", drill.name);
            out.error(Code::DuplicateName, &name, "metadata.name", message)
                .also(earlier, "first here")
                .help("give each drill a name of its own: it is how it is run and looked up");
            continue;
        }
        loaded.drills.push(drill);
        loaded.places.push((document.span.start, name));
    }
    loaded.problems = out.finish();
    loaded
}

/// Reads a file and its drills. A file that cannot be read is a problem like any other.
#[must_use]
pub fn load_file(path: &Path) -> Loaded {
    match read_file(path) {
        Ok(text) => load(path, &text),
        Err(problem) => Loaded { problems: vec![*problem], ..Loaded::default() },
    }
}

/// The documents of a text that was read; notes those that cannot be read, and a text without any.
pub(crate) fn documents(
    out: &mut Decoder<'_>,
    (documents, faults): (Vec<Document>, Vec<Fault>),
) -> Vec<Document> {
    if documents.is_empty() && faults.is_empty() {
        out.error(Code::NothingToRead, &(0..0), "", "there is nothing in this file")
            .help("begin with `apiVersion: firedrill.dev/v1alpha1` and `kind: Drill`");
    }
    for fault in faults {
        out.error(fault.code, &fault.span, "", fault.message).help(fault.help);
    }
    documents
}

/// Reads a regular file of at most [`MAX_BYTES`] as UTF-8.
///
/// # Errors
/// The problem to tell, at the first bad byte if it is not UTF-8.
pub fn read_file(path: &Path) -> Result<String, Box<Problem>> {
    let problem = |code, message: String, help: &str| {
        let mut problem = Problem::of_file(path, Severity::Error, code, message);
        problem.help(help);
        Box::new(problem)
    };
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            problem(Code::Unreadable, "there is no such file".to_owned(), "is the path right?")
        }
        std::io::ErrorKind::PermissionDenied => problem(
            Code::Unreadable,
            format!("this file cannot be read: {error}"),
            "the user that firedrill runs as needs to read it",
        ),
        _ => problem(
            Code::Unreadable,
            format!("this file cannot be read: {error}"),
            "nothing of it was read",
        ),
    };
    // A device or a pipe might never end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(problem(
            Code::Unreadable,
            "this is not a file".to_owned(),
            "name a file; only `validate` reads folders",
        ));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        let message = format!("this file has more than {MAX_BYTES} bytes");
        return Err(problem(
            Code::TooLarge,
            message,
            "nothing of it was read: split it into several files",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let mut problem = problem(
            Code::NotUtf8,
            "this file is not UTF-8".to_owned(),
            "nothing of it was read: save it as UTF-8",
        );
        let place = Lines::new(&text).place(&(valid..valid));
        // Lines and columns are told; the text is not there to be shown.
        problem.place.line = place.line;
        problem.place.column = place.column;
        problem
    })
}
