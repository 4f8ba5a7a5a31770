//! A lab from its start to its end.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use kube::{Client, api::DynamicObject};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    account,
    apply::{Applier, documents},
    background,
    control_plane::{ControlPlane, LIMIT},
    guard::{Guard, Keep},
    inside::Inside,
    kwok,
    nodes::{self, NodeSpec},
    parts,
    pki::Pki,
    ports::Ports,
    processes::{self, PortTaken, Processes},
    progress::Progress,
    prometheus::Prometheus,
    s3::S3,
    site::Site,
    velero,
};

/// How a lab is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The nodes to start with.
    pub nodes: Vec<NodeSpec>,
    /// Whether Velero is there.
    pub velero: bool,
    /// Whether only failures and the building of parts are told.
    pub quiet: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: nodes::six(), velero: true, quiet: true }
    }
}

/// A running lab. Dropped without [`Lab::stop`], it ends as well, but keeps its logs and says
/// where: that is what a failed test does.
#[derive(Debug)]
pub struct Lab {
    // Shared with the panic hook alone.
    site: Arc<Site>,
    plane: ControlPlane,
    s3: S3,
    inside: Inside,
    names: AtomicU32,
    stopped: AtomicBool,
}

impl Lab {
    /// Starts a lab; builds its parts first if no lab has built them yet.
    ///
    /// # Errors
    /// When a compiler is missing or a part does not come up; the logs' place is in the message.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        // kube and reqwest bring the same provider; whoever comes first installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let quiet = options.quiet;
        // Minutes of compiling must not block the caller's runtime.
        let binaries =
            tokio::task::spawn_blocking(move || parts::ensure(&Progress::new(quiet))).await??;
        let mut tries = 0;
        loop {
            tries += 1;
            let site = Arc::new(site(binaries.clone(), quiet)?);
            match Self::start_on(Arc::clone(&site), &options).await {
                Ok(lab) => return Ok(lab),
                Err(error) if error.is::<PortTaken>() && tries < 5 => {
                    site.processes.guard().keep(Keep::Nothing);
                    stop_processes(&site);
                }
                Err(error) => {
                    stop_processes(&site);
                    let logs = site.path("logs");
                    return Err(
                        error.context(format!("the lab did not start; logs: {}", logs.display()))
                    );
                }
            }
        }
    }

    async fn start_on(site: Arc<Site>, options: &Options) -> anyhow::Result<Self> {
        let (plane, s3) = tokio::try_join!(ControlPlane::start(&site), S3::start(&site))?;
        let client = plane.client().await?;
        plane.start_controllers(&site)?;
        let inside = Inside::start(&site)?;
        kwok::start(&site, &plane, &inside)?;
        let with_velero = async {
            if options.velero {
                velero::install(&site, client.clone(), &s3).await?;
                velero::start(&site, &plane, &s3)?;
                velero::wait_available(&site, &client).await?;
                site.progress.say("Velero ready");
            }
            anyhow::Ok(())
        };
        let with_nodes = async {
            nodes::make(&client, &options.nodes).await?;
            if !options.nodes.is_empty() {
                nodes::wait_ready(&client, LIMIT).await?;
                site.progress.say(&format!("{} nodes ready", options.nodes.len()));
            }
            anyhow::Ok(())
        };
        let with_account = account::apply(client.clone());
        tokio::try_join!(with_velero, with_nodes, with_account)?;
        let (names, stopped) = (AtomicU32::new(0), AtomicBool::new(false));
        Ok(Self { site, plane, s3, inside, names, stopped })
    }

    /// The lab that all tests of this process share, started by the first that asks. Each test
    /// takes a namespace ([`Lab::namespace`]) and nodes of its own.
    ///
    /// # Errors
    /// As [`Lab::start`]; the next caller tries again.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceCell<Lab> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                // On the lab's runtime: it outlives the test that happens to be first.
                let lab = background::spawn(Self::start(Options::default())).await??;
                // Nobody stops a shared lab: the guard does when the process has ended, and only
                // a panic, which is a failed test, makes the logs worth keeping.
                lab.site.processes.guard().keep(Keep::Nothing);
                keep_logs_on_panic(Arc::downgrade(&lab.site));
                anyhow::Ok(lab)
            })
            .await
    }

    /// Ends the lab and removes its folder.
    ///
    /// # Errors
    /// When the caller's runtime ends meanwhile.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        let site = Arc::clone(&self.site);
        tokio::task::spawn_blocking(move || {
            stop_processes(&site);
            site.processes.guard().keep(Keep::Nothing);
            site.processes.guard().let_go();
        })
        .await?;
        Ok(())
    }

    /// A client with all rights, on the caller's runtime: kube's clients end with the runtime
    /// that they were made on.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client(&self) -> anyhow::Result<Client> {
        self.plane.client().await
    }

    /// Where etcd and the API server are.
    #[must_use]
    pub fn control_plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Where the object store is.
    #[must_use]
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// What a port-forward to a pod of the shop reaches, in every namespace.
    #[must_use]
    pub fn inside(&self) -> &Inside {
        &self.inside
    }

    /// The lab's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.site.dir
    }

    /// The CA of the API server's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.site.pki.ca_file()
    }

    /// What every part is started with.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Tells people something, with elapsed time.
    pub fn say(&self, line: &str) {
        self.site.progress.say(line);
    }

    /// Resident memory of all the lab's processes in bytes, and how many they are.
    #[must_use]
    pub fn memory(&self) -> (u64, usize) {
        processes::memory(self.site.processes.groups().into_values())
    }

    /// A name that no other caller of this lab gets: `prefix-1`.
    #[must_use]
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.names.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Makes a namespace of a name that nobody else has.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let name = self.unique(prefix);
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply_objects(vec![object]).await?;
        Ok(name)
    }

    /// Applies a YAML stream.
    ///
    /// # Errors
    /// The first object that the server refuses.
    pub async fn apply(&self, yaml: &str) -> anyhow::Result<Vec<DynamicObject>> {
        self.apply_objects(documents(yaml)?).await
    }

    /// Applies objects in order.
    ///
    /// # Errors
    /// The first object that the server refuses.
    pub async fn apply_objects(&self, objects: Vec<Value>) -> anyhow::Result<Vec<DynamicObject>> {
        Applier::new(self.client().await?).apply(objects).await
    }

    /// Makes further nodes and waits until they are ready.
    ///
    /// # Errors
    /// When one is refused or does not become ready.
    pub async fn make_nodes(&self, specs: &[NodeSpec]) -> anyhow::Result<()> {
        let client = self.client().await?;
        nodes::make(&client, specs).await?;
        nodes::wait_ready(&client, LIMIT).await
    }

    /// Makes a Velero backup and waits until it is Completed.
    ///
    /// # Errors
    /// As [`velero::backup`].
    pub async fn backup(&self, name: &str, namespaces: &[&str]) -> anyhow::Result<DynamicObject> {
        velero::backup(&self.client().await?, name, namespaces, None).await
    }

    /// Ends Velero's server at once, its plugins with it.
    pub fn stop_velero(&self) {
        self.site.processes.kill("velero");
    }

    /// Starts Velero's server again.
    ///
    /// # Errors
    /// When it runs, or does not come up.
    pub async fn start_velero(&self) -> anyhow::Result<()> {
        velero::start(&self.site, &self.plane, &self.s3)?;
        velero::wait_available(&self.site, &self.client().await?).await
    }

    /// Ends kwok at once: no node has a kubelet any more, and what was forwarded is cut.
    pub fn stop_kwok(&self) {
        self.site.processes.kill("kwok");
    }

    /// Starts a Prometheus that scrapes a page of the caller's; builds it first if no lab has
    /// built it yet. It ends when it is dropped.
    ///
    /// # Errors
    /// When it cannot be built or does not come up.
    pub async fn prometheus(&self) -> anyhow::Result<Prometheus> {
        Prometheus::start(&self.site, &self.unique("prometheus")).await
    }

    /// Saves a snapshot of the lab's etcd and puts it into the bucket under `key`; the local copy
    /// stays and its path is the answer.
    ///
    /// # Errors
    /// When etcd or the bucket refuses.
    pub async fn etcd_snapshot(&self, key: &str) -> anyhow::Result<PathBuf> {
        let folder = self.site.path("snapshots");
        fs::create_dir_all(&folder)?;
        let path = folder.join(self.unique("snapshot")).with_extension("db");
        let program = self.site.binaries.path("etcdctl");
        let (endpoint, target) = (self.plane.etcd.clone(), path.clone());
        let output = tokio::task::spawn_blocking(move || {
            std::process::Command::new(program)
                .arg(format!("--endpoints={endpoint}"))
                .args(["snapshot", "save"])
                .arg(target)
                .output()
        })
        .await??;
        if !output.status.success() {
            anyhow::bail!("etcdctl: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.s3.put_file(key, &path).await.context("the snapshot")?;
        Ok(path)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.stopped.load(Ordering::Relaxed) {
            let logs = self.site.path("logs");
            self.site
                .progress
                .insist(&format!("the lab was not stopped; logs: {}", logs.display()));
            stop_processes(&self.site);
        }
    }
}

fn site(binaries: parts::Binaries, quiet: bool) -> anyhow::Result<Site> {
    let dir = tempfile::Builder::new().prefix("firedrill-lab-").tempdir()?.keep();
    let guard = Guard::start(&dir)?;
    let logs = dir.join("logs");
    fs::create_dir(&logs)?;
    Ok(Site {
        binaries,
        processes: Processes::new(guard, logs),
        ports: Ports::take()?,
        pki: Pki::new(&dir.join("pki"))?,
        progress: Progress::new(quiet),
        dir,
    })
}

/// The API server ends before its etcd: without it, it ignores SIGTERM for minutes. Nobody needs
/// its open watches to end well, so it gets one second.
fn stop_processes(site: &Site) {
    site.processes.stop_all(&[
        (
            &["velero", "kwok", "kube-scheduler", "kube-controller-manager", "versitygw"],
            Duration::from_secs(2),
        ),
        (&["kube-apiserver"], Duration::from_secs(1)),
        (&["etcd"], Duration::from_secs(2)),
    ]);
}

fn keep_logs_on_panic(site: Weak<Site>) {
    let before = std::panic::take_hook();
    let told = AtomicBool::new(false);
    std::panic::set_hook(Box::new(move |info| {
        if let Some(site) = site.upgrade()
            && !told.swap(true, Ordering::Relaxed)
        {
            site.processes.guard().keep(Keep::Logs);
            site.progress
                .insist(&format!("logs of the shared lab: {}", site.path("logs").display()));
        }
        before(info);
    }));
}
