//! Damaged snapshots, each with the verdict that it deserves.

use super::Editor;

/// A damaged file.
pub struct Damaged {
    /// What was done to it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// `passed`, `failed` or `unproven` at the level `intact`.
    pub verdict: &'static str,
    /// A finding that says why; empty if there is none to say.
    pub code: &'static str,
}

fn case(name: &str, bytes: Vec<u8>, verdict: &'static str, code: &'static str) -> Damaged {
    Damaged { name: name.to_owned(), bytes, verdict, code }
}

fn failed(name: &str, bytes: Vec<u8>, code: &'static str) -> Damaged {
    case(name, bytes, "failed", code)
}

/// What happens to files on their way, and files that never were snapshots.
#[must_use]
pub fn of_files(good: &[u8]) -> Vec<Damaged> {
    let cut = |by: usize| good[..good.len() - by].to_vec();
    let more = |by: &[u8]| [good, by].concat();
    let end = good.len() - 32;
    let with = |at: usize, to: &[u8]| {
        let mut bytes = good.to_vec();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    vec![
        failed("empty", vec![], "empty"),
        failed("one byte", vec![0xed], "truncated"),
        failed("half", good[..good.len() / 2].to_vec(), "truncated"),
        failed("one page", good[..4096].to_vec(), "truncated"),
        failed("two pages", good[..8192].to_vec(), "truncated"),
        failed("last page cut off", cut(4096), "truncated"),
        failed("last 512 bytes cut off", cut(512), "truncated"),
        failed("last byte cut off", cut(1), "truncated"),
        failed("digest cut off", cut(32), "truncated"),
        failed("digest half cut off", cut(16), "truncated"),
        failed("a byte more", more(b"x"), "trailing-bytes"),
        failed("a page more", more(&[0; 4096]), "trailing-bytes"),
        failed("sent twice", more(good), "trailing-bytes"),
        failed("zeros of its length", vec![0; good.len()], "zeros"),
        failed("digest of zeros", with(end, &[0; 32]), "digest-mismatch"),
        failed("first 4 KiB of zeros", with(0, &[0; 4096]), "meta"),
        failed("first 8 KiB of zeros", with(0, &[0; 8192]), "zeros"),
        failed("a byte flipped in meta 0", with(40, &[good[40] ^ 1]), "meta"),
        failed("a byte flipped in meta 1", with(4096 + 40, &[good[4096 + 40] ^ 1]), "meta"),
        failed("a byte flipped in a meta's unused part", with(200, &[1]), "digest-mismatch"),
        failed("a page of another snapshot", with(end - 4096, &[0xa5; 4096]), "digest-mismatch"),
        failed(
            "error page",
            b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>".to_vec(),
            "error-page",
        ),
        failed(
            "S3 error",
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>".to_vec(),
            "error-page",
        ),
        failed("JSON", br#"{"error": "etcdserver: request timed out"}"#.to_vec(), "no-database"),
        failed("text", b"Error: context deadline exceeded\n".repeat(500), "no-database"),
        case("age", b"age-encryption.org/v1\n-> X25519 abc\n".repeat(9), "unproven", "encrypted"),
        case("xz", [b"\xfd7zXZ\0".as_slice(), good].concat(), "unproven", "container"),
    ]
}

/// What a forger or a broken disk does: the digest is right, the content is not. The snapshot has
/// to have a tree of more than one level.
#[must_use]
pub fn of_pages(good: &[u8]) -> Vec<Damaged> {
    let open = || Editor::open(good.to_vec());
    let mut all = Vec::new();
    let mut forge = |name: &str, code: &'static str, edit: &dyn Fn(&mut Editor)| {
        let mut editor = open();
        edit(&mut editor);
        all.push(failed(name, editor.reseal(), code));
    };
    let editor = open();
    let (top, root) = (editor.top(), editor.root());
    let (first, last) = editor.edges();
    let (top_at, root_at, last_at) = (editor.at(top), editor.at(root), editor.at(last));
    assert!(editor.is_branch(top), "the snapshot is too small to be damaged well");

    // Metas with right checksums.
    forge("more pages than the file has", "truncated", &|e| e.set_meta(40, 8, 1 << 40));
    forge("pages without number", "no-database", &|e| e.set_meta(40, 8, u64::MAX));
    forge("fewer pages than the file has", "trailing-bytes", &|e| {
        let pages = e.pages();
        e.set_meta(40, 8, pages - 1);
    });
    forge("a root beyond the end", "no-database", &|e| e.set_meta(16, 8, 1 << 50));
    forge("a root that is a meta", "no-database", &|e| e.set_meta(16, 8, 1));
    forge("another version", "no-database", &|e| e.set_meta(4, 4, 3));
    forge("a page size of 0", "no-database", &|e| e.set_meta(8, 4, 0));
    forge("a page size of 512 MiB", "no-database", &|e| e.set_meta(8, 4, 1 << 29));
    forge("another page size", "trailing-bytes", &|e| e.set_meta(8, 4, 1024));
    forge("a list of free pages that is a leaf", "structure", &|e| e.set_meta(32, 8, last));
    // The root.
    forge("a root of a type that is none", "structure", &|e| e.set(root_at + 8, 2, 0));
    forge("a root that is a meta by its type", "structure", &|e| e.set(root_at + 8, 2, 4));
    forge("a root with another number", "structure", &|e| e.set(root_at, 8, 1 << 40));
    forge("no bucket key", "no-etcd", &|e| {
        let at = e.bucket(b"key").key;
        e.bytes[at..at + 3].copy_from_slice(b"kez");
    });
    forge("no bucket meta", "no-etcd", &|e| {
        let at = e.bucket(b"meta").key;
        e.bytes[at..at + 4].copy_from_slice(b"metb");
    });
    forge("a bucket that is none", "structure", &|e| {
        let at = e.bucket(b"key").element;
        e.set(at, 4, 0);
    });
    forge("a bucket cut off", "structure", &|e| {
        let at = e.bucket(b"key").element;
        e.set(at + 12, 4, 7);
    });
    forge("two buckets on one tree", "structure", &|e| {
        let at = e.bucket(b"lease").value;
        e.set(at, 8, top);
    });
    forge("an inline bucket that is a branch", "structure", &|e| {
        let at = e.bucket(b"meta").value;
        e.set(at + 16 + 8, 2, 1);
    });
    forge("an inline bucket with too many rows", "structure", &|e| {
        let at = e.bucket(b"meta").value;
        e.set(at + 16 + 10, 2, 0xffff);
    });
    // Branches.
    forge("a branch without children", "structure", &|e| e.set(top_at + 10, 2, 0));
    forge("a branch with too many children", "structure", &|e| e.set(top_at + 10, 2, 0xffff));
    forge("a child that is its own parent", "structure", &|e| {
        let at = e.child(top, 0).1;
        e.set(at, 8, top);
    });
    forge("a child twice", "structure", &|e| {
        let (page, _) = e.child(top, 0);
        let at = e.child(top, 1).1;
        e.set(at, 8, page);
    });
    forge("a child beyond the end", "structure", &|e| {
        let (at, pages) = (e.child(top, 0).1, e.pages());
        e.set(at, 8, pages);
    });
    forge("a child that is a meta", "structure", &|e| {
        let at = e.child(top, 0).1;
        e.set(at, 8, 0);
    });
    forge("children in the wrong order", "structure", &|e| {
        let ((a, at), (b, bt)) = (e.child(top, 0), e.child(top, 1));
        e.set(at, 8, b);
        e.set(bt, 8, a);
    });
    forge("a branch key outside of its page", "structure", &|e| {
        e.set(top_at + 16, 4, 0xffff_fff0);
    });
    // Leaves.
    forge("a leaf with another number", "structure", &|e| e.set(last_at, 8, first));
    forge("a leaf that calls itself a branch", "structure", &|e| e.set(last_at + 8, 2, 1));
    forge("a leaf of two types", "structure", &|e| e.set(last_at + 8, 2, 3));
    forge("a leaf with too many rows", "structure", &|e| e.set(last_at + 10, 2, 0xffff));
    forge("a leaf that reaches past the end", "structure", &|e| {
        e.set(last_at + 12, 4, 0xffff_ffff);
    });
    forge("a leaf over its neighbours", "structure", &|e| {
        let at = e.at(first) + 12;
        e.set(at, 4, 1);
    });
    let rows = editor.rows(last);
    let (one, two) = (rows[rows.len() - 2], rows[rows.len() - 1]);
    forge("two keys swapped", "structure", &|e| {
        for byte in 0..17 {
            e.bytes.swap(one.key + byte, two.key + byte);
        }
    });
    forge("a key twice", "structure", &|e| {
        e.bytes.copy_within(one.key..one.key + 17, two.key);
    });
    forge("a key beyond the next leaf", "structure", &|e| {
        let rows = e.rows(first);
        e.bytes[rows[rows.len() - 1].key] = 0x7f;
    });
    forge("a key before its branch", "structure", &|e| e.bytes[rows[0].key + 7] = 0);
    forge("an empty key", "structure", &|e| e.set(two.element + 8, 4, 0));
    forge("a value outside of its page", "structure", &|e| e.set(two.element + 12, 4, 1 << 31));
    forge("rows over one another", "structure", &|e| {
        let distance = two.key - one.element;
        e.set(one.element + 4, 4, distance as u64);
    });
    forge("a row that is a bucket", "rows", &|e| e.set(two.element, 4, 1));
    forge("a row of an unknown type", "structure", &|e| e.set(two.element, 4, 2));
    // Rows that etcd cannot read, or would not write.
    forge("a KeyValue of garbage", "rows", &|e| {
        e.bytes[two.value..two.value + two.value_size].fill(0xff);
    });
    forge("a KeyValue cut off", "rows", &|e| {
        e.set(two.element + 12, 4, two.value_size as u64 - 1);
    });
    forge("a revision without its middle", "rows", &|e| e.bytes[two.key + 8] = b'~');
    forge("a revision of 16 bytes", "structure", &|e| {
        e.set(two.element + 8, 4, 16);
        e.set(two.element + 12, 4, two.value_size as u64 + 1);
    });
    forge("a revision of 18 bytes that is no deletion", "rows", &|e| {
        e.set(two.element + 8, 4, 18);
        e.set(two.element + 12, 4, two.value_size as u64 - 1);
    });
    forge("a row of another revision", "rows", &|e| e.bytes[two.key + 7] ^= 0x80);
    forge("a row lost between others", "gaps", &|e| {
        // The last element takes the place of the one before it.
        let (from, to) = (two.element, one.element);
        e.bytes.copy_within(from..from + 16, to);
        let pos = e.get(to + 4, 4);
        e.set(to + 4, 4, pos + 16);
        e.set(last_at + 10, 2, rows.len() as u64 - 1);
    });
    // Small buckets.
    forge("a consistent index of 7 bytes", "records", &|e| {
        let at = e.bucket(b"meta").value + 16;
        // The first row of the inline leaf, by its place in the alphabet.
        let size = e.get(at + 16 + 12, 4);
        e.set(at + 16 + 12, 4, size - 1);
    });
    forge("a member of garbage", "records", &|e| {
        let row = e.bucket(b"members");
        let inline = row.value + 16;
        let key = inline + 16 + usize::try_from(e.get(inline + 16 + 4, 4)).unwrap_or(0);
        let value = key + usize::try_from(e.get(inline + 16 + 8, 4)).unwrap_or(0);
        e.bytes[value] = b'!';
    });

    // What no look at the file alone can find: only the live cluster knows better.
    let mut editor = open();
    editor.set(last_at + 10, 2, rows.len() as u64 - 1);
    all.push(case("the last row dropped", editor.reseal(), "passed", ""));
    all
}
