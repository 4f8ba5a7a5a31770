//! The verdict of a run and the exit code that says it. PURE.
//!
//! Passing has to be proven: a step without an outcome counts like a failed one, an objective
//! without a figure like a missed one.

use serde::{Deserialize, Serialize};

use super::event::{Reason, StepOutcome, Verdict};

/// How an objective stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// The figure is within the limit, error bound included.
    Met,
    /// The figure is beyond the limit, error bound included.
    Missed,
    /// There is no figure, or its error bound contains the limit.
    Unproven,
    /// There is nothing to measure (a run on a backup that it took itself).
    NotApplicable,
}

/// The verdict of a run that closed for `reason`.
///
/// `steps` has one item for each step of the drill, `None` where no outcome is known. Leftovers
/// have no part in it: they change only the [`exit_code`].
#[must_use]
pub fn verdict(
    reason: Reason,
    steps: impl IntoIterator<Item = Option<StepOutcome>>,
    objectives: impl IntoIterator<Item = Standing>,
) -> Verdict {
    match reason {
        Reason::Interrupted => Verdict::Interrupted,
        Reason::Refused
        | Reason::Check
        | Reason::Halt
        | Reason::Deadline
        | Reason::Signal
        | Reason::LeaseLost => Verdict::Aborted,
        Reason::StepFailed => Verdict::Failed,
        Reason::Completed => {
            let steps = steps.into_iter().all(|outcome| outcome == Some(StepOutcome::Passed));
            let objectives = objectives
                .into_iter()
                .all(|standing| matches!(standing, Standing::Met | Standing::NotApplicable));
            if steps && objectives { Verdict::Passed } else { Verdict::Failed }
        }
    }
}

/// The exit code of the command that ran or reported a run; the worst wins.
///
/// 4 leftovers remain, 3 aborted (refused included) or interrupted, 1 failed, 0 passed. A run
/// without a verdict has not ended; its code is 0 unless something is left.
#[must_use]
pub fn exit_code(verdict: Option<Verdict>, leftovers: usize) -> u8 {
    match verdict {
        _ if leftovers > 0 => 4,
        Some(Verdict::Aborted | Verdict::Interrupted) => 3,
        Some(Verdict::Failed) => 1,
        Some(Verdict::Passed) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: Option<StepOutcome> = Some(StepOutcome::Passed);

    #[test]
    fn passing_has_to_be_proven() {
        let of = |steps: &[Option<StepOutcome>], objectives: &[Standing]| {
            verdict(Reason::Completed, steps.iter().copied(), objectives.iter().copied())
        };
        assert_eq!(of(&[PASSED], &[Standing::Met, Standing::NotApplicable]), Verdict::Passed);
        assert_eq!(of(&[PASSED], &[Standing::Met, Standing::Missed]), Verdict::Failed);
        assert_eq!(of(&[PASSED], &[Standing::Unproven]), Verdict::Failed);
        assert_eq!(of(&[PASSED, None], &[]), Verdict::Failed);
        for outcome in [StepOutcome::Failed, StepOutcome::Aborted, StepOutcome::Skipped] {
            assert_eq!(of(&[PASSED, Some(outcome)], &[Standing::Met]), Verdict::Failed);
        }
    }

    #[test]
    fn every_other_reason_decides_alone() {
        for (reason, expected) in [
            (Reason::StepFailed, Verdict::Failed),
            (Reason::Refused, Verdict::Aborted),
            (Reason::Check, Verdict::Aborted),
            (Reason::Halt, Verdict::Aborted),
            (Reason::Deadline, Verdict::Aborted),
            (Reason::Signal, Verdict::Aborted),
            (Reason::LeaseLost, Verdict::Aborted),
            (Reason::Interrupted, Verdict::Interrupted),
        ] {
            assert_eq!(verdict(reason, [PASSED], [Standing::Met]), expected, "{reason:?}");
        }
    }

    #[test]
    fn the_worst_exit_code_wins() {
        assert_eq!(exit_code(Some(Verdict::Passed), 0), 0);
        assert_eq!(exit_code(Some(Verdict::Failed), 0), 1);
        assert_eq!(exit_code(Some(Verdict::Aborted), 0), 3);
        assert_eq!(exit_code(Some(Verdict::Interrupted), 0), 3);
        for verdict in [None, Some(Verdict::Passed), Some(Verdict::Failed), Some(Verdict::Aborted)]
        {
            assert_eq!(exit_code(verdict, 1), 4);
        }
    }
}
