//! The two meta pages of a bbolt database, and what a file's length says. PURE.
//!
//! Format: bbolt `internal/common/meta.go` and `tx.go` (`WriteTo`). A meta is the only page with a
//! checksum.

use std::io;

use super::{
    bytes::{u16_at, u32_at, u64_at},
    source::Source,
};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const PAGE_HEADER: usize = 16;
/// Bytes of a meta page that mean something: its header, the fields, the checksum.
const META_END: usize = PAGE_HEADER + 64;
const META_FLAG: u16 = 0x04;
/// The freelist is not kept in the file: etcd's choice on Linux.
const NO_FREELIST: u64 = u64::MAX;
/// Page sizes of the machines that run etcd, in bytes; bbolt takes the machine's own.
const PAGE_SIZES: [u32; 7] = [4096, 8192, 16_384, 32_768, 65_536, 2048, 1024];
/// The bytes of a SHA-256.
pub const DIGEST: u64 = 32;

/// One meta page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Bytes of a page.
    pub page_size: u32,
    /// The page of the root bucket.
    pub root: u64,
    /// The page of the list of free pages, if there is one in the file.
    pub freelist: Option<u64>,
    /// The first page that was never used: the database ends there.
    pub pages: u64,
    /// The transaction that wrote it.
    pub txid: u64,
    /// The root bucket's sequence; etcd does not use it.
    sequence: u64,
}

impl Meta {
    /// Bytes of the database.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.pages.saturating_mul(u64::from(self.page_size))
    }

    /// Decodes the meta page `id` from the beginning of its page.
    fn decode(page: &[u8], id: u64) -> Result<Self, String> {
        let short = || "is cut off".to_owned();
        let fields = page.get(PAGE_HEADER..META_END).ok_or_else(short)?;
        let word = |at| u64_at(fields, at).unwrap_or(0);
        let magic = u32_at(fields, 0).unwrap_or(0);
        if magic == MAGIC.swap_bytes() {
            return Err("is big-endian: it was written on another kind of machine".to_owned());
        }
        if magic != MAGIC {
            return Err(format!("does not begin like one (magic number {magic:#010x})"));
        }
        let version = u32_at(fields, 4).unwrap_or(0);
        if version != VERSION {
            return Err(format!("has the unknown version {version}"));
        }
        let checksum = fnv1a(&fields[..56]);
        if checksum != word(56) {
            return Err(format!(
                "has the checksum {:016x}, its content gives {checksum:016x}",
                word(56)
            ));
        }
        let page_size = u32_at(fields, 8).unwrap_or(0);
        if !PAGE_SIZES.contains(&page_size) {
            return Err(format!("has an impossible page size, {page_size}"));
        }
        let (own, flags) = (u64_at(page, 0).unwrap_or(0), u16_at(page, 8).unwrap_or(0));
        if own != id || flags != META_FLAG {
            return Err(format!("calls itself page {own} of type {flags:#x}"));
        }
        let meta = Self {
            page_size,
            root: word(16),
            sequence: word(24),
            freelist: Some(word(32)).filter(|page| *page != NO_FREELIST),
            pages: word(40),
            txid: word(48),
        };
        let beyond = |page: u64| page < 2 || page >= meta.pages;
        if beyond(meta.root) || meta.freelist.is_some_and(beyond) {
            return Err("names pages that the database does not have".to_owned());
        }
        if meta.pages.checked_mul(u64::from(page_size)).is_none() {
            return Err("has an impossible number of pages".to_owned());
        }
        Ok(meta)
    }

    /// Whether two metas say the same but for their transaction.
    fn same_but_txid(&self, other: &Self) -> bool {
        Self { txid: 0, ..self.clone() } == Self { txid: 0, ..other.clone() }
    }
}

/// Both metas as they were read.
#[derive(Clone, Debug)]
pub struct Metas {
    /// The one that counts: valid, with the higher transaction.
    pub chosen: Meta,
    /// What is wrong with the other, if something is.
    pub damaged: Option<String>,
    /// Both are as `WriteTo` of bbolt writes them: the same but for the transaction, T and T-1.
    /// A database in use has different ones.
    pub streamed: bool,
}

/// Why there is no meta to go by.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Neither page is a valid meta.
    #[error("{0}")]
    None(String),
    /// They cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl Metas {
    /// Reads both metas and chooses as bbolt does.
    ///
    /// # Errors
    /// When neither is valid.
    pub fn read(source: &mut dyn Source) -> Result<Self, MetaError> {
        let first = page(source, 0)?;
        let first = Meta::decode(&first, 0);
        if let Ok(meta) = first {
            let second = page(source, u64::from(meta.page_size))?;
            return Ok(match Meta::decode(&second, 1) {
                Ok(other) if other.page_size == meta.page_size => {
                    let streamed =
                        meta.same_but_txid(&other) && other.txid.checked_add(1) == Some(meta.txid);
                    let chosen = if other.txid > meta.txid { other } else { meta };
                    Self { chosen, damaged: None, streamed }
                }
                Ok(_) => Self {
                    chosen: meta,
                    damaged: Some("meta page 1 has another page size".to_owned()),
                    streamed: false,
                },
                Err(why) => Self {
                    chosen: meta,
                    damaged: Some(format!("meta page 1 {why}")),
                    streamed: false,
                },
            });
        }
        let why = first.err().unwrap_or_default();
        // Where the second begins is written in the first, which cannot be trusted.
        for size in PAGE_SIZES {
            let bytes = page(source, u64::from(size))?;
            if let Ok(meta) = Meta::decode(&bytes, 1)
                && meta.page_size == size
            {
                let damaged = Some(format!("meta page 0 {why}"));
                return Ok(Self { chosen: meta, damaged, streamed: false });
            }
        }
        Err(MetaError::None(format!("meta page 0 {why}, and there is no valid meta page 1")))
    }
}

/// The part of a page that a meta needs; short where the file is.
fn page(source: &mut dyn Source, offset: u64) -> io::Result<Vec<u8>> {
    let there = source.size().saturating_sub(offset).min(META_END as u64);
    let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a file's length says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Length {
    /// The database and its SHA-256, to the byte: what `etcdctl snapshot save` writes.
    Snapshot,
    /// A database without a SHA-256: copied from a data directory.
    Copy,
    /// Bytes are missing.
    Short {
        /// How many.
        missing: u64,
    },
    /// There are bytes that belong to nothing.
    Long {
        /// How many.
        extra: u64,
    },
}

impl Length {
    /// Judges the length of a file, in bytes.
    ///
    /// `WriteTo` emits exactly the pages below the high-water mark, and the server its SHA-256
    /// after them. A data directory's file has no digest, and may have room at its end.
    #[must_use]
    pub fn of(size: u64, metas: &Metas) -> Self {
        let database = metas.chosen.size();
        let page = u64::from(metas.chosen.page_size);
        let whole = database.saturating_add(DIGEST);
        if size == whole {
            Self::Snapshot
        } else if size < database || (metas.streamed && size < whole) {
            Self::Short { missing: whole - size }
        } else if size.is_multiple_of(page) {
            Self::Copy
        } else if size < whole {
            Self::Short { missing: whole - size }
        } else {
            Self::Long { extra: size - whole }
        }
    }
}
