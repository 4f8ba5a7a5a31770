//! Connections: accepts them, applies the rules, forwards, and hands answers through.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::{
    record::{State, Waiting},
    rule::Action,
    tls,
};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// The connection is to be closed without an answer. hyper closes it when the service fails.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by a rule")
    }
}

impl std::error::Error for Closed {}

/// The server behind the proxy, with connections kept open.
#[derive(Debug)]
pub(super) struct Upstream {
    base: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Upstream {
    pub fn new(url: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let base: Uri = url.parse().with_context(|| format!("bad upstream URL {url}"))?;
        anyhow::ensure!(
            base.scheme().is_some() && base.authority().is_some(),
            "bad upstream URL {url}: scheme and host are needed"
        );
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(ca)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { base, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends a request on; the answer's body is still to come.
    async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Incoming>> {
        let (mut parts, body) = request.into_parts();
        let mut uri = self.base.clone().into_parts();
        uri.path_and_query = Some(
            parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        );
        parts.uri = Uri::from_parts(uri)?;
        parts.version = http::Version::HTTP_11;
        drop_hop_by_hop(&mut parts.headers);
        Ok(self.client.request(Request::from_parts(parts, Full::new(body))).await?)
    }
}

/// Headers that belong to one connection (RFC 9110, section 7.6.1), without those of an upgrade
/// where one is asked for. `Host` stays as the client wrote it: S3 signatures cover it.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let upgrade = headers.get(header::UPGRADE).cloned();
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, http::HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// Accepts connections until the proxy stops.
pub(super) async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    upstream: Arc<Upstream>,
    state: Arc<State>,
) {
    loop {
        let stream = tokio::select! {
            () = state.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // The client left already, or descriptors ran out: do not spin on it.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        let closed = state.connection();
        let (acceptor, upstream, shared) =
            (acceptor.clone(), Arc::clone(&upstream), Arc::clone(&state));
        state.tasks.spawn(async move {
            let serve = async {
                // Without it every small answer waits for the client's acknowledgement.
                let _ = stream.set_nodelay(true);
                match acceptor {
                    None => connection(stream, upstream, shared).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            connection(stream, upstream, shared).await;
                        }
                    }
                }
            };
            tokio::select! { () = closed.cancelled() => {}, () = serve => {} }
        });
    }
}

async fn connection<S>(stream: S, upstream: Arc<Upstream>, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (upstream, state) = (Arc::clone(&upstream), Arc::clone(&state));
        async move { answer(request, upstream, state).await }
    });
    // Ends with an error whenever a rule or the client closes it: both are business as usual.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// One request: what the rules say, else forwarded.
async fn answer(
    mut request: Request<Incoming>,
    upstream: Arc<Upstream>,
    state: Arc<State>,
) -> Result<Answer, Closed> {
    let method = request.method().clone();
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let agent = request.headers().get(header::USER_AGENT);
    let agent = agent.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let id = state.see(method.clone(), target.clone(), agent.clone());
    let action = state.lock().rules.decide(&method, &target, &agent);
    state.note(id, |seen| seen.action = action.as_ref().map(Action::name));
    let waiting = Waiting::new(&state, id);

    if action == Some(Action::Cut) {
        waiting.answered(None);
        return Err(Closed);
    }
    let upgrade =
        request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let forward = Forward { id, request: Request::from_parts(parts, body), upgrade, upstream };

    let answer = match action {
        None => forward.send(&state).await,
        Some(Action::Cut) => None,
        Some(Action::CutAfter) => {
            forward.apply(&state).await;
            None
        }
        Some(Action::HangAfter) => {
            forward.apply(&state).await;
            std::future::pending().await
        }
        Some(Action::Delay(by)) => {
            tokio::time::sleep(by).await;
            forward.send(&state).await
        }
        Some(Action::Hang) => match state.hold(id).await {
            Ok(tell) => {
                let answer = forward.send(&state).await;
                // Nobody has to wait for it.
                let _ = tell.send(outcome(&state, id));
                answer
            }
            Err(_) => None,
        },
        Some(Action::Hold) => hold(forward, &state).await,
        Some(Action::Answer { code, headers, body }) => Some(made_up(code, headers, body)),
    };
    waiting.answered(answer.as_ref().map(|a| a.status().as_u16()));
    answer.ok_or(Closed)
}

/// Holds a request in a task of its own, so that it outlives its client.
async fn hold(forward: Forward, state: &Arc<State>) -> Option<Answer> {
    let (hand, handed) = oneshot::channel();
    let shared = Arc::clone(state);
    let released = state.hold(forward.id);
    state.tasks.spawn(async move {
        let id = forward.id;
        let tell = tokio::select! {
            () = shared.stop.cancelled() => return,
            tell = released => match tell { Ok(tell) => tell, Err(_) => return },
        };
        let answer = tokio::select! {
            () = shared.stop.cancelled() => return,
            answer = forward.send(&shared) => answer,
        };
        let _ = tell.send(outcome(&shared, id));
        // Refused if the client has gone: then the answer ends here.
        let _ = hand.send(answer);
    });
    handed.await.ok().flatten()
}

/// What the server said to a request that was forwarded.
fn outcome(state: &State, id: u64) -> Result<u16, String> {
    let inner = state.lock();
    let seen = usize::try_from(id).ok().and_then(|i| inner.seen.get(i));
    match seen {
        Some(seen) => seen.upstream.ok_or_else(|| seen.error.clone().unwrap_or_default()),
        None => Err("unknown request".to_owned()),
    }
}

fn made_up(code: u16, headers: HeaderMap, body: Vec<u8>) -> Answer {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT);
    *answer.headers_mut() = headers;
    answer
}

/// A request that is ready to go.
struct Forward {
    id: u64,
    request: Request<Bytes>,
    upgrade: Option<OnUpgrade>,
    upstream: Arc<Upstream>,
}

impl Forward {
    /// Sends it on; none if the server could not be reached or gave no answer, as a client without
    /// a proxy would find its connection closed.
    async fn send(self, state: &Arc<State>) -> Option<Answer> {
        let id = self.id;
        let mut answer = match self.upstream.send(self.request).await {
            Ok(answer) => answer,
            Err(error) => {
                state.note(id, |seen| seen.error = Some(format!("{error:#}")));
                return None;
            }
        };
        state.note(id, |seen| seen.upstream = Some(answer.status().as_u16()));
        let switched = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(client) = self.upgrade.filter(|_| switched) {
            tunnel(client, hyper::upgrade::on(&mut answer), state);
        }
        let (mut parts, body) = answer.into_parts();
        drop_hop_by_hop(&mut parts.headers);
        Some(Response::from_parts(parts, body.boxed()))
    }

    /// Sends it on and reads the answer to its end, even if the client leaves meanwhile.
    async fn apply(self, state: &Arc<State>) {
        let shared = Arc::clone(state);
        let applied = state.tasks.spawn(async move {
            let apply = async {
                if let Some(answer) = self.send(&shared).await {
                    let _ = answer.into_body().collect().await;
                }
            };
            tokio::select! { () = shared.stop.cancelled() => {}, () = apply => {} }
        });
        let _ = applied.await;
    }
}

/// Joins two upgraded connections (WebSocket) until one of them ends.
fn tunnel(client: OnUpgrade, server: OnUpgrade, state: &Arc<State>) {
    let closed = state.connection();
    state.tasks.spawn(async move {
        let join = async {
            if let Ok((client, server)) = tokio::try_join!(client, server) {
                let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        };
        tokio::select! { () = closed.cancelled() => {}, () = join => {} }
    });
}
