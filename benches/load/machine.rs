//! Describes the machine and the versions of a measurement.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::output_within;
use crate::{Outcome, load};

const PATIENCE: Duration = Duration::from_secs(10);

/// The load average above which the numbers are not reliable.
const QUIET: f64 = 0.7;

/// Returns names and values. It is an error if something that is needed is missing.
pub(crate) fn facts(envoy: &Path) -> Outcome<Vec<(String, String)>> {
    let wrk = load::version()?;
    let rustc = first_line("rustc", &["--version"]);
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    Ok([
        ("CPU", cpu()),
        ("CPUs", cpus.to_string()),
        ("memory", memory()),
        ("system", first_line("uname", &["-srm"])),
        ("load before", load_average()),
        ("Envoy", envoy_version(envoy)),
        ("rustc", rustc),
        ("load generator", wrk),
        ("revision", revision()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

/// Returns the date in UTC, as `2026-11-21`.
pub(crate) fn date() -> Outcome<String> {
    let date = first_line("date", &["-u", "+%Y-%m-%d"]);
    if date.len() == 10 {
        Ok(date)
    } else {
        Err(format!("`date` says {date:?}").into())
    }
}

/// Returns a sentence if something else is running on the machine.
pub(crate) fn disturbance() -> Option<String> {
    let load: f64 = load_average().split_whitespace().next()?.parse().ok()?;
    (load > QUIET).then(|| {
        format!(
            "the machine was not quiet: its load average was {load} before anything was started"
        )
    })
}

fn cpu() -> String {
    if cfg!(target_os = "macos") {
        return first_line("sysctl", &["-n", "machdep.cpu.brand_string"]);
    }
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let name = field("model name").unwrap_or_else(|| first_line("uname", &["-m"]));
    let family = match (field("cpu family"), field("model\t"), field("stepping")) {
        (Some(family), Some(model), Some(stepping)) => {
            format!(" (family {family}, model {model}, stepping {stepping})")
        }
        _ => String::new(),
    };
    let guest =
        field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let guest = if guest { ", in a virtual machine" } else { "" };
    format!("{name}{family}{guest}")
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: Option<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    match kib {
        Some(kib) => format!("{} GiB", (kib + (1 << 19)) >> 20),
        None => format!("{} bytes", first_line("sysctl", &["-n", "hw.memsize"])),
    }
}

/// Returns the load averages of the last one, five and fifteen minutes.
fn load_average() -> String {
    match fs::read_to_string("/proc/loadavg") {
        Ok(text) => text
            .split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
        Err(_) => first_line("sysctl", &["-n", "vm.loadavg"])
            .trim_matches(['{', '}', ' '])
            .to_owned(),
    }
}

/// Parses the version out of `…  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn envoy_version(envoy: &Path) -> String {
    let mut command = Command::new(envoy);
    command.arg("--version");
    let text =
        output_within(command, PATIENCE).map_or_else(|error| error.to_string(), |(_, text)| text);
    let version = text.trim().rsplit("version: ").next().unwrap_or_default();
    match version.split('/').collect::<Vec<_>>().as_slice() {
        [commit, number, rest @ ..] => {
            let commit = commit.get(..12).unwrap_or(commit);
            format!("{number} ({}, {commit})", rest.join(", "))
        }
        _ => version.to_owned(),
    }
}

fn revision() -> String {
    let commit = first_line("git", &["rev-parse", "--short=12", "HEAD"]);
    let mut status = Command::new("git");
    status.args(["status", "--porcelain"]);
    let is_clean = output_within(status, PATIENCE).is_ok_and(|(ok, text)| ok && text.is_empty());
    if is_clean {
        commit
    } else {
        format!("{commit}, with changes that are not committed")
    }
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    match output_within(command, PATIENCE) {
        Ok((true, text)) => text.lines().next().unwrap_or_default().to_owned(),
        _ => "unknown".to_owned(),
    }
}
