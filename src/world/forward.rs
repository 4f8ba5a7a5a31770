//! A port-forward to a ready pod of a Service: the way into a sandbox, which lets nobody else in.
//!
//! It changes no object, so it is no effect and no write of the closed table: the request is a GET
//! that becomes a WebSocket. What it can reach is strong all the same; config/rbac narrows it to
//! namespaces with our label.
//!
//! kube carries the WebSocket in a task of its own. That task belongs to [`Forwarded`], which ends
//! it when it is dropped, so it stands in no table of ours.

mod error;
pub mod http;

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use ::http::{HeaderName, HeaderValue};
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{Api, api::Portforwarder};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};

pub use self::error::ForwardError;
use super::{access::Need, kube::Cluster};
use crate::check::service::{Backend, PortRef, choose};

/// What our account must be allowed to. The forward is a GET that upgrades; a server that knows
/// `AuthorizePodWebsocketUpgradeCreatePermission` (Kubernetes 1.35) asks for `create` too.
pub const NEEDS: &[Need] = &[
    Need::cluster("get", "", "services"),
    Need::cluster("list", "discovery.k8s.io", "endpointslices"),
    Need { subresource: "portforward", ..Need::cluster("get", "", "pods") },
    Need { subresource: "portforward", ..Need::cluster("create", "", "pods") },
];

/// How long a forward to a port must stay without a refusal before the port counts as open.
const QUIET: Duration = Duration::from_secs(1);

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The namespace as it is called in the cluster: of a sandbox, its own name.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: PortRef,
}

/// What is asked by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Path and query, beginning with `/`.
    pub path: &'a str,
    /// The Host header; none = `SERVICE.NAMESPACE.svc`.
    pub host: Option<&'a str>,
    /// Further headers.
    pub headers: &'a [(HeaderName, HeaderValue)],
}

/// An answer by HTTP, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What was answered.
    pub answer: http::Answer,
    /// The pod that answered.
    pub backend: Backend,
}

/// What is being waited for, as the sentence of a time-out begins.
#[derive(Debug)]
struct Waiting(Mutex<String>);

impl Waiting {
    fn new(what: String) -> Self {
        Self(Mutex::new(what))
    }

    fn now(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Lets `work` take so long and no longer.
    async fn within<T>(
        &self,
        within: Duration,
        work: impl Future<Output = Result<T, ForwardError>>,
    ) -> Result<T, ForwardError> {
        match tokio::time::timeout(within, work).await {
            Ok(done) => done,
            Err(_) => {
                let what = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Err(ForwardError::Timeout { what, millis: within.as_millis() })
            }
        }
    }
}

impl Place {
    fn waiting(&self, cluster: &Cluster) -> Waiting {
        let Self { service, namespace, .. } = self;
        Waiting::new(format!(
            "cluster {} did not tell what is behind Service {service} in namespace {namespace}",
            cluster.name
        ))
    }
}

/// Opens a port-forward. `turn` counts the questions, so that each goes to the next ready pod;
/// `within` covers everything, from reading the Service on.
///
/// That it is open does not say that anything listens: a refusal comes over the open forward, as an
/// error of the first read.
///
/// # Errors
/// Why it cannot be opened, in one sentence.
pub async fn open(
    cluster: &Cluster,
    place: &Place,
    turn: u64,
    within: Duration,
) -> Result<Forwarded, ForwardError> {
    let waiting = place.waiting(cluster);
    waiting.within(within, connect(cluster, place, turn, &waiting)).await
}

/// Asks by HTTP over a port-forward, once. `within` covers everything, from reading the Service to
/// the last byte read.
///
/// # Errors
/// Why no whole answer came, in one sentence.
pub async fn get(
    cluster: &Cluster,
    place: &Place,
    turn: u64,
    question: &Question<'_>,
    within: Duration,
) -> Result<Reply, ForwardError> {
    let waiting = place.waiting(cluster);
    let ask = async {
        let mut stream = connect(cluster, place, turn, &waiting).await?;
        let whom = stream.whom();
        waiting.now(format!("{whom} did not answer"));
        let host = format!("{}.{}.svc", place.service, place.namespace);
        let request = http::Request {
            host: question.host.unwrap_or(&host),
            path: question.path,
            headers: question.headers,
        };
        let head = || waiting.now(format!("{whom} did not send its whole answer"));
        match http::exchange(&mut stream, &request, head).await {
            Ok(answer) => Ok(Reply { answer, backend: stream.backend.clone() }),
            Err(error) => Err(stream.refused().unwrap_or(ForwardError::Answer { whom, error })),
        }
    };
    waiting.within(within, ask).await
}

/// Whether anything listens: opens a port-forward and closes it again. A kubelet refuses at once
/// and says nothing else, so a port counts as open when it was silent for a second (or half of
/// `within`, if that is less) or has sent something.
///
/// # Errors
/// Why it cannot be reached, in one sentence.
pub async fn connects(
    cluster: &Cluster,
    place: &Place,
    turn: u64,
    within: Duration,
) -> Result<Backend, ForwardError> {
    let waiting = place.waiting(cluster);
    let ask = async {
        let mut stream = connect(cluster, place, turn, &waiting).await?;
        let mut byte = [0];
        match tokio::time::timeout(QUIET.min(within / 2), stream.read(&mut byte)).await {
            Err(_) | Ok(Ok(1..)) => Ok(stream.backend.clone()),
            Ok(Ok(0)) => Err(stream.refused().unwrap_or_else(|| stream.cut("it was closed"))),
            Ok(Err(error)) => {
                Err(stream.refused().unwrap_or_else(|| stream.cut(&error.to_string())))
            }
        }
    };
    waiting.within(within, ask).await
}

async fn connect(
    cluster: &Cluster,
    place: &Place,
    turn: u64,
    waiting: &Waiting,
) -> Result<Forwarded, ForwardError> {
    let backend = backend(cluster, place, turn).await?;
    let Place { namespace, .. } = place;
    let Backend { pod, port, .. } = &backend;
    waiting.now(format!("no port-forward to pod {pod} came up"));
    let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let mut carrier = api.portforward(pod, &[*port]).await.map_err(|error| {
        ForwardError::of_forward(&cluster.name, namespace, &backend, cluster.told(&error))
    })?;
    let io = carrier.take_stream(*port);
    let refusal = carrier.take_error(*port).map(FutureExt::boxed);
    let refused = |why: &str| ForwardError::refused(&backend, why);
    let io = io.ok_or_else(|| refused("the forward has no stream"))?;
    Ok(Forwarded { io, refusal, refused: None, carrier, backend })
}

/// The pod to forward to.
async fn backend(cluster: &Cluster, place: &Place, turn: u64) -> Result<Backend, ForwardError> {
    let Place { namespace, service, port } = place;
    let path = format!("/api/v1/namespaces/{namespace}/services/{service}");
    let told = cluster.read(&path).await.map_err(|error| {
        if error.is_not_found() {
            let (namespace, service) = (namespace.clone(), service.clone());
            return ForwardError::NoService { namespace, service };
        }
        ForwardError::of_read(&cluster.name, namespace, ("get", "services"), error)
    })?;
    let told: Service = decoded(cluster, told)?;
    let path = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices\
         ?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
    );
    let slices = cluster.list(&path).await.map_err(|error| {
        let right = ("list", "endpointslices.discovery.k8s.io");
        ForwardError::of_read(&cluster.name, namespace, right, error)
    })?;
    let slices: Result<Vec<EndpointSlice>, _> =
        slices.into_iter().map(|slice| decoded(cluster, slice)).collect();
    Ok(choose(&told, &slices?, port, turn)?)
}

fn decoded<T: serde::de::DeserializeOwned>(
    cluster: &Cluster,
    object: Value,
) -> Result<T, ForwardError> {
    serde_json::from_value(object).map_err(|error| {
        let (cluster, why) = (cluster.name.clone(), error.to_string());
        super::WorldError::Nonsense { cluster, why }.into()
    })
}

/// An open port-forward: bytes to and from a port of a pod. Dropped, it is closed.
///
/// The protocol knows no half-close: whoever shuts its writing down reads nothing more.
pub struct Forwarded {
    io: DuplexStream,
    /// Tells what the kubelet says when the port cannot be used; none once it has.
    refusal: Option<BoxFuture<'static, Option<String>>>,
    refused: Option<String>,
    carrier: Portforwarder,
    backend: Backend,
}

impl Forwarded {
    /// The pod that it leads to.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// What the kubelet said, if a read has failed because of it.
    fn refused(&self) -> Option<ForwardError> {
        self.refused.as_deref().map(|why| ForwardError::refused(&self.backend, why))
    }

    fn cut(&self, why: &str) -> ForwardError {
        let error = http::HttpError::Cut(why.to_owned());
        ForwardError::Answer { whom: self.whom(), error }
    }

    fn whom(&self) -> String {
        format!("port {} of pod {}", self.backend.port, self.backend.pod)
    }

    /// Looks whether the kubelet has refused.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        let Poll::Ready(said) = self.refusal.as_mut()?.poll_unpin(cx) else { return None };
        self.refusal = None;
        let said = said?;
        self.refused = Some(said.clone());
        Some(io::Error::new(io::ErrorKind::ConnectionRefused, said))
    }
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.poll_refusal(cx) {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        // The refusal and the end come one after the other: an end without a reason is asked for
        // it once more.
        if read.is_ready()
            && buffer.filled().len() == before
            && let Some(error) = self.poll_refusal(cx)
        {
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        // Without this kube's task would go on until the server closes.
        self.carrier.abort();
    }
}
