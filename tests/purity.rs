//! The pure modules stay pure, and the only writer stays the only writer.
//!
//! Reads the sources, because the compiler cannot say either: a pure file may not name tokio, kube,
//! sqlx or reqwest, nor a module of the crate that does; and no file may write to the world but
//! those of [`WRITERS`]. clippy.toml forbids the typed calls (`kube::Api::create`); what is left is
//! requests made by hand, and exceptions to clippy.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What a pure file may not name.
const IMPURE: [&str; 10] = [
    "tokio",
    "tokio_util",
    "kube",
    "kube_client",
    "kube_runtime",
    "sqlx",
    "reqwest",
    "hyper",
    "tower",
    "axum",
];

/// The only place that builds a request that writes.
const DOOR: &str = "src/world/kube.rs";

/// Files that may go through the door, `send_write`, and what they write.
///
/// Beside the only writer stand the exceptions of DESIGN's closed table. A file comes on this list
/// together with its owner, its undo and what the sweep does about it, in its own module docs.
const WRITERS: &[(&str, &str)] = &[
    ("src/run/effect.rs", "every effect: intended, sent once, settled"),
    ("src/run/lease.rs", "renews the Lease; taking and releasing it are effects"),
    ("src/run/epoch.rs", "raises the epoch ConfigMap, which only grows"),
    ("src/world/access.rs", "access reviews: creates of which nothing is kept"),
];

/// Files that may stand aside from a rule of clippy.toml that is about something else.
const EXEMPT: &[(&str, &str)] = &[
    ("src/clock.rs", "the one place that reads a clock"),
    ("src/supervise.rs", "the one place that spawns"),
];

/// Whether a file of src/ has to be pure, whatever it says of itself.
fn must_be_pure(path: &str) -> bool {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let within =
        |folder: &str| path == format!("{folder}.rs") || path.starts_with(&format!("{folder}/"));
    let kind = path.starts_with("kind/") && !path.ends_with("/act.rs") && !path.contains("/act/");
    within("drill")
        || within("schedule")
        || within("report")
        || within("sandbox")
        || within("mark")
        || kind
        || path == "kind.rs"
        || path == "check/colour.rs"
        || within("check/service")
        || ["run/event", "run/machine", "run/verdict", "run/closing"].iter().any(|it| within(it))
}

/// The sources by path, `src/run/event.rs`.
type Sources = BTreeMap<String, Code>;

/// A file without its comments and tests.
struct Code {
    /// Whether its module docs say PURE.
    claims_pure: bool,
    /// With its strings.
    text: String,
    /// Names and punctuation, strings left out.
    tokens: Vec<String>,
}

impl Code {
    fn new(source: &str) -> Self {
        let text = without_tests(&without_comments(source, true));
        let tokens = tokens(&without_comments(&text, false));
        let mut docs = source.lines().take_while(|line| line.starts_with("//!"));
        Self { claims_pure: docs.any(|line| line.contains("PURE")), text, tokens }
    }
}

/// Whether a file is to be pure: by its place, or by its own word.
fn is_pure(file: &str, code: &Code) -> bool {
    must_be_pure(file) || code.claims_pure
}

/// Blanks comments, and the insides of strings unless `strings`.
fn without_comments(source: &str, strings: bool) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            Some((end, ""))
        } else if rest.starts_with("/*") {
            Some((block_comment(rest), " "))
        } else if let Some(len) = string(rest, out.chars().last()) {
            if strings {
                out.push_str(&rest[..len]);
            }
            Some((len, if strings { "" } else { "\"\"" }))
        } else {
            None
        };
        match skip {
            Some((len, instead)) => {
                out.push_str(instead);
                rest = &rest[len..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// The length of the (nested) block comment at the start.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string or character literal at the start, if there is one.
fn string(text: &str, before: Option<char>) -> Option<usize> {
    let word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = text.trim_start_matches(['b', 'c']).strip_prefix('r').filter(|_| !word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            return Some(
                text[start..].find(&close).map_or(text.len(), |at| start + at + close.len()),
            );
        }
    }
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut chars = text.char_indices().skip(1);
    let mut inside = 0;
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some(at + 1);
        }
        if c == '\\' {
            chars.next();
        }
        inside += 1;
        // A lifetime is no character.
        if quote == '\'' && inside == 1 && c != '\\' && !text[at + c.len_utf8()..].starts_with('\'')
        {
            return None;
        }
    }
    None
}

/// Leaves out `#[cfg(test)]` and the item under it: tests may use what they like.
fn without_tests(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let blank = without_comments_same_length(rest);
        let mut depth = 0;
        let end = blank.char_indices().skip("#[cfg(test)]".len()).find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0 && matches!(c, '}' | ';')).then_some(at + 1)
        });
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    out + rest
}

/// The same text with every string filled with spaces, so that positions stay.
fn without_comments_same_length(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = string(rest, out.chars().last()).unwrap_or(c.len_utf8());
        if len == c.len_utf8() {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n(' ', len));
        }
        rest = &rest[len..];
    }
    out
}

/// Words, `::` and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let len = if word > 0 {
            word
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() {
            out.push(rest[..len].to_owned());
        }
        rest = &rest[len..];
    }
    out
}

/// Every path that the code names, braces multiplied out: `a::{b, c::d}` gives `a::b`, `a::c::d`.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let is_word = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut out = vec![];
    let mut at = 0;
    while at < tokens.len() {
        let before = |back: usize| at.checked_sub(back).map_or("", |at| &*tokens[at]);
        // After `::` it is the middle of a path, unless the path begins with that.
        let inside =
            before(1) == "." || (before(1) == "::" && (is_word(before(2)) || before(2) == ">"));
        let begins = is_word(&tokens[at]) && !inside;
        if begins {
            path(tokens, &mut at, &[], &mut out);
        } else {
            at += 1;
        }
    }
    out
}

fn path(tokens: &[String], at: &mut usize, prefix: &[String], out: &mut Vec<Vec<String>>) {
    let mut here = prefix.to_vec();
    while let Some(token) = tokens.get(*at) {
        if token == "{" {
            *at += 1;
            while tokens.get(*at).is_some_and(|token| token != "}") {
                let before = *at;
                path(tokens, at, &here, out);
                // A comma, a glob, an `as`.
                *at = (*at).max(before + 1);
            }
            *at += 1;
            return;
        }
        if !token.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            break;
        }
        here.push(token.clone());
        *at += 1;
        if tokens.get(*at).map(String::as_str) != Some("::") {
            break;
        }
        *at += 1;
    }
    if here.len() > prefix.len() {
        out.push(here);
    }
}

/// The module of a file: `src/run/event.rs` is `["run", "event"]`, the root is `[]`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    if matches!(path, "lib" | "main") {
        return vec![];
    }
    path.split('/').map(str::to_owned).collect()
}

/// The files that a file of the crate refers to.
fn imports(file: &str, sources: &Sources) -> BTreeSet<String> {
    let own = module_of(file);
    let file_of = |module: &[String]| format!("src/{}.rs", module.join("/"));
    let mut out = BTreeSet::new();
    for path in paths(&sources[file].tokens) {
        let mut at = 0;
        let mut base = match &*path[0] {
            "crate" => vec![],
            "self" => own.clone(),
            "super" => own.clone(),
            // A child of this module, `pub use act::run`.
            child => {
                let mut module = own.clone();
                module.push(child.to_owned());
                if path.len() < 2 || !sources.contains_key(&file_of(&module)) {
                    continue;
                }
                own.clone()
            }
        };
        while let Some(first) =
            path.get(at).filter(|it| matches!(&***it, "crate" | "self" | "super"))
        {
            if first == "super" {
                base.pop();
            }
            at += 1;
        }
        // As deep as there are files; the file that the path ends in is the one referred to.
        let mut found = base.clone();
        for segment in &path[at..] {
            base.push(segment.clone());
            if !sources.contains_key(&file_of(&base)) {
                break;
            }
            found.clone_from(&base);
        }
        let found = file_of(&found);
        if found != file && sources.contains_key(&found) {
            out.insert(found);
        }
    }
    out
}

/// The impure crates that a file names.
fn impurities(code: &Code) -> BTreeSet<String> {
    paths(&code.tokens)
        .into_iter()
        .filter(|path| path.len() > 1 && IMPURE.contains(&&*path[0]))
        .chain(code.tokens.windows(3).filter(|it| it[0] == "use").map(|it| vec![it[1].clone()]))
        .filter(|path| IMPURE.contains(&&*path[0]))
        .map(|mut path| path.swap_remove(0))
        .collect()
}

/// For each pure file that is not: the way to what it must not use.
fn impure(sources: &Sources) -> Vec<String> {
    let mut out = vec![];
    for file in sources.iter().filter(|(file, code)| is_pure(file, code)).map(|it| it.0) {
        // Breadth first, so that the way shown is the shortest.
        let mut ways = vec![vec![file.clone()]];
        let mut seen = BTreeSet::from([file.clone()]);
        let mut next = 0;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let last = &way[way.len() - 1];
            let found = impurities(&sources[last]);
            if !found.is_empty() {
                let found: Vec<_> = found.into_iter().collect();
                out.push(format!("{} uses {}", way.join(" -> "), found.join(", ")));
                break;
            }
            for import in imports(last, sources) {
                if seen.insert(import.clone()) {
                    ways.push(way.iter().cloned().chain([import]).collect());
                }
            }
        }
    }
    out
}

/// What a file does that only few may do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Liberties {
    /// Builds requests that write.
    builds: Vec<String>,
    /// Sends them.
    sends: bool,
    /// Stands aside from `disallowed_methods`.
    exempt: bool,
}

impl Liberties {
    fn of(code: &Code) -> Self {
        let squeezed: String = code.tokens.concat();
        let quoted: String = code.text.split_whitespace().collect();
        let methods = ["POST", "PUT", "PATCH", "DELETE"].map(|it| format!("Method::{it}"));
        let named = ["POST", "PUT", "PATCH", "DELETE"].map(|it| format!(".method(\"{it}\")"));
        let built = ["post", "put", "patch", "delete"].map(|it| format!("Request::{it}("));
        // kube's builder of raw requests; `http::Request` is another.
        let raw = ["kube::core::Request", "kube::api::Request", "core::request::Request"];
        let raw = raw.map(str::to_owned);
        let by_token = methods.into_iter().chain(built).chain(raw);
        let mut builds: Vec<String> = by_token.filter(|it| squeezed.contains(it)).collect();
        builds.extend(named.into_iter().filter(|it| quoted.contains(it)));
        Self {
            builds,
            sends: squeezed.contains("send_write("),
            exempt: squeezed.contains("disallowed_methods"),
        }
    }
}

/// What files do that they may not.
fn writers(sources: &Sources) -> Vec<String> {
    let listed = |list: &[(&str, &str)], file: &str| list.iter().any(|(path, _)| *path == file);
    let mut out = vec![];
    for (file, code) in sources {
        let found = Liberties::of(code);
        if file != DOOR {
            out.extend(found.builds.iter().map(|what| format!("{file} builds a write: {what}")));
            if found.sends && !listed(WRITERS, file) {
                out.push(format!("{file} sends a write"));
            }
        }
        if found.exempt && !listed(EXEMPT, file) {
            out.push(format!("{file} stands aside from clippy's disallowed_methods"));
        }
    }
    out
}

fn read(folder: &Path, name: &str, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().and_then(|it| it.to_str()).expect("a name");
        let name = format!("{name}/{file}");
        if path.is_dir() {
            read(&path, &name, texts);
        } else if name.ends_with(".rs") {
            texts.insert(name, std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// The modules that a file declares for its tests only: `#[cfg(test)] mod tests;`.
fn test_modules(source: &str) -> Vec<String> {
    let code = without_comments(source, false);
    let declared = code.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let head = rest.split([';', '{']).next()?;
        let file = rest[head.len()..].starts_with(';');
        let name = head.split_whitespace().skip_while(|word| *word != "mod").nth(1)?;
        file.then(|| name.to_owned())
    });
    declared.collect()
}

/// The program's sources, without those of its tests.
fn the_sources() -> Sources {
    let mut texts = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "src", &mut texts);
    let mut tests = vec![];
    for (file, text) in &texts {
        let own = module_of(file);
        tests.extend(test_modules(text).into_iter().map(|name| {
            let path: Vec<String> = own.iter().cloned().chain([name]).collect();
            format!("src/{}", path.join("/"))
        }));
    }
    texts.retain(|file, _| {
        let under = |test: &String| {
            file.strip_prefix(test.as_str()).is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        !tests.iter().any(under)
    });
    texts.into_iter().map(|(file, text)| (file, Code::new(&text))).collect()
}

#[test]
fn the_pure_modules_are_pure() {
    let sources = the_sources();
    let pure = sources.iter().filter(|(file, code)| is_pure(file, code)).count();
    assert!(pure >= 15, "only {pure} pure files: were the sources found?");
    let report = imports("src/report/summary/fold.rs", &sources);
    assert!(report.contains("src/run/verdict.rs"), "imports are not followed: {report:?}");
    let found = impure(&sources);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_only_writer_is_the_only_writer() {
    let sources = the_sources();
    let found = writers(&sources);
    assert!(found.is_empty(), "{}", found.join("\n"));
    // A row that allows what nobody does any more would allow it to somebody tomorrow.
    let of = |file: &str| sources.get(file).map(Liberties::of).unwrap_or_default();
    assert!(!of(DOOR).builds.is_empty(), "{DOOR} builds no write");
    for (file, what) in WRITERS {
        assert!(of(file).sends, "{file} ({what}) sends nothing: take it off the list");
    }
    for (file, what) in EXEMPT {
        assert!(of(file).exempt, "{file} ({what}) needs no exemption: take it off the list");
    }
}

/// Sources of a crate that does not exist.
fn planted(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(name, source)| ((*name).to_owned(), Code::new(source))).collect()
}

#[test]
fn sources_of_tests_are_told_apart() {
    let source = "#[cfg(test)]\nmod tests;\n#[cfg(test)] pub(crate) mod samples;\nmod act;\n\
                  // #[cfg(test)] mod commented;\n#[cfg(test)]\nmod inline { mod inner; }";
    assert_eq!(test_modules(source), ["tests", "samples"]);
}

#[test]
fn planted_impurity_is_found() {
    for source in [
        "use tokio::time::sleep;",
        "use tokio;",
        "use {serde::Serialize, kube::{Api, Client}};",
        "fn f() { let c = kube::Client::try_default(); }",
        "async fn f(x: ::sqlx::SqlitePool) {}",
    ] {
        let found = impure(&planted(&[("src/mark.rs", source)]));
        assert_eq!(found.len(), 1, "{source}");
    }
    let claims = "//! Words. PURE.\nuse tokio::time::sleep;";
    assert_eq!(impure(&planted(&[("src/elsewhere.rs", claims)])).len(), 1);
    assert!(impure(&planted(&[("src/elsewhere.rs", "use tokio::time::sleep;")])).is_empty());
    for source in [
        "// use tokio::time::sleep;",
        "/* kube::Api /* nested */ tokio::spawn */ fn f() {}",
        "const S: &str = \"tokio::spawn\"; const R: &str = r#\"kube::\"Api\"#;",
        "fn f<'a>(x: &'a str) -> char { '\"' } use k8s_openapi::api::core::v1::Pod;",
        "#[cfg(test)]\nmod tests { use tokio::test; fn f() { \"}\"; } }",
        "use super::world_free::kube;",
        "fn f() { let kube = 1; }",
    ] {
        let found = impure(&planted(&[("src/mark.rs", source)]));
        assert!(found.is_empty(), "{source}: {found:?}");
    }
}

#[test]
fn planted_impurity_is_found_through_other_modules() {
    let world = ("src/world/kube.rs", "use kube::Client; pub struct Clients;");
    let through = [
        ("src/drill.rs", "use crate::check::Question;"),
        ("src/check.rs", "pub mod http; pub use self::http::ask;"),
        ("src/check/http.rs", "use super::super::world::{self, kube::Clients};"),
        ("src/world.rs", "pub mod kube;"),
        world,
    ];
    let way = "src/drill.rs -> src/check.rs -> src/check/http.rs -> src/world/kube.rs uses kube";
    assert_eq!(impure(&planted(&through)), [way]);
    // A re-export by the bare name of a child.
    let child = [
        ("src/kind/drain.rs", "pub mod act; pub use act::run;"),
        ("src/kind/drain/act.rs", "use crate::world::kube::Clients;"),
        through[3],
        world,
    ];
    assert_eq!(impure(&planted(&child)).len(), 1);
    // Declaring a module is not using it, and an act may use the world.
    let fine = [("src/kind/drain.rs", "pub mod act; pub mod spec;"), child[1], through[3], world];
    assert!(impure(&planted(&fine)).is_empty());
}

#[test]
fn a_planted_writer_is_found() {
    for source in [
        "fn f() { http::Request::post(uri) }",
        "fn f() { client.request(Request::delete (uri)) }",
        "fn f() { builder.method( \"PATCH\" ) }",
        "use http::Method; fn f() { builder.method(Method::PUT) }",
        "#[expect(clippy::disallowed_methods, reason = \"in a hurry\")] fn f() { api.create(o) }",
        "fn f() { let r = kube::core::Request::new(path).create(&p, body); }",
        "async fn f() { cluster.send_write(how, &path, &body, timeout).await }",
    ] {
        assert_eq!(writers(&planted(&[("src/kind/drain/act.rs", source)])).len(), 1, "{source}");
    }
    // The only writer sends, but does not build; the door builds; and each exemption is for one
    // thing.
    let sends = "async fn f() { cluster.send_write(how, &path, &body, timeout).await }";
    let builds = "fn f() { Method::POST }";
    assert!(writers(&planted(&[("src/run/effect.rs", sends), (DOOR, builds)])).is_empty());
    assert_eq!(writers(&planted(&[("src/run/effect.rs", builds)])).len(), 1);
    assert_eq!(writers(&planted(&[("src/clock.rs", sends)])).len(), 1);
    let reads = "fn f() { text.replace('a', \"b\"); http::Request::get(uri); map.delete(1); }";
    assert!(writers(&planted(&[("src/kind/drain/act.rs", reads)])).is_empty());
    let exempt = "#![expect(clippy::disallowed_methods)]";
    assert!(writers(&planted(&[("src/clock.rs", exempt)])).is_empty());
}
