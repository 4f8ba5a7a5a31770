//! kwok: nodes and pods without kubelets.
//!
//! It plays kubelet by *stages*, rules that say which status follows which. The lab takes kwok's
//! own (general pods: created, init containers, ready, complete, deleted) and changes what a real
//! kubelet would do otherwise.

use std::fs;

use anyhow::bail;

use crate::{
    control_plane::ControlPlane,
    inside::{Inside, PORTS},
    processes::Recipe,
    site::Site,
};

/// An image that can never be pulled: its pods stay Pending with ImagePullBackOff.
pub const BROKEN_IMAGE: &str = "registry.invalid/never-pulled:1";

/// Starts kwok, without waiting for it. It may have run before.
///
/// # Errors
/// When its configuration cannot be written, or it cannot be started.
pub fn start(site: &Site, plane: &ControlPlane, inside: &Inside) -> anyhow::Result<()> {
    let stages = fs::read_to_string(site.binaries.path("stages.yaml"))?;
    let config = site.path("kwok.yaml");
    fs::write(&config, configuration(&stages)? + &forwards(inside))?;
    // The kubelet that the nodes name, and where kwok serves it: one port.
    let port = site.ports.next()?;
    let args = [
        "--config".into(),
        config.display().to_string(),
        "--kubeconfig".into(),
        plane.kubeconfig.display().to_string(),
        "--manage-all-nodes".into(),
        "--node-lease-duration-seconds".into(),
        "40".into(),
        "--cidr".into(),
        "10.244.0.0/16".into(),
        "--node-ip".into(),
        "127.0.0.1".into(),
        // Without it nodes publish no kubelet endpoint: no port-forward, no exec.
        "--node-port".into(),
        port.to_string(),
        "--server-address".into(),
        format!("127.0.0.1:{port}"),
    ];
    site.processes.start("kwok", &Recipe::new(site.binaries.path("kwok"), args))
}

/// kwok's own stages with the lab's changes.
fn configuration(stages: &str) -> anyhow::Result<String> {
    let documents: Result<Vec<String>, _> = stages.split("---\n").map(change).collect();
    let mut documents = documents?;
    documents.push(BROKEN_IMAGE_STAGE.replace("BROKEN_IMAGE", BROKEN_IMAGE));
    Ok(documents.join("---\n"))
}

/// The shop's ports of every pod of every namespace reach one process; others are refused.
fn forwards(inside: &Inside) -> String {
    let address = inside.address();
    let ports = PORTS.map(|port| port.to_string()).join(", ");
    format!(
        "---\napiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterPortForward\n\
         metadata: {{name: inside}}\nspec:\n  forwards:\n  - ports: [{ports}]\n\
         \x20   target: {{address: {}, port: {}}}\n",
        address.ip(),
        address.port()
    )
}

fn change(stage: &str) -> anyhow::Result<String> {
    if stage.contains("\n  name: pod-complete\n") {
        // A kubelet says of a finished pod that it is no longer ready, and why; kwok leaves
        // Ready=True, which every wait for readiness would take for an answer.
        let stage = replace(stage, "ready: true", "ready: false")?;
        replace(&stage, "      phase: Succeeded\n", COMPLETED)
    } else if stage.contains("\n  name: pod-ready\n") {
        replace(stage, "    matchExpressions:\n", &PULLED.replace("BROKEN_IMAGE", BROKEN_IMAGE))
    } else {
        Ok(stage.to_owned())
    }
}

fn replace(stage: &str, from: &str, to: &str) -> anyhow::Result<String> {
    if !stage.contains(from) {
        bail!("a stage of kwok has changed: {from:?} is not in it");
    }
    Ok(stage.replace(from, to))
}

const COMPLETED: &str = r#"      conditions:
      {{ range $type := list "Initialized" "Ready" "ContainersReady" }}
      - lastProbeTime: null
        lastTransitionTime: {{ $now | Quote }}
        reason: PodCompleted
        status: {{ if eq $type "Initialized" }}"True"{{ else }}"False"{{ end }}
        type: {{ $type }}
      {{ end }}
      phase: Succeeded
"#;

/// Selector of pods whose images can be pulled.
const PULLED: &str = r#"    matchExpressions:
    - key: '[ .spec.containers.[].image ] | any( . == "BROKEN_IMAGE" ) | tostring'
      operator: 'In'
      values:
      - 'false'
"#;

const BROKEN_IMAGE_STAGE: &str = r#"apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-image-broken
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
    - key: '.metadata.deletionTimestamp'
      operator: 'DoesNotExist'
    - key: '.status.podIP'
      operator: 'Exists'
    - key: '.spec.containers.[].image'
      operator: 'In'
      values:
      - 'BROKEN_IMAGE'
    - key: '.status.containerStatuses.[].state.waiting.reason'
      operator: 'In'
      values:
      - 'ContainerCreating'
  weight: 1
  delay:
    durationMilliseconds: 500
  next:
    statusTemplate: |
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        name: {{ .name | Quote }}
        ready: false
        restartCount: 0
        started: false
        state:
          waiting:
            message: {{ printf "Back-off pulling image %s" .image | Quote }}
            reason: ImagePullBackOff
      {{ end }}
      phase: Pending
"#;

/// The annotations of a pod that becomes ready `after` its containers were created.
///
/// kwok's own delays are random (1 to 6 s for each stage); a jitter equal to the delay makes them
/// exact. All other stages take a tenth of a second, so that `after` is the time that counts.
#[must_use]
pub fn ready_after(after: std::time::Duration) -> Vec<(String, String)> {
    let ready = format!("{}ms", after.as_millis());
    let stages = [
        ("pod-create", "100ms"),
        ("pod-init-container-running", "100ms"),
        ("pod-init-container-completed", "100ms"),
        ("pod-ready", &ready),
        ("pod-complete", "100ms"),
    ];
    let annotations = |(stage, delay): (&str, &str)| {
        ["delay", "jitter-delay"]
            .map(|what| (format!("{stage}.stage.kwok.x-k8s.io/{what}"), delay.to_owned()))
    };
    stages.into_iter().flat_map(annotations).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_is_no_longer_as_we_know_it_is_an_error() {
        let stage = "metadata:\n  name: pod-complete\nspec:\n  x: y\n";
        assert!(configuration(stage).unwrap_err().to_string().contains("has changed"));
    }

    #[test]
    fn the_changes_keep_the_stages_well_formed() {
        let stages = "kind: Stage\nmetadata:\n  name: pod-ready\nspec:\n  selector:\n    matchExpressions:\n    - key: a\n---\n\
             kind: Stage\nmetadata:\n  name: pod-complete\nspec:\n  next:\n    statusTemplate: |\n      - ready: true\n      phase: Succeeded\n";
        let all = crate::apply::documents(&configuration(stages).unwrap()).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0]["spec"]["selector"]["matchExpressions"].as_array().unwrap().len(), 2);
        let template = all[1]["spec"]["next"]["statusTemplate"].as_str().unwrap();
        assert!(template.contains("PodCompleted") && !template.contains("ready: true"));
        assert_eq!(all[2]["metadata"]["name"], "pod-image-broken");
    }
}
