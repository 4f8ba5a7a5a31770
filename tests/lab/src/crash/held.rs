//! A write that is still on its way when its sender is dead.

use std::time::{Duration, Instant};

use super::{
    case::Told,
    plan::{LetGo, Recovery},
    rig::{Program, Rig, ended},
    scenario::Write,
};
use crate::proxy::{Action, Match, Options, Proxy, ProxyHandle};
use std::{fs, path::PathBuf};

use anyhow::Context as _;

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
        // What is let go in the middle of the recovery is timed by the recovery's own requests.
        let start = |config| match by {
            Recovery::Run => program.start_run(config, None),
            Recovery::Undo => program.start(config, &["undo"], None),
        };
        let code = match moment {
            LetGo::At(request) => {
                let seen = handle.seen().len();
                let mut child = start(&config)?;
                let limit = Instant::now() + SOON;
                while handle.seen().len() < seen + request
                    && child.try_wait()?.is_none()
                    && Instant::now() < limit
                {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                let code = handle.release(id).await?;
                let by_then = ended(child).await?;
                told.ended(&by.to_string(), by_then, program);
                code
            }
            LetGo::End => {
                let by_then = ended(start(&program.config)?).await?;
                told.ended(&by.to_string(), by_then, program);
                handle.release(id).await?
            }
        };
        told.recovery.push(format!("late {}: {code}", write.name));
        let last = program.undo().await?;
        told.ended("undo", last, program);
        proxy.stop().await;
        Ok(())
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
    config: &std::path::Path,
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
            anyhow::bail!("it ended ({status}) without its {}\n{}", write.name, program.tail());
        }
    };
    let held = held.with_context(|| format!("its {}\n{}", write.name, program.tail()))?;
    child.kill().await?;
    handle.clear();
    Ok(held.id)
}
