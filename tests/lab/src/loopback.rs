//! Small HTTP servers on loopback, by hand: what they must do wrong on demand, no library does.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::background::Task;

/// The most of a request that is read: its head; nobody here sends a body.
const HEAD_LIMIT: usize = 16 * 1024;

/// Listens on a free port of 127.0.0.1 and gives each connection to `answer`, until the task is
/// dropped; open connections end with it.
///
/// # Errors
/// When no port is to be had.
pub(crate) fn serve<A, F>(answer: A) -> std::io::Result<(SocketAddr, Task)>
where
    A: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let task = Task::start(async move {
        // The socket belongs to the lab's runtime, not to the test's.
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let mut open = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(answer(stream));
            while open.try_join_next().is_some() {}
        }
    });
    Ok((address, task))
}

/// Reads the head of a request: method, path and headers as they came. `None` if the client leaves
/// before its end.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < HEAD_LIMIT {
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            n => request.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&request).into_owned()))
}

/// The path of a request's head.
pub(crate) fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// A header's value in a request's head; empty if it is not there.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
}

/// The head of an answer whose body has `length` bytes.
pub(crate) fn answer_head(status: u16, length: usize) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n",
        reason.unwrap_or("Unknown")
    )
}

/// Answers in full and hangs up.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn answer(mut stream: TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let text = answer_head(status, body.len()) + body;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Says nothing more, until the client leaves.
pub(crate) async fn until_it_leaves(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart() {
        let head = "GET /healthz HTTP/1.1\r\nHost: web.shop\r\nAccept: */*\r\n\r\n";
        assert_eq!(path(head), "/healthz");
        assert_eq!(header(head, "host"), "web.shop");
        assert_eq!(header(head, "cookie"), "");
    }

    #[tokio::test]
    async fn a_server_answers_until_its_task_is_dropped() {
        let (address, task) = serve(|mut stream| async move {
            let head = head(&mut stream).await?.unwrap_or_default();
            answer(stream, 503, path(&head)).await
        })
        .unwrap();
        let url = format!("http://{address}/here");
        let got = reqwest::get(&url).await.unwrap();
        assert_eq!(got.status(), 503);
        assert_eq!(got.text().await.unwrap(), "/here");
        drop(task);
        crate::wait::until("it is gone", std::time::Duration::from_secs(20), || async {
            Ok(reqwest::get(&url).await.is_err())
        })
        .await
        .unwrap();
    }
}
