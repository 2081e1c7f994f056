//! Trials of the output of `llm-router render envoy`: Envoy accepts it, and it routes.

mod documents;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::envoy::Envoy;
use crate::harness::world::World;
use crate::harness::{Call, Case, Protocol, Suite};
use documents::{Sample, samples};

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    for sample in samples() {
        let world = Arc::clone(world);
        let name = format!("rendered::loads [{}]", sample.name);
        suite.plain(&name, move || loads(&world, &sample));
    }
    for (name, scenario) in [
        (
            "rendered::falls_back_to_who_proves_its_name",
            falls_back as fn(&Arc<World>),
        ),
        ("rendered::a_new_key_is_used [renamed]", |world| {
            new_key(world, "renamed", Tool::put_key)
        }),
        ("rendered::a_new_key_is_used [mounted]", |world| {
            new_key(world, "mounted", Tool::mount_key)
        }),
        ("rendered::the_older_mode_falls_back", older),
    ] {
        let world = Arc::clone(world);
        suite.plain(name, move || scenario(&world));
    }
}

/// The tool, with a folder for one trial.
pub(crate) struct Tool {
    world: Arc<World>,
    name: String,
}

impl Tool {
    pub(crate) fn new(world: &Arc<World>, name: &str) -> Self {
        let name = name.replace([':', ' ', '[', ']'], "-");
        let tool = Self {
            world: Arc::clone(world),
            name,
        };
        std::fs::create_dir_all(tool.secrets()).expect("a folder");
        tool
    }

    /// Returns the folder with this trial's secrets.
    fn secrets(&self) -> PathBuf {
        self.world
            .programs
            .directory
            .join(format!("{}-secrets", self.name))
    }

    /// Replaces a key by renaming another file over it.
    pub(crate) fn put_key(&self, name: &str, value: &str) {
        let new = self.secrets().join("new");
        std::fs::write(&new, secret(name, value)).expect("a secret is written");
        std::fs::rename(new, self.key_file(name)).expect("a secret is renamed");
    }

    /// Replaces a key like Kubernetes does in a volume: the files are links through `..data`, a link to a folder that
    /// is replaced by a link to another one.
    fn mount_key(&self, name: &str, value: &str) {
        let versions = std::fs::read_dir(self.secrets()).expect("a folder").count();
        let folder = self.secrets().join(format!("..{versions}"));
        std::fs::create_dir(&folder).expect("a folder");
        let file = format!("{name}.yaml");
        std::fs::write(folder.join(&file), secret(name, value)).expect("a secret is written");
        let link = self.secrets().join("..data_tmp");
        symlink(&folder, &link).expect("a link");
        std::fs::rename(link, self.secrets().join("..data")).expect("a link is renamed");
        if !self.key_file(name).exists() {
            symlink(Path::new("..data").join(file), self.key_file(name)).expect("a link");
        }
    }

    fn key_file(&self, name: &str) -> PathBuf {
        self.secrets().join(format!("{name}.yaml"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llm-router"));
        command.args(arguments).output().expect("the tool runs")
    }

    /// Renders a document to a file.
    fn render(&self, document: &Value, options: &[String]) -> PathBuf {
        let file = self
            .world
            .programs
            .write(&format!("{}-document", self.name), document);
        let (file, secrets) = (
            file.display().to_string(),
            self.secrets().display().to_string(),
        );
        let wasm = self.world.programs.wasm.display().to_string();
        let ca = self.world.backends.trusted_ca.display().to_string();
        let mut arguments = vec!["render", "envoy", &file, "--wasm", &wasm, "--ca", &ca];
        arguments.extend(["--secrets", &secrets]);
        arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        arguments.extend(options.iter().map(String::as_str));
        let (first, again) = (self.run(&arguments), self.run(&arguments));
        let said = String::from_utf8_lossy(&first.stderr);
        assert!(first.status.success(), "{}: {said}", self.name);
        assert_eq!(first.stdout, again.stdout, "{} twice", self.name);
        let rendered = self
            .world
            .programs
            .directory
            .join(format!("{}.yaml", self.name));
        std::fs::write(&rendered, &first.stdout).expect("a configuration is written");
        rendered
    }
}

/// Returns a key as secret discovery reads it.
fn secret(name: &str, value: &str) -> String {
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": value}},
    });
    json!({"resources": [secret]}).to_string()
}

/// Both the tool's own check and Envoy accept the output.
fn loads(world: &Arc<World>, sample: &Sample) {
    let tool = Tool::new(world, &format!("rendered-{}", sample.name));
    for key in &sample.keys {
        tool.put_key(key, "a-key");
    }
    let file = tool.render(&sample.document, &sample.options);
    let checked = tool.run(&["check", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}");
    let (accepted, printed) = world.programs.validate(&file, &world.programs.directory);
    assert!(accepted, "{}\n{printed}", sample.name);
}

/// Starts an Envoy with the output and this number of workers.
pub(crate) fn start(
    world: &Arc<World>,
    tool: &Tool,
    document: &Value,
    options: &[String],
    workers: usize,
) -> Case {
    let file = tool.render(document, options);
    let envoy = Envoy::start_file(&world.programs, &tool.name, workers, &file);
    let envoy = world.runtime.block_on(envoy);
    Case {
        world: Arc::clone(world),
        envoy: Arc::new(envoy.unwrap_or_else(|reason| panic!("{reason}"))),
        protocol: Protocol::Http1,
    }
}

pub(crate) fn endpoint(world: &World, backend: &str, scheme: &str, at: &str) -> String {
    format!(
        "--endpoint={backend}={scheme}://{}",
        world.backends.address(at)
    )
}

/// Over TLS, the first backend whose certificate matches its host answers.
fn falls_back(world: &Arc<World>) {
    let tool = Tool::new(world, "rendered-fallback");
    tool.put_key("liar-key", "key-of-liar");
    tool.put_key("honest-key", "key-of-honest");
    let models = json!([{"name": "gpt-4o"}]);
    let document = json!({
        "backends": [
            {"name": "dead", "schema": "openai", "models": models},
            {"name": "liar", "schema": "openai", "host": "backend.test", "models": models},
            {"name": "honest", "schema": "openai", "host": "some.backend.test", "models": models},
        ],
        "routes": [{"name": "smart", "match": {"model": "smart"}, "targets": [
            {"backend": "dead", "model": "gpt-4o"},
            {"backend": "liar", "model": "gpt-4o"},
            {"backend": "honest", "model": "gpt-4o"},
        ]}],
        "defaults": {"cooldown": {"enabled": false}},
    });
    let options = [
        endpoint(world, "dead", "http", "dead"),
        endpoint(world, "liar", "https", "tls-other-name"),
        // Its certificate is for all names below backend.test.
        endpoint(world, "honest", "https", "tls-wildcard"),
    ];
    let case = start(world, &tool, &document, &options, 1);
    let answer = world.runtime.block_on(case.chat("smart").send());
    let seen = answer.only_at("tls-wildcard");
    assert_eq!(seen.model(), "gpt-4o");
    assert_eq!(seen.header("host").as_deref(), Some("some.backend.test"));
    assert_eq!(
        seen.header("authorization").as_deref(),
        Some("Bearer key-of-honest")
    );
    assert!(
        world.backends.tls_connections("tls-other-name") > 0,
        "the first with TLS was not tried"
    );
}

/// A backend gets its key, and a new key as soon as it exists.
fn new_key(world: &Arc<World>, way: &str, put: fn(&Tool, &str, &str)) {
    let tool = Tool::new(world, &format!("rendered-key-{way}"));
    put(&tool, "shared", "old");
    let document = json!({
        "backends": [
            {"name": "anthropic", "schema": "anthropic", "models": [{"name": "*"}]},
            {"name": "bare", "schema": "openai", "models": [{"name": "*"}]},
        ],
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": [
            {"backend": "anthropic"}, {"backend": "bare"},
        ]}],
    });
    let options = [
        endpoint(world, "anthropic", "http", "anthropic"),
        endpoint(world, "bare", "http", "bare"),
        "--key=anthropic=shared".to_owned(),
    ];
    let case = start(world, &tool, &document, &options, 1);
    let key = |call: Call, backend: &str, header: &str| {
        let call = call
            .header("authorization", "Bearer client")
            .header("x-api-key", "client");
        let answer = world.runtime.block_on(call.send());
        answer.only_at(backend).header(header)
    };
    let bare = key(case.chat("gpt-4o"), "bare", "authorization");
    assert_eq!(bare, None, "in plaintext no key is sent unasked");
    let messages = || key(case.messages("claude-sonnet-4-5"), "anthropic", "x-api-key");
    assert_eq!(messages().as_deref(), Some("old"));
    put(&tool, "shared", "new");
    let deadline = Instant::now() + Duration::from_secs(10);
    while messages().as_deref() != Some("new") {
        assert!(Instant::now() < deadline, "the new key is not used");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Behind an aggregate cluster, each host gets its own name.
fn older(world: &Arc<World>) {
    let tool = Tool::new(world, "rendered-older");
    tool.put_key("both", "key-of-both");
    let document = documents::older();
    let options = [
        endpoint(world, "east", "http", "dead"),
        endpoint(world, "west", "http", "second"),
        "--key=llama=both".to_owned(),
    ];
    let case = start(world, &tool, &document, &options, 1);
    let answer = world
        .runtime
        .block_on(case.chat("llama").header("x-llm-cluster", "east").send());
    let seen = answer.only_at("second");
    assert_eq!(seen.model(), "gpt-4o");
    assert_eq!(seen.header("x-llm-cluster"), None);
    let host = world.backends.address("second").to_string();
    assert_eq!(seen.header("host"), Some(host));
    assert_eq!(
        seen.header("authorization").as_deref(),
        Some("Bearer key-of-both")
    );
}
