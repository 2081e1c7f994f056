//! Parses the output of `/stats/prometheus`.

use std::collections::{BTreeMap, BTreeSet};

/// One line of the output.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Sample {
    fn read(line: &str) -> Option<Sample> {
        let (name, mut rest) = line.split_once('{')?;
        let mut labels = BTreeMap::new();
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            labels.insert(label.trim_start_matches(',').to_owned(), value);
            rest = after;
        }
        Some(Sample {
            name: name.to_owned(),
            labels,
            value: rest.get(1..)?.trim().parse().ok()?,
        })
    }
}

/// Splits a text at the quotation mark that ends it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, text.split_at(at + 1).1)),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            (_, char) => value.push(char),
        }
    }
}

/// The module's metrics in the output.
#[derive(Debug)]
pub(super) struct Scrape {
    /// The names of the metrics, with their kinds.
    pub(super) kinds: BTreeMap<String, String>,
    pub(super) samples: Vec<Sample>,
}

impl Scrape {
    pub(super) fn read(text: &str) -> Scrape {
        let is_ours = |name: &str| name.starts_with("llm_router_") || name.starts_with("gen_ai_");
        let kinds = text.lines().filter_map(|line| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            is_ours(name).then(|| (name.to_owned(), kind.to_owned()))
        });
        let lines = text.lines().filter(|line| is_ours(line));
        Scrape {
            kinds: kinds.collect(),
            samples: lines
                .map(|line| Sample::read(line).unwrap_or_else(|| panic!("no sample: {line}")))
                .collect(),
        }
    }

    /// Returns the label names of a metric, over all of its lines.
    pub(super) fn labels(&self, metric: &str) -> BTreeSet<String> {
        let of_metric = self.samples.iter().filter(|sample| sample.name == metric);
        of_metric
            .flat_map(|sample| sample.labels.keys().cloned())
            .collect()
    }

    /// Returns the sum of a metric's lines with these labels.
    pub(super) fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let of_metric = self.samples.iter().filter(|sample| sample.name == metric);
        let fits = |sample: &&Sample| {
            let mut labels = labels.iter();
            labels.all(|(name, value)| sample.labels.get(*name).is_some_and(|is| is == value))
        };
        of_metric.filter(fits).map(|sample| sample.value).sum()
    }

    /// Returns the lines that have counted something, of counters and histogram counts, as `name{label=value, …}
    /// value`.
    pub(super) fn counted(&self, but: &[&str]) -> BTreeSet<String> {
        let counts = self.samples.iter().filter(|sample| {
            let is_part = sample.name.ends_with("_bucket") || sample.name.ends_with("_sum");
            !is_part && sample.value > 0.0 && !but.contains(&sample.name.as_str())
        });
        counts
            .map(|sample| {
                let labels = sample.labels.iter();
                let labels: Vec<String> = labels
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{}{{{}}} {}", sample.name, labels.join(","), sample.value)
            })
            .collect()
    }
}
