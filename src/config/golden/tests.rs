//! Tests of golden tests that pass, that fail, and that are written incorrectly.

use super::*;

const DOCUMENT: &str = "
backends:
- {name: openai, schema: openai, models: [{name: gpt-5.5, upstream_name: gpt-5.5-2026}, {name: mini}]}
- {name: azure, schema: azure-openai, models: [{name: gpt-5.5}]}
- {name: anthropic, schema: anthropic, models: [{name: claude}]}
routes:
- {name: files, pass_through: true, match: {path: '/v1/files*'}, targets: [{backend: azure}]}
- {name: team, match: {model: smart, headers: {x-team: research}, stream: true}, targets: [{backend: azure, model: gpt-5.5}]}
- name: smart
  match: {model: smart}
  targets: [{backend: openai, model: gpt-5.5}, {backend: azure, model: gpt-5.5}, {backend: anthropic, model: claude}]
- name: drawn
  match: {model: drawn}
  strategy: weighted
  targets: [{backend: openai, model: mini, weight: 1}, {backend: azure, model: gpt-5.5, weight: 9}, {backend: openai, model: gpt-5.5, weight: 0}]
- name: sticky
  match: {model: sticky}
  sticky: [{header: x-session}]
  strategy: weighted
  targets: [{backend: openai, model: mini}, {backend: azure, model: gpt-5.5}, {backend: openai, model: gpt-5.5}]
- name: groups
  match: {model: groups}
  targets:
  - {backend: openai, model: mini}
  - {strategy: weighted, targets: [{backend: openai, model: gpt-5.5}, {backend: azure, model: gpt-5.5}]}
- name: first-group
  match: {model: first-group}
  targets:
  - {strategy: weighted, targets: [{backend: openai, model: gpt-5.5}, {backend: azure, model: gpt-5.5, weight: 0}]}
  - {backend: openai, model: mini}
- {name: canary, sticky: [{header: x-session}], match: {model: split, percent: 50}, targets: [{backend: azure, model: gpt-5.5}]}
- {name: rest, match: {model: split}, targets: [{backend: openai, model: mini}]}
- {name: none, match: {model: rollout, percent: 0}, targets: [{backend: azure, model: gpt-5.5}]}
- {name: every, match: {model: rollout, percent: 100}, targets: [{backend: openai, model: mini}]}
- {name: some-batches, pass_through: true, sticky: [{header: x-session}], match: {path: /v1/batches, percent: 50}, targets: [{backend: azure}]}
- {name: batches, pass_through: true, match: {path: /v1/batches}, targets: [{backend: openai}]}
- {name: by-name, match: {model: [gpt-*, claude]}, targets: [{backend: openai}, {backend: anthropic}]}
";

fn tree(more: &str) -> Tree {
    serde_saphyr::from_str(&format!("{DOCUMENT}{more}")).unwrap()
}

/// Returns the errors of a document with one test.
fn errors_of(request: &str, expect: &str) -> Vec<String> {
    let tree = tree(&format!(
        "tests: [{{name: t, request: {request}, expect: {expect}}}]"
    ));
    let document = Document::compile(&tree).unwrap();
    let file = |name: &str| match name {
        "request.json" => Ok(br#"{"model": "smart"}"#.to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let run = run_tests(&tree, &document, &file);
    assert_eq!(run.count, 1);
    run.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn what_holds() {
    for (request, expect) in [
        ("{model: smart}", "{route: smart, target: openai}"),
        ("{model: smart}", "{plan: [openai/gpt-5.5-2026, azure]}"),
        ("{model: smart}", "{left_out: [anthropic]}"),
        (
            "{model: smart}",
            "{left_out: [anthropic/claude schema_mismatch]}",
        ),
        (
            "{model: smart, stream: true, headers: {X-Team: research}}",
            "{route: team, target: azure/gpt-5.5}",
        ),
        (
            "{body: {model: smart, stream: true, n: [1, 0.5, null]}, headers: {x-team: [a, research]}}",
            "{route: team}",
        ),
        (r#"{body: '{"model": "smart"}'}"#, "{route: smart}"),
        ("{file: request.json}", "{route: smart}"),
        (
            "{model: drawn}",
            "{target: openai/mini, plan: [azure, openai/mini, openai/gpt-5.5-2026]}",
        ),
        ("{model: drawn}", "{target: azure, left_out: []}"),
        (
            "{model: sticky}",
            "{plan: [azure, openai/mini, openai/gpt-5.5-2026]}",
        ),
        (
            "{model: sticky, headers: {x-session: s-1}}",
            "{target: openai/mini, plan: [openai/mini, azure, openai/gpt-5.5-2026]}",
        ),
        (
            "{model: groups}",
            "{target: openai/mini, plan: [openai/mini, azure, openai/gpt-5.5-2026]}",
        ),
        (
            "{model: first-group}",
            "{target: openai/gpt-5.5-2026, plan: [azure, openai/gpt-5.5-2026, openai/mini]}",
        ),
        ("{model: split, headers: {x-session: s-1}}", "{route: rest}"),
        (
            "{model: split, headers: {x-session: s-2}}",
            "{route: canary}",
        ),
        ("{model: rollout}", "{route: every}"),
        (
            "{path: /v1/batches, method: GET, headers: {x-session: s-1}}",
            "{route: batches}",
        ),
        (
            "{path: /v1/batches, method: GET, headers: {x-session: s-2}}",
            "{route: some-batches}",
        ),
        (
            "{model: claude, path: /v1/messages}",
            "{target: anthropic, left_out: [openai schema_mismatch]}",
        ),
        (
            "{model: gpt-5.5}",
            "{target: openai/gpt-5.5-2026, left_out: [anthropic]}",
        ),
        ("{model: gpt-9}", "{error: model_not_found}"),
        ("{model: nobody}", "{error: model_not_found}"),
        ("{}", "{error: missing_model}"),
        ("{body: '{'}", "{error: invalid_json}"),
        (
            "{path: /v1/embeddings, method: GET}",
            "{error: method_not_allowed}",
        ),
        ("{path: /nothing, method: GET}", "{error: path_not_found}"),
        (
            "{path: /v1/files/x, method: GET}",
            "{route: files, target: azure, plan: [azure]}",
        ),
    ] {
        assert_eq!(errors_of(request, expect), [""; 0], "{request} {expect}");
    }
}

/// The tests in the documents on these pages pass.
#[test]
fn documents_in_the_docs() {
    let pages = [
        (include_str!("../../../docs/identity.md"), 2),
        (include_str!("../../../docs/cli/callers.yaml"), 1),
    ];
    for (page, expected) in pages {
        let blocks = page
            .split("```yaml\n")
            .map(|block| block.split("```").next().unwrap());
        let documents: Vec<&str> = blocks
            .filter(|block| block.starts_with("backends:"))
            .collect();
        assert_eq!(documents.len(), expected);
        for document in documents {
            let tree: Tree = serde_saphyr::from_str(document).unwrap();
            let compiled = Document::compile(&tree).unwrap();
            let run = run_tests(&tree, &compiled, &super::super::no_file);
            assert!(run.count > 1 && run.errors.is_empty(), "{:?}", run.errors);
        }
    }
}

/// Tests that name the caller and the time.
#[test]
fn callers() {
    const CALLERS: &str = "
backends: [{name: a, schema: openai, models: [{name: m}]}]
routes:
- {name: claim, match: {claims: {sub: x, n: '1'}}, targets: [{backend: a}]}
- {name: mesh, match: {mesh: {namespace: ns1}}, targets: [{backend: a}]}
- {name: monday-noon, match: {time: {from: '12:00', to: '12:01', weekdays: mon}}, targets: [{backend: a}]}
- {name: file-by-night, pass_through: true, match: {path: '/v1/files*', time: {to: '06:00'}}, targets: [{backend: a}]}
";
    for (request, expect, error) in [
        (
            "{model: m, claims: {sub: [y, x], n: 1}}",
            "{route: claim}",
            None,
        ),
        ("{model: m, claims: {sub: x}}", "{route: monday-noon}", None),
        (
            "{model: m, mesh: {trust_domain: td, namespace: ns1, service_account: s}}",
            "{route: mesh}",
            None,
        ),
        (
            "{model: m, time: '2026-01-05T13:00:59+01:00'}",
            "{route: monday-noon}",
            None,
        ),
        (
            "{model: m, time: '2026-01-05T12:01:00Z'}",
            "{error: model_not_found}",
            None,
        ),
        (
            "{path: /v1/files, method: GET, time: '2026-01-05T05:00:00Z'}",
            "{route: file-by-night}",
            None,
        ),
        (
            "{path: /v1/files, method: GET}",
            "{error: stored_state_not_routed}",
            None,
        ),
        (
            "{model: m, time: noon}",
            "{route: claim}",
            Some("time: is not a valid time: write it as \"2026-01-05T12:00:00Z\""),
        ),
        (
            "{model: m, time: '2026-02-30T00:00:00Z'}",
            "{route: claim}",
            Some("time: is not a valid time: write it as \"2026-01-05T12:00:00Z\""),
        ),
        (
            "{model: m, claims: sub}",
            "{route: claim}",
            Some("claims: must be a map, not text"),
        ),
        (
            "{model: m, mesh: {trust_domain: td, namespace: ns1}}",
            "{route: claim}",
            Some("mesh: `service_account` is missing"),
        ),
        (
            "{model: m, mesh: {trust_domain: td, namespace: ns1, service_account: 'a/b'}}",
            "{route: claim}",
            Some("mesh: \"spiffe://td/ns/ns1/sa/a/b\" is not a mesh identity"),
        ),
    ] {
        let tree: Tree = serde_saphyr::from_str(&format!(
            "{CALLERS}tests: [{{name: t, request: {request}, expect: {expect}}}]"
        ))
        .unwrap();
        let document = Document::compile(&tree).unwrap();
        let run = run_tests(&tree, &document, &super::super::no_file);
        let errors: Vec<String> = run.errors.iter().map(ToString::to_string).collect();
        let expected = error.map(|error| format!("tests[0].request.{error}"));
        assert_eq!(errors, Vec::from_iter(expected), "{request}");
    }
}

#[test]
fn what_fails() {
    for (request, expect, error) in [
        (
            "{model: smart}",
            "{route: team}",
            "tests[0].expect.route: \"t\": the request is routed by \"smart\", not by \"team\"",
        ),
        (
            "{model: smart}",
            "{target: azure}",
            "tests[0].expect.target: \"t\": \"azure\" is not the first target of \"smart\": the plan is openai/gpt-5.5-2026, azure/gpt-5.5",
        ),
        (
            "{model: drawn}",
            "{target: openai/gpt-5.5-2026}",
            "tests[0].expect.target: \"t\": \"openai/gpt-5.5-2026\" is not the first target of \"drawn\"",
        ),
        (
            "{model: drawn}",
            "{plan: [azure, azure, openai]}",
            "tests[0].expect.plan: \"t\": the plan of \"drawn\" is",
        ),
        (
            "{model: smart}",
            "{plan: [azure, openai]}",
            "tests[0].expect.plan: \"t\": the plan of \"smart\" is openai/gpt-5.5-2026, azure/gpt-5.5",
        ),
        (
            "{model: smart}",
            "{plan: [openai]}",
            "tests[0].expect.plan: \"t\": the plan of",
        ),
        (
            "{model: drawn}",
            "{plan: [azure, openai/mini]}",
            "tests[0].expect.plan: \"t\": the plan of",
        ),
        (
            "{model: sticky, headers: {x-session: s-1}}",
            "{plan: [azure, openai/mini, openai/gpt-5.5-2026]}",
            "tests[0].expect.plan: \"t\": the plan of \"sticky\" is openai/mini, azure/gpt-5.5, openai/gpt-5.5-2026",
        ),
        (
            "{model: sticky, headers: {x-session: s-1}}",
            "{target: azure}",
            "tests[0].expect.target: \"t\": \"azure\" is not the first target of \"sticky\"",
        ),
        (
            "{model: groups}",
            "{plan: [azure, openai/mini, openai/gpt-5.5-2026]}",
            "tests[0].expect.plan: \"t\": the plan of \"groups\" is openai/mini, ",
        ),
        (
            "{model: groups}",
            "{plan: [openai/mini, openai/gpt-5.5-2026]}",
            "tests[0].expect.plan: \"t\": the plan of",
        ),
        (
            "{model: groups}",
            "{target: azure}",
            "tests[0].expect.target: \"t\": \"azure\" is not the first target of \"groups\"",
        ),
        (
            "{model: first-group}",
            "{target: openai/mini}",
            "tests[0].expect.target: \"t\": \"openai/mini\" is not the first target",
        ),
        (
            "{model: first-group}",
            "{target: azure}",
            "tests[0].expect.target: \"t\": \"azure\" is not the first target",
        ),
        (
            "{model: split}",
            "{route: rest}",
            "tests[0].expect: \"t\": whether \"canary\" takes the request is random, because of its `percent`: give the request",
        ),
        (
            "{path: /v1/batches, method: GET}",
            "{route: batches}",
            "tests[0].expect: \"t\": whether \"some-batches\" takes the request is random",
        ),
        (
            "{model: smart}",
            "{left_out: []}",
            "tests[0].expect.left_out: \"t\": \"smart\" leaves out anthropic/claude schema_mismatch",
        ),
        (
            "{model: smart}",
            "{left_out: [anthropic tied]}",
            "tests[0].expect.left_out: \"t\": \"smart\" leaves out",
        ),
        (
            "{model: gpt-5.5, path: /v1/chat/completions}",
            "{left_out: [openai, anthropic]}",
            "tests[0].expect.left_out: \"t\": \"by-name\" leaves out",
        ),
        (
            "{model: smart}",
            "{error: model_not_found}",
            "tests[0].expect.error: \"t\": the request is routed by \"smart\", not answered with model_not_found",
        ),
        (
            "{model: nobody}",
            "{route: smart}",
            "tests[0].expect: \"t\": the request is answered with 404 model_not_found, so it is not sent to a backend",
        ),
        (
            "{body: '{'}",
            "{error: model_not_found}",
            "tests[0].expect.error: \"t\": the request is answered with 400 invalid_json, not with model_not_found",
        ),
        (
            "{path: /v1/models, method: GET}",
            "{route: smart}",
            "tests[0].expect: \"t\": the router itself answers the request with 200, so it is not sent to a backend",
        ),
    ] {
        let errors = errors_of(request, expect);
        assert_eq!(errors.len(), 1, "{request} {expect} {errors:#?}");
        assert!(errors[0].starts_with(error), "{}", errors[0]);
    }
}

#[test]
fn what_is_written_wrong() {
    for (request, expect, error) in [
        ("{model: smart}", "{}", "tests[0].expect: must not be empty"),
        (
            "{model: smart}",
            "{rout: smart}",
            "tests[0].expect.rout: unknown field, did you mean \"route\"?",
        ),
        (
            "{model: smart}",
            "{route: smrt}",
            "tests[0].expect.route: there is no route \"smrt\", did you mean \"smart\"?",
        ),
        (
            "{model: smart}",
            "{error: model_not_fund}",
            "tests[0].expect.error: there is no error code \"model_not_fund\", did you",
        ),
        (
            "{model: smart}",
            "{error: model_not_found, target: azure}",
            "tests[0].expect: has both `error` and `target`",
        ),
        (
            "{modle: smart}",
            "{route: smart}",
            "tests[0].request.modle: unknown field",
        ),
        (
            "{path: v1}",
            "{error: path_not_found}",
            "tests[0].request.path: must begin with",
        ),
        (
            "{file: none.json}",
            "{route: smart}",
            "tests[0].request.file: no such file",
        ),
        (
            "{file: request.json, model: x}",
            "{route: smart}",
            "tests[0].request: has the whole body as text or a file, and also `model`",
        ),
        (
            "{body: x, stream: true}",
            "{error: invalid_json}",
            "tests[0].request: has the whole body as text or a file, and also `stream`",
        ),
        (
            "{model: smart, body: {model: nobody}}",
            "{route: smart}",
            "tests[0].request.model: is also in `body`: write `model` only once",
        ),
        (
            "{model: smart, stream: true, body: {stream: false}}",
            "{route: smart}",
            "tests[0].request.stream: is also in `body`: write `stream` only once",
        ),
        (
            "{headers: {'a b': c}}",
            "{error: missing_model}",
            "tests[0].request.headers.a b: \"a b\" is not a valid header name",
        ),
    ] {
        let errors = errors_of(request, expect);
        assert!(errors[0].starts_with(error), "{errors:#?}");
    }
}

#[test]
fn each_test_has_a_name_of_its_own() {
    let tree = tree(
        "tests: [{name: a, request: {model: smart}, expect: {route: smart}}, {name: a, request: {model: smart}, expect: {route: smart}}]",
    );
    let document = Document::compile(&tree).unwrap();
    let run = run_tests(&tree, &document, &|_| Err(String::new()));
    assert_eq!(run.count, 2);
    assert_eq!(
        run.errors[0].to_string(),
        "tests[1]: another test is also called \"a\": tests need unique names"
    );
}

/// The filter runs the tests at load, if `enforce_tests` is set.
#[test]
fn the_filter_runs_them_where_it_is_told_to() {
    let wrong = "tests: [{name: t, request: {model: smart}, expect: {route: team}}]\n";
    let right = "tests: [{name: t, request: {model: smart}, expect: {route: smart}}]\n";
    let file = "tests: [{name: t, request: {file: request.json}, expect: {route: smart}}]\n";
    let enforced = "enforce_tests: true\n";
    for (more, error) in [
        (wrong.to_owned(), None),
        ("tests: nonsense\n".to_owned(), None),
        (right.to_owned() + enforced, None),
        (wrong.to_owned() + "enforce_tests: false\n", None),
        (
            wrong.to_owned() + enforced,
            Some("tests[0].expect.route: \"t\": the request is routed by \"smart\""),
        ),
        (
            file.to_owned() + enforced,
            Some("tests[0].request.file: only the tool can read a file"),
        ),
        (
            "tests: nonsense\n".to_owned() + enforced,
            Some("tests: must be a list"),
        ),
        (
            "tests: []\n".to_owned() + enforced,
            Some("tests: must not be empty"),
        ),
        (
            enforced.to_owned(),
            Some("`enforce_tests: true` needs `tests`"),
        ),
    ] {
        let errors = Document::compile(&tree(&more)).err().unwrap_or_default();
        assert_eq!(
            errors.len(),
            usize::from(error.is_some()),
            "{more} {errors:?}"
        );
        if let Some(error) = error {
            assert!(errors[0].to_string().starts_with(error), "{}", errors[0]);
        }
    }
}
