//! The buckets of a database: what its root holds. PURE.
//!
//! A small bucket lies inline in the root's leaf: its value is a page without a number.

use std::ops::ControlFlow;

use super::{
    bytes::{u16_at, u32_at, u64_at},
    fault::{Fault, broken},
    page::{HEADER, Leaf},
    tree::Tree,
};

/// More than etcd has by far; it has ten.
const MOST: usize = 64;
/// Bytes of a name.
const NAME: usize = 256;
/// Bytes of a bucket's value before an inline page: its root and its sequence.
const BUCKET: usize = 16;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: Vec<u8>,
    /// Where its rows are.
    pub root: Root,
}

impl Bucket {
    /// Its name for people.
    #[must_use]
    pub fn label(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// Where the rows of a bucket are.
#[derive(Clone, Debug)]
pub enum Root {
    /// In a tree of pages.
    Page(u64),
    /// In one leaf that lies in the root's own.
    Inline(Vec<u8>),
}

/// The buckets in descending order of their names.
///
/// # Errors
/// When the root breaks a rule.
pub fn read(tree: &mut Tree<'_, '_>) -> Result<Vec<Bucket>, Fault> {
    let mut buckets = Vec::new();
    let inline_limit = usize::try_from(tree.meta.page_size).unwrap_or(0);
    let _ = tree.descend(tree.meta.root, |leaf| {
        for row in leaf.rows_descending() {
            let name = String::from_utf8_lossy(&row.key[..row.key.len().min(NAME)]).into_owned();
            if !row.bucket {
                return broken(format!("`{name}` in the root is not a bucket"));
            }
            if buckets.len() == MOST || row.key.len() > NAME {
                return broken(format!("the root holds too much: bucket `{name}`"));
            }
            let Some(page) = u64_at(row.value, 0).filter(|_| row.value.len() >= BUCKET) else {
                return broken(format!("bucket `{name}` is cut off"));
            };
            let root = if page > 0 {
                Root::Page(page)
            } else if row.value.len() - BUCKET <= inline_limit {
                Root::Inline(row.value[BUCKET..].to_vec())
            } else {
                return broken(format!("bucket `{name}` is inline and longer than a page"));
            };
            buckets.push(Bucket { name: row.key.to_vec(), root });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(buckets)
}

/// Gives the leaves of a bucket to `visit`, the last first, until it breaks.
///
/// # Errors
/// With the first rule that is broken, or what `visit` says.
pub fn descend(
    tree: &mut Tree<'_, '_>,
    bucket: &Bucket,
    mut visit: impl FnMut(Leaf<'_>) -> Result<ControlFlow<()>, Fault>,
) -> Result<ControlFlow<()>, Fault> {
    match &bucket.root {
        Root::Page(page) => tree.descend(*page, visit),
        Root::Inline(bytes) => {
            let name = format!("inline bucket `{}`", bucket.label());
            let fields = (u64_at(bytes, 0), u16_at(bytes, 8), u16_at(bytes, 10), u32_at(bytes, 12));
            let (Some(0), Some(0x02), Some(count), Some(0)) = fields else {
                return broken(format!("{name}: it is not a leaf of {HEADER} bytes and more"));
            };
            visit(Leaf::check(bytes, count, &name)?)
        }
    }
}
