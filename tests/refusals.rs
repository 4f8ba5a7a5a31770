//! What must stop a run before anything is changed: one clear line, exit 3, and nothing of ours in
//! the cluster's audit log but reads and access reviews.

mod common;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use common::place::{DRILL, Place, Said, firedrill, said};
use firedrill::{
    config::{Caps, Cluster as Settings, Login, Proof, Timings},
    kind,
    world::{
        access::{self, Need, Scope},
        forward,
        kube::Cluster,
    },
};
use lab::{
    Lab, Options,
    audit::{AuditLog, Filter},
    firedrill::{ConfigOptions, write_config},
    proxy::{self, Proxy},
    shop::{Shop, ShopOptions},
};
use serde_json::{Value, json};

const SHOP: &str = "drills/shop-comes-back.yaml";
const NODE: &str = "drills/node-lost.yaml";

/// A refusal as it must be, whatever the cause; gives the cause, in one line.
fn refused(said: &Said, summary: &Value) -> String {
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.starts_with("ABORTED  "), "{said}");
    assert!(said.out.contains("\n  Nothing was changed.\n"), "{said}");
    let cause = said.cause();
    assert_eq!(summary["verdict"], "aborted", "{said}");
    assert_eq!(summary["reason"], "refused", "{said}");
    assert_eq!(summary["exitCode"], 3, "{said}");
    assert_eq!(summary["effects"], json!([]), "{said}");
    let why = summary["why"].as_str().expect("a cause");
    assert_eq!(summary["refusals"][0], why, "the first reason is the cause");
    let plain = |text: &str| text.trim_end_matches(['.', '?']).to_lowercase();
    assert_eq!(plain(&cause), plain(why), "the report says it");
    assert!(said.err.contains(&format!("closing: {why}")), "progress says it: {said}");
    assert!(!said.err.contains("ERROR"), "and no log is needed for it: {said}");
    cause
}

/// Runs DRILL without a lab, and the report of it as JSON.
fn refused_at(place: &Place) -> (String, Duration) {
    place.write("drill.yaml", DRILL);
    #[expect(clippy::disallowed_methods, reason = "a test's own stopwatch")]
    let begun = Instant::now();
    let said = place.run(&["run", "drill.yaml"]);
    let took = begun.elapsed();
    let summary = place.run(&["--output", "json", "report"]).json();
    (refused(&said, &summary), took)
}

#[test]
fn a_closed_port() {
    let (cause, _) = refused_at(&Place::new("https://127.0.0.1:1"));
    assert_eq!(
        cause,
        "Cluster lab cannot be reached: https://127.0.0.1:1: Connection refused (os error 111)."
    );
}

#[test]
fn a_server_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("https://{}", listener.local_addr().expect("an address"));
    let (cause, took) = refused_at(&Place::new(&server));
    assert_eq!(cause, "Cluster lab did not answer within 3 s.");
    // The sweep waits once and the plan once.
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_drill_that_this_version_cannot_run_whole() {
    let place = Place::new("https://127.0.0.1:1");
    let text = DRILL.replace("{newestOf: {schedule: shop-nightly}}", "{step: save}").replace(
        "  steps:\n",
        "  steps:\n    - {name: save, veleroBackup: {namespaces: [shop]}}\n",
    );
    place.write("drill.yaml", &text);
    // It is a good drill, with a warning for each ...
    let validated = place.run(&["validate", "drill.yaml"]);
    assert_eq!(validated.code, 0, "{validated}");
    assert!(validated.out.ends_with("0 errors, 2 warnings\n"), "{validated}");
    // ... and is refused before any cluster is asked.
    let said = place.run(&["run", "drill.yaml"]);
    let summary = place.run(&["--output", "json", "report"]).json();
    let cause = refused(&said, &summary);
    assert!(cause.contains("veleroBackup` is not acted on by this version"), "{cause}");
    let refusals = summary["refusals"].as_array().expect("a list");
    assert_eq!(refusals.len(), 2, "{summary}");
    assert!(refusals[1].as_str().is_some_and(|why| why.contains("backup.step")), "{summary}");
}

#[test]
fn a_host_that_does_not_exist() {
    let (cause, _) = refused_at(&Place::new("https://kubernetes.invalid:6443"));
    assert!(
        cause.starts_with("Cluster lab cannot be reached: https://kubernetes.invalid:6443: "),
        "{cause}"
    );
}

#[test]
fn files_that_are_not_there() {
    let place = Place::new("https://127.0.0.1:1");
    let token = place.path().join("token");
    std::fs::remove_file(&token).expect("it was there");
    let (cause, _) = refused_at(&place);
    let folder = place.path().canonicalize().expect("a folder").display().to_string();
    let cause = cause.replace(&folder, "DIR").replace(&place.path().display().to_string(), "DIR");
    insta::assert_snapshot!("no_token_file", cause);
    place.write("token", "t");
    place.write("pki/ca.crt", "no certificate");
    let (cause, _) = refused_at(&place);
    let cause = cause.replace(&folder, "DIR").replace(&place.path().display().to_string(), "DIR");
    insta::assert_snapshot!("no_ca", cause);
}

#[test]
fn the_journal_of_another_process() {
    // A check that never gets its answer keeps the first process at work.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let place = Place::new("https://127.0.0.1:1");
    let slow = format!(
        "apiVersion: firedrill.dev/v1alpha1\nkind: Drill\nmetadata: {{name: slow}}\nspec:\n\
         \x20 cluster: lab\n\x20 steps:\n    - name: asked\n\
         \x20     check: {{http: {{url: \"http://{address}/\"}}, successes: 2}}\n"
    );
    place.write("slow.yaml", &slow);
    let mut command = place.command(&["run", "slow.yaml"]);
    let mut first = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it");
    let stderr = BufReader::new(first.stderr.take().expect("piped"));
    let begun = stderr.lines().any(|line| line.is_ok_and(|line| line.contains("asked begins")));
    let second = place.run(&["run", "slow.yaml"]);
    let undo = place.run(&["--output", "json", "undo"]);
    // Reading needs no lock.
    let history = place.run(&["history"]);
    let pid = first.id();
    first.kill().expect("kill");
    first.wait().expect("wait");
    assert!(begun);
    assert_eq!((second.code, second.out.as_str()), (3, ""), "{second}");
    let line = second.err.lines().next().unwrap_or_default();
    assert!(
        line.starts_with(&format!("error: the journal is in use by process {pid} since ")),
        "{line}"
    );
    assert!(line.contains("run slow.yaml"), "{line}");
    assert!(second.err.contains("help: one firedrill at a time"), "{second}");
    assert_eq!((undo.code, &undo.json()["exitCode"]), (3, &3.into()), "{undo}");
    assert!(history.out.contains("running"), "{history}");
}

#[test]
fn a_journal_that_cannot_be_written() {
    let place = Place::new("https://127.0.0.1:1");
    place.write("drill.yaml", DRILL);
    // A file where its folder should be: that stops root, too.
    place.write("journal", "");
    let said = place.run(&["run", "drill.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (70, ""), "{said}");
    let folder = place.path().display().to_string();
    insta::assert_snapshot!("no_journal", said.err.replace(&folder, "DIR"));
}

/// A lab, and the binary with a configuration for it.
struct Ground {
    lab: Lab,
    config: PathBuf,
    /// Lines for people: what was refused and how.
    told: Vec<(String, i32, String)>,
}

impl Ground {
    async fn new() -> anyhow::Result<Self> {
        let lab = Lab::start(Options::default()).await?;
        let config = write_config(&lab, &shop_target()).await?;
        Ok(Self { lab, config, told: Vec::new() })
    }

    async fn run(&self, config: &Path, args: &[&str]) -> anyhow::Result<Said> {
        let config = config.display().to_string();
        let args = [&["--config", &config], args].concat();
        let command = firedrill(&lab::account::repository(), &args);
        Ok(tokio::task::spawn_blocking(move || said(command)).await?)
    }

    /// Runs `drill`, which must be refused, and looks into the audit log.
    async fn refused(&mut self, what: &str, config: &Path, drill: &str) -> anyhow::Result<String> {
        let mut log = AuditLog::from_now(&self.lab.control_plane().audit_log)?;
        let said = self.run(config, &["run", drill]).await?;
        let summary = self.run(config, &["--output", "json", "report"]).await?.json();
        let cause = refused(&said, &summary);
        no_write(&mut log).await?;
        eprintln!("{what} | exit {} | {cause}", said.code);
        self.told.push((what.to_owned(), said.code, cause.clone()));
        Ok(cause)
    }

    async fn admin(&self, objects: Vec<Value>) -> anyhow::Result<()> {
        self.lab.apply_objects(objects).await.map(drop)
    }

    async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let request = http::Request::delete(path).body(Vec::new())?;
        self.lab.client().await?.request_text(request).await?;
        Ok(())
    }
}

fn shop_target() -> ConfigOptions {
    // Nothing of these tests gets as far as the shop.
    ConfigOptions { shop_url: Some("http://127.0.0.1:1".to_owned()), ..Default::default() }
}

/// Our account wrote nothing but access reviews.
async fn no_write(log: &mut AuditLog) -> anyhow::Result<()> {
    // The server logs a request shortly after it has answered it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    log.refresh()?;
    let writes: Vec<String> = log
        .select(&Filter::firedrill())
        .into_iter()
        .filter(|entry| entry.is_write() && entry.resource() != "selfsubjectaccessreviews")
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect();
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}

/// Everything that needs a real API server, on one lab, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_lab() -> anyhow::Result<()> {
    let mut ground = Ground::new().await?;
    let shop = Shop::open(&ground.lab, &ShopOptions::default()).await?;
    certificates(&mut ground).await?;
    logins(&mut ground).await?;
    renewed(&ground).await?;
    leases(&mut ground).await?;
    shop.backup().await?;
    whole_runs(&mut ground, &shop).await?;
    permissions(&mut ground).await?;
    no_namespace_of_ours(&mut ground).await?;
    without_velero(&mut ground).await?;
    for (what, code, line) in &ground.told {
        eprintln!("| {what} | {code} | {line} |");
    }
    ground.lab.stop().await
}

async fn certificates(ground: &mut Ground) -> anyhow::Result<()> {
    let plane = ground.lab.control_plane().server.clone();
    let other = lab::pki::Pki::new(&ground.lab.dir().join("other-pki"))?;
    let expired = ground.lab.site().pki.expired_server("expired")?;
    let unknown = other.server("unknown")?;
    for (what, identity, expected) in [
        (
            "an expired server certificate",
            expired,
            "expired on 2021-01-01 00:00:00Z; this machine's clock says",
        ),
        ("a certificate of an unknown CA", unknown, "is not signed by the configured CA"),
    ] {
        let options =
            proxy::Options::tls(&plane, ground.lab.ca_file(), identity.cert, identity.key);
        let proxy = Proxy::start(options).await?;
        let options = ConfigOptions {
            folder: Some(ground.lab.unique("tls")),
            server: Some(proxy.url().to_owned()),
            ..shop_target()
        };
        let config = write_config(&ground.lab, &options).await?;
        let cause = ground.refused(what, &config, SHOP).await?;
        let begin = format!("Cluster lab: the certificate of {} {expected}", proxy.url());
        assert!(cause.starts_with(&begin), "{cause}");
        proxy.stop().await;
    }
    Ok(())
}

async fn logins(ground: &mut Ground) -> anyhow::Result<()> {
    let config = write_config(
        &ground.lab,
        &ConfigOptions { folder: Some(ground.lab.unique("login")), ..shop_target() },
    )
    .await?;
    let token = config.with_file_name("token");
    // {"alg":"none"} and {"exp":1600000000}, as a token of 2020 would say.
    std::fs::write(&token, "eyJhbGciOiJub25lIn0.eyJleHAiOjE2MDAwMDAwMDB9.c2ln")?;
    let cause = ground.refused("an expired token", &config, SHOP).await?;
    let shown = token.display().to_string();
    assert_eq!(
        cause.replace(&shown, "TOKEN"),
        "Cluster lab does not let us in (401): the token in TOKEN expired on 2020-09-13 12:26:40Z."
    );
    std::fs::write(&token, "opaque")?;
    let cause = ground.refused("a token that the cluster does not know", &config, SHOP).await?;
    assert_eq!(
        cause.replace(&shown, "TOKEN"),
        "Cluster lab does not let us in (401): is the token in TOKEN expired, or of another cluster?"
    );

    let identity = ground.lab.site().pki.expired_client("expired-client", "somebody")?;
    let kubeconfig = config.with_file_name("kubeconfig");
    let server = &ground.lab.control_plane().server;
    ground.lab.site().pki.kubeconfig(&kubeconfig, server, &identity)?;
    let text = std::fs::read_to_string(&config)?;
    let login: Vec<String> = text
        .lines()
        .filter(|line| !line.contains("tokenFile") && !line.contains("caFile"))
        .map(|line| match line.trim_start().starts_with("server:") {
            true => format!("    kubeconfig: {kubeconfig:?}"),
            false => line.to_owned(),
        })
        .collect();
    std::fs::write(&config, login.join("\n"))?;
    let cause = ground.refused("an expired client certificate", &config, SHOP).await?;
    assert_eq!(
        cause.replace(&kubeconfig.display().to_string(), "KUBECONFIG"),
        "Cluster lab does not let us in (401): the client certificate of KUBECONFIG expired on \
         2021-01-01 00:00:00Z."
    );
    Ok(())
}

/// A client certificate is taken from its files, and taken anew when they change: the connected
/// cluster is the same all the while.
async fn renewed(ground: &Ground) -> anyhow::Result<()> {
    let pki = &ground.lab.site().pki;
    let expired = pki.expired_client("renewed", "lab-admin")?;
    let login = Login::Server {
        server: ground.lab.control_plane().server.clone(),
        ca_file: ground.lab.ca_file(),
        proof: Proof::Certificate {
            certificate_file: expired.cert.clone(),
            key_file: expired.key.clone(),
        },
    };
    let settings = Settings {
        login,
        velero_namespace: "velero".to_owned(),
        caps: Caps::default(),
        may_own_outside: Vec::new(),
    };
    let cluster = Cluster::connect("lab", &settings, &Timings::default()).await?;
    let refused = cluster.read("/api/v1/namespaces").await.expect_err("it has expired").to_string();
    let file = expired.cert.display().to_string();
    assert_eq!(
        refused.replace(&file, "FILE"),
        "cluster lab does not let us in (401): the client certificate of FILE expired on \
         2021-01-01 00:00:00Z"
    );
    // The same files, with a pair that is good.
    pki.client("renewed", "lab-admin", Some("system:masters"))?;
    cluster.read("/api/v1/namespaces").await.context("the renewed certificate")?;
    // Half of a renewal: no pair, and so the one before goes on.
    let key = std::fs::read(&expired.key)?;
    std::fs::write(&expired.key, "half of a key")?;
    cluster.read("/api/v1/namespaces").await.context("while it is renewed")?;
    std::fs::write(&expired.key, key)?;
    cluster.read("/api/v1/namespaces").await.context("afterwards")?;
    Ok(())
}

fn lease(instance: &str, run: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": "firedrill", "namespace": "firedrill",
            "labels": {"firedrill.dev/instance": instance, "firedrill.dev/run": run},
            "annotations": {"firedrill.dev/effect": "0", "firedrill.dev/epoch": "1"},
        },
        "spec": {
            "holderIdentity": format!("{instance}/{run}"), "leaseDurationSeconds": 60,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    })
}

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/firedrill/leases/firedrill";

async fn leases(ground: &mut Ground) -> anyhow::Result<()> {
    let config = ground.config.clone();
    // Of our own instance, with the journal lost: the sweep before the run deletes it, and then
    // the plan finds that there is no backup yet.
    ground.admin(vec![lease("lab", "0199a3c2-7f3e-7a10-8bcd-0242ac120002")]).await?;
    let said = ground.run(&config, &["run", SHOP]).await?;
    let summary = ground.run(&config, &["--output", "json", "report"]).await?.json();
    let cause = refused(&said, &summary);
    assert!(cause.contains("backup"), "{cause}");
    assert!(said.err.contains("was found open and is ended; leftovers: 0"), "{said}");
    let client = ground.lab.client().await?;
    let gone = client.request_text(http::Request::get(LEASE).body(Vec::new())?).await;
    ensure!(matches!(gone, Err(kube::Error::Api(ref status)) if status.code == 404), "{gone:?}");
    ground.told.push((
        "our own lease, journal lost: swept; then no backup".into(),
        said.code,
        cause,
    ));

    ground.admin(vec![lease("berlin", "0199a3c2-7f3e-7a10-8bcd-0242ac120002")]).await?;
    let cause = ground.refused("a lease of another instance", &config, NODE).await?;
    assert!(
        cause.starts_with(
            "Cluster lab is held by berlin/0199a3c2-7f3e-7a10-8bcd-0242ac120002, which renewed its lease "
        ) && cause.ends_with("ago: if it is gone for good, `firedrill undo --instance berlin` settles what it left."),
        "{cause}"
    );
    // Undo of our own instance leaves it alone.
    let undo = ground.run(&config, &["undo"]).await?;
    assert_eq!((undo.code, undo.out.as_str()), (0, "nothing is left to undo\n"), "{undo}");
    ground.delete(LEASE).await
}

/// Takes each resource of each rule away in turn. A Lease of another instance stands by, so that a
/// run that misses nothing is refused as well: later, by another line.
async fn permissions(ground: &mut Ground) -> anyhow::Result<()> {
    ground.admin(vec![lease("berlin", "r")]).await?;
    let config = ground.config.clone();
    let mut unused = Vec::new();
    for file in ["clusterrole.yaml", "role-firedrill.yaml", "role-velero.yaml"] {
        let role = role(file)?;
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        for (at, rule) in role["rules"].as_array().context("no rules")?.iter().enumerate() {
            for resource in texts(&rule["resources"]) {
                let mut less = role.clone();
                let left: Vec<_> =
                    texts(&rule["resources"]).into_iter().filter(|it| *it != resource).collect();
                less["rules"][at]["resources"] = json!(left);
                if left.is_empty() {
                    less["rules"].as_array_mut().context("no rules")?.remove(at);
                }
                let group = texts(&rule["apiGroups"]).remove(0);
                let verbs = texts(&rule["verbs"]);
                ground.admin(vec![less]).await?;
                in_force(&ground.lab, namespace.as_deref(), &group, &resource, rule, false).await?;
                let dot = if group.is_empty() { "" } else { "." };
                let what = format!("{file} without {} {resource}{dot}{group}", verbs.join(", "));
                let mut mattered = false;
                for drill in [SHOP, NODE] {
                    let cause =
                        ground.refused(&format!("{what} ({drill})"), &config, drill).await?;
                    if cause.contains("is held by berlin/r") {
                        continue;
                    }
                    mattered = true;
                    let place = match &namespace {
                        None => "cluster-wide".to_owned(),
                        Some(namespace) => format!("in namespace {namespace}"),
                    };
                    let line =
                        format!(" {resource}{dot}{group} {place}; apply config/rbac/{file}.");
                    assert!(cause.starts_with("Cluster lab: our account may not "), "{cause}");
                    assert!(cause.ends_with(&line), "{cause} is not about {line}");
                    assert!(verbs.iter().any(|verb| cause.contains(verb.as_str())), "{cause}");
                }
                if !mattered {
                    unused.push(what);
                }
                ground.admin(vec![role.clone()]).await?;
                in_force(&ground.lab, namespace.as_deref(), &group, &resource, rule, true).await?;
            }
        }
    }
    ground.delete(LEASE).await?;
    ensure!(unused.is_empty(), "granted, but no drill needs it: {unused:#?}");
    Ok(())
}

/// Both samples run to their end, and send nothing that preflight did not ask for.
async fn whole_runs(ground: &mut Ground, shop: &Shop) -> anyhow::Result<()> {
    let options = ConfigOptions {
        folder: Some(ground.lab.unique("whole")),
        shop_url: Some(shop.url().to_owned()),
        ..Default::default()
    };
    let config = write_config(&ground.lab, &options).await?;
    let mut log = AuditLog::from_now(&ground.lab.control_plane().audit_log)?;
    for drill in [SHOP, NODE] {
        let said = ground.run(&config, &["run", drill]).await?;
        assert_eq!(said.code, 0, "{said}");
        ground.told.push((format!("nothing against it: {drill}"), said.code, said.cause()));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    log.refresh()?;
    let asked: BTreeSet<(String, String)> = needs().iter().map(right).collect();
    let mut sent = BTreeSet::new();
    for entry in log.select(&Filter::firedrill()) {
        let Some(object) = &entry.object_ref else { continue };
        let dot = if object.api_group.is_empty() { "" } else { "." };
        sent.insert((entry.verb.clone(), format!("{}{dot}{}", entry.resource(), object.api_group)));
    }
    // Everybody may ask what they may.
    let review = "selfsubjectaccessreviews.authorization.k8s.io";
    ensure!(sent.remove(&("create".to_owned(), review.to_owned())), "{sent:?}");
    let unasked: Vec<_> = sent.difference(&asked).collect();
    ensure!(unasked.is_empty(), "sent, and not asked for before: {unasked:?}");
    let unsent: Vec<_> = asked.difference(&sent).collect();
    eprintln!("asked for, and not needed by runs in which nothing goes wrong: {unsent:?}");
    Ok(())
}

fn needs() -> Vec<Need> {
    [
        access::RUN,
        kind::velero_restore::act::NEEDS,
        kind::workloads_ready::act::NEEDS,
        kind::drain_nodes::act::NEEDS,
        forward::NEEDS,
    ]
    .concat()
}

/// Verb, and `resource/sub.group`.
fn right(need: &Need) -> (String, String) {
    let slash = if need.subresource.is_empty() { "" } else { "/" };
    let dot = if need.group.is_empty() { "" } else { "." };
    let resource = format!("{}{slash}{}{dot}{}", need.resource, need.subresource, need.group);
    (need.verb.to_owned(), resource)
}

fn role(file: &str) -> anyhow::Result<Value> {
    let path = lab::account::repository().join("config/rbac").join(file);
    let mut all = lab::apply::documents(&std::fs::read_to_string(path)?)?;
    ensure!(all.len() == 1, "{file} holds {} documents", all.len());
    Ok(all.remove(0))
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

/// Waits until the API server grants our account the rule's rights on `resource`, or no longer.
async fn in_force(
    lab: &Lab,
    namespace: Option<&str>,
    group: &str,
    resource: &str,
    rule: &Value,
    wanted: bool,
) -> anyhow::Result<()> {
    let client = lab.client().await?;
    let (plural, sub) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": lab::audit::FIREDRILL,
            "resourceAttributes": {
                "verb": texts(&rule["verbs"]).pop(), "group": group, "resource": plural,
                "subresource": sub, "namespace": namespace,
                "name": texts(&rule["resourceNames"]).pop(),
            },
        },
    });
    lab::wait::until("the role is in force", Duration::from_secs(30), || async {
        let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&review)?)?;
        let answer: Value = client.request(request).await?;
        Ok((answer["status"]["allowed"] == true) == wanted)
    })
    .await
}

async fn no_namespace_of_ours(ground: &mut Ground) -> anyhow::Result<()> {
    // Without config/rbac in it, nothing is allowed there: the first line says what to apply.
    ground
        .delete("/apis/rbac.authorization.k8s.io/v1/namespaces/firedrill/rolebindings/firedrill")
        .await?;
    let rule = json!({"verbs": ["create"]});
    in_force(&ground.lab, Some("firedrill"), "coordination.k8s.io", "leases", &rule, false).await?;
    let config = ground.config.clone();
    let cause = ground.refused("no role in our namespace", &config, NODE).await?;
    assert!(cause.ends_with("apply config/rbac/role-firedrill.yaml."), "{cause}");
    let report = ground.run(&config, &["report"]).await?;
    insta::assert_snapshot!(
        "several_reasons",
        report.out.split("\nRUN\n").next().unwrap_or_default()
    );
    let json = ground.run(&config, &["--output", "json", "report"]).await?.json();
    assert_eq!(json["refusals"].as_array().map(Vec::len), Some(2), "{json}");
    let text =
        std::fs::read_to_string(lab::account::repository().join("config/rbac/rolebindings.yaml"))?;
    ground.lab.apply(&text).await?;
    in_force(&ground.lab, Some("firedrill"), "coordination.k8s.io", "leases", &rule, true).await
}

async fn without_velero(ground: &mut Ground) -> anyhow::Result<()> {
    ground.lab.stop_velero();
    for plural in ["restores", "backups", "backupstoragelocations"] {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        ground.delete(&format!("{path}/{plural}.velero.io")).await?;
    }
    let client = ground.lab.client().await?;
    lab::wait::until("Velero's kinds are gone", Duration::from_secs(60), || async {
        let path = "/apis/velero.io/v1/namespaces/velero/backups";
        let answer = client.request_text(http::Request::get(path).body(Vec::new())?).await;
        Ok(matches!(answer, Err(kube::Error::Api(status)) if status.code == 404))
    })
    .await?;
    let config = ground.config.clone();
    let cause = ground.refused("no Velero", &config, SHOP).await?;
    assert!(cause.contains("Velero is not installed on cluster lab"), "{cause}");
    Ok(())
}

/// Every right that config/rbac grants is asked for by preflight, and the other way round.
#[test]
fn what_is_granted_is_what_is_needed() {
    let needs = needs();
    for (namespace, scope) in
        [("default", Scope::Cluster), ("firedrill", Scope::Firedrill), ("velero", Scope::Velero)]
    {
        // Cluster-wide rights hold in every namespace.
        let everywhere =
            if namespace == "default" { BTreeSet::new() } else { lab::rbac::grants("default") };
        let granted: BTreeSet<(String, String)> = lab::rbac::grants(namespace)
            .difference(&everywhere)
            .map(|(verb, resource, _)| (verb.clone(), resource.clone()))
            .collect();
        let needed: BTreeSet<_> =
            needs.iter().filter(|need| need.scope == scope).map(right).collect();
        // Allows nothing that `update` does not, and raises an epoch by hand.
        let kept = ("patch".to_owned(), "configmaps".to_owned());
        let missing: Vec<_> = needed.difference(&granted).collect();
        let unused: Vec<_> = granted.difference(&needed).filter(|it| **it != kept).collect();
        assert!(missing.is_empty(), "needed and not granted in {namespace}: {missing:?}");
        assert!(unused.is_empty(), "granted in {namespace} and not needed: {unused:?}");
    }
}
