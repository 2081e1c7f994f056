//! The metrics of outcomes. Failed host calls are not logged, so that they neither affect a request nor fill the log.

use std::cell::RefCell;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use super::health::read_health;
use crate::config::Document;
use crate::health::TargetKey;
use crate::telemetry::Outcome;
use crate::telemetry::metrics::{MetricKind, Recorder};

/// The metrics of a root's document, if they are on.
#[derive(Default)]
pub(super) struct Metrics(RefCell<Option<Defined>>);

/// The series as Envoy knows them.
struct Defined {
    recorder: Recorder,
    /// Envoy's ids, by the number of the series.
    ids: Vec<Option<u32>>,
}

impl Metrics {
    /// Defines the metrics of a document, which replace those of the document before.
    pub(super) fn define(&self, document: &Document) {
        let defined = document.telemetry.metrics.then(|| {
            let recorder = Recorder::new(document);
            let definitions = recorder.definitions().into_iter();
            let ids = definitions.map(|definition| {
                let kind = match definition.kind {
                    MetricKind::Counter => MetricType::Counter,
                    MetricKind::Gauge => MetricType::Gauge,
                    MetricKind::Histogram => MetricType::Histogram,
                };
                hostcalls::define_metric(kind, &definition.name).ok()
            });
            let ids = ids.collect();
            Defined { recorder, ids }
        });
        if let Ok(mut before) = self.0.try_borrow_mut() {
            *before = defined;
        }
    }

    /// Records the outcome of a request.
    pub(super) fn record(&self, outcome: &Outcome) {
        self.with(|recorder, sink| recorder.record(outcome, sink));
    }

    /// Records that a target's cooldown has begun.
    pub(super) fn record_cooldown(&self, target: TargetKey) {
        self.with(|recorder, sink| recorder.record_cooldown(target, sink));
    }

    /// Records which targets are in cooldown. Called on a tick.
    pub(super) fn record_health(&self, document: &Document, now: u64) {
        // Do not read the health if it is not recorded.
        if document.cooldown.is_some() && document.telemetry.metrics {
            let health = read_health();
            self.with(|recorder, sink| recorder.record_health(document, &health, now, sink));
        }
    }

    fn with(&self, record: impl FnOnce(&mut Recorder, &mut dyn FnMut(usize, MetricKind, u64))) {
        let Ok(mut defined) = self.0.try_borrow_mut() else {
            return;
        };
        if let Some(Defined { recorder, ids }) = &mut *defined {
            record(recorder, &mut |number, kind, value| {
                if let Some(id) = ids.get(number).copied().flatten() {
                    let _ = send(id, kind, value);
                }
            });
        }
    }
}

fn send(id: u32, kind: MetricKind, value: u64) -> Result<(), proxy_wasm::types::Status> {
    match kind {
        MetricKind::Counter => {
            hostcalls::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX))
        }
        MetricKind::Gauge | MetricKind::Histogram => hostcalls::record_metric(id, value),
    }
}
