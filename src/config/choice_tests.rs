//! Tests of how a document chooses targets, and of the errors in what it says about that.

use super::{Document, Strategy};
use crate::doc_tables::first_names;
use crate::routing::{Condition, KeySource};

const BACKENDS: &str = "
backends:
- {name: a, schema: openai, models: [{name: m}, {name: other}]}
- {name: b, schema: openai, models: [{name: m}]}
";

fn compile(more: &str) -> Result<Document, Vec<String>> {
    let tree = serde_saphyr::from_str(&format!("{BACKENDS}{more}")).unwrap();
    Document::compile(&tree).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn route(more: &str) -> Result<Document, Vec<String>> {
    compile(&format!(
        "routes: [{{name: r, match: {{model: x}}, {more}}}]"
    ))
}

const TARGETS: &str = "targets: [{backend: a, model: m}, {backend: b, model: m}]";

#[test]
fn where_keys_come_from() {
    let document = compile(&format!(
        "defaults: {{sticky: [user]}}
routes:
- {{name: own, match: {{model: x}}, sticky: [{{header: Host}}, {{body: metadata.session}}, conversation], {TARGETS}}}
- {{name: none, match: {{model: why}}, sticky: [], {TARGETS}}}
- {{name: default, match: {{model: z}}, {TARGETS}}}
- {{name: passing, pass_through: true, match: {{path: /x}}, targets: [{{backend: a}}]}}
"
    ));
    let document = document.unwrap();
    let sources = |index: usize| document.routes[index].sticky.sources().to_vec();
    let own = [
        KeySource::Header(":authority".to_owned()),
        KeySource::Body("metadata.session".to_owned()),
        KeySource::Conversation,
    ];
    assert_eq!(sources(0), own);
    assert_eq!(sources(1), []);
    assert_eq!(sources(2), [KeySource::User]);
    assert_eq!(sources(3), []);
    let own = document.routes.iter().map(|route| route.has_own_sticky);
    assert!(own.eq([true, true, false, false]));
}

#[test]
fn groups_and_what_stands_beside_them() {
    let document = route(
        "targets: [{backend: a, model: m}, {backend: a, model: other}, {strategy: weighted, targets: [{backend: b, model: m, weight: 2}, \
         {backend: b, model: m}]}, {backend: a, model: m}]",
    );
    let document = document.unwrap();
    let route = &document.routes[0];
    assert_eq!(
        route.groups,
        [Strategy::Ordered, Strategy::Weighted, Strategy::Ordered]
    );
    let targets = route.targets.iter();
    let places: Vec<(usize, &str, u32)> = targets
        .map(|one| (one.group, one.place.as_str(), one.weight))
        .collect();
    let expected = [
        (0, "targets[0]", 1),
        (0, "targets[1]", 1),
        (1, "targets[2].targets[0]", 2),
        (1, "targets[2].targets[1]", 1),
        (2, "targets[3]", 1),
    ];
    assert_eq!(places, expected);
    // Each target has an identity of its own, also one that repeats another.
    let mut identities: Vec<u64> = route.targets.iter().map(|one| one.identity).collect();
    identities.sort_unstable();
    identities.dedup();
    assert_eq!(identities.len(), 5);
}

/// A target's identity does not depend on its place or on its neighbours.
#[test]
fn a_target_is_who_it_is() {
    let identities = |targets: &str| -> Vec<u64> {
        let document = route(&format!("strategy: weighted, targets: {targets}")).unwrap();
        let targets = document.routes[0].targets.iter();
        targets.map(|one| one.identity).collect()
    };
    let two = identities("[{backend: a, model: m, weight: 7}, {backend: b, model: m}]");
    let turned =
        identities("[{backend: b, model: m}, {backend: a, model: other}, {backend: a, model: m}]");
    assert_eq!([two[1], two[0]], [turned[0], turned[2]]);
    // The identity must never change: keys would move to other targets.
    assert_eq!(
        two,
        [crate::hash::fnv1a(b"a\xffm"), crate::hash::fnv1a(b"b\xffm")]
    );
}

#[test]
fn fractions_of_a_percent() {
    for (written, shown) in [
        ("0", "0"),
        ("0.5", "0.5"),
        ("33.3333", "33.3333"),
        ("0.07", "0.07"),
        // As Envoy hands it over.
        ("'2.5'", "2.5"),
        ("100", "100"),
    ] {
        let document = compile(&format!(
            "routes: [{{name: r, match: {{percent: {written}}}, {TARGETS}}}]"
        ));
        let document = document.unwrap();
        let Condition::Percent(share) = &document.routes[0].condition else {
            panic!("{:?}", document.routes[0].condition);
        };
        assert_eq!(share.to_string(), shown);
    }
}

#[test]
fn a_canary_may_be_switched_off_and_on() {
    for percent in ["0", "5", "100"] {
        let document = compile(&format!(
            "routes:
- {{name: canary, match: {{model: x, percent: {percent}}}, {TARGETS}}}
- {{name: rest, match: {{model: x}}, {TARGETS}}}
"
        ));
        assert!(document.is_ok(), "{document:?}");
    }
}

#[test]
fn what_is_wrong() {
    let group = "{strategy: weighted, targets: [{backend: a, model: m}]}";
    for (more, error) in [
        (
            format!("sticky: [usr], {TARGETS}"),
            "routes[0].sticky[0]: unknown value \"usr\", did you mean \"user\"?",
        ),
        (
            format!("sticky: [header], {TARGETS}"),
            "routes[0].sticky[0]: needs a name: write {header: <name>}",
        ),
        (
            format!("sticky: [{{header: a, body: b}}], {TARGETS}"),
            "routes[0].sticky[0]: must be exactly one of header, query, claim, body",
        ),
        (
            format!("sticky: [{{headr: a}}], {TARGETS}"),
            "routes[0].sticky[0].headr: unknown field, did you mean \"header\"?",
        ),
        (
            format!("sticky: [{{header: 'a b'}}], {TARGETS}"),
            "routes[0].sticky[0].header: \"a b\" is not a valid header name",
        ),
        (
            format!("sticky: [user, user], {TARGETS}"),
            "routes[0].sticky[1]: is given twice",
        ),
        (
            format!("sticky: user, {TARGETS}"),
            "routes[0].sticky: must be a list",
        ),
        (
            format!("strategy: weighted, targets: [{group}, {{backend: b, model: m}}]"),
            "routes[0].targets[0]: a group is only allowed among targets that are tried in order",
        ),
        (
            "targets: [{strategy: ordered, targets: [{backend: a, model: m}]}]".to_owned(),
            "routes[0].targets[0].strategy: a group must be `weighted`",
        ),
        (
            "targets: [{targets: [{backend: a, model: m}]}]".to_owned(),
            "routes[0].targets[0]: `strategy` is missing",
        ),
        (
            "targets: [{strategy: weighted}]".to_owned(),
            "routes[0].targets[0]: `targets` is missing",
        ),
        (
            format!("targets: [{{strategy: weighted, targets: [{group}]}}]"),
            "routes[0].targets[0].targets[0]: groups cannot contain groups",
        ),
        (
            "targets: [{strategy: weighted, weight: 2, targets: [{backend: a, model: m}]}]"
                .to_owned(),
            "routes[0].targets[0].weight: unknown field",
        ),
        (
            "targets: [{strategy: weighted, targets: [{backend: a, model: m, weight: 0}]}]"
                .to_owned(),
            "routes[0].targets[0].targets: the weights add up to 0",
        ),
        (
            "targets: [{backend: a, model: m, weight: 1}]".to_owned(),
            "routes[0].targets[0].weight: only `strategy: weighted` uses weights",
        ),
        (
            "targets: [{strategy: weighted, targets: [{backend: a}]}]".to_owned(),
            "routes[0].targets[0].targets[0]: backend \"a\" serves no model whose name this route matches",
        ),
        (
            format!("targets: [{}]", [group; 65].join(", ")),
            "routes[0].targets: has more than 64 targets",
        ),
    ] {
        let errors = route(&more).err().unwrap_or_default();
        assert!(
            errors.iter().any(|one| one.starts_with(error)) && errors.len() == 1,
            "{more}: {errors:#?}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_percentage() {
    for (percent, error) in [
        ("101", "must be a number of percent, from 0 to 100"),
        ("-1", "must be a number of percent, from 0 to 100"),
        (
            "0.00001",
            "must be a number of percent, from 0 to 100 with at most 4 decimals",
        ),
        ("'10'", "must be a number, not text"),
        ("[10]", "must be a number, not a list"),
    ] {
        let errors = compile(&format!(
            "routes: [{{name: r, match: {{model: x, percent: {percent}}}, {TARGETS}}}]"
        ));
        let errors = errors.err().unwrap_or_default();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with(&format!("routes[0].match.percent: {error}")),
            "{errors:?}"
        );
    }
}

#[test]
fn what_passes_unread_has_no_key_in_its_body() {
    let passing = |more: &str| {
        compile(&format!(
            "routes: [{{name: r, pass_through: true, match: {{path: /x, percent: 10}}, {more}}}]"
        ))
        .err()
        .unwrap_or_default()
    };
    let targets = "targets: [{backend: a}]";
    assert_eq!(
        passing(&format!("sticky: [{{header: x}}], {targets}")),
        [""; 0]
    );
    let errors = passing(&format!("sticky: [{{header: x}}, conversation], {targets}"));
    assert_eq!(
        errors,
        ["routes[0].sticky[1]: cannot be used with `pass_through: true`: the body is not read"]
    );
    let errors = passing("targets: [{strategy: weighted, targets: [{backend: a}]}]");
    assert_eq!(
        errors,
        ["routes[0].targets[0].targets: cannot be used with `pass_through: true`: remove it"]
    );
}

/// Checks the tables and every piece of a document in docs/choosing.md.
#[test]
fn the_page_about_it_is_the_code() {
    let page = include_str!("../../docs/choosing.md");
    let table = |name: &str| first_names(page, name);
    assert_eq!(table("strategies"), Strategy::ALL.map(|(name, _)| name));
    let mut kinds = Vec::new();
    for written in table("sticky") {
        let document = compile(&format!(
            "routes: [{{name: r, match: {{model: x}}, sticky: [{written}], {TARGETS}}}]"
        ));
        kinds.extend(
            document.unwrap().routes[0]
                .sticky
                .sources()
                .first()
                .map(KeySource::name),
        );
    }
    kinds.sort_unstable();
    let mut known: Vec<&str> = super::NAMED_SOURCES.map(|(name, _)| name).to_vec();
    known.extend(super::fields::KEY_SOURCE);
    known.sort_unstable();
    assert_eq!(kinds, known);
    for field in crate::routing::USER_FIELDS {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
    let mut whole = 0;
    for piece in page.split("```yaml\n").skip(1) {
        let (piece, _) = piece.split_once("```").unwrap();
        let document = if piece.starts_with("backends:") {
            whole += 1;
            format!("{piece}enforce_tests: true\n")
        } else if piece.starts_with("targets:") {
            let backends = "{name: azure-east, schema: openai, models: [{name: '*'}]}, \
                            {name: azure-west, schema: openai, models: [{name: '*'}]}, {name: openai, schema: openai, models: [{name: '*'}]}";
            let piece = piece.replace('\n', "\n  ");
            format!(
                "backends: [{backends}]\nroutes:\n- name: r\n  match: {{model: x}}\n  {piece}\n"
            )
        } else if piece.starts_with("match:") {
            format!("{BACKENDS}routes:\n- name: r\n  {TARGETS}\n  {piece}\n")
        } else {
            format!("{BACKENDS}routes:\n- name: r\n  match: {{model: x}}\n  {TARGETS}\n  {piece}\n")
        };
        let tree = serde_saphyr::from_str(&document).unwrap();
        Document::compile(&tree).unwrap_or_else(|errors| panic!("{document}\n{errors:#?}"));
    }
    assert_eq!(whole, 1);
}
