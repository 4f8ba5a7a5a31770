//! When a check step is done: enough good answers in a row. PURE.

use crate::{
    clock::Mono,
    kind::{window::Bounds, words::count},
};

/// All answers to a step's question, in the order in which it was asked.
///
/// They are kept one by one, because where a window may begin (the end of a restore) is often known
/// only after it was.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Nothing is known of the time before.
    from: Mono,
    all: Vec<Answer>,
    /// Why the last bad one was bad.
    why: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    asked: Mono,
    answered: Mono,
    good: bool,
}

impl Answers {
    /// Nothing is known before `from`: what held then may have held at any time before.
    #[must_use]
    pub fn new(from: Mono) -> Self {
        Self { from, all: Vec::new(), why: None }
    }

    /// A good answer to the question asked at `asked`, complete at `answered`.
    pub fn good(&mut self, asked: Mono, answered: Mono) {
        self.all.push(Answer { asked, answered, good: true });
    }

    /// A bad answer, or none.
    pub fn bad(&mut self, asked: Mono, answered: Mono, why: impl Into<String>) {
        self.all.push(Answer { asked, answered, good: false });
        self.why = Some(why.into());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether the last one was good.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.all.last().is_some_and(|answer| answer.good)
    }

    /// The start of the first window of `successes` good answers in a row (at least one): at its
    /// first good answer at the latest, after the last bad one before it at the earliest. Only
    /// answers that were asked for from `floor` on count, so the start is never earlier than that.
    #[must_use]
    pub fn window(&self, successes: u32, floor: Mono) -> Option<Bounds> {
        let mut before = self.from;
        let mut start: Option<Bounds> = None;
        let mut run = 0;
        for Answer { asked, answered, good } in &self.all {
            if !good {
                (before, start, run) = (*asked, None, 0);
                continue;
            }
            let lower = before.min(*answered);
            let begun = *start.get_or_insert(Bounds { lower, upper: *answered });
            run += u32::from(*asked >= floor);
            if run >= successes.max(1) {
                return Some(begun.at_least(floor));
            }
        }
        None
    }

    /// Whether there was a bad answer after `start`.
    #[must_use]
    pub fn broke_after(&self, start: Mono) -> bool {
        self.all.iter().any(|answer| !answer.good && answer.asked >= start)
    }

    /// Why the step is not done, in one sentence.
    #[must_use]
    pub fn why_not(&self, successes: u32) -> String {
        let run = self.all.iter().rev().take_while(|answer| answer.good).count();
        match &self.why {
            None if run == 0 => "it was never answered".to_owned(),
            Some(why) if run == 0 => why.clone(),
            why => {
                let got = count(run, "good answer");
                let after = why.as_ref().map(|why| format!("; before: {why}")).unwrap_or_default();
                format!("only {got} in a row of {successes}{after}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(lower: u64, upper: u64) -> Option<Bounds> {
        Some(Bounds { lower: Mono(lower), upper: Mono(upper) })
    }

    #[test]
    fn good_answers_in_a_row() {
        let mut all = Answers::new(Mono(0));
        let window = |all: &Answers| all.window(3, Mono(0));
        assert_eq!(all.why_not(3), "it was never answered");
        all.good(Mono(10), Mono(12));
        all.bad(Mono(20), Mono(21), "it answered 503, not 200");
        assert_eq!(all.why_not(3), "it answered 503, not 200");
        all.good(Mono(30), Mono(32));
        all.good(Mono(40), Mono(42));
        assert_eq!(window(&all), None);
        assert_eq!(
            all.why_not(3),
            "only 2 good answers in a row of 3; before: it answered 503, not 200"
        );
        all.good(Mono(50), Mono(52));
        assert_eq!(window(&all), bounds(20, 32));
        // The first window stays the answer, whatever comes later.
        all.bad(Mono(60), Mono(61), "it answered 503, not 200");
        assert_eq!(window(&all), bounds(20, 32));
        assert!(!all.holds() && all.broke_after(Mono(32)) && !all.broke_after(Mono(61)));
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn one_is_the_least() {
        let mut all = Answers::new(Mono(5));
        all.good(Mono(6), Mono(9));
        assert_eq!(all.window(0, Mono(0)), bounds(5, 9));
    }

    #[test]
    fn only_answers_after_the_floor_count() {
        let mut all = Answers::new(Mono(0));
        for at in [10, 20, 30] {
            all.good(Mono(at), Mono(at + 2));
        }
        // Three good ones, but the restore ended at 25: of what came after there is one.
        assert_eq!(all.window(3, Mono(25)), None);
        all.good(Mono(40), Mono(42));
        assert_eq!(all.window(3, Mono(25)), None);
        all.good(Mono(50), Mono(52));
        assert_eq!(all.window(3, Mono(25)), bounds(25, 25), "it held since before the floor");
        // What broke right after the floor was not there yet.
        let mut broken = Answers::new(Mono(0));
        for at in [10, 20, 30] {
            broken.good(Mono(at), Mono(at + 2));
        }
        broken.bad(Mono(40), Mono(41), "no");
        for at in [50, 60, 70] {
            broken.good(Mono(at), Mono(at + 2));
        }
        assert_eq!(broken.window(3, Mono(25)), bounds(40, 52));
        // An answer that was asked for before the floor and came after it is not counted.
        let mut late = Answers::new(Mono(0));
        late.good(Mono(24), Mono(26));
        assert_eq!(late.window(1, Mono(25)), None);
    }
}
