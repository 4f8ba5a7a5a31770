//! `firedrill snapshot verify` with snapshots of a real etcd, and with what becomes of them.

mod common;

use std::{fmt::Write as _, fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

use common::place::{Place, Said};
use firedrill::snapshot::{
    inspect,
    verdict::{Facts, Level, Outcome, Verdict},
};
use jiff::Timestamp;
use lab::corpus::{
    Corpus, Editor, Good,
    damage::{self, Damaged},
};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

/// Long after the corpus' newest Lease.
const NOW: i64 = 1_790_000_300;

fn judge(bytes: &[u8], level: Level) -> Verdict {
    let mut source = bytes;
    inspect(&mut source, level, Timestamp::from_second(NOW).expect("a time"))
}

fn told(verdict: &Verdict) -> String {
    let mut text = format!("{:?}", verdict.verdict);
    for finding in &verdict.findings {
        let _ = write!(
            text,
            "\n    {:?} {}: {} {:?}",
            finding.severity, finding.code, finding.text, finding.evidence
        );
    }
    text
}

/// Every good snapshot: passed, and the figures of the real tools.
fn figures(corpus: &Corpus, good: &Good, wrong: &mut Vec<String>) {
    let bytes = fs::read(&good.path).expect("a snapshot");
    let verdict = judge(&bytes, Level::Intact);
    let facts = &verdict.facts;
    let wanted = if good.alarm { Outcome::Failed } else { Outcome::Passed };
    println!(
        "{:44} {:9} hash {} keys {} HashKV {}",
        good.name,
        verdict.verdict.as_str(),
        good.status.hash,
        good.status.total_key,
        good.hash_kv.hash
    );
    let mut is = |what: &str, right: bool| {
        if !right {
            wrong.push(format!("{}: {what}: {facts:#?}\n{good:#?}\n{}", good.name, told(&verdict)));
        }
    };
    is("verdict", verdict.verdict == wanted);
    is("status hash", facts.status_hash == Some(good.status.hash));
    is("revision", facts.revision == Some(good.status.revision));
    is("size", facts.database_size == Some(good.status.total_size));
    let keys = if corpus.tools.at_least(6) { facts.total_keys } else { facts.total_rows };
    is("total keys", keys == Some(good.status.total_key));
    // A restore with a bumped revision leaves a row whose key is empty: no client sees it.
    let unseen = u64::from(good.name.starts_with("restored"));
    is("keys that live", facts.total_keys == Some(good.keys + unseen));
    let version = Some(good.status.version.clone()).filter(|version| !version.is_empty());
    is("storage version", facts.storage_version == version);
    let hash = facts.hash_kv.map(|it| (it.hash, it.revision, it.compact_revision));
    let said = good.hash_kv;
    is("HashKV", hash == Some((said.hash, said.revision, said.compact_revision)));
    is("current revision", facts.current_revision == Some(said.revision));
    is("digest", facts.digest.as_ref().is_some_and(|it| it.computed == it.stored));

    let quick = judge(&bytes, Level::Readable);
    is("verdict of readable", quick.verdict == wanted);
    let same = |of: fn(&Facts) -> String| of(&quick.facts) == of(facts);
    is(
        "readable and intact agree",
        same(|it| format!("{:?}", (it.revision, &it.members, &it.alarms))),
    );
    is("members", facts.members.as_ref().is_some_and(|members| members.len() == 1));
}

/// What is in the snapshot of a small cluster.
fn contents(corpus: &Corpus) {
    let bytes = corpus.bytes("compacted-and-changed").expect("a snapshot");
    let verdict = judge(&bytes, Level::Intact);
    let facts = &verdict.facts;
    let resources = facts.resources.as_ref().expect("resources");
    for (resource, count) in [
        ("namespaces", 1),
        ("services", 1),
        ("widgets.stable.example.com", 1),
        ("leases", 3),
        ("secrets", 4),
    ] {
        assert_eq!(resources.get(resource), Some(&count), "{resource}: {resources:?}");
    }
    let encryption: Vec<String> = facts
        .encryption
        .iter()
        .flatten()
        .map(|it| format!("{} {} {} {}", it.resource, it.provider, it.key, it.objects))
        .collect();
    assert_eq!(encryption, ["secrets aescbc:v1 key0 2", "secrets aescbc:v1 key1 1"]);
    assert_eq!(facts.etcd_prefix.as_deref(), Some("/registry"));
    assert_eq!(facts.kube_system_uid.as_deref(), Some("6b1f6a5e-kube-system"));
    assert_eq!(facts.newest_lease.map(|it| it.as_second()), Some(1_790_000_000));
    assert_eq!(facts.content_age_seconds, Some(300));
    assert_eq!(facts.leases, Some(2));
    let codes: Vec<&str> = verdict.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["half-encrypted", "needs-keys"], "{}", told(&verdict));
    // The quick look finds the age at the edge, and does not count.
    let quick = judge(&bytes, Level::Readable);
    assert_eq!(quick.facts.content_age_seconds, Some(300));
    assert!(quick.facts.resources.is_none() && quick.facts.digest.is_none());

    let findings = |name: &str, level| {
        let verdict = judge(&corpus.bytes(name).expect("a snapshot"), level);
        let codes: Vec<&str> = verdict.findings.iter().map(|finding| finding.code).collect();
        (verdict.facts.auth, codes)
    };
    assert_eq!(findings("auth", Level::Intact).0, Some(true));
    assert!(findings("auth", Level::Readable).1.contains(&"auth"));
    assert!(findings("nospace", Level::Readable).1.contains(&"alarm-nospace"));
    assert_eq!(findings("empty", Level::Intact).1, ["no-keys"]);
    if corpus.tools.at_least(6) {
        assert!(findings("compacting", Level::Intact).1.contains(&"compacting"));
    }
}

/// Every damaged file: the right verdict for the right reason.
fn damaged(cases: &[Damaged], dir: &Path, place: &Place, wrong: &mut Vec<String>) {
    let file = dir.join("damaged");
    for case in cases {
        fs::write(&file, &case.bytes).expect("written");
        let said =
            place.run(&["--output", "json", "snapshot", "verify", &file.display().to_string()]);
        let verdict: Value = serde_json::from_str(&said.out).unwrap_or_default();
        let codes: Vec<&str> = findings(&verdict);
        let code = i32::from(case.verdict != "passed");
        let right = said.code == code
            && verdict["verdict"] == case.verdict
            && (case.code.is_empty() || codes.contains(&case.code));
        println!("{:44} {:9} {:?}", case.name, verdict["verdict"].as_str().unwrap_or("-"), codes);
        if !right {
            let got = format!("{} {:?} {}", said.code, codes, verdict["findings"]);
            wrong.push(format!(
                "{}: wanted {} {}: {got} {}",
                case.name, case.verdict, case.code, said.err
            ));
        }
    }
}

fn findings(verdict: &Value) -> Vec<&str> {
    let all = verdict["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|finding| finding["code"].as_str()).collect()
}

/// A changed byte is never passed over, and nothing makes the reader panic.
fn mutations(good: &[u8]) {
    let config = Config { failure_persistence: None, cases: 300, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let change = (any::<Index>(), 1..=255_u8);
    runner
        .run(&change, |(at, by)| {
            let mut bytes = good.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert_eq!(judge(&bytes, Level::Intact).verdict, Outcome::Failed, "byte {}", at);
            Ok(())
        })
        .expect("a flipped byte");
    let cut = any::<Index>();
    runner
        .run(&cut, |length| {
            let bytes = &good[..length.index(good.len())];
            for level in [Level::Readable, Level::Intact] {
                prop_assert_eq!(judge(bytes, level).verdict, Outcome::Failed, "{}", bytes.len());
            }
            Ok(())
        })
        .expect("a cut file");
    // Many changes under a digest that is right: the verdict is open, the reader's end is not.
    let changes = prop::collection::vec((any::<Index>(), any::<[u8; 4]>()), 1..12);
    runner
        .run(&changes, |changes| {
            let mut editor = Editor::open(good.to_vec());
            for (at, to) in changes {
                let at = at.index(editor.bytes.len() - 36);
                editor.bytes[at..at + 4].copy_from_slice(&to);
            }
            let _ = judge(&editor.reseal(), Level::Intact);
            Ok(())
        })
        .expect("a forged file");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    writer.write_all(bytes).expect("written");
    writer.finish().expect("written")
}

fn zip(files: &[(&str, &[u8])], method: rawzip::CompressionMethod) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (name, bytes) in files {
        let start = archive.new_file(name).compression_method(method).start();
        let (mut entry, config) = start.expect("an entry");
        let descriptor = if method == rawzip::CompressionMethod::DEFLATE {
            let level = flate2::Compression::fast();
            let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, level));
            writer.write_all(bytes).expect("written");
            let (encoder, descriptor) = writer.finish().expect("written");
            encoder.finish().expect("written");
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(bytes).expect("written");
            writer.finish().expect("written").1
        };
        entry.finish(descriptor).expect("written");
    }
    archive.finish().expect("written");
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Snapshots in containers, whole and not.
fn contained(good: &[u8]) -> Vec<Damaged> {
    let case = |name: &str, bytes: Vec<u8>, verdict, code| Damaged {
        name: format!("container: {name}"),
        bytes,
        verdict,
        code,
    };
    let (deflate, store) = (rawzip::CompressionMethod::DEFLATE, rawzip::CompressionMethod::STORE);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() * 2 / 3].to_vec();
    let flip = |mut bytes: Vec<u8>| {
        let at = bytes.len() / 2;
        bytes[at] ^= 0x10;
        bytes
    };
    let wrong_crc = |mut bytes: Vec<u8>| {
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
        bytes
    };
    // More than is taken before the first page is asked, and a snapshot that goes on.
    let zeros = vec![0; 8 << 20];
    let endless = [good, &zeros].concat();
    vec![
        case("gzip", gzip(good), "passed", ""),
        case(
            "gzip in two members",
            [gzip(&good[..9999]), gzip(&good[9999..])].concat(),
            "passed",
            "",
        ),
        case("gzip cut off", cut(gzip(good)), "failed", "container-damaged"),
        case("gzip with another CRC", wrong_crc(gzip(good)), "failed", "container-damaged"),
        case("gzip of half a snapshot", gzip(&good[..good.len() / 2]), "failed", "truncated"),
        case("gzip of a flipped snapshot", gzip(&flip(good.to_vec())), "failed", "digest-mismatch"),
        case("gzip of nothing", gzip(b""), "failed", "empty"),
        case("gzip of zeros without end", gzip(&zeros), "failed", "zeros"),
        case("gzip of a snapshot without end", gzip(&endless), "failed", "too-long"),
        case("zip", zip(&[("etcd-snapshot-a-1", good)], deflate), "passed", ""),
        case("zip without compression", zip(&[("a", good)], store), "passed", ""),
        case("zip cut off", cut(zip(&[("a", good)], deflate)), "failed", "container-damaged"),
        case("zip flipped", flip(zip(&[("a", good)], store)), "failed", "container-damaged"),
        case("zip of two", zip(&[("a", good), ("b", good)], deflate), "unproven", "archive"),
        case("zip of nothing", zip(&[], deflate), "failed", "empty"),
        case("zip of zeros without end", zip(&[("a", &zeros)], deflate), "failed", "zeros"),
        case("zstd", zstd(good), "passed", ""),
        case(
            "zstd after a frame to skip",
            [b"\x50\x2a\x4d\x18\x02\0\0\0hi".to_vec(), zstd(good)].concat(),
            "passed",
            "",
        ),
        case(
            "zstd in two frames",
            [zstd(&good[..9999]), zstd(&good[9999..])].concat(),
            "passed",
            "",
        ),
        case("zstd cut off", cut(zstd(good)), "failed", "container-damaged"),
        case("zstd of a snapshot without end", zstd(&endless), "failed", "too-long"),
        // A frame that asks for a window of 2 GiB.
        case(
            "zstd with a huge window",
            b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00".to_vec(),
            "unproven",
            "too-large",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snapshot_gets_the_verdict_that_it_deserves() {
    let corpus = Corpus::make().await.expect("a corpus");
    let place = Place::new("https://127.0.0.1:1");
    let mut wrong = Vec::new();
    assert!(corpus.good.len() >= 9, "the corpus is small");
    for good in &corpus.good {
        figures(&corpus, good, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    contents(&corpus);

    let small = corpus.bytes("small").expect("a snapshot");
    let tree = corpus.bytes("compacted-and-changed").expect("a snapshot");
    let mut cases = damage::of_files(&tree);
    cases.extend(damage::of_pages(&tree));
    cases.extend(contained(&tree));
    let copy = fs::read(&corpus.copy).expect("a copy");
    cases.push(Damaged {
        name: "raw copy".into(),
        bytes: copy,
        verdict: "unproven",
        code: "no-digest",
    });
    damaged(&cases, corpus.dir(), &place, &mut wrong);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{} good, {} others", corpus.good.len(), cases.len());

    mutations(&small);
    mutations(&tree);
}

fn verify(place: &Place, args: &[&str]) -> Said {
    place.run(&[&["snapshot", "verify"], args].concat())
}

#[test]
fn what_is_no_file_is_refused_in_a_sentence() {
    let place = Place::new("https://127.0.0.1:1");
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a FIFO");
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
    fs::write(path("empty"), b"").expect("written");
    std::os::unix::fs::symlink(path("empty"), path("link")).expect("a link");
    for (name, word) in [
        ("absent", "there is no file"),
        ("absent/below", "there is no file"),
        ("empty/below", "there is no file"),
        ("", "is a folder"),
        ("fifo", "is a FIFO"),
        ("socket", "is a socket"),
    ] {
        let said = verify(&place, &[&path(name)]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said}");
        assert!(said.err.contains(word), "{said}");
    }
    let said = verify(&place, &["/dev/zero"]);
    assert!(said.code == 2 && said.err.contains("is a device"), "{said}");
    let said = verify(&place, &["s3://bucket/key"]);
    assert!(said.code == 2 && said.err.contains("in this version yet"), "{said}");
    for level in ["listed", "readable", "intact"] {
        let said = verify(&place, &[&path("link"), "--level", level]);
        assert!(said.code == 1 && said.out.contains("the file is empty"), "{said}");
    }
    assert_eq!(verify(&place, &[&path("link"), "--level", "serves"]).code, 2);

    // Nobody may read it; root may read everything.
    fs::set_permissions(path("empty"), fs::Permissions::from_mode(0o000)).expect("a mode");
    if fs::File::open(path("empty")).is_err() {
        let said = verify(&place, &[&path("empty")]);
        assert!(said.code == 1 && said.out.contains("unproven"), "{said}");
    }
}
