//! All series of a document's metrics, and their numbers.

use super::label_values::LabelValues;
use super::labels::Label;
use super::{Metric, MetricKind};
use crate::config::Document;

/// The definition of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The kind of its metric.
    pub kind: MetricKind,
    /// The metric's name with the labels of this series.
    pub name: String,
}

/// The number of a metric's first series, and how many values each of its labels has.
#[derive(Clone, Debug)]
struct SeriesRange {
    first: usize,
    sizes: Vec<usize>,
}

/// The series of a document, numbered metric by metric.
#[derive(Clone, Debug)]
pub struct Definitions {
    pub(super) names: LabelValues,
    ranges: Vec<SeriesRange>,
    count: usize,
}

impl Definitions {
    /// Returns the series of this document.
    pub fn for_document(document: &Document) -> Definitions {
        let names = LabelValues::for_document(document);
        let mut ranges = Vec::new();
        let mut count: usize = 0;
        for metric in Metric::ALL {
            let size = |label: &Label| match names.values(*label) {
                Some(values) => values.written().len(),
                None => label.closed_values().len(),
            };
            let sizes: Vec<usize> = metric.labels().iter().map(size).collect();
            let all = sizes.iter().copied().fold(1, usize::saturating_mul);
            ranges.push(SeriesRange {
                first: count,
                sizes,
            });
            count = count.saturating_add(all);
        }
        Definitions {
            names,
            ranges,
            count,
        }
    }

    /// How many series there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns all series in the order of their numbers.
    pub fn all(&self) -> Vec<Definition> {
        let mut all = Vec::with_capacity(self.count);
        for metric in Metric::ALL {
            let mut names = vec![metric.name().to_owned()];
            for label in metric.labels() {
                let values = self.written(*label);
                let each = names.iter().flat_map(|name| {
                    let named = values.iter();
                    named.map(move |value| [name.as_str(), value.as_str()].concat())
                });
                names = each.collect();
            }
            let kind = metric.kind();
            all.extend(names.into_iter().map(|name| Definition { kind, name }));
        }
        all
    }

    /// Returns the number of the metric's series with these label values.
    pub(super) fn number(&self, metric: Metric, values: &[usize]) -> Option<usize> {
        let index = Metric::ALL.iter().position(|one| *one == metric)?;
        let range = self.ranges.get(index)?;
        let offset = range
            .sizes
            .iter()
            .zip(values)
            .fold(0, |offset, (size, value)| {
                usize::saturating_mul(offset, *size).saturating_add(*value)
            });
        Some(range.first.saturating_add(offset))
    }

    fn written(&self, label: Label) -> Vec<String> {
        match self.names.values(label) {
            Some(values) => values.written().to_vec(),
            None => {
                let values = label.closed_values().into_iter();
                values
                    .map(|value| super::labels::write(label.names(), [value]))
                    .collect()
            }
        }
    }
}
