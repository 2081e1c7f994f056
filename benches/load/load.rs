//! Runs the load generator: wrk, which is light enough to share a CPU with the backend.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::Outcome;
use crate::process::output_within;

/// How long wrk waits for an answer.
const TIMEOUT: &str = "15s";

/// How long wrk may exceed its time before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// The prefix of the line that the script prints at the end.
const MARK: &str = "llm-router-bench ";

/// What wrk measured, as its script reports it. Times are in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LoadResult {
    pub(crate) requests: u64,
    pub(crate) duration: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    connect: u64,
    read: u64,
    write: u64,
    status: u64,
    timeout: u64,
}

impl LoadResult {
    /// Returns a description of everything that was not an answer with a 2xx status.
    pub(crate) fn errors(&self) -> Option<String> {
        let kinds = [
            ("connect errors", self.connect),
            ("read errors", self.read),
            ("write errors", self.write),
            ("answers other than 2xx", self.status),
            ("timeouts", self.timeout),
        ];
        let errors: Vec<String> = kinds
            .iter()
            .filter(|(_, many)| *many > 0)
            .map(|(kind, many)| format!("{many} {kind}"))
            .collect();
        (!errors.is_empty())
            .then(|| format!("of {} requests: {}", self.requests, errors.join(", ")))
    }
}

/// Returns wrk's version; the error says how to install it.
pub(crate) fn version() -> Outcome<String> {
    let mut command = Command::new("wrk");
    command.arg("-v");
    let (_, text) = output_within(command, Duration::from_secs(5)).map_err(|error| {
        format!(
            "wrk, the load generator, does not run ({error}): install it with `apt-get install wrk` or `brew install \
             wrk`"
        )
    })?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.split(" Copyright").next().unwrap_or(line).to_owned())
}

/// Writes a script that sends this body with these headers and prints the results.
pub(crate) fn script(
    folder: &Path,
    name: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Outcome<PathBuf> {
    let data = folder.join(format!("{name}.json"));
    fs::write(&data, body)?;
    let mut lua = format!(
        "local file = assert(io.open({:?}, \"rb\"))\nwrk.method = \"POST\"\nwrk.body = file:read(\"*a\")\nfile:close()\n",
        data.display().to_string()
    );
    for (name, value) in headers {
        lua.push_str(&format!("wrk.headers[{name:?}] = {value:?}\n"));
    }
    lua.push_str(&format!(
        "done = function(summary, latency, requests)\n\
         \x20 local errors = summary.errors\n\
         \x20 io.write(string.format('\\n{MARK}{{\"requests\":%d,\"duration\":%d,\"p50\":%d,\"p90\":%d,\"p99\":%d,\"max\":%d,' ..\n\
         \x20   '\"connect\":%d,\"read\":%d,\"write\":%d,\"status\":%d,\"timeout\":%d}}\\n',\n\
         \x20   summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),\n\
         \x20   latency.max, errors.connect, errors.read, errors.write, errors.status, errors.timeout))\n\
         end\n"
    ));
    let script = folder.join(format!("{name}.lua"));
    fs::write(&script, lua)?;
    Ok(script)
}

pub(crate) fn run(
    script: &Path,
    port: u16,
    path: &str,
    connections: u32,
    seconds: u64,
) -> Outcome<LoadResult> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--timeout", TIMEOUT])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}{path}"));
    let (ok, text) = output_within(command, Duration::from_secs(seconds) + GRACE)?;
    let found = text.lines().find_map(|line| line.strip_prefix(MARK));
    match found {
        Some(found) if ok => Ok(serde_json::from_str(found)?),
        _ => Err(format!("wrk failed: {}", text.trim()).into()),
    }
}
