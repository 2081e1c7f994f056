//! Tests of documents with pass-through routes and with stored state.

use super::{errors, route_errors};

#[test]
fn what_a_pass_through_route_cannot_have() {
    for (routes, expected) in [
        (
            "- {name: a, match: {path: /v1/files}, pass_through: yes please, targets: [{backend: openai}]}",
            "routes[0].pass_through: must be true or false",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, targets: [{backend: openai}, {backend: anthropic}]}",
            "routes[0].targets: a route with `pass_through: true` must have exactly one target",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0].targets[0].model: cannot be used with `pass_through: true`",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, targets: [{backend: openai, parameters: {remove: [seed]}}]}",
            "routes[0].targets[0].parameters: cannot be used with `pass_through: true`",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, strategy: weighted, targets: [{backend: openai}]}",
            "routes[0].strategy: cannot be used with `pass_through: true`",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, fallback: {hold: none}, targets: [{backend: openai}]}",
            "routes[0].fallback: cannot be used with `pass_through: true`",
        ),
        (
            "- {name: a, match: {path: /v1/files}, pass_through: true, stored_at: openai, targets: [{backend: openai}]}",
            "routes[0].stored_at: cannot be used with `pass_through: true`",
        ),
        (
            "- {name: a, match: {any: [{path: /v1/files}, {not: {stream: true}}]}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: a route with `pass_through: true` can match only what is known without the body",
        ),
        (
            "- {name: a, match: {path: /v1/files, prompt_bytes: {min: 1}}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: a route with `pass_through: true` can match only what is known without the body",
        ),
        (
            "- {name: a, match: {all: [{path: /a}, {path: /b}]}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this: its conditions exclude each other",
        ),
        (
            "- {name: a, match: {path: /v1/chat/completions}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this: a POST to such a path is a model call",
        ),
        (
            "- {name: a, match: {path: '/v1beta/models/x:generateContent', method: POST}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this: a POST to such a path is a model call",
        ),
        (
            "- {name: a, match: {path: /v1/models}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this: a POST to such a path is a model call",
        ),
        (
            "- {name: all, match: {path: '*'}, pass_through: true, targets: [{backend: openai}]}
- {name: late, match: {path: /v1/files}, pass_through: true, targets: [{backend: anthropic}]}",
            "routes[1]: can never be reached: routes[0] (\"all\")",
        ),
        (
            "- {name: a, match: {path: /v1/files}, targets: [{backend: openai}]}",
            "routes[0]: no request can ever match this: a route takes POST requests to paths of model calls",
        ),
        (
            "- {name: a, match: {path: [/v1/files, v1/batches]}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0].match.path[1]: a path must begin with",
        ),
        (
            "- {name: a, match: {path: '/v1/files?purpose=*'}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0].match.path: paths are matched without the query",
        ),
        (
            "- {name: a, match: {not: {method: get}, path: /v1/files}, pass_through: true, targets: [{backend: openai}]}",
            "routes[0].match.not.method: methods must be in upper case",
        ),
        (
            "- {name: a, match: {model: x}, stored_at: opnai, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0].stored_at: no target of this route has the backend \"opnai\", did you mean \"openai\"?",
        ),
        (
            "- {name: a, match: {model: x}, stored_at: anthropic, targets: [{backend: openai, model: gpt-4o}]}",
            "routes[0].stored_at: no target of this route has the backend \"anthropic\"; their backends are openai",
        ),
    ] {
        let errors = route_errors(routes);
        assert_eq!(errors.len(), 1, "{routes}\n{errors:#?}");
        assert!(errors[0].starts_with(expected), "{}", errors[0]);
    }
}

#[test]
fn routes_of_both_kinds_stand_side_by_side() {
    for routes in [
        "- {name: all, match: {model: '*'}, targets: [{backend: openai}]}
- {name: rest, match: {path: '*'}, pass_through: true, targets: [{backend: openai}]}",
        "- {name: rest, match: {path: '*'}, pass_through: true, targets: [{backend: openai}]}
- {name: all, match: {path: '*'}, targets: [{backend: openai}]}",
        // Stored state can be at the path of a model call.
        "- {name: a, match: {path: /v1/chat/completions, method: GET}, pass_through: true, targets: [{backend: openai}]}",
        "- {name: a, match: {path: /v1/responses, headers: {upgrade: websocket}}, pass_through: true, targets: [{backend: openai}]}",
        "- {name: a, match: {path: '/v1/chat/completions*'}, pass_through: true, targets: [{backend: openai}]}",
        "- {name: a, match: {path: '/v1beta/models/*', method: POST}, pass_through: true, targets: [{backend: openai}]}",
        "- {name: a, match: {path: /openai/deployments/m/chat/completions}, targets: [{backend: openai}]}",
        "- {name: a, match: {path: '*/embeddings', model: x}, stored_at: openai, targets: [{backend: openai, model: gpt-4o}]}",
    ] {
        assert_eq!(route_errors(routes), [""; 0], "{routes}");
    }
}

#[test]
fn every_dialect_is_spoken_only_by_its_own() {
    let with = |schema: &str, path: &str| {
        errors(&format!(
            "backends: [{{name: a, schema: {schema}, models: [{{name: m}}]}}]
routes: [{{name: r, match: {{path: '{path}'}}, targets: [{{backend: a}}]}}]"
        ))
    };
    for (schema, path) in [
        ("openai", "/v1/rerank"),
        ("openai", "/openai/v1/rerank"),
        ("azure-openai", "/v1/responses"),
        ("anthropic", "/v1/messages/count_tokens"),
        ("gemini", "/v1beta/models/m:countTokens"),
        ("bedrock", "/model/m/invoke"),
    ] {
        assert_eq!(with(schema, path), [""; 0], "{schema} {path}");
        for other in ["openai", "azure-openai", "anthropic", "gemini", "bedrock"] {
            let both = [schema, other].iter().all(|one| one.ends_with("openai"));
            if other != schema && !both {
                let errors = with(other, path);
                assert_eq!(errors.len(), 1, "{other} {path}");
                assert!(errors[0].contains("does not speak the API"), "{errors:?}");
            }
        }
    }
}

#[test]
fn a_path_that_loses_the_model() {
    let with = |schema: &str, template: &str, models: &str| {
        errors(&format!(
            "backends: [{{name: a, schema: {schema}, path_template: '{template}', models: [{models}]}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: a}}]}}]"
        ))
    };
    let endpoint = "/v1/projects/p/locations/l/endpoints/1{operation}";
    for schema in ["gemini", "bedrock"] {
        for models in ["{name: m}, {name: other}", "{name: '*'}"] {
            let errors = with(schema, endpoint, models);
            assert_eq!(errors.len(), 1, "{errors:#?}");
            assert!(
                errors[0].starts_with("backends[0].path_template: has no {model}"),
                "{errors:?}"
            );
            assert_eq!(with(schema, "/x/{model}{operation}", models), [""; 0]);
        }
        assert_eq!(with(schema, endpoint, "{name: m}"), [""; 0]);
    }
    for schema in ["openai", "azure-openai", "anthropic"] {
        assert_eq!(
            with(schema, "/x{operation}", "{name: m}, {name: other}"),
            [""; 0]
        );
    }
}

/// Loads the examples in docs/apis.md, with the backends that they name.
#[test]
fn the_examples_of_apis_load() {
    let docs = include_str!("../../docs/apis.md");
    let blocks: Vec<&str> = docs
        .split("```yaml\n")
        .skip(1)
        .map(|after| after.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let document = format!(
            "backends:
- {{name: openai, schema: openai, models: [{{name: gpt-5.5}}]}}
- {{name: azure, schema: azure-openai, models: [{{name: gpt-5.5}}]}}
{block}"
        );
        assert_eq!(errors(&document), [""; 0], "{block}");
    }
}
