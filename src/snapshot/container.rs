//! What a snapshot is wrapped in: recognised by its first bytes, never by its name.
//!
//! What is inside is written into a scratch file ([`spool`]), because a compressed stream cannot be
//! read at any position.

pub mod spool;
mod zip;
mod zstd;

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use super::verdict::{Facts, Finding};
use spool::{Spool, Stop};

/// Bytes that are looked at.
pub const LOOK: usize = 64;
/// Bytes that are read and written at once.
const CHUNK: usize = 256 << 10;

/// A container, or the bare snapshot's absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// gzip.
    Gzip,
    /// A zip archive.
    Zip,
    /// Zstandard.
    Zstd,
    /// Encrypted by age; nothing can be said without the key.
    Age,
    /// Compressed by something that is not read here.
    Other(&'static str),
}

impl Container {
    /// Recognises a container by how a file begins.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        let starts = |magic: &[u8]| head.starts_with(magic);
        Some(match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x1f, 0x9d, ..] => Self::Other("compress"),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Self::Other("zlib"),
            _ if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") => Self::Zip,
            _ if starts(&[0x28, 0xb5, 0x2f, 0xfd]) => Self::Zstd,
            // A frame of Zstandard to be skipped comes before others.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ if starts(b"age-encryption.org/") => Self::Age,
            _ if starts(b"-----BEGIN AGE ENCRYPTED FILE") => Self::Age,
            _ if starts(&[0xfd, b'7', b'z', b'X', b'Z', 0]) => Self::Other("xz"),
            _ if starts(b"BZh") => Self::Other("bzip2"),
            _ if starts(&[0x04, 0x22, 0x4d, 0x18]) => Self::Other("lz4"),
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Zstd => "zstd",
            Self::Age => "age",
            Self::Other(name) => name,
        }
    }

    /// Why its content cannot be looked at, if nothing here can read it.
    #[must_use]
    pub fn closed(self) -> Option<Finding> {
        match self {
            Self::Age => Some(Finding::unproven(
                "encrypted",
                "the file is encrypted by age: what is in it is not verifiable without the key",
            )),
            Self::Other(name) => Some(Finding::unproven(
                "container",
                format!(
                    "the file is compressed by {name}, which is not read here; unpack it first"
                ),
            )),
            Self::Gzip | Self::Zip | Self::Zstd => None,
        }
    }

    /// What the container itself says, without its content being read.
    ///
    /// # Errors
    /// With why it is damaged.
    pub fn glance(self, file: &File, size: u64, facts: &mut Facts) -> Result<(), Finding> {
        match self {
            Self::Gzip => {
                // The last four bytes: the length of what is inside, modulo 2^32.
                let mut tail = [0; 4];
                let at = size.checked_sub(4).ok_or_else(|| damaged("gzip", "it is cut off"))?;
                std::os::unix::fs::FileExt::read_exact_at(file, &mut tail, at)
                    .map_err(|error| unreadable(&error))?;
                let length = u32::from_le_bytes(tail);
                if length % 512 != 32 {
                    return Err(Finding::warning(
                        "container-length",
                        "what the gzip says of the length of its content is not the length of a \
                         snapshot: it is cut off, or holds something else",
                    ));
                }
                Ok(())
            }
            Self::Zip => zip::glance(file, facts),
            Self::Zstd | Self::Age | Self::Other(_) => Ok(()),
        }
    }

    /// Unpacks the snapshot into a scratch file in `folder`.
    ///
    /// # Errors
    /// With why that is not possible.
    pub fn unpack(
        self,
        file: &File,
        folder: &Path,
        facts: &mut Facts,
    ) -> Result<(File, u64), Finding> {
        let mut raw = file;
        raw.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
        let mut spool = Spool::new(folder)?;
        let result = match self {
            Self::Gzip => {
                let reader = BufReader::with_capacity(CHUNK, raw);
                copy(&mut MultiGzDecoder::new(reader), &mut spool)
            }
            Self::Zip => zip::unpack(file, facts, &mut spool),
            Self::Zstd => zstd::unpack(BufReader::with_capacity(CHUNK, raw), &mut spool),
            Self::Age | Self::Other(_) => Err(Stop::Damaged("nothing here can read it".to_owned())),
        };
        let written = spool.written();
        match result.and_then(|()| spool.finish()) {
            Ok(file) => {
                facts.content_size = Some(written);
                Ok((file, written))
            }
            Err(Stop::Damaged(why)) => {
                Err(damaged(self.as_str(), &format!("after {written} bytes of content: {why}")))
            }
            Err(Stop::Said(finding)) => Err(finding),
        }
    }
}

/// Copies everything.
fn copy(from: &mut impl Read, to: &mut Spool) -> Result<(), Stop> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write(&chunk[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Stop::Damaged(error.to_string())),
        }
    }
}

fn damaged(name: &str, why: &str) -> Finding {
    Finding::error("container-damaged", format!("the {name} is damaged: {why}"))
}

fn unreadable(error: &io::Error) -> Finding {
    Finding::unproven("unreadable", format!("the file cannot be read: {error}"))
}
