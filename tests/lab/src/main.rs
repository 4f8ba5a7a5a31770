//! `cargo lab`: the lab by hand.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use lab::{
    Lab, Options, bench, corpus, crash, drill,
    firedrill::{ConfigOptions, write_config},
    parts,
    progress::Progress,
    s3::BUCKET,
    shop::{Shop, ShopOptions},
};

#[derive(Parser)]
#[command(name = "lab", about = "A real Kubernetes, etcd, Velero and S3 on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Build the parts, if they are not in the cache.
    Build {
        /// Build this part too, which only some tests need: prometheus.
        #[arg(long, value_name = "PART")]
        with: Vec<String>,
    },
    /// Start a lab and keep it until Ctrl-C.
    Up {
        /// Put the shop into it, with one backup.
        #[arg(long)]
        shop: bool,
    },
    /// Run one drill against a lab with a shop in it; the exit code is firedrill's.
    Drill {
        /// The drill's file.
        file: Option<PathBuf>,
    },
    /// Make snapshots of etcd, good and damaged, in a folder.
    Corpus {
        /// The folder; what is in it is overwritten.
        folder: PathBuf,
    },
    /// Measure firedrill beside something else; exit code 1 if it takes more than is allowed.
    Bench {
        /// Which benchmark.
        #[arg(value_enum)]
        name: bench::Benchmark,
        /// How many rounds of each; they take turns.
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// How the result is written to stdout.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
    /// Kill firedrill at every point and look at what is left.
    Crash {
        /// Which drill: shop or node.
        name: String,
        /// Every journal point and every held write, not a sample.
        #[arg(long)]
        all: bool,
        /// Decides the sample; a new one each time without it.
        #[arg(long)]
        seed: Option<u64>,
        /// Only the case with this id, as the table names it.
        #[arg(long, conflicts_with = "all")]
        case: Option<String>,
        /// Only this part of the cases, `K/N`: several labs share a long list
        #[arg(long, value_name = "K/N", value_parser = part)]
        part: Option<(usize, usize)>,
        /// How the result is written to stdout.
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(70)),
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(70)
}

async fn run(command: Command) -> anyhow::Result<i32> {
    match command {
        Command::Build { with } => {
            tokio::task::spawn_blocking(move || parts::build_all(&with, &Progress::new(false)))
                .await??;
            Ok(0)
        }
        Command::Up { shop } => up(shop).await.map(|()| 0),
        Command::Drill { file } => drill::run(file).await,
        Command::Corpus { folder } => {
            corpus::Corpus::make().await?.write(&folder)?;
            Ok(0)
        }
        Command::Bench { name, rounds, output } => {
            let json = output == Output::Json;
            tokio::task::spawn_blocking(move || bench::command(name, rounds.max(1), json)).await?
        }
        Command::Crash { name, all, seed, case, part, output } => {
            let seed = seed.unwrap_or_else(|| jiff::Timestamp::now().as_second().unsigned_abs());
            let choice = crash::Choice { all, seed, case, part, only_points: false };
            crash::command(&name, &choice, output == Output::Json).await
        }
    }
}

/// `K/N` with 1 <= K <= N.
fn part(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((part, of)) if (1..=of).contains(&part) => Ok((part, of)),
        _ => Err("write K/N, for example 2/4".to_owned()),
    }
}

async fn up(with_shop: bool) -> anyhow::Result<()> {
    let interrupt = interrupted()?;
    tokio::pin!(interrupt);
    let start = async {
        let lab = Lab::start(Options { quiet: false, ..Options::default() }).await?;
        let mut options = ConfigOptions::default();
        let mut shop = None;
        if with_shop {
            let open = Shop::open(&lab, &ShopOptions::default()).await?;
            open.backup().await?;
            lab.say("backup completed");
            options.shop_url = Some(open.url().to_owned());
            shop = Some(open);
        }
        let config = write_config(&lab, &options).await?;
        let (bytes, processes) = lab.memory();
        lab.say(&format!("the lab is up: {processes} processes, {} MB", bytes / 1_000_000));
        anyhow::Ok((lab, shop, config))
    };
    // The shop's outside lives as long as the lab is up.
    let (lab, shop, config) = tokio::select! {
        up = start => up?,
        () = &mut interrupt => anyhow::bail!("interrupted"),
    };
    println!("export KUBECONFIG={}", lab.control_plane().kubeconfig.display());
    println!("export ETCDCTL_ENDPOINTS={}", lab.control_plane().etcd);
    println!("export AWS_ENDPOINT_URL={}", lab.s3().endpoint);
    println!("export AWS_ACCESS_KEY_ID={}", lab.s3().access_key);
    println!("export AWS_SECRET_ACCESS_KEY={}", lab.s3().secret_key);
    println!("# bucket: {BUCKET}; logs: {}/logs", lab.dir().display());
    println!("# firedrill --config {}", config.display());
    if let Some(shop) = &shop {
        println!("# the shop's outside: {}/healthz", shop.url());
        println!(
            "# its inside, by port-forward to a pod: write 200, 503, hang, half or cut into {}",
            lab.inside().file().display()
        );
    }
    interrupt.await;
    lab.say("stopping");
    let progress = Progress::new(false);
    lab.stop().await?;
    progress.say("stopped");
    Ok(())
}

/// Ends at the first SIGINT or SIGTERM.
fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
