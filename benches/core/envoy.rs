//! Runs the scan in Envoy's own VM: `envoy --mode validate` configures the plugin, which measures itself and logs the
//! results.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The results of one body, in nanoseconds per call.
pub(crate) struct Measured {
    pub(crate) body: String,
    pub(crate) bytes: f64,
    pub(crate) scan: f64,
    pub(crate) value: f64,
}

pub(crate) fn program() -> PathBuf {
    from_environment("ENVOY")
}

pub(crate) fn measure() -> Vec<Measured> {
    let wasm = from_environment("LLM_BENCH_WASM");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-core.json");
    std::fs::write(&file, config(&wasm)).unwrap();
    let output = Command::new(program())
        .args(["--mode", "validate", "--disable-hot-restart", "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .expect("envoy --mode validate starts");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let measured: Vec<Measured> = printed.lines().filter_map(read).collect();
    let bodies = crate::bodies::all("").len();
    assert!(
        output.status.success() && measured.len() >= bodies,
        "Envoy did not measure:\n{printed}"
    );
    // Envoy configures a plugin in one VM to validate it, and then again in one for the thread. By then, V8 has
    // optimized the code.
    let first = measured.len() - bodies;
    measured.into_iter().skip(first).collect()
}

fn from_environment(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable);
    value.map_or_else(
        || panic!("{variable} is not set: use `make bench-core`."),
        PathBuf::from,
    )
}

/// Parses `… llm-bench: <body> <n> bytes scan <n> ns value <n> ns`.
fn read(line: &str) -> Option<Measured> {
    let (_, rest) = line.split_once("llm-bench: ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    Some(Measured {
        body: words.first()?.to_string(),
        bytes: words.get(1)?.parse().ok()?,
        scan: words.get(4)?.parse().ok()?,
        value: words.get(7)?.parse().ok()?,
    })
}

fn config(wasm: &Path) -> String {
    let plugin = serde_json::json!({
        "name": "llm_bench",
        "root_id": "llm_bench",
        "vm_config": {
            "vm_id": "llm_bench",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": wasm}},
        },
    });
    let manager = serde_json::json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {},
        "http_filters": [
            {
                "name": "llm_bench",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": plugin,
                },
            },
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            },
        ],
    });
    let config = serde_json::json!({"static_resources": {"listeners": [{
        "name": "bench",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    }]}});
    format!("{config:#}")
}
