//! Runs Envoy as a child process: starts it, waits for it, and stops it.
//!
//! Envoy must not outlive this program, however it ends. Sending Envoy a signal would take unsafe code or another
//! dependency, and a program that is killed with SIGKILL cannot send any. So a shell runs next to Envoy, the leash,
//! which reads from a pipe whose other end this program holds. When that end closes, on purpose or because the program
//! is gone, the shell sends Envoy a SIGTERM.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long Envoy may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two checks of Envoy's readiness.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// The timeout of one check of Envoy's readiness.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// How many bytes at the end of the log are searched for its last lines.
const LOG_TAIL_BYTES: u64 = 16 * 1024;

/// The leash: waits for the end of its input, then stops the process whose ID is its argument.
const LEASH: &str = "read -r _; kill -TERM \"$0\"";

/// A running Envoy. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Envoy {
    child: Child,
    leash: Child,
    log: PathBuf,
}

impl Envoy {
    /// Starts Envoy with this configuration. Its log goes to the file `log`; an access log on standard output stays
    /// there.
    ///
    /// Envoy gets a process group of its own: Ctrl-C in a terminal goes to the whole foreground group, but Envoy must
    /// be stopped by this program, in order, not on its own at the same time.
    pub(crate) fn start(
        program: &Path,
        config: &Path,
        concurrency: u16,
        log: &Path,
    ) -> io::Result<Envoy> {
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(config)
            .args(["--concurrency", &concurrency.to_string()])
            // With hot restart, Envoys that run side by side would compete for one socket.
            .arg("--disable-hot-restart")
            // The default is ten seconds, too long for somebody who watches the access log.
            .args(["--file-flush-interval-msec", "100"])
            .args(["--log-level", "warning"])
            .stdin(Stdio::null())
            .stderr(File::create(log)?)
            .kill_on_drop(true);
        command.process_group(0);
        let child = command.spawn()?;
        // A child that has not been waited for has an ID, and keeps it.
        let pid = child.id().unwrap_or_default().to_string();
        let leash = Command::new("sh")
            .args(["-c", LEASH, &pid])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()?;
        Ok(Envoy {
            child,
            leash,
            log: log.to_owned(),
        })
    }

    /// Waits until Envoy exits on its own.
    pub(crate) async fn exited(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Stops Envoy gracefully, or kills it if that takes too long.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        drop(self.leash.stdin.take());
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(exited) => exited.map(drop),
            Err(_) => self.child.kill().await,
        }
    }

    /// Returns the last lines of Envoy's log.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        last_lines(&self.log, count).unwrap_or_default()
    }
}

/// Waits until the admin port reports that Envoy is ready.
pub(crate) async fn ready(admin: u16) {
    while !matches!(timeout(READY_TIMEOUT, is_ready(admin)).await, Ok(Ok(true))) {
        sleep(READY_INTERVAL).await;
    }
}

async fn is_ready(admin: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin)).await?;
    stream
        .write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

fn last_lines(path: &Path, count: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let mut lines: Vec<String> = tail.lines().rev().take(count).map(str::to_owned).collect();
    lines.reverse();
    Ok(lines)
}
