//! One HTTP question over a stream that is no socket.
//!
//! As `check/http.rs` asks: no redirect is followed, the connection serves one question, and the
//! body is read up to a limit, because a service that sends its head and then hangs does not serve.

use std::{error::Error as _, pin::pin, time::Duration};

use futures::future::{Either, select};
use http::{HeaderName, HeaderValue, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The most of a body that is read: enough to see that it comes, too little to hurt.
pub const BODY_LIMIT: usize = 64 * 1024;

/// A GET.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The Host header.
    pub host: &'a str,
    /// Path and query, beginning with `/`.
    pub path: &'a str,
    /// Further headers; they replace ours of the same name.
    pub headers: &'a [(HeaderName, HeaderValue)],
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, at most its first [`BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
}

/// Why there is no whole answer; the sentence begins with whom was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Path, host or a header cannot be sent.
    #[error("cannot be asked: {0}")]
    Request(String),
    /// The connection ended before the answer did.
    #[error("broke off: {0}")]
    Cut(String),
    /// What came is no HTTP.
    #[error("does not answer in HTTP: {0}")]
    Nonsense(String),
    /// The time is over, in milliseconds.
    #[error("did not answer within {0} ms")]
    Timeout(u128),
}

/// Asks over `stream`, once. `within` covers everything, to the last byte read.
///
/// # Errors
/// Why no whole answer came.
pub async fn get<S>(stream: S, request: &Request<'_>, within: Duration) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let exchange = exchange(stream, request, || ());
    match tokio::time::timeout(within, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(HttpError::Timeout(within.as_millis())),
    }
}

/// The same without an end in time; `head` is called when the answer's head has come.
pub(super) async fn exchange<S>(
    stream: S,
    request: &Request<'_>,
    head: impl FnOnce(),
) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = built(request)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
    let ask = async {
        let response = sender.send_request(request).await?;
        head();
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut read = Vec::new();
        while read.len() < BODY_LIMIT
            && let Some(frame) = body.frame().await
        {
            if let Some(data) = frame?.data_ref() {
                read.extend_from_slice(&data[..data.len().min(BODY_LIMIT - read.len())]);
            }
        }
        Ok(Answer { status, body: read })
    };
    // Whoever asks also drives the connection: nothing is spawned, nothing goes on after us.
    let (ask, connection) = (pin!(ask), pin!(connection));
    let answer: hyper::Result<Answer> = match select(ask, connection).await {
        Either::Left((answer, _)) => answer,
        // The connection's end may come before what it brought is read; its error says more than
        // that the answer was cancelled.
        Either::Right((ended, ask)) => match (ask.await, ended) {
            (Err(cancelled), Err(error)) if cancelled.is_canceled() => Err(error),
            (answer, _) => answer,
        },
    };
    answer.map_err(|error| told(&error))
}

fn built(request: &Request<'_>) -> Result<http::Request<Empty<&'static [u8]>>, HttpError> {
    let mut built = http::Request::get(request.path)
        .header(header::HOST, request.host)
        .header(header::USER_AGENT, concat!("firedrill/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| HttpError::Request(error.to_string()))?;
    for (name, value) in request.headers {
        built.headers_mut().insert(name, value.clone());
    }
    Ok(built)
}

fn told(error: &hyper::Error) -> HttpError {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    if error.is_parse() { HttpError::Nonsense(why) } else { HttpError::Cut(why) }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What comes of an answer whose bytes are these; `stays`: the connection stays open after it.
    async fn answered(bytes: &str, stays: bool) -> (Result<Answer, HttpError>, String) {
        let (near, mut far) = duplex(1 << 20);
        let headers = [(header::ACCEPT, HeaderValue::from_static("text/plain"))];
        let request = Request { host: "web.shop.svc", path: "/healthz?x=1", headers: &headers };
        let asked = get(near, &request, Duration::from_millis(300));
        let server = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(far.read_u8().await.expect("the request"));
            }
            far.write_all(bytes.as_bytes()).await.expect("the answer");
            if stays {
                // Until the client leaves.
                let _ = far.read_u8().await;
            }
            drop(far);
            String::from_utf8(head).expect("text")
        };
        tokio::join!(asked, server)
    }

    fn answer(status: u16, body: &str) -> Result<Answer, HttpError> {
        Ok(Answer { status, body: body.as_bytes().to_vec() })
    }

    #[tokio::test]
    async fn a_whole_answer_is_an_answer_whatever_its_status() {
        let (got, head) = answered("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await;
        assert_eq!(got, answer(200, "ok"));
        let head = head.to_lowercase();
        assert!(head.starts_with("get /healthz?x=1 http/1.1\r\n"), "{head}");
        for line in ["host: web.shop.svc\r\n", "connection: close\r\n", "accept: text/plain\r\n"] {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert!(!head.contains("*/*"), "{head}");

        let (got, _) = answered("HTTP/1.1 302 Found\r\nlocation: /l\r\n\r\n", false).await;
        assert_eq!(got, answer(302, ""), "no redirect is followed, and an end ends the body");
        let (got, _) = answered("HTTP/1.0 503 No\r\n\r\nbye", false).await;
        assert_eq!(got, answer(503, "bye"));
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(answered(chunks, true).await.0, answer(200, "ok"));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let long = "x".repeat(2 * BODY_LIMIT);
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{long}");
        let (got, _) = answered(&text, true).await;
        assert_eq!(got, answer(200, &long[..BODY_LIMIT]));
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for (bytes, stays, expected) in [
            ("", true, "did not answer within 300 ms"),
            ("", false, "broke off: connection closed before message completed"),
            (
                "HTTP/1.1 200 OK\r\ncontent-",
                false,
                "broke off: connection closed before message completed",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
                true,
                "did not answer within 300 ms",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
                false,
                "broke off: end of file before message length reached",
            ),
            (
                "SSH-2.0-OpenSSH_9.2p1\r\n",
                true,
                "does not answer in HTTP: invalid HTTP version parsed",
            ),
        ] {
            let (got, _) = answered(bytes, stays).await;
            let error = got.expect_err(bytes);
            assert_eq!(error.to_string(), expected, "{bytes:?}, stays: {stays}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_said() {
        let (near, _far) = duplex(64);
        let request = Request { host: "web", path: "/a b", headers: &[] };
        let error = get(near, &request, Duration::from_secs(9)).await.expect_err("a space");
        assert_eq!(error.to_string(), "cannot be asked: invalid uri character");
    }
}
