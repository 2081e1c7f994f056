//! Child processes: pinned to a CPU, monitored, and ended however this program ends.
//!
//! Each child has its own process group, and a shell next to it that reads from a pipe of this program. When this end
//! of the pipe closes, on purpose or because this program was killed, the shell ends the group.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use crate::Outcome;

/// The shell's script: waits for the end of its input, then ends the process group that is its argument, after three
/// seconds by force.
const LEASH: &str = r#"read -r _
kill -s TERM -- "-$0"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do kill -s 0 -- "-$0" || exit; sleep 0.2; done
kill -s KILL -- "-$0""#;

/// How long a child may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The CPU of the gateways.
const GATEWAYS: &str = "0";
/// The CPU of the load generator, the backend, and this program.
const REST: &str = "1";

/// Whether the compared gateways have a CPU to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Pinning {
    pub(crate) is_on: bool,
    pub(crate) explanation: String,
}

impl Pinning {
    /// Pins this process, and with it everything that it starts from now on.
    pub(crate) fn begin() -> Pinning {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let why_not = if !cfg!(target_os = "linux") {
            Some("this system has no way to pin a process".to_owned())
        } else if cpus < 2 {
            Some("there is only one CPU".to_owned())
        } else {
            let pid = std::process::id().to_string();
            match Command::new("taskset")
                .args(["-a", "-c", "-p", REST, &pid])
                .output()
            {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(format!(
                    "taskset failed: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                )),
                Err(error) => Some(format!("taskset (util-linux) did not run: {error}")),
            }
        };
        match why_not {
            Some(why) => Pinning {
                is_on: false,
                explanation: format!("**Nothing was pinned to a CPU:** {why}."),
            },
            None => Pinning {
                is_on: true,
                explanation: format!(
                    "Every gateway is pinned to CPU {GATEWAYS}; the load generator and the mock backend to CPU {REST}."
                ),
            },
        }
    }

    /// Returns a command that runs the program on the gateways' CPU.
    pub(crate) fn gateway(&self, program: &Path) -> Command {
        if !self.is_on {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", GATEWAYS]).arg(program);
        command
    }
}

/// A running child. It is ended when this value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    leash: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a child whose output goes to this file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Outcome<Process> {
        let file = File::create(log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0);
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let leash = Command::new("sh")
            .args(["-c", LEASH, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match leash {
            Ok(leash) => Ok(Process {
                child,
                leash,
                log: log.to_owned(),
            }),
            Err(error) => {
                child.kill()?;
                Err(error.into())
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `is_so` returns true. An error reports that the child has ended or that the time is up, with its
    /// last lines of output.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        patience: Duration,
        mut is_so: impl FnMut(&Process) -> bool,
    ) -> Outcome<()> {
        let begun = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > patience {
                let why = ended.map_or_else(
                    || format!("was not {what} after {} s", patience.as_secs()),
                    |status| format!("ended ({status})"),
                );
                return Err(format!("{} {why}: {}", self.log.display(), self.log_tail()).into());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Whether the child is a zombie. Returns false without /proc.
    pub(crate) fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()));
        stat.is_ok_and(|stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z'))
        })
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let mut lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.reverse();
        lines.join("\n  ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20));
        }
        // A child that is already gone cannot be killed, and neither error can be acted upon.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The shell waits a while for the rest of the group, which may be slower than its leader.
        let _ = self.leash.wait();
    }
}

/// Returns the CPU time of these processes in microseconds; `None` if the system does not report it.
pub(crate) fn cpu_us(pids: &[u32]) -> Option<f64> {
    let mut nanoseconds: u64 = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            let schedstat = task.ok()?.path().join("schedstat");
            // A thread may have ended in the meantime.
            let Ok(text) = fs::read_to_string(schedstat) else {
                continue;
            };
            let time: u64 = text.split_whitespace().next()?.parse().ok()?;
            nanoseconds = nanoseconds.saturating_add(time);
        }
    }
    Some(Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6)
}

/// Returns a process and all its descendants.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut parents = Vec::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return family;
    };
    for entry in entries.filter_map(Result::ok) {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may contain anything.
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if let Some(parent) = parent {
            parents.push((id, parent));
        }
    }
    let mut next = 0;
    while let Some(known) = family.get(next).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == known)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    family
}

/// Returns one line of a process's memory, such as `VmRSS` or `VmHWM`, in KiB.
pub(crate) fn memory_kib(pid: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|text| {
        text.strip_prefix(line)
            .and_then(|rest| rest.strip_prefix(':'))
    })?;
    value.split_whitespace().next()?.parse().ok()
}

/// Runs a program, and kills it if it takes longer than `patience`.
pub(crate) fn output_within(
    mut command: Command,
    patience: Duration,
) -> io::Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > patience {
            child.kill()?;
        }
        sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}
