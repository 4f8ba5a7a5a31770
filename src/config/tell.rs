//! Hooks and rules: where messages go, and which. PURE.

use std::{path::PathBuf, time::Duration};

use super::fields::OCCASIONS;

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A channel of Slack.
    Slack(Slack),
    /// A URL that takes runs as JSON.
    Webhook {
        /// The URL itself, if it is no secret, or the file that holds it.
        url: Url,
        /// File with the secret that signs each message.
        secret_file: Option<PathBuf>,
        /// PEM file of the CAs that alone are trusted for it; none = the usual public ones.
        ca_file: Option<PathBuf>,
        /// Whether the URL may lead to a loopback or private address.
        allow_private: bool,
    },
    /// A URL that is asked as long as the scheduler turns.
    Heartbeat {
        /// The file that holds the URL.
        url_file: PathBuf,
        /// How often it is asked; default 1 min.
        every: Duration,
        /// Whether the URL may lead to a loopback or private address.
        allow_private: bool,
    },
}

/// How a channel of Slack is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slack {
    /// By an incoming webhook.
    Url {
        /// The file that holds its URL.
        file: PathBuf,
        /// The hosts that the URL may have; default `hooks.slack.com`.
        allow_hosts: Vec<String>,
    },
    /// By a bot.
    Token {
        /// The file that holds its token.
        file: PathBuf,
        /// The channel.
        channel: String,
    },
}

/// A URL, or the file that holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// The URL.
    Open(String),
    /// The file.
    File(PathBuf),
}

/// Who is told what. All its limits hold together; an empty one holds for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names of drills.
    pub drills: Vec<String>,
    /// A label selector.
    pub selector: Option<String>,
    /// Names of clusters.
    pub clusters: Vec<String>,
    /// What is told.
    pub on: Vec<Occasion>,
    /// Names of hooks.
    pub to: Vec<String>,
    /// The least time between two messages about one drill.
    pub at_most_every: Option<Duration>,
}

/// What a rule may tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A run that acts is about to begin.
    Started,
    /// The verdict is `passed`.
    Passed,
    /// The verdict is `failed`.
    Failed,
    /// The verdict is `aborted`.
    Aborted,
    /// The verdict is `interrupted`.
    Interrupted,
    /// The verdict is another one than that of the run before.
    Changed,
    /// The verdict is `passed`, and that of the run before was not.
    Recovered,
    /// Something could not be undone.
    Leftovers,
    /// A slot was skipped.
    Skipped,
    /// A slot was missed.
    Missed,
    /// A drill has not passed for longer than it should.
    Overdue,
    /// The halt lever was pulled or lifted.
    Halted,
    /// A configuration or a drill was refused.
    ReloadFailed,
}

impl Occasion {
    /// All of them, in the order of [`OCCASIONS`].
    pub const ALL: [Self; 13] = [
        Self::Started,
        Self::Passed,
        Self::Failed,
        Self::Aborted,
        Self::Interrupted,
        Self::Changed,
        Self::Recovered,
        Self::Leftovers,
        Self::Skipped,
        Self::Missed,
        Self::Overdue,
        Self::Halted,
        Self::ReloadFailed,
    ];

    /// The word of the language, such as `reloadFailed`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
            Self::Changed => "changed",
            Self::Recovered => "recovered",
            Self::Leftovers => "leftovers",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Overdue => "overdue",
            Self::Halted => "halted",
            Self::ReloadFailed => "reloadFailed",
        }
    }

    /// The occasion of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        debug_assert_eq!(OCCASIONS.len(), Self::ALL.len());
        Self::ALL.into_iter().find(|occasion| occasion.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_language_is_an_occasion() {
        let words: Vec<&str> = Occasion::ALL.iter().map(|occasion| occasion.word()).collect();
        assert_eq!(words, OCCASIONS);
    }
}
