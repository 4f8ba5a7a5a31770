//! A port-forward into a sandbox, against a real API server: what comes through, and for all that
//! does not come through the sentence that says why.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use firedrill::{
    check::service::PortRef,
    config,
    mark::Mark,
    sandbox,
    world::{
        forward::{self, Place, Question, Reply},
        kube::Cluster,
    },
};
use lab::{
    Lab, Options,
    firedrill::{ConfigOptions, write_config},
    inside::Mode,
    proxy::{self, Proxy},
    shop::{Shop, ShopOptions},
};
use serde_json::{Value, json};

/// For what must come: only a hang gets there.
const LIMIT: Duration = Duration::from_secs(60);
/// For what must not come.
const SHORT: Duration = Duration::from_secs(2);

/// A lab with a shop, its backup restored into a sandbox, and our account.
struct Ground {
    lab: Lab,
    cluster: Cluster,
    sandbox: String,
    rights: Value,
    told: Vec<String>,
}

impl Ground {
    async fn new() -> anyhow::Result<Self> {
        let lab = Lab::start(Options::default()).await?;
        let shop = Shop::open(&lab, &ShopOptions { replicas: 3, ..Default::default() }).await?;
        let backup = shop.backup().await?;
        let backup = backup.metadata.name.context("a backup has a name")?;
        let sandbox = restored(&lab, &backup).await?;
        let cluster = cluster(&lab, ConfigOptions::default()).await?;
        let rights = std::fs::read_to_string(
            lab::account::repository().join("config/rbac/clusterrole.yaml"),
        )?;
        let rights = lab::apply::documents(&rights)?.remove(0);
        Ok(Self { lab, cluster, sandbox, rights, told: Vec::new() })
    }

    fn place(&self, service: &str, port: &str) -> Place {
        place(&self.sandbox, service, port)
    }

    async fn get(&self, place: &Place, within: Duration) -> Result<Reply, forward::ForwardError> {
        get(&self.cluster, place, 0, within).await
    }

    /// Asks, and must be told `expected`.
    async fn fails(
        &mut self,
        place: Place,
        within: Duration,
        expected: &str,
    ) -> anyhow::Result<()> {
        match self.get(&place, within).await {
            Ok(reply) => anyhow::bail!("{place:?} answered {reply:?}, not: {expected}"),
            Err(error) => self.says(&error, expected),
        }
    }

    /// SANDBOX and POD stand for their names, and `*` for any words.
    fn says(&mut self, error: &forward::ForwardError, expected: &str) -> anyhow::Result<()> {
        let said = error.to_string();
        let mut shown = said.replace(&self.sandbox, "SANDBOX");
        if let Some(pod) = said.split_whitespace().find(|word| word.starts_with("web-")) {
            shown = shown.replace(pod.trim_end_matches([':', ',']), "POD");
        }
        let (begin, end) = expected.split_once('*').unwrap_or((expected, ""));
        let fits = if expected.contains('*') {
            shown.starts_with(begin) && shown.ends_with(end)
        } else {
            shown == expected
        };
        ensure!(fits, "not {expected:?} but {shown:?}");
        ensure!(!said.contains('\n'), "more than a sentence: {said}");
        self.told.push(shown);
        Ok(())
    }

    async fn admin(&self, objects: Vec<Value>) -> anyhow::Result<()> {
        self.lab.apply_objects(objects).await.map(drop)
    }
}

fn place(namespace: &str, service: &str, port: &str) -> Place {
    let (namespace, service) = (namespace.to_owned(), service.to_owned());
    Place { namespace, service, port: PortRef::of(port) }
}

async fn get(
    cluster: &Cluster,
    place: &Place,
    turn: u64,
    within: Duration,
) -> Result<Reply, forward::ForwardError> {
    let question = Question { path: "/healthz", host: None, headers: &[] };
    forward::get(cluster, place, turn, &question, within).await
}

/// The lab as firedrill's configuration has it.
async fn cluster(lab: &Lab, options: ConfigOptions) -> anyhow::Result<Cluster> {
    let path = write_config(lab, &options).await?;
    let (config, problems) = config::load(&path);
    let config = config.with_context(|| format!("{} problems", problems.len()))?;
    Ok(Cluster::connect("lab", &config.clusters["lab"], &config.timings).await?)
}

/// A sandbox as a run makes it, with what Velero brings back into it.
async fn restored(lab: &Lab, backup: &str) -> anyhow::Result<String> {
    let mark = Mark { instance: "lab".into(), run: "r".into(), effect: 1, epoch: 1 };
    let namespace = sandbox::namespace(&mark, "shop", None);
    let name = namespace.metadata.name.clone().context("a sandbox has a name")?;
    let closed = sandbox::closing_policy(&mark, &name);
    let restore = json!({
        "apiVersion": "velero.io/v1", "kind": "Restore",
        "metadata": {"name": "fd-forward", "namespace": "velero"},
        "spec": {
            "backupName": backup, "includedNamespaces": ["shop"],
            "namespaceMapping": {"shop": name},
            "includedResources": [
                "pods", "replicasets", "deployments", "statefulsets", "services", "configmaps",
                "secrets", "serviceaccounts",
            ],
        },
    });
    let typed = |kind: &str, version: &str, object: Value| {
        let mut object = object;
        object["kind"] = kind.into();
        object["apiVersion"] = version.into();
        object
    };
    lab.apply_objects(vec![
        typed("Namespace", "v1", serde_json::to_value(&namespace)?),
        typed("NetworkPolicy", "networking.k8s.io/v1", serde_json::to_value(&closed)?),
        restore,
    ])
    .await?;
    Ok(name)
}

/// Everything on one lab, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn into_a_sandbox() -> anyhow::Result<()> {
    let mut ground = Ground::new().await?;
    comes_through(&mut ground).await?;
    leads_nowhere(&mut ground).await?;
    only_into_sandboxes(&mut ground).await?;
    answers_badly(&mut ground).await?;
    is_cut(&mut ground).await?;
    without_a_right(&mut ground).await?;
    // No kubelet any more: last.
    ground.lab.stop_kwok();
    let refused = "port 8080 of pod POD cannot be reached: error dialing backend: *";
    ground.fails(ground.place("web", "http"), LIMIT, refused).await?;
    for line in &ground.told {
        eprintln!("| {line} |");
    }
    ground.lab.stop().await
}

async fn comes_through(ground: &mut Ground) -> anyhow::Result<()> {
    let web = ground.place("web", "http");
    lab::wait::until("three pods came back", LIMIT, || async {
        Ok(ground.get(&web, LIMIT).await?.backend.ready == 3)
    })
    .await?;
    let reply = ground.get(&web, LIMIT).await?;
    assert_eq!((reply.answer.status, reply.backend.port, reply.backend.all), (200, 8080, 3));
    let body = String::from_utf8(reply.answer.body)?;
    assert_eq!(body, format!("200 from inside, asked as web.{}.svc\n", ground.sandbox));

    let mut pods = BTreeSet::new();
    for turn in 0..3 {
        pods.insert(get(&ground.cluster, &web, turn, LIMIT).await?.backend.pod);
    }
    assert_eq!(pods.len(), 3, "each turn another pod: {pods:?}");

    // By the Service's number, with a host of the caller's, and a path that is not there.
    let place = ground.place("web", "80");
    let question = Question { path: "/other", host: Some("shop.example"), headers: &[] };
    let reply = forward::get(&ground.cluster, &place, 0, &question, LIMIT).await?;
    assert_eq!(reply.answer.status, 404);

    let backend =
        forward::connects(&ground.cluster, &ground.place("database", "sql"), 0, LIMIT).await?;
    assert_eq!(backend.port, 5432);

    // What is open is closed when it is dropped, and so was all before it.
    let log = &ground.lab.control_plane().audit_log;
    let open = forward::open(&ground.cluster, &web, 0, LIMIT).await?;
    open_forwards(log, 1).await?;
    drop(open);
    open_forwards(log, 0).await
}

/// The API server logs a forward when it begins and when it has ended.
async fn open_forwards(log: &Path, wanted: usize) -> anyhow::Result<()> {
    lab::wait::until(&format!("{wanted} forwards are open"), LIMIT, || async {
        let text = std::fs::read_to_string(log)?;
        let count = |stage: &str| {
            let stage = format!("\"stage\":\"{stage}\"");
            let forwards = text.lines().filter(|line| line.contains("/portforward?"));
            forwards.filter(|line| line.contains(&stage)).count()
        };
        let (begun, ended) = (count("ResponseStarted"), count("ResponseComplete"));
        Ok(begun > 5 && begun.saturating_sub(ended) == wanted)
    })
    .await
}

async fn leads_nowhere(ground: &mut Ground) -> anyhow::Result<()> {
    let service = |name: &str, spec: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": ground.sandbox}, "spec": spec,
        })
    };
    let web = json!({"app": "web"});
    ground
        .admin(vec![
            service("nobody", json!({"selector": {"app": "x"}, "ports": [{"port": 80}]})),
            service("udp", json!({"selector": web, "ports": [{"port": 53, "protocol": "UDP"}]})),
            service("away", json!({"type": "ExternalName", "externalName": "db.example.org"})),
            service("deaf", json!({"selector": web, "ports": [{"port": 80, "targetPort": 9}]})),
            service("broken", json!({"selector": {"app": "broken"}, "ports": [{"port": 80}]})),
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": "broken", "namespace": ground.sandbox, "labels": {"app": "broken"},
                },
                "spec": {"containers": [{"name": "c", "image": lab::kwok::BROKEN_IMAGE}]},
            }),
        ])
        .await?;
    for (name, port, expected) in [
        ("none", "http", "namespace SANDBOX has no Service none"),
        ("web", "https", "Service web has no port https; it has http (80)"),
        ("nobody", "80", "no pod is behind Service nobody"),
        ("udp", "53", "port 53 of Service udp is UDP: only TCP can be forwarded"),
        (
            "away",
            "80",
            "Service away is an ExternalName for db.example.org: there is no pod behind it",
        ),
    ] {
        ground.fails(ground.place(name, port), LIMIT, expected).await?;
    }
    // Its address comes a moment after it.
    let broken = ground.place("broken", "80");
    let none_ready = "no pod behind Service broken is ready (0 of 1)";
    lab::wait::until("the broken pod has an address", LIMIT, || async {
        let error = ground.get(&broken, LIMIT).await.err().context("it answered")?;
        Ok(error.to_string() == none_ready)
    })
    .await?;
    ground.fails(broken, LIMIT, none_ready).await?;
    // The kubelet's own words.
    let deaf = "port 9 of pod POD cannot be reached: error forwarding port 9 to pod *";
    let place = ground.place("deaf", "80");
    lab::wait::until("the Service has endpoints", LIMIT, || async {
        let error = ground.get(&place, LIMIT).await.err().context("it answered")?;
        Ok(!error.to_string().starts_with("no pod"))
    })
    .await?;
    ground.fails(place.clone(), LIMIT, deaf).await?;
    match forward::connects(&ground.cluster, &place, 0, LIMIT).await {
        Ok(backend) => anyhow::bail!("it is open: {backend:?}"),
        Err(error) => ground.says(&error, deaf),
    }
}

async fn only_into_sandboxes(ground: &mut Ground) -> anyhow::Result<()> {
    // The original beside it: same Service, same pods, no mark.
    let expected = "no port-forward to pod POD: *firedrill may forward ports only into a sandbox \
                    of its own; the namespace shop has no label firedrill.dev/run.";
    ground.fails(place("shop", "web", "http"), LIMIT, expected).await
}

async fn answers_badly(ground: &mut Ground) -> anyhow::Result<()> {
    let web = ground.place("web", "http");
    ground.lab.inside().set(Mode::Answer(503))?;
    assert_eq!(ground.get(&web, LIMIT).await?.answer.status, 503);
    ground.lab.inside().set(Mode::Hang)?;
    let hang = "port 8080 of pod POD did not answer within 2000 ms";
    ground.fails(web.clone(), SHORT, hang).await?;
    ground.lab.inside().set(Mode::Half)?;
    let half = "port 8080 of pod POD did not send its whole answer within 2000 ms";
    ground.fails(web.clone(), SHORT, half).await?;
    // kwok does not pass on that the server has hung up.
    ground.lab.inside().set(Mode::Cut)?;
    ground.fails(web.clone(), SHORT, hang).await?;
    ground.lab.inside().set(Mode::Answer(200))?;
    assert_eq!(ground.get(&web, LIMIT).await?.answer.status, 200);
    Ok(())
}

/// The way to the pod breaks in the middle of a body.
async fn is_cut(ground: &mut Ground) -> anyhow::Result<()> {
    let plane = ground.lab.control_plane().server.clone();
    let identity = ground.lab.site().pki.server("cut")?;
    let options = proxy::Options::tls(&plane, ground.lab.ca_file(), identity.cert, identity.key);
    let proxy = Proxy::start(options).await?;
    let options = ConfigOptions {
        folder: Some("cut".to_owned()),
        server: Some(proxy.url().to_owned()),
        ..ConfigOptions::default()
    };
    let through = cluster(&ground.lab, options).await?;
    let web = ground.place("web", "http");
    assert_eq!(get(&through, &web, 0, LIMIT).await?.answer.status, 200);
    ground.lab.inside().set(Mode::Half)?;
    let inside = ground.lab.inside();
    let before = inside.asked();
    let cut = async {
        lab::wait::until("it is asked", LIMIT, || async { Ok(inside.asked() > before) }).await?;
        proxy.stop().await;
        anyhow::Ok(())
    };
    let (error, cut) = tokio::join!(get(&through, &web, 0, LIMIT), cut);
    cut?;
    let error = error.err().context("half an answer")?;
    ground.says(&error, "port 8080 of pod POD broke off: *")?;
    ground.lab.inside().set(Mode::Answer(200))
}

/// Each right in turn.
async fn without_a_right(ground: &mut Ground) -> anyhow::Result<()> {
    for need in forward::NEEDS {
        let slash = if need.subresource.is_empty() { "" } else { "/" };
        let resource = format!("{}{slash}{}", need.resource, need.subresource);
        let mut less = ground.rights.clone();
        let rules = less["rules"].as_array_mut().context("no rules")?;
        let rule = rules.iter_mut().find(|rule| rule["resources"] == json!([resource]));
        let verbs = rule.and_then(|rule| rule["verbs"].as_array_mut()).context(resource.clone())?;
        verbs.retain(|verb| verb != need.verb);
        rules.retain(|rule| rule["verbs"] != json!([]));
        ground.admin(vec![less]).await?;
        let dot = if need.group.is_empty() { "" } else { "." };
        let expected = format!(
            "cluster lab: our account may not {} {resource}{dot}{} in namespace SANDBOX; apply \
             config/rbac/clusterrole.yaml",
            need.verb, need.group
        );
        let web = ground.place("web", "http");
        lab::wait::until("the right is taken", LIMIT, || async {
            Ok(ground.get(&web, LIMIT).await.is_err())
        })
        .await?;
        ground.fails(web.clone(), LIMIT, &expected).await?;
        ground.admin(vec![ground.rights.clone()]).await?;
        lab::wait::until("the right is given back", LIMIT, || async {
            Ok(ground.get(&web, LIMIT).await.is_ok())
        })
        .await?;
    }
    Ok(())
}
