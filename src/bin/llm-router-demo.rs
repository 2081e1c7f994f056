//! Runs llm-router in front of demo backends: `llm-router-demo run --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    llm_router::demo::cli::main()
}
