//! A write that is still on its way when its sender is dead.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::DeleteParams};

use super::{
    case::Told,
    plan::{LetGo, Recovery},
    rig::{Program, Rig, ended},
    scenario::Write,
};
use crate::proxy::{Action, Match, Options, Proxy, ProxyHandle};

/// How long a run may take to send the write that is waited for.
const SOON: Duration = Duration::from_secs(120);

impl Rig<'_> {
    /// Kills firedrill while `write` is held, recovers, and lets it go meanwhile or afterwards.
    pub async fn held(
        &self,
        program: &Program,
        write: Write,
        moment: LetGo,
        by: Recovery,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let (proxy, config) = self.proxy(program).await?;
        let handle = proxy.handle();
        let id = die_holding(program, &config, &handle, write).await?;
        told.died = format!("killed with its {} on the way", write.name);
        let code = match moment {
            LetGo::At(request) => {
                let seen = handle.seen().len();
                // Timed by the recovery's own requests, which go through the same proxy.
                let mut child = match by {
                    Recovery::Run => program.start_run(&config, None)?,
                    Recovery::Undo => program.start(&config, &["undo"], None)?,
                };
                let limit = Instant::now() + SOON;
                while handle.seen().len() < seen + request
                    && child.try_wait()?.is_none()
                    && Instant::now() < limit
                {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                let code = handle.release(id).await?;
                let by_then = ended(child).await?;
                self.recovered(program, by, by_then, told).await?;
                code
            }
            LetGo::End => {
                self.recover(program, by, told).await?;
                self.let_go(&handle, id, write, told).await?
            }
        };
        told.recovery.push(format!("late {}: {code}", write.name));
        let last = program.undo().await?;
        told.ended("undo", last, program);
        proxy.stop().await;
        Ok(())
    }

    /// The same, but the journal is lost, and what is let go is all that is known of the dead.
    pub async fn lost_held(
        &self,
        program: &Program,
        write: Write,
        by: Recovery,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let maps: Api<ConfigMap> = Api::namespaced(self.admin.clone(), "firedrill");
        maps.delete("firedrill-epoch", &DeleteParams::default()).await?;
        let (proxy, config) = self.proxy(program).await?;
        let id = die_holding(program, &config, &proxy.handle(), write).await?;
        told.died = format!("killed with its {} on the way, journal lost", write.name);
        program.lose_journal()?;
        self.recover(program, by, told).await?;
        let code = self.let_go(&proxy.handle(), id, write, told).await?;
        told.recovery.push(format!("late {}: {code}", write.name));
        proxy.stop().await;
        Ok(())
    }

    /// Lets a write go after the recovery: nobody looks for it any more, so it must be refused.
    async fn let_go(
        &self,
        handle: &ProxyHandle,
        id: u64,
        write: Write,
        told: &mut Told,
    ) -> anyhow::Result<u16> {
        let code = handle.release(id).await?;
        told.must(code >= 400, format!("the late {} was let in: {code}", write.name));
        Ok(code)
    }

    /// A proxy before the API server, and a configuration that goes through it, with the journal
    /// of `program`.
    pub(super) async fn proxy(&self, program: &Program) -> anyhow::Result<(Proxy, PathBuf)> {
        let plane = self.lab.control_plane();
        let ca = self.lab.ca_file();
        let identity = |kind: &str| ca.with_file_name(format!("kube-apiserver.{kind}"));
        let options = Options::tls(&plane.server, &ca, identity("crt"), identity("key"));
        let proxy = Proxy::start(options).await?;
        let config = program.folder.join("through-proxy.yaml");
        let text = fs::read_to_string(&program.config)?;
        fs::write(&config, text.replace(&plane.server, proxy.url()))?;
        Ok((proxy, config))
    }
}

/// Runs the drill until `write` is held, and kills it there; answers the held request's number.
pub(super) async fn die_holding(
    program: &Program,
    config: &Path,
    handle: &ProxyHandle,
    write: Write,
) -> anyhow::Result<u64> {
    let matching = Match::method(write.method).path(write.path).nth(write.nth);
    handle.add(matching, Action::Hold);
    let mut child = program.start_run(config, None)?;
    let held = tokio::select! {
        held = handle.wait_held(SOON) => held,
        status = child.wait() => {
            let status = status?;
            bail!("it ended ({status}) without its {}\n{}", write.name, program.tail());
        }
    };
    let held = held.with_context(|| format!("its {}\n{}", write.name, program.tail()))?;
    child.kill().await?;
    handle.clear();
    Ok(held.id)
}
