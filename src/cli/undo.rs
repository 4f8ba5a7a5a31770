//! `firedrill undo`: finish what is left undone, from the journal and from marks.

use std::path::Path;

use crate::{
    cli::{
        args::Format,
        output,
        place::{self, Exit},
        run::lead,
    },
    report::{summary::Summary, words},
    run::{recover, sweep},
};

/// Undoes what is left; answers the exit code: 4 if something remains, 3 if a cluster could not
/// be looked at, else 0.
///
/// # Errors
/// Whatever stops the command before everything was looked at.
pub async fn run(
    config: Option<&Path>,
    run: Option<&str>,
    instance: Option<&str>,
    output: Format,
) -> Result<u8, Exit> {
    let config = place::config(config)?;
    let (house, _signals) = lead(config).await?;
    let internal = |error: recover::RecoverError| Exit::internal(format!("error: {error}"));
    let run = match run {
        Some(text) => Some(house.leader.reader().find_run(text).await?),
        None => None,
    };
    let recovered =
        recover::recover(&house, run.as_deref(), sweep::PATIENCE).await.map_err(internal)?;
    let mut summaries = recovered.ended;
    summaries.extend(recovered.swept);
    let mut unseen = Vec::new();
    if run.is_none() {
        let ours = house.config.instance.clone();
        let instance = instance.unwrap_or(&ours);
        if instance != ours {
            sweep::stands_still(&house, instance).await.map_err(Exit::refused)?;
        }
        let patience = sweep::PATIENCE;
        let swept = sweep::sweep(&house, instance, patience, sweep::Fence::Raise, None)
            .await
            .map_err(internal)?;
        summaries.extend(swept.summaries);
        unseen = swept.unseen;
    }
    if let Err(error) = house.leader.close().await {
        tracing::warn!(%error, "the journal did not close cleanly");
    }
    let left: usize = summaries.iter().map(|summary| summary.leftovers.len()).sum();
    match output {
        Format::Json => {
            let text = output::json(&summaries)
                .map_err(|error| Exit::internal(format!("error: {error}")))?;
            println!("{}", text.trim_end());
        }
        Format::Text => println!("{}", said(&summaries, unseen.is_empty())),
    }
    // What was not looked at may hold anything: that is no success.
    for (_, error) in &unseen {
        eprintln!("error: marks were not looked for: {error}");
    }
    Ok(match (left, unseen.is_empty()) {
        (0, true) => 0,
        (0, false) => place::ABORTED,
        _ => 4,
    })
}

fn said(summaries: &[Summary], all_seen: bool) -> String {
    if summaries.is_empty() {
        let within = if all_seen { "" } else { " in the journal" };
        return format!("nothing is left to undo{within}");
    }
    let mut lines = Vec::new();
    for summary in summaries {
        lines.push(format!(
            "run {} of {}: {}",
            words::short(&summary.run),
            summary.drill,
            if summary.leftovers.is_empty() { "nothing is left" } else { "LEFTOVERS" }
        ));
        for left in &summary.leftovers {
            lines.push(words::neutral(&format!("  {}: {}", left.object, left.why)));
        }
    }
    lines.join("\n")
}
