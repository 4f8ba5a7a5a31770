//! etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context;
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};

use crate::{processes::Recipe, site::Site};

/// How long one part may take to answer, on a machine that is busy with other things too.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// Where etcd and the API server are.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// `https://127.0.0.1:port` of the API server.
    pub server: String,
    /// `http://127.0.0.1:port` of etcd.
    pub etcd: String,
    /// A kubeconfig in the group system:masters.
    pub kubeconfig: PathBuf,
    /// The API server's audit log: one JSON object on a line for each request.
    pub audit_log: PathBuf,
}

impl ControlPlane {
    /// Starts etcd and, as soon as it answers, the API server; returns when that is ready.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start(site: &Site) -> anyhow::Result<Self> {
        let etcd = start_etcd(site).await?;
        let port = site.ports.next()?;
        let server = format!("https://127.0.0.1:{port}");
        let audit_log = site.path("logs/audit.log");
        fs::write(site.path("audit-policy.yaml"), crate::audit::POLICY)?;
        site.processes.start("kube-apiserver", &apiserver(site, &etcd, port)?)?;

        let admin = site.pki.client("admin", "lab-admin", Some("system:masters"))?;
        let kubeconfig = site.path("kubeconfig");
        site.pki.kubeconfig(&kubeconfig, &server, &admin)?;
        let plane = Self { server, etcd, kubeconfig, audit_log };
        let client = plane.client().await?;
        let ready = || async {
            let request = http::Request::get("/readyz").body(Vec::new());
            match request {
                Ok(request) => client.request_text(request).await.is_ok(),
                Err(_) => false,
            }
        };
        site.processes.wait_ready("kube-apiserver", LIMIT, ready).await?;
        site.progress.say("kube-apiserver ready");
        Ok(plane)
    }

    /// A client with all rights, on the caller's runtime.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client(&self) -> anyhow::Result<Client> {
        client(Kubeconfig::read_from(&self.kubeconfig)?).await
    }

    /// A client with the rights of whom `token` is for, on the caller's runtime. `server` is the
    /// URL of the API server, or of a proxy before it whose certificate is of the lab's CA.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client_of(&self, token: &str, server: &str) -> anyhow::Result<Client> {
        let mut kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
            cluster.server = Some(server.to_owned());
        }
        for user in &mut kubeconfig.auth_infos {
            let token = Some(token.to_owned().into());
            user.auth_info = Some(AuthInfo { token, ..AuthInfo::default() });
        }
        client(kubeconfig).await
    }

    /// Starts the controllers and the scheduler, without waiting for them.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_controllers(&self, site: &Site) -> anyhow::Result<()> {
        let controllers = self.component(site, "kube-controller-manager")?;
        let args = [
            format!(
                "--service-account-private-key-file={}",
                site.pki.service_account_key().display()
            ),
            format!("--root-ca-file={}", site.pki.ca_file().display()),
            "--use-service-account-credentials".into(),
            // The defaults of a real cluster's pace would only make tests wait.
            "--kube-api-qps=300".into(),
            "--kube-api-burst=600".into(),
            "--concurrent-deployment-syncs=10".into(),
        ];
        let args = controllers.args.iter().cloned().chain(args);
        site.processes
            .start("kube-controller-manager", &Recipe::new(controllers.program.clone(), args))?;
        let scheduler = self.component(site, "kube-scheduler")?;
        site.processes.start("kube-scheduler", &scheduler)
    }

    /// What controller manager and scheduler have in common.
    fn component(&self, site: &Site, name: &str) -> anyhow::Result<Recipe> {
        let identity = site.pki.client(name, &format!("system:{name}"), None)?;
        let kubeconfig = site.path(&format!("{name}.kubeconfig"));
        site.pki.kubeconfig(&kubeconfig, &self.server, &identity)?;
        let kubeconfig = kubeconfig.display();
        let serving = site.pki.server(&format!("{name}-serving"))?;
        Ok(Recipe::new(
            site.binaries.path(name),
            [
                format!("--kubeconfig={kubeconfig}"),
                format!("--authentication-kubeconfig={kubeconfig}"),
                format!("--authorization-kubeconfig={kubeconfig}"),
                "--leader-elect=false".into(),
                "--bind-address=127.0.0.1".into(),
                format!("--secure-port={}", site.ports.next()?),
                format!("--tls-cert-file={}", serving.cert.display()),
                format!("--tls-private-key-file={}", serving.key.display()),
                "--profiling=false".into(),
            ],
        ))
    }
}

async fn client(kubeconfig: Kubeconfig) -> anyhow::Result<Client> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // An observer sees the server's first answer: kube would repeat a refused eviction 15 times.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

async fn start_etcd(site: &Site) -> anyhow::Result<String> {
    let client = format!("http://127.0.0.1:{}", site.ports.next()?);
    let peer = format!("http://127.0.0.1:{}", site.ports.next()?);
    let args = [
        "--name=lab".into(),
        format!("--data-dir={}", site.arg("etcd")),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=lab={peer}"),
        // The data lives as long as the lab: nothing to save from a power cut.
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ];
    site.processes.start("etcd", &Recipe::new(site.binaries.path("etcd"), args))?;
    let health = format!("{client}/health");
    let http = reqwest::Client::new();
    let ready = async || matches!(http.get(&health).send().await, Ok(answer) if answer.status().is_success());
    site.processes.wait_ready("etcd", LIMIT, ready).await?;
    site.progress.say("etcd ready");
    Ok(client)
}

fn apiserver(site: &Site, etcd: &str, port: u16) -> anyhow::Result<Recipe> {
    let serving = site.pki.server("kube-apiserver")?;
    let program = site.binaries.path("kube-apiserver");
    let keys = site.pki.service_account_key();
    let keys = keys.to_str().context("a path that is not UTF-8")?;
    Ok(Recipe::new(
        program,
        [
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", serving.cert.display()),
            format!("--tls-private-key-file={}", serving.key.display()),
            format!("--client-ca-file={}", site.pki.ca_file().display()),
            format!(
                "--service-account-key-file={}",
                site.pki.service_account_public_key().display()
            ),
            format!("--service-account-signing-key-file={keys}"),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            "--authorization-mode=RBAC".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--allow-privileged".into(),
            format!("--audit-log-path={}", site.arg("logs/audit.log")),
            format!("--audit-policy-file={}", site.arg("audit-policy.yaml")),
            // In megabytes: an observer reads one file from its beginning, so none is rotated.
            "--audit-log-maxsize=16384".into(),
            "--profiling=false".into(),
        ],
    ))
}
