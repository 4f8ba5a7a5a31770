//! Rows that are wrong: the first few by name, all of them counted. PURE.

/// How many are named.
const NAMED: usize = 5;

/// A bounded list of what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    named: Vec<String>,
    count: u64,
}

impl Faults {
    /// Counts one; `text` is asked for only if there is room for it.
    pub fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(text());
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    #[must_use]
    pub fn named(&self) -> &[String] {
        &self.named
    }
}
