//! Trials of documents that Envoy's `--mode validate` accepts or refuses, in both encodings.

mod scalars;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fleet::{around, document};
use crate::harness::Suite;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH, Wrapping};
use crate::harness::envoy::Programs;
use crate::harness::world::World;

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    let programs = &world.programs;
    let whole = Arc::clone(world);
    suite.plain(
        "configuration::scalars_are_what_the_table_says",
        move || {
            scalars::are_what_the_table_says(&whole, &whole.programs);
        },
    );
    let mut plain = |name: &str, trial: fn(&Programs)| {
        let programs = programs.clone();
        suite.plain(&format!("configuration::{name}"), move || trial(&programs));
    };
    plain("good_documents_are_accepted", good_documents_are_accepted);
    plain("all_errors_are_told_at_once", all_errors_are_told_at_once);
    plain("unknown_fields_are_errors", unknown_fields_are_errors);
    plain("wrong_types_are_errors", wrong_types_are_errors);
    plain("missing_fields_are_errors", missing_fields_are_errors);
    plain("bad_values_are_errors", bad_values_are_errors);
    plain(
        "what_can_never_happen_is_an_error",
        what_can_never_happen_is_an_error,
    );
    plain(
        "what_is_no_document_at_all_is_an_error",
        what_is_no_document_at_all_is_an_error,
    );
    plain(
        "the_backend_role_is_checked_too",
        the_backend_role_is_checked_too,
    );
}

/// Returns whether Envoy accepts a configuration, and what it printed.
fn check(programs: &Programs, name: &str, config: &Config) -> (bool, String) {
    let file = programs.write(&format!("validate-{name}"), &config.render(&programs.wasm));
    programs.validate(&file, &programs.directory)
}

/// Asserts that the document is refused in both encodings. Each of `errors` is a list of texts that must occur in one
/// line of Envoy's output: an error's path, and what is wrong there.
#[track_caller]
fn assert_refused(programs: &Programs, name: &str, document: &Value, errors: &[&[&str]]) {
    for wrapping in Wrapping::ALL {
        let config = around(document.clone(), &[]).wrapping(wrapping);
        assert_config_refused(
            programs,
            &format!("{name}-{}", wrapping.name()),
            &config,
            errors,
        );
    }
}

#[track_caller]
fn assert_config_refused(programs: &Programs, name: &str, config: &Config, errors: &[&[&str]]) {
    let (accepted, printed) = check(programs, name, config);
    assert!(!accepted, "{name} was accepted\n{printed}");
    let missing: Vec<_> = errors
        .iter()
        .filter(|texts| {
            !printed
                .lines()
                .any(|line| texts.iter().all(|text| line.contains(text)))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "{name}: no line has {missing:#?}\n{printed}"
    );
    assert!(
        !printed.contains("panicked"),
        "{name}: the filter panicked\n{printed}"
    );
}

#[track_caller]
fn assert_accepted(programs: &Programs, name: &str, document: &Value, clusters: &[(&str, &str)]) {
    for wrapping in Wrapping::ALL {
        let config = around(document.clone(), clusters).wrapping(wrapping);
        let (accepted, printed) = check(programs, &format!("{name}-{}", wrapping.name()), &config);
        assert!(accepted, "{name} was refused\n{printed}");
    }
}

/// Returns an otherwise valid document with these routes.
fn with_routes(routes: Value) -> Value {
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "models": [{"name": "gpt-4o"}, {"name": "gpt-4o-mini"}]},
            {"name": "azure", "schema": "openai", "models": [{"name": "gpt-4o"}]},
        ],
        "routes": routes,
    })
}

/// Returns a document with this backend (named `openai`, with the model `gpt-4o`) and a route to it.
fn with_backend(backend: Value) -> Value {
    json!({
        "backends": [backend],
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}]}],
    })
}

fn good_documents_are_accepted(programs: &Programs) {
    let small = with_routes(
        json!([{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}]}]),
    );
    assert_accepted(programs, "smallest", &small, &[("openai", "openai")]);
    assert_accepted(
        programs,
        "main",
        &document::main(),
        &[("openai", "openai"), ("azure-east", "azure")],
    );
    assert_accepted(programs, "limits", &limits(), &[]);
}

/// Returns a document with every number at the end of its range.
fn limits() -> Value {
    let mut document = with_routes(json!([{
        "name": "all", "match": {"model": "*"}, "strategy": "weighted",
        "targets": [{"backend": "openai", "weight": 1_000_000}, {"backend": "azure", "weight": 0}],
    }]));
    document["defaults"] = json!({"missing_flag_timeout_ms": 60_000});
    document
}

fn all_errors_are_told_at_once(programs: &Programs) {
    let document = with_routes(json!([
        {"name": "typo", "match": {"model": "a"}, "targets": [{"backend": "opnai", "model": "gpt-4o"}]},
        {"name": "unserved", "match": {"model": "b"}, "targets": [{"backend": "azure", "model": "gpt-4o-mini"}]},
        {"name": "weightless", "match": {"model": "c"}, "strategy": "weighted",
         "targets": [{"backend": "openai", "model": "gpt-4o", "weight": 0}, {"backend": "azure", "model": "gpt-4o", "weight": 0}]},
        {"name": "everything", "match": {"model": "*"}, "targets": [{"backend": "openai"}]},
        {"name": "everything", "match": {"model": "d*"}, "targets": [{"backend": "openai"}]},
        {"name": "pattern", "match": {"model": "a*b"}, "targets": []},
    ]));
    assert_refused(
        programs,
        "many",
        &document,
        &[
            &["routes[0].targets[0].backend: unknown backend \"opnai\", did you mean \"openai\"?"],
            &["routes[1].targets[0].model", "gpt-4o-mini"],
            &["routes[2]", "weight"],
            &["routes[4]: another route is also called", "everything"],
            &[
                "routes[4]: can never be reached: routes[3] (\"everything\") already takes every request that it matches",
            ],
            &["routes[5].match.model", "a*b"],
            &["routes[5].targets"],
        ],
    );
}

fn unknown_fields_are_errors(programs: &Programs) {
    let document = json!({
        "backends": [{"name": "openai", "schema": "openai", "modls": [], "models": [{"name": "gpt-4o", "nmae": "x"}]}],
        "routes": [{
            "name": "all", "match": {"modell": "a", "model": "*", "not": {"modle": "b"}}, "stratgy": "ordered",
            "targets": [{"backend": "openai", "modal": "gpt-4o"}],
        }],
        "defaults": {"missing_flag_timeout": 1},
        "route": [],
    });
    assert_refused(
        programs,
        "fields",
        &document,
        &[
            &["backends[0]", "modls"],
            &["backends[0].models[0]", "nmae"],
            &["routes[0].match", "modell"],
            &["routes[0].match.not", "modle"],
            &["routes[0]", "stratgy"],
            &["routes[0].targets[0]", "modal"],
            &["defaults", "missing_flag_timeout"],
            &["route"],
        ],
    );
}

fn wrong_types_are_errors(programs: &Programs) {
    let document = json!({
        "backends": [{"name": 7, "schema": "openai", "host": true, "set_headers": ["a"], "remove_headers": "b",
                      "forward_client_credentials": "yes", "models": {"name": "gpt-4o"}}],
        "routes": [
            {"name": "a", "match": {"model": "a", "stream": "true"}, "targets": [{"backend": "openai", "weight": "1"}]},
            {"name": "b", "match": "b", "targets": "openai"},
            {"name": "c", "match": {"model": ["c", 1]}, "targets": [{"backend": "openai", "weight": 1.5}]},
        ],
        "defaults": {"missing_flag_timeout_ms": "2s"},
    });
    assert_refused(
        programs,
        "types",
        &document,
        &[
            &["backends[0].name"],
            &["backends[0].host"],
            &["backends[0].set_headers"],
            &["backends[0].remove_headers"],
            &["backends[0].forward_client_credentials"],
            &["backends[0].models"],
            &["routes[0].match.stream"],
            &["routes[0].targets[0].weight"],
            &["routes[1].match"],
            &["routes[1].targets"],
            &["routes[2].match.model[1]"],
            &["routes[2].targets[0].weight"],
            &["defaults.missing_flag_timeout_ms"],
        ],
    );
}

fn missing_fields_are_errors(programs: &Programs) {
    // An empty Struct has no bytes: the filter cannot distinguish it from a missing configuration.
    let nothing = around(json!({}), &[]);
    let said: &[&str] = &["there is no configuration"];
    assert_config_refused(programs, "nothing-struct", &nothing, &[said]);
    let nothing = nothing.wrapping(Wrapping::Text);
    let said: [&[&str]; 2] = [&["`backends` is missing"], &["`routes` is missing"]];
    assert_config_refused(programs, "nothing-text", &nothing, &said);
    let document = json!({"backends": [{}], "routes": [{}, {"name": "a", "match": {"model": "a"}, "targets": [{}]}]});
    assert_refused(
        programs,
        "missing",
        &document,
        &[
            &["backends[0]", "name"],
            &["backends[0]", "schema"],
            &["backends[0]", "models"],
            &["routes[0]", "name"],
            &["routes[0]", "match"],
            &["routes[0]", "targets"],
            &["routes[1].targets[0]", "backend"],
        ],
    );
}

fn bad_values_are_errors(programs: &Programs) {
    let document = json!({
        "backends": [
            {"name": "a", "schema": "opnai", "models": [{"name": "x"}]},
            {"name": "b", "schema": "openai", "models": []},
            {"name": "c", "schema": "openai", "path_prefix": "/v1", "path_template": "/{model}", "models": [{"name": "x"}]},
            {"name": "d", "schema": "openai", "models": [{"name": "x-*", "upstream_name": "y"}]},
            {"name": "d", "schema": "openai", "models": [{"name": "x"}, {"name": "x"}]},
            {"name": "", "schema": "openai", "models": [{"name": ""}]},
        ],
        "routes": [
            {"name": "a", "match": {"model": "x"}, "strategy": "wieghted", "targets": [{"backend": "d"}]},
            {"name": "b", "match": {"model": "y"}, "strategy": "weighted", "targets": [{"backend": "d", "weight": 1_000_001}]},
            {"name": "c", "match": {"model": "z"}, "strategy": "weighted", "targets": [{"backend": "d", "weight": -1}]},
            {"name": "d", "match": {}, "targets": [{"backend": "d"}]},
        ],
        "defaults": {"missing_flag_timeout_ms": 99},
    });
    assert_refused(
        programs,
        "values",
        &document,
        &[
            &["backends[0].schema", "opnai"],
            &["backends[1].models"],
            &["backends[2]", "path_template"],
            &["backends[3].models[0]", "upstream_name"],
            &["backends[4]: another backend is also called \"d\""],
            &["backends[4].models[1]", "\"x\""],
            &["backends[5].name"],
            &["backends[5].models[0].name"],
            &["routes[0].strategy", "wieghted"],
            &["routes[1].targets[0].weight"],
            &["routes[2].targets[0].weight"],
            &["routes[3].match"],
            &["defaults.missing_flag_timeout_ms"],
        ],
    );
    let headers = with_backend(json!({
        "name": "openai", "schema": "openai", "host": "two words", "models": [{"name": "gpt-4o"}],
        "set_headers": {"x y": "1", "x-line": "a\r\nb: c"}, "remove_headers": ["x:y"],
    }));
    assert_refused(
        programs,
        "headers",
        &headers,
        &[
            &["backends[0].host"],
            &["backends[0].set_headers", "x y"],
            &["backends[0].set_headers", "x-line"],
            &["backends[0].remove_headers[0]"],
        ],
    );
}

fn what_can_never_happen_is_an_error(programs: &Programs) {
    let target = json!([{"backend": "openai", "model": "gpt-4o"}]);
    let document = with_routes(json!([
        {"name": "contradiction", "match": {"model": "a", "all": [{"model": "b"}]}, "targets": target},
        {"name": "neither", "match": {"model": "c", "not": {"model": "c"}}, "targets": target},
        {"name": "none-of-none", "match": {"model": "d", "any": []}, "targets": target},
        {"name": "wide", "match": {"model": "e*"}, "targets": target},
        {"name": "narrow", "match": {"model": ["e", "eleven"], "stream": true}, "targets": target},
        {"name": "never-served", "match": {"model": "f"}, "targets": [{"backend": "azure"}]},
    ]));
    assert_refused(
        programs,
        "never",
        &document,
        &[
            &["routes[0]: no request can ever match"],
            &["routes[1]: no request can ever match"],
            &["routes[2].match.any"],
            &["routes[4]: can never be reached: routes[3] (\"wide\")"],
            &["routes[5]"],
        ],
    );
}

fn what_is_no_document_at_all_is_an_error(programs: &Programs) {
    for (name, text) in [
        ("empty", ""),
        ("open", "{"),
        ("list", "[]"),
        ("text", "backends: []"),
        ("null", "null"),
    ] {
        let config = around(json!(text), &[]).wrapping(Wrapping::Text);
        assert_config_refused(programs, &format!("no-document-{name}"), &config, &[]);
    }
    let config =
        around(json!("{\"backends\": [],\n \"routes\": [,]}"), &[]).wrapping(Wrapping::Text);
    assert_config_refused(programs, "no-document-comma", &config, &[&["line 2"]]);
}

fn the_backend_role_is_checked_too(programs: &Programs) {
    let good = with_routes(
        json!([{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}]}]),
    );
    for (name, role, errors) in [
        ("missing", json!({}), &[["backend"].as_slice()]),
        (
            "wrong-type",
            json!({"backend": ["openai"]}),
            &[["backend"].as_slice()],
        ),
        (
            "unknown-field",
            json!({"backend": "openai", "bakend": "x"}),
            &[["bakend"].as_slice()],
        ),
    ] {
        let config = Config::new(good.clone())
            .cluster(Cluster::new("openai").backend_role(role))
            .unmatched_cluster(Cluster::new(NO_MATCH).plain());
        assert_config_refused(programs, &format!("role-{name}"), &config, errors);
    }
}
