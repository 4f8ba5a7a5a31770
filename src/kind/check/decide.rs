//! When a check step is done: enough good answers in a row. PURE.

use crate::{
    check::HttpCheck,
    clock::Mono,
    kind::{window::Bounds, words::count},
};

/// A fold over the answers of a check step.
#[derive(Clone, Debug)]
pub struct Streak {
    need: u32,
    run: u32,
    /// The start of the streak that goes on.
    start: Option<Bounds>,
    /// When the last bad answer was asked for: since then it may have been good.
    last_bad: Mono,
    why: Option<String>,
}

impl Streak {
    /// `successes` good answers in a row are needed (at least one); nothing is known before
    /// `from`.
    #[must_use]
    pub fn new(successes: u32, from: Mono) -> Self {
        Self { need: successes.max(1), run: 0, start: None, last_bad: from, why: None }
    }

    /// A good answer, complete at `answered`. Returns the start of the streak once it is long
    /// enough: at the first good answer at the latest, after the last bad one at the earliest.
    pub fn good(&mut self, answered: Mono) -> Option<Bounds> {
        self.run = self.run.saturating_add(1);
        let start = *self
            .start
            .get_or_insert(Bounds { lower: self.last_bad.min(answered), upper: answered });
        (self.run >= self.need).then_some(start)
    }

    /// A bad answer, or none, to the question asked at `asked`.
    pub fn bad(&mut self, asked: Mono, why: impl Into<String>) {
        self.run = 0;
        self.start = None;
        self.last_bad = self.last_bad.max(asked);
        self.why = Some(why.into());
    }

    /// Why the step is not done, in one sentence.
    #[must_use]
    pub fn why_not(&self) -> String {
        match &self.why {
            None if self.run == 0 => "it was never answered".to_owned(),
            Some(why) if self.run == 0 => why.clone(),
            why => {
                let got = count(self.run as usize, "good answer");
                let after = why.as_ref().map(|why| format!("; before: {why}")).unwrap_or_default();
                format!("only {got} in a row of {}{after}", self.need)
            }
        }
    }
}

/// The question, for people: `GET /healthz of target shop = 200`.
#[must_use]
pub fn question(check: &HttpCheck) -> String {
    let at = match &check.at {
        crate::check::HttpAt::Target(name) => format!("target {name}"),
        crate::check::HttpAt::Url(url) => url.clone(),
    };
    format!("GET {} of {at} = {}", check.path, check.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_answers_in_a_row() {
        let mut streak = Streak::new(3, Mono(0));
        assert_eq!(streak.why_not(), "it was never answered");
        assert_eq!(streak.good(Mono(12)), None);
        streak.bad(Mono(20), "it answered 503, not 200");
        assert_eq!(streak.why_not(), "it answered 503, not 200");
        assert_eq!(streak.good(Mono(32)), None);
        assert_eq!(streak.good(Mono(42)), None);
        assert_eq!(
            streak.why_not(),
            "only 2 good answers in a row of 3; before: it answered 503, not 200"
        );
        let start = Bounds { lower: Mono(20), upper: Mono(32) };
        assert_eq!(streak.good(Mono(52)), Some(start));
        assert_eq!(streak.good(Mono(62)), Some(start));
    }

    #[test]
    fn one_is_the_least() {
        let start = Bounds { lower: Mono(5), upper: Mono(9) };
        assert_eq!(Streak::new(0, Mono(5)).good(Mono(9)), Some(start));
    }

    #[test]
    fn the_question_is_said() {
        let check = HttpCheck {
            at: crate::check::HttpAt::Target("shop".into()),
            path: "/healthz".into(),
            status: 200,
        };
        assert_eq!(question(&check), "GET /healthz of target shop = 200");
    }
}
