//! Asks an HTTP check. ACT.

use std::time::Duration;

use reqwest::{Client, redirect};

use super::HttpCheck;
use crate::clock::Clock;

/// The most of a body that is read: enough to see that it comes, too little to hurt.
const BODY_LIMIT: usize = 64 * 1024;

/// An answer, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was the good one.
    pub green: bool,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// Why it is not green, in one sentence.
    pub why: Option<String>,
    /// From asking to the end of the answer.
    pub took: Duration,
}

/// The client for checks. It follows no redirect, because a login page answers 200 too, and it
/// keeps no connection: a check that lives on an old one does not see what a new user sees.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("firedrill/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
}

/// Asks `check` at `base_url`, once. `timeout` covers everything, from the name's look-up to the
/// last byte read; no answer within it is a red one.
pub async fn ask(
    client: &Client,
    base_url: &str,
    check: &HttpCheck,
    timeout: Duration,
    clock: &dyn Clock,
) -> Answer {
    let asked = clock.mono();
    let url = format!("{}{}", base_url.trim_end_matches('/'), check.path);
    let answer = fetch(client, &url, timeout).await;
    let took = clock.mono().since(asked);
    match answer {
        Ok(status) if status == check.status => {
            Answer { green: true, status: Some(status), why: None, took }
        }
        Ok(status) => Answer {
            green: false,
            status: Some(status),
            why: Some(format!("{url} answered {status}, not {}", check.status)),
            took,
        },
        Err(error) => {
            let why = if error.is_timeout() {
                format!("{url} did not answer within {} ms", timeout.as_millis())
            } else {
                format!("{url} cannot be asked: {}", root(&error))
            };
            Answer {
                green: false,
                status: error.status().map(|s| s.as_u16()),
                why: Some(why),
                took,
            }
        }
    }
}

async fn fetch(client: &Client, url: &str, timeout: Duration) -> reqwest::Result<u16> {
    let mut response = client.get(url).timeout(timeout).send().await?;
    let status = response.status().as_u16();
    // A service that sends its head and then hangs does not serve.
    let mut read = 0;
    while read < BODY_LIMIT
        && let Some(chunk) = response.chunk().await?
    {
        read += chunk.len();
    }
    Ok(status)
}

/// The innermost cause, which names what went wrong; the outer ones repeat the URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{check::HttpAt, clock::SystemClock};

    /// A server on loopback that gives one connection these bytes, and then waits for its end.
    async fn server(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("runtime").block_on(async move {
                let listener = listener.into_std().expect("listener");
                let listener = TcpListener::from_std(listener).expect("listener");
                let (mut stream, _) = listener.accept().await.expect("accept");
                let mut request = [0; 1024];
                let n = stream.read(&mut request).await.expect("request");
                assert!(request[..n].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.expect("answer");
                // Until the client hangs up.
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {}
            });
        });
        format!("http://{address}/")
    }

    async fn asked(answer: String) -> Answer {
        let base = server(answer).await;
        let check =
            HttpCheck { at: HttpAt::Url(base.clone()), path: "/healthz".into(), status: 200 };
        let clock = SystemClock::new().expect("clock");
        let client = client().expect("client");
        ask(&client, &base, &check, Duration::from_millis(500), &clock).await
    }

    #[tokio::test]
    async fn the_status_and_a_whole_body_make_it_green() {
        let good = asked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into()).await;
        assert_eq!((good.green, good.status, good.why), (true, Some(200), None));

        let bad = asked("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".into()).await;
        assert_eq!((bad.green, bad.status), (false, Some(503)));
        assert!(bad.why.expect("why").ends_with("/healthz answered 503, not 200"));

        let login =
            asked("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n".into())
                .await;
        assert_eq!((login.green, login.status), (false, Some(302)), "no redirect is followed");

        let hanging = asked("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".into()).await;
        assert!(!hanging.green);
        assert!(hanging.took >= Duration::from_millis(400), "{:?}", hanging.took);
        assert!(hanging.why.expect("why").ends_with("did not answer within 500 ms"));

        let endless = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}",
            "x".repeat(2 * BODY_LIMIT)
        );
        assert!(asked(endless).await.green, "the body is read up to its limit");
    }

    #[tokio::test]
    async fn nobody_there_is_red_with_its_cause() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        drop(listener);
        let check =
            HttpCheck { at: HttpAt::Url(base.clone()), path: "/healthz".into(), status: 200 };
        let clock = SystemClock::new().expect("clock");
        let client = client().expect("client");
        let answer = ask(&client, &base, &check, Duration::from_secs(2), &clock).await;
        assert_eq!((answer.green, answer.status), (false, None));
        let why = answer.why.expect("why");
        assert!(why.contains("/healthz cannot be asked: "), "{why}");
        assert!(why.contains("refused"), "{why}");
    }
}
