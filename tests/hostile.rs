//! Files that want to hurt: refused by the real binary with a place and a help, within a second and
//! 64 MiB, and nothing of theirs reaches the terminal raw.

mod common;

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use common::place::{DRILL, LIMIT, firedrill};

/// The most memory that any file may cost, in KiB.
const MOST_MEMORY: u64 = 64 * 1024;

/// What became of a file.
struct Outcome {
    code: Option<i32>,
    out: String,
    /// The most resident memory, in KiB.
    memory: u64,
    took: Duration,
}

/// Validates a file. The pipe of stdout is full when the process begins, so that it stops in its
/// only write, when everything is done and nothing is freed yet: then its memory is looked at.
fn validate(folder: &Path, name: &str) -> Outcome {
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    let full = 65_536;
    writer.write_all(&vec![b' '; full]).expect("filled");
    #[expect(clippy::disallowed_methods, reason = "a test's own stopwatch")]
    let began = Instant::now();
    let mut command = firedrill(folder, &["validate", name]);
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().expect("the binary");
    drop(command);
    let of =
        |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let mut memory = 0;
    let mut took = Duration::ZERO;
    let mut asleep = 0;
    while began.elapsed() < LIMIT {
        let peak = of("status")
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        memory = memory.max(peak.unwrap_or(0));
        // Where the kernel does not say on what it waits, sleeping for long enough must do.
        let sleeps = of("stat").rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
        asleep = if sleeps { asleep + 1 } else { 0 };
        if of("wchan").contains("pipe_write") || asleep > 400 {
            took = began.elapsed();
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(took > Duration::ZERO, "{name} did not come to its answer");
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("read");
    let code = child.wait().expect("the child").code();
    let out = String::from_utf8(bytes.split_off(full)).expect("UTF-8");
    Outcome { code, out, memory, took }
}

/// Every file, with a part of what must be said of it.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let drill = |from: &str, to: &str| {
        assert!(DRILL.contains(from), "{from}");
        DRILL.replacen(from, to, 1).into_bytes()
    };
    let mut laughs = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for n in 1..20 {
        let of = vec![format!("*a{}", n - 1); 9].join(", ");
        let _ = writeln!(laughs, "a{n}: &a{n} [{of}]");
    }
    let long = "x".repeat(900_000);
    let wide = format!("spec: {{a: &a \"{long}\", b: [{}]}}\n", vec!["*a"; 500].join(", "));
    // Aliases that are cheap in each document, and dear in all of them together.
    let text = "y".repeat(7_000);
    let many: String = (0..128)
        .map(|_| format!("---\n- &a {text}\n- [{}]\n", vec!["*a"; 240].join(", ")))
        .collect();
    // As many nodes as fit into a file, in few documents.
    let nodes: String = (0..20).map(|_| format!("---\n[{}]\n", "a,".repeat(24_000))).collect();
    let keys: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
    let utf16: Vec<u8> = DRILL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("billion-laughs", laughs.into(), "multiplies by aliases"),
        ("one-long-text-many-times", wide.into(), "has too much text"),
        ("aliases-in-many-documents", many.into(), "multiplies by aliases"),
        ("nodes-in-many-documents", nodes.into(), "has more than 50000 values"),
        ("anchor-within-itself", b"a: &a [*a]\n".into(), "an anchor within itself"),
        ("deep-flow", "[".repeat(500_000).into(), "nests deeper than 32 levels"),
        ("deep-maps", "{a: ".repeat(200_000).into(), "nests deeper than 32 levels"),
        ("deep-blocks", "- ".repeat(400_000).into(), "nests deeper than 32 levels"),
        ("many-documents", "---\na: 1\n".repeat(100_000).into(), "more than 128 documents"),
        ("many-keys", keys.into(), "has more than 50000 values"),
        (
            "many-wrong-keys",
            {
                let keys: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
                format!("kind: Drill\n{keys}").into()
            },
            "more problems in this file are not told",
        ),
        (
            "many-duplicate-keys",
            format!("kind: Drill\n{}", "spec: 1\n".repeat(20_000)).into(),
            "there twice",
        ),
        ("too-large", "# comment\n".repeat(200_000).into(), "more than 1048576 bytes"),
        ("one-scalar-of-a-megabyte", drill("shop-comes-back", &long), "is not a name"),
        (
            "one-line-of-a-megabyte",
            format!("kind: [{}\n", "a, ".repeat(300_000)).into(),
            "has more than 50000 values",
        ),
        (
            "a-long-line-with-an-error",
            drill("cluster: lab", &format!("cluster: lab # {}", "long ".repeat(180))),
            "0 errors",
        ),
        (
            "an-error-in-a-long-line",
            drill(
                "{name: shop-comes-back}",
                &format!("{{name: shop-comes-back, labels: {{a: {}}}, nme: x}}", "b".repeat(700)),
            ),
            "no key `nme`",
        ),
        ("nul", drill("cluster: lab", "cluster: lab\0"), "NUL character"),
        ("byte-order-mark", format!("\u{feff}{DRILL}").into(), "byte order mark"),
        ("utf-16", [vec![0xff, 0xfe], utf16.clone()].concat(), "this file is UTF-16, not UTF-8"),
        ("utf-16-without-a-mark", utf16, "this file is UTF-16, not UTF-8"),
        ("latin-1", b"kind: Drill # caf\xe9\n".into(), "not UTF-8"),
        ("direction", drill("cluster: lab", "cluster: lab # \u{202e}bal"), "direction of text"),
        ("no-break-indentation", drill("  cluster", "\u{a0}\u{a0}cluster"), "U+00A0"),
        ("tab-indentation", drill("  cluster", "\tcluster"), "indented with a tab"),
        ("cyrillic", drill("cluster: lab", "clust\u{435}r: lab"), "U+0435"),
        ("zero-width", drill("shop-comes-back", "shop-\u{200b}comes-back"), "U+200B"),
        ("smart-quotes", drill("10s", "\u{201c}10s\u{201d}"), "quote of typography"),
        ("escape-raw", drill("cluster: lab", "cluster: \u{1b}[2Jlab"), "not YAML"),
        ("escape-written", drill("cluster: lab", "cluster: \"\\e[2J\\x9b2Jlab\""), "\\u{1b}"),
        ("escape-in-a-key", drill("cluster: lab", "cluster: lab\n  \"\\e]0;x\\a\": 1"), "\\u{1b}"),
        ("escape-in-a-comment", drill("cluster: lab", "cluster: lub1_ # \u{9b}2J"), "not YAML"),
        ("escape-in-a-tag", drill("cluster: lab", "cluster: !\u{9b}2J lab"), ""),
        ("tag", drill("cluster: lab", "cluster: !!python/object:os.system lab"), "the tag"),
        ("merge", drill("cluster: lab", "<<: {cluster: lab}"), "merge keys"),
        ("only-blanks", vec![b' '; 1_000_000], "nothing in this file"),
        ("only-colons", vec![b':'; 1_000_000], ""),
        ("only-question-marks", "? ".repeat(400_000).into(), "nests deeper than 32 levels"),
        ("only-quotes", "'".repeat(999_999).into(), ""),
        ("only-ampersands", "&a ".repeat(300_000).into(), ""),
        ("only-percent", "%a b\n".repeat(200_000).into(), ""),
    ]
}

#[test]
fn each_is_refused_quickly_in_little_memory_and_harms_no_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    // In the name of the file, too.
    let odd = "sneaky-\u{1b}[2J\u{202e}.yaml";
    let all = files().into_iter().map(|(name, bytes, said)| (format!("{name}.yaml"), bytes, said));
    let all: Vec<_> = all.chain([(odd.to_owned(), b"kind: Dril\n".to_vec(), "Drill")]).collect();
    let mut otherwise = Vec::new();
    for (name, bytes, said) in &all {
        fs::write(folder.path().join(name), bytes).expect("written");
        let Outcome { code, out, memory, took } = validate(folder.path(), name);
        println!("{took:>8.1?} {memory:>6} KiB  {}", name.escape_debug());
        if !out.contains(said) {
            otherwise.push(format!("{name:?} is told otherwise than {said:?}:\n{out}"));
        }
        let refused = !out.contains(" 0 errors");
        assert_eq!(code, Some(if refused { 2 } else { 0 }), "{name:?}:\n{out}");
        assert!(refused || name.starts_with("a-long-line"), "{name:?} was taken:\n{out}");
        assert!(memory > 1_000 && memory < MOST_MEMORY, "{name:?} took {memory} KiB");
        let raw = out.chars().find(|c| {
            c.is_control() && *c != '\n'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        });
        assert_eq!(raw, None, "{name:?} reaches the terminal raw:\n{out:?}");
        for line in out.lines() {
            let width = line.chars().count();
            assert!(width <= 400, "{name:?} has a line of {width} characters:\n{line}");
        }
        assert!(out.lines().count() < 3_000, "{name:?} is told in {} lines", out.lines().count());
        // Seen to take milliseconds; only what is far off fails on a busy machine.
        assert!(took < Duration::from_secs(30), "{name:?} took {took:?}");
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    assert!(all.len() > 40);
}
