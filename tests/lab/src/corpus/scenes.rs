//! What the good snapshots are of.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use super::{
    Good, objects,
    store::{Ground, Store},
};

type Rows = Vec<(String, Option<Vec<u8>>)>;

/// When Leases of the corpus were renewed last, in seconds since 1970.
pub const RENEWED: u64 = 1_790_000_000;

/// All of them, and a raw copy of a database in use.
pub async fn all(ground: &Ground) -> anyhow::Result<(Vec<Good>, PathBuf)> {
    let mut good = Vec::new();
    let copy = life(ground, &mut good).await?;
    large(ground, &mut good).await?;
    deleted(ground, &mut good).await?;
    full(ground, &mut good).await?;
    if ground.tools.at_least(6) {
        compacting(ground, &mut good).await?;
        restored(ground, &mut good).await?;
    }
    Ok((good, copy))
}

/// A store from its beginning to authentication.
async fn life(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<PathBuf> {
    let mut store = Store::start(ground, "life", &[]).await?;
    good.push(store.snapshot("empty")?);

    let put = |key: &str, value: &[u8]| (key.to_owned(), Some(value.to_vec()));
    store.change(&[put("one", b"1"), put("two", b"2"), put("three", b"")]).await?;
    store.change(&[put("one", b"another"), ("two".to_owned(), None)]).await?;
    good.push(store.snapshot("small")?);

    store.change(&cluster(300)).await?;
    good.push(store.snapshot("kubernetes")?);

    let before = store.revision()?;
    store.change(&changes(0)).await?;
    // The next is a deletion, at which the key space is compacted.
    store.change(&[("/registry/pods/shop/pod-299".to_owned(), None)]).await?;
    store.ctl(&["lease", "grant", "3600"])?;
    let lease = store.ctl(&["lease", "grant", "7200"])?;
    let lease = lease.split_whitespace().nth(1).context("a lease")?.to_owned();
    let point = store.revision()?;
    ensure!(point > before, "nothing was changed");
    store.ctl(&["put", &format!("--lease={lease}"), "with-lease", "x"])?;
    store.ctl(&["compact", "--physical", &point.to_string()])?;
    good.push(store.snapshot("compacted")?);

    store.change(&changes(1)).await?;
    good.push(store.snapshot("compacted-and-changed")?);
    let copy = ground.out.join("copy.db");
    fs::copy(ground.work.join("life/member/snap/db"), &copy)?;

    store.ctl(&["user", "add", "root:secret"])?;
    store.ctl(&["user", "grant-role", "root", "root"]).or_else(|_| {
        store.ctl(&["role", "add", "root"])?;
        store.ctl(&["user", "grant-role", "root", "root"])
    })?;
    store.ctl(&["auth", "enable"])?;
    store.log_in("root:secret");
    good.push(store.snapshot("auth")?);
    store.stop();
    Ok(copy)
}

/// Objects of a small cluster.
fn cluster(pods: usize) -> Rows {
    let mut rows: Rows = vec![
        ("compact_rev_key".to_owned(), Some(b"7".to_vec())),
        (
            "/registry/namespaces/kube-system".to_owned(),
            Some(objects::namespace("kube-system", "6b1f6a5e-kube-system")),
        ),
        (
            "/registry/services/specs/shop/web".to_owned(),
            Some(objects::plain("Service", "shop", "web", 9)),
        ),
        (
            "/registry/stable.example.com/widgets/shop/one".to_owned(),
            Some(br#"{"kind":"Widget"}"#.to_vec()),
        ),
        (
            "/registry/secrets/shop/plain".to_owned(),
            Some(objects::plain("Secret", "shop", "plain", 9)),
        ),
    ];
    for n in 0..3 {
        let value = format!("k8s:enc:aescbc:v1:key{}:cipher {n}", n % 2);
        rows.push((format!("/registry/secrets/shop/encrypted-{n}"), Some(value.into_bytes())));
        let lease = objects::lease(&format!("node-{n}"), RENEWED - 10 + n);
        rows.push((format!("/registry/leases/kube-node-lease/node-{n}"), Some(lease)));
    }
    rows.extend((0..pods).map(|n| {
        let name = format!("pod-{n}");
        let value = objects::plain("Pod", "shop", &name, 400 + n * 7 % 900);
        (format!("/registry/pods/shop/{name}"), Some(value))
    }));
    rows
}

/// Updates and deletions.
fn changes(round: u64) -> Rows {
    let mut rows: Rows = Vec::new();
    for n in (0..300).step_by(7) {
        let value = objects::plain("Pod", "shop", "changed", 500 + n);
        rows.push((format!("/registry/pods/shop/pod-{n}"), Some(value)));
    }
    for n in (3..300).step_by(11) {
        rows.push((format!("/registry/pods/shop/pod-{n}"), (n % 2 == 0).then(|| vec![7; 90])));
    }
    let lease = objects::lease("node-0", RENEWED - 1 + round);
    rows.push(("/registry/leases/kube-node-lease/node-0".to_owned(), Some(lease)));
    // A transaction cannot change a key twice.
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|(key, _)| seen.insert(key.clone()));
    rows
}

/// Values that take many pages.
async fn large(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<()> {
    let store = Store::start(ground, "large", &[]).await?;
    for n in 0..3_u8 {
        store.put(&format!("/registry/secrets/shop/large-{n}"), &vec![n; 700_000]).await?;
    }
    good.push(store.snapshot("large-values")?);
    store.stop();
    Ok(())
}

/// A store in which every key was deleted: no row is kept by a live key.
async fn deleted(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<()> {
    let store = Store::start(ground, "deleted", &[]).await?;
    for n in 0..20 {
        store.put(&format!("key-{n}"), b"value").await?;
    }
    store.ctl(&["compact", "--physical", "11"])?;
    let rows: Rows = (0..20).map(|n| (format!("key-{n}"), None)).collect();
    store.change(&rows).await?;
    good.push(store.snapshot("all-deleted")?);
    let point = store.revision()?.to_string();
    store.ctl(&["compact", "--physical", &point])?;
    good.push(store.snapshot("all-deleted-and-compacted")?);
    store.stop();
    Ok(())
}

/// A store that has used up its quota.
async fn full(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<()> {
    let store = Store::start(ground, "full", &["--quota-backend-bytes=3000000"]).await?;
    for n in 0..40_u8 {
        let answer = store.put(&format!("full-{n}"), &vec![n; 200_000]).await?;
        if answer.get("header").is_none() {
            break;
        }
    }
    ensure!(store.ctl(&["alarm", "list"])?.contains("NOSPACE"), "no alarm");
    good.push(Good { alarm: true, ..store.snapshot("nospace")? });
    store.stop();
    Ok(())
}

/// A store in the middle of a compaction.
async fn compacting(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<()> {
    let flags = ["--compaction-batch-limit=10", "--compaction-sleep-interval=1h"];
    let store = Store::start(ground, "compacting", &flags).await?;
    for round in 0..4_u8 {
        for n in 0..15 {
            store.put(&format!("key-{n}"), &[round; 30]).await?;
        }
        store.change(&[(format!("key-{round}"), None)]).await?;
    }
    let point = store.revision()? - 5;
    store.ctl(&["compact", &point.to_string()])?;
    good.push(store.snapshot("compacting")?);
    store.stop();
    Ok(())
}

/// A store that was restored with its revision bumped, as Kubernetes needs it.
async fn restored(ground: &Ground, good: &mut Vec<Good>) -> anyhow::Result<()> {
    let from = good.iter().find(|it| it.name == "compacted-and-changed").context("a snapshot")?;
    let etcdutl = ground.tools.etcdutl.as_ref().context("etcdutl")?;
    let said = Command::new(etcdutl)
        .args(["snapshot", "restore", "--bump-revision=1000000000", "--mark-compacted"])
        .arg("--data-dir")
        .arg(ground.work.join("restored"))
        .args(["--name=restored", "--initial-cluster=restored=http://127.0.0.1:2380"])
        .arg("--initial-advertise-peer-urls=http://127.0.0.1:2380")
        .arg(&from.path)
        .output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let store = Store::start(ground, "restored", &[]).await?;
    good.push(store.snapshot("restored")?);
    store.change(&changes(5)).await?;
    good.push(store.snapshot("restored-and-changed")?);
    store.stop();
    Ok(())
}
