//! What every part of one lab is started with: its folder, ports, certificates and processes.

use std::path::PathBuf;

use crate::{parts::Binaries, pki::Pki, ports::Ports, processes::Processes, progress::Progress};

/// The ground that one lab stands on.
#[derive(Debug)]
pub struct Site {
    /// The lab's temporary folder; `logs` in it outlives a failure.
    pub dir: PathBuf,
    /// The parts' programs.
    pub binaries: Binaries,
    /// The lab's children.
    pub processes: Processes,
    /// The lab's ports.
    pub ports: Ports,
    /// The lab's certificates.
    pub pki: Pki,
    /// Where it is told what happens.
    pub progress: Progress,
}

impl Site {
    /// A path in the lab's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A path in the lab's folder, as an argument.
    #[must_use]
    pub fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}
