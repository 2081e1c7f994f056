//! How an attempt's request is made of what Envoy has at that moment.

use super::failure::Failure;
use super::outgoing::written_by_envoy;
use super::plan::Plan;
use super::running::Running;
use super::verdict::Moment;
use crate::config::is_internal_header;
use crate::request::StreamingEdit;
use crate::schema::ErrorCode;
use crate::wire::{Reader, Writer};

/// One change of the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderChange {
    /// What happens to it.
    pub kind: ChangeKind,
    /// In lower case.
    pub name: String,
    /// Any bytes; empty for a removal.
    pub value: Vec<u8>,
}

/// What happens to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// All of its values go.
    Remove,
    /// This becomes its only value.
    Set,
    /// This becomes another of its values.
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
    /// All of them.
    fn all(&self) -> Vec<(String, Vec<u8>)>;
    /// One of them.
    fn value(&self, name: &str) -> Option<Vec<u8>>;
    /// Whether Envoy has made an attempt at this request before.
    fn is_retry(&self) -> bool;
}

/// What the host has to do to an attempt's request.
pub struct Adaptation {
    /// To its headers; pseudo-headers are among them.
    pub headers: HeaderWrite,
    /// The edits of the body as it passes, if this target needs another than the router role left.
    pub body: Option<StreamingEdit>,
    /// What follows it to its end.
    pub running: Running,
}

/// How the headers become this attempt's.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderWrite {
    /// By these changes, in this order, after these have gone: no attempt came before.
    Change(Vec<HeaderChange>, Vec<&'static str>),
    /// By being replaced as a whole: earlier attempts have left theirs behind.
    Replace(Vec<(String, Vec<u8>)>),
}

/// Why an attempt must not be made.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It came out at another backend than this one, which the plan says.
    Mismatch(String),
    /// Envoy makes it although none was to follow this failure.
    GaveUp(Failure),
    /// The request's deadline is over.
    DeadlineExceeded,
}

impl Refusal {
    /// The error that the caller gets.
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

/// What Envoy itself writes anew for each attempt, and should stay as it is then.
const PER_ATTEMPT: [&str; 4] = ["traceparent", "b3", "x-b3-spanid", "x-b3-parentspanid"];

const CONTENT_LENGTH: &str = "content-length";

/// Begins the plan's next attempt, on the cluster of this backend.
///
/// # Errors
/// If nothing must be sent. At another backend than the plan's, because the request would carry that one's model, path
/// and headers, and this one's key.
pub fn begin<'m>(
    mut plan: Plan,
    backend: &str,
    current: &impl CurrentHeaders,
    moment: impl FnOnce() -> Moment<'m>,
) -> Result<Adaptation, Refusal> {
    let mut now = plan.made_at();
    // The first attempt begins when the plan is made, and what time it is is a host call.
    if !plan.failed.is_empty() {
        let moment = moment();
        now = moment.now;
        plan.tell_last_of_many(moment);
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
                // Beside an earlier attempt that has not ended (hedging), these headers may hold its key already. This
                // backend may see it, being the same; no other may, so that nothing follows.
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
        running: Running::new(plan, now),
    })
}

/// The headers that the first attempt found, with this attempt's changes. Of what Envoy has now nothing is taken over
/// but what it has written for this attempt itself.
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
