//! Tests of documents with every known kind of error.

use super::*;

#[path = "document_apis_tests.rs"]
mod apis;
#[path = "document_caller_tests.rs"]
mod callers;
#[path = "document_content_tests.rs"]
mod contents;
#[path = "document_docs_tests.rs"]
mod docs;
#[path = "document_eligibility_tests.rs"]
mod eligibility;
#[path = "document_fallback_tests.rs"]
mod fallbacks;

/// Returns the errors of a document, one a line.
fn errors(document: &str) -> Vec<String> {
    match Document::of_yaml(document) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// Returns the errors of a document with these routes over two backends.
fn route_errors(routes: &str) -> Vec<String> {
    errors(&format!(
        "backends:
- {{name: openai, schema: openai, models: [{{name: gpt-4o}}, {{name: gpt-4o-mini}}]}}
- {{name: anthropic, schema: anthropic, models: [{{name: claude}}]}}
routes:
{routes}"
    ))
}

#[test]
fn all_errors_at_once_with_their_paths() {
    assert_eq!(
        errors(
            r#"
backends:
- {name: openai, schema: opnai, models: [{name: gpt-4o, contxt: 1}], path_prefix: v1}
- {schema: anthropic, models: []}
routes:
- {name: a, match: {}, targets: [{backend: openai}]}
- {name: b, match: {modl: x}, targets: []}
- {name: c, match: {model: x}, targets: [{backend: opnai}]}
default: {}
"#
        ),
        [
            "default: unknown field, did you mean \"defaults\"?",
            "backends[0].schema: unknown schema \"opnai\", did you mean \"openai\"?; expected one of openai, azure-openai, anthropic, \
             gemini, bedrock",
            "backends[0].models[0].contxt: unknown field; expected one of name, upstream_name, context_window, \
             max_output_tokens, capabilities, prices, labels",
            "backends[0].path_prefix: must be empty, or begin with \"/\" and not end with it, without spaces, \"?\" or \"#\"; for {model}, use path_template",
            "backends[1]: `name` is missing",
            "backends[1].models: must not be empty",
            "routes[0].match: must not be empty: write {model: \"*\"} to match every request",
            "routes[1].match.modl: unknown field, did you mean \"model\"?",
            "routes[1].match: must not be empty: write {model: \"*\"} to match every request",
            "routes[1].targets: must not be empty",
            "routes[2].targets[0].backend: unknown backend \"opnai\", did you mean \"openai\"?",
        ]
    );
}

#[test]
fn what_could_never_do_what_it_says() {
    for (routes, expected) in [
        (
            "- {name: all, match: {model: '*'}, targets: [{backend: openai}]}
- {name: late, match: {model: gpt-4o, stream: true}, targets: [{backend: openai}]}",
            "routes[1]: can never be reached: routes[0] (\"all\") already takes every request that it matches",
        ),
        (
            "- {name: a, match: {model: x}, strategy: weighted, targets: [{backend: openai, model: gpt-4o, weight: 0}]}",
            "routes[0].targets: the weights add up to 0: give at least one target a weight",
        ),
        (
            "- {name: a, match: {model: x}, targets: [{backend: openai, model: gpt-4p}]}",
            "routes[0].targets[0].model: backend \"openai\" has no model \"gpt-4p\", did you mean \"gpt-4o\"?",
        ),
        (
            "- {name: a, match: {model: fast}, targets: [{backend: openai}]}",
            "routes[0].targets[0]: backend \"openai\" serves no model whose name this route matches: set the `model` of the target",
        ),
        (
            "- {name: a, match: {model: x, path: /v1/messages}, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0].targets[0]: backend \"openai\" does not speak the API of the path that the route matches",
        ),
        (
            "- {name: a, match: {model: [gpt-4o, gpt-9]}, targets: [{backend: openai}]}",
            "routes[0].targets: no target serves the model \"gpt-9\", which the route matches",
        ),
        (
            "- {name: a, match: {any: [{any: [{any: [{any: [{any: [{any: [{model: a}]}]}]}]}]}]}, targets: [{backend: openai}]}",
            "routes[0].match.any[0].any[0].any[0].any[0].any[0].any[0]: matches are nested more than 6 levels deep",
        ),
        (
            "- {name: a, match: {model: x, method: GET}, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0]: no request can ever match this",
        ),
        (
            "- {name: a, match: {path: /v1/chat}, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this",
        ),
        (
            "- {name: a, match: {all: [{model: a}, {model: b}]}, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0]: no request can ever match this: its conditions exclude each other",
        ),
        (
            "- {name: a, match: {model: a, all: [{model: b}]}, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0]: no request can ever match this: its conditions exclude each other",
        ),
        (
            "- {name: a, match: {any: []}, targets: [{backend: openai}]}",
            "routes[0].match.any: must not be empty",
        ),
        (
            "- {name: a, match: {model: gpt-4o, all: []}, targets: [{backend: openai}]}",
            "routes[0].match.all: must not be empty",
        ),
    ] {
        let errors = route_errors(routes);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].starts_with(expected), "{}", errors[0]);
    }
}

#[test]
fn other_errors_of_routes() {
    for (routes, expected) in [
        (
            "- {name: a, match: {model: 4}, targets: [{backend: openai}]}",
            "routes[0].match.model: must be text (put it in quotes), not a number",
        ),
        (
            "- {name: a, match: {model: 'a*b'}, targets: [{backend: openai}]}",
            "routes[0].match.model: \"a*b\" is not a valid pattern",
        ),
        (
            "- {name: a, match: {headers: {'x y': '*'}}, targets: [{backend: openai}]}",
            "routes[0].match.headers.x y: \"x y\" is not a valid header name",
        ),
        (
            "- {name: a, match: {model: x}, strategy: weightd, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0].strategy: unknown value \"weightd\", did you mean \"weighted\"?",
        ),
        (
            "- {name: a, match: {model: x}, targets: [{backend: openai, model: gpt-4o, weight: 2}]}",
            "routes[0].targets[0].weight: only `strategy: weighted` uses weights",
        ),
        (
            "- {name: a, match: {model: x}, strategy: weighted, targets: [{backend: openai, model: gpt-4o, weight: 0.5}]}",
            "routes[0].targets[0].weight: must be a whole number from 0 to 1000000",
        ),
        (
            "- {name: a, match: {stream: 'yes'}, targets: [{backend: openai}]}",
            "routes[0].match.stream: must be true or false, not text",
        ),
        (
            "- {name: a, match: {model: gpt-4o}, targets: [{backend: openai}]}
- {name: a, match: {model: gpt-4o-mini}, targets: [{backend: openai}]}",
            "routes[1]: another route is also called \"a\"",
        ),
    ] {
        let errors = route_errors(routes);
        assert!(errors[0].starts_with(expected), "{errors:#?}");
    }
}

#[test]
fn errors_of_backends() {
    let with = |fields: &str| {
        errors(&format!(
            "backends: [{{name: a, schema: openai, models: [{{name: m}}], {fields}}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: a}}]}}]"
        ))
    };
    for host in [
        "a.example:8443",
        "1.2.3.4",
        "'[::1]'",
        "'[2001:db8::1]:8443'",
        "my_host",
    ] {
        assert_eq!(with(&format!("host: {host}, path_prefix: ''")), [""; 0]);
    }
    for (fields, expected) in [
        (
            "host: 'https://a'",
            "backends[0].host: must be only a host name",
        ),
        ("host: 'a:0'", "backends[0].host: must be only a host name"),
        (
            "host: 'a:65536'",
            "backends[0].host: must be only a host name",
        ),
        ("host: 'a:'", "backends[0].host: must be only a host name"),
        ("host: '::1'", "backends[0].host: must be only a host name"),
        ("host: '[::1'", "backends[0].host: must be only a host name"),
        ("host: '[x]'", "backends[0].host: must be only a host name"),
        (
            "path_template: '/{modl}'",
            "backends[0].path_template: knows {model} and {operation}, not {modl}",
        ),
        (
            "path_template: 'x{model}'",
            "backends[0].path_template: must begin with \"/\"",
        ),
        (
            "path_prefix: /a, path_template: /b",
            "backends[0]: has both",
        ),
        (
            "set_headers: {Authorization: Bearer x}",
            "backends[0].set_headers.Authorization: \"Authorization\" cannot be changed here: credentials",
        ),
        (
            "set_headers: {host: x}",
            "backends[0].set_headers.host: \"host\" cannot be changed here: use",
        ),
        (
            "set_headers: {x-a: \"b\\nc\"}",
            "backends[0].set_headers.x-a: must not contain control characters",
        ),
        (
            "remove_headers: [x-envoy-foo]",
            "backends[0].remove_headers[0]: \"x-envoy-foo\" cannot be changed here",
        ),
        (
            "allow_headers: [X-Api-Key]",
            "backends[0].allow_headers[0]: \"X-Api-Key\" cannot be allowed: it is a credential. For the gateway's own key,",
        ),
        (
            "allow_headers: [x-envoy-attempt-count]",
            "backends[0].allow_headers[0]: \"x-envoy-attempt-count\" cannot be allowed: the name is reserved for Envoy",
        ),
        (
            "allow_headers: [\"x-llm-router-*\"]",
            "backends[0].allow_headers[0]: \"x-llm-router-*\" cannot be allowed: the name is reserved for Envoy",
        ),
        (
            "allow_headers: [\"x-*-id\"]",
            "backends[0].allow_headers[0]: \"x-*-id\" is not a valid pattern",
        ),
        (
            "allow_headers: [\"a b\"]",
            "backends[0].allow_headers[0]: \"a b\" is not a valid header name",
        ),
        (
            "allow_headers: [x-a, X-A]",
            "backends[0].allow_headers[1]: is given twice",
        ),
        (
            "allow_headers: [x-a], remove_headers: [x-a]",
            "backends[0].allow_headers[0]: is also in remove_headers",
        ),
        (
            "forward_client_credentials: 1",
            "backends[0].forward_client_credentials: must be true or false, not a number",
        ),
        ("models: [{name: m}]", "backends[0].models: is given twice"),
    ] {
        // YAML itself refuses a name that occurs twice; JSON does not.
        if fields.starts_with("models") {
            let tree = Tree::Map(vec![
                ("backends".into(), Tree::Null),
                ("backends".into(), Tree::Null),
            ]);
            let errors = Document::compile(&tree).unwrap_err();
            assert_eq!(
                errors[0].to_string(),
                "backends: is given twice: remove one"
            );
            continue;
        }
        let errors = with(fields);
        assert!(
            errors.iter().any(|error| error.starts_with(expected)),
            "{errors:#?}"
        );
    }
    let twice = errors(
        "backends:
- {name: a, schema: openai, models: [{name: m}, {name: m}]}
- {name: a, schema: openai, models: [{name: 'm*', upstream_name: x}]}
routes: [{name: r, match: {model: '*'}, targets: [{backend: a}]}]",
    );
    assert_eq!(twice.len(), 4, "{twice:#?}");
}

#[test]
fn models_behind_a_pattern_that_takes_them() {
    let models = |models: &str| {
        errors(&format!(
            "backends: [{{name: a, schema: openai, models: [{models}]}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: a}}]}}]"
        ))
    };
    for (later, before) in [
        ("gpt-us-*", "*"),
        ("gpt-us-*", "gpt-*"),
        ("*-x-mini", "*-mini"),
    ] {
        let error = format!(
            "backends[0].models[1]: \"{later}\" is never used: the pattern models[0] already matches all of its models; put \"{later}\" before it"
        );
        assert_eq!(
            models(&format!("{{name: '{before}'}}, {{name: '{later}'}}")),
            [error]
        );
        // In the other order, and with its own name.
        assert_eq!(
            models(&format!(
                "{{name: '{later}'}}, {{name: '{before}'}}, {{name: gpt-us-x-mini}}"
            )),
            [""; 0]
        );
    }
}

#[test]
fn each_wrong_pattern_is_told_once() {
    for (model, wrong) in [
        ("yes", 1),
        ("5", 1),
        ("''", 1),
        ("[]", 1),
        ("[1, 'a*b', b, 2]", 3),
    ] {
        let model = model.replace("yes", "true");
        let errors = errors(&format!(
            "backends: [{{name: a, schema: openai, models: [{{name: m}}]}}]
routes: [{{name: r, match: {{model: {model}}}, targets: [{{backend: a}}]}}]"
        ));
        let told = errors
            .iter()
            .filter(|error| error.starts_with("routes[0].match.model"));
        assert_eq!(told.count(), wrong, "{model}: {errors:#?}");
    }
}

#[test]
fn both_encodings_are_told_apart() {
    let json = r#"{"backends": [{"name": "a", "schema": "openai", "models": [{"name": "m"}]}],
        "routes": [{"name": "r", "match": {"model": "*"}, "targets": [{"backend": "a"}]}],
        "defaults": {"missing_flag_timeout_ms": 500}}"#;
    for text in [
        json.to_owned(),
        format!("\n{json}"),
        format!("\n\n \t{json}\n"),
    ] {
        let document = Document::load(text.as_bytes()).unwrap();
        assert_eq!(document.missing_flag_timeout, Duration::from_millis(500));
    }
    for wrong in [
        "",
        " \n",
        "\n",
        "\n{",
        "{\"a\":}",
        "backends: []",
        "\n\x7b\n\x20",
    ] {
        let errors = Document::load(wrong.as_bytes()).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].to_string().contains("configuration"),
            "{}",
            errors[0]
        );
    }
    // An empty Struct is an empty document.
    assert!(Document::load(b"{}").unwrap_err().len() == 2);
}

#[test]
fn the_catalog_has_what_can_be_asked_for() {
    let document = Document::of_yaml(
        "backends:
- {name: b, schema: openai, models: [{name: m1}, {name: m2}, {name: hidden}, {name: 'x-*'}]}
- {name: c, schema: openai, models: [{name: m9}]}
routes:
- {name: r1, match: {any: [{model: [fast, quick]}, {all: [{model: m2}]}]}, targets: [{backend: b, model: m1}]}
- {name: r2, match: {model: 'm*', headers: {x-team: a}, not: {model: mx}}, targets: [{backend: b}]}",
    )
    .unwrap();
    let names: Vec<&str> = document.catalog.names().collect();
    assert_eq!(names, ["fast", "quick", "m2", "m1"]);
}
