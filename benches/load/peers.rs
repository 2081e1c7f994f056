//! Measures other gateways next to bare Envoy and llm-router: one for each folder in benches/peers.
//!
//! A folder contains `peer.json`; `install.sh`, which runs first and does nothing if everything is installed; and
//! `start.sh PORT UPSTREAM_URL`, which becomes the server.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::envoy::{Envoys, free_port};
use crate::process::{Pinning, Process, family, memory_kib};
use crate::record::{BARE, Cell, Peer, Purpose, ROUTER, Record, all, purpose};
use crate::rounds::{Backend, Gateway, Rounds};
use crate::{Outcome, RunArgs, client, plan, requests, run};

const FOLDERS: &str = "benches/peers";

/// The slowest gateway takes half a minute on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// The content of `peer.json`.
#[derive(Deserialize)]
struct PeerManifest {
    name: String,
    version: String,
    #[serde(default = "chat_completions")]
    path: String,
    /// Headers that are added to, or replace, those that all gateways get. `{upstream}` in them is the backend's URL.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The model that the peer is asked for.
    #[serde(default)]
    model: Option<String>,
    /// The path that answers 200 when the peer is ready.
    #[serde(default = "root")]
    ready_path: String,
}

fn chat_completions() -> String {
    requests::PATH.to_owned()
}

fn root() -> String {
    "/".to_owned()
}

pub(crate) fn run(args: &RunArgs, files: &Path) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(args.minutes.saturating_mul(60));
    let folder = all(&args.records()).pop().ok_or_else(|| {
        format!(
            "there is no record in {}: `make bench` makes one",
            args.records().display()
        )
    })?;
    let mut record = Record::read(&folder)?;
    record.peers.clear();
    record.cells.retain(|cell| !is_peers(&cell.id));
    record.runs.retain(|run| !is_peers(&run.cell));

    fs::create_dir_all(files)?;
    let files = &files.canonicalize()?;
    let folders = folders()?;
    for folder in &folders {
        println!("==> {}", folder.display());
        let status = Command::new(folder.join("install.sh")).status()?;
        if !status.success() {
            return Err(format!("{}/install.sh failed", folder.display()).into());
        }
    }
    let pinning = Pinning::begin();
    println!("{}", pinning.explanation);
    let backend = Backend::start(files)?;
    let envoys = Envoys::new(args, files, backend.port, &pinning)?;
    let mut gateways = HashMap::new();
    for variant in [BARE, ROUTER] {
        let envoy = envoys.start(variant)?;
        let gateway = Gateway::new(envoy.port, Some(envoy.process));
        gateways.insert(variant.to_owned(), gateway);
    }
    for folder in &folders {
        let (peer, gateway) = start(folder, files, backend.port, &pinning)?;
        println!("{} {} is ready", peer.name, peer.version);
        if let Some(gateway) = gateway {
            gateways.insert(peer.id.clone(), gateway);
        }
        record.peers.push(peer);
    }

    let running: Vec<String> = record
        .peers
        .iter()
        .filter(|peer| peer.failure.is_none())
        .map(|peer| peer.id.clone())
        .collect();
    let cells: Vec<Cell> = plan::peer_cells(&running)?;
    record.cells.extend(cells.iter().cloned());
    let rounds = Rounds {
        backend: &backend,
        gateways,
        files,
        rounds: args.rounds(),
        // Slow gateways answer few requests per second.
        seconds: args.seconds().saturating_mul(2),
        deadline,
    };
    rounds.go(&cells, &mut record)?;
    record.write(&folder)?;
    println!("\n{}", crate::record::tables::peers(&record));
    println!("The record is {}.", folder.join("README.md").display());
    run::failures(&record)
}

fn is_peers(cell: &str) -> bool {
    purpose(cell) == Purpose::Peers
}

fn folders() -> Outcome<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let entries =
        fs::read_dir(FOLDERS).map_err(|error| format!("cannot read {FOLDERS}: {error}"))?;
    for entry in entries {
        let folder = entry?.path();
        if folder.join("peer.json").is_file() {
            folders.push(folder.canonicalize()?);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Starts a gateway. If it does not start, the record says that it failed, and the others are still measured.
fn start(
    folder: &Path,
    files: &Path,
    backend: u16,
    pinning: &Pinning,
) -> Outcome<(Peer, Option<Gateway>)> {
    let about: PeerManifest = serde_json::from_str(&fs::read_to_string(folder.join("peer.json"))?)?;
    let id = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut peer = Peer {
        id,
        name: about.name,
        version: about.version,
        processes: None,
        idle_kib: None,
        failure: None,
    };
    let port = free_port()?;
    let upstream = format!("http://127.0.0.1:{backend}/v1");
    let mut command = pinning.gateway(&folder.join("start.sh"));
    command.arg(port.to_string()).arg(&upstream);
    let log = files.join(format!("{}.log", peer.id));
    let begun = Process::start(command, &log).and_then(|mut process| {
        process.wait_until("ready", START_TIMEOUT, |_| {
            client::exchange(port, "GET", &about.ready_path, &[], b"", LOOK_TIMEOUT)
                .is_ok_and(|reply| reply.status == 200)
        })?;
        Ok(process)
    });
    let process = match begun {
        Ok(process) => process,
        Err(error) => {
            eprintln!("!! {} FAILED: {error}", peer.name);
            // Without the error's text, which contains local paths.
            peer.failure = Some("it did not start".to_owned());
            return Ok((peer, None));
        }
    };
    let family = family(process.id());
    peer.processes = Some(family.len());
    peer.idle_kib = family
        .iter()
        .map(|pid| memory_kib(*pid, "VmRSS"))
        .sum::<Option<u64>>();
    let gateway = Gateway {
        path: about.path,
        headers: about
            .headers
            .into_iter()
            .map(|(name, value)| (name, value.replace("{upstream}", &upstream)))
            .collect(),
        model: about.model,
        ..Gateway::new(port, Some(process))
    };
    Ok((peer, Some(gateway)))
}
