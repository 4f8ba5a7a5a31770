//! A real Prometheus shows what a test writes.

use std::time::Duration;

use lab::{Lab, Options};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_on_the_page_can_be_asked_for() -> anyhow::Result<()> {
    let lab = Lab::start(Options { nodes: Vec::new(), velero: false, quiet: true }).await?;
    let prometheus = lab.prometheus().await?;
    prometheus.wait_for("up{job=\"page\"} == 1", 1, LIMIT).await?;
    assert_eq!(prometheus.query("queue_length").await?["result"].as_array().map(Vec::len), Some(0));

    prometheus.page(Some("queue_length{shop=\"web\"} 3\nincident 1\n"));
    prometheus.wait_for("queue_length == 3", 1, LIMIT).await?;
    let firing = "ALERTS{severity=\"page\",alertstate=\"firing\"}";
    prometheus.wait_for(firing, 1, LIMIT).await?;
    prometheus.page(Some("queue_length{shop=\"web\"} 4\nincident 0\n"));
    prometheus.wait_for("queue_length == 4", 1, LIMIT).await?;
    prometheus.wait_for(firing, 0, LIMIT).await?;

    // A page that is down: its series are gone, and `up` says so.
    prometheus.page(None);
    prometheus.wait_for("up{job=\"page\"} == 0", 1, LIMIT).await?;
    prometheus.wait_for("queue_length", 0, LIMIT).await?;

    assert!(prometheus.query("not a query").await.is_err());
    let url = prometheus.url().to_owned();
    drop(prometheus);
    assert!(reqwest::get(url).await.is_err(), "it ends when it is dropped");
    lab.stop().await
}
