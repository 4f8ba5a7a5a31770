//! What refuses every run, whatever the clusters say: freezes and the halt file. No cluster is
//! asked, so none is needed.

mod common;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use common::place::{DRILL, Place, config};

/// The drill is refused with this cause, and nothing was changed.
fn refused(place: &Place) -> String {
    place.write("drill.yaml", DRILL);
    let said = place.run(&["run", "drill.yaml"]);
    let summary = place.run(&["--output", "json", "report"]).json();
    assert_eq!(said.code, 3, "{said}");
    assert_eq!((&summary["verdict"], &summary["reason"]), (&"aborted".into(), &"refused".into()));
    assert_eq!(summary["effects"], serde_json::json!([]), "{said}");
    said.cause()
}

#[test]
fn a_frozen_cluster_takes_no_run() {
    let place = Place::new("https://127.0.0.1:1");
    let freeze = |clusters: &str| {
        format!(
            "{}freezes:\n  always: {{cron: '@hourly', duration: 1h, clusters: [{clusters}], \
             reason: For the test.}}\n",
            config("https://127.0.0.1:1")
        )
    };
    place.write("firedrill.yaml", &freeze("lab"));
    let cause = refused(&place);
    assert!(cause.starts_with("Cluster lab is frozen beyond "), "{cause}");
    assert!(cause.contains("by `always`: For the test"), "{cause}");
    // Another cluster's freeze is none of this one's: then the cluster is asked, and is not there.
    let other =
        freeze("other").replace("targets:", "  other: {kubeconfig: other.kubeconfig}\ntargets:");
    place.write("firedrill.yaml", &other);
    assert!(refused(&place).contains("cannot be reached"));
}

#[test]
fn while_the_halt_file_is_there_no_run_starts() {
    let place = Place::new("https://127.0.0.1:1");
    assert!(refused(&place).contains("cannot be reached"));
    // Without the key it lies beside the journal.
    let halt = place.write("journal/halt", "");
    let cause = refused(&place);
    assert!(cause.starts_with("The halt lever is pulled: "), "{cause}");
    std::fs::remove_file(halt).expect("removed");
    assert!(refused(&place).contains("cannot be reached"));
    // What cannot be looked at counts as pulled.
    let text = format!("{}haltFile: token/halt\n", config("https://127.0.0.1:1"));
    place.write("firedrill.yaml", &text);
    let cause = refused(&place);
    assert!(cause.contains("cannot be looked at, which counts as pulled"), "{cause}");
}

/// A drill whose guard is asked a thousand times, with an hour in between, and the port on which
/// the first question comes.
fn patient(place: &Place, deadline: &str) -> TcpListener {
    let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", shop.local_addr().expect("an address"));
    place.write(
        "drill.yaml",
        &format!(
            "apiVersion: firedrill.dev/v1alpha1\nkind: Drill\nmetadata: {{name: patient}}\nspec:\n  \
             cluster: lab\n  deadline: {deadline}\n  guards:\n    - {{name: up, http: {{url: \
             \"{url}\"}}, every: 1h, successes: 1000}}\n  steps:\n    - {{name: ask, check: {{http: \
             {{url: \"{url}\"}}}}}}\n"
        ),
    );
    shop
}

/// Answers the first question well, and no other.
fn answered(shop: &TcpListener) {
    let (mut stream, _) = shop.accept().expect("asked");
    let _ = stream.read(&mut [0; 4096]);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("answered");
}

#[test]
fn a_guard_that_is_asked_for_long_is_given_up() {
    let place = Place::new("https://127.0.0.1:1");
    // At the deadline ...
    let shop = patient(&place, "1s");
    let answers = std::thread::spawn(move || answered(&shop));
    let said = place.run(&["run", "drill.yaml"]);
    answers.join().expect("the first question");
    assert_eq!(said.code, 3, "{said}");
    assert!(said.cause().starts_with("The deadline of 1.0s was over before"), "{said}");

    // ... at the halt file, and at a signal.
    for signal in [false, true] {
        let shop = patient(&place, "1h");
        let mut command = place.command(&["run", "drill.yaml"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary");
        answered(&shop);
        let halt = place.path().join("journal/halt");
        if signal {
            let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            assert!(told.expect("kill").success());
        } else {
            std::fs::write(&halt, "").expect("written");
        }
        let mut looks = 0;
        let code = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status.code();
            }
            looks += 1;
            if looks > 600 {
                child.kill().expect("killed");
                panic!("it asks on");
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let _ = std::fs::remove_file(&halt);
        let summary = place.run(&["--output", "json", "report"]).json();
        assert_eq!((code, &summary["reason"]), (Some(3), &"refused".into()), "{summary:#}");
        let why = summary["why"].as_str().unwrap_or_default();
        let words = if signal { "a signal asked" } else { "the halt lever is pulled" };
        assert!(why.contains(words), "{why}");
    }
}
