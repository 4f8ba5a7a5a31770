//! Availability: how long each background check was red, and what the guards came to. PURE.

use crate::{
    clock::Mono,
    report::words,
    run::{event::What, verdict::Standing},
};

use super::{Availability, Guard, RedLimit, fold::Walk};

/// The step name of a background check's observations is this and the check's name.
const CHECK: &str = "check:";
/// The step name of a guard's observation is this and the guard's name.
const GUARD: &str = "guard:";

/// What each guard of the drill came to, in its order.
pub(super) fn guards(walk: &Walk<'_>) -> Vec<Guard> {
    let of = |guard: &String| {
        let seen = walk.seen.iter().rfind(|seen| seen.step.strip_prefix(GUARD) == Some(guard));
        let green = seen.map(|seen| *seen.what == What::Green);
        let why = seen.and_then(|seen| seen.note).map(str::to_owned);
        Guard { guard: guard.clone(), green, why }
    };
    walk.outline.guards.iter().map(of).collect()
}

/// One figure for each check of the drill, in its order.
///
/// Samples are transitions, so a colour holds until the next one. Only what one process saw
/// counts: across a crash nobody asked.
pub(super) fn availability(walk: &Walk<'_>) -> Vec<Availability> {
    walk.outline.checks.iter().map(|check| one(walk, check)).collect()
}

fn one(walk: &Walk<'_>, check: &str) -> Availability {
    let mut out = Availability {
        check: check.to_owned(),
        seen_millis: 0,
        red_millis: 0,
        red_spans: 0,
        longest_red_millis: 0,
        complete: false,
        limit: None,
    };
    let mut red_time = Bounds::default();
    let mut samples =
        walk.seen.iter().filter(|seen| seen.step.strip_prefix(CHECK) == Some(check)).peekable();
    if let Some(by) = samples.peek().map(|seen| seen.by) {
        // The colour since when, and how long it has been red without a break.
        let mut since = None;
        let mut red = false;
        let mut run = 0;
        for seen in samples.filter(|seen| seen.by == by) {
            out.advance(&mut since, &mut run, red, seen.at);
            match seen.what {
                What::Red if !red => {
                    red = true;
                    out.red_spans += 1;
                    red_time.begins(seen.at, seen.lower);
                }
                What::Green => {
                    red = false;
                    run = 0;
                    red_time.ends(seen.at, seen.lower);
                }
                What::CheckEnded => {
                    out.complete = true;
                    red_time.last(red, seen.at, seen.lower);
                    break;
                }
                _ => {}
            }
        }
        if !out.complete
            && let Some(last) = walk.last_of(by)
        {
            out.advance(&mut since, &mut run, red, last);
        }
    }
    out.limit =
        walk.outline.fail_after_millis.get(check).map(|limit| judge(&out, &red_time, *limit));
    out
}

/// The time in sum for which a check was red, between two bounds: it turns somewhere between the
/// last question that showed the one colour and the first that showed the other.
#[derive(Default)]
struct Bounds {
    lower: u64,
    upper: u64,
    /// The first and the last instant at which the span that goes on may have begun.
    open: Option<(Mono, Mono)>,
}

impl Bounds {
    fn begins(&mut self, at: Mono, lower: Option<Mono>) {
        self.open = Some((lower.unwrap_or(at).min(at), at));
    }

    fn ends(&mut self, at: Mono, lower: Option<Mono>) {
        let Some((first, last)) = self.open.take() else { return };
        self.lower += lower.unwrap_or(at).0.saturating_sub(last.0);
        self.upper += at.0.saturating_sub(first.0);
    }

    /// The end of all asking. What has no answer yet may have been red.
    fn last(&mut self, red: bool, at: Mono, answered: Option<Mono>) {
        if red {
            self.ends(at, answered);
        } else {
            self.upper += at.0.saturating_sub(answered.unwrap_or(at).0);
        }
    }
}

/// How the time in red stands against its limit.
fn judge(seen: &Availability, red: &Bounds, limit: u64) -> RedLimit {
    let (lower_millis, upper_millis) = (red.lower, red.upper);
    let allowed = words::limit(limit);
    let (standing, why) = if !seen.complete {
        (Standing::Unproven, Some("was not asked to the end".to_owned()))
    } else if upper_millis <= limit {
        (Standing::Met, None)
    } else if lower_millis > limit {
        let why = format!(
            "was red for {} in sum, against {allowed}",
            words::duration(seen.red_millis.clamp(lower_millis, upper_millis))
        );
        (Standing::Missed, Some(why))
    } else {
        let (lower, upper) = (words::exact(lower_millis), words::exact(upper_millis));
        let why = format!(
            "may have been red for too long: {allowed} lies within the error bound, {lower} to \
             {upper}"
        );
        (Standing::Unproven, Some(why))
    };
    RedLimit { fail_after_millis: limit, lower_millis, upper_millis, standing, why }
}

impl Availability {
    fn advance(&mut self, since: &mut Option<Mono>, run: &mut u64, red: bool, at: Mono) {
        // An instant before the one that we have is late news; time does not go back for it.
        let Some(from) = *since else {
            *since = Some(at);
            return;
        };
        let to = at.max(from);
        let span = to.0 - from.0;
        self.seen_millis += span;
        if red {
            self.red_millis += span;
            *run += span;
            self.longest_red_millis = self.longest_red_millis.max(*run);
        }
        *since = Some(to);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        report::summary::{
            Summary,
            samples::{Stream, shop_outline},
        },
        run::{
            event::{Event, Reason, StepOutcome, Verdict, What},
            verdict::Standing,
        },
    };

    const CHECK: &str = "check:shop-answers";

    /// A run of one step that passes, its check asked each second and red for the last time at
    /// `red` .. `green`, with a limit.
    fn run(limit: u64, samples: &[(What, u64, Option<u64>)]) -> Summary {
        let mut outline = shop_outline();
        outline.steps.truncate(1);
        outline.objectives.clear();
        outline.fail_after_millis.insert("shop-answers".into(), limit);
        let mut run = Stream::open("shop", outline);
        run.at(20).push(Event::PlanMade { foreseen: vec![], refusals: vec![] });
        run.at(30).start("restore");
        for (what, at, lower) in samples {
            run.at(*at).saw_from(CHECK, what.clone(), *at, *lower, None);
        }
        run.at(60_000).end("restore", StepOutcome::Passed, None);
        run.close(Reason::Completed, None);
        Summary::fold(&run.finish()).expect("a run")
    }

    fn spans() -> Vec<(What, u64, Option<u64>)> {
        vec![
            (What::Green, 1_000, None),
            (What::Red, 10_000, Some(9_000)),
            (What::Green, 14_000, Some(13_000)),
            (What::Red, 20_000, Some(19_000)),
            (What::Green, 22_000, Some(21_000)),
            (What::CheckEnded, 30_000, Some(29_500)),
        ]
    }

    #[test]
    fn the_time_in_red_is_judged_by_its_bounds() {
        // Red for 4 s and 2 s as seen; at least 3 and 1, at most 5 and 3 and half a second at the end.
        for (limit, standing, verdict) in [
            (8_500, Standing::Met, Verdict::Passed),
            (8_499, Standing::Unproven, Verdict::Failed),
            (4_000, Standing::Unproven, Verdict::Failed),
            (3_999, Standing::Missed, Verdict::Failed),
        ] {
            let summary = run(limit, &spans());
            let seen = &summary.availability[0];
            let found = seen.limit.as_ref().expect("a limit");
            assert_eq!((found.lower_millis, found.upper_millis), (4_000, 8_500));
            assert_eq!((seen.red_millis, seen.red_spans), (6_000, 2));
            assert_eq!((found.standing, summary.verdict), (standing, Some(verdict)), "{limit}");
            assert_eq!(found.why.is_none(), standing == Standing::Met);
            let why = summary.why.unwrap_or_default();
            assert_eq!(why.starts_with("check shop-answers "), standing != Standing::Met, "{why}");
        }
    }

    #[test]
    fn what_is_red_at_the_end_is_known_up_to_the_last_answer() {
        let samples = [(What::Red, 1_000, None), (What::CheckEnded, 6_000, Some(5_200))];
        let limit = run(4_500, &samples).availability[0].limit.clone().expect("a limit");
        assert_eq!((limit.lower_millis, limit.upper_millis), (4_200, 5_000));
        assert_eq!(limit.standing, Standing::Unproven);
    }

    #[test]
    fn what_was_not_asked_to_the_end_is_not_proven() {
        for samples in [&spans()[..1], &[]] {
            let summary = run(60_000, samples);
            let limit = summary.availability[0].limit.as_ref().expect("a limit");
            assert_eq!(limit.standing, Standing::Unproven);
            assert_eq!(summary.verdict, Some(Verdict::Failed));
        }
    }

    #[test]
    fn a_guard_is_told_with_its_answer() {
        let mut outline = shop_outline();
        outline.guards = vec!["calm".into(), "no-incident".into(), "late".into()];
        let mut run = Stream::open("shop", outline);
        run.at(20).saw("guard:calm", What::Green, 15);
        run.saw_from("guard:no-incident", What::Red, 15, None, Some("ALERTS has 2 results"));
        let refusal = "guard no-incident is not green: ALERTS has 2 results".to_owned();
        run.push(Event::PlanMade { foreseen: vec![], refusals: vec![refusal.clone()] });
        run.close(Reason::Refused, Some(&refusal));
        let summary = Summary::fold(&run.finish()).expect("a run");
        let told: Vec<_> = summary
            .guards
            .iter()
            .map(|it| (it.guard.as_str(), it.green, it.why.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("calm", Some(true), None),
                ("no-incident", Some(false), Some("ALERTS has 2 results")),
                ("late", None, None),
            ]
        );
        assert_eq!(summary.verdict, Some(Verdict::Aborted));
        let text = crate::report::text::render(&summary);
        assert!(text.contains("no-incident: red. ALERTS has 2 results"), "{text}");
        assert!(text.contains("calm: green"), "{text}");
    }
}
