//! Tests of what documents say of models, of what routes require of them, and of aliases, including the examples in the
//! docs.

use super::*;
use crate::doc_tables::first_names;
use crate::routing::ExclusionReason;

const DOCS: &str = include_str!("../../docs/eligibility.md");

/// Each example is a complete document with tests, which must pass.
#[test]
fn every_document_in_the_docs_passes_its_tests() {
    let blocks: Vec<&str> = DOCS
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        let enforced = format!("{block}enforce_tests: true\n");
        assert_eq!(errors(&enforced), [""; 0], "{block}");
        // The tests really run: each fails when it expects something else.
        let others = block.matches("expect: {").count();
        let wrong = enforced.replace("expect: {", "expect: {nothing: x, ");
        assert!(errors(&wrong).len() >= others, "{block}");
    }
    // Checks what the page says about its first example.
    let (_, first) = DOCS.split_once("```yaml\n").unwrap();
    let (first, _) = first.split_once("```").unwrap();
    let abroad = first.replacen(
        "  - backend: dublin\n",
        "  - backend: dublin\n  - backend: virginia\n",
        1,
    );
    assert_ne!(abroad, first);
    let errors = errors(&abroad);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors[0].starts_with(
            "routes[0].targets[2]: no request of this route can ever go to backend \"virginia\" (label_missing: region is us, \
             but eu is required)"
        ),
        "{errors:#?}"
    );
}

#[test]
fn the_tables_of_reasons_and_capabilities_are_the_code() {
    let required = RequiredLabel {
        name: String::new(),
        values: Vec::new(),
    };
    let reasons = [
        ExclusionReason::SchemaMismatch,
        ExclusionReason::ModelNotServed,
        ExclusionReason::LabelMissing {
            required: &required,
            has: None,
        },
        ExclusionReason::PriceUnknown("input"),
        ExclusionReason::PriceTooHigh {
            which: "input",
            price: Price(2),
            limit: Price(1),
        },
        ExclusionReason::CapabilityMissing(Capability::Tools),
        ExclusionReason::OutputTooLong { asked: 2, most: 1 },
        ExclusionReason::PromptTooLong {
            prompt: 2,
            answer: 0,
            window: 1,
        },
        ExclusionReason::StateElsewhere,
    ];
    let names: Vec<&str> = reasons.iter().map(ExclusionReason::name).collect();
    assert_eq!(first_names(DOCS, "reasons"), names);
    let capabilities = Capability::ALL.map(|(name, _)| name);
    assert_eq!(first_names(DOCS, "capabilities"), capabilities);
}

/// Returns the errors of a document with these model fields, route fields and other fields.
fn errors_with(model: &str, routes: &str, more: &str) -> Vec<String> {
    errors(&format!(
        "backends:
- {{name: a, schema: openai, labels: {{region: eu}}, models: [{{name: m{model}}}, {{name: other, labels: {{region: us}}}}]}}
- {{name: b, schema: openai, models: [{{name: m, labels: {{tier: 2}}, prices: {{input: 3}}}}]}}
routes:
{routes}
{more}"
    ))
}

const ROUTE: &str = "- {name: r, match: {model: '*'}, targets: [{backend: a}, {backend: b}]}";

#[test]
fn what_is_known_of_a_model() {
    for model in [
        ", prices: {input: 0, output: 0.000001}",
        ", prices: {cache_write: 10000}, capabilities: []",
        // As Envoy's own YAML arrives at the filter.
        ", prices: {input: '0.25', output: '2.0'}",
        ", capabilities: [tools, images, audio, files, json_schema, reasoning]",
        ", max_output_tokens: 1, labels: {zdr: true, cost: 1.5, 'any name': x}",
    ] {
        assert_eq!(errors_with(model, ROUTE, ""), [""; 0], "{model}");
    }
    for (model, expected) in [
        (
            ", prices: {}",
            "prices: must not be empty: omit the field if no price is known",
        ),
        (
            ", prices: {input: -1}",
            "prices.input: must be a number of US dollars for a million tokens, from 0 to 10000",
        ),
        (
            ", prices: {input: 0.00000125}",
            "prices.input: must be a number of US",
        ),
        (
            ", prices: {input: 10000.5}",
            "prices.input: must be a number of US",
        ),
        (
            ", prices: {input: '1'}",
            "prices.input: must be a number, not text",
        ),
        (
            ", prices: {input: '1.2.3'}",
            "prices.input: must be a number, not text",
        ),
        (
            ", prices: {cached: 1}",
            "prices.cached: unknown field; expected one of input, cached_input, cache_write, output, reasoning",
        ),
        (
            ", capabilities: [tool]",
            "capabilities[0]: unknown value \"tool\", did you mean \"tools\"?",
        ),
        (
            ", capabilities: [tools, tools]",
            "capabilities[1]: is given twice",
        ),
        (
            ", capabilities: tools",
            "capabilities: must be a list, not text",
        ),
        (
            ", max_output_tokens: 0",
            "max_output_tokens: must be a whole number from 1",
        ),
        (
            ", labels: {a: [b]}",
            "labels.a: must be text, a number, true or false, not a list",
        ),
        (", labels: {a: null}", "labels.a: must be text"),
        (", labels: {a: ''}", "labels.a: must not be empty"),
        (", labels: {'': b}", "labels.: is not a valid label name"),
    ] {
        let errors = errors_with(model, ROUTE, "");
        let expected = format!("backends[0].models[0].{expected}");
        assert!(errors[0].starts_with(&expected), "{model} {errors:#?}");
    }
}

#[test]
fn prices_are_exact() {
    for (written, pico_dollars, shown) in [
        ("0", 0, "0"),
        ("0.1", 100_000, "0.1"),
        ("0.075", 75_000, "0.075"),
        ("1.25", 1_250_000, "1.25"),
        // As Envoy hands over the values of its own YAML.
        ("'2.5'", 2_500_000, "2.5"),
        ("0.000001", 1, "0.000001"),
        ("9999.999999", 9_999_999_999, "9999.999999"),
        ("10000", 10_000_000_000, "10000"),
    ] {
        let document = format!(
            "backends: [{{name: a, schema: openai, models: [{{name: m, prices: {{input: {written}}}}}]}}]
routes: [{{name: r, match: {{model: m}}, targets: [{{backend: a}}]}}]"
        );
        let document = Document::of_yaml(&document).unwrap();
        let prices = document.backends[0].models[0].prices;
        assert_eq!(prices.input, Some(Price(pico_dollars)));
        assert_eq!(prices.output, None);
        assert_eq!(prices.input.unwrap().to_string(), shown);
    }
}

#[test]
fn what_no_target_can_ever_be() {
    for (route, expected) in [
        (
            "require: {regoin: eu}, targets: [{backend: a}]",
            "routes[0].require.regoin: no backend and no model has a label \"regoin\", did you mean \"region\"?",
        ),
        (
            "require: {}, targets: [{backend: a}]",
            "routes[0].require: must not be empty: add a label",
        ),
        (
            "require: {region: []}, targets: [{backend: a}]",
            "routes[0].require.region: must not be empty",
        ),
        (
            "require: {region: [eu, us]}, targets: [{backend: a}, {backend: b}]",
            "routes[0].targets[1]: no request of this route can ever go to backend \"b\" (label_missing: no region, but eu or us \
             is required): change what",
        ),
        (
            "require: {region: eu}, targets: [{backend: a, model: other}]",
            "routes[0].targets[0]: no request of this route can ever go to backend \"a\" (label_missing: region is us, but eu is \
             required)",
        ),
        (
            "max_prices: {}, targets: [{backend: a}]",
            "routes[0].max_prices: must not be empty",
        ),
        (
            "max_prices: {cached_input: 1}, targets: [{backend: b}]",
            "routes[0].max_prices.cached_input: unknown field; expected one of input, output",
        ),
        (
            "max_prices: {input: 2.5}, targets: [{backend: b}]",
            "routes[0].targets[0]: no request of this route can ever go to backend \"b\" (price_too_high: the input price is \
             3, the limit is 2.5)",
        ),
        (
            "max_prices: {input: 5, output: 5}, targets: [{backend: b, model: m}]",
            "routes[0].targets[0]: no request of this route can ever go to backend \"b\" (price_unknown: no output price)",
        ),
    ] {
        let route = format!("- {{name: r, match: {{model: [m, other]}}, {route}}}");
        let errors = errors_with("", &route, "");
        assert!(errors[0].starts_with(expected), "{errors:#?}");
    }
    let unserved = errors_with(
        "",
        "- {name: r, match: {model: [m, other]}, require: {region: eu}, targets: [{backend: a}]}",
        "",
    );
    assert_eq!(
        unserved,
        [
            "routes[0].targets: no target serves the model \"other\", which the route matches, or none that the route allows"
        ]
    );
}

#[test]
fn labels_hold_for_what_passes_and_prices_do_not() {
    for (route, expected) in [
        ("require: {region: eu}, targets: [{backend: a}]", None),
        (
            "require: {region: us}, targets: [{backend: a}]",
            Some(
                "routes[0].require: its only target, backend \"a\", can never be used (label_missing: region is eu, but us is \
                 required)",
            ),
        ),
        // The label is the only model's, not the backend's.
        (
            "require: {tier: 2}, targets: [{backend: b}]",
            Some(
                "routes[0].require: its only target, backend \"b\", can never be used (label_missing: no tier",
            ),
        ),
        (
            "max_prices: {input: 9}, targets: [{backend: b}]",
            Some(
                "routes[0].max_prices: cannot be used with `pass_through: true`: the tokens of requests",
            ),
        ),
    ] {
        let route =
            format!("- {{name: r, pass_through: true, match: {{path: /v1/files}}, {route}}}");
        let errors = errors_with("", &route, "");
        assert_eq!(errors.len(), usize::from(expected.is_some()), "{errors:#?}");
        if let Some(expected) = expected {
            assert!(errors[0].starts_with(expected), "{errors:#?}");
        }
    }
}

#[test]
fn aliases() {
    let routes = "- {name: r, match: {model: [m, other, fast]}, targets: [{backend: a, model: m}]}
- {name: s, match: {model: 'x-*'}, targets: [{backend: a, model: m}]}";
    for (aliases, expected) in [
        ("{old: m, older: m, quick: fast, x-1: other, z: x-9}", None),
        (
            "{old: older, older: m}",
            Some("aliases.old: \"older\" is an alias itself: name the model"),
        ),
        (
            "{old: old}",
            Some("aliases.old: \"old\" is an alias itself"),
        ),
        (
            "{fast: m}",
            Some("aliases.fast: the route \"r\" matches \"fast\" by name"),
        ),
        (
            "{other: m}",
            Some("aliases.other: the route \"r\" matches \"other\" by name"),
        ),
        (
            "{old: fats}",
            Some("aliases.old: no route takes a request for \"fats\", did you mean \"fast\"?"),
        ),
        (
            "{old: gemini}",
            Some("aliases.old: no route takes a request for \"gemini\", or none"),
        ),
        (
            "{'old*': m}",
            Some("aliases.old*: alias and model must both be exact names"),
        ),
        (
            "{old: 'x-*'}",
            Some("aliases.old: alias and model must both be exact names"),
        ),
        (
            "{'': m}",
            Some("aliases.: alias and model must both be exact names"),
        ),
        (
            "{'a/../b': m}",
            Some("aliases.a/../b: alias and model must both be exact names"),
        ),
        ("{old: 5}", Some("aliases.old: must be text")),
        ("[old]", Some("aliases: must be a map")),
    ] {
        let errors = errors_with("", routes, &format!("aliases: {aliases}"));
        assert_eq!(
            errors.len(),
            usize::from(expected.is_some()),
            "{aliases} {errors:#?}"
        );
        if let Some(expected) = expected {
            assert!(errors[0].starts_with(expected), "{errors:#?}");
        }
    }
    let only_pattern = "- {name: r, match: {model: '*'}, targets: [{backend: a}, {backend: b}]}";
    let errors = errors_with("", only_pattern, "aliases: {other: m}");
    assert!(
        errors[0].starts_with(
            "aliases.other: backend \"a\" has a model \"other\", which requests could no longer"
        ),
        "{errors:#?}"
    );
}

#[test]
fn the_catalog_has_aliases_and_only_what_a_route_lets_go() {
    let document = Document::of_yaml(
        "aliases: {old: m, quick: fast}
backends: [{name: a, schema: openai, models: [{name: m, labels: {region: eu}}, {name: other}]}]
routes:
- {name: r, match: {model: fast}, targets: [{backend: a, model: m}]}
- {name: s, match: {model: '*'}, require: {region: eu}, targets: [{backend: a}]}",
    )
    .unwrap();
    let names: Vec<&str> = document.catalog.names().collect();
    assert_eq!(names, ["fast", "m", "old", "quick"]);
    let retrieve = |name: &str| {
        let answer = document
            .catalog
            .retrieve(crate::schema::Schema::OpenAi, name);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        body["owned_by"].as_str().map(str::to_owned)
    };
    assert_eq!(retrieve("old").as_deref(), Some("a"));
    assert_eq!(retrieve("quick").as_deref(), Some("llm-router"));
    assert_eq!(retrieve("other"), None);
}
