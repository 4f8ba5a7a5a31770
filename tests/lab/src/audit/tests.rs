//! A log as the server writes it, whole and half.

use std::io::Write as _;

use super::*;

const GET: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/nodes/n1","verb":"get","user":{"username":"admin","groups":["system:masters"]},"sourceIPs":["127.0.0.1"],"userAgent":"kubectl/v1.32 (linux)","objectRef":{"resource":"nodes","name":"n1","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:05.000007Z"}"#;

fn evict() -> String {
    GET.replace("/nodes/n1", "/namespaces/shop/pods/p/eviction?dryRun=All")
        .replace(r#""verb":"get""#, r#""verb":"create""#)
        .replace(
            r#""resource":"nodes","name":"n1""#,
            r#""resource":"pods","subresource":"eviction","namespace":"shop","name":"p""#,
        )
        .replace("admin", FIREDRILL)
        .replace(r#""code":200"#, r#""code":429"#)
}

#[test]
fn a_half_written_line_waits() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    let evict = evict();
    let (half, rest) = evict.split_at(90);
    write!(file, "{GET}\n{half}").expect("write");
    let mut log = AuditLog::from_start(file.path()).expect("log");
    assert_eq!(log.entries().len(), 1);
    assert_eq!(log.refresh().expect("refresh"), 0);
    writeln!(file, "{rest}").expect("write");
    assert_eq!(log.refresh().expect("refresh"), 1);
    assert_eq!(log.entries()[1].resource(), "pods/eviction");
    assert!(log.entries()[1].is_dry_run() && log.entries()[1].is_write());
}

#[test]
fn a_line_that_is_no_event_and_a_rotated_file_are_errors() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    writeln!(file, "{GET}").expect("write");
    let mut log = AuditLog::from_start(file.path()).expect("log");
    writeln!(file, "nonsense").expect("write");
    assert!(log.refresh().is_err());
    file.as_file().set_len(3).expect("truncate");
    assert!(format!("{:#}", log.refresh().expect_err("rotated")).contains("shorter"));
}

#[test]
fn a_watch_counts_once_and_filters_narrow() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    let watch = GET.replace(r#""verb":"get""#, r#""verb":"watch""#);
    let started = watch.replace("ResponseComplete", "ResponseStarted");
    writeln!(file, "{started}\n{watch}\n{}\n{GET}", evict()).expect("write");
    let log = AuditLog::from_start(file.path()).expect("log");
    assert_eq!(log.entries().len(), 3);
    let ours = Filter::firedrill();
    assert_eq!(log.select(&ours).len(), 1);
    assert_eq!(log.select(&ours.clone().resource("pods/eviction").code(400..=499)).len(), 1);
    assert_eq!(log.select(&ours.clone().resource("pods")).len(), 0);
    assert_eq!(log.select(&ours.verbs(["delete"])).len(), 0);
    let counts = Counts::of(log.entries());
    assert_eq!(counts.total(), 3);
    let text = counts.to_string();
    assert!(text.contains("pods/eviction") && text.contains("429"), "{text}");
}

#[test]
fn an_impersonated_user_is_the_actor() {
    let entry: Entry = serde_json::from_str(
        &GET.replace(r#""sourceIPs""#, r#""impersonatedUser":{"username":"someone"},"sourceIPs""#),
    )
    .expect("entry");
    assert_eq!(entry.actor(), "someone");
}
