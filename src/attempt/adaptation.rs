//! Builds an attempt's request from what Envoy holds at that moment.

use super::failure::Failure;
use super::outgoing_headers::written_by_envoy;
use super::plan::Plan;
use super::running::RunningAttempt;
use super::verdict::Moment;
use crate::config::is_internal_header;
use crate::request::StreamingEdit;
use crate::schema::ErrorCode;
use crate::wire::{Reader, Writer};

/// One change of the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderChange {
    /// The kind of change.
    pub kind: ChangeKind,
    /// The header's name in lower case.
    pub name: String,
    /// The value, as any bytes; empty for a removal.
    pub value: Vec<u8>,
}

/// The kinds of header changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Removes all values of the header.
    Remove,
    /// Sets the header to this one value.
    Set,
    /// Adds this value to the header.
    Add,
}

impl HeaderChange {
    const KINDS: [ChangeKind; 3] = [ChangeKind::Remove, ChangeKind::Set, ChangeKind::Add];

    fn new(kind: ChangeKind, name: &str, value: &[u8]) -> Self {
        HeaderChange {
            kind,
            name: name.to_owned(),
            value: value.to_vec(),
        }
    }

    pub(super) fn remove(name: &str) -> Self {
        Self::new(ChangeKind::Remove, name, b"")
    }

    pub(super) fn set(name: &str, value: &[u8]) -> Self {
        Self::new(ChangeKind::Set, name, value)
    }

    pub(super) fn add(name: &str, value: &[u8]) -> Self {
        Self::new(ChangeKind::Add, name, value)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        let kind = Self::KINDS.iter().position(|kind| *kind == self.kind);
        out.length(kind.unwrap_or(0));
        out.bytes(self.name.as_bytes());
        out.bytes(&self.value);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(HeaderChange {
            kind: *Self::KINDS.get(from.length()?)?,
            name: from.text()?,
            value: from.bytes()?,
        })
    }
}

/// The request's headers as Envoy has them when an attempt begins.
pub trait CurrentHeaders {
    /// Returns all headers.
    fn all(&self) -> Vec<(String, Vec<u8>)>;
    /// Returns the value of one header.
    fn value(&self, name: &str) -> Option<Vec<u8>>;
    /// Whether Envoy has already made an attempt at this request.
    fn is_retry(&self) -> bool;
}

/// What the host must do to an attempt's request.
pub struct Adaptation {
    /// The changes of its headers, including pseudo-headers.
    pub headers: HeaderWrite,
    /// The edits to apply to the body as it passes, if this target needs a different one than the router role left.
    pub body: Option<StreamingEdit>,
    /// The state machine that follows the attempt to its end.
    pub running: RunningAttempt,
}

/// How the request's headers become this attempt's.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderWrite {
    /// Remove the headers in the second list, then apply the changes in order. Used if no attempt came before.
    Change(Vec<HeaderChange>, Vec<&'static str>),
    /// Replace all headers, because earlier attempts have left theirs behind.
    Replace(Vec<(String, Vec<u8>)>),
}

/// Why an attempt must not be made.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The plan names this backend, but the attempt arrived at the cluster of another one.
    Mismatch(String),
    /// Envoy makes an attempt although none was to follow this failure.
    GaveUp(Failure),
    /// The request's deadline has passed.
    DeadlineExceeded,
}

impl Refusal {
    /// Returns the error that the caller gets.
    pub fn code(&self) -> ErrorCode {
        match self {
            Refusal::Mismatch(_) => ErrorCode::BackendMismatch,
            Refusal::DeadlineExceeded => ErrorCode::DeadlineExceeded,
            Refusal::GaveUp(failure) => match failure {
                Failure::ConnectFailure => ErrorCode::UpstreamUnreachable,
                Failure::NoAnswer | Failure::LateFirstToken => ErrorCode::UpstreamTimeout,
                Failure::Incomplete => ErrorCode::UpstreamIncomplete,
                _ => ErrorCode::UpstreamReset,
            },
        }
    }
}

/// Headers that Envoy itself writes anew for each attempt. Their current values are kept.
const PER_ATTEMPT: [&str; 4] = ["traceparent", "b3", "x-b3-spanid", "x-b3-parentspanid"];

const CONTENT_LENGTH: &str = "content-length";

/// Begins the plan's next attempt, on the cluster of `backend`.
///
/// # Errors
/// Returns the reason if the request must not be sent. In particular, it must not be sent to another backend than the
/// plan's, because it would carry the planned backend's model, path and headers together with this backend's key.
pub fn begin<'m>(
    mut plan: Plan,
    backend: &str,
    current: &impl CurrentHeaders,
    moment: impl FnOnce() -> Moment<'m>,
) -> Result<Adaptation, Refusal> {
    let mut now = plan.made_at();
    // The first attempt begins when the plan is made, which saves a host call for the time.
    if !plan.failed.is_empty() {
        let moment = moment();
        now = moment.now;
        plan.record_last_failure_before_retry(moment);
    }
    if now >= plan.deadline_at {
        return Err(Refusal::DeadlineExceeded);
    }
    if plan.gave_up {
        let last = plan.failed.last();
        return Err(Refusal::GaveUp(
            last.map_or(Failure::Reset, |last| last.failure),
        ));
    }
    let Some(target) = plan.target().filter(|target| target.backend == backend) else {
        let planned = plan.target().map(|target| target.backend.clone());
        return Err(Refusal::Mismatch(planned.unwrap_or_default()));
    };
    let edits = target.edits.clone();
    let headers = if plan.failed.is_empty() || plan.targets.len() < 2 {
        let changes = target.changes.clone();
        let mut found = None;
        if plan.targets.len() > 1 && plan.has_budget() {
            if current.is_retry() {
                // With hedging, an earlier attempt may not have ended, and these headers may already contain its key.
                // This attempt goes to the same backend, which may see the key. No other backend may, so no attempt
                // follows.
                plan.policy.max_attempts = 1;
            }
            plan.headers = current.all();
            found = Some(plan.headers.as_slice());
        }
        HeaderWrite::Change(changes, written_by_envoy(found))
    } else {
        let length = edits.length_after(plan.body_length);
        HeaderWrite::Replace(rebuilt(&plan.headers, &target.changes, length, current))
    };
    Ok(Adaptation {
        headers,
        body: (!edits.is_empty()).then(|| StreamingEdit::new(edits)),
        running: RunningAttempt::new(plan, now),
    })
}

/// Returns the headers that the first attempt found, with this attempt's changes. Of Envoy's current headers, only
/// those that Envoy has written for this attempt itself are kept.
fn rebuilt(
    found: &[(String, Vec<u8>)],
    changes: &[HeaderChange],
    body_length: usize,
    current: &impl CurrentHeaders,
) -> Vec<(String, Vec<u8>)> {
    let mut headers = found.to_vec();
    headers.retain(|(name, _)| !is_internal_header(name));
    for change in changes {
        let known = |(name, _): &(String, Vec<u8>)| *name == change.name;
        match change.kind {
            ChangeKind::Remove => headers.retain(|header| !known(header)),
            ChangeKind::Add => headers.push((change.name.clone(), change.value.clone())),
            ChangeKind::Set => match headers.iter_mut().find(|header| known(header)) {
                Some((_, value)) => value.clone_from(&change.value),
                None => headers.push((change.name.clone(), change.value.clone())),
            },
        }
    }
    for (name, value) in &mut headers {
        if name == CONTENT_LENGTH {
            *value = body_length.to_string().into_bytes();
        } else if PER_ATTEMPT.contains(&name.as_str())
            && let Some(now) = current.value(name)
        {
            *value = now;
        }
    }
    headers
}
