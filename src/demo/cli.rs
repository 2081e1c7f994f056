//! The command line of `llm-router-demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::run;

#[derive(Debug, Parser)]
#[command(
    name = "llm-router-demo",
    version,
    about = "Runs llm-router in front of demo backends"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the demo backends and Envoy, print examples to try, and run until Ctrl-C.
    Run(RunArgs),
    /// Start only the demo backends and run until Ctrl-C.
    Backends {
        /// Offset added to every port, so that several demos can run side by side.
        #[arg(long, default_value_t = 0, value_name = "N")]
        port_offset: u16,
    },
}

/// How to run Envoy.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The Envoy program.
    #[arg(long, value_name = "PATH")]
    pub(crate) envoy: PathBuf,
    /// The Envoy configuration file.
    #[arg(long, default_value = "envoy/demo.yaml", value_name = "PATH")]
    pub(crate) config: PathBuf,
    /// The number of Envoy's worker threads.
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) concurrency: u16,
    /// Offset added to every port, including the `port_value`s in the configuration, so that several demos can run side by
    /// side.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) port_offset: u16,
}

/// Runs the program: reads the command line, and prints errors.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let outcome = match cli.command {
        Command::Run(args) => runtime.block_on(run::run(&args)),
        Command::Backends { port_offset } => runtime.block_on(run::backends(port_offset)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("llm-router-demo: {why}");
    ExitCode::FAILURE
}
