//! Runs the whole benchmark, from nothing to a record.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::envoy::Envoys;
use crate::process::Pinning;
use crate::record::{
    BARE, BUFFER, DIRECT, Memory, NO_WASM, NOOP_1, NOOP_2, OBSERVED, ROUTER, ROUTER_100, Record,
    UNOBSERVED,
};
use crate::rounds::{Backend, Gateway, Rounds, clock};
use crate::{Outcome, RunArgs, first_event, machine, memory, plan};

pub(crate) const ENVOYS: [&str; 8] = [
    BARE, NO_WASM, NOOP_1, NOOP_2, UNOBSERVED, OBSERVED, ROUTER, ROUTER_100,
];

/// The variants whose memory is measured.
const MEMORY: [&str; 4] = [BARE, BUFFER, NOOP_2, ROUTER];

pub(crate) fn run(args: &RunArgs, files: &Path) -> Outcome<()> {
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(args.minutes.saturating_mul(60));
    fs::create_dir_all(files)?;
    let files = &files.canonicalize()?;
    let mut record = Record {
        date: machine::date()?,
        quick: args.quick,
        rounds: args.rounds(),
        seconds: args.seconds(),
        facts: machine::facts(&args.envoy)?,
        commands: commands(args),
        cells: plan::cells(args.quick)?,
        ..Record::default()
    };
    if let Some(disturbance) = machine::disturbance() {
        eprintln!("!! {disturbance}");
        record.problems.push(disturbance);
    }
    let pinning = Pinning::begin();
    println!("{}", pinning.explanation);
    record.pinning.clone_from(&pinning.explanation);

    let backend = Backend::start(files)?;
    let envoys = Envoys::new(args, files, backend.port, &pinning)?;
    if cfg!(target_os = "linux") {
        let (bodies, after) = if args.quick { (100, 2) } else { (1000, 10) };
        for variant in MEMORY {
            let memory = memory::measure(&envoys, variant, bodies, Duration::from_secs(after))?;
            tell(&memory);
            record.memory.push(memory);
        }
    } else {
        let problem = "no CPU time and no memory: only Linux tells them";
        record.problems.push(problem.to_owned());
    }

    let mut gateways = HashMap::new();
    gateways.insert(DIRECT.to_owned(), Gateway::new(backend.port, None));
    for variant in ENVOYS {
        let envoy = envoys.start(variant)?;
        let gateway = Gateway::new(envoy.port, Some(envoy.process));
        gateways.insert(variant.to_owned(), gateway);
    }
    first_events(&gateways, args.quick, &mut record);
    let cells = record.cells.clone();
    let rounds = Rounds {
        backend: &backend,
        gateways,
        files,
        rounds: args.rounds(),
        seconds: args.seconds(),
        deadline,
    };
    rounds.go(&cells, &mut record)?;

    let folder = args.records().join(&record.date);
    record.write(&folder)?;
    println!("\n{}", crate::record::goals::table(&record));
    println!(
        "The record is {}, after {} minutes.",
        folder.join("README.md").display(),
        clock(begun.elapsed().as_secs_f64())
    );
    failures(&record)
}

fn first_events(gateways: &HashMap<String, Gateway>, quick: bool, record: &mut Record) {
    let pairs = if quick { 200 } else { 2000 };
    let (Some(bare), Some(router)) = (gateways.get(BARE), gateways.get(ROUTER)) else {
        return;
    };
    match first_event::measure(bare.port, router.port, pairs) {
        Ok(first) => {
            println!(
                "first event: bare {:.0} µs, llm-router {:.0} µs, added {:.1} µs (p50)",
                first.bare_p50_us, first.router_p50_us, first.added_p50_us
            );
            record.first_event = Some(first);
        }
        Err(error) => {
            eprintln!("!! time to first event FAILED: {error}");
            record
                .problems
                .push(format!("time to first event: {error}"));
        }
    }
    match first_event::measure_held(router.port, pairs) {
        Ok(held) => {
            println!(
                "first token: unheld {:.0} µs, held {:.0} µs, added {:.1} µs (p50)",
                held.unheld_p50_us, held.held_p50_us, held.added_p50_us
            );
            record.held_token = Some(held);
        }
        Err(error) => {
            eprintln!("!! time to first token FAILED: {error}");
            record
                .problems
                .push(format!("time to first token: {error}"));
        }
    }
}

fn tell(memory: &Memory) {
    let mib = |kib: Option<u64>| kib.map_or(0, |kib| kib >> 10);
    println!(
        "memory, {}: idle {} MiB, {} bodies held {}, peak {}, after {}",
        memory.variant,
        mib(memory.idle_kib),
        memory.bodies,
        mib(memory.held_kib),
        mib(memory.peak_kib),
        mib(memory.after_kib)
    );
    if let Some(failure) = &memory.failure {
        eprintln!("!! memory, {} FAILED: {failure}", memory.variant);
    }
}

/// Returns the commands that were run, as a person would type them.
pub(crate) fn commands(args: &RunArgs) -> Vec<String> {
    let quick = if args.quick { " QUICK=1" } else { "" };
    vec![
        format!("make bench{quick}"),
        format!(
            "# which runs, for each variant (all at once) and then for each of its runs with C connections and S = {} seconds:",
            args.seconds()
        ),
        "taskset -c 0 envoy -c VARIANT.json --concurrency 1 --disable-hot-restart --log-level warning".to_owned(),
        "taskset -c 1 wrk --threads 1 --timeout 15s --connections C --duration Ss --script CELL.lua http://127.0.0.1:PORT/v1/chat/completions"
            .to_owned(),
    ]
}

/// Returns an error if the record, which is written anyway, contains failures.
pub(crate) fn failures(record: &Record) -> Outcome<()> {
    let runs = record.runs.iter().filter(|run| run.failure.is_some());
    let memory = record
        .memory
        .iter()
        .filter(|memory| memory.failure.is_some());
    let peers = record.peers.iter().filter(|peer| peer.failure.is_some());
    match runs.count() + memory.count() + peers.count() {
        0 => Ok(()),
        many => Err(format!("{many} measurements failed: the record names them").into()),
    }
}
