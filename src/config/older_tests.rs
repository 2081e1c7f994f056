//! Tests of documents in the older mode: `cluster_header` and `aggregate_cluster`.

use serde_saphyr::from_str;

use crate::config::{ConfigError, Document, Tree};

const ONE: &str = "schema: openai, models: [{name: m, upstream_name: u}, {name: q}]";

fn compile(a: &str, b: &str, route: &str, defaults: &str) -> Result<Document, Vec<ConfigError>> {
    let text = format!(
        "backends: [{{name: a, {a}}}, {{name: b, {b}}}]
routes: [{{name: r, match: {{model: x}}, {route}}}]
defaults: {{{defaults}}}"
    );
    Document::compile(&from_str::<Tree>(&text).unwrap())
}

fn errors(a: &str, b: &str, route: &str, defaults: &str) -> Vec<String> {
    let errors = compile(a, b, route, defaults).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn one_error(errors: &[String], expected: &str) {
    assert!(
        errors.len() == 1 && errors[0].contains(expected),
        "{expected}\n{errors:#?}"
    );
}

const BOTH: &str =
    "targets: [{backend: a, model: m}, {backend: b, model: m}], aggregate_cluster: pool";
const OLDER: &str = "cluster_header: X-Llm-Cluster";

#[test]
fn members_that_take_the_same_request_are_accepted() {
    let document = compile(ONE, ONE, BOTH, OLDER).unwrap();
    assert_eq!(document.cluster_header.as_deref(), Some("x-llm-cluster"));
    assert_eq!(
        document.routes[0].aggregate_cluster.as_deref(),
        Some("pool")
    );
    // The backends and routes may use different names and orders for the same.
    let a =
        "schema: openai, set_headers: {x-a: '1', x-b: '2'}, models: [{name: m, upstream_name: u}]";
    let b = "schema: openai, set_headers: {x-b: '2', x-a: '1'}, models: [{name: other, upstream_name: u}]";
    let route =
        "targets: [{backend: a, model: m}, {backend: b, model: other}], aggregate_cluster: pool";
    assert_eq!(errors(a, b, route, OLDER), [""; 0]);
    // The client's own model works too, if both backends serve the same ones.
    let a = "schema: openai, models: [{name: x}, {name: z-*}]";
    let b = "schema: openai, models: [{name: z-*}, {name: x}]";
    let own = "targets: [{backend: a}, {backend: b}], aggregate_cluster: pool";
    assert_eq!(errors(a, b, own, OLDER), [""; 0]);
}

#[test]
fn members_that_do_not_are_refused() {
    let models = "models: [{name: m, upstream_name: u}, {name: q}]";
    for (b, expected) in [
        (
            "schema: openai, models: [{name: m, upstream_name: v}]",
            "the model's upstream name (\"u\" and \"v\")",
        ),
        (
            &format!("schema: openai, host: b.example, {models}"),
            "host (none and \"b.example\"",
        ),
        (
            &format!("schema: openai, path_prefix: /v2, {models}"),
            "path_prefix or path_template",
        ),
        (
            &format!("schema: openai, path_template: '/{{model}}', {models}"),
            "path_prefix or path_template",
        ),
        (
            &format!("schema: openai, set_headers: {{x-b: '1'}}, {models}"),
            "set_headers",
        ),
        (
            &format!("schema: openai, remove_headers: [x-b], {models}"),
            "remove_headers",
        ),
        (
            &format!("schema: openai, allow_headers: [x-b], {models}"),
            "allow_headers",
        ),
        (
            &format!("schema: openai, forward_client_credentials: true, {models}"),
            "forward_client_credentials",
        ),
        (
            &format!("schema: anthropic, {models}"),
            "schema (\"openai\" and \"anthropic\")",
        ),
    ] {
        let errors = errors(ONE, b, BOTH, OLDER);
        one_error(
            &errors,
            &format!("targets[0] and targets[1] differ in {expected}"),
        );
        assert!(
            errors[0].starts_with("routes[0].aggregate_cluster: "),
            "{}",
            errors[0]
        );
    }
    // Every difference between the first target and any other is reported.
    let b = "schema: openai, host: b.example, path_prefix: /v2, models: [{name: m}]";
    assert_eq!(errors(ONE, b, BOTH, OLDER).len(), 3);
    let own = "targets: [{backend: a}, {backend: b}], aggregate_cluster: pool";
    let x = "schema: openai, models: [{name: x}]";
    let more = "schema: openai, models: [{name: x}, {name: z}]";
    one_error(
        &errors(x, more, own, OLDER),
        "differ in the models that their backends serve",
    );
    let changed = |one: &str, other: &str| {
        format!(
            "targets: [{{backend: a, model: m, parameters: {one}}}, {{backend: b, model: m, parameters: {other}}}], \
             aggregate_cluster: pool"
        )
    };
    let route = changed("{remove: [x]}", "{remove: [z]}");
    one_error(&errors(ONE, ONE, &route, OLDER), "differ in parameters");
    // The order in which changes are written does not matter.
    let route = changed(
        "{remove: [x, z], clamp: {a.b: {max: 1}}, set: {c: {d: 1, e: 2}}}",
        "{set: {c: {e: 2, d: 1}}, clamp: {a.b: {max: 1}}, remove: [z, x]}",
    );
    assert_eq!(errors(ONE, ONE, &route, OLDER), [""; 0]);
    let named = "targets: [{backend: a}, {backend: b, model: x}], aggregate_cluster: pool";
    one_error(
        &errors(x, x, named, OLDER),
        "differ in whether they name a `model`",
    );
}

#[test]
fn an_aggregate_cluster_needs_the_header_and_a_name_of_its_own() {
    one_error(&errors(ONE, ONE, BOTH, ""), "is only for Envoy before 1.39");
    let weighted = format!("{BOTH}, strategy: weighted");
    one_error(
        &errors(ONE, ONE, &weighted, OLDER),
        "remove either `strategy: weighted`",
    );
    let own = BOTH.replace("pool", "a");
    one_error(
        &errors(ONE, ONE, &own, OLDER),
        "is already the name or the cluster of backend \"a\"",
    );
    let cluster = format!("cluster: pool, {ONE}");
    one_error(
        &errors(ONE, &cluster, BOTH, OLDER),
        "is already the name or the cluster of backend \"b\"",
    );
}

#[test]
fn the_header_is_one_that_nobody_else_has() {
    for (name, expected) in [
        ("authorization", "cannot be changed here"),
        ("Host", "cannot be changed here"),
        ("x-envoy-cluster", "cannot be changed here"),
        ("x-llm-router-cluster", "cannot be changed here"),
        ("'a b'", "is not a valid header name"),
        ("''", "must not be empty"),
    ] {
        let defaults = format!("cluster_header: {name}");
        one_error(&errors(ONE, ONE, BOTH, &defaults), expected);
    }
    for field in [
        "set_headers: {x-llm-cluster: '1'}",
        "remove_headers: [X-LLM-Cluster]",
    ] {
        let backend = format!("{ONE}, {field}");
        let route = "targets: [{backend: a, model: m}]";
        one_error(
            &errors(&backend, ONE, route, OLDER),
            "backend \"a\" sets or removes this header",
        );
    }
}

#[test]
fn what_a_timer_lets_go_is_not_wanted() {
    let route = "targets: [{backend: a, model: m}], fallback: {first_token_timeout_ms: 1000}";
    one_error(&errors(ONE, ONE, route, OLDER), "lose a piece of an answer");
    let defaults = format!("{OLDER}, fallback: {{first_token_timeout_ms: 1000}}");
    let route = "targets: [{backend: a, model: m}]";
    one_error(
        &errors(ONE, ONE, route, &defaults),
        "lose a piece of an answer",
    );
    // Without `cluster_header`, this is accepted.
    assert_eq!(
        errors(ONE, ONE, route, "fallback: {first_token_timeout_ms: 1000}"),
        [""; 0]
    );
}

/// Members must not differ in what keeps a request from them.
#[test]
fn members_that_may_not_take_the_same_requests_are_refused() {
    let with = |more: &str| format!("schema: openai, models: [{{name: m{more}}}]");
    let own = "targets: [{backend: a}, {backend: b}], aggregate_cluster: pool";
    let own = |more: &str| own.to_owned() + more;
    for (a, b, field) in [
        (", context_window: 9", "", "context_window"),
        (
            ", max_output_tokens: 9",
            ", max_output_tokens: 8",
            "max_output_tokens",
        ),
        (", capabilities: []", "", "capabilities"),
    ] {
        one_error(&errors(&with(a), &with(b), BOTH, OLDER), field);
        let (a, b) = (
            with(a).replace("name: m", "name: x"),
            with(b).replace("name: m", "name: x"),
        );
        one_error(&errors(&a, &b, &own(""), OLDER), field);
    }
    let capable = [
        ", capabilities: [audio, tools]",
        ", capabilities: [tools, audio]",
    ];
    let [a, b] = capable.map(with);
    assert_eq!(errors(&a, &b, BOTH, OLDER), [""; 0]);
    // Labels and prices matter only where the route requires them.
    let two = |label: &str| {
        format!(
            "schema: openai, models: [{{name: x, labels: {{region: {label}}}}}, {{name: 'y*', labels: {{region: eu}}}}]"
        )
    };
    let (a, b) = (two("eu"), two("us"));
    assert_eq!(errors(&a, &b, &own(""), OLDER), [""; 0]);
    let anything = "match: {model: '*'}";
    let asked = own(", require: {region: eu}");
    let text = format!(
        "backends: [{{name: a, {a}}}, {{name: b, {b}}}]
routes: [{{name: r, {anything}, {asked}}}]
defaults: {{{OLDER}}}"
    );
    let found = Document::compile(&from_str::<Tree>(&text).unwrap());
    let found: Vec<String> = found
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    one_error(&found, "the models that their backends serve");
}
