//! The guard: a small process that outlives the lab by a moment, to end what the lab started.
//!
//! A parent-death signal does not reach the grandchildren (Velero starts its plugins), and no
//! handler runs on SIGKILL. So a shell holds the read end of a pipe and knows every process group
//! of the lab; when the last write end is closed by the kernel, it kills them and removes the
//! lab's data. It is `/bin/sh`, not this program again, because as a library the lab has no binary
//! of its own: the current executable is a test.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
};

use anyhow::Context;

/// What of the lab's folder the guard leaves when the lab is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The folder `logs` alone: what a guard does unless it is told otherwise.
    Logs,
    /// All of it.
    Everything,
    /// Nothing, the folder itself neither.
    Nothing,
}

/// The lab's end of the pipe.
#[derive(Debug)]
pub struct Guard {
    // None once let go. The standard library opens pipes close-on-exec, so that no child of the
    // lab holds the write end open after the lab itself is gone.
    pipe: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
}

impl Guard {
    /// Starts a guard over the lab in `dir`.
    ///
    /// # Errors
    /// When the shell cannot be started.
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(include_str!("guard.sh"))
            .arg("firedrill-lab-guard")
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: Ctrl-C in the terminal must not reach it.
            .process_group(0)
            .spawn()
            .context("the lab's guard (/bin/sh)")?;
        let pipe = child.stdin.take();
        Ok(Self { pipe: Mutex::new(pipe), child: Mutex::new(child) })
    }

    /// The guard's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).id()
    }

    /// The process group `group` is to end with the lab.
    ///
    /// # Errors
    /// When the guard is gone: then nothing may be started.
    pub fn add(&self, group: u32) -> anyhow::Result<()> {
        self.tell(&format!("add {group}")).context("the lab's guard is gone")
    }

    /// The process group `group` has ended.
    pub fn remove(&self, group: u32) {
        // A guard that is gone cannot kill a group whose number somebody else got since.
        let _ = self.tell(&format!("del {group}"));
    }

    /// What is left of the lab's folder.
    pub fn keep(&self, keep: Keep) {
        let _ = self.tell(match keep {
            Keep::Logs => "keep logs",
            Keep::Everything => "keep everything",
            Keep::Nothing => "keep nothing",
        });
    }

    /// Closes the pipe and waits until the guard has done its work.
    pub fn let_go(&self) {
        self.pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let _ = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).wait();
    }

    fn tell(&self, line: &str) -> std::io::Result<()> {
        match self.pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_mut() {
            Some(pipe) => pipe.write_all(format!("{line}\n").as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        // A grandchild in the same group, as Velero's plugins are.
        Command::new("/bin/sh").args(["-c", "sleep 60 & wait"]).process_group(0).spawn().unwrap()
    }

    #[test]
    fn letting_go_kills_known_groups_and_their_children_and_keeps_the_logs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        std::fs::create_dir(dir.path().join("etcd")).unwrap();
        let guard = Guard::start(dir.path()).unwrap();
        let (mut known, mut released) = (sleeper(), sleeper());
        guard.add(known.id()).unwrap();
        guard.add(released.id()).unwrap();
        guard.remove(released.id());
        guard.let_go();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while known.try_wait().unwrap().is_none() {
            assert!(std::time::Instant::now() < end, "a known group lives on");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(crate::processes::group_members(known.id()), Vec::<u32>::new());
        assert!(
            released.try_wait().unwrap().is_none(),
            "a group that was taken back is left alone"
        );
        assert!(dir.path().join("logs").exists());
        assert!(!dir.path().join("etcd").exists());
        crate::processes::kill_group(released.id());
        released.wait().unwrap();
    }

    #[test]
    fn discarded_logs_go_too_and_a_guard_that_left_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let lab = dir.path().join("lab");
        std::fs::create_dir_all(lab.join("logs")).unwrap();
        let guard = Guard::start(&lab).unwrap();
        guard.keep(Keep::Nothing);
        guard.let_go();
        assert!(!lab.exists());
        guard.add(1).unwrap_err();
    }
}
