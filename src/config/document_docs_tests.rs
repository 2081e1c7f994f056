//! Compares the tables and documents in the docs and the readme with the code.

use super::*;
use crate::attempt::{CooldownEffect, Failure, FailureAction};
use crate::doc_tables::{first_names, lines, quoted, rows};

/// docs/fallback.md has every field, name and default.
#[test]
fn the_tables_of_fallback_are_the_code() {
    let docs = include_str!("../../docs/fallback.md");
    let policy = FallbackPolicy::default();
    let failures: Vec<Vec<&str>> = lines(docs, "failures")
        .into_iter()
        .map(|line| quoted(line)[..3].to_vec())
        .collect();
    let known: Vec<Vec<&str>> = Failure::ALL
        .iter()
        .map(|failure| {
            let row = policy.rule(*failure);
            let action = FailureAction::ALL
                .iter()
                .find(|(_, one)| *one == row.action);
            let cooldown = CooldownEffect::ALL
                .iter()
                .find(|(_, one)| *one == row.cooldown);
            vec![failure.name(), action.unwrap().0, cooldown.unwrap().0]
        })
        .collect();
    assert_eq!(failures, known);
    assert_eq!(
        first_names(docs, "actions"),
        FailureAction::ALL.map(|(name, _)| name)
    );
    assert_eq!(
        first_names(docs, "cooldown-meanings"),
        CooldownEffect::ALL.map(|(name, _)| name)
    );
    assert_eq!(first_names(docs, "limits")[..], *fields::FALLBACK);
    assert_eq!(first_names(docs, "cooldown")[..], *fields::COOLDOWN);
    assert_eq!(
        first_names(docs, "request-headers"),
        STEERING_HEADERS.map(|(name, _)| name)
    );
    let defaults = [
        policy.hold_limit_bytes,
        policy.deadline_ms,
        policy.attempt_timeout_ms,
        policy.first_token_timeout_ms,
        policy.idle_timeout_ms,
        policy.patience_ms,
    ];
    let numbers = |table: &str| -> Vec<u64> {
        let rows = rows(docs, table).into_iter();
        rows.filter_map(|row| quoted(row[1]).first()?.parse().ok())
            .collect()
    };
    assert_eq!(numbers("limits"), defaults.map(u64::from));
    let cooldown = CooldownPolicy::default();
    let known = [
        cooldown.failures.into(),
        cooldown.window_ms,
        cooldown.base_ms,
        cooldown.max_ms,
        cooldown.lease_ms,
    ];
    assert_eq!(numbers("cooldown"), known);
}

/// docs/configuration.md has a row for every known field, and no others.
#[test]
fn the_tables_in_the_docs_are_the_code() {
    let docs = include_str!("../../docs/configuration.md");
    let table = |name: &str| first_names(docs, name);
    let mut known = Vec::new();
    for (prefix, names) in [
        ("", fields::DOCUMENT),
        ("backends[].", fields::BACKEND),
        ("backends[].models[].", fields::MODEL),
        ("backends[].models[].prices.", fields::PRICES),
        ("routes[].max_prices.", fields::MAX_PRICES),
        ("routes[].", fields::ROUTE),
        ("routes[].targets[].", fields::TARGET),
        ("routes[].targets[].parameters.", fields::PARAMETERS),
        ("routes[].targets[].parameters.clamp.*.", fields::CLAMP),
        ("routes[].targets[].", fields::GROUP),
        ("defaults.", fields::DEFAULTS),
        ("defaults.telemetry.", fields::TELEMETRY),
        ("defaults.page.", fields::PAGE),
        ("tests[].", fields::TEST),
        ("tests[].request.", fields::TEST_REQUEST),
        ("tests[].expect.", fields::EXPECT),
    ] {
        known.extend(names.iter().map(|name| format!("{prefix}{name}")));
    }
    let mut documented = table("fields");
    known.sort();
    documented.sort();
    assert_eq!(documented, known);
    assert_eq!(table("parameters"), fields::PARAMETERS);
    assert_eq!(table("match"), fields::MATCH);
    assert_eq!(table("field"), fields::FIELD);
    assert_eq!(table("bounds"), fields::BOUNDS);
    assert_eq!(table("prompt"), fields::PROMPT);
    assert_eq!(table("mesh"), fields::MESH);
    assert_eq!(table("time"), fields::TIME);
    assert_eq!(table("backend-role"), fields::BACKEND_ROLE);
    for pattern in table("patterns") {
        assert!(
            crate::routing::Pattern::parse(pattern).is_some(),
            "{pattern}"
        );
    }
}

/// The docs list the same headers as the code.
#[test]
fn the_tables_of_headers_in_the_docs_are_the_code() {
    let docs = include_str!("../../docs/configuration.md");
    let names = |table: &str, row: usize, cell: usize| -> Vec<&str> {
        quoted(rows(docs, table)[row][cell])
    };
    assert_eq!(names("hygiene", 0, 1), CREDENTIAL_HEADERS);
    assert_eq!(names("hygiene", 1, 1), crate::schema::CREDENTIAL_PARAMETERS);
    let subprotocols = crate::attempt::CREDENTIAL_SUBPROTOCOLS;
    assert_eq!(
        names("hygiene", 2, 1),
        subprotocols.map(|start| format!("{start}*"))
    );
    assert_eq!(names("hygiene", 3, 1), PRIVATE_HEADERS);
    assert_eq!(names("hygiene", 4, 1), INTERNAL_HEADERS);
    assert_eq!(names("needed", 0, 0), NEEDED_HEADERS);
}

/// The overview in README.md names every field too.
#[test]
fn the_overview_in_the_readme_is_the_code() {
    let readme = include_str!("../../README.md");
    let lines = lines(readme, "overview").into_iter();
    let rows: Vec<Vec<&str>> = lines.map(quoted).collect();
    for (row, (name, known)) in rows.iter().zip([
        ("backends[]", fields::BACKEND),
        ("backends[].models[]", fields::MODEL),
        ("backends[].models[].prices", fields::PRICES),
        ("routes[]", fields::ROUTE),
        ("routes[].max_prices", fields::MAX_PRICES),
        ("routes[].match", fields::MATCH),
        ("routes[].targets[]", fields::TARGET),
        ("routes[].targets[]", fields::GROUP),
        ("routes[].fallback", fields::FALLBACK),
        ("defaults.cooldown", fields::COOLDOWN),
        ("defaults.telemetry", fields::TELEMETRY),
        ("defaults", fields::DEFAULTS),
        ("defaults.page", fields::PAGE),
    ]) {
        let row = match row.as_slice() {
            // The readme has one row for both names of the same fields.
            ["routes[].fallback", "defaults.fallback", rest @ ..] => {
                [&["routes[].fallback"], rest].concat()
            }
            row => row.to_vec(),
        };
        assert_eq!(row[0], name);
        assert_eq!(row[1..], *known, "{name}");
    }
    assert_eq!(rows.len(), 13);
}

#[test]
fn every_document_in_the_docs_loads() {
    let docs = include_str!("../../docs/configuration.md");
    let (_, after) = docs.split_once("## A whole document\n\n```yaml\n").unwrap();
    let (document, _) = after.split_once("```").unwrap();
    assert_eq!(errors(document), [""; 0]);
    let (_, after) = docs
        .split_once("<!-- example: parameters -->\n```yaml\n")
        .unwrap();
    let (route, _) = after.split_once("```").unwrap();
    let with_route = document.replace("routes:\n", &format!("routes:\n{route}"));
    assert_eq!(errors(&with_route), [""; 0]);
    let (_, after) = docs.split_once("## Golden tests\n").unwrap();
    let (_, after) = after.split_once("```yaml\n").unwrap();
    let (tests, _) = after.split_once("```").unwrap();
    let with_tests = format!("{document}{tests}enforce_tests: true\n");
    assert_eq!(errors(&with_tests), [""; 0]);
    let other = with_tests.replace("{error: model_not_found}", "{route: smart}");
    assert_ne!(errors(&other), [""; 0]);
}
