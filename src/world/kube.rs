//! A cluster: one client, with deadlines on everything that is not a watch.

use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::Value;

use super::{
    client::{self, Connected},
    error::WorldError,
    login::Credential,
};
use crate::{
    clock::{Clock as _, SystemClock},
    config::{Caps, Cluster as Settings, Timings},
    mark::FIELD_MANAGER,
    run::event::Target,
};

/// A cluster of the configuration, connected.
#[derive(Clone)]
pub struct Cluster {
    /// Its configured name.
    pub name: String,
    /// Velero's namespace.
    pub velero_namespace: String,
    /// The most that one run may touch here.
    pub caps: Caps,
    /// Resources that may be restored although they own something outside their namespace.
    pub may_own_outside: Vec<String>,
    /// How long a read or a write may take.
    pub timeout: Duration,
    client: Client,
    server: String,
    credential: Credential,
}

/// How a write is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// POST of a new object or of a subresource.
    Create,
    /// JSON merge patch.
    MergePatch,
    /// PUT.
    Replace,
    /// DELETE with options in the body.
    Delete,
}

impl Cluster {
    /// Builds the client; sends nothing.
    ///
    /// # Errors
    /// If the kubeconfig, token or CA file cannot be used.
    pub async fn connect(
        name: &str,
        settings: &Settings,
        timings: &Timings,
    ) -> Result<Self, WorldError> {
        let Connected { client, server, credential } =
            client::connect(name, &settings.login).await?;
        Ok(Self {
            name: name.to_owned(),
            velero_namespace: settings.velero_namespace.clone(),
            caps: settings.caps,
            may_own_outside: settings.may_own_outside.clone(),
            timeout: timings.send_timeout,
            client,
            server,
            credential,
        })
    }

    /// The client, for watches.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Reads one object; `None` if it does not exist.
    ///
    /// # Errors
    /// Anything but 200 and 404.
    pub async fn get(&self, target: &Target) -> Result<Option<Value>, WorldError> {
        match self.read(&path(target)).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads all items of a list, page by page. `path` may carry a query.
    ///
    /// # Errors
    /// Anything but 200.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, WorldError> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = self.read(&format!("{path}{join}limit=500{token}")).await?;
            if let Some(Value::Array(page_items)) = page.get("items") {
                items.extend(page_items.iter().cloned());
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => token = format!("&continue={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// GET of a path.
    ///
    /// # Errors
    /// Anything but 200.
    pub async fn read(&self, path: &str) -> Result<Value, WorldError> {
        let request = Request::get(path).body(Vec::new());
        self.request(request, self.timeout).await
    }

    /// One write, sent once. Only `run/effect.rs` and the closed table of exceptions call it.
    ///
    /// The server is told to give up in time (`?timeout=`), so that after it a request of ours
    /// cannot come into force any more.
    ///
    /// # Errors
    /// Anything but 2xx; see [`WorldError::is_refusal`] for what that proves.
    pub async fn send_write(
        &self,
        how: Write,
        path: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<Value, WorldError> {
        let seconds = timeout.as_secs().max(1);
        let (method, content) = match how {
            Write::Create => (Method::POST, "application/json"),
            Write::MergePatch => (Method::PATCH, "application/merge-patch+json"),
            Write::Replace => (Method::PUT, "application/json"),
            Write::Delete => (Method::DELETE, "application/json"),
        };
        let manager = match how {
            Write::Delete => String::new(),
            _ => format!("&fieldManager={FIELD_MANAGER}"),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?timeout={seconds}s{manager}"))
            .header(http::header::CONTENT_TYPE, content)
            .body(body.to_string().into_bytes());
        self.request(request, timeout).await
    }

    async fn request(
        &self,
        request: Result<Request<Vec<u8>>, http::Error>,
        timeout: Duration,
    ) -> Result<Value, WorldError> {
        let request = request.map_err(|error| WorldError::Nonsense {
            cluster: self.name.clone(),
            why: format!("cannot build the request: {error}"),
        })?;
        match tokio::time::timeout(timeout, self.client.request::<Value>(request)).await {
            Ok(Ok(value)) => self.success(value),
            Ok(Err(error)) => Err(self.told(&error)),
            Err(_) => {
                Err(WorldError::Timeout { cluster: self.name.clone(), seconds: timeout.as_secs() })
            }
        }
    }

    /// A client's error as what it means, for requests that go past [`Cluster::read`].
    #[must_use]
    pub fn told(&self, error: &kube::Error) -> WorldError {
        self.explained(WorldError::from_kube(&self.name, &self.server, error))
    }

    /// "Unauthorized" alone sends nobody to the right file.
    fn explained(&self, mut error: WorldError) -> WorldError {
        if let WorldError::Status { code: 401, message, .. } = &mut error {
            let doubt = match SystemClock::new() {
                Ok(clock) => self.credential.doubt(clock.now().wall),
                Err(error) => format!("no clock: {error}"),
            };
            *message = format!("cluster {} does not let us in (401): {doubt}", self.name);
        }
        error
    }

    /// Some servers write a failure Status with a 2xx code (an eviction under two budgets).
    fn success(&self, value: Value) -> Result<Value, WorldError> {
        let failed = value.get("kind").and_then(Value::as_str) == Some("Status")
            && value.get("status").and_then(Value::as_str) == Some("Failure");
        if !failed {
            return Ok(value);
        }
        match serde_json::from_value(value) {
            Ok(status) => Err(WorldError::from_status(&status)),
            Err(error) => {
                Err(WorldError::Nonsense { cluster: self.name.clone(), why: error.to_string() })
            }
        }
    }
}

/// The URL path of an object.
#[must_use]
pub fn path(target: &Target) -> String {
    format!("{}/{}", collection(target), target.name)
}

/// The URL path of the collection that an object is created in.
#[must_use]
pub fn collection(target: &Target) -> String {
    let root = if target.group.is_empty() {
        format!("/api/{}", target.version)
    } else {
        format!("/apis/{}/{}", target.group, target.version)
    };
    match &target.namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{}", target.plural),
        None => format!("{root}/{}", target.plural),
    }
}
