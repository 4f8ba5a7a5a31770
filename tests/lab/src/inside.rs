//! The shop as it is inside its pods: what a port-forward to a pod of the lab reaches.
//!
//! No container runs, so there is one process for all pods of all namespaces, sandboxes among them:
//! kwok forwards the shop's ports to it ([`PORTS`]) and refuses all others, as a kubelet does where
//! nothing listens. What it answers is one word in a file, so that a test can say it
//! ([`Inside::set`]) and a person can too: `echo 503 > FOLDER/inside`.
//!
//! One thing is not as with a kubelet: kwok passes no end on, in neither direction. Where the
//! process hangs up ([`Mode::Cut`]), the client finds silence; and where the client leaves, the
//! process finds silence, which is why it hangs up by itself after two minutes.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{background::Task, loopback, site::Site};

/// The ports of the shop's pods: web, api, database.
pub const PORTS: [u16; 3] = [8080, 8081, 5432];

/// How long a connection may last.
const SILENCE: Duration = Duration::from_secs(120);

/// What `GET /healthz` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This status and a short body; the default is 200.
    Answer(u16),
    /// The request is read, and nothing comes.
    Hang,
    /// A good head and half of its body, and then nothing.
    Half,
    /// The connection is closed without an answer.
    Cut,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(status) => write!(f, "{status}"),
            Self::Hang => f.write_str("hang"),
            Self::Half => f.write_str("half"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

impl FromStr for Mode {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text.trim() {
            "hang" => Self::Hang,
            "half" => Self::Half,
            "cut" => Self::Cut,
            status => match status.parse() {
                Ok(status @ 200..=599) => Self::Answer(status),
                _ => bail!("write a status, or hang, half, cut: not {status:?}"),
            },
        })
    }
}

/// The process inside all pods.
#[derive(Debug)]
pub struct Inside {
    address: SocketAddr,
    file: PathBuf,
    asked: Arc<AtomicUsize>,
    _task: Task,
}

impl Inside {
    /// Starts it, answering 200.
    ///
    /// # Errors
    /// When no port is to be had, or the file cannot be written.
    pub fn start(site: &Site) -> anyhow::Result<Self> {
        Self::start_with(site.path("inside"))
    }

    fn start_with(file: PathBuf) -> anyhow::Result<Self> {
        let (told, asked) = (file.clone(), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&asked);
        let (address, task) = loopback::serve(move |stream| {
            let served = serve(stream, told.clone(), Arc::clone(&count));
            async move { tokio::time::timeout(SILENCE, served).await.unwrap_or(Ok(())) }
        })?;
        let inside = Self { address, file, asked, _task: task };
        inside.set(Mode::Answer(200))?;
        Ok(inside)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that says what it answers.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How many questions came so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Says what it answers from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, mode: Mode) -> anyhow::Result<()> {
        // Renamed, so that no request finds half a word.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{mode}\n")).with_context(|| new.display().to_string())?;
        fs::rename(&new, &self.file).with_context(|| self.file.display().to_string())
    }
}

async fn serve(
    mut stream: TcpStream,
    file: PathBuf,
    asked: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let Some(head) = loopback::head(&mut stream).await? else { return Ok(()) };
    asked.fetch_add(1, Ordering::SeqCst);
    if loopback::path(&head) != "/healthz" {
        return loopback::answer(stream, 404, "there is only /healthz\n").await;
    }
    let told = tokio::fs::read_to_string(&file).await?;
    let mode: Mode = match told.parse() {
        Ok(mode) => mode,
        Err(error) => return loopback::answer(stream, 500, &format!("{error}\n")).await,
    };
    let body = format!("{mode} from inside, asked as {}\n", loopback::header(&head, "host"));
    match mode {
        Mode::Answer(status) => loopback::answer(stream, status, &body).await,
        Mode::Hang => loopback::until_it_leaves(stream).await,
        Mode::Half => {
            let half = loopback::answer_head(200, 2 * body.len()) + &body;
            stream.write_all(half.as_bytes()).await?;
            loopback::until_it_leaves(stream).await
        }
        Mode::Cut => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_a_file_is_a_mode() {
        for mode in [Mode::Answer(200), Mode::Answer(503), Mode::Hang, Mode::Half, Mode::Cut] {
            assert_eq!(mode.to_string().parse::<Mode>().unwrap(), mode);
        }
        for odd in ["", "99", "600", "ok", "-1"] {
            assert!(odd.parse::<Mode>().is_err(), "{odd}");
        }
    }

    #[tokio::test]
    async fn it_answers_as_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let inside = Inside::start_with(dir.path().join("inside")).unwrap();
        let client =
            reqwest::Client::builder().timeout(Duration::from_millis(500)).build().unwrap();
        let ask = |path: &str| client.get(format!("http://{}{path}", inside.address())).send();
        let good = ask("/healthz").await.unwrap();
        assert_eq!(good.status(), 200);
        let body = good.text().await.unwrap();
        assert_eq!(body, format!("200 from inside, asked as {}\n", inside.address()));
        assert_eq!(ask("/").await.unwrap().status(), 404);
        inside.set(Mode::Answer(503)).unwrap();
        assert_eq!(ask("/healthz").await.unwrap().status(), 503);
        inside.set(Mode::Hang).unwrap();
        assert!(ask("/healthz").await.unwrap_err().is_timeout());
        inside.set(Mode::Half).unwrap();
        let half = ask("/healthz").await.unwrap();
        assert_eq!(half.status(), 200);
        assert!(half.text().await.is_err());
        inside.set(Mode::Cut).unwrap();
        assert!(!ask("/healthz").await.unwrap_err().is_timeout());
        fs::write(inside.file(), "what").unwrap();
        assert_eq!(ask("/healthz").await.unwrap().status(), 500);
        assert_eq!(inside.asked(), 7);
    }
}
