use super::*;
use crate::drill::problem::Place;

const DRILL: &str = include_str!("../../../drills/node-lost.yaml");
const CONFIG: &str = include_str!("../../../config/firedrill.yaml");

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    fs::write(&path, text).expect("file");
    path
}

/// The problems, each as `file:line:column code`, but for what the shipped configuration has that
/// this version does not act on.
fn told(checked: &Checked, folder: &Path) -> Vec<String> {
    checked
        .problems
        .iter()
        .filter(|problem| problem.code != Code::NotActedOn)
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
            "a/deep/x.yaml:26:62 unknown-step",
            "b.yml:8:18 duplicate-name",
            "b.yml:21:16 invalid-value",
            "config.yaml:146:11 conflict",
            "latin1.yaml:2:7 not-utf8",
        ]
    );
    assert_eq!(
        checked.summary(),
        "4 files: 0 drills and 0 configurations ok, 5 errors, 0 warnings"
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
        ["a.yaml:11:12 unknown-cluster", "b.yaml:8:18 duplicate-name"]
    );
    // A configuration that is not among the paths serves as well.
    let (config, _) = config::load(&config);
    let checked = check(&[root.join("a.yaml")], config.as_ref());
    assert_eq!(told(&checked, root), ["a.yaml:11:12 unknown-cluster"]);
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
    assert_eq!(told(&checked, folder.path()), ["a.yaml:26:38 unreachable-limit"]);
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
fn a_link_to_a_file_is_followed_and_one_to_a_folder_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    let real = write(root, "real/a.yaml", DRILL);
    fs::create_dir(root.join("walked")).expect("folder");
    std::os::unix::fs::symlink(&real, root.join("walked/b.yaml")).expect("link");
    std::os::unix::fs::symlink("nowhere.yaml", root.join("walked/dangling.yaml")).expect("link");
    std::os::unix::fs::symlink("..", root.join("walked/loop")).expect("link");
    let walked = root.join("walked");
    let checked = check(std::slice::from_ref(&walked), None);
    assert_eq!(told(&checked, &walked), ["dangling.yaml:1:1 unreadable", "loop:1:1 link-skipped"]);
    assert_eq!(checked.drills, 1);
    // What is reached twice is read once.
    let checked = check(&[walked.join("b.yaml"), root.join("real"), real], None);
    assert_eq!((told(&checked, root), checked.files, checked.drills), (Vec::new(), 1, 1));
}

#[test]
fn drills_mounted_as_a_config_map_are_read_once() {
    // As the kubelet mounts it: `a.yaml -> ..data/a.yaml`, `..data -> ..2026_11_24`.
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    write(root, "..2026_11_24/a.yaml", DRILL);
    std::os::unix::fs::symlink("..2026_11_24", root.join("..data")).expect("link");
    std::os::unix::fs::symlink("..data/a.yaml", root.join("a.yaml")).expect("link");
    let checked = check(&[root.to_owned()], None);
    assert_eq!((told(&checked, root), checked.files, checked.drills), (Vec::new(), 1, 1));
}

#[test]
fn what_is_hidden_is_not_read_and_said() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    write(root, ".git/a.yaml", DRILL);
    write(root, ".b.yaml", DRILL);
    let checked = check(&[root.to_owned()], None);
    assert_eq!(told(&checked, root), [":1:1 nothing-to-read"]);
    let help = checked.problems[0].help.as_deref().expect("a help");
    assert!(help.ends_with("hidden files are not read"), "{help}");
    // By its own name it is.
    assert_eq!(check(&[root.join(".b.yaml")], None).drills, 1);
}

#[test]
fn pipes_and_devices_never_hang() {
    let folder = tempfile::tempdir().expect("folder");
    let pipe = folder.path().join("a.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    write(folder.path(), "b.yaml", DRILL);
    let checked = check(&[folder.path().to_owned(), pipe, "/dev/stdin".into()], None);
    let codes: Vec<_> = checked.problems.iter().map(|problem| problem.code).collect();
    assert_eq!((codes, checked.drills), (vec![Code::Unreadable; 2], 1));
}

#[test]
fn drills_of_one_name_in_two_files_are_told_with_both_places() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path();
    write(root, "a.yaml", DRILL);
    // Errors elsewhere in the drill do not hide it.
    write(root, "b.yaml", &DRILL.replace("count: 1 ", "count: 0 "));
    let checked = check(&[root.to_owned()], None);
    assert_eq!(told(&checked, root), ["b.yaml:8:18 duplicate-name", "b.yaml:21:16 invalid-value"]);
    let shown = render::text(&checked.problems[..1], &checked.sources, false)
        .replace(&format!("{}/", root.display()), "");
    insta::assert_snapshot!(shown, @"
    error[duplicate-name]: there is another drill named `node-lost` in a.yaml:8
     --> b.yaml:8:18
      |
    8 | metadata: {name: node-lost, labels: {service: shop}}
      |                  ^^^^^^^^^
      |
     ::: a.yaml:8:18
      |
    8 | metadata: {name: node-lost, labels: {service: shop}}
      |                  --------- first here
      |
      = help: give each drill a name of its own: it is how it is run and looked up
    ");
}

#[test]
fn the_shipped_files_are_clean_together() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked = check(&[root.join("drills"), root.join("config/firedrill.yaml")], None);
    // Only what this version does not act on, and each such drill is refused a run.
    let others: Vec<_> =
        checked.problems.iter().filter(|problem| problem.code != Code::NotActedOn).collect();
    assert!(others.is_empty(), "{others:?}");
    let pending: usize = checked.loaded.iter().map(|(_, drill)| drill.pending.len()).sum();
    let of_drills =
        checked.problems.iter().filter(|problem| !problem.path.ends_with("firedrill.yaml"));
    assert_eq!(of_drills.count(), pending);
    assert_eq!((checked.drills, checked.configurations), (checked.files - 1, 1));
    let names: Vec<_> = checked.loaded.iter().map(|(_, drill)| drill.name.as_str()).collect();
    for name in [
        "shop-comes-back",
        "oldest-backup",
        "backup-freshness",
        "etcd-nightly",
        "node-lost",
        "zone-lost",
        "dependencies-smoke",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    for (path, drill) in &checked.loaded {
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert_eq!(name, drill.name, "a sample is named as its drill");
        let text = fs::read_to_string(path).expect("a sample");
        let first = text.lines().next();
        assert_eq!(
            first,
            Some("# yaml-language-server: $schema=../config/drill.schema.json"),
            "{name}"
        );
    }
}
