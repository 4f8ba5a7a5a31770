//! `check`: ask a question until it is answered well often enough.

pub mod act;
pub mod decide;
pub mod fields;

use std::time::Duration;

use crate::check::Question;

/// A checked `check` step.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What is asked.
    pub question: Question,
    /// Good answers in a row that end the step; default 1.
    pub successes: u32,
    /// How often it is asked; default 1 s.
    pub every: Duration,
    /// How long one answer may take; default 2 s.
    pub timeout: Duration,
}
