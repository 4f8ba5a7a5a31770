//! `firedrill history [DRILL]`: one line for each run.

use super::output::{Output, json, short, table};
use crate::report::{Summary, text, words};

/// The runs as they are given, the newest first by custom.
///
/// As JSON it is an array of summaries, in full.
///
/// # Errors
/// See [`json`].
pub fn render(runs: &[Summary], output: Output) -> serde_json::Result<String> {
    match output {
        Output::Json => json(&runs),
        Output::Text if runs.is_empty() => Ok("no runs\n".to_owned()),
        Output::Text => Ok(table(
            ["RUN", "DRILL", "STARTED", "VERDICT", "RECOVERY", "LEFT"],
            1,
            runs.iter().map(|run| {
                let left = run.leftovers.len();
                [
                    short(&run.run),
                    run.drill.clone(),
                    run.opened.strftime("%Y-%m-%d %H:%MZ").to_string(),
                    text::verdict(run.verdict).to_owned(),
                    recovery(run),
                    if left > 0 { left.to_string() } else { "-".to_owned() },
                ]
            }),
        )),
    }
}

/// The longest recovery time of a run: the headline is never the best of several.
fn recovery(run: &Summary) -> String {
    if run.recoveries.is_empty() {
        return "-".to_owned();
    }
    let totals: Option<Vec<u64>> = run.recoveries.iter().map(|it| it.total_millis).collect();
    totals
        .and_then(|totals| totals.into_iter().max())
        .map_or_else(|| "unknown".to_owned(), words::duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::samples;

    #[test]
    fn golden() {
        let runs: Vec<Summary> = samples::all()
            .iter()
            .map(|(_, entries, ..)| Summary::fold(entries).expect("a run"))
            .collect();
        let text = render(&runs, Output::Text).expect("text");
        assert!(text.lines().all(|line| words::width(line) <= words::WIDTH));
        insta::assert_snapshot!("history", text);
        let json = render(&runs, Output::Json).expect("json");
        assert_eq!(serde_json::from_str::<Vec<Summary>>(&json).expect("summaries"), runs);
        assert_eq!(render(&[], Output::Text).expect("text"), "no runs\n");
    }
}
