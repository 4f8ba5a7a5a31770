//! Recovery times and their phases, drawn. PURE.

use crate::{
    drill::Goal,
    report::{
        summary::{EARLIER, Phase, Recovery, Summary},
        words,
    },
};

use super::{Page, against};

/// The widest bar, in columns.
const BAR: usize = 44;
/// The widest name of a phase.
const NAME: usize = 16;

pub(super) fn section(page: &mut Page, summary: &Summary) {
    for recovery in &summary.recoveries {
        let Recovery { from, until, .. } = recovery;
        let steps = if from == until { from.clone() } else { format!("{from} to {until}") };
        page.heading("RECOVERY TIME", &steps);
        let figure = recovery.total_millis.map_or_else(|| "unknown".to_owned(), words::exact);
        let mut asked = false;
        for objective in &summary.objectives {
            match &objective.goal {
                Goal::RecoveryTime { limit_millis, .. }
                    if summary.recovery_of(objective) == Some(recovery) =>
                {
                    asked = true;
                    against(page, &figure, *limit_millis, objective);
                }
                _ => {}
            }
        }
        if !asked {
            page.line("  ", &format!("{figure}; the drill sets no limit"));
        }
        details(page, summary, recovery);
        if recovery.total_millis.is_some() {
            page.gap();
            bars(page, recovery);
        }
    }
}

fn details(page: &mut Page, summary: &Summary, recovery: &Recovery) {
    let from = summary.steps.iter().find(|step| step.name == recovery.from);
    if let Some(step) = from.filter(|step| step.attempts > 1) {
        let from_the_first = recovery.phases.iter().any(|phase| phase.name == EARLIER);
        let counted = if from_the_first {
            "all of them are counted"
        } else {
            "only the last came as far as T0 and is counted"
        };
        page.line("  ", &format!("{} attempts; {counted}", step.attempts));
    }
    match (recovery.total_millis, recovery.lower_millis) {
        (Some(total), Some(lower)) if lower < total => page
            .line("  ", &format!("error bound {} to {}", words::exact(lower), words::exact(total))),
        (Some(_), None) => page.line("  ", "the error bound is unknown"),
        _ => {}
    }
    if let Some(last) = &recovery.last {
        page.line("  ", &format!("last to come back: {last}"));
    }
    if let Some(preparing) = recovery.preparing_millis.filter(|it| *it > 0) {
        let took = words::duration(preparing);
        page.line("  ", &format!("preparation before it, not counted: {took}"));
    }
    if recovery.total_millis.is_none() && !recovery.phases.is_empty() {
        let one = |it: &Phase| format!("{} {}", it.name, words::exact(it.millis));
        let seen: Vec<String> = recovery.phases.iter().map(one).collect();
        page.line("  ", &format!("seen of it: {}", seen.join(", ")));
    }
}

fn bars(page: &mut Page, recovery: &Recovery) {
    let whole: u64 = recovery.phases.iter().map(|phase| phase.millis).sum();
    let names: Vec<String> = recovery
        .phases
        .iter()
        .map(|phase| words::clip(&words::neutral(&phase.name), NAME))
        .collect();
    let name = names.iter().map(|it| words::width(it)).max().unwrap_or(0).max("sum".len());
    let figure = words::exact(whole).len();
    let columns = BAR.min(words::WIDTH - "      ".len() - name - figure);
    let mut before = 0;
    for (label, Phase { millis, .. }) in names.iter().zip(&recovery.phases) {
        let bar = bar(before, *millis, whole, columns);
        before += millis;
        let label = words::pad(label, name);
        let line = format!("  {label}  {:>figure$}  {bar}", words::exact(*millis));
        page.raw(line.trim_end());
    }
    let label = words::pad("sum", name);
    page.raw(&format!("  {label}  {:>figure$}", words::exact(whole)));
}

/// A bar from `before` to `before + millis` on a line where `whole` takes `columns`. What took any
/// time shows.
fn bar(before: u64, millis: u64, whole: u64, columns: usize) -> String {
    if millis == 0 || whole == 0 {
        return String::new();
    }
    let column = |at: u64| {
        let at = (u128::from(at) * columns as u128 + u128::from(whole) / 2) / u128::from(whole);
        usize::try_from(at).unwrap_or(columns).min(columns)
    };
    let (start, end) = (column(before), column(before.saturating_add(millis)));
    if start == end {
        // Thinner than half a column.
        return format!("{}▏", " ".repeat(start.min(columns - 1)));
    }
    format!("{}{}", " ".repeat(start), "█".repeat(end - start))
}
