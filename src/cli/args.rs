//! What can be written after `firedrill`. Stable names: scripts depend on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::snapshot::verdict::Level;

/// Disaster-recovery drills for Kubernetes: restored, measured, undone.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The configuration file
    ///
    /// Without it: /etc/firedrill/firedrill.yaml, else config/firedrill.yaml.
    #[arg(long, global = true, value_name = "FILE", env = "FIREDRILL_CONFIG")]
    pub config: Option<PathBuf>,
    /// How answers are written to stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// How logs are written to stderr
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub log: Format,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Exit codes, the worst wins.
const EXIT_CODES: &str = "\
Exit codes, the worst wins:
  4   leftovers remain: `firedrill undo` tries again
  3   aborted, or refused before anything was changed, or interrupted
  1   failed
  0   passed, or done
  2   invalid input
  70  internal error

Set FIREDRILL_LOG (for example to `debug`) for more on stderr.";

/// Text for people, JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Whether `validate` looks at the files that a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Files {
    /// Tokens, certificates, kubeconfigs: are they there and good
    Always,
    /// Only the configuration itself, the same everywhere
    Never,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one drill now; the exit code says the verdict
    Run {
        /// A drill's file, or the name of a drill in the configuration's folders
        drill: String,
        /// Which drill, where the file holds several
        #[arg(long)]
        name: Option<String>,
    },
    /// Check drills and configuration: every problem, with its place
    Validate {
        /// Files and folders; without any, the configuration and its drills
        paths: Vec<PathBuf>,
        /// Count warnings as errors
        #[arg(long)]
        deny_warnings: bool,
        /// Whether to look at the files that the configuration names
        ///
        /// Without it: only if there is no PATH.
        #[arg(long, value_enum, value_name = "WHEN")]
        files: Option<Files>,
    },
    /// Show the next slots of a cron expression
    Schedule(ScheduleArgs),
    /// List runs, newest first
    History {
        /// Only of this drill
        drill: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one run with all its events
    Show(RunArg),
    /// Report one run
    Report {
        /// The run
        #[command(flatten)]
        run: RunArg,
        /// The shape of the report
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Finish what is left undone, from the journal and from marks
    Undo {
        /// Only this run
        run: Option<String>,
        /// Settle another installation's marks, once its Lease stood still
        #[arg(long, value_name = "NAME", conflicts_with = "run")]
        instance: Option<String>,
    },
    /// The journal itself
    Journal {
        /// What to do with it
        #[command(subcommand)]
        command: Journal,
    },
    /// Snapshots of etcd
    Snapshot {
        /// What to do with them
        #[command(subcommand)]
        command: Snapshot,
    },
    /// Print a JSON Schema, for editors and other tools
    Schema {
        /// Of which language
        #[arg(value_enum)]
        language: super::schema::Language,
    },
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
}

/// What `schedule` is asked.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// Five fields or a macro, in quotes: '30 2 * * mon', @daily
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expression: String,
    /// The shell's pieces of an expression without quotes.
    #[arg(hide = true)]
    pub more: Vec<String>,
    /// The IANA zone that the fields are read in
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub time_zone: String,
    /// Only slots after this instant (RFC 3339); without it: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub after: Option<String>,
    /// How many, at most 10000
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub count: u16,
    /// How day of month and day of week join where both are restricted
    #[arg(long, value_name = "HOW", value_enum)]
    pub day_match: Option<DayMatch>,
}

/// How the two day fields join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DayMatch {
    /// Either is enough, as crond does it
    Or,
    /// Both must match
    And,
}

/// Which run.
#[derive(Debug, Args)]
pub struct RunArg {
    /// Its id, a unique beginning of it, or `latest`
    #[arg(default_value = "latest")]
    pub run: String,
}

/// A subcommand of `journal`.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check every chain and every stored summary
    Verify,
    /// Print entries as JSON lines
    Export {
        /// Only of this run
        run: Option<String>,
    },
}

/// A subcommand of `snapshot`.
#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Judge a snapshot: is it whole, does every row decode, what is in it
    ///
    /// Exit code 1 also means unproven: a part could not be looked at.
    Verify {
        /// The file
        #[arg(value_name = "PATH")]
        place: String,
        /// How deep to look; each level includes those before it
        #[arg(long, value_enum, default_value_t = Level::Intact)]
        level: Level,
        /// Where to unpack what is compressed; by default $TMPDIR or /tmp
        #[arg(long, value_name = "FOLDER")]
        scratch: Option<PathBuf>,
    },
}
