//! The object store: the Versity gateway on a folder. Objects are files in it, so that a test can
//! damage one behind the server's back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::ByteStream,
};

use crate::{control_plane::LIMIT, processes::Recipe, site::Site};

/// The bucket that Velero and the etcd snapshots go to.
pub const BUCKET: &str = "lab";
/// The region that the gateway answers for.
pub const REGION: &str = "us-east-1";

/// A running gateway with one bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `http://127.0.0.1:port`
    pub endpoint: String,
    /// Access key id of the root account.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// File with an AWS `[default]` profile for it.
    pub credentials_file: PathBuf,
    /// Folder of the objects: `data/BUCKET/KEY`.
    pub data: PathBuf,
}

impl S3 {
    /// Starts the gateway and makes the bucket.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(site: &Site) -> anyhow::Result<Self> {
        let data = site.path("s3/data");
        for dir in ["s3/data", "s3/versions", "s3/iam"] {
            fs::create_dir_all(site.path(dir))?;
        }
        let address = format!("127.0.0.1:{}", site.ports.next()?);
        let (access_key, secret_key) =
            ("firedrill-lab".to_owned(), "firedrill-lab-secret".to_owned());
        let args = [
            "--port".to_owned(),
            address.clone(),
            "--access".into(),
            access_key.clone(),
            "--secret".into(),
            secret_key.clone(),
            "--iam-dir".into(),
            site.arg("s3/iam"),
            "--quiet".into(),
            "posix".into(),
            "--versioning-dir".into(),
            site.arg("s3/versions"),
            site.arg("s3/data"),
        ];
        site.processes.start("versitygw", &Recipe::new(site.binaries.path("versitygw"), args))?;
        let credentials_file = site.path("s3/credentials");
        fs::write(
            &credentials_file,
            format!(
                "[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n"
            ),
        )?;
        let endpoint = format!("http://{address}");
        let s3 = Self { endpoint, access_key, secret_key, credentials_file, data };
        let listening = || async { tokio::net::TcpStream::connect(&address).await.is_ok() };
        site.processes.wait_ready("versitygw", LIMIT, listening).await?;
        s3.client().create_bucket().bucket(BUCKET).send().await.context("making the bucket")?;
        site.progress.say("S3 ready");
        Ok(s3)
    }

    /// A client with all rights.
    #[must_use]
    pub fn client(&self) -> Client {
        let keys = Credentials::new(&self.access_key, &self.secret_key, None, None, "lab");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .credentials_provider(keys)
            .build();
        Client::from_conf(config)
    }

    /// Puts a file into the bucket under `key`.
    ///
    /// # Errors
    /// When the file cannot be read or the server refuses it.
    pub async fn put_file(&self, key: &str, path: &Path) -> anyhow::Result<()> {
        let body = ByteStream::from_path(path).await.with_context(|| path.display().to_string())?;
        let put = self.client().put_object().bucket(BUCKET).key(key).body(body);
        put.send().await.with_context(|| format!("putting {key}"))?;
        Ok(())
    }

    /// The keys under `prefix`, at most a thousand.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let list = self.client().list_objects_v2().bucket(BUCKET).prefix(prefix).send().await?;
        Ok(list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect())
    }

    /// The file that holds the object `key`.
    #[must_use]
    pub fn file(&self, key: &str) -> PathBuf {
        self.data.join(BUCKET).join(key)
    }
}
