//! What a file is that is no database: one clear sentence. PURE.

use super::{source::Source, verdict::Finding};

/// Bytes that are looked at.
const LOOK: u64 = 512;

/// Says what is wrong with a file in which no meta page was found; `why` is the meta's own word.
pub fn finding(source: &mut dyn Source, why: &str) -> Finding {
    let size = source.size();
    if size == 0 {
        return Finding::error("empty", "the file is empty");
    }
    let mut head = vec![0; usize::try_from(size.min(LOOK)).unwrap_or(0)];
    if let Err(error) = source.read_at(0, &mut head) {
        return Finding::unproven("unreadable", format!("the file cannot be read: {error}"));
    }
    let text = head.trim_ascii_start();
    let starts =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let readable = text.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let (code, what) = if head.iter().all(|byte| *byte == 0) {
        ("zeros", "the file begins with zeros: it was allocated and never written".to_owned())
    } else if starts(b"<!doctype") || starts(b"<html") {
        ("error-page", "this is a web page, such as a proxy sends in place of an answer".to_owned())
    } else if starts(b"<?xml") || starts(b"<error") {
        ("error-page", "this is XML, such as S3 sends in place of an object".to_owned())
    } else if starts(b"{") || starts(b"[") {
        ("no-database", "this is JSON, not an etcd snapshot".to_owned())
    } else if head.get(257..262) == Some(b"ustar") {
        (
            "archive",
            "this is a tar archive; the snapshot in it has to be taken out first".to_owned(),
        )
    } else if readable {
        ("no-database", "this is text, not an etcd snapshot".to_owned())
    } else if size < 8192 {
        ("truncated", format!("{size} bytes are less than the smallest etcd snapshot: {why}"))
    } else {
        ("no-database", format!("this is not an etcd snapshot: {why}"))
    };
    let evidence = readable.then(|| {
        let line = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
        line.lines().next().unwrap_or_default().to_owned()
    });
    Finding::error(code, what).with(evidence.into_iter().filter(|it| !it.is_empty()).collect())
}
