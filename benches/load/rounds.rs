//! Runs the rounds: every variant in turn, in every cell, again and again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::process::{Process, cpu_us, family};
use crate::record::summary::{cpu_per_event, cpu_per_request, requests_per_second};
use crate::record::{Answer, Cell, Record, Run};
use crate::{Outcome, backend, client, load, plan, requests};

/// A load has settled when nothing has reached the backend for the first time span, at the latest after the second.
const SETTLED: Duration = Duration::from_millis(100);
const SETTLING: Duration = Duration::from_secs(5);

/// What starting the load generator and settling add to a run's time, in seconds.
const OVERHEAD: f64 = 0.4;

const PATIENCE: Duration = Duration::from_secs(10);

/// The mock backend, as a separate process.
pub(crate) struct Backend {
    pub(crate) port: u16,
    process: Process,
}

/// The backend's counts.
#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
struct Counts {
    requests: u64,
    events: u64,
}

impl Backend {
    pub(crate) fn start(files: &Path) -> Outcome<Backend> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("backend");
        let mut process = Process::start(command, &files.join("backend.log"))?;
        process.wait_until("ready", PATIENCE, |process| process.log().ends_with('\n'))?;
        let port = process.log().trim().parse()?;
        Ok(Backend { port, process })
    }

    /// Waits for what is still under way, so that a slow gateway's remaining requests count for its own run.
    fn settled(&self) -> Outcome<Counts> {
        let begun = Instant::now();
        let mut counts = self.counts()?;
        loop {
            sleep(SETTLED);
            let now = self.counts()?;
            if now == counts || begun.elapsed() > SETTLING {
                return Ok(now);
            }
            counts = now;
        }
    }

    fn counts(&self) -> Outcome<Counts> {
        let reply = client::exchange(self.port, "GET", backend::COUNTS, &[], b"", PATIENCE)?;
        Ok(serde_json::from_slice(&reply.body)?)
    }
}

/// A variant's port and process: where its requests go, and whose CPU they use.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The model to ask for, if it is not the usual one.
    pub(crate) model: Option<String>,
    pub(crate) process: Option<Process>,
}

impl Gateway {
    /// Creates a gateway that is called like a provider.
    pub(crate) fn new(port: u16, process: Option<Process>) -> Gateway {
        Gateway {
            port,
            path: requests::PATH.to_owned(),
            headers: Vec::new(),
            model: None,
            process,
        }
    }

    fn cpu_us(&self) -> Option<f64> {
        cpu_us(&family(self.process.as_ref()?.id()))
    }
}

/// The inputs of the rounds.
pub(crate) struct Rounds<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) gateways: HashMap<String, Gateway>,
    pub(crate) files: &'a Path,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    pub(crate) deadline: Instant,
}

impl Rounds<'_> {
    /// Runs all rounds, or as many cells as there is time for.
    pub(crate) fn go(&self, cells: &[Cell], record: &mut Record) -> Outcome<()> {
        self.warm_up(cells)?;
        let mut expected: f64 = cells.iter().map(|cell| self.expected(cell)).sum();
        expected *= f64::from(self.rounds);
        let begun = Instant::now();
        let mut done = 0.0;
        for round in 1..=self.rounds {
            for cell in cells {
                let now = Instant::now();
                if now + Duration::from_secs_f64(self.expected(cell)) > self.deadline {
                    let problem = format!(
                        "the time was up in round {round} of {}, before {}",
                        self.rounds, cell.id
                    );
                    eprintln!("!! {problem}");
                    record.problems.push(problem);
                    return Ok(());
                }
                let runs = self.cell(cell, round)?;
                done += self.expected(cell);
                let pace = begun.elapsed().as_secs_f64() / done;
                self.tell(cell, round, &runs, (expected - done) * pace);
                record.runs.extend(runs);
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
    fn expected(&self, cell: &Cell) -> f64 {
        let each = plan::seconds(cell, self.seconds) as f64 + OVERHEAD;
        cell.variants.len() as f64 * each
    }

    /// Warms up: V8 recompiles hot code with optimizations, and connection pools fill.
    fn warm_up(&self, cells: &[Cell]) -> Outcome<()> {
        let Some(cell) = cells.iter().find(|cell| cell.connections == 32) else {
            return Ok(());
        };
        let largest = cells.iter().max_by_key(|cell| cell.bytes).unwrap_or(cell);
        let streamed = cells.iter().find(|cell| cell.answer == Answer::Many);
        for (name, gateway) in &self.gateways {
            let streamed = streamed.filter(|cell| cell.variants.contains(name));
            for cell in [cell, largest].into_iter().chain(streamed) {
                let script = self.script(cell, name, gateway)?;
                load::run(&script, gateway.port, &gateway.path, 32, 1)?;
            }
        }
        Ok(())
    }

    fn script(&self, cell: &Cell, variant: &str, gateway: &Gateway) -> Outcome<PathBuf> {
        let mut headers = requests::headers(cell.answer);
        for (name, value) in &gateway.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        let body = match &gateway.model {
            Some(model) => requests::body_for(&cell.body, cell.answer, model)?,
            None => requests::body(&cell.body, cell.answer)?,
        };
        load::script(
            self.files,
            &format!("{}-{variant}", cell.id),
            &headers,
            &body,
        )
    }

    /// Measures a cell. Each round starts with another variant, so that none is always the first after a pause.
    fn cell(&self, cell: &Cell, round: u32) -> Outcome<Vec<Run>> {
        let mut variants: Vec<&String> = cell.variants.iter().collect();
        let many = variants.len().max(1);
        variants.rotate_left(usize::try_from(round)? % many);
        let here = format!("{}/", self.files.display());
        let mut runs = Vec::new();
        for variant in variants {
            let mut run = match self.run(cell, variant) {
                Ok(run) => run,
                Err(error) => Run {
                    // Without the local path.
                    failure: Some(error.to_string().replace(&here, "")),
                    ..Run::default()
                },
            };
            run.cell.clone_from(&cell.id);
            run.variant.clone_from(variant);
            run.round = round;
            if let Some(failure) = &run.failure {
                eprintln!("!! {}, {variant}, round {round} FAILED: {failure}", cell.id);
            }
            runs.push(run);
        }
        Ok(runs)
    }

    fn run(&self, cell: &Cell, variant: &str) -> Outcome<Run> {
        let gateway = self.gateways.get(variant).ok_or("it was not started")?;
        if gateway.process.as_ref().is_some_and(Process::has_ended) {
            return Err("its process has ended".into());
        }
        let seconds = plan::seconds(cell, self.seconds);
        let script = self.script(cell, variant, gateway)?;
        let backend = [self.backend.process.id()];

        let counts = self.backend.settled()?;
        let backend_cpu = cpu_us(&backend);
        let cpu = gateway.cpu_us();
        let found = load::run(
            &script,
            gateway.port,
            &gateway.path,
            cell.connections,
            seconds,
        )?;
        let after = self.backend.settled()?;
        let cpu = difference(cpu, gateway.cpu_us());
        let backend_cpu = difference(backend_cpu, cpu_us(&backend));

        let served = after.requests - counts.requests;
        Ok(Run {
            seconds: found.duration / 1e6,
            requests: found.requests,
            p50_us: found.p50,
            p90_us: found.p90,
            p99_us: found.p99,
            max_us: found.max,
            served,
            events: after.events - counts.events,
            cpu_us: cpu,
            backend_cpu_us: backend_cpu,
            failure: found
                .errors()
                .or_else(|| miscounted(cell, found.requests, served)),
            ..Run::default()
        })
    }

    fn tell(&self, cell: &Cell, round: u32, runs: &[Run], left: f64) {
        let values: Vec<String> = cell
            .variants
            .iter()
            .filter_map(|variant| runs.iter().find(|run| run.variant == *variant))
            .map(|run| {
                let cpu = match cell.answer {
                    Answer::Fast | Answer::Many | Answer::Paced => cpu_per_event(run),
                    _ => cpu_per_request(run),
                };
                match (&run.failure, cpu, requests_per_second(run)) {
                    (Some(_), ..) => format!("{} FAILED", run.variant),
                    (_, Some(cpu), _) => format!("{} {cpu:.1}", run.variant),
                    (_, _, Some(rate)) => format!("{} {rate:.0}/s", run.variant),
                    _ => run.variant.clone(),
                }
            })
            .collect();
        println!(
            "round {round}/{}, {} left  {:32} {}",
            self.rounds,
            clock(left),
            cell.id,
            values.join("  ")
        );
    }
}

/// Describes a difference between the requests answered and those that the backend counted. Only requests that were
/// cut off at the end may differ, because nothing is retried, lost or added on the way.
fn miscounted(cell: &Cell, answered: u64, served: u64) -> Option<String> {
    (answered.abs_diff(served) > u64::from(cell.connections))
        .then(|| format!("{answered} requests were answered, and the backend counted {served}"))
}

fn difference(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    let difference = after? - before?;
    Some((difference * 10.0).round() / 10.0)
}

/// Formats seconds as minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.max(0.0)).as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
