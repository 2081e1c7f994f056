//! The program `llm-router`: checks documents, explains what they do, and renders the files around them.
//!
//! Native only, behind the feature `cli`; nothing in here is part of the filter.

mod caller_checks;
mod check;
mod embedded;
mod envoy;
mod explain;
mod load;
mod render;
mod report;
mod schema;
mod source;
mod warnings;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  llm-router check router.yaml                 the document itself
  llm-router check envoy/demo.yaml             an Envoy file that contains one
  llm-router check --format json envoy.yaml    for programs
  llm-router explain router.yaml --request request.json --header 'x-team: research'
  llm-router explain router.yaml --path /v1/files --json
  llm-router explain router.yaml --request request.json --claim groups=research --time 2026-01-05T22:00:00Z
  llm-router render envoy router.yaml > envoy.yaml
  llm-router schema > router.schema.json       for editors
  llm-router completions bash > /etc/bash_completion.d/llm-router

Exit codes: 0 success; 1 there are errors (with --deny-warnings, errors or warnings); 2 wrong usage, or a file that cannot \
be read or contains no document.";

#[derive(Debug, Parser)]
#[command(
    name = "llm-router",
    version,
    about = "Checks llm-router documents, explains how they route requests, and renders Envoy configuration for them",
    after_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a file: report every error with its line and column, and run the golden tests.
    Check(check::CheckArgs),
    /// Explain how a request is routed: every route, the plan, what is left out and why, and the request of each attempt.
    Explain(explain::ExplainArgs),
    /// Print configuration files for a document.
    #[command(subcommand)]
    Render(render::RenderCommand),
    /// Print the document's JSON Schema, for editors.
    Schema,
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Why a command could not do anything.
#[derive(Debug)]
struct CommandError(String);

impl CommandError {
    fn none_in(file: &Path) -> CommandError {
        CommandError(format!(
            "{}: contains no document: it is not one itself, and no plugin in it has `root_id: llm_router`",
            file.display()
        ))
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Render(what) => render::run(&what),
        Command::Schema => {
            say(&format!("{:#}\n", schema::schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "llm-router", &mut script);
            say(&String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|CommandError(why)| {
        anstream::eprintln!("llm-router: {}", report::shown(&why));
        ExitCode::from(2)
    })
}

/// Prints text, with colours only on a terminal. A closed pipe is not an error.
fn say(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

fn read(file: &Path) -> Result<String, CommandError> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| CommandError(format!("{name}: {error}")))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(CommandError(format!(
            "{name}:1:1: this is UTF-16: save it as UTF-8"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let line = before.split('\n').count();
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count());
        let column = column.saturating_add(1);
        CommandError(format!(
            "{name}:{line}:{column}: this is not UTF-8: save the file as UTF-8"
        ))
    })
}

/// Reads a file that another one names, relative to that one's folder.
fn read_beside(file: &Path, name: &str) -> Result<Vec<u8>, String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    std::fs::read(folder.join(name)).map_err(|error| format!("cannot be read: {error}"))
}
