//! Each rule against a small server in this process that writes down what reached it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response, header};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;

const SOON: Duration = Duration::from_secs(5);

/// Requests that reached the server: method, path and query, token, body.
type Got = Arc<Mutex<Vec<(String, String, String, String)>>>;

struct Server {
    url: String,
    got: Got,
    connections: Arc<Mutex<u32>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("address"));
        let (got, connections) = (Got::default(), Arc::new(Mutex::new(0)));
        let mut tasks = JoinSet::new();
        let (shared, count) = (Arc::clone(&got), Arc::clone(&connections));
        tasks.spawn(async move {
            let mut inner = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().expect("lock") += 1;
                let (got, tls) = (Arc::clone(&shared), tls.clone());
                inner.spawn(async move {
                    let service = service_fn(move |request| serve(request, Arc::clone(&got)));
                    let http = http1::Builder::new();
                    let _ = match tls {
                        None => http.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => {
                            // A client that does not believe us leaves here.
                            let Ok(stream) = tls.accept(stream).await else { return };
                            http.serve_connection(TokioIo::new(stream), service).await
                        }
                    };
                });
            }
        });
        Self { url, got, connections, _tasks: tasks }
    }

    fn got(&self) -> Vec<String> {
        let got = self.got.lock().expect("lock");
        got.iter().map(|(method, target, ..)| format!("{method} {target}")).collect()
    }

    async fn proxied() -> (Self, Proxy, ProxyHandle) {
        let server = Self::start(None).await;
        let proxy = Proxy::start(Options::plain(&server.url)).await.expect("proxy");
        let handle = proxy.handle();
        (server, proxy, handle)
    }
}

async fn serve(
    request: Request<Incoming>,
    got: Got,
) -> Result<Response<BoxBody<Bytes, std::convert::Infallible>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.to_string();
    let token = parts.headers.get(header::AUTHORIZATION);
    let token = token.map_or("", |t| t.to_str().expect("text")).to_owned();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).expect("text");
    got.lock().expect("lock").push((parts.method.to_string(), target.clone(), token, body));
    // A watch: two lines now and then one every 100 ms, without end.
    let lines = futures::stream::unfold(0u32, |n| async move {
        if n > 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some((Ok(Frame::data(Bytes::from(format!("line {n}\n")))), n + 1))
    });
    let count = if target.contains("watch=true") { usize::MAX } else { 1 };
    let mut answer = Response::new(BodyExt::boxed(StreamBody::new(lines.take(count))));
    answer.headers_mut().insert("x-host", parts.headers[header::HOST].clone());
    Ok(answer)
}

/// A client that cannot share connections with another.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("client")
}

async fn get(proxy: &Proxy, path: &str) -> reqwest::Result<u16> {
    Ok(client().get(format!("{}{path}", proxy.url())).send().await?.status().as_u16())
}

/// Sends a request by hand; dropping the stream kills the client.
async fn raw(proxy: &Proxy, request: &str) -> TcpStream {
    let address = proxy.url().strip_prefix("http://").expect("plain");
    let mut stream = TcpStream::connect(address).await.expect("connect");
    stream.write_all(request.as_bytes()).await.expect("write");
    stream
}

const WRITE: &str = "PATCH /api/v1/nodes/n1?timeout=15s HTTP/1.1\r\nHost: x\r\nUser-Agent: firedrill/0\r\nContent-Length: 4\r\n\r\nbody";

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("in time");
}

#[tokio::test]
async fn it_passes_requests_unchanged_and_keeps_connections() {
    let (server, proxy, handle) = Server::proxied().await;
    let one = client();
    for n in 0..3 {
        let answer = one
            .post(format!("{}/a?n={n}", proxy.url()))
            .bearer_auth("secret")
            .header("user-agent", "test/1")
            .body("hello")
            .send()
            .await
            .expect("answer");
        // The host as the client wrote it: S3 signatures cover it.
        assert_eq!(answer.headers()["x-host"].to_str().expect("text"), &proxy.url()[7..]);
        assert_eq!(answer.text().await.expect("text"), "line 0\n");
    }
    let first = server.got.lock().expect("lock")[0].clone();
    assert_eq!(first, ("POST".into(), "/a?n=0".into(), "Bearer secret".into(), "hello".into()));
    assert_eq!(*server.connections.lock().expect("lock"), 1);
    let seen = handle.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!((seen[2].target.as_str(), seen[2].user_agent.as_str()), ("/a?n=2", "test/1"));
    assert_eq!((seen[2].code, seen[2].upstream, &seen[2].action), (Some(200), Some(200), &None));
    proxy.stop().await;
}

#[tokio::test]
async fn a_stream_comes_through_line_by_line_until_its_connection_is_cut() {
    let (_server, proxy, handle) = Server::proxied().await;
    let url = format!("{}/api/v1/pods?watch=true", proxy.url());
    let mut answer = client().get(url).send().await.expect("answer");
    let mut text = String::new();
    while !text.contains("line 4") {
        text.push_str(&String::from_utf8_lossy(
            &answer.chunk().await.expect("chunk").expect("more"),
        ));
    }
    handle.cut_connections();
    let end = async { while let Ok(Some(_)) = answer.chunk().await {} };
    tokio::time::timeout(SOON, end).await.expect("the stream ends");
    assert_eq!(get(&proxy, "/").await.expect("a new connection works"), 200);
}

#[tokio::test]
async fn cut_never_reaches_the_server_and_cut_after_does() {
    let (server, proxy, handle) = Server::proxied().await;
    let cut = handle.add(Match::any().path("/cut").nth(1), Action::Cut);
    assert!(get(&proxy, "/cut").await.is_err());
    assert_eq!(server.got(), Vec::<String>::new());
    assert_eq!(get(&proxy, "/cut").await.expect("only the first"), 200);
    assert!(handle.remove(cut));
    handle.add(Match::any().path("/after"), Action::CutAfter);
    assert!(get(&proxy, "/after").await.is_err());
    assert_eq!(server.got(), ["GET /cut", "GET /after"]);
    let last = handle.seen().pop().expect("seen");
    assert_eq!((last.upstream, last.code), (Some(200), None));
    handle.clear();
    assert_eq!(get(&proxy, "/after").await.expect("no rule left"), 200);
}

#[tokio::test]
async fn delay_answers_later_and_hang_not_at_all() {
    let (server, proxy, handle) = Server::proxied().await;
    let delay = Duration::from_millis(300);
    handle.add(Match::overall(1), Action::Delay(delay));
    let begin = tokio::time::Instant::now();
    assert_eq!(get(&proxy, "/slow").await.expect("late"), 200);
    assert!(begin.elapsed() >= delay);

    handle.add(Match::any().path("/hang"), Action::Hang);
    // Given up by its client: gone, and it cannot be released any more.
    let stream = raw(&proxy, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let held = handle.wait_held(SOON).await.expect("held");
    drop(stream);
    until(|| handle.held().is_empty()).await;
    assert!(handle.release(held.id).await.is_err());
    assert_eq!(server.got(), ["GET /slow"]);
    // Released while its client waits: answered.
    let (code, released) = tokio::join!(get(&proxy, "/hang"), async {
        let held = handle.wait_held(SOON).await.expect("held");
        handle.release(held.id).await.expect("released")
    });
    assert_eq!((code.expect("answer"), released), (200, 200));

    handle.clear();
    handle.add(Match::any().path("/applied"), Action::HangAfter);
    let stream =
        raw(&proxy, "POST /applied HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    until(|| server.got().contains(&"POST /applied".to_owned())).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut stream = stream;
    assert!(stream.try_read(&mut [0; 1]).is_err(), "no answer came");
    stream.shutdown().await.expect("close");
    until(|| handle.seen().last().is_some_and(|s| s.client_left)).await;
}

#[tokio::test]
async fn a_held_write_reaches_the_server_after_its_client_died() {
    let (server, proxy, handle) = Server::proxied().await;
    handle.add(Match::writes().path("/nodes/").agent("firedrill").nth(1), Action::Hold);
    let stream = raw(&proxy, WRITE).await;
    let held = handle.wait_held(SOON).await.expect("held");
    assert_eq!((held.target.as_str(), held.client_left), ("/api/v1/nodes/n1?timeout=15s", false));
    drop(stream);
    until(|| handle.held()[0].client_left).await;
    // The next process's requests pass meanwhile.
    assert_eq!(get(&proxy, "/api/v1/nodes/n1").await.expect("answer"), 200);
    assert_eq!(server.got(), ["GET /api/v1/nodes/n1"]);
    assert_eq!(handle.release(held.id).await.expect("late"), 200);
    let last = server.got.lock().expect("lock").pop().expect("got");
    assert_eq!((last.0.as_str(), last.3.as_str()), ("PATCH", "body"));
    assert!(handle.held().is_empty());
    let seen = &handle.seen()[0];
    assert_eq!((seen.upstream, seen.code, seen.client_left), (Some(200), None, true));
}

#[tokio::test]
async fn a_held_write_is_answered_if_its_client_waits_and_lost_if_discarded() {
    let (server, proxy, handle) = Server::proxied().await;
    handle.add(Match::writes(), Action::Hold);
    let mut stream = raw(&proxy, WRITE).await;
    handle.wait_held(SOON).await.expect("held");
    assert_eq!(handle.release_all().await.expect("released").len(), 1);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("answer");
    assert_eq!(&answer, b"HTTP/1.1 200");

    let mut stream = raw(&proxy, WRITE).await;
    let held = handle.wait_held(SOON).await.expect("held");
    assert!(handle.discard(held.id) && !handle.discard(held.id));
    assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0, "closed");
    assert_eq!(server.got().len(), 1);
    assert!(handle.wait_held(Duration::from_millis(20)).await.is_err());
}

#[tokio::test]
async fn an_answer_of_ours_looks_like_an_api_servers() {
    let (server, proxy, handle) = Server::proxied().await;
    let busy = Action::status(429, "too many").header("retry-after", "3");
    handle.add(Match::overall(2), busy);
    assert_eq!(get(&proxy, "/1").await.expect("first"), 200);
    let answer = client().get(format!("{}/2", proxy.url())).send().await.expect("answer");
    assert_eq!(answer.status().as_u16(), 429);
    assert_eq!(answer.headers()["retry-after"], "3");
    let status: serde_json::Value = answer.json().await.expect("json");
    assert_eq!((&status["kind"], &status["reason"]), (&"Status".into(), &"TooManyRequests".into()));
    assert_eq!(server.got(), ["GET /1"]);
    let seen = handle.seen();
    assert_eq!((seen[1].code, seen[1].upstream), (Some(429), None));
    assert_eq!(seen[1].action.as_deref(), Some("answer 429"));
}

#[tokio::test]
async fn an_unreachable_server_closes_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = free.local_addr().expect("address");
    drop(free);
    let proxy = Proxy::start(Options::plain(format!("http://{address}"))).await.expect("proxy");
    assert!(get(&proxy, "/").await.is_err());
    assert!(proxy.handle().seen()[0].error.is_some());
}

#[tokio::test]
async fn tls_on_both_sides() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let mut names = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    names.subject_alt_names.push(rcgen::SanType::IpAddress([127, 0, 0, 1].into()));
    let key = rcgen::KeyPair::generate().expect("key");
    let certificate = names.self_signed(&key).expect("certificate");
    std::fs::write(path("crt"), certificate.pem()).expect("write");
    std::fs::write(path("key"), key.serialize_pem()).expect("write");
    let acceptor = tls::acceptor(&path("crt"), &path("key")).expect("acceptor");
    let server = Server::start(Some(acceptor)).await;
    let options = Options::tls(&server.url, path("crt"), path("crt"), path("key"));
    let proxy = Proxy::start(options).await.expect("proxy");
    let trusted = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).expect("pem");
    let client =
        reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().expect("client");
    let answer = client.get(format!("{}/x", proxy.url())).send().await.expect("answer");
    assert_eq!(answer.text().await.expect("text"), "line 0\n");
    // Without the CA the server behind is not believed.
    let blind =
        Options { upstream_ca: None, ..Options::tls(&server.url, "", path("crt"), path("key")) };
    let blind = Proxy::start(blind).await.expect("proxy");
    assert!(client.get(blind.url()).send().await.is_err());
    assert_eq!(server.got(), ["GET /x"]);
}
