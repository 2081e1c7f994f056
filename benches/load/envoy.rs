//! Starts an Envoy for each variant.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::patch::{self, ConfigInputs};
use crate::process::{Pinning, Process};
use crate::{Outcome, RunArgs, client};

/// Compiling the module takes most of this time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// What all Envoys have in common.
pub(crate) struct Envoys {
    program: PathBuf,
    demo: Value,
    module: PathBuf,
    noop: PathBuf,
    files: PathBuf,
    backend: u16,
    pinning: Pinning,
}

/// An Envoy that is ready.
pub(crate) struct Envoy {
    pub(crate) port: u16,
    pub(crate) process: Process,
}

impl Envoys {
    pub(crate) fn new(
        args: &RunArgs,
        files: &Path,
        backend: u16,
        pinning: &Pinning,
    ) -> Outcome<Envoys> {
        let text = fs::read_to_string("envoy/demo.yaml")
            .map_err(|error| format!("cannot read envoy/demo.yaml: {error}"))?;
        let whole = |path: &Path| {
            path.canonicalize()
                .map_err(|error| format!("cannot find {}: {error}", path.display()))
        };
        Ok(Envoys {
            program: whole(&args.envoy)?,
            demo: serde_saphyr::from_str(&text)?,
            module: whole(&args.module)?,
            noop: whole(&args.noop)?,
            files: files.to_owned(),
            backend,
            pinning: pinning.clone(),
        })
    }

    /// Starts a variant, and waits until it is ready.
    pub(crate) fn start(&self, variant: &str) -> Outcome<Envoy> {
        let (admin, listener) = free_ports()?;
        let inputs = ConfigInputs {
            admin,
            listener,
            backend: self.backend,
            module: &self.module,
            noop: &self.noop,
        };
        let config = self.files.join(format!("{variant}.json"));
        let value = patch::variant(&self.demo, variant, &inputs)?;
        fs::write(&config, serde_json::to_vec_pretty(&value)?)?;
        let mut command = self.pinning.gateway(&self.program);
        command
            .arg("-c")
            .arg(&config)
            .args(["--concurrency", "1"])
            // With hot restart, Envoys that run side by side would fight over one socket.
            .arg("--disable-hot-restart")
            .args(["--log-level", "warning"]);
        let log = self.files.join(format!("{variant}.log"));
        let mut process = Process::start(command, &log)?;
        process.wait_until("ready", START_TIMEOUT, |_| {
            client::exchange(admin, "GET", "/ready", &[], b"", LOOK_TIMEOUT)
                .is_ok_and(|reply| reply.status == 200)
        })?;
        Ok(Envoy {
            port: listener,
            process,
        })
    }
}

/// Returns two ports that were free a moment ago.
fn free_ports() -> Outcome<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(free_ports()?.0)
}
