//! `firedrill run`: one drill now.

use std::{path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        args::Format,
        place::{self, Exit},
        progress,
    },
    clock::{Clock, SystemClock},
    config::Config,
    journal::Leader,
    report,
    run::{
        drive::{self, DriveError},
        event::Trigger,
        house::House,
        recover::{self, Recovered},
        sweep,
    },
    supervise::{Task, TaskKind, spawn},
};

/// Takes the journal's lock, and turns the first signal into a stop and the second into an end.
///
/// # Errors
/// If another process leads, or the machine gives no clock or no journal.
pub async fn lead(config: Config) -> Result<(House, Task<()>), Exit> {
    let clock: Arc<dyn Clock> = Arc::new(
        SystemClock::new().map_err(|error| Exit::internal(format!("error: no clock: {error}")))?,
    );
    let leader = Leader::take(&config.journal, Arc::clone(&clock)).await?;
    let stop = CancellationToken::new();
    let house = House { config: Arc::new(config), leader, clock, stop: stop.clone() };
    Ok((house, signals(stop)))
}

fn signals(stop: CancellationToken) -> Task<()> {
    spawn(TaskKind::Signals, "", CancellationToken::new(), async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("signals cannot be received; only SIGKILL ends this process");
            return;
        };
        let mut count = 0;
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            count += 1;
            if count == 1 {
                eprintln!("stopping: giving everything back; a second signal ends at once");
                stop.cancel();
            } else {
                // What is open in the journal makes this safe: the next command undoes it.
                std::process::exit(4);
            }
        }
    })
}

/// Recovers open runs and sweeps the marks of our own instance, as every command does that takes
/// the journal's lock.
///
/// # Errors
/// If the journal cannot be read or written.
pub async fn tidy(house: &House) -> Result<Recovered, Exit> {
    let failed = |error: recover::RecoverError| Exit::internal(format!("error: {error}"));
    let patience = house.config.patience.sweep;
    let mut recovered = recover::recover(house, None, patience).await.map_err(failed)?;
    let instance = house.config.instance.clone();
    let swept = sweep::sweep(house, &instance, patience, sweep::Fence::Leave, None).await;
    let swept = swept.map_err(failed)?;
    recovered.ended.extend(swept.summaries);
    // The drill's own cluster is asked again by the plan, and refuses the run there.
    recovered.unseen = swept.unseen;
    for summary in &recovered.ended {
        eprintln!(
            "run {} of {} was found open and is ended; leftovers: {}",
            report::words::short(&summary.run),
            summary.drill,
            summary.leftovers.len()
        );
    }
    Ok(recovered)
}

/// Runs a drill and reports it; answers the exit code.
///
/// # Errors
/// Whatever stops the command before there is a report.
pub async fn run(
    config: Option<&Path>,
    wanted: &str,
    name: Option<&str>,
    output: Format,
) -> Result<u8, Exit> {
    let config = place::config(config)?;
    let drill = place::find_drill(&config, wanted, name)?;
    let (house, _signals) = lead(config).await?;
    let recovered = tidy(&house).await?;
    for (_, error) in recovered.unseen.iter().filter(|(name, _)| *name != drill.cluster) {
        eprintln!("note: marks were not looked for: {error}");
    }
    let stuck: Vec<String> = recovered
        .ended
        .iter()
        .chain(&recovered.swept)
        .filter(|summary| summary.clusters.contains(&drill.cluster))
        .flat_map(|summary| summary.leftovers.iter().map(|left| left.object.clone()))
        .collect();
    if !stuck.is_empty() {
        return Err(Exit::new(
            4,
            format!(
                "error: cluster {} still has leftovers: {}\n  help: `firedrill undo` tries again",
                drill.cluster,
                stuck.join(", ")
            ),
        ));
    }
    let mut shown = None;
    let ended = drive::run(&house, &drill, Trigger::Hand, |entries| {
        shown = Some(progress::show(entries));
    })
    .await;
    if let Some(shown) = shown
        && ended.is_ok()
    {
        // The last lines are still on their way to the terminal.
        let _ = shown.await;
    }
    let (summary, code) = match ended {
        Ok(summary) => {
            let code = summary.exit_code;
            (summary, code)
        }
        Err(DriveError::Stopped(summary)) => {
            eprintln!("error: stopped in mid-undo\n  help: `firedrill undo` finishes it");
            (*summary, 4)
        }
        Err(error) => {
            return Err(Exit::internal(format!(
                "error: {error}\n  help: `firedrill undo` gives back what the run holds"
            )));
        }
    };
    let text = match output {
        Format::Text => report::text::render(&summary),
        Format::Json => report::json::render(&summary)
            .map_err(|error| Exit::internal(format!("error: {error}")))?,
    };
    println!("{}", text.trim_end());
    if let Err(error) = house.leader.close().await {
        tracing::warn!(%error, "the journal did not close cleanly");
    }
    Ok(code)
}
