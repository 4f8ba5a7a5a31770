//! A real Prometheus: what a user's guards and checks ask.
//!
//! It scrapes a page that the caller writes ([`Prometheus::page`]) each second, and evaluates one
//! alert over it, so that any gauge, `up` and `ALERTS` can be made what a test needs. Started on
//! request only: its build takes minutes.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{
    background::Task, control_plane::LIMIT, loopback, parts, processes::Recipe, site::Site,
    wait::until,
};

/// Fires while the page has `incident` above zero.
const RULES: &str = "\
groups:
- name: lab
  rules:
  - alert: Incident
    expr: incident > 0
    labels: {severity: page}
    annotations: {summary: the test says so}
";

/// A running Prometheus; ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    url: String,
    page: Arc<Mutex<Option<String>>>,
    site: Arc<Site>,
    name: String,
    _task: Task,
}

impl Prometheus {
    /// Starts one under the process name `name`.
    ///
    /// # Errors
    /// When it cannot be built or does not come up.
    pub(crate) async fn start(site: &Arc<Site>, name: &str) -> anyhow::Result<Self> {
        let shared = Arc::clone(site);
        let binaries =
            tokio::task::spawn_blocking(move || parts::ensure_part("prometheus", &shared.progress))
                .await??;
        let page = Arc::new(Mutex::new(Some(String::new())));
        let shown = Arc::clone(&page);
        let (target, task) = loopback::serve(move |mut stream| {
            let text = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move {
                if loopback::head(&mut stream).await?.is_none() {
                    return Ok(());
                }
                match text {
                    Some(text) => loopback::answer(stream, 200, &text).await,
                    None => loopback::answer(stream, 503, "the page is down\n").await,
                }
            }
        })?;
        let folder = site.path(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("rules.yml"), RULES)?;
        let config = folder.join("prometheus.yml");
        fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
                 rule_files: [rules.yml]\n\
                 scrape_configs:\n\
                 - job_name: page\n\
                 \x20 static_configs: [{{targets: [\"{target}\"]}}]\n"
            ),
        )?;
        let url = format!("http://127.0.0.1:{}", site.ports.next()?);
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={}", url.trim_start_matches("http://")),
            "--log.level=warn".to_owned(),
        ];
        site.processes.start(name, &Recipe::new(binaries.path("prometheus"), args))?;
        let prometheus =
            Self { url, page, site: Arc::clone(site), name: name.to_owned(), _task: task };
        let http = reqwest::Client::builder().no_proxy().build()?;
        let ready = || async {
            let answer = http.get(format!("{}/-/ready", prometheus.url)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        site.processes.wait_ready(name, LIMIT, ready).await?;
        site.progress.say("Prometheus ready");
        Ok(prometheus)
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it scrapes from now on, in Prometheus' text format: `queue_length 3\n`. `None`: the page
    /// is down, so that `up{job="page"}` is 0.
    pub fn page(&self, text: Option<&str>) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = text.map(str::to_owned);
    }

    /// Asks it, as of now; the `data` of its answer.
    ///
    /// # Errors
    /// When it does not answer, or not with success.
    pub async fn query(&self, query: &str) -> anyhow::Result<Value> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut url = reqwest::Url::parse(&self.url)?.join("/api/v1/query")?;
        url.query_pairs_mut().append_pair("query", query);
        let mut answer: Value =
            client.get(url).timeout(Duration::from_secs(10)).send().await?.json().await?;
        ensure!(answer["status"] == "success", "{query}: {answer}");
        Ok(answer["data"].take())
    }

    /// Waits until an instant vector has so many elements: a scrape and an evaluation take a
    /// second each.
    ///
    /// # Errors
    /// When `limit` passes.
    pub async fn wait_for(&self, query: &str, count: usize, limit: Duration) -> anyhow::Result<()> {
        until(&format!("{count} of {query}"), limit, || async {
            let data = self.query(query).await?;
            Ok(data["result"].as_array().context("no vector")?.len() == count)
        })
        .await
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.site.processes.kill(&self.name);
    }
}
