//! Real sockets that behave badly. What an answer took is never asserted from above: only that it
//! came, and from whom the blame is.

use std::path::PathBuf;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;
use crate::{
    check::{HttpCheck, PromqlCheck, vector::Expect},
    clock::SystemClock,
};

const SOON: Duration = Duration::from_millis(700);
const LONG: Duration = Duration::from_secs(20);

/// What a server does with a connection once it has read a request.
#[derive(Clone)]
enum Does {
    /// Writes this and stays until the client leaves.
    Stays(String),
    /// Writes this and closes.
    Closes(String),
    /// Writes a byte of this every 50 ms.
    Drips(String),
}

/// A server on loopback; it ends with the set.
struct Server {
    address: std::net::SocketAddr,
    /// The requests, as they came.
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn new(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, does.clone(), Arc::clone(&told)));
            }
        });
        Self { address, heard, _tasks: tasks }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heard(&self) -> String {
        lock(&self.heard).join("\n---\n")
    }
}

async fn serve(mut stream: TcpStream, does: Does, heard: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The head, and the body of a form, which comes with it or right after.
    while !complete(&request) {
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    lock(&heard).push(String::from_utf8_lossy(&request).into_owned());
    let (text, stays) = match does {
        Does::Stays(text) => (text, true),
        Does::Closes(text) => (text, false),
        Does::Drips(text) => {
            for byte in text.bytes() {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            return;
        }
    };
    if stream.write_all(text.as_bytes()).await.is_ok() && stays {
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    }
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An asker whose configuration has these lines under `targets:`.
fn asker(targets: &str) -> Asker {
    let text = format!(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Configuration\ninstance: i\n\
         clusters: {{lab: {{kubeconfig: k}}}}\ntargets:\n  none: {{url: \"http://127.0.0.1:9\"}}\n{targets}"
    );
    let (config, problems) = crate::config::parse(&PathBuf::from("/nowhere/c.yaml"), &text);
    let config = config.unwrap_or_else(|| panic!("{problems:?}"));
    let clock = Arc::new(SystemClock::new().expect("clock"));
    Asker::new(Arc::new(config), clock, Arc::default(), "lab").expect("an asker")
}

fn get(url: String, contains: Option<&str>) -> Question {
    let at = HttpAt::Url(url);
    let contains = contains.map(str::to_owned);
    Question::Http(HttpCheck { at, path: "/healthz".into(), status: 200, contains })
}

async fn http(does: Does, contains: Option<&str>, within: Duration) -> Answer {
    let server = Server::new(does).await;
    let answer = asker("").ask(&get(server.url(), contains), within).await;
    assert!(server.heard().starts_with("GET /healthz HTTP/1.1\r\n"), "{}", server.heard());
    answer
}

#[tokio::test]
async fn the_status_and_a_whole_body_make_it_green() {
    let good = http(Does::Stays(answer("200 OK", "all is ok")), Some("is ok"), LONG).await;
    assert_eq!((good.green, good.status, good.why), (true, Some(200), None));

    let odd = http(Does::Stays(answer("200 OK", "all is well")), Some("is ok"), LONG).await;
    assert_eq!((odd.green, odd.status), (false, Some(200)));
    let why = odd.why.expect("why");
    assert!(why.ends_with("/healthz answered 200 without \"is ok\" in its body"), "{why}");

    let bad = http(Does::Stays(answer("503 No", "")), None, LONG).await;
    assert_eq!((bad.green, bad.status), (false, Some(503)));
    assert!(bad.why.expect("why").ends_with("/healthz answered 503, not 200"));

    let login = "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n".to_owned();
    let login = http(Does::Stays(login), None, LONG).await;
    assert_eq!((login.green, login.status), (false, Some(302)), "no redirect is followed");
    let why = login.why.expect("why");
    assert!(why.ends_with("answered 302, not 200; it redirects to `/login`"), "{why}");

    let long = "x".repeat(2 * crate::check::BODY_LIMIT);
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{long}");
    assert!(http(Does::Stays(endless), None, LONG).await.green, "read up to its limit");
    let late = answer("200 OK", &format!("{}ok", "x".repeat(crate::check::BODY_LIMIT)));
    assert!(!http(Does::Stays(late), Some("ok"), LONG).await.green, "beyond what is read");
}

#[tokio::test]
async fn whatever_hangs_is_red_at_the_deadline() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
    for does in [
        Does::Stays(String::new()),
        Does::Stays("HTTP/1.1 200".into()),
        Does::Stays(half.into()),
        // Every byte is news, so that a limit between two of them would never strike.
        Does::Drips(answer("200 OK", &"x".repeat(4000))),
    ] {
        let hanging = http(does, None, SOON).await;
        assert!(!hanging.green);
        assert!(hanging.took >= SOON - Duration::from_millis(1), "{:?}", hanging.took);
        let why = hanging.why.expect("why");
        assert!(why.ends_with("/healthz did not answer within 700 ms"), "{why}");
    }
}

#[tokio::test]
async fn what_is_cut_or_nonsense_is_red_with_its_cause() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
    for (does, cause) in [
        (Does::Closes(String::new()), "/healthz cannot be asked: "),
        (Does::Closes("SSH-2.0-OpenSSH_9.2p1\r\n".into()), "/healthz cannot be asked: "),
        (Does::Closes(half.into()), "/healthz broke its answer off: "),
    ] {
        let cut = http(does, None, LONG).await;
        assert!(!cut.green);
        let why = cut.why.expect("why");
        assert!(why.contains(cause), "{why}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let nobody = asker("").ask(&get(url, None), LONG).await;
    assert_eq!((nobody.green, nobody.status), (false, None));
    let why = nobody.why.expect("why");
    assert!(why.contains("/healthz cannot be asked: ") && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn a_target_gets_its_token_and_each_time_the_newest() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("token");
    let server = Server::new(Does::Stays(answer("200 OK", ""))).await;
    let asker = asker(&format!(
        "  shop: {{url: \"{}/base/\", bearerTokenFile: \"{}\"}}\n",
        server.url(),
        file.display()
    ));
    let check = HttpCheck {
        at: HttpAt::Target("shop".into()),
        path: "/healthz".into(),
        status: 200,
        contains: None,
    };
    let question = Question::Http(check);
    let missing = asker.ask(&question, LONG).await;
    let why = missing.why.expect("why");
    assert!(why.contains("the token file ") && why.contains("No such file"), "{why}");
    for (text, sent) in [("first\n", "Bearer first"), (" second ", "Bearer second")] {
        std::fs::write(&file, text).expect("token");
        assert!(asker.ask(&question, LONG).await.green);
        let heard = server.heard();
        let last = heard.rsplit("\n---\n").next().expect("a request");
        assert!(last.starts_with("GET /base/healthz HTTP/1.1\r\n"), "{last}");
        assert!(last.contains(&format!("authorization: {sent}\r\n")), "{last}");
    }
    for text in ["", "two\nlines"] {
        std::fs::write(&file, text).expect("token");
        let odd = asker.ask(&question, LONG).await;
        assert!(odd.why.expect("why").ends_with("there is no token in it"));
    }
    let unknown = HttpAt::Target("shoop".into());
    let unknown =
        Question::Http(HttpCheck { at: unknown, path: "/".into(), status: 200, contains: None });
    let why = asker.ask(&unknown, LONG).await.why.expect("why");
    assert_eq!(why, "target shoop is not in the configuration");
}

#[tokio::test]
async fn a_ca_file_is_the_only_trust() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("ca.pem");
    let ca = format!("  shop: {{url: \"https://127.0.0.1:1\", caFile: \"{}\"}}\n", file.display());
    let question = Question::Promql(PromqlCheck {
        at: PromqlAt::Target("shop".into()),
        query: "up".into(),
        expect: Expect::NotEmpty,
    });
    for (text, cause) in [(None, "No such file"), (Some("no pem"), "no certificate in it")] {
        if let Some(text) = text {
            std::fs::write(&file, text).expect("file");
        }
        let why = asker(&ca).ask(&question, LONG).await.why.expect("why");
        assert!(why.contains("the CA file ") && why.contains(cause), "{why}");
    }
}

#[tokio::test]
async fn a_connection_opens_or_not() {
    let asker = asker("");
    let tcp = |host: &str, port| Question::Tcp(TcpCheck::Host { host: host.into(), port });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    assert!(asker.ask(&tcp("127.0.0.1", port), LONG).await.green);
    assert!(asker.ask(&tcp("localhost", port), LONG).await.green, "each address is tried");
    drop(listener);
    let why = asker.ask(&tcp("127.0.0.1", port), LONG).await.why.expect("why");
    assert!(why.starts_with(&format!("127.0.0.1:{port} cannot be reached: ")), "{why}");
    let why = asker.ask(&tcp("no-such-host.invalid", 1), LONG).await.why.expect("why");
    assert!(why.starts_with("no-such-host.invalid:1 "), "{why}");
}

async fn promql(does: Does, expect: Expect, within: Duration) -> (Answer, String) {
    let server = Server::new(does).await;
    let target = format!("  prometheus: {{url: \"{}\"}}\n", server.url());
    let at = PromqlAt::Target("prometheus".into());
    let query = "ALERTS{severity=\"page\"} & +".to_owned();
    let question = Question::Promql(PromqlCheck { at, query, expect });
    let answer = asker(&target).ask(&question, within).await;
    (answer, server.heard())
}

#[tokio::test]
async fn prometheus_is_asked_by_form_and_its_answer_judged() {
    let vector = |result: &str| {
        let body = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":{result}}}}}"
        );
        Does::Stays(answer("200 OK", &body))
    };
    let (green, heard) = promql(vector("[]"), Expect::Empty, LONG).await;
    assert!(green.green, "{:?}", green.why);
    assert!(heard.starts_with("POST /api/v1/query HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("content-type: application/x-www-form-urlencoded\r\n"), "{heard}");
    let form = "\r\n\r\nquery=ALERTS%7Bseverity%3D%22page%22%7D+%26+%2B&timeout=20000ms";
    assert!(heard.ends_with(form), "{heard}");

    let alert = "[{\"metric\":{\"__name__\":\"ALERTS\"},\"value\":[1.5,\"1\"]}]";
    let (red, _) = promql(vector(alert), Expect::Empty, LONG).await;
    let why = red.why.expect("why");
    assert_eq!(why, "ALERTS{severity=\"page\"} & + has 1 result, first ALERTS{}");

    let page = Does::Stays(answer("200 OK", "<html><form action=/login></form></html>"));
    let (login, _) = promql(page, Expect::Empty, LONG).await;
    let why = login.why.expect("why");
    assert!(why.starts_with("target prometheus answered with a web page"), "{why}");
    let moved = "HTTP/1.1 302 Found\r\nlocation: https://sso/\r\ncontent-length: 0\r\n\r\n";
    let (moved, _) = promql(Does::Stays(moved.into()), Expect::Empty, LONG).await;
    let why = moved.why.expect("why");
    assert!(why.starts_with("target prometheus redirects to `https://sso/`"), "{why}");
    let failed =
        "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"too many samples\"}";
    let (failed, _) = promql(Does::Stays(answer("422 No", failed)), Expect::Empty, LONG).await;
    assert_eq!(failed.why.as_deref(), Some("target prometheus answered 422: too many samples"));

    let half = answer(
        "200 OK",
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
    );
    let cut = Does::Closes(half[..half.len() - 4].to_owned());
    let (cut, _) = promql(cut, Expect::Empty, LONG).await;
    assert!(cut.why.expect("why").contains("broke its answer off: "));
    let huge = Does::Stays(answer("200 OK", &"[".repeat(2 << 20)));
    let (huge, _) = promql(huge, Expect::Empty, LONG).await;
    assert!(huge.why.expect("why").ends_with("answered with over 1 MiB: narrow the query"));
    let (hung, _) = promql(Does::Stays(String::new()), Expect::Empty, SOON).await;
    assert_eq!(hung.why.as_deref(), Some("target prometheus did not answer within 700 ms"));
}

#[tokio::test]
async fn what_cannot_be_asked_yet_is_red() {
    let asker = asker("");
    let within = Within {
        step: "restore".into(),
        namespace: None,
        service: "web".into(),
        port: crate::check::service::PortRef::of("80"),
    };
    let question = Question::Tcp(TcpCheck::Within(within));
    let why = |answer: Answer| answer.why.expect("why");
    assert_eq!(why(asker.ask(&question, LONG).await), "step restore has made no sandbox yet");
    let two = [("a".to_owned(), "fd-a".to_owned()), ("b".to_owned(), "fd-b".to_owned())];
    asker.sandbox("restore", two.into_iter().collect());
    let told = why(asker.ask(&question, LONG).await);
    assert_eq!(told, "the sandbox of step restore has no namespace that is the only one");
    asker.sandbox("restore", [("a".to_owned(), "fd-a".to_owned())].into_iter().collect());
    assert!(asker.has_sandbox("restore"));
    assert_eq!(why(asker.ask(&question, LONG).await), "cluster lab is not connected");
    asker.forget("restore");
    assert!(!asker.has_sandbox("restore"));
}
