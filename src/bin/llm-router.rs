//! Checks documents and explains what they do: `llm-router --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    llm_router::cli::main()
}
