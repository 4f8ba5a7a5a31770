//! A walk through a tree of pages, from its last leaf to its first. PURE.
//!
//! Backwards, because the newest row of a key then comes first, and what is older is known to be
//! so when it is met: one walk is enough for etcd's hash of the key space.
//!
//! Checked on the way, as bbolt's `Tx.Check` does and beyond: each page is used once, has the id
//! and a type that its place asks for, lies below the high-water mark, and all keys ascend within
//! pages, across them, and against what branches say.

use std::{fmt, ops::ControlFlow};

use super::{
    fault::{Fault, broken},
    meta::Meta,
    page::{Branch, Header, Kind, Leaf},
    source::Window,
    visited::Visited,
};

/// Levels of a tree. Five hold every database that etcd can open.
const DEPTH: usize = 24;
/// Bytes of one leaf with all its pages; etcd's own limit for a request is 1.5 MiB.
const LEAF: u64 = 24 << 20;
/// Bytes of one branch with all its pages; one is kept for each level.
const BRANCH: u64 = 256 << 10;

/// How many pages of each sort were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// Pages that name others.
    pub branch: u64,
    /// Pages with rows.
    pub leaf: u64,
    /// Pages that continue the one before.
    pub overflow: u64,
    /// The deepest level, the root's being 1.
    pub depth: u64,
}

/// What a walk needs.
pub struct Tree<'t, 's> {
    /// The bytes.
    pub window: &'t mut Window<'s>,
    /// The database.
    pub meta: &'t Meta,
    /// Pages that were met, by this walk and others.
    pub visited: &'t mut Visited,
    /// Counts, added to.
    pub pages: &'t mut Pages,
}

/// A page in a message; most pages are in none.
struct Name(u64);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}", self.0)
    }
}

/// A branch whose children are being walked.
#[derive(Default)]
struct Level {
    bytes: Vec<u8>,
    count: usize,
    /// The child that was entered last.
    child: usize,
}

impl Tree<'_, '_> {
    /// Gives every leaf below the page `root` to `visit`, the last first, until it breaks.
    ///
    /// # Errors
    /// With the first rule that is broken, or what `visit` says.
    pub fn descend(
        &mut self,
        root: u64,
        mut visit: impl FnMut(Leaf<'_>) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<ControlFlow<()>, Fault> {
        // Levels are kept when they are left, with their memory.
        let mut levels: Vec<Level> = Vec::new();
        let mut depth = 0;
        // Every key that is still to come is less than this.
        let mut bound: Option<Vec<u8>> = None;
        let mut least: Vec<u8> = Vec::new();
        let mut page = root;
        loop {
            let header = self.enter(page)?;
            let name = Name(page);
            self.pages.depth = self.pages.depth.max(depth as u64 + 1);
            let length = u64::from(self.meta.page_size) * (1 + u64::from(header.overflow));
            let offset = page * u64::from(self.meta.page_size);
            let (limit, word) =
                if header.kind == Kind::Leaf { (LEAF, "leaf") } else { (BRANCH, "branch") };
            if length > limit {
                return Err(Fault::Beyond(format!(
                    "{name} is a {word} of {length} bytes; {limit} is the most that is read"
                )));
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let bytes = self.window.get(offset, length)?;
            if header.kind == Kind::Leaf {
                let leaf = Leaf::check(bytes, header.count, &name)?;
                let least = (depth > 0).then_some(least.as_slice());
                in_range(leaf.first(), leaf.last(), least, bound.as_deref(), &name)?;
                if visit(leaf)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            } else {
                let branch = Branch::check(bytes, header.count, &name)?;
                let count = usize::from(header.count);
                let key = |index| branch.child(index).map(|(key, _)| key);
                let least = (depth > 0).then_some(least.as_slice());
                in_range(key(0), key(count - 1), least, bound.as_deref(), &name)?;
                if depth == DEPTH {
                    return broken(format!("{name} is {DEPTH} levels deep"));
                }
                if levels.len() == depth {
                    levels.push(Level::default());
                }
                let level = &mut levels[depth];
                level.bytes.clear();
                level.bytes.extend_from_slice(bytes);
                (level.count, level.child) = (count, count);
                depth += 1;
            }
            // The next child to the left, here or further up.
            loop {
                let Some(level) = depth.checked_sub(1).and_then(|top| levels.get_mut(top)) else {
                    return Ok(ControlFlow::Continue(()));
                };
                let branch = Branch::checked(&level.bytes, level.count);
                if level.child < level.count {
                    let (key, _) = branch.child(level.child).unwrap_or_default();
                    let bound = bound.get_or_insert_default();
                    bound.clear();
                    bound.extend_from_slice(key);
                }
                let Some(child) = level.child.checked_sub(1) else {
                    depth -= 1;
                    continue;
                };
                level.child = child;
                let (key, below) = branch.child(child).unwrap_or_default();
                least.clear();
                least.extend_from_slice(key);
                page = below;
                break;
            }
        }
    }

    /// The header of a page of a tree; all its pages count as met.
    fn enter(&mut self, page: u64) -> Result<Header, Fault> {
        if page < 2 || page >= self.meta.pages {
            return broken(format!(
                "a page {page} is named, and the database has {} pages",
                self.meta.pages
            ));
        }
        let size = self.meta.page_size;
        let name = Name(page);
        let offset = page * u64::from(size);
        let bytes = self.window.get(offset, usize::try_from(size).unwrap_or(usize::MAX))?;
        let header = Header::decode(bytes, page)?;
        if header.kind == Kind::Freelist {
            return broken(format!("{name} is a list of free pages inside of a tree"));
        }
        let last = page + u64::from(header.overflow);
        if last >= self.meta.pages {
            return broken(format!("{name} reaches past the end of the database"));
        }
        for page in page..=last {
            if !self.visited.insert(page) {
                return broken(format!("page {page} is used twice"));
            }
        }
        match header.kind {
            Kind::Leaf => self.pages.leaf += 1,
            _ => self.pages.branch += 1,
        }
        self.pages.overflow += u64::from(header.overflow);
        Ok(header)
    }
}

/// Whether the keys of a page are within what its parents say.
fn in_range(
    first: Option<&[u8]>,
    last: Option<&[u8]>,
    least: Option<&[u8]>,
    bound: Option<&[u8]>,
    name: &dyn fmt::Display,
) -> Result<(), Fault> {
    if let (Some(first), Some(least)) = (first, least)
        && first < least
    {
        return broken(format!("{name}: its first key is less than its branch says"));
    }
    if let (Some(last), Some(bound)) = (last, bound)
        && last >= bound
    {
        return broken(format!("{name}: its last key belongs to a later page"));
    }
    Ok(())
}
