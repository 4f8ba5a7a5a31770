//! The `firedrill` command.

use std::{
    io::{IsTerminal as _, stdout},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _};
use firedrill::{
    cli::{
        args::{Cli, Command, Files, Format, Journal, Snapshot},
        history, journal as journal_cli, output,
        place::{self, Exit},
        report as report_cli, run, schedule, schema, show, snapshot, undo, validate,
    },
    clock::{Clock as _, SystemClock},
    config,
    journal::Reader,
    report::summary::Summary,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.log);
    // Before any client is built: rustls panics when it has to choose between providers.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed already");
        return ExitCode::from(place::INTERNAL);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::from(place::INTERNAL);
        }
    };
    let output = cli.output;
    match runtime.block_on(command(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(exit) => {
            if !exit.message.is_empty() {
                eprintln!("{}", exit.message.trim_end());
            }
            // Programs get one document on stdout, whatever happens.
            if output == Format::Json {
                say(&exit.json());
            }
            ExitCode::from(exit.code)
        }
    }
}

/// Logs go to stderr; results alone go to stdout.
fn log_to_stderr(format: Format) {
    // What a client of a library complains of is said by whoever used it, with the cluster's name.
    let filter = EnvFilter::try_from_env("FIREDRILL_LOG")
        .unwrap_or_else(|_| EnvFilter::new("error,kube_client=off"));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Text => {
            let ansi = std::io::stderr().is_terminal();
            let layer =
                tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
            registry.with(layer).init();
        }
        Format::Json => {
            let layer = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
            registry.with(layer).init();
        }
    }
}

async fn command(cli: Cli) -> Result<u8, Exit> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Run { drill, name } => run::run(config, &drill, name.as_deref(), cli.output).await,
        Command::Validate { paths, deny_warnings, files } => {
            validate(config, paths, cli.output, deny_warnings, files)
        }
        Command::Schedule(args) => {
            say(&schedule::run(&args, cli.output)?);
            Ok(0)
        }
        Command::History { drill, limit } => {
            history(config, drill.as_deref(), limit, cli.output).await
        }
        Command::Show(run) => {
            let (entries, summary) = one_run(config, &run.run).await?;
            say(&show::render(&summary, &entries, shape(cli.output)).map_err(encode)?);
            Ok(0)
        }
        Command::Report { run, format } => {
            let (_, summary) = one_run(config, &run.run).await?;
            let format = match (format, cli.output) {
                (Format::Text, Format::Text) => report_cli::Format::Text,
                _ => report_cli::Format::Json,
            };
            say(&report_cli::render(&summary, format).map_err(encode)?);
            Ok(0)
        }
        Command::Undo { run, instance } => {
            undo::run(config, run.as_deref(), instance.as_deref(), cli.output).await
        }
        Command::Journal { command } => {
            let path = place::config(config)?.journal;
            let failed = |error: journal_cli::Error| match error {
                journal_cli::Error::Journal(error) => error.into(),
                journal_cli::Error::Output(_) => Exit::internal(format!("error: {error}")),
            };
            match command {
                Journal::Verify => {
                    let json = cli.output == Format::Json;
                    journal_cli::verify(&path, json, &mut stdout()).await.map_err(failed)
                }
                Journal::Export { run } => {
                    journal_cli::export(&path, run.as_deref(), &mut stdout())
                        .await
                        .map_err(failed)?;
                    Ok(0)
                }
            }
        }
        Command::Snapshot { command: Snapshot::Verify { place, level, scratch } } => {
            let (text, code) = snapshot::verify(&place, level, scratch.as_deref(), cli.output)?;
            say(&text);
            Ok(code)
        }
        Command::Schema { language } => {
            say(&schema::text(language));
            Ok(0)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "firedrill", &mut stdout());
            Ok(0)
        }
    }
}

fn validate(
    config: Option<&Path>,
    mut paths: Vec<std::path::PathBuf>,
    output: Format,
    deny_warnings: bool,
    files: Option<Files>,
) -> Result<u8, Exit> {
    // Without PATH it is about this machine's own configuration.
    let look = files.map_or(paths.is_empty(), |files| files == Files::Always);
    let now = SystemClock::new()
        .map_err(|error| Exit::internal(format!("error: no clock: {error}")))?
        .now()
        .wall;
    let colour = std::io::IsTerminal::is_terminal(&stdout());
    let found = match place::config_path(config) {
        Ok(path) => Some(path),
        // Drills alone can be checked without one.
        Err(_) if !paths.is_empty() => None,
        Err(exit) => return Err(exit),
    };
    let mut beside = validate::Beside::None;
    if let Some(path) = found {
        let (loaded, _) = config::load(&path);
        if paths.is_empty() {
            paths.push(path);
            paths.extend(loaded.iter().flat_map(|config| config.drills.clone()));
        } else if let Some(loaded) = loaded {
            beside = validate::Beside::Good(Box::new(loaded));
        } else if config.is_some() {
            // Who names it wants to know what is wrong with it.
            paths.push(path);
        } else {
            beside = validate::Beside::Broken(path);
        }
    }
    let output = match output {
        Format::Text => validate::Output::Text { colour },
        Format::Json => validate::Output::Json,
    };
    let code = validate::run(&paths, &beside, output, deny_warnings, look.then_some(now));
    Ok(u8::try_from(code).unwrap_or(place::INTERNAL))
}

async fn reader(config: Option<&Path>) -> Result<Reader, Exit> {
    let config = place::config(config)?;
    Ok(Reader::open(&config.journal).await?)
}

async fn history(
    config: Option<&Path>,
    drill: Option<&str>,
    limit: u32,
    output: Format,
) -> Result<u8, Exit> {
    let reader = reader(config).await?;
    let failed = |error: &dyn std::fmt::Display| Exit::internal(format!("error: {error}"));
    let rows = reader.runs(drill, limit).await?;
    let mut runs = Vec::new();
    for row in rows {
        let entries = reader.stream(&row.run).await?;
        runs.push(Summary::fold(&entries).map_err(|error| failed(&error))?);
    }
    say(&history::render(&runs, shape(output)).map_err(encode)?);
    Ok(0)
}

async fn one_run(
    config: Option<&Path>,
    run: &str,
) -> Result<(Vec<firedrill::run::event::Entry>, Summary), Exit> {
    let reader = reader(config).await?;
    let run = reader.find_run(run).await?;
    let internal = |error: &dyn std::fmt::Display| Exit::internal(format!("error: {error}"));
    let entries = reader.stream(&run).await?;
    let summary = Summary::fold(&entries).map_err(|error| internal(&error))?;
    Ok((entries, summary))
}

fn shape(format: Format) -> output::Output {
    match format {
        Format::Text => output::Output::Text,
        Format::Json => output::Output::Json,
    }
}

fn encode(error: serde_json::Error) -> Exit {
    Exit::internal(format!("error: the answer cannot be encoded: {error}"))
}

/// A closed pipe is no error: the reader has seen enough.
fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(stdout(), "{}", text.trim_end());
}
