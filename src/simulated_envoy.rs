//! Simulates what Envoy does between the two roles, as observed on real Envoys, and so shows what a request looks
//! like at each backend.
//!
//! Header changes persist from attempt to attempt, and each attempt starts with the body that the router role left.
//! Native only, for the command-line tool and the tests of the core; the filter does not contain this module.

use crate::attempt::{
    Adaptation, ChangeKind, CurrentHeaders, HeaderWrite, Moment, PassThroughPlan, Plan,
    ResponseAction, ResponseHead, begin,
};
use crate::config::Document;
use crate::routing::{PassThroughRequest, RoutedRequest};

/// Headers in Envoy's order, including pseudo-headers.
pub type HeaderList = Vec<(String, Vec<u8>)>;

/// A request as a backend receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRequest {
    /// The backend's name.
    pub backend: String,
    /// All headers.
    pub headers: HeaderList,
    /// The body as it arrives.
    pub body: Vec<u8>,
}

/// Returns the requests of a plan's attempts, each of which is answered 503. `after`: what happens to the headers
/// after each attempt was adapted.
pub fn attempts(
    document: &Document,
    routed: &RoutedRequest<'_>,
    mut headers: HeaderList,
    body: &[u8],
    moment: Moment<'_>,
    after: &mut dyn FnMut(&mut HeaderList),
) -> Vec<SentRequest> {
    let body = leave_downstream(routed, &mut headers, body);
    let mut all = Vec::new();
    let mut next = Some((routed.cluster.clone(), routed.plan.clone()));
    while let Some((cluster, plan)) = next.take() {
        let mut backends = document.backends.iter();
        let backend = backends.find(|backend| backend.cluster == cluster);
        // The backend role of an aggregate cluster has the cluster's name.
        let backend = backend.map_or(&cluster, |backend| &backend.name);
        let Some(plan) = Plan::decode(&plan) else {
            break;
        };
        let Ok(mut adaptation) = begin(plan, backend, &Envoy(&headers), || moment) else {
            break;
        };
        all.push(send(backend, &mut adaptation, &mut headers, &body));
        after(&mut headers);
        let head = ResponseHead {
            status: 503,
            end_of_stream: true,
            header: &|_| None,
        };
        if let ResponseAction::Retry(Some(next_attempt)) =
            adaptation.running.on_headers(&head, || moment)
        {
            next = Some((next_attempt.cluster, next_attempt.plan));
        }
    }
    all
}

/// Returns a pass-through request as its backend receives it, after the effects of both roles.
pub fn pass_through(
    document: &Document,
    passed: &PassThroughRequest,
    mut headers: HeaderList,
    body: &[u8],
) -> Option<SentRequest> {
    headers.retain(|(name, _)| !passed.remove_headers.contains(name));
    let mut backends = document.backends.iter();
    let backend = backends.find(|backend| backend.cluster == passed.cluster)?;
    let changes = PassThroughPlan::decode(&passed.passage)?
        .begin(&backend.name)
        .ok()?;
    write(&mut headers, &changes);
    Some(SentRequest {
        backend: backend.name.clone(),
        headers,
        body: body.to_vec(),
    })
}

/// The headers as Envoy has them.
struct Envoy<'a>(&'a [(String, Vec<u8>)]);

impl CurrentHeaders for Envoy<'_> {
    fn all(&self) -> HeaderList {
        self.0.to_vec()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let mut known = self.0.iter();
        known
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    fn is_retry(&self) -> bool {
        false
    }
}

/// Applies the router role's effects to the request. Returns the body.
fn leave_downstream(routed: &RoutedRequest<'_>, headers: &mut HeaderList, body: &[u8]) -> Vec<u8> {
    headers.retain(|(name, _)| !routed.remove_headers.contains(name));
    if let Some(name) = routed.cluster_header {
        set(headers, name, routed.cluster.as_bytes());
    }
    let Some(change) = &routed.body else {
        return body.to_vec();
    };
    if let Some(length) = change.content_length {
        set(headers, "content-length", length.to_string().as_bytes());
    }
    let rest = body.get(change.replaced..).unwrap_or_default();
    [change.beginning.as_slice(), rest].concat()
}

/// The size of the chunks in which a body arrives.
const CHUNK: usize = 7;

/// Applies the backend role's effects. Returns what the backend receives.
fn send(
    backend: &str,
    adaptation: &mut Adaptation,
    headers: &mut HeaderList,
    body: &[u8],
) -> SentRequest {
    write(headers, &adaptation.headers);
    let mut sent = Vec::new();
    for chunk in body.chunks(CHUNK) {
        let edit = adaptation.body.as_mut();
        match edit.and_then(|edit| edit.chunk(chunk.len())) {
            None => sent.extend_from_slice(chunk),
            Some(edit) => {
                let needed = chunk.get(..edit.needed).unwrap_or_default();
                sent.extend_from_slice(&edit.beginning(needed));
                sent.extend_from_slice(chunk.get(edit.replaced..).unwrap_or_default());
            }
        }
    }
    SentRequest {
        backend: backend.to_owned(),
        headers: headers.clone(),
        body: sent,
    }
}

fn write(headers: &mut HeaderList, how: &HeaderWrite) {
    match how {
        HeaderWrite::Replace(all) => headers.clone_from(all),
        HeaderWrite::Change(changes, gone) => {
            headers.retain(|(name, _)| !gone.contains(&name.as_str()));
            for change in changes {
                match change.kind {
                    ChangeKind::Remove => headers.retain(|(name, _)| *name != change.name),
                    ChangeKind::Set => set(headers, &change.name, &change.value),
                    ChangeKind::Add => headers.push((change.name.clone(), change.value.clone())),
                }
            }
        }
    }
}

fn set(headers: &mut HeaderList, name: &str, value: &[u8]) {
    let known = headers.iter_mut().find(|(known, _)| known == name);
    match known {
        Some((_, old)) => *old = value.to_vec(),
        None => headers.push((name.to_owned(), value.to_vec())),
    }
}
