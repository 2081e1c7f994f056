//! Runs the demo: starts the backends and Envoy, and stops them again.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::backend::Backend;
use super::cli::RunArgs;
use super::envoy::{self, Envoy};
use super::ports::{self, Ports};
use super::screen;

/// The demo backends: their names, and the ports on which `envoy/demo.yaml` expects them.
const BACKENDS: [(&str, u16); 6] = [
    ("openai", 9101),
    ("anthropic", 9102),
    ("local", 9103),
    ("gemini", 9104),
    ("bedrock", 9105),
    ("azure", 9106),
];

/// The module's path in Envoy's file, relative to where Envoy is started.
const MODULE: &str = "llm_router.wasm";

/// The folder for logs and moved configurations, relative to the current folder.
const FILES: &str = "target/demo";

/// How long Envoy may take to get ready; most of it is compiling the module.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How many lines of Envoy's log are shown when it fails.
const LINES_SHOWN: usize = 12;

/// Why a run ended, other than by the user's choice. Its message says what to do about it.
#[derive(Debug)]
pub(crate) enum RunError {
    PortTaken(u16),
    PortTooHigh(u16),
    Bind(u16, io::Error),
    Read(PathBuf, io::Error),
    Write(PathBuf, io::Error),
    NoAdmin(PathBuf),
    NoModule,
    Start(PathBuf, io::Error),
    Exited(Result<ExitStatus, io::Error>, LogTail),
    NotReady(LogTail),
    Stop(io::Error),
    Signals(io::Error),
    BackendFailed,
}

/// The end of Envoy's log.
#[derive(Debug)]
pub(crate) struct LogTail {
    log: PathBuf,
    lines: Vec<String>,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::PortTaken(port) => write!(
                f,
                "port {port} is taken by another program. Stop that one (`lsof -i :{port}` names it), or move \
                 all ports: `make run PORT_OFFSET=1000`."
            ),
            RunError::PortTooHigh(offset) => write!(
                f,
                "--port-offset {offset} moves a port above 65535. Choose a smaller one."
            ),
            RunError::Bind(port, error) => write!(f, "cannot listen on port {port}: {error}"),
            RunError::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            RunError::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
            RunError::NoAdmin(path) => write!(
                f,
                "{} has no `admin` with a port, which is how this program learns that Envoy is ready.",
                path.display()
            ),
            RunError::NoModule => write!(
                f,
                "{MODULE} is not in this folder. Run `make build`, and start this at the top of the project."
            ),
            RunError::Start(path, error) => write!(
                f,
                "cannot start Envoy, {}: {error}. `make tools` installs it.",
                path.display()
            ),
            RunError::Exited(Ok(status), log_tail) => {
                write!(f, "Envoy ended unasked ({status}). {log_tail}")
            }
            RunError::Exited(Err(error), log_tail) => {
                write!(f, "Envoy was lost: {error}. {log_tail}")
            }
            RunError::NotReady(log_tail) => write!(
                f,
                "Envoy was not ready after {} seconds. {log_tail}",
                START_TIMEOUT.as_secs()
            ),
            RunError::Stop(error) => write!(f, "cannot stop Envoy: {error}"),
            RunError::Signals(error) => write!(f, "cannot listen for Ctrl-C: {error}"),
            RunError::BackendFailed => write!(f, "a demo backend failed"),
        }
    }
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Its log is {}", self.log.display())?;
        if !self.lines.is_empty() {
            write!(f, " and ends:")?;
        }
        for line in &self.lines {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl LogTail {
    fn of(envoy: &Envoy, log: &Path) -> LogTail {
        LogTail {
            log: log.to_owned(),
            lines: envoy.last_lines(LINES_SHOWN),
        }
    }
}

/// Runs the backends and Envoy until the user stops them.
pub(crate) async fn run(args: &RunArgs) -> Result<(), RunError> {
    // First of all, so that Ctrl-C works at any time.
    let mut stop = StopSignals::listen().map_err(RunError::Signals)?;

    let (config, ports) = configuration(args)?;
    let Some(admin) = ports.admin else {
        return Err(RunError::NoAdmin(args.config.clone()));
    };
    for port in ports.listeners.iter().copied().chain([admin]) {
        check_free(port).await?;
    }
    let mut backends = start_backends(args.port_offset).await?;

    let log = Path::new(FILES).join(format!("envoy-{}.log", args.port_offset));
    let mut envoy = Envoy::start(&args.envoy, &config, args.concurrency, &log)
        .map_err(|error| RunError::Start(args.envoy.clone(), error))?;

    tokio::select! {
        () = stop.received() => return envoy.stop().await.map_err(RunError::Stop),
        status = envoy.exited() => return Err(RunError::Exited(status, LogTail::of(&envoy, &log))),
        ready = timeout(START_TIMEOUT, envoy::ready(admin)) => if ready.is_err() {
            let log_tail = LogTail::of(&envoy, &log);
            envoy.stop().await.map_err(RunError::Stop)?;
            return Err(RunError::NotReady(log_tail));
        },
    }
    if let Some(port) = ports.listeners.first() {
        print!("{}", screen::ready(*port, admin, &log));
    }
    tokio::select! {
        () = stop.received() => {}
        status = envoy.exited() => return Err(RunError::Exited(status, LogTail::of(&envoy, &log))),
        _ = backends.join_next() => {
            envoy.stop().await.map_err(RunError::Stop)?;
            return Err(RunError::BackendFailed);
        }
    }
    println!("\nStopping.");
    envoy.stop().await.map_err(RunError::Stop)
}

/// Runs only the backends.
pub(crate) async fn backends(port_offset: u16) -> Result<(), RunError> {
    let mut stop = StopSignals::listen().map_err(RunError::Signals)?;
    let mut backends = start_backends(port_offset).await?;
    for (name, port) in BACKENDS {
        println!(
            "{name}: http://127.0.0.1:{}",
            port.saturating_add(port_offset)
        );
    }
    println!("Ctrl-C stops them.");
    tokio::select! {
        () = stop.received() => Ok(()),
        _ = backends.join_next() => Err(RunError::BackendFailed),
    }
}

/// Returns the file to start Envoy with, and its ports: the user's own, or a copy with moved ports.
fn configuration(args: &RunArgs) -> Result<(PathBuf, Ports), RunError> {
    let text = std::fs::read_to_string(&args.config)
        .map_err(|error| RunError::Read(args.config.clone(), error))?;
    // Envoy would report this too, but not what to do about it.
    if text.contains(MODULE) && !Path::new(MODULE).exists() {
        return Err(RunError::NoModule);
    }
    let files = Path::new(FILES);
    std::fs::create_dir_all(files).map_err(|error| RunError::Write(files.to_owned(), error))?;
    if args.port_offset == 0 {
        return Ok((args.config.clone(), Ports::of(&text)));
    }
    let moved =
        ports::moved(&text, args.port_offset).ok_or(RunError::PortTooHigh(args.port_offset))?;
    let path = files.join(format!("envoy-{}.yaml", args.port_offset));
    std::fs::write(&path, &moved).map_err(|error| RunError::Write(path.clone(), error))?;
    Ok((path, Ports::of(&moved)))
}

/// Checks that a port is free. Envoy listens with `SO_REUSEPORT`: started on the ports of a running Envoy, it would
/// silently take half of that one's connections.
async fn check_free(port: u16) -> Result<(), RunError> {
    bind(port).await.map(drop)
}

async fn bind(port: u16) -> Result<TcpListener, RunError> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => RunError::PortTaken(port),
            _ => RunError::Bind(port, error),
        })
}

/// Starts all backends. They end when the set is dropped.
async fn start_backends(port_offset: u16) -> Result<JoinSet<io::Result<()>>, RunError> {
    let mut backends = JoinSet::new();
    for (name, port) in BACKENDS {
        let port = port
            .checked_add(port_offset)
            .ok_or(RunError::PortTooHigh(port_offset))?;
        let listener = bind(port).await?;
        backends.spawn(Backend::new(name).serve(listener));
    }
    Ok(backends)
}

/// Ctrl-C, and the signals with which a terminal or a parent process ends a program.
struct StopSignals([Signal; 3]);

impl StopSignals {
    fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn received(&mut self) {
        let StopSignals([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_file_has_the_backends_ports() {
        let file = include_str!("../../envoy/demo.yaml");
        let expected = Ports {
            admin: Some(9901),
            listeners: vec![10000],
        };
        assert_eq!(Ports::of(file), expected);
        for (name, port) in BACKENDS {
            let endpoint = format!("port_value: {port}}}");
            assert_eq!(file.matches(&endpoint).count(), 1, "{name}");
        }
    }
}
