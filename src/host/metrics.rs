//! The metrics of outcomes. What fails here is not even logged: a request must not notice, nor a log fill.

use std::cell::RefCell;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use super::health::read_health;
use crate::config::Document;
use crate::health::TargetKey;
use crate::telemetry::Outcome;
use crate::telemetry::metrics::{Kind, Recorder};

/// The metrics of a root's document, if it has any.
#[derive(Default)]
pub(super) struct Metrics(RefCell<Option<Defined>>);

/// As Envoy knows them.
struct Defined {
    recorder: Recorder,
    /// By the number of the series.
    ids: Vec<Option<u32>>,
}

impl Metrics {
    /// Defines those of a document, in the place of those of the one before.
    pub(super) fn define(&self, document: &Document) {
        let defined = document.telemetry.metrics.then(|| {
            let recorder = Recorder::new(document);
            let definitions = recorder.definitions().into_iter();
            let ids = definitions.map(|definition| {
                let kind = match definition.kind {
                    Kind::Counter => MetricType::Counter,
                    Kind::Gauge => MetricType::Gauge,
                    Kind::Histogram => MetricType::Histogram,
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

    /// Records what became of a request.
    pub(super) fn record(&self, outcome: &Outcome) {
        self.with(|recorder, sink| recorder.record(outcome, sink));
    }

    /// Records that a target's cooldown has begun.
    pub(super) fn record_cooldown(&self, target: TargetKey) {
        self.with(|recorder, sink| recorder.record_cooldown(target, sink));
    }

    /// Records which targets cool: on a tick.
    pub(super) fn record_health(&self, document: &Document, now: u64) {
        // What nobody counts is not read either.
        if document.cooldown.is_some() && document.telemetry.metrics {
            let health = read_health();
            self.with(|recorder, sink| recorder.record_health(document, &health, now, sink));
        }
    }

    fn with(&self, record: impl FnOnce(&mut Recorder, &mut dyn FnMut(usize, Kind, u64))) {
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

fn send(id: u32, kind: Kind, value: u64) -> Result<(), proxy_wasm::types::Status> {
    match kind {
        Kind::Counter => hostcalls::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
        Kind::Gauge | Kind::Histogram => hostcalls::record_metric(id, value),
    }
}
