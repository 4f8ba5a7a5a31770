//! A private scratch file, and bounds on what is unpacked into it.
//!
//! The file has no name and mode 0600: no other process can open it, and it is gone when we are.
//! A few bytes can unpack to terabytes; but the first page of a database says how long it is, so
//! whatever goes on beyond that is stopped there.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::super::{
    file::FileSource, meta::DIGEST, meta::Metas, source::Source as _, stranger, verdict::Finding,
};

/// Bytes after which the database's own first pages are asked how much is still to come: two pages
/// of the largest size.
const HEAD: u64 = 128 << 10;
/// Bytes that a database file may have beyond its pages: etcd lets files grow in steps of 16 MiB.
const ROOM: u64 = 64 << 20;
/// Bytes that are left free on the disk.
const SPARE: u64 = 256 << 20;
/// The most that is unpacked, in bytes: four times the largest quota that etcd is advised to have.
const MOST: u64 = 32 << 30;

/// Why unpacking stopped.
pub enum Stop {
    /// The container cannot be read any further.
    Damaged(String),
    /// Something else, which is said already.
    Said(Finding),
}

/// What is unpacked.
pub struct Spool {
    file: File,
    folder: PathBuf,
    written: u64,
    limit: Option<u64>,
}

impl Spool {
    /// An empty scratch file in `folder`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: &Path) -> Result<Self, Finding> {
        let file = tempfile::tempfile_in(folder).map_err(|error| {
            Finding::unproven(
                "no-scratch",
                format!("no scratch file can be made in {}: {error}", folder.display()),
            )
        })?;
        Ok(Self { file, folder: folder.to_owned(), written: 0, limit: None })
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are too many, or the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.limit.is_none() && self.written >= HEAD {
            self.limit = Some(self.ask()?);
        }
        let after = self.written + bytes.len() as u64;
        if after > self.limit.unwrap_or(HEAD * 8) {
            return Err(Stop::Said(Finding::error(
                "too-long",
                format!(
                    "it goes on after {} bytes, where the database that it begins with has ended",
                    self.limit.unwrap_or(self.written)
                ),
            )));
        }
        self.file.write_all(bytes).map_err(|error| self.full(&error.to_string()))?;
        self.written = after;
        Ok(())
    }

    /// How many bytes there may be.
    fn ask(&mut self) -> Result<u64, Stop> {
        let mut source = FileSource::new(&self.file, self.written);
        let metas = Metas::read(&mut source)
            .map_err(|error| Stop::Said(stranger::finding(&mut source, &error.to_string())))?;
        let database = metas.chosen.size();
        if database > MOST {
            return Err(Stop::Said(Finding::unproven(
                "too-large",
                format!(
                    "it says that it unpacks to {database} bytes; {MOST} is the most that is unpacked"
                ),
            )));
        }
        let free = rustix::fs::fstatvfs(&self.file)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let more = database.saturating_sub(source.size());
        if more.saturating_add(SPARE) > free {
            return Err(self.full(&format!("{more} bytes are still to come and {free} are free")));
        }
        let exact = database + DIGEST;
        // What was streamed has no room at its end.
        Ok(if metas.streamed { exact } else { exact + ROOM })
    }

    fn full(&self, why: &str) -> Stop {
        Stop::Said(Finding::unproven(
            "no-scratch",
            format!("it cannot be unpacked into {}: {why}", self.folder.display()),
        ))
    }

    /// The file with everything in it.
    ///
    /// # Errors
    /// Never now; written bytes are there when they are read again.
    pub fn finish(self) -> Result<File, Stop> {
        Ok(self.file)
    }
}
