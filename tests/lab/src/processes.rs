//! The lab's child processes: each in a process group of its own, known to the guard before it
//! runs, its output in a log file.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::guard::Guard;

/// How often something is looked at while the lab waits for it.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// A part could not listen because something else took its port in the meantime: the start is
/// worth another try.
#[derive(Debug)]
pub struct PortTaken(pub String);

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: its port was taken by another program", self.0)
    }
}

impl std::error::Error for PortTaken {}

/// A program and how it is started.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
}

impl Recipe {
    /// A recipe without variables.
    pub fn new<S: Into<String>>(program: PathBuf, args: impl IntoIterator<Item = S>) -> Self {
        Self { program, args: args.into_iter().map(Into::into).collect(), env: Vec::new() }
    }
}

/// All children of one lab, by name.
#[derive(Debug)]
pub struct Processes {
    guard: Guard,
    logs: PathBuf,
    children: Mutex<BTreeMap<String, Child>>,
}

impl Processes {
    /// An empty table; logs go to `logs`.
    #[must_use]
    pub fn new(guard: Guard, logs: PathBuf) -> Self {
        Self { guard, logs, children: Mutex::default() }
    }

    /// The guard over them.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Starts `recipe` under `name`.
    ///
    /// # Errors
    /// When a process of that name runs, or the program cannot be started.
    pub fn start(&self, name: &str, recipe: &Recipe) -> anyhow::Result<()> {
        let mut children = self.children();
        if let Some(child) = children.get_mut(name)
            && child.try_wait()?.is_none()
        {
            bail!("{name} runs already");
        }
        let log = File::options().create(true).append(true).open(self.log(name))?;
        // The shell waits for a line before it becomes the program, so that the guard knows the
        // group before anything runs; if the lab dies first, the line never comes.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read -r go && exec \"$@\" </dev/null", name])
            .arg(&recipe.program)
            .args(&recipe.args)
            .envs(recipe.env.iter().map(|(key, value)| (key, value)))
            .current_dir(&self.logs)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let go = self.guard.add(child.id()).and_then(|()| {
            let mut pipe = child.stdin.take().ok_or_else(|| anyhow!("no pipe to {name}"))?;
            pipe.write_all(b"go\n").with_context(|| format!("cannot start {name}"))
        });
        children.insert(name.to_owned(), child);
        go
    }

    /// Whether the process `name` runs.
    #[must_use]
    pub fn alive(&self, name: &str) -> bool {
        self.children().get_mut(name).is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Process groups by name, of those that were started and not stopped.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<String, u32> {
        self.children().iter().map(|(name, child)| (name.clone(), child.id())).collect()
    }

    /// The log file of `name`.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Waits until `ready` answers true.
    ///
    /// # Errors
    /// When the process ends before ([`PortTaken`] if that is why), or `limit` passes; both name
    /// the log and its last lines.
    pub async fn wait_ready<F: Future<Output = bool>>(
        &self,
        name: &str,
        limit: Duration,
        ready: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + limit;
        loop {
            if !self.alive(name) {
                let tail = tail(&self.log(name), 15);
                if tail.contains("address already in use") {
                    return Err(PortTaken(name.to_owned()).into());
                }
                bail!("{name} ended:\n{tail}\n(log: {})", self.log(name).display());
            }
            if ready().await {
                return Ok(());
            }
            if Instant::now() > end {
                let log = self.log(name);
                bail!(
                    "{name} is not ready after {} s:\n{}\n(log: {})",
                    limit.as_secs(),
                    tail(&log, 15),
                    log.display()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends `names` side by side: SIGTERM, and SIGKILL after `grace`, to their whole groups.
    pub fn stop(&self, names: &[&str], grace: Duration) {
        let mut children = self.children();
        let mut ending: Vec<Child> =
            names.iter().filter_map(|name| children.remove(*name)).collect();
        drop(children);
        for child in &ending {
            signal_group(child.id(), Signal::TERM);
        }
        let end = Instant::now() + grace;
        while ending.iter_mut().any(|child| matches!(child.try_wait(), Ok(None)))
            && Instant::now() < end
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        for mut child in ending {
            // The leader may have ended without its children.
            kill_group(child.id());
            let _ = child.wait();
            self.guard.remove(child.id());
        }
    }

    /// Ends `name` by SIGKILL, its group with it.
    pub fn kill(&self, name: &str) {
        self.stop(&[name], Duration::ZERO);
    }

    /// Ends all that are left, in `order` (groups that end together), the rest after that.
    pub fn stop_all(&self, order: &[(&[&str], Duration)]) {
        for (names, grace) in order {
            self.stop(names, *grace);
        }
        let rest: Vec<String> = self.groups().into_keys().collect();
        self.stop(&rest.iter().map(String::as_str).collect::<Vec<_>>(), Duration::from_secs(1));
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<String, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SIGKILL to a whole group.
pub(crate) fn kill_group(group: u32) {
    signal_group(group, Signal::KILL);
}

fn signal_group(group: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        // An empty group is what we want.
        let _ = kill_process_group(pid, signal);
    }
}

/// Living processes (zombies do not count) whose process group is `group`.
#[must_use]
pub fn group_members(group: u32) -> Vec<u32> {
    stats().filter(|stat| stat.group == group && stat.state != 'Z').map(|stat| stat.pid).collect()
}

/// Resident memory of all processes of the given groups in bytes, and their number.
#[must_use]
pub fn memory(groups: impl IntoIterator<Item = u32>) -> (u64, usize) {
    let groups: Vec<u32> = groups.into_iter().collect();
    let sizes: Vec<u64> = stats()
        .filter(|stat| groups.contains(&stat.group))
        .filter_map(|stat| {
            let text = fs::read_to_string(format!("/proc/{}/status", stat.pid)).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        })
        .collect();
    (sizes.iter().sum::<u64>() * 1024, sizes.len())
}

/// Children of the process `parent`, each with its process group.
#[must_use]
pub fn children_of(parent: u32) -> Vec<(u32, u32)> {
    stats().filter(|stat| stat.parent == parent).map(|stat| (stat.pid, stat.group)).collect()
}

struct Stat {
    pid: u32,
    state: char,
    parent: u32,
    group: u32,
}

/// `/proc/PID/stat` of every process, as proc_pid_stat(5) lays it out.
fn stats() -> impl Iterator<Item = Stat> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The command in parentheses may hold spaces and parentheses itself.
        let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some(Stat { pid, state, parent, group })
    })
}

/// The last `lines` lines of a file.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(dir: &Path) -> Processes {
        fs::create_dir_all(dir.join("logs")).unwrap();
        Processes::new(Guard::start(dir).unwrap(), dir.join("logs"))
    }

    fn shell(script: &str) -> Recipe {
        Recipe::new("/bin/sh".into(), ["-c", script])
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_ends_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let processes = table(dir.path());
        processes.start("deaf", &shell("trap '' TERM; sleep 60 & echo up; wait; wait")).unwrap();
        let log = processes.log("deaf");
        let up = || async { tail(&log, 1) == "up" };
        processes.wait_ready("deaf", Duration::from_secs(20), up).await.unwrap();
        let group = processes.groups()["deaf"];
        assert_eq!(group_members(group).len(), 2);
        assert!(memory([group]).0 > 0);
        processes.stop(&["deaf"], Duration::from_millis(100));
        assert_eq!(group_members(group), Vec::<u32>::new());
        assert!(!processes.alive("deaf"));
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_last_lines_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let processes = table(dir.path());
        processes.start("brief", &shell("echo no such flag >&2; exit 3")).unwrap();
        let wait = processes.wait_ready("brief", Duration::from_secs(20), || async { false }).await;
        let error = wait.unwrap_err();
        assert!(error.to_string().contains("no such flag"), "{error}");
        assert!(!error.is::<PortTaken>());
        processes.start("late", &shell("echo listen: address already in use; exit 1")).unwrap();
        let wait = processes.wait_ready("late", Duration::from_secs(20), || async { false }).await;
        assert!(wait.unwrap_err().is::<PortTaken>());
    }
}
