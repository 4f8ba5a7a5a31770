//! The reported recovery time against an observer of the lab's own: other watches, another clock,
//! no code in common. They must agree within the sum of the bounds that both state.

#![expect(clippy::disallowed_methods, reason = "the observer's own stopwatch")]

mod common;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lab::{
    Lab,
    firedrill::ConfigOptions,
    inside::Mode,
    observer::Observer,
    shop::{Shop, ShopOptions},
};
use serde_json::Value;

use common::Firedrill;

/// How long readiness has to last in the drills here.
const STABLE: Duration = Duration::from_secs(3);

/// How often the check that ends a recovery is asked, and how many good answers it takes.
const EVERY: Duration = Duration::from_millis(500);
const SUCCESSES: u32 = 3;
/// For what must come: only a hang gets there.
const LIMIT: Duration = Duration::from_secs(120);

/// One comparison, in milliseconds.
struct Row {
    case: String,
    reported: u64,
    /// The report's bound: it may have been as little as this.
    lower: u64,
    observed: u64,
    /// The observer's bound, either way.
    bound: u64,
}

impl Row {
    fn new(
        case: &str,
        report: &Value,
        observed: Duration,
        bound: Duration,
    ) -> anyhow::Result<Self> {
        let recovery = &report["recoveries"][0];
        let number =
            |key: &str| recovery[key].as_u64().with_context(|| format!("{key}: {report:#}"));
        let (reported, lower) = (number("totalMillis")?, number("lowerMillis")?);
        let phases = recovery["phases"].as_array().context("no phases")?;
        let sum: u64 = phases.iter().filter_map(|phase| phase["millis"].as_u64()).sum();
        ensure!(phases.len() > 1 && sum == reported, "{case}: {recovery:#}");
        let millis = |duration: Duration| u64::try_from(duration.as_millis());
        // Each side counts whole milliseconds; a fraction more is still within its bound.
        Ok(Self {
            case: case.to_owned(),
            reported,
            lower,
            observed: millis(observed)?,
            bound: millis(bound)? + 1,
        })
    }

    /// The two intervals have an instant in common.
    fn agrees(&self) -> bool {
        let (from, to) = (self.observed.saturating_sub(self.bound), self.observed + self.bound);
        self.lower <= to && from <= self.reported
    }

    fn line(&self) -> String {
        let Self { case, reported, lower, observed, bound } = self;
        let off = i128::from(*reported) - i128::from(*observed);
        let verdict = if self.agrees() { "agree" } else { "DISAGREE" };
        format!(
            "{case:<12} {reported:>8} ms  [-{:>4} ms]  {observed:>8} ms  [+-{bound:>4} ms]  {off:>+5} ms  {verdict}",
            reported - lower
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_observer_agrees_with_the_reported_recovery_times() -> anyhow::Result<()> {
    let lab = Lab::shared().await?;
    let mut rows = Vec::new();
    let open = async |seconds: u64| {
        let options = ShopOptions {
            namespace: format!("shop-{seconds}s"),
            ready_after: Duration::from_secs(seconds),
            ..ShopOptions::default()
        };
        let shop = Shop::open(lab, &options).await?;
        shop.backup().await?;
        anyhow::Ok(shop)
    };
    let quick = open(2).await?;
    let firedrill = Firedrill::new(lab, "observed", ConfigOptions::default()).await?;
    let result = async {
        rows.push(node_lost(lab, &firedrill).await.context("node-lost")?);
        rows.push(restored(lab, &firedrill, &quick, 2).await.context("2 s")?);
        rows.push(serves_late(lab, &firedrill, &quick).await.context("serves late")?);
        let (slow, slower) = tokio::try_join!(open(10), open(30))?;
        rows.push(restored(lab, &firedrill, &slow, 10).await.context("10 s")?);
        rows.push(serves(lab, &firedrill, &slow, 10).await.context("serves")?);
        rows.push(restored(lab, &firedrill, &slower, 30).await.context("30 s")?);
        anyhow::Ok(())
    }
    .await;
    firedrill.verify().await?;

    println!("pods ready   firedrill    [bound]         observer    [bound]         off");
    for row in &rows {
        println!("{}", row.line());
    }
    result?;
    ensure!(rows.iter().all(Row::agrees), "the two disagree by more than their bounds");
    Ok(())
}

/// The restore of a shop, with `more` steps, and an objective that ends with the step `until`.
fn drill(shop: &Shop, more: &str, until: &str) -> String {
    format!(
        "apiVersion: firedrill.dev/v1alpha1\n\
         kind: Drill\n\
         metadata: {{name: shop-comes-back}}\n\
         spec:\n  \
           cluster: lab\n  \
           deadline: 5m\n  \
           steps:\n    \
             - name: restore\n      \
               veleroRestore:\n        \
                 backup: {{newestOf: {{schedule: {schedule}}}}}\n        \
                 namespaces: [{namespace}]\n    \
             - name: ready\n      \
               workloadsReady: {{in: restore, stableFor: {stable}s}}\n\
           {more}  \
           objectives:\n    \
             - {{name: shop-rto, recoveryTime: 4m, from: restore, until: {until}}}\n",
        schedule = shop.schedule(),
        namespace = shop.namespace(),
        stable = STABLE.as_secs(),
    )
}

/// A restore whose recovery ends when the shop serves in its sandbox.
fn serving(shop: &Shop) -> String {
    let step = format!(
        "    - name: serving\n      \
           check:\n        \
             http: {{in: restore, service: web, port: http, path: /healthz}}\n        \
             every: {every}ms\n        \
             timeout: 20s\n        \
             successes: {SUCCESSES}\n",
        every = EVERY.as_millis(),
    );
    drill(shop, &step, "serving")
}

/// It serves as soon as a pod is ready: the truth is the first ready endpoint.
async fn serves(
    lab: &Lab,
    firedrill: &Firedrill,
    shop: &Shop,
    seconds: u64,
) -> anyhow::Result<Row> {
    let observer = Observer::start(lab).await?;
    let ran = firedrill.run(&serving(shop)).await?;
    ensure!(ran.code == 0, "{ran}");
    let report = firedrill.report().await?;
    let seen = observer.served("web", None, EVERY * (SUCCESSES - 1))?;
    observer.stop().await?;
    ensure!(seen.recovery >= Duration::from_secs(seconds), "{seen:?}");
    Row::new("serves", &report, seen.recovery, seen.bound)
}

/// All is ready, and what is behind the Service answers 503 for a while: the truth is the instant
/// at which it is switched to 200.
async fn serves_late(lab: &Lab, firedrill: &Firedrill, shop: &Shop) -> anyhow::Result<Row> {
    let (observer, inside) = (Observer::start(lab).await?, lab.inside());
    inside.set(Mode::Answer(503))?;
    let result = async {
        let going = firedrill.start(&serving(shop))?;
        lab::wait::until("it can be reached", LIMIT, || async {
            Ok(observer.reachable("web")?.is_some_and(|since| since.elapsed() >= STABLE))
        })
        .await?;
        // Bad answers that came after it could be reached: the report's bound must exclude that.
        let asked = inside.asked();
        lab::wait::until("it is asked", LIMIT, || async { Ok(inside.asked() >= asked + 3) })
            .await?;
        let before = Instant::now();
        inside.set(Mode::Answer(200))?;
        let switched = Instant::now();
        let ran = going.end().await?;
        ensure!(ran.code == 0, "{ran}");
        let seen = observer.served("web", Some(switched), EVERY * (SUCCESSES - 1))?;
        let bound = seen.bound + (switched - before);
        let row = Row::new("serves late", &firedrill.report().await?, seen.recovery, bound)?;
        let reachable = u64::try_from(seen.reachable.as_millis())?;
        ensure!(row.lower > reachable + row.bound, "{seen:?}: not before {} ms", row.lower);
        Ok(row)
    }
    .await;
    inside.set(Mode::Answer(200))?;
    observer.stop().await?;
    result
}

async fn restored(
    lab: &Lab,
    firedrill: &Firedrill,
    shop: &Shop,
    seconds: u64,
) -> anyhow::Result<Row> {
    let drill = drill(shop, "", "ready");
    let observer = Observer::start(lab).await?;
    let ran = firedrill.run(&drill).await?;
    ensure!(ran.code == 0, "{ran}");
    let report = firedrill.report().await?;
    let seen = observer.restored(STABLE)?;
    observer.stop().await?;

    // The pods' delay is in it, or nothing was measured.
    ensure!(seen.recovery >= Duration::from_secs(seconds), "{seen:?}");
    // Deployments web and api, StatefulSet database, the bare pod toolbox; and the six pods of the
    // DaemonSet, which itself does not come back and leaves them bare.
    ensure!(seen.things == 10, "{seen:?}");
    // T0 lies just before the second that the API server stamped on the Restore.
    let opened: jiff::Timestamp = report["opened"].as_str().context("opened")?.parse()?;
    let t0 = report["recoveries"][0]["t0Millis"].as_u64().context("t0Millis")?;
    let t0 = opened + Duration::from_millis(t0);
    let after = seen.created.duration_since(t0).as_secs_f64();
    ensure!((-1.5..=2.0).contains(&after), "created {} against T0 {t0}", seen.created);
    Row::new(&format!("{seconds} s"), &report, seen.recovery, seen.bound)
}

async fn node_lost(lab: &Lab, firedrill: &Firedrill) -> anyhow::Result<Row> {
    let drill = format!(
        "apiVersion: firedrill.dev/v1alpha1\n\
         kind: Drill\n\
         metadata: {{name: node-lost}}\n\
         spec:\n  \
           cluster: lab\n  \
           deadline: 5m\n  \
           steps:\n    \
             - name: drain\n      \
               drainNodes: {{selector: firedrill.dev/drillable=true, count: 1, pick: first, stableFor: {}s}}\n  \
           objectives:\n    \
             - {{name: node-rto, recoveryTime: 4m, from: drain, until: drain}}\n",
        STABLE.as_secs(),
    );
    let observer = Observer::start(lab).await?;
    let ran = firedrill.run(&drill).await?;
    ensure!(ran.code == 0, "{ran}");
    let report = firedrill.report().await?;
    let seen = observer.drained(STABLE)?;
    observer.stop().await?;
    ensure!(seen.evicted > 0 && seen.recovery >= Duration::from_secs(2), "{seen:?}");
    Row::new("node, 2 s", &report, seen.recovery, seen.bound)
}
