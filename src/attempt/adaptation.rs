//! How an attempt's request is made of what Envoy has at that moment.

use super::plan::Plan;
use super::wire::{Reader, Writer};
use crate::request::{Edit, StreamingEdit, text};

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

/// What the host has to do to an attempt's request.
#[derive(Debug)]
pub struct Adaptation {
    /// In this order; pseudo-headers among them.
    pub headers: Vec<HeaderChange>,
    /// The edit of the body as it passes, if this target needs another than the router role left.
    pub body: Option<StreamingEdit>,
    /// What to write where the next attempt will look, in case this one fails.
    pub next: Option<Next>,
}

/// Where the next attempt goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Next {
    /// The cluster, for the route's matcher.
    pub cluster: String,
    /// The plan, for the backend role there.
    pub plan: Vec<u8>,
}

/// The attempt came out at another backend than the plan says.
#[derive(Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The backend of the plan.
    pub planned: String,
}

/// Begins the plan's next attempt, on the cluster of this backend.
///
/// # Errors
/// If the plan's next attempt is not for this backend: then nothing must be sent, because the request would carry
/// another backend's model, path and headers, and this one's key.
pub fn begin(mut plan: Plan, backend: &str) -> Result<Adaptation, Mismatch> {
    let target = plan
        .target()
        .filter(|target| target.backend == backend)
        .cloned()
        .ok_or_else(|| Mismatch {
            planned: plan
                .target()
                .map(|target| target.backend.clone())
                .unwrap_or_default(),
        })?;
    let is_first = plan.begun == 0;
    let mut headers = if is_first {
        target.first_changes
    } else {
        target.later_changes
    };
    let edit = (target.model != plan.body.model).then(|| Edit {
        span: plan.body.model_span.clone(),
        with: text::encode(&target.model),
    });
    // The first attempt finds it right; a later one finds that of the attempt before.
    if plan.body.has_content_length && !is_first {
        let length = edit
            .as_ref()
            .map_or(plan.body.length, |edit| edit.length_after(plan.body.length));
        headers.push(HeaderChange::set(
            "content-length",
            length.to_string().as_bytes(),
        ));
    }
    plan.begun = plan.begun.saturating_add(1);
    plan.next = plan.next.saturating_add(1);
    let next = plan.target().map(|next| Next {
        cluster: next.cluster.clone(),
        plan: plan.encode(),
    });
    Ok(Adaptation {
        headers,
        body: edit.map(StreamingEdit::new),
        next,
    })
}
