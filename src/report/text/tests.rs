use crate::report::summary::{Summary, samples};

#[test]
fn golden() {
    for (name, entries, ..) in samples::all() {
        let summary = Summary::fold(&entries).expect("a run");
        insta::assert_snapshot!(name, super::render(&summary));
    }
}

#[test]
fn the_picture_in_the_readme_is_true() {
    let summary = Summary::fold(&samples::passed()).expect("a run");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&format!("```\n{}```", super::render(&summary))));
}

#[test]
fn a_run_that_has_not_closed() {
    let entries = samples::passed();
    let summary = Summary::fold(&entries[..12]).expect("a run");
    insta::assert_snapshot!("running", super::render(&summary));
}

#[test]
fn no_command_is_made_of_a_name_that_is_none() {
    let mut left = Summary::fold(&samples::interrupted()).expect("a run").leftovers.remove(0);
    assert_eq!(
        super::by_hand(&left).as_deref(),
        Some("kubectl delete namespaces fd-k3v5q2mzx7ab-shop")
    );
    for name in ["x; reboot", "$(reboot)", "--all", "", "a b", "x\n"] {
        left.target.as_mut().expect("known").name = name.into();
        assert_eq!(super::by_hand(&left), None, "{name:?}");
    }
}
