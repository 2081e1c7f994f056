//! Tests that the documentation, the rules and the dashboard match the metrics that exist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::doc_tables;
use crate::telemetry::METRICS;

const PAGE: &str = include_str!("../../../docs/metrics.md");
const RULES: &str = include_str!("../../../envoy/observability/rules.yaml");
const DASHBOARD: &str = include_str!("../../../envoy/observability/dashboard.json");

/// The rows of a table in docs/metrics.md, cell by cell.
fn table(name: &str) -> Vec<Vec<&'static str>> {
    doc_tables::rows(PAGE, name)
}

fn labels(metric: Metric) -> Vec<&'static str> {
    let labels = metric.labels().iter().flat_map(|label| label.names());
    labels.copied().collect()
}

#[test]
fn the_table_is_the_code() {
    let documented = table("metrics");
    assert_eq!(documented.len(), Metric::ALL.len());
    for (metric, row) in Metric::ALL.iter().zip(documented) {
        let quoted: Vec<String> = labels(*metric)
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let name = format!("`{}`", metric.name());
        assert_eq!(
            row[..3],
            [
                name.as_str(),
                metric.kind().name(),
                quoted.join(", ").as_str()
            ]
        );
        assert_eq!(
            metric.kind() == MetricKind::Histogram,
            !metric.buckets().is_empty(),
            "{name}"
        );
        assert!(metric.buckets().is_sorted(), "{name}");
    }
}

#[test]
fn the_limits_are_the_code() {
    let numbers = table("limits").into_iter().map(|row| {
        let digits = row[1].split(' ').filter_map(|word| word.parse().ok());
        digits.collect::<Vec<usize>>()
    });
    let expected = [
        MAX_ROUTES,
        MAX_TARGETS,
        MAX_BACKEND_MODELS,
        64,
        MAX_TARGET_CALLERS,
    ]
    .map(|limit| vec![limit]);
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
}

#[test]
fn the_names_of_opentelemetry_are_the_code() {
    let (_, table) = PAGE.split_once("## OpenTelemetry").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `gen_ai"));
    let here: BTreeSet<&str> = rows.map(|row| row.rsplit('`').nth(1).unwrap()).collect();
    let known = Metric::ALL.iter().map(|metric| metric.name());
    assert_eq!(
        here,
        known.filter(|name| name.starts_with("gen_ai")).collect()
    );
}

/// The metrics under their Prometheus names, with their labels.
fn known() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut known = BTreeMap::new();
    for metric in Metric::ALL {
        let labels: BTreeSet<&str> = labels(*metric).into_iter().collect();
        if metric.kind() == MetricKind::Histogram {
            for end in ["_sum", "_count"] {
                known.insert(format!("{}{end}", metric.name()), labels.clone());
            }
            let labels = labels.into_iter().chain(["le"]).collect();
            known.insert(format!("{}_bucket", metric.name()), labels);
        } else {
            known.insert(metric.name().to_owned(), labels);
        }
    }
    for plain in METRICS {
        known.insert(plain.replace('.', "_"), BTreeSet::new());
    }
    known
}

/// The names that an expression contains.
#[derive(Debug, Default, PartialEq)]
struct Named {
    metrics: Vec<String>,
    /// Labels in braces, with their metric.
    selected: Vec<(String, String)>,
    /// Labels after `by`.
    grouped: Vec<String>,
}

/// The words that an expression may contain besides metrics and labels.
const WORDS: [&str; 9] = [
    "sum",
    "max",
    "rate",
    "increase",
    "histogram_quantile",
    "avg_over_time",
    "by",
    "e3",
    "e6",
];

/// Splits an expression into words and the text between them.
fn named(expression: &str) -> Named {
    let is_of_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | ':');
    let mut named = Named::default();
    let (mut inside, mut is_by) = (None, false);
    let mut rest = expression;
    while let Some(char) = rest.chars().next() {
        if char == '"' {
            let (_, after) = rest.split_at(1).1.split_once('"').unwrap();
            rest = after;
        } else if char == '[' {
            let (_, after) = rest.split_once(']').unwrap();
            rest = after;
        } else if char.is_ascii_digit() {
            rest =
                rest.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '.');
        } else if is_of_word(char) {
            let end = rest.find(|char| !is_of_word(char)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            match &inside {
                Some(metric) => named
                    .selected
                    .push((String::clone(metric), word.to_owned())),
                None if is_by => named.grouped.push(word.to_owned()),
                None if word == "by" => is_by = true,
                None if WORDS.contains(&word) => {}
                None => {
                    named.metrics.push(word.to_owned());
                    if rest.starts_with('{') {
                        inside = Some(word.to_owned());
                    }
                }
            }
        } else {
            match char {
                '}' => inside = None,
                ')' => is_by = false,
                _ => {}
            }
            rest = rest.split_at(char.len_utf8()).1;
        }
    }
    named
}

/// Checks that everything that an expression names exists. `recorded`: the names of rules, with their labels.
fn check(expression: &str, recorded: &BTreeMap<String, BTreeSet<&'static str>>) -> Named {
    let named = named(expression);
    assert!(!named.metrics.is_empty(), "{expression}");
    for metric in &named.metrics {
        let labels = recorded
            .get(metric)
            .unwrap_or_else(|| panic!("no metric {metric}: {expression}"));
        for label in &named.grouped {
            assert!(
                labels.contains(label.as_str()),
                "{metric} has no {label}: {expression}"
            );
        }
        for (_, label) in named.selected.iter().filter(|(of, _)| of == metric) {
            assert!(
                labels.contains(label.as_str()),
                "{metric} has no {label}: {expression}"
            );
        }
    }
    named
}

/// The labels that a text shows: `{{ $labels.route }}` or `{{route}}`.
fn shown(text: &str) -> Vec<&str> {
    let places = text.split("{{").skip(1);
    places
        .map(|place| {
            let (label, _) = place.split_once("}}").unwrap();
            label.trim().trim_start_matches("$labels.")
        })
        .collect()
}

#[test]
fn expressions_are_taken_apart() {
    let text = "histogram_quantile(0.5, sum by (route, le) (rate(a_bucket{end!~\"x|by\", route=\"c\"}[5m]))) / 1e3 > b:c";
    let found = named(text);
    assert_eq!(found.metrics, ["a_bucket", "b:c"]);
    assert_eq!(found.grouped, ["route", "le"]);
    let selected: Vec<&str> = found
        .selected
        .iter()
        .map(|(_, label)| label.as_str())
        .collect();
    assert_eq!(selected, ["end", "route"]);
    assert_eq!(shown("{{ $labels.a }}/{{b}}: x"), ["a", "b"]);
}

#[test]
fn the_rules_name_what_there_is() {
    let rules: Value = serde_saphyr::from_str(RULES).unwrap();
    let mut known = known();
    let mut count = 0;
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let expression = rule["expr"].as_str().unwrap();
            let named = check(expression, &known);
            let has: BTreeSet<&str> = known[&named.metrics[0]].clone();
            if let Some(name) = rule["record"].as_str() {
                let labels = has
                    .into_iter()
                    .filter(|label| named.grouped.iter().any(|one| one == label));
                let labels = labels.filter(|label| *label != "le").collect();
                assert!(
                    known.insert(name.to_owned(), labels).is_none(),
                    "{name} twice"
                );
            } else {
                let summary = rule["annotations"]["summary"].as_str().unwrap();
                let shown = shown(summary);
                assert!(shown.iter().all(|label| has.contains(label)), "{summary}");
            }
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let known = known();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let named = check(expression, &known);
            // An interval that is shorter than the scrape interval would contain no samples.
            assert!(!expression.contains("$__interval"), "{expression}");
            let legend = target["legendFormat"].as_str().unwrap();
            for label in shown(legend) {
                assert!(
                    named.grouped.iter().any(|one| one == label),
                    "{legend}: {expression}"
                );
            }
            used.extend(named.metrics);
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let inside = query
                .strip_prefix("label_values(")
                .unwrap()
                .strip_suffix(')')
                .unwrap();
            let (metric, label) = inside.split_once(", ").unwrap();
            assert!(known[metric].contains(label), "{query}");
            assert_eq!(variable["name"], label);
        }
    }
    // The dashboard shows all metrics.
    for metric in Metric::ALL.iter().map(|metric| metric.name()) {
        let is_shown = used.iter().any(|used| used.starts_with(metric));
        assert!(is_shown, "{metric} is not on the dashboard");
    }
}

/// Panels do not overlap, and each has its own number.
#[test]
fn the_dashboard_has_room_for_its_panels() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(
                    taken.insert((x, y)),
                    "{} lies over another panel",
                    panel["title"]
                );
            }
        }
    }
}
