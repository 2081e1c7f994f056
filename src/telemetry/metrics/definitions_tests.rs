//! Tests of the series that documents have.

use super::labels::DECISIONS;
use super::*;

#[test]
fn a_series_is_named_by_its_labels() {
    let definitions = Recorder::new(&document(DOCUMENT)).definitions();
    let names: Vec<&str> = definitions.iter().map(|one| one.name.as_str()).collect();
    let of = |prefix: &str| -> Vec<&str> {
        let those = names.iter().filter_map(|name| name.strip_prefix(prefix));
        those.collect()
    };
    // Pass-through requests have no model, and models that match only a pattern are counted as one.
    assert_eq!(
        of("gen_ai_client_operation_duration_milliseconds"),
        [
            "[route=files][backend=openai][model=acme/big:1.0 _new_]",
            "[route=files][backend=openai][model=small]",
            "[route=files][backend=openai][model=other]",
            "[route=fast][backend=openai][model=small]",
            "[route=fast][backend=openai][model=other]",
            "[route=fast][backend=spare][model=small]",
            "[route=all][backend=openai][model=acme/big:1.0 _new_]",
            "[route=all][backend=openai][model=small]",
            "[route=all][backend=openai][model=other]",
            "[route=other][backend=other][model=other]",
        ]
    );
    assert_eq!(
        of("llm_router_cooldowns_total"),
        [
            "[backend=openai][model=acme/big:1.0 _new_]",
            "[backend=openai][model=small]",
            "[backend=openai][model=other]",
            "[backend=spare][model=small]",
            "[backend=other][model=other]",
        ]
    );
    assert_eq!(of("llm_router_request_bytes_total").len(), 5);
    let callers = of("llm_router_tokens_total[type=input][route=all][backend=openai][model=small]");
    assert_eq!(
        callers,
        ["[caller=search]", "[caller=ads]", "[caller=other]"]
    );
}

#[test]
fn numbers_are_those_of_the_definitions() {
    let definitions = Definitions::for_document(&document(DOCUMENT));
    let all = definitions.all();
    assert_eq!(all.len(), definitions.count());
    for metric in Metric::ALL {
        let first = definitions
            .number(*metric, &vec![0; metric.labels().len()])
            .unwrap();
        assert_eq!(all[first].name.split('[').next(), Some(metric.name()));
        assert_eq!(all[first].kind, metric.kind());
        assert!(
            first == 0
                || all[first - 1].kind != metric.kind()
                || !all[first - 1]
                    .name
                    .starts_with(&format!("{}[", metric.name()))
        );
    }
    let names: std::collections::BTreeSet<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
}

/// The maximum number of series of a document, as docs/metrics.md states it.
#[test]
fn the_number_of_series_is_bounded() {
    let mut yaml = String::from("backends:\n- name: one\n  schema: openai\n  models:\n");
    for index in 0..MAX_BACKEND_MODELS + 50 {
        yaml.push_str(&format!("  - name: m{index}\n"));
    }
    yaml.push_str("routes:\n");
    for index in 0..MAX_TARGETS + 50 {
        yaml.push_str(&format!(
            "- {{name: r{index}, match: {{model: m{index}}}, targets: [{{backend: one}}]}}\n"
        ));
    }
    let large = document(&yaml);
    let definitions = Definitions::for_document(&large);
    assert!(definitions.count() < 20_000, "{}", definitions.count());
    let mut recorded = Recorded::new(&large);
    for index in 0..MAX_TARGETS + 50 {
        let model = format!("m{index}");
        recorded.record(&Outcome {
            route: Some(format!("r{index}")),
            attempts: vec![attempt("one", &model, "accepted")],
            whole_ms: 1,
            ..Outcome::default()
        });
    }
    let all = MAX_TARGETS as u64 + 50;
    assert_eq!(recorded.sum("llm_router_requests_total"), all);
    assert_eq!(recorded.sum("llm_router_attempts_total"), all);
    assert_eq!(
        recorded.sum("gen_ai_client_operation_duration_milliseconds"),
        all
    );
    let others = recorded.sum("llm_router_requests_total[route=other]");
    assert_eq!(others, all - MAX_ROUTES as u64);
    // Naming many callers multiplies the series, so such a document is refused.
    let callers: Vec<String> = (0..MAX_TARGET_CALLERS / MAX_TARGETS)
        .map(|index| format!("c{index}"))
        .collect();
    yaml.push_str(&format!(
        "defaults: {{telemetry: {{caller: mesh, callers: [{}]}}}}\n",
        callers.join(", ")
    ));
    let errors = Document::of_yaml(&yaml).unwrap_err();
    let said = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        said.starts_with("defaults.telemetry.callers: metrics count each backend and model of a route for each caller"),
        "{said}"
    );
}

#[test]
fn callers_that_are_refused() {
    for (list, expected) in [
        (
            "[other]",
            "is reserved for all callers that are not listed here",
        ),
        ("[a, a]", "is given twice"),
        ("['ä']", "printable ASCII"),
    ] {
        let yaml = DOCUMENT.replace("[search, ads]", list);
        let errors = Document::of_yaml(&yaml).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{}", errors[0]);
    }
}

#[test]
fn all_labels_are_known() {
    let mut used: Vec<&str> = Metric::ALL
        .iter()
        .flat_map(|metric| metric.labels())
        .flat_map(|label| label.names())
        .copied()
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut known = LABEL_NAMES.to_vec();
    known.sort_unstable();
    assert_eq!(used, known);
}

#[test]
fn names_of_closed_sets_are_found() {
    for label in [Label::Error, Label::Verdict, Label::Reason, Label::Decision] {
        let values = label.closed_values();
        for (index, value) in values.iter().enumerate() {
            assert_eq!(label.position(value), Some(index), "{label:?} {value}");
        }
    }
    assert_eq!(
        Label::Decision.position("no such name"),
        Some(DECISIONS.len() - 1)
    );
    assert_eq!(Label::Verdict.position("no such name"), None);
}

/// The number of series of an ordinary document, as docs/metrics.md states it.
#[test]
fn the_demo_has_few_series() {
    let demo = document(include_str!("../../../envoy/documents/demo.yaml"));
    let count = Definitions::for_document(&demo).count();
    assert!((1_500..2_500).contains(&count), "{count}");
}
