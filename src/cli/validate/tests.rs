use super::*;

const DRILL: &str = include_str!("../../../drills/node-lost.yaml");
const CONFIG: &str = include_str!("../../../config/firedrill.yaml");

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    fs::write(&path, text).expect("file");
    path
}

/// The problems, each as `file:line:column code`.
fn told(checked: &Checked, folder: &Path) -> Vec<String> {
    checked
        .problems
        .iter()
        .map(|problem| {
            let path = problem.path.strip_prefix(folder).unwrap_or(&problem.path);
            let Place { line, column, .. } = problem.place;
            format!("{}:{line}:{column} {}", path.display(), problem.code.as_str())
        })
        .collect()
}

#[test]
fn a_folder_is_walked_in_order_and_told_in_one_pass() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    write(root, "b.yml", &DRILL.replace("count: 1", "count: 0"));
    write(root, "a/deep/x.yaml", &DRILL.replace("until: drain}", "until: drian}"));
    write(root, "config.yaml", &CONFIG.replace("settle: 30s", "settle: 3s"));
    write(root, "notes.txt", "not: [yaml");
    write(root, "latin1.yaml", "");
    fs::write(root.join("latin1.yaml"), b"kind: Drill\nx: caf\xe9\n").expect("file");
    let checked = check(&[root.to_owned()], None);
    assert_eq!(
        told(&checked, root),
        [
            "a/deep/x.yaml:25:62 unknown-step",
            "b.yml:20:16 invalid-value",
            "config.yaml:51:11 conflict",
            "latin1.yaml:2:7 not-utf8",
        ]
    );
    assert_eq!(
        checked.summary(),
        "4 files: 0 drills and 0 configurations ok, 4 errors, 0 warnings"
    );
    assert_eq!(checked.exit_code(false), 2);
}

#[test]
fn drills_are_checked_against_the_configuration_and_each_other() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    write(root, "a.yaml", &DRILL.replace("cluster: lab", "cluster: lub"));
    write(root, "b.yaml", DRILL);
    let config = write(root, "config.yaml", CONFIG);
    let checked = check(&[root.to_owned()], None);
    assert_eq!(
        told(&checked, root),
        ["a.yaml:10:12 unknown-cluster", "b.yaml:7:18 duplicate-name"]
    );
    // A configuration that is not among the paths serves as well.
    let (config, _) = config::load(&config);
    let checked = check(&[root.join("a.yaml")], config.as_ref());
    assert_eq!(told(&checked, root), ["a.yaml:10:12 unknown-cluster"]);
    let checked = check(&[root.join("a.yaml")], None);
    assert_eq!(told(&checked, root), [""; 0]);
    assert_eq!(checked.exit_code(true), 0);
    assert_eq!(checked.summary(), "1 file: 1 drill and 0 configurations ok, 0 errors, 0 warnings");
}

#[test]
fn warnings_count_only_if_they_are_denied() {
    let folder = tempfile::tempdir().expect("folder");
    let path =
        write(folder.path(), "a.yaml", &DRILL.replace("recoveryTime: 5m", "recoveryTime: 2h"));
    let checked = check(&[path], None);
    assert_eq!(told(&checked, folder.path()), ["a.yaml:25:38 unreachable-limit"]);
    assert_eq!((checked.exit_code(false), checked.exit_code(true)), (0, 2));
}

#[test]
fn what_is_not_there_or_never_ends_is_an_error() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    let paths = [root.to_owned(), root.join("nothing.yaml"), PathBuf::from("/dev/zero")];
    let checked = check(&paths, None);
    assert_eq!(
        told(&checked, root),
        ["/dev/zero:1:1 unreadable", ":1:1 nothing-to-read", "nothing.yaml:1:1 unreadable"]
    );
}

#[test]
fn links_in_a_folder_are_not_followed_but_told() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    let real = write(root, "real/a.yaml", DRILL);
    fs::create_dir(root.join("walked")).expect("folder");
    std::os::unix::fs::symlink(&real, root.join("walked/b.yaml")).expect("link");
    std::os::unix::fs::symlink("..", root.join("walked/loop")).expect("link");
    let walked = root.join("walked");
    let checked = check(std::slice::from_ref(&walked), None);
    assert_eq!(told(&checked, &walked), ["b.yaml:1:1 link-skipped", "loop:1:1 link-skipped"]);
    let checked = check(&[walked.join("b.yaml")], None);
    assert_eq!((told(&checked, root), checked.drills), (Vec::new(), 1));
}

#[test]
fn the_shipped_files_are_clean_together() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked = check(&[root.join("drills"), root.join("config/firedrill.yaml")], None);
    assert_eq!(told(&checked, root), [""; 0]);
    assert!(checked.drills >= 2 && checked.configurations == 1);
}
