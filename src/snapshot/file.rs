//! A snapshot in a file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use jiff::Timestamp;

use super::{
    container::{Container, LOOK},
    digest,
    inspection::Inspection,
    source::Source,
    verdict::{Facts, Finding, Level, Severity, Verdict},
};

/// A path that is no file to look at.
#[derive(Debug, thiserror::Error)]
pub enum NoFile {
    /// Nothing is there.
    #[error("there is no file {0}")]
    NotThere(String),
    /// It is something else.
    #[error("{0} is {1}, not a file")]
    Other(String, &'static str),
    /// It cannot be asked for.
    #[error("{0}: {1}")]
    Unknown(String, io::Error),
}

/// A file, read by position.
pub struct FileSource<'f> {
    file: &'f File,
    size: u64,
}

impl<'f> FileSource<'f> {
    /// The first `size` bytes of `file`.
    #[must_use]
    pub fn new(file: &'f File, size: u64) -> Self {
        Self { file, size }
    }
}

impl Source for FileSource<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// Judges the file at `path`. What is compressed is unpacked into a scratch file in `scratch`;
/// `now` is for the age of its content.
///
/// # Errors
/// When the path is not that of a file. Everything else is a verdict.
pub fn verify(
    path: &Path,
    level: Level,
    scratch: &Path,
    now: Timestamp,
) -> Result<Verdict, NoFile> {
    let shown = path.display().to_string();
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(forbidden(&shown, level, &error));
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Err(NoFile::NotThere(shown));
        }
        Err(error) => return Err(NoFile::Unknown(shown, error)),
    };
    // Opening a FIFO waits for its other end, and opening a device may do something.
    if !kind.is_file() {
        return Err(NoFile::Other(shown, word(kind)));
    }
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) => return Ok(forbidden(&shown, level, &error)),
    };
    let before = match file.metadata() {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(metadata) => return Err(NoFile::Other(shown, word(metadata.file_type()))),
        Err(error) => return Err(NoFile::Unknown(shown, error)),
    };
    let facts = Facts {
        source: Some(shown),
        size: Some(before.len()),
        modified: Timestamp::new(before.mtime(), 0).ok(),
        ..Facts::default()
    };
    let mut verdict = judge(&file, before.len(), level, scratch, now, facts);
    let stamp =
        |of: &fs::Metadata| (of.len(), of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
    if file.metadata().map_or(true, |after| stamp(&after) != stamp(&before)) {
        // What was seen is of no moment: neither a fault nor its absence means anything.
        for finding in &mut verdict.findings {
            if finding.severity == Severity::Error {
                finding.severity = Severity::Unproven;
            }
        }
        verdict.findings.insert(
            0,
            Finding::unproven("changed", "the file was changed while it was read: look again"),
        );
        return Ok(Verdict::of(level, verdict.facts, verdict.findings));
    }
    Ok(verdict)
}

fn word(kind: fs::FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "something else"
    }
}

fn forbidden(shown: &str, level: Level, error: &io::Error) -> Verdict {
    let facts = Facts { source: Some(shown.to_owned()), ..Facts::default() };
    let finding = Finding::unproven("unreadable", format!("the file cannot be read: {error}"));
    Verdict::of(level, facts, vec![finding])
}

fn judge(
    file: &File,
    size: u64,
    level: Level,
    scratch: &Path,
    now: Timestamp,
    mut facts: Facts,
) -> Verdict {
    if size == 0 {
        let finding = Finding::error("empty", "the file is empty");
        return Verdict::of(level, facts, vec![finding]);
    }
    let mut head = vec![0; LOOK.min(usize::try_from(size).unwrap_or(LOOK))];
    if let Err(error) = file.read_exact_at(&mut head, 0) {
        let finding = Finding::unproven("unreadable", format!("the file cannot be read: {error}"));
        return Verdict::of(level, facts, vec![finding]);
    }
    let Some(container) = Container::sniff(&head) else {
        return bare(file, size, level, now, facts, vec![]);
    };
    facts.container = Some(container.as_str());
    let mut findings: Vec<Finding> = Vec::new();
    if level >= Level::Readable {
        findings.extend(container.closed());
    }
    if findings.is_empty() && level >= Level::Readable {
        findings.extend(container.glance(file, size, &mut facts).err());
    }
    if level == Level::Readable && findings.iter().all(|it| it.severity > Severity::Unproven) {
        findings.push(Finding::unproven(
            "compressed",
            format!(
                "{} has to be unpacked from its beginning: level intact does that, level readable \
                 looks at parts",
                container.as_str()
            ),
        ));
    }
    let closed = findings.iter().any(|it| it.severity <= Severity::Unproven);
    if level < Level::Intact || closed {
        return Verdict::of(level, facts, findings);
    }
    match container.unpack(file, scratch, &mut facts) {
        Ok((inside, size)) => bare(&inside, size, level, now, facts, findings),
        Err(finding) => {
            findings.push(finding);
            Verdict::of(level, facts, findings)
        }
    }
}

/// Judges what is not wrapped. The digest is computed on a thread of its own, because it is as slow
/// as everything else together.
fn bare(
    file: &File,
    size: u64,
    level: Level,
    now: Timestamp,
    facts: Facts,
    findings: Vec<Finding>,
) -> Verdict {
    let mut source = FileSource::new(file, size);
    if level == Level::Listed {
        return Verdict::of(level, facts, findings);
    }
    let mut look = Inspection::begin(&mut source, level, facts, findings);
    let to_hash = look.to_hash();
    let computed = std::thread::scope(|scope| {
        let hash = |length| digest::of(&mut FileSource::new(file, size), length);
        let hashing = to_hash.map(|length| scope.spawn(move || hash(length)));
        look.read(&mut source, now);
        hashing.map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the hashing thread ended")))
        })
    });
    if let Some(computed) = computed {
        look.digest(&mut source, computed);
    }
    look.end()
}
