//! Tests of the rendered Envoy configuration.

use std::path::Path;

use clap::{Args as _, FromArgMatches as _};

use super::envoy::render;
use super::*;
use crate::cli::check::check;
use crate::cli::load::of_text;
use crate::cli::source::{LocatedNode, parse};
use crate::telemetry::FIELDS;

/// Renders this text with these options.
fn rendered(text: &str, options: &[&str]) -> Result<String, String> {
    let command = EnvoyArgs::augment_args(clap::Command::new("envoy"));
    let arguments = ["envoy", "router.yaml"].iter().chain(options);
    let matches = command.try_get_matches_from(arguments).unwrap();
    let args = EnvoyArgs::from_arg_matches(&matches).unwrap();
    let loaded = of_text(Path::new("router.yaml"), text.to_owned())
        .unwrap()
        .unwrap();
    render(&loaded, &args, &["#   command".to_owned()]).map_err(|CommandError(why)| why)
}

/// Renders this text, lets the tool check the result, and returns it as a tree.
fn tree(text: &str, options: &[&str]) -> LocatedNode {
    let rendered = rendered(text, options).unwrap();
    let checked = check(Path::new("envoy.yaml"), &rendered).unwrap();
    let errors = checked.findings.iter();
    let errors: Vec<_> = errors
        .filter(|one| one.severity == crate::cli::report::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{rendered}");
    parse(&rendered).unwrap().remove(0)
}

const DOCUMENT: &str = "\
# About it.
backends:
# The only one.
- {name: openai, schema: openai, host: api.openai.com, models: [{name: '*'}]}
routes:
- {name: all, match: {model: '*'}, targets: [{backend: openai}]}
";

fn routes_of(indented: &str) -> String {
    format!("                    routes:\n                    {indented}")
}

#[test]
fn the_document_is_there_as_it_is_written() {
    let plain = rendered(DOCUMENT, &[]).unwrap();
    for line in DOCUMENT.lines() {
        assert!(
            plain.contains(&format!("\n                    {line}\n")),
            "{line}"
        );
    }
    for same in [
        format!("---\n{DOCUMENT}"),
        format!("\u{feff}{DOCUMENT}\n\n"),
        DOCUMENT.replacen("backends:", "---\nbackends:", 1),
        DOCUMENT.replace('\n', "\r\n"),
    ] {
        assert_eq!(rendered(&same, &[]).unwrap(), plain, "{same:?}");
    }
    // A comment that occurs twice in the document stays there twice.
    let twice = DOCUMENT.replace("routes:", "# The only one.\nroutes:");
    let twice = rendered(&twice, &[]).unwrap();
    assert_eq!(twice.matches("# The only one.").count(), 2);
}

#[test]
fn the_document_is_written_anew_where_it_must_be() {
    let wanted = routes_of(
        "- name: all\n                      match:\n                        model: \"*\"\n",
    );
    let merged = "\
backends:
- &one {name: openai, schema: openai, host: api.openai.com, models: [{name: '*'}]}
- {<<: *one, name: two}
routes:
- {name: all, match: {model: '*'}, targets: [{backend: openai}, {backend: two}]}
";
    let ended = format!("{DOCUMENT}...\n");
    let carried = rendered(DOCUMENT, &[]).unwrap();
    let json = serde_json::Value::from(&parse(DOCUMENT).unwrap()[0].tree());
    let tabs = format!("{json:#}").replace("  ", "\t");
    for text in [merged, &ended, &carried] {
        let written = rendered(text, &[]).unwrap();
        assert!(written.contains(&wanted), "{text}\n{written}");
        assert!(!written.contains("<<"), "{written}");
    }
    assert!(!rendered(&tabs, &[]).unwrap().contains('\t'));
    tree(merged, &[]);
}

fn cluster<'a>(file: &'a LocatedNode, name: &str) -> &'a LocatedNode {
    let clusters = file.at(&["static_resources", "clusters"]).unwrap().items();
    let mut clusters = clusters.iter();
    let is = |cluster: &&LocatedNode| cluster.get("name").and_then(LocatedNode::text) == Some(name);
    clusters.find(is).unwrap_or_else(|| panic!("no {name}"))
}

/// Returns all texts with this name in a node.
fn texts(node: &LocatedNode, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    node.walk("", &mut |_, node| {
        found.extend(
            node.get(name)
                .and_then(LocatedNode::text)
                .map(str::to_owned),
        );
    });
    found
}

#[test]
fn who_has_to_be_at_the_other_end() {
    for (host, endpoint, sni, server) in [
        (
            "host: api.openai.com, ",
            None,
            Some("api.openai.com"),
            ("DNS", "api.openai.com"),
        ),
        (
            "host: 'api.openai.com:8443', ",
            None,
            Some("api.openai.com"),
            ("DNS", "api.openai.com"),
        ),
        (
            "host: api.openai.com, ",
            Some("https://10.0.0.1:444"),
            Some("api.openai.com"),
            ("DNS", "api.openai.com"),
        ),
        (
            "",
            Some("https://gw.internal"),
            Some("gw.internal"),
            ("DNS", "gw.internal"),
        ),
        ("", Some("https://[::1]:444"), None, ("IP_ADDRESS", "::1")),
    ] {
        let text = DOCUMENT.replace("host: api.openai.com, ", host);
        let option = endpoint.map(|url| format!("--endpoint=openai={url}"));
        let file = tree(&text, &option.as_deref().into_iter().collect::<Vec<_>>());
        let socket = cluster(&file, "openai").get("transport_socket").unwrap();
        assert_eq!(texts(socket, "sni").first().map(String::as_str), sni);
        assert_eq!(texts(socket, "san_type"), [server.0]);
        assert_eq!(texts(socket, "exact"), [server.1]);
    }
    let file = tree(DOCUMENT, &["--endpoint=openai=http://localhost:1"]);
    let plain = cluster(&file, "openai");
    assert!(plain.get("transport_socket").is_none());
    assert!(texts(plain, "header").is_empty(), "a key in plaintext");
}

#[test]
fn keys_where_they_are_and_are_not() {
    let file = tree(DOCUMENT, &["--secrets=/run/keys"]);
    let paths = texts(cluster(&file, "openai"), "path");
    assert_eq!(paths, ["/run/keys/openai-key.yaml", "/run/keys"]);
    let theirs = DOCUMENT.replace("models:", "forward_client_credentials: true, models:");
    assert!(texts(cluster(&tree(&theirs, &[]), "openai"), "header").is_empty());
    let file = tree(DOCUMENT, &["--key=openai=env:A_KEY"]);
    assert_eq!(texts(&file, "environment_variable"), ["A_KEY"]);
}

fn limit(text: &str, options: &[&str]) -> f64 {
    let file = tree(text, options);
    let mut found = None;
    file.walk("", &mut |_, node| {
        found = found.or(node
            .get("request_body_buffer_limit")
            .and_then(LocatedNode::number));
    });
    found.unwrap()
}

#[test]
fn limits() {
    let said = |bytes: u32| format!("{DOCUMENT}defaults: {{max_body_bytes: {bytes}}}\n");
    assert_eq!(limit(DOCUMENT, &[]), 16_777_216.0);
    assert_eq!(
        limit(DOCUMENT, &["--max-body-bytes=33554432"]),
        33_554_432.0
    );
    assert_eq!(limit(&said(20_000_000), &[]), 20_000_000.0);
    // The held part of an answer has to fit too.
    let held = "defaults: {fallback: {hold_limit_bytes: 16777216}}\n";
    assert_eq!(limit(&format!("{DOCUMENT}{held}"), &[]), 17_825_792.0);
    let slow = format!("{DOCUMENT}defaults: {{fallback: {{deadline_ms: 900001}}}}\n");
    assert_eq!(texts(&tree(&slow, &[]), "stream_idle_timeout"), ["961s"]);
    assert!(rendered(&said(2000), &["--max-body-bytes=2001"]).is_err());
}

#[test]
fn upgrades_where_a_route_takes_them() {
    let with = DOCUMENT.replace(
        "routes:\n",
        "routes:\n- {name: live, match: {path: /live, headers: {upgrade: websocket}}, pass_through: true, targets: [{backend: openai}]}\n",
    );
    for (text, upgrades, protocol) in [
        (DOCUMENT, &[][..], "auto_config"),
        (&with, &["websocket"], "explicit_http_config"),
    ] {
        let file = tree(text, &[]);
        assert_eq!(texts(&file, "upgrade_type"), upgrades);
        let mut found = false;
        cluster(&file, "openai").walk("", &mut |_, node| found |= node.get(protocol).is_some());
        assert!(found, "no {protocol}");
    }
}

const OLDER: &str = "\
backends:
- {name: a, schema: openai, host: a.example, models: [{name: m}]}
- {name: b, schema: openai, host: a.example, models: [{name: m}]}
- {name: c, schema: openai, host: a.example, models: [{name: m}]}
routes:
- {name: one, match: {model: one}, targets: [{backend: a, model: m}, {backend: b, model: m}], aggregate_cluster: pool}
- {name: two, match: {model: two}, targets: [{backend: a, model: m}, {backend: b, model: m}], aggregate_cluster: pool}
defaults: {cluster_header: x-cluster}
";

#[test]
fn the_older_mode() {
    let file = tree(OLDER, &["--key=pool=shared"]);
    let pool = cluster(&file, "pool");
    let members = pool
        .at(&["cluster_type", "typed_config", "clusters"])
        .unwrap();
    let members: Vec<_> = members
        .items()
        .iter()
        .filter_map(LocatedNode::text)
        .collect();
    assert_eq!(members, ["a", "b"]);
    assert!(texts(pool, "path").contains(&"secrets/shared.yaml".to_owned()));
    assert_eq!(
        texts(&file, "cluster_header"),
        ["x-cluster", "x-cluster"],
        "the document's and the route's"
    );
    for (name, is_member) in [("a", true), ("b", true), ("c", false)] {
        let is_left = cluster(&file, name).get("common_lb_config").is_some();
        assert_eq!(is_left, is_member, "{name}");
    }
    let same = ["--key=a=k", "--key=b=k"];
    assert!(
        texts(cluster(&tree(OLDER, &same), "pool"), "path").contains(&"secrets/k.yaml".to_owned())
    );
    let why = rendered(OLDER, &[]).unwrap_err();
    assert!(why.contains("choose it with --key pool=SECRET"), "{why}");
    let other = OLDER.replacen(
        "{backend: b, model: m}], aggregate",
        "{backend: c, model: m}], aggregate",
        1,
    );
    let why = rendered(&other, &["--key=pool=none"]).unwrap_err();
    assert!(why.contains("use a separate one for each"), "{why}");
}

#[test]
fn what_is_refused() {
    let alike = "\
backends:
- {name: 'a/b', schema: openai, host: a.example, models: [{name: m}]}
- {name: 'a b', schema: openai, host: a.example, models: [{name: m}]}
routes:
- {name: one, match: {model: one}, targets: [{backend: a/b, model: m}, {backend: a b, model: m}]}
";
    for (options, expected) in [
        (&[][..], "\"a/b\" and \"a b\" would have the same key file"),
        (&["--key=a b=x", "--key=a b=y"], "--key a b is given twice"),
        (
            &["--endpoint=x=http://y"],
            "--endpoint x: there is no backend of that name",
        ),
    ] {
        let why = rendered(alike, options).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    assert!(rendered(alike, &["--key=a b=x"]).is_ok());
    assert!(
        rendered(alike, &["--key=a b=a_b-key"]).is_ok(),
        "shared on purpose"
    );
}

/// Returns the rows of a section's tables whose first cell begins with this.
fn rows(start: &str) -> Vec<Vec<String>> {
    let page = include_str!("../../../docs/cli.md");
    let (_, section) = page.split_once("\n## render\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with(&format!("| `{start}")));
    let cells = rows.map(|row| row.trim_matches('|').split('|'));
    cells
        .map(|row| row.map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn the_page_has_every_option() {
    let command = EnvoyArgs::augment_args(clap::Command::new("envoy"));
    let options = command
        .get_arguments()
        .filter(|one| one.get_long().is_some());
    let mut written = rows("--");
    for option in options {
        let long = option.get_long().unwrap();
        let value = &option.get_value_names().unwrap()[0];
        let name = format!("--{long} {value}");
        let at = written.iter().position(|row| row[0] == name);
        let row = written.remove(at.unwrap_or_else(|| panic!("no row {name}")));
        let defaults = option.get_default_values().iter();
        for default in defaults.filter_map(|default| default.to_str()) {
            assert_eq!(row[2], default, "{name}");
        }
    }
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn the_page_has_the_header_of_every_key() {
    let headers = rows("").into_iter().filter(|row| row[1].ends_with(" KEY"));
    let mut schemas = Vec::new();
    for row in headers {
        for schema in row[0].split(", ") {
            let text = DOCUMENT.replace("schema: openai", &format!("schema: {schema}"));
            let file = tree(&text, &[]);
            let cluster = cluster(&file, "openai");
            let header = texts(cluster, "header").concat();
            let prefix = texts(cluster, "header_value_prefix").concat();
            assert_eq!(format!("{header}: {prefix}KEY"), row[1], "{schema}");
            schemas.push(schema.to_owned());
        }
    }
    let mut all = crate::schema::Schema::ALL.map(crate::schema::Schema::name);
    all.sort_unstable();
    schemas.sort_unstable();
    assert_eq!(schemas, all);
}

#[test]
fn the_access_log_has_fields_of_outcomes() {
    let template = include_str!("templates/file.yaml");
    let fields: Vec<&str> = template
        .split("FILTER_STATE(wasm.")
        .skip(1)
        .map(|rest| rest.split_once(":PLAIN)").unwrap().0)
        .collect();
    assert!(fields.len() > 10, "{fields:?}");
    for field in fields {
        assert!(
            FIELDS.iter().any(|known| known.name == field),
            "{field} is no field of an outcome"
        );
    }
}
