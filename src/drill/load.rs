//! A file with drills: text to drills and problems.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{
    Drill,
    decode::{At, Decoder, Mention},
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
    path: PathBuf,
    /// What is known of each document, also of those with errors.
    known: Vec<Known>,
}

/// What is known of a drill, whatever is wrong with the rest of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Its name.
    pub name: Option<At<String>>,
    /// What it asks of the configuration.
    pub mentions: Vec<Mention>,
    /// The drill, if it has no errors.
    pub drill: Option<Drill>,
}

impl Loaded {
    /// Whether there is an error; there may be drills all the same, from other documents.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The names of all drills, also of those with errors, with their places in the file.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.known
            .iter()
            .filter_map(|known| known.name.as_ref().map(|name| (name.value.as_str(), &name.span)))
    }

    /// Every name in the drills that the configuration does not have, and every number beyond its
    /// caps, with places in the file. Of a drill with errors, as far as its parts are known.
    #[must_use]
    pub fn against(&self, config: &Config) -> Vec<Problem> {
        let mut out = Decoder::new(&self.path, &self.text);
        for known in &self.known {
            validate::against(&mut out, &known.mentions, config);
        }
        out.finish()
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
    let mut loaded = Loaded { text: text.to_owned(), path: path.to_owned(), ..Loaded::default() };
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    for document in &documents {
        let mut known = validate::drill(&mut out, document, path, text);
        if let Some(At { value, span, .. }) = &known.name {
            if let Some(first) = names.get(value) {
                let message = format!("there are two drills named `{value}`");
                out.error(Code::DuplicateName, span, "metadata.name", message)
                    .also(first.clone(), "first here")
                    .help(OF_ITS_OWN);
                // One is enough to be run and to be compared with other files.
                known.name = None;
                known.drill = None;
            } else {
                names.insert(value.clone(), span.clone());
            }
        }
        loaded.drills.extend(known.drill.take());
        loaded.known.push(known);
    }
    loaded.problems = out.finish();
    loaded
}

/// The help where two drills have one name.
pub(crate) const OF_ITS_OWN: &str =
    "give each drill a name of its own: it is how it is run and looked up";

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
    // A device or a pipe might never end; opening one might already wait, or do something.
    let no_file = || {
        problem(
            Code::Unreadable,
            "this is not a regular file".to_owned(),
            "name a file, or to `validate` a folder; pipes and devices are not read",
        )
    };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(no_file());
    }
    let file = open(path).map_err(unreadable)?;
    // It may have been replaced a moment ago.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(no_file());
    }
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
    if let Some(name) = other_encoding(&bytes) {
        return Err(problem(
            Code::NotUtf8,
            format!("this file is {name}, not UTF-8"),
            "nothing of it was read: save it as UTF-8",
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

/// Opens a file; never waits for the other end of a pipe.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The name of the encoding that a text has instead of UTF-8, where its first bytes say so: by the
/// byte order mark, or because every other byte of `api` or `# ` is zero.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] if *first != 0 && *second != 0 => {
            Some("UTF-16")
        }
        _ => None,
    }
}
