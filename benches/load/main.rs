//! `make bench`: measures what a request costs through llm-router, compared with the same Envoy without it.
//!
//! `run` starts the mock backend, the load generator and an Envoy for each variant, and writes a record; `peers` adds
//! other gateways to the newest record; `readme` writes the newest record into README.md.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "a benchmark may fail by panicking: nobody's traffic goes through it"
)]

mod backend;
#[path = "../bodies/mod.rs"]
mod bodies;
mod client;
mod envoy;
mod first_event;
mod load;
mod machine;
mod memory;
mod patch;
mod peers;
mod plan;
mod process;
mod record;
mod requests;
mod rounds;
mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An error is a sentence for the person who runs the benchmark.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Debug, Parser)]
#[command(about = "The benchmark behind `make bench`")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Added by `cargo bench`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and write a record.
    Run(RunArgs),
    /// Measure the gateways in benches/peers, and add them to the newest record.
    Peers(RunArgs),
    /// Render all records again, and write the newest one into README.md.
    Readme {
        /// The folder of the records.
        #[arg(long, default_value = RECORDS)]
        out: PathBuf,
    },
    /// The mock backend: part of `run`.
    #[command(hide = true)]
    Backend,
}

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Run a smoke test of about two minutes, whose numbers mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often every cell is measured.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
    /// The length of each measurement, in seconds.
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
    /// Start or continue no round after this many minutes.
    #[arg(long, default_value_t = 32, value_name = "M")]
    pub(crate) minutes: u64,
    /// The folder of the records.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// The Envoy program.
    #[arg(long, value_name = "PATH")]
    pub(crate) envoy: PathBuf,
    /// The filter's module.
    #[arg(long, default_value = "llm_router.wasm", value_name = "PATH")]
    pub(crate) module: PathBuf,
    /// The module of the filter that does nothing, built from benches/noop.
    #[arg(long, value_name = "PATH")]
    pub(crate) noop: PathBuf,
}

const RECORDS: &str = "benches/record";

/// The folder for configurations, logs, and the records of smoke tests.
const FILES: &str = "target/bench";

impl RunArgs {
    /// Returns the folder of the records. A smoke test must not become the newest record.
    pub(crate) fn records(&self) -> PathBuf {
        match &self.out {
            Some(folder) => folder.clone(),
            None if self.quick => Path::new(FILES).join("record"),
            None => PathBuf::from(RECORDS),
        }
    }

    pub(crate) fn rounds(&self) -> u32 {
        let usual = if self.quick { 1 } else { 4 };
        self.rounds.unwrap_or(usual).max(1)
    }

    pub(crate) fn seconds(&self) -> u64 {
        let usual = if self.quick { 1 } else { 2 };
        self.seconds.unwrap_or(usual).max(1)
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args, Path::new(FILES)),
        Command::Peers(args) => peers::run(&args, Path::new(FILES)),
        Command::Readme { out } => readme(&out),
        Command::Backend => backend::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn readme(records: &Path) -> Outcome<()> {
    let mut newest = None;
    for folder in record::all(records) {
        let record = record::Record::read(&folder)
            .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        record.write(&folder)?;
        newest = Some((folder, record));
    }
    let block = record::readme::block(newest.as_ref().map(|(folder, record)| (&**folder, record)));
    let text = fs::read_to_string("README.md")?;
    let written = record::readme::with_block(&text, &block).ok_or_else(|| {
        format!(
            "README.md has no place for it: put {} and {} there",
            record::readme::BEGIN,
            record::readme::END
        )
    })?;
    if written != text {
        fs::write("README.md", written)?;
    }
    Ok(())
}
