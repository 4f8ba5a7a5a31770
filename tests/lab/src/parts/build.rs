//! Building parts: once for each content hash, one lab at a time, in sight of who waits.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{Binaries, Extra, PARTS, Part, cache_folder, toolchain};
use crate::{
    guard::{Guard, Keep},
    progress::{Progress, human},
};

/// How often a line says that a build still goes on.
const REPORT: Duration = Duration::from_secs(5);

/// The binaries that every lab needs, built first if they are not in the cache.
///
/// # Errors
/// [`toolchain::Problem`] when a compiler is missing; else what the Go command said.
pub fn ensure(progress: &Progress) -> anyhow::Result<Binaries> {
    ensure_those(|part| !part.on_request, progress)
}

/// The part `name`, built first if it is not in the cache.
///
/// # Errors
/// As [`ensure`]; also when there is no such part.
pub fn ensure_part(name: &str, progress: &Progress) -> anyhow::Result<Binaries> {
    if !PARTS.iter().any(|part| part.name == name) {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        bail!("the lab has no part {name}; it has {}", names.join(", "));
    }
    ensure_those(|part| part.name == name, progress)
}

fn ensure_those(wanted: impl Fn(&Part) -> bool, progress: &Progress) -> anyhow::Result<Binaries> {
    let cache = cache_folder()?;
    let missing = || {
        let wanted = PARTS.iter().filter(|part| wanted(part));
        wanted.filter(|part| !part.folder(&cache).exists()).collect::<Vec<_>>()
    };
    if !missing().is_empty() {
        fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
        toolchain::require_go(&cache)?;
        let lock = File::create(cache.join("lock"))?;
        if lock.try_lock().is_err() {
            progress.insist("another lab builds the parts; waiting for it");
            lock.lock()?;
        }
        // The other lab may have built them all.
        let missing = missing();
        for (i, part) in missing.iter().enumerate() {
            progress.insist(&format!(
                "building {} ({} of {}): the first time takes about {} on two cores",
                part.name,
                i + 1,
                missing.len(),
                part.first_build
            ));
            build(part, &cache, progress).with_context(|| format!("building {}", part.name))?;
        }
    }
    Ok(Binaries { cache })
}

/// What [`ensure`] does, and [`ensure_part`] for each of `with`, told in full: for
/// `cargo lab build`.
///
/// # Errors
/// As [`ensure_part`].
pub fn build_all(with: &[String], progress: &Progress) -> anyhow::Result<()> {
    let binaries = ensure(progress)?;
    for name in with {
        ensure_part(name, progress)?;
    }
    let built = |part: &&Part| !part.on_request || with.iter().any(|name| name == part.name);
    for part in PARTS.iter().filter(built) {
        progress.insist(&format!("{}: {}", part.name, part.folder(&binaries.cache).display()));
    }
    Ok(())
}

fn build(part: &Part, cache: &Path, progress: &Progress) -> anyhow::Result<()> {
    let start = Instant::now();
    // In the cache's own file system, so that the last step is one rename.
    let work = tempfile::Builder::new().prefix(".building-").tempdir_in(cache)?;
    let (source, raw, out) =
        (work.path().join("source"), work.path().join("raw"), work.path().join("out"));
    for dir in [&source, &raw, &out] {
        fs::create_dir(dir)?;
    }
    fs::write(source.join("go.mod"), part.go_mod)?;
    fs::write(source.join("go.sum"), part.go_sum)?;
    let mut command = go(&source);
    command.args(["build", "-v", "-trimpath", "-ldflags", &part.ldflags()]);
    command.args(["-tags", &part.tags.join(","), "-o"]);
    command.arg(format!("{}/", raw.display())).arg("tool");
    run_visibly(part.name, command, work.path(), progress)?;
    for (built, name) in part.tools {
        fs::rename(raw.join(built), out.join(name))
            .with_context(|| format!("no {built} came out"))?;
    }
    for extra in part.extras {
        let text = make(extra, &source, &out).with_context(|| extra.file())?;
        fs::write(out.join(extra.file()), text)?;
    }
    fs::rename(&out, part.folder(cache))?;
    progress.insist(&format!("{} built in {}", part.name, human(start.elapsed())));
    Ok(())
}

fn go(source: &Path) -> Command {
    let mut command = Command::new("go");
    // A workspace or flags of the user's own would change what is built.
    command.current_dir(source).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "");
    command
}

fn make(extra: &Extra, source: &Path, out: &Path) -> anyhow::Result<String> {
    match extra {
        Extra::Output { tool, args, .. } => output(Command::new(out.join(tool)).args(*args)),
        Extra::Concat { module, sources, .. } => {
            let dir = output(go(source).args(["list", "-m", "-f", "{{.Dir}}", module]))?;
            let files: Result<Vec<String>, _> = sources
                .iter()
                .map(|file| {
                    let path = Path::new(dir.trim()).join(file);
                    fs::read_to_string(&path).with_context(|| path.display().to_string())
                })
                .collect();
            Ok(files?.join("---\n"))
        }
    }
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{:?}: {}", command.get_program(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What the Go command has said so far.
#[derive(Default)]
struct Said {
    downloads: usize,
    packages: usize,
    /// Lines that are neither: errors.
    other: Vec<String>,
}

fn run_visibly(
    name: &str,
    mut command: Command,
    work: &Path,
    progress: &Progress,
) -> anyhow::Result<()> {
    // The compiler's processes end with us, and so does the half-built folder.
    let guard = Guard::start(work)?;
    guard.keep(Keep::Nothing);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("go")?;
    guard.add(child.id())?;
    let said = Arc::new(Mutex::new(Said::default()));
    let reader = child.stderr.take().map(|stderr| {
        let said = Arc::clone(&said);
        std::thread::spawn(move || listen(stderr, &said))
    });
    let status = wait_visibly(name, &mut child, &said, progress)?;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    guard.remove(child.id());
    // The folder is still needed: take the order to remove it back.
    guard.keep(Keep::Everything);
    if !status.success() {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        bail!("the Go command failed:\n{}", said.other.join("\n"));
    }
    Ok(())
}

fn listen(stderr: impl Read, said: &Mutex<Said>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if line.starts_with("go: downloading ") {
            said.downloads += 1;
        } else if line.contains([' ', ':']) {
            said.other.push(line);
        } else {
            // `-v` prints the bare import path of each package that it compiles.
            said.packages += 1;
        }
    }
}

fn wait_visibly(
    name: &str,
    child: &mut Child,
    said: &Mutex<Said>,
    progress: &Progress,
) -> anyhow::Result<std::process::ExitStatus> {
    let start = Instant::now();
    let mut next = REPORT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(100));
        if start.elapsed() > next {
            next += REPORT;
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            progress.insist(&format!(
                "  {name}: {}, {} modules fetched, {} packages compiled",
                human(start.elapsed()),
                said.downloads,
                said.packages
            ));
        }
    }
}
