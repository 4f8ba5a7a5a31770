//! A process, measured from outside.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub processor: Duration,
    /// The most resident memory in bytes, looked at every few milliseconds.
    pub memory: u64,
}

/// Runs a command to its end and measures it; answers what it wrote to stdout, too. That goes to a
/// file: a pipe would be full at some point, and the process would wait for us.
///
/// # Errors
/// When it cannot be started, or its exit code is not 0.
pub fn measure(command: &mut Command) -> anyhow::Result<(Took, String)> {
    let mut written = tempfile::tempfile()?;
    command.stdout(written.try_clone()?);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let pid = Pid::from_child(&child);
    let mut memory = 0;
    // It stays a zombie, whose times can be read, until it is waited for below.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        memory = peak(&child).unwrap_or(0).max(memory);
        std::thread::sleep(Duration::from_millis(2));
    }
    let wall = begun.elapsed();
    let processor = processor(&child).context("the process has no times")?;
    let status = child.wait()?;
    let mut said = String::new();
    written.seek(SeekFrom::Start(0))?;
    written.read_to_string(&mut said)?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok((Took { wall, processor, memory }, said))
}

fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Fields 14 and 15 of proc_pid_stat(5), counted after the name in parentheses.
fn processor(child: &Child) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}
