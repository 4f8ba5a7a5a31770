//! What refuses every run, whatever the clusters say: freezes and the halt file. No cluster is
//! asked, so none is needed.

mod common;

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
