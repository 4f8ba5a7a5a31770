//! firedrill in a folder of its own, without a lab: what the binary said there.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// Longer than anything takes on a busy machine; only a hang gets there.
pub const LIMIT: Duration = Duration::from_secs(180);

/// What the binary said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Stdout as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The paragraph of a text report that names the cause, in one line.
    pub fn cause(&self) -> String {
        let paragraph = self.out.split("\n\n").nth(1).unwrap_or_else(|| panic!("{self}"));
        let mut lines = paragraph.lines();
        let mut cause = lines.next().unwrap_or_default().trim().to_owned();
        // What is wrapped is indented by two more columns.
        for line in lines.take_while(|line| line.starts_with("    ")) {
            cause = format!("{cause} {}", line.trim());
        }
        cause
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// The binary, in `dir`, with nothing of the environment that steers it.
pub fn firedrill(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command.env_remove("FIREDRILL_CONFIG").env_remove("FIREDRILL_LOG");
    command
}

/// Runs it to its end; fails if it does not come within [`LIMIT`].
pub fn said(mut command: Command) -> Said {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
    let (mut out, mut err) =
        (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let read = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let read_err = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child") {
            break Some(status);
        }
        if waited > LIMIT {
            child.kill().expect("kill");
            child.wait().expect("wait");
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
        waited += Duration::from_millis(20);
    };
    let said = Said {
        code: status.and_then(|status| status.code()).unwrap_or(-1),
        out: read.join().expect("a thread").expect("UTF-8"),
        err: read_err.join().expect("a thread").expect("UTF-8"),
    };
    assert!(status.is_some(), "it did not end within {LIMIT:?}\n{said}");
    said
}

/// Runs `args` in `dir`.
pub fn run(dir: &Path, args: &[&str]) -> Said {
    said(firedrill(dir, args))
}

/// A folder with a configuration whose cluster `lab` is at `server`, with a token and the CA of a
/// PKI of its own.
pub struct Place {
    folder: tempfile::TempDir,
    pub pki: lab::pki::Pki,
}

impl Place {
    pub fn new(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pki = lab::pki::Pki::new(&folder.path().join("pki")).expect("a PKI");
        let place = Self { folder, pki };
        place.write("token", "not-a-token");
        place.write("firedrill.yaml", &config(server));
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("written");
        path
    }

    /// Runs the binary with this place's configuration.
    pub fn run(&self, args: &[&str]) -> Said {
        said(self.command(args))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        firedrill(self.path(), &[&["--config", "firedrill.yaml"], args].concat())
    }
}

/// A configuration with relative paths.
pub fn config(server: &str) -> String {
    format!(
        "apiVersion: firedrill.dev/v1alpha1\n\
         kind: Configuration\n\
         instance: lab\n\
         journal: journal/journal.db\n\
         drills: [drills]\n\
         clusters:\n\
         \x20 lab: {{server: \"{server}\", tokenFile: token, caFile: pki/ca.crt}}\n\
         targets:\n\
         \x20 shop: {{url: \"http://127.0.0.1:9\"}}\n\
         timings: {{sendTimeout: 3s, settle: 5s, veleroAccept: 20s}}\n"
    )
}

/// A drill that is without problems, for [`config`].
pub const DRILL: &str = "\
apiVersion: firedrill.dev/v1alpha1
kind: Drill
metadata: {name: shop-comes-back}
spec:
  cluster: lab
  checks:
    - name: shop-answers
      http: {target: shop, path: /healthz}
  steps:
    - name: restore
      veleroRestore:
        backup: {newestOf: {schedule: shop-nightly}}
        namespaces: [shop]
    - name: ready
      workloadsReady: {in: restore, stableFor: 10s}
  objectives:
    - {name: shop-rto, recoveryTime: 15m, from: restore, until: ready}
";
