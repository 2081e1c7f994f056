//! The Envoys that the trials share.
//!
//! There are few, because each takes a second to start and memory for V8. Each is started when the first trial needs
//! it.

pub(crate) mod apis;
pub(crate) mod callers;
pub(crate) mod decisions;
pub(crate) mod document;
pub(crate) mod outcomes;
pub(crate) mod page;
pub(crate) mod policy;
pub(crate) mod policy_streams;
pub(crate) mod sizes;

use std::fmt;

use serde_json::{Value, json};

use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH, Wrapping};
use crate::harness::{files, tls};

/// The `request_body_buffer_limit` of the main Envoy, and of the one with the complete policy.
pub(crate) const BUFFER_LIMIT: usize = 2 * 1024 * 1024;

/// `missing_flag_timeout_ms` of all documents: with the flag set, even a short one must make no difference.
pub(crate) const MISSING_FLAG_TIMEOUT_MS: u64 = 500;

/// The keys that Envoy's credential injector adds, by cluster: header and value.
pub(crate) const INJECTED: [(&str, &str, &str); 3] = [
    ("keyed", "authorization", "Bearer key-of-keyed"),
    ("keyed-other", "x-api-key", "key-of-keyed-other"),
    // A header name that nobody takes for a credential.
    ("keyed-oddly", "x-odd", "key-of-keyed-oddly"),
];

/// One of the shared Envoys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SharedEnvoy {
    /// A complete setup.
    Main { workers: usize },
    /// The complete fallback policy, including cooldowns.
    Policy { workers: usize },
    /// Backends of each schema, and routes for requests that are not model calls.
    Apis { workers: usize },
    /// Verifies tokens, and accepts clients over TLS with a certificate.
    Callers,
    /// Every condition, strategy and check of the routing language.
    Decisions { workers: usize },
    /// Logs every outcome.
    Outcomes { workers: usize },
    /// Serves a status page. `counts`: for the single trial that compares its counts.
    Page { counts: bool },
    /// Access logs as in docs/envoy.md.
    Logging,
    /// Envoy keeps less of a body for retries than bodies may have. `tells`: response headers report the backend.
    SmallRetryBuffer { tells: bool },
    /// Accepts large bodies, such as images.
    Large,
    /// A heap that is too small for the load, with the overload manager of envoy/providers.yaml.
    Overload,
    /// A small document, passed as a JSON string.
    Text,
    /// Like `Text`, without `allow_on_headers_stop_iteration`.
    WithoutFlag { workers: usize },
    /// Like `Text`, with the decompressor of docs/input.md in front of the router.
    Unpacking { workers: usize },
}

impl SharedEnvoy {
    pub(crate) fn workers(self) -> usize {
        match self {
            Self::Main { workers }
            | Self::Policy { workers }
            | Self::Apis { workers }
            | Self::Decisions { workers }
            | Self::Outcomes { workers }
            | Self::WithoutFlag { workers }
            | Self::Unpacking { workers } => workers,
            Self::Text | Self::Logging | Self::SmallRetryBuffer { .. } | Self::Large => 1,
            Self::Overload | Self::Callers | Self::Page { .. } => 2,
        }
    }

    pub(crate) fn config(self, backends: &Backends) -> Config {
        match self {
            Self::Main { .. } => main(backends),
            Self::Policy { workers } => policy::config(backends, workers),
            Self::Apis { .. } => apis::config(backends),
            Self::Callers => callers::config(backends),
            Self::Decisions { .. } => decisions::config(backends),
            Self::Outcomes { .. } => outcomes::config(backends),
            Self::Page { .. } => page::config(backends),
            Self::Logging => logging(backends),
            Self::SmallRetryBuffer { tells } => sizes::small_buffer(backends, tells),
            Self::Large => sizes::large(backends),
            Self::Overload => sizes::overload(backends),
            Self::Text => small(backends).wrapping(Wrapping::Text),
            Self::WithoutFlag { .. } => small(backends).flag(false),
            Self::Unpacking { .. } => small(backends)
                .buffer_limit(BUFFER_LIMIT as u64)
                .in_front(decompressor()),
        }
    }
}

/// As it occurs in the names of trials and files.
impl fmt::Display for SharedEnvoy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main { .. } => {}
            Self::Policy { .. } => formatter.write_str("policy ")?,
            Self::Apis { .. } => formatter.write_str("apis ")?,
            Self::Callers => formatter.write_str("callers ")?,
            Self::Decisions { .. } => formatter.write_str("decisions ")?,
            Self::Outcomes { .. } => formatter.write_str("outcomes ")?,
            Self::Page { counts: true } => formatter.write_str("counting-page ")?,
            Self::Page { counts: false } => formatter.write_str("page ")?,
            Self::Logging => formatter.write_str("logging ")?,
            Self::SmallRetryBuffer { tells: true } => formatter.write_str("small-retry-buffer ")?,
            Self::SmallRetryBuffer { tells: false } => {
                formatter.write_str("quiet-small-retry-buffer ")?;
            }
            Self::Large => formatter.write_str("large ")?,
            Self::Overload => formatter.write_str("overload ")?,
            Self::Text => formatter.write_str("text ")?,
            Self::WithoutFlag { .. } => formatter.write_str("without-flag ")?,
            Self::Unpacking { .. } => formatter.write_str("unpacking ")?,
        }
        write!(formatter, "workers={}", self.workers())
    }
}

/// Returns the filter that docs/input.md shows.
fn decompressor() -> Value {
    let docs = include_str!("../../../docs/input.md");
    let (_, section) = docs
        .split_once("\n## Compressed bodies\n")
        .expect("the section is there");
    let (_, block) = section.split_once("```yaml\n").expect("it has a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    files::yaml(block).expect("the block is YAML")
}

fn main(backends: &Backends) -> Config {
    let to = |cluster: &str, backend: &str| Cluster::new(cluster).to(backends.address(backend));
    let tls = |cluster: &str| {
        let verifying = tls::adapted(tls::verifying(), "backend.test", &backends.trusted_ca);
        to(cluster, cluster).transport_socket(verifying)
    };
    let mut config = Config::new(document::main())
        .buffer_limit(BUFFER_LIMIT as u64)
        .cluster(to("openai", "openai"))
        .cluster(to("azure-east", "azure-east").backend("azure"))
        .cluster(to("second", "second").http2())
        .cluster(to("bare", "bare"))
        .cluster(to("anthropic", "anthropic"))
        .cluster(to("claude-two", "claude-two"))
        .cluster(to("byok", "byok"))
        .cluster(to("vllm", "bare"))
        .cluster(to("lax", "bare").http2())
        .cluster(to("paced", "paced"))
        .cluster(to("last-word", "openai").without_retries())
        .cluster(to("halfway-h1", "openai"))
        .cluster(to("halfway-h2", "openai"))
        .cluster(tls("tls-right"))
        .cluster(tls("tls-other-name"))
        .cluster(tls("tls-other-ca"))
        .unmatched_cluster(to(NO_MATCH, NO_MATCH).plain());
    for (cluster, header, value) in INJECTED {
        config = config.cluster(to(cluster, cluster).injects(header, value));
    }
    for api in ["openai", "anthropic"] {
        config = config
            .cluster(to(&format!("dead-{api}"), "dead"))
            .cluster(to(&format!("dead-{api}-too"), "dead"))
            .cluster(to(&format!("full-{api}"), api).full())
            // To the injector, an empty secret looks like a missing one.
            .cluster(to(&format!("keyless-{api}"), api).injects("x-api-key", ""))
            .cluster(Cluster::new(&format!("empty-{api}")))
            .hop(&format!("missing-{api}"), "no-such-cluster")
            .hop(&format!("misrouted-{api}"), api);
    }
    config
}

/// Two backends and an unreachable one, so that the first and the next hop differ from `on_no_match`.
fn small(backends: &Backends) -> Config {
    let to = |cluster: &str| Cluster::new(cluster).to(backends.address(cluster));
    Config::new(document::small())
        .cluster(to("openai"))
        .cluster(to("anthropic"))
        .cluster(to("dead"))
        .unmatched_cluster(to(NO_MATCH).plain())
}

/// With the filter and the log format of docs/envoy.md.
fn logging(backends: &Backends) -> Config {
    let page = files::read(&files::root().join("docs/envoy.md"));
    let (_, section) = page
        .split_once("\n## Logging what is stripped\n")
        .expect("the section is there");
    let snippet = section.split("```").nth(1).expect("it has a block");
    let snippet = snippet.strip_prefix("yaml\n").expect("the block is YAML");
    let documented = files::yaml(snippet).expect("the block is YAML");
    small(backends).change_manager(move |manager| {
        let filters = manager["http_filters"].as_array_mut().expect("a list");
        filters.insert(0, documented["http_filters"][0].clone());
        let kept = documented["access_log"][0]["typed_config"]["log_format"]["json_format"]
            ["request_id"]
            .as_str()
            .expect("a format");
        manager["access_log"] = json!([{
            "name": "envoy.access_loggers.stderr",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                "log_format": {"text_format_source": {"inline_string": format!(
                    "kept={kept} header=%REQ(X-REQUEST-ID)% stream=%STREAM_ID% proto=%REQ(X-FORWARDED-PROTO)% \n"
                )}},
            },
        }]);
    })
}

/// Returns a minimal setup around a document that is only validated: a cluster for each of these backends.
pub(crate) fn around(document: Value, clusters: &[(&str, &str)]) -> Config {
    // Envoy requires at least one pair in the matcher's map, even if a document has no cluster.
    let config = Config::new(document)
        .unmatched_cluster(Cluster::new(NO_MATCH).plain())
        .hop(NO_MATCH, NO_MATCH);
    clusters.iter().fold(config, |config, (cluster, backend)| {
        config.cluster(Cluster::new(cluster).backend_role(json!({"backend": backend})))
    })
}
