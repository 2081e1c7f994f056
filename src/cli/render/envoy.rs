//! Renders the complete configuration of Envoy.

use super::EnvoyArgs;
use super::clusters::ClusterRenderer;
use super::key::Key;
use super::template::{Template, insert, once};
use super::topology::{Topology, takes_upgrades};
use super::yaml;
use crate::cli::CommandError;
use crate::cli::load::LoadedDocument;
use crate::cli::source::parse;
use crate::config::Document;
use crate::telemetry::metrics::{LABEL_NAMES, Metric, tag_regex};

/// The largest body of a request, if neither the document nor an option sets it.
const BODY_BYTES: u32 = 16_777_216;

/// How much Envoy may read of an answer at once, in bytes: the default of the clusters'
/// `per_connection_buffer_limit_bytes`.
const READ_BYTES: u32 = 1_048_576;

/// Renders the configuration for a document. `command` is the command line that renders it.
pub(super) fn render(
    loaded: &LoadedDocument,
    args: &EnvoyArgs,
    command: &[String],
) -> Result<String, CommandError> {
    let document = &loaded.document;
    let site = Topology::of(document, args)?;
    let is_older = document.cluster_header.is_some();
    let mut clusters = ClusterRenderer { args, is_older }.all(&site);
    let route = match &document.cluster_header {
        Some(header) => Template::new(include_str!("templates/older_route.yaml"))
            .text("header", header)
            .fill(),
        None => {
            let name = no_match(document);
            let cluster = Template::new(include_str!("templates/no_match.yaml"));
            clusters.extend(cluster.text("cluster", &name).fill());
            matching_route(document, &name)
        }
    };
    let upgrades = match document.routes.iter().any(takes_upgrades) {
        true => Template::new(include_str!("templates/upgrades.yaml")).fill(),
        false => Vec::new(),
    };
    let lines = Template::new(include_str!("templates/file.yaml"))
        .comment("file", &args.file.display().to_string())
        .lines("command", command.to_vec())
        .text("admin_address", &args.admin.ip().to_string())
        .word("admin_port", args.admin.port())
        .text("listen_address", &args.listen.ip().to_string())
        .word("listen_port", args.listen.port())
        .lines("tags", stats_tags())
        .lines("buckets", buckets())
        .word("heap", args.max_heap_bytes)
        .word("idle", format!("{}s", idle_seconds(document)))
        .lines("upgrades", upgrades)
        .text("wasm", &args.wasm)
        .word("body_limit", body_limit(document, args)?)
        .lines("route", route)
        .lines("clusters", clusters)
        .lines("secrets", secrets(&site))
        .fill();
    Ok(with_document(&once(lines), loaded))
}

/// Returns the rules that extract labels from the names of the module's metrics.
fn stats_tags() -> Vec<String> {
    let tags = LABEL_NAMES.iter().map(|label| {
        let regex = yaml::scalar(&tag_regex(label));
        format!("- {{tag_name: {label}, regex: {regex}}}")
    });
    tags.collect()
}

/// Returns the buckets of the module's histograms.
fn buckets() -> Vec<String> {
    let mut lines = Vec::new();
    for metric in Metric::ALL.iter().filter(|one| !one.buckets().is_empty()) {
        let buckets: Vec<String> = metric.buckets().iter().map(u64::to_string).collect();
        lines.push(format!("- match: {{prefix: wasmcustom.{}}}", metric.name()));
        lines.push(format!("  buckets: [{}]", buckets.join(", ")));
    }
    lines
}

/// Inserts the document: as it is written, with its comments, if Envoy reads that as the same document.
fn with_document(lines: &[String], loaded: &LoadedDocument) -> String {
    let written = insert(lines, "document", &yaml::block(&loaded.tree));
    // Envoy does not support merge keys, nor tabs as white space before a line.
    let is_odd = |line: &str| line.contains("<<") || line.trim_start_matches(' ').starts_with('\t');
    if loaded.text.lines().any(is_odd) {
        return written;
    }
    let original = insert(lines, "document", &source_lines(&loaded.text));
    let tree = |text: &str| {
        let documents = parse(text).ok()?;
        match documents.as_slice() {
            [document] => Some(document.tree()),
            _ => None,
        }
    };
    match tree(&original) {
        Some(seen) if Some(&seen) == tree(&written).as_ref() => original,
        _ => written,
    }
}

/// Returns the lines of a file, without the `---` before its document.
fn source_lines(text: &str) -> Vec<String> {
    let is_before = |line: &&str| line.trim().is_empty() || line.starts_with('#');
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = text.lines().take_while(is_before).count();
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(index, line)| *index != before || line.trim_end() != "---");
    let lines: Vec<String> = lines.map(|(_, line)| line.to_owned()).collect();
    let end = lines.iter().rposition(|line| !line.trim().is_empty());
    lines
        .into_iter()
        .take(end.map_or(0, |end| end.saturating_add(1)))
        .collect()
}

/// Returns a name for the cluster without hosts, which no backend's cluster has.
fn no_match(document: &Document) -> String {
    let mut name = "llm_router_no_match".to_owned();
    while document
        .backends
        .iter()
        .any(|backend| backend.cluster == name)
    {
        name.push('_');
    }
    name
}

fn matching_route(document: &Document, no_match: &str) -> Vec<String> {
    let backends = document.backends.iter();
    let entries = backends.flat_map(|backend| {
        Template::new(include_str!("templates/entry.yaml"))
            .text("cluster", &backend.cluster)
            .fill()
    });
    Template::new(include_str!("templates/route.yaml"))
        .lines("entries", entries.collect())
        .text("no_match", no_match)
        .fill()
}

/// Returns one minute more than the longest time that a route allows for an answer.
fn idle_seconds(document: &Document) -> u32 {
    let policies = document.routes.iter().map(|route| &route.policy);
    let longest = policies.map(|policy| policy.deadline_ms.max(policy.idle_timeout_ms));
    longest.max().unwrap_or(0).div_ceil(1000).saturating_add(60)
}

/// Returns the buffer limit for the largest body, with room for the held part of an answer.
fn body_limit(document: &Document, args: &EnvoyArgs) -> Result<u32, CommandError> {
    let most = match (document.max_body_bytes, args.max_body_bytes) {
        (Some(most), Some(other)) if most != other => {
            return Err(CommandError(format!(
                "--max-body-bytes {other}: the document says `max_body_bytes: {most}`; change it there"
            )));
        }
        (most, other) => most.or(other).unwrap_or(BODY_BYTES),
    };
    let held = document
        .routes
        .iter()
        .map(|route| route.policy.hold_limit_bytes);
    let held = held.max().unwrap_or(0).saturating_add(READ_BYTES);
    Ok(most.max(held))
}

/// Returns the secrets that come from environment variables.
fn secrets(site: &Topology<'_>) -> Vec<String> {
    let keys = site.reached.iter().map(|one| &one.key);
    let keys = keys.chain(site.aggregates.iter().map(|one| &one.key));
    let mut variables: Vec<&str> = Vec::new();
    for key in keys {
        match key {
            Key::Environment(variable) if !variables.contains(&variable.as_str()) => {
                variables.push(variable);
            }
            _ => {}
        }
    }
    if variables.is_empty() {
        return Vec::new();
    }
    let secrets = variables.iter().flat_map(|variable| {
        Template::new("- name: $name\n  generic_secret: {secret: {environment_variable: $name}}")
            .text("name", variable)
            .fill()
    });
    let head = [
        "",
        "# Envoy reads these variables when it starts.",
        "secrets:",
    ]
    .map(str::to_owned);
    head.into_iter().chain(secrets).collect()
}
