//! A running Envoy, which is stopped when it is dropped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::config::Config;

const START_LIMIT: Duration = Duration::from_secs(30);

/// The module's path in the examples, relative to where Envoy is started.
const MODULE: &str = "filename: llm_router.wasm";

/// The file of trusted CAs in the examples: Debian's path, which not every machine has.
const TRUSTED_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The two files that every test needs, from the environment.
#[derive(Clone)]
pub(crate) struct Programs {
    pub(crate) envoy: PathBuf,
    pub(crate) wasm: PathBuf,
    /// The folder for this run's configurations and logs.
    pub(crate) directory: PathBuf,
}

impl Programs {
    pub(crate) fn from_environment() -> Result<Self, String> {
        let file = |variable: &str, what: &str| {
            let value = std::env::var_os(variable).ok_or_else(|| {
                format!("{variable} is not set. It names {what}: `make test` sets it.")
            })?;
            let path = PathBuf::from(value);
            if path.is_absolute() && path.is_file() {
                Ok(path)
            } else {
                Err(format!(
                    "{variable} has to be the absolute path of {what}, and {} is not: use `make test`.",
                    path.display()
                ))
            }
        };
        let envoy = file("ENVOY", "the envoy program")?;
        let wasm = file("LLM_ROUTER_WASM", "the llm_router.wasm to test")?;
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{}", std::process::id()));
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Self {
            envoy,
            wasm,
            directory,
        })
    }

    /// Lets Envoy validate a configuration file, including the filter's `on_configure`. Returns whether it is accepted,
    /// and what Envoy printed.
    pub(crate) fn validate(&self, file: &Path, directory: &Path) -> (bool, String) {
        let output = Command::new(&self.envoy)
            .current_dir(directory)
            // The key that an example reads from the environment.
            .env("OPENAI_API_KEY", "not-a-key")
            .args(["--mode", "validate", "--disable-hot-restart", "-c"])
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .expect("envoy --mode validate starts");
        let printed = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&printed).into_owned(),
        )
    }

    /// Validates one of the files that users copy, with this module and these trusted CAs.
    pub(crate) fn validate_example(
        &self,
        name: &str,
        text: &str,
        trusted_ca: &Path,
        directory: &Path,
    ) -> (bool, String) {
        assert!(text.contains(MODULE), "{name} does not say `{MODULE}`");
        let built = format!("filename: {}", self.wasm.display());
        let text = text.replace(MODULE, &built);
        let text = text.replace(TRUSTED_CA, &trusted_ca.display().to_string());
        let copy = self.directory.join(name);
        std::fs::write(&copy, text).expect("a copy is written");
        self.validate(&copy, directory)
    }

    pub(crate) fn write(&self, name: &str, config: &Value) -> PathBuf {
        let file = self.directory.join(format!("{name}.json"));
        std::fs::write(&file, format!("{config:#}")).expect("a configuration is written");
        file
    }
}

/// A running Envoy.
pub(crate) struct Envoy {
    pub(crate) child: Child,
    pub(crate) name: String,
    pub(crate) workers: usize,
    /// The address for clients.
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) log: PathBuf,
}

impl Envoy {
    /// Starts Envoy and waits until it serves.
    pub(crate) async fn start(
        programs: &Programs,
        name: &str,
        workers: usize,
        config: &Config,
    ) -> Result<Self, String> {
        Self::start_with(programs, name, workers, &config.render(&programs.wasm)).await
    }

    /// Starts Envoy with a configuration as Envoy reads it, and waits until it serves.
    pub(crate) async fn start_with(
        programs: &Programs,
        name: &str,
        workers: usize,
        config: &Value,
    ) -> Result<Self, String> {
        Self::start_file(programs, name, workers, &programs.write(name, config)).await
    }

    /// Starts Envoy with a configuration file, and waits until it serves.
    pub(crate) async fn start_file(
        programs: &Programs,
        name: &str,
        workers: usize,
        file: &Path,
    ) -> Result<Self, String> {
        let log = programs.directory.join(format!("{name}.log"));
        let admin_file = programs.directory.join(format!("{name}.admin"));
        let stderr = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let child = Command::new(&programs.envoy)
            .arg("-c")
            .arg(file)
            .args([
                "--concurrency",
                &workers.to_string(),
                "--disable-hot-restart",
                // Log entries become readable soon.
                "--file-flush-interval-msec",
                "100",
                "--admin-address-path",
            ])
            .arg(&admin_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("{}: {error}", programs.envoy.display()))?;
        // The guard exists before the first wait, so a failing start stops the process too.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self {
            child,
            name: name.to_owned(),
            workers,
            address: nowhere,
            admin: nowhere,
            log,
        };
        let deadline = Instant::now() + START_LIMIT;
        while let Err(reason) = envoy.find_out_addresses(&admin_file).await {
            if let Ok(Some(status)) = envoy.child.try_wait() {
                return Err(format!(
                    "Envoy {name:?} ended with {status}\n{}",
                    envoy.log_tail()
                ));
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "Envoy {name:?} is not ready: {reason}\n{}",
                    envoy.log_tail()
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(envoy)
    }

    async fn find_out_addresses(&mut self, admin_file: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(admin_file).map_err(|error| error.to_string())?;
        self.admin = text
            .trim()
            .parse()
            .map_err(|_| format!("admin address {text:?}"))?;
        let ready = self.admin("/ready").await?;
        if ready.trim() != "LIVE" {
            return Err(ready);
        }
        let listeners: Value = serde_json::from_str(&self.admin("/listeners?format=json").await?)
            .map_err(|error| error.to_string())?;
        let port = listeners
            .pointer("/listener_statuses/0/local_address/socket_address/port_value")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| listeners.to_string())?;
        self.address.set_port(port);
        Ok(())
    }

    /// Returns the answer of the admin interface.
    pub(crate) async fn admin(&self, path: &str) -> Result<String, String> {
        let answer = reqwest::get(format!("http://{}{path}", self.admin))
            .await
            .map_err(|error| error.to_string())?;
        answer.text().await.map_err(|error| error.to_string())
    }

    /// Returns the value of a counter or gauge; `None` while it has none.
    pub(crate) async fn stat(&self, name: &str) -> Option<u64> {
        let stats = self
            .admin("/stats")
            .await
            .expect("the admin interface answers");
        stats
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    }

    /// Returns everything logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Returns the log's last lines and the path of the complete log.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default()
            .join("\n");
        format!("--- the end of {}\n{tail}", self.log.display())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Both fail only if the process is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
