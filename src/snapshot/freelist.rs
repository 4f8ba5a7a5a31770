//! The list of free pages, where a file has one. PURE.
//!
//! etcd does not write it on Linux; databases of other systems have it. Format: bbolt
//! `internal/freelist/shared.go`.

use super::{
    bytes::u64_at,
    fault::{Fault, broken},
    meta::Meta,
    page::{HEADER, Header, Kind},
    source::Window,
    visited::Visited,
};

/// The count that says: the true count is the first number of the list.
const MANY: u16 = 0xFFFF;
/// Bytes of the list that are read at once.
const CHUNK: u64 = 64 << 10;

/// The pages that the list at `page` names; the list's own pages count as used.
///
/// # Errors
/// When the list breaks a rule, or names a page that is in use or named twice.
pub fn read(
    window: &mut Window<'_>,
    meta: &Meta,
    page: u64,
    used: &mut Visited,
) -> Result<Visited, Fault> {
    let size = u64::from(meta.page_size);
    let start = page * size;
    let header = Header::decode(window.get(start, HEADER)?, page)?;
    let last = page + u64::from(header.overflow);
    if header.kind != Kind::Freelist || last >= meta.pages {
        return broken(format!("page {page} is not the list of free pages that it should be"));
    }
    for own in page..=last {
        if !used.insert(own) {
            return broken(format!("page {own} is used twice"));
        }
    }
    let mut at = start + HEADER as u64;
    let mut count = u64::from(header.count);
    if header.count == MANY {
        count = u64_at(window.get(at, 8)?, 0).unwrap_or(0);
        at += 8;
    }
    let end = (last + 1) * size;
    if count.checked_mul(8).and_then(|bytes| at.checked_add(bytes)).is_none_or(|to| to > end) {
        return broken(format!("the list of free pages counts {count}, more than it can hold"));
    }
    let mut free = Visited::new(meta.pages);
    while count > 0 {
        let take = count.min(CHUNK / 8);
        let bytes = window.get(at, usize::try_from(take * 8).unwrap_or(0))?;
        for id in bytes.chunks_exact(8).filter_map(|chunk| u64_at(chunk, 0)) {
            if id < 2 || used.contains(id) {
                return broken(format!("page {id} is listed as free and in use"));
            }
            if !free.insert(id) {
                return broken(format!("page {id} is listed as free twice, or does not exist"));
            }
        }
        (at, count) = (at + take * 8, count - take);
    }
    Ok(free)
}
