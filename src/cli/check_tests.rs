//! Tests of faulty files, and of the places at which their errors are reported.

use super::*;

#[path = "check_embedded_tests.rs"]
mod embedded;

/// Returns the findings for a text, one a line, without excerpts.
fn findings(text: &str) -> Vec<String> {
    let report = check(Path::new("tests/cli/none.yaml"), text).unwrap();
    let findings = report.findings.iter().map(|finding| {
        let rendered = finding.render("f", text);
        let rendered = anstream::adapter::strip_str(&rendered).to_string();
        rendered.lines().next().unwrap_or_default().to_owned()
    });
    findings.collect()
}

/// Changes one place of a text, which must exist.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

const DOCUMENT: &str = "\
backends:
- {name: openai, schema: openai, models: [{name: gpt}]}
- {name: claude, schema: anthropic, models: [{name: opus}]}
routes:
- {name: a, match: {model: gpt}, targets: [{backend: openai}]}
- {name: b, match: {model: opus}, targets: [{backend: claude}]}
tests:
- {name: t, request: {model: gpt}, expect: {route: a}}
";

#[test]
fn errors_and_warnings_of_a_document() {
    assert_eq!(findings(DOCUMENT), [""; 0]);
    for (from, to, expected) in [
        (
            "schema: anthropic",
            "schema: anthropc",
            "f:3:26: backends[1].schema: unknown schema \"anthropc\"",
        ),
        (
            "match: {model: gpt}",
            "match: {modl: gpt}",
            "f:5:21: routes[0].match.modl: unknown field",
        ),
        (
            "targets: [{backend: claude}]",
            "targets: []",
            "f:6:35: routes[1].targets: must not be empty",
        ),
        (
            "model: opus}",
            "model: [gpt]}",
            "f:6:3: routes[1]: can never be reached",
        ),
        (
            "expect: {route: a}",
            "expect: {route: b}",
            "f:8:52: tests[0].expect.route: \"t\": the request is routed by \"a\"",
        ),
        (
            "{name: gpt}",
            "{name: gpt, prices: {input: 1}}",
            "f:3:53: warning: backends[1].models[0].name: the model has no `prices`",
        ),
        (
            "{name: gpt}",
            "{name: gpt, prices: {input: 1, cached_input: 1.5}}",
            "f:2:88: warning: backends[0].models[0].prices.cached_input: is more than `input`",
        ),
        ("routes:", "routes: [", "f:"),
        (
            "- {name: b, match: {model: opus}, targets: [{backend: claude}]}\n",
            "",
            "f:3:10: warning: backends[1].name: no route uses the backend",
        ),
        (
            "{name: opus}",
            "{name: opus}, {name: sonnet}",
            "f:3:67: warning: backends[1].models[1].name: no route sends requests to this model",
        ),
        (
            "[{backend: openai}]",
            "[{backend: openai}], sticky: [user]",
            "f:5:64: warning: routes[0].sticky: has no effect",
        ),
        (
            "routes:",
            "defaults: {sticky: [user]}\nroutes:",
            "f:4:12: warning: defaults.sticky: has no effect: it applies to routes",
        ),
        (
            "routes:",
            "defaults: {telemetry: {caller: mesh, callers: [a], metrics: false}}\nroutes:",
            "f:4:38: warning: defaults.telemetry.callers: has no effect",
        ),
        (
            "routes:",
            "defaults: {telemetry: {caller: {header: X-Page}}, page: {secret_header: x-page, secret_sha256: \
             ff00000000000000000000000000000000000000000000000000000000000000}}\nroutes:",
            "f:4:24: warning: defaults.telemetry.caller: is the header with the page's secret",
        ),
        (
            "[{backend: openai}]",
            "[{backend: openai, model: gpt}, {strategy: weighted, targets: [{backend: claude, model: opus}]}]",
            "f:5:116: warning: routes[0].targets[1].targets[0].backend: speaks a different API",
        ),
        (
            "[{backend: openai}]",
            "[{backend: openai, model: gpt}, {backend: claude, model: opus}]",
            "f:5:85: warning: routes[0].targets[1].backend: speaks a different API",
        ),
        (
            "models: [{name: gpt}]}\n",
            "models: [{name: gpt, context_window: 9}]}\n- {name: other, schema: openai, models: [{name: gpt}]}\n",
            "f:3:10: warning: backends[1].name: no route uses",
        ),
    ] {
        let found = findings(&changed(DOCUMENT, from, to));
        assert!(
            found.iter().any(|one| one.starts_with(expected)),
            "{from} {found:#?}"
        );
    }
    // With a fallback, several APIs under one name are intended.
    let mixed = changed(
        DOCUMENT,
        "[{backend: openai}]",
        "[{backend: openai, model: gpt}, {backend: openai, model: gpt}, {backend: claude, model: opus}]",
    );
    assert_eq!(findings(&mixed), [""; 0]);
    // A price of 0 is known.
    let free = changed(DOCUMENT, "{name: gpt}", "{name: gpt, prices: {input: 1}}");
    let free = changed(&free, "{name: opus}", "{name: opus, prices: {input: 0}}");
    assert_eq!(findings(&free), [""; 0]);
    let windows = changed(
        DOCUMENT,
        "{name: gpt}",
        "{name: gpt, context_window: 9}, {name: large}",
    );
    let windows = changed(
        &windows,
        "[{backend: openai}]",
        "[{backend: openai, model: gpt}, {backend: openai, model: large}]",
    );
    let found = findings(&windows);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("routes[0].targets[1].model: the model has no `context_window`"),
        "{found:#?}"
    );
}

/// A key that a choice uses causes no warning, nor does a route that switches keys off.
#[test]
fn a_key_that_is_used() {
    for (from, to) in [
        (
            "[{backend: openai}]",
            "[{backend: openai}], strategy: weighted, sticky: [user]",
        ),
        ("[{backend: openai}]", "[{backend: openai}], sticky: []"),
        (
            "match: {model: gpt}",
            "match: {model: gpt, percent: 100}, sticky: [user]",
        ),
    ] {
        let found = findings(&changed(DOCUMENT, from, to));
        assert_eq!(found, [""; 0], "{to}");
    }
    let default = changed(DOCUMENT, "routes:", "defaults: {sticky: [user]}\nroutes:");
    let used = changed(
        &default,
        "[{backend: openai}]",
        "[{backend: openai}], strategy: weighted",
    );
    assert_eq!(findings(&used), [""; 0]);
}

#[test]
fn the_examples_have_neither_errors_nor_warnings() {
    for name in ["demo", "minimal", "older", "providers"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("envoy/{name}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let report = check(&path, &text).unwrap();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert!(report.backends > 0 && report.routes > 0);
    }
}

/// The header with the page's secret is taken out of every request before anything asks for it.
#[test]
fn the_page_has_its_secret_alone() {
    let page = "page: {secret_header: x-page, secret_sha256: \
                ff00000000000000000000000000000000000000000000000000000000000000}";
    let with = |defaults: &str, route: &str| {
        let text = changed(
            DOCUMENT,
            "routes:",
            &format!("defaults: {{{page}{defaults}}}\nroutes:"),
        );
        findings(&changed(&text, "match: {model: gpt}", route))
    };
    for (defaults, route, path) in [
        (
            "",
            "match: {model: gpt, headers: {X-Page: '*'}}",
            "routes[0].match.headers.x-page",
        ),
        (
            "",
            "match: {model: gpt, percent: 5}, sticky: [user, {header: x-page}]",
            "routes[0].sticky",
        ),
        (
            ", sticky: [{header: x-page}]",
            "match: {model: gpt, percent: 5}",
            "defaults.sticky",
        ),
    ] {
        let found = with(defaults, route);
        let found: Vec<_> = found
            .iter()
            .filter(|one| one.contains(": warning: "))
            .collect();
        let expected = format!("warning: {path}: is the header with the page's secret");
        assert_eq!(found.len(), 1, "{path} {found:#?}");
        assert!(found[0].contains(&expected), "{path} {found:#?}");
    }
    let found = with("", "match: {model: gpt, not: {headers: {x-page: '*'}}}");
    assert_eq!(found, [""; 0]);
}

/// Scalars that Envoy reads differently from what they look like.
#[test]
fn scalars_that_envoy_reads_otherwise() {
    for (from, to, expected) in [
        (
            "schema: openai,",
            "schema: openai, labels: {zone: 010},",
            &[
                "f:2:49: warning: backends[0].labels.zone: Envoy reads `010` as 8: write 8 if you mean that, or quote it: '010'",
            ][..],
        ),
        (
            "schema: openai,",
            "schema: openai, labels: {zone: !!str 010},",
            &[
                "f:2:55: warning: backends[0].labels.zone: Envoy ignores the tag `!!str` and reads this as 8",
            ],
        ),
        (
            "name: gpt}",
            "name: no}",
            &[
                "f:2:50: backends[0].models[0].name: must be text (put it in quotes), not a boolean. Envoy reads `no` as false",
            ],
        ),
        (
            "models: [{name: gpt}]",
            "models: [{name: gpt, context_window: 128_000}]",
            &[
                "f:2:71: backends[0].models[0].context_window: must be a whole number, not text. Envoy reads `128_000` as the text \
               '128_000': write 128000",
            ],
        ),
        (
            "match: {model: gpt}",
            "match: {any: [{model: gpt}, {body: {seed: {min: 3000000000}}}]}",
            &[],
        ),
        (
            "targets: [{backend: openai}]",
            "targets: [{backend: openai, parameters: {set: {seed: 3000000000}}}]",
            &[
                "f:5:87: warning: routes[0].targets[0].parameters.set.seed: Envoy reads `3000000000` as text",
            ],
        ),
        (
            "targets: [{backend: openai}]",
            "targets: [{backend: openai, parameters: {set: {seed: 3000000000.0, id: '3000000000'}}}]",
            &[],
        ),
    ] {
        let found = findings(&changed(DOCUMENT, from, to));
        // A model without a name causes errors elsewhere, too.
        assert_eq!(found.is_empty(), expected.is_empty(), "{to} {found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }
}

/// It is not known whether the number was in quotes.
#[test]
fn a_wide_number_is_found_as_a_number_and_as_text() {
    let document = changed(
        DOCUMENT,
        "match: {model: gpt}",
        "match: {model: gpt, body: {seed: 3000000000}}",
    );
    for (seed, is_taken) in [
        ("3000000000", true),
        ("3e9", true),
        ("\"3000000000\"", true),
        ("3000000001", false),
        ("\"3e9\"", false),
    ] {
        let request = format!("{{body: '{{\"model\": \"gpt\", \"seed\": {seed}}}'}}");
        let found = findings(&changed(
            &document,
            "{model: gpt}, expect",
            &format!("{request}, expect"),
        ));
        assert_eq!(found.is_empty(), is_taken, "{seed} {found:#?}");
    }
}

/// Files whose document as a whole is wrong.
#[test]
fn files_with_too_much_in_them() {
    let two = format!("{DOCUMENT}---\n{DOCUMENT}");
    let found = findings(&two);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("f:10:1: a second document begins here"),
        "{found:#?}"
    );
    let deep = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        changed(
            DOCUMENT,
            "{backend: openai}",
            &format!("{{backend: openai, parameters: {{set: {{x: {value}}}}}}}"),
        )
    };
    assert_eq!(findings(&deep(57)), [""; 0]);
    let found = findings(&deep(58));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("f:5:141: lists and maps are nested more than 64 levels deep"),
        "{found:#?}"
    );
}

/// Every error of a document is reported at a place that exists.
#[test]
fn every_place_is_in_the_file() {
    let text = include_str!("../../envoy/demo.yaml");
    for word in ["backend", "model", "name", "match", "openai", "targets"] {
        let broken = text.replace(word, "brokn");
        let Ok(report) = check(Path::new("f"), &broken) else {
            continue;
        };
        assert!(!report.findings.is_empty(), "{word}");
        for finding in report.findings {
            let line = broken.lines().nth(finding.place.line - 1).unwrap();
            assert!(
                finding.place.column <= line.chars().count() + 1,
                "{finding:?}"
            );
            assert!(finding.place.line > 1, "{finding:?}");
        }
    }
}
