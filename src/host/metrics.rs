//! The metrics of outcomes. What fails here is not even logged: a request must not notice, nor a log fill.

use std::cell::RefCell;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use super::health::SharedHealth;
use crate::config::Document;
use crate::health::{Health, HealthStore, TargetKey};
use crate::telemetry::Outcome;
use crate::telemetry::metrics::{Kind, Recorder};

/// The metrics of a document, as Envoy knows them.
pub(super) struct Metrics {
    recorder: Recorder,
    /// By the number of the series.
    ids: Vec<Option<u32>>,
}

thread_local! {
    /// Those of the document that was loaded last: for the backend role, which has no document and shares the VM.
    static CURRENT: RefCell<Option<Metrics>> = const { RefCell::new(None) };
}

/// Defines the metrics of a document, in the place of those of another.
pub(super) fn define(document: &Document) {
    let metrics = document.telemetry.metrics.then(|| {
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
        Metrics { recorder, ids }
    });
    CURRENT.with(|current| {
        if let Ok(mut current) = current.try_borrow_mut() {
            *current = metrics;
        }
    });
}

/// Records what became of a request.
pub(super) fn record(outcome: &Outcome) {
    with(|recorder, sink| recorder.record(outcome, sink));
}

/// Records that a target's cooldown has begun.
pub(super) fn record_cooldown(target: TargetKey) {
    with(|recorder, sink| recorder.record_cooldown(target, sink));
}

/// Records which targets cool: on a tick.
pub(super) fn record_health(document: &Document, now: u64) {
    // What nobody counts is not read either.
    if document.cooldown.is_some() && document.telemetry.metrics {
        SharedHealth.change(&mut |health: &mut Health| {
            with(|recorder, sink| recorder.record_health(document, health, now, sink));
            false
        });
    }
}

fn with(record: impl FnOnce(&mut Recorder, &mut dyn FnMut(usize, Kind, u64))) {
    CURRENT.with(|current| {
        let Ok(mut current) = current.try_borrow_mut() else {
            return;
        };
        if let Some(Metrics { recorder, ids }) = &mut *current {
            record(recorder, &mut |number, kind, value| {
                if let Some(id) = ids.get(number).copied().flatten() {
                    let _ = send(id, kind, value);
                }
            });
        }
    });
}

fn send(id: u32, kind: Kind, value: u64) -> Result<(), proxy_wasm::types::Status> {
    match kind {
        Kind::Counter => hostcalls::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
        Kind::Gauge | Kind::Histogram => hostcalls::record_metric(id, value),
    }
}
