//! A lab that is killed leaves no process behind.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lab::processes::{children_of, group_members};

#[test]
fn sigkill_of_a_lab_ends_its_processes_and_keeps_its_logs_alone() {
    let mut up = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("up")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Held until the end: a lab that cannot print would end by itself, not by the kill.
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let dir = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(PathBuf::from(line.strip_prefix("export KUBECONFIG=")?)))
        .and_then(|kubeconfig| kubeconfig.parent().map(Path::to_owned))
        .expect("the lab came up");
    let children = children_of(up.id());
    // Seven parts and the guard, each the leader of its own group.
    assert_eq!(children.len(), 8, "{children:?}");
    assert!(children.iter().all(|(pid, group)| pid == group), "{children:?}");

    assert!(lines.any(|line| line.unwrap().contains("firedrill --config")));

    assert!(up.try_wait().unwrap().is_none(), "the lab stays up");
    up.kill().unwrap();
    assert_eq!(up.wait().unwrap().signal(), Some(9));
    let left =
        || -> Vec<u32> { children.iter().flat_map(|(_, group)| group_members(*group)).collect() };
    let end = Instant::now() + Duration::from_secs(30);
    while !left().is_empty() {
        assert!(Instant::now() < end, "still there: {:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
    let names: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["logs"]);
    std::fs::remove_dir_all(dir).unwrap();
}
