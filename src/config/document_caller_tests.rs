//! Tests of documents with conditions on the caller and the time.

use super::*;
use crate::doc_tables::first_names;

/// Returns the errors of a match, one a line.
fn match_errors(written: &str) -> Vec<String> {
    route_errors(&format!(
        "- {{name: a, match: {written}, targets: [{{backend: openai}}]}}"
    ))
}

#[test]
fn right_ones() {
    for right in [
        r#"{query: {beta: "true", "käse": ["a*", "*b"], x: "*"}}"#,
        r#"{claims: {sub: "svc-*", realm_access.roles: [admin, user], "https://x.example/y": "*"}}"#,
        "{mesh: {trust_domain: cluster.local, namespace: [prod, staging], service_account: \"chat*\"}}",
        "{mesh: {namespace: prod}}",
        r#"{time: {from: "08:00", to: "18:00", weekdays: [mon, fri], utc_offset: "+01:00"}}"#,
        r#"{time: {from: "22:00", to: "06:00"}}"#,
        r#"{time: {to: "24:00", weekdays: sun, utc_offset: "-12:00"}}"#,
    ] {
        assert_eq!(match_errors(right), [""; 0], "{right}");
    }
}

#[test]
fn wrong_ones() {
    for (wrong, expected) in [
        ("{query: {}}", "query: must not be empty: add a parameter"),
        ("{query: beta}", "query: must be a map, not text"),
        (
            r#"{query: {"": a}}"#,
            "query.: the name of the parameter must not be empty",
        ),
        (
            "{query: {a: 1}}",
            "query.a: must be text (put it in quotes), not a number",
        ),
        (
            "{query: {a: b*c}}",
            "query.a: \"b*c\" is not a valid pattern: a \"*\" is only allowed at the beginning or at the end",
        ),
        ("{claims: {}}", "claims: must not be empty: add a claim"),
        ("{claims: {sub: []}}", "claims.sub: must not be empty"),
        (
            "{claims: {sub: true}}",
            "claims.sub: must be text (put it in quotes), not a boolean",
        ),
        (
            "{mesh: {}}",
            "mesh: must not be empty: expected one of trust_domain, namespace, service_account",
        ),
        (
            "{mesh: {namespce: a, service_account: b}}",
            "mesh.namespce: unknown field, did you mean \"namespace\"?",
        ),
        ("{time: {}}", "time: needs `from`, `to` or `weekdays`"),
        (
            r#"{time: {utc_offset: "+01:00"}}"#,
            "time: needs `from`, `to` or `weekdays`",
        ),
        (
            r#"{mesh: {trust_domain: "spiffe://cluster.local"}}"#,
            "mesh.trust_domain: write only the domain, as \"cluster.local\": without \"spiffe://\" and without a path",
        ),
        (
            "{mesh: {trust_domain: [cluster.local, 'cluster.local/ns/*']}}",
            "mesh.trust_domain[1]: write only the domain, as \"cluster.local\": without \"spiffe://\" and without a path",
        ),
        (
            r#"{time: {from: "8:00"}}"#,
            "time.from: \"8:00\" is not a time of day: write it as \"08:30\", up to \"24:00\"",
        ),
        (
            r#"{time: {to: "24:01"}}"#,
            "time.to: \"24:01\" is not a time of day: write it as \"08:30\", up to \"24:00\"",
        ),
        (
            r#"{time: {to: "12:60"}}"#,
            "time.to: \"12:60\" is not a time of day: write it as \"08:30\", up to \"24:00\"",
        ),
        (
            r#"{time: {from: "24:00"}}"#,
            "time: `from` must be before 24:00: write 00:00",
        ),
        (
            r#"{time: {from: "08:00", to: "08:00"}}"#,
            "time: `from` and `to` are the same: leave both out for whole days",
        ),
        (
            "{time: {weekdays: [mon, tues]}}",
            "time.weekdays[1]: unknown weekday \"tues\", did you mean \"tue\"?; expected one of mon, tue, wed, thu, fri, sat, sun",
        ),
        ("{time: {weekdays: []}}", "time.weekdays: must not be empty"),
        (
            r#"{time: {weekdays: mon, utc_offset: "Europe/Berlin"}}"#,
            "time.utc_offset: \"Europe/Berlin\" is not an offset from UTC: write it as \"+01:00\", from \"-12:00\" to \"+14:00\"; names of time zones are not supported",
        ),
        (
            r#"{time: {weekdays: mon, utc_offset: "+14:01"}}"#,
            "time.utc_offset: \"+14:01\" is not an offset from UTC: write it as \"+01:00\", from \"-12:00\" to \"+14:00\"; names of time zones are not supported",
        ),
    ] {
        let errors = match_errors(wrong);
        assert_eq!(errors, [format!("routes[0].match.{expected}")], "{wrong}");
    }
}

#[test]
fn what_no_request_can_meet() {
    let impossible = "no request can ever match this";
    for (wrong, expected) in [
        (
            "{all: [{time: {weekdays: mon}}, {time: {weekdays: [tue, wed]}}]}",
            Some(impossible),
        ),
        // The same moment can be on another day in the other time zone.
        (
            r#"{all: [{time: {weekdays: mon}}, {time: {weekdays: tue, utc_offset: "+02:00"}}]}"#,
            None,
        ),
        (
            "{all: [{mesh: {namespace: a}}, {mesh: {namespace: \"b*\"}}]}",
            Some(impossible),
        ),
        ("{all: [{query: {a: x}}, {query: {a: z}}]}", None),
        ("{all: [{claims: {a: x}}, {claims: {a: z}}]}", None),
    ] {
        let errors = match_errors(wrong);
        assert_eq!(errors.len(), usize::from(expected.is_some()), "{errors:?}");
        if let Some(expected) = expected {
            assert!(errors[0].contains(expected), "{errors:?}");
        }
    }
}

#[test]
fn what_an_earlier_route_takes() {
    for (earlier, later, is_reached) in [
        ("{query: {a: \"*\"}}", "{query: {a: x}}", false),
        ("{query: {a: \"*\"}}", "{query: {b: x}}", true),
        (
            "{claims: {sub: \"*\"}}",
            "{claims: {sub: x, aud: z}}",
            false,
        ),
        ("{claims: {sub: x, aud: z}}", "{claims: {sub: x}}", true),
        // With two tokens, each may satisfy one of the claims.
        (
            "{claims: {sub: x, aud: z}}",
            "{all: [{claims: {sub: x}}, {claims: {aud: z}}]}",
            true,
        ),
        (
            "{mesh: {trust_domain: td}}",
            "{mesh: {trust_domain: td, namespace: a}}",
            false,
        ),
        (
            "{mesh: {namespace: \"*\"}}",
            "{mesh: {trust_domain: td}}",
            true,
        ),
        (
            r#"{time: {from: "08:00"}}"#,
            r#"{time: {from: "09:00", to: "17:00", weekdays: mon}}"#,
            false,
        ),
        (
            r#"{time: {from: "08:00"}}"#,
            r#"{time: {from: "07:00"}}"#,
            true,
        ),
    ] {
        let errors = route_errors(&format!(
            "- {{name: a, match: {earlier}, targets: [{{backend: openai}}]}}
- {{name: b, match: {later}, targets: [{{backend: openai}}]}}"
        ));
        assert_eq!(
            errors.is_empty(),
            is_reached,
            "{earlier} {later}: {errors:?}"
        );
    }
}

#[test]
fn gateways_are_named() {
    let gateways = |list: &str| {
        errors(&format!(
            "backends: [{{name: a, schema: openai, models: [{{name: m}}]}}]
routes: [{{name: a, match: {{mesh: {{namespace: x}}}}, targets: [{{backend: a}}]}}]
defaults: {{mesh_gateways: {list}}}"
        ))
    };
    for right in [
        "[spiffe://cluster.local/ns/istio-ingress/sa/gateway]",
        "[\"spiffe://cluster.local/ns/istio-ingress/*\", spiffe://other/x]",
    ] {
        assert_eq!(gateways(right), [""; 0], "{right}");
    }
    assert_eq!(
        gateways("[]"),
        ["defaults.mesh_gateways: must not be empty"]
    );
    // These patterns would match any identity.
    for wrong in [
        "\"*\"",
        "\"spiffe://*\"",
        "\"spiffe://cluster.local*\"",
        "\"*/sa/gateway\"",
        "cluster.local/ns/istio-ingress/sa/gateway",
    ] {
        let errors = gateways(&format!("[{wrong}]"));
        assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
        assert!(
            errors[0].contains("is not the identity of a gateway"),
            "{errors:?}"
        );
    }
}

/// The router fetches nothing about the caller that no condition needs: each costs a host call.
#[test]
fn what_is_asked_of_the_caller() {
    let asks = |written: &str| {
        let document = format!(
            "backends: [{{name: a, schema: openai, models: [{{name: \"*\"}}]}}]
routes: [{{name: a, match: {written}, targets: [{{backend: a}}]}}]"
        );
        let parts = Document::of_yaml(&document).unwrap().caller_parts;
        (parts.claims, parts.mesh)
    };
    for (written, expected) in [
        ("{model: a, query: {a: b}, headers: {x: z}}", (false, false)),
        (
            "{not: {any: [{claims: {a: b}}, {model: b}]}}",
            (true, false),
        ),
        ("{all: [{mesh: {namespace: b}}, {model: b}]}", (false, true)),
    ] {
        assert_eq!(asks(written), expected, "{written}");
    }
}

#[test]
fn the_page_about_identities() {
    let docs = include_str!("../../docs/identity.md");
    let conditions = first_names(docs, "identities");
    assert_eq!(conditions, ["headers", "claims", "mesh"]);
    assert!(conditions.iter().all(|name| fields::MATCH.contains(name)));
    let (_, section) = docs.split_once("\n### Gateways\n").unwrap();
    let (_, block) = section.split_once("```yaml\n").unwrap();
    let (defaults, _) = block.split_once("```").unwrap();
    let document = format!(
        "backends: [{{name: a, schema: openai, models: [{{name: m}}]}}]
routes: [{{name: a, match: {{mesh: {{namespace: x}}}}, targets: [{{backend: a}}]}}]
{defaults}"
    );
    let document = Document::of_yaml(&document).unwrap();
    let gateway = b"spiffe://cluster.local/ns/istio-ingress/sa/gateway";
    assert!(document.mesh_gateways[0].matches(gateway));
}

/// The caller is named by one of three forms, and the errors list them.
#[test]
fn who_asked_is_told_by_a_header_a_claim_or_the_mesh() {
    for (caller, expected) in [
        ("x-team", "write {header: <name>}"),
        ("user", "write {header: <name>}"),
        ("conversation", "{claim: <name>} or `mesh`"),
        ("header", "write {header: <name>}"),
        ("{query: key}", "must be a header, a claim or `mesh`"),
        ("{header: authorization}", "carries credentials"),
    ] {
        let errors = errors(&format!(
            "backends: [{{name: b, schema: openai, models: [{{name: m}}]}}]
routes: [{{name: r, match: {{model: m}}, targets: [{{backend: b}}]}}]
defaults: {{telemetry: {{caller: {caller}}}}}"
        ));
        let [error] = errors.as_slice() else {
            panic!("{caller}: {errors:?}");
        };
        assert!(error.contains("defaults.telemetry.caller"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}
