//! Reads what the router reports about requests: the caller, usage, access log fields and metrics.

use super::backend::read_header_name;
use super::fields;
use super::header_lists::is_credential_header;
use super::reader::Node;
use super::route::Route;
use super::sticky;
use super::tree::Tree;
use crate::request::CallerParts;
use crate::routing::KeySource;
use crate::telemetry::metrics::{MAX_TARGET_CALLERS, OTHER, target_caller_series};
use crate::telemetry::{MAX_CALLER_BYTES, caller_name};

/// The `telemetry` of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where the name of a request's caller is found: a header, a claim, or the mesh identity; `None`: the caller is
    /// not reported.
    pub caller: Option<KeySource>,
    /// The callers that have metrics of their own.
    pub callers: Vec<String>,
    /// Whether the router asks for the usage in streams of chat completions.
    pub ask_for_usage: bool,
    /// Whether outcomes are written to filter state, for access logs and traces.
    pub access_log: bool,
    /// Whether there are metrics by route, target and caller.
    pub metrics: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            caller: None,
            callers: Vec::new(),
            ask_for_usage: true,
            access_log: true,
            metrics: true,
        }
    }
}

impl Telemetry {
    /// Adds what telemetry needs to know about the caller.
    pub(super) fn add_caller_parts(&self, parts: &mut CallerParts) {
        if let Some(source) = &self.caller {
            source.add_caller_parts(parts);
        }
    }
}

/// How many callers can have metrics of their own.
const MAX_CALLERS: usize = 64;

pub(super) fn read(node: &Node<'_>, routes: &[Route]) -> Telemetry {
    let fields = node.fields(fields::TELEMETRY);
    let flag = |name: &str| fields.optional(name).and_then(Node::boolean);
    let caller = fields.optional("caller");
    let callers = fields.optional("callers");
    if let (None, Some(callers)) = (caller, callers) {
        callers.error("needs `caller`, which says where a request names its caller");
    }
    Telemetry {
        caller: caller.and_then(read_caller),
        callers: callers
            .map(|node| read_callers(node, routes))
            .unwrap_or_default(),
        ask_for_usage: flag("ask_for_usage").unwrap_or(true),
        access_log: flag("access_log").unwrap_or(true),
        metrics: flag("metrics").unwrap_or(true),
    }
}

fn read_caller(node: &Node<'_>) -> Option<KeySource> {
    const MESH: &str = KeySource::Mesh.name();
    // Of the sources that take no name, only the mesh identity may be reported.
    if let Tree::Text(written) = node.tree()
        && written != MESH
    {
        node.error(format!(
            "\"{written}\" does not say where to find the caller: write {{header: <name>}}, {{claim: <name>}} or \
             `{MESH}`"
        ));
        return None;
    }
    let source = sticky::read_source(node)?;
    match &source {
        KeySource::Header(name) => {
            read_header_name(node, name.trim_start_matches(':'))?;
            if is_credential_header(name) {
                node.error(format!(
                    "\"{name}\" carries credentials, which are never logged or counted: choose another header"
                ));
                return None;
            }
        }
        KeySource::Claim(_) | KeySource::Mesh => {}
        KeySource::Query(_) | KeySource::Body(_) | KeySource::User | KeySource::Conversation => {
            node.error("must be a header, a claim or `mesh`");
            return None;
        }
    }
    Some(source)
}

fn read_callers(node: &Node<'_>, routes: &[Route]) -> Vec<String> {
    let mut callers: Vec<String> = Vec::new();
    let items = node.non_empty_list();
    if items.len() > MAX_CALLERS {
        node.error(format!(
            "has more than {MAX_CALLERS} callers, but each of them adds metrics"
        ));
    }
    for node in items {
        let Some(name) = node.name() else { continue };
        if caller_name(name.as_bytes()).is_none() {
            node.error(format!(
                "the name of a caller can have at most {MAX_CALLER_BYTES} bytes of printable ASCII"
            ));
        }
        if callers.iter().any(|known| known == name) {
            node.error("is given twice: remove one");
        }
        if name == OTHER {
            node.error("is reserved for all callers that are not listed here: remove it");
        }
        callers.push(name.to_owned());
    }
    let series = target_caller_series(routes, &callers);
    if series > MAX_TARGET_CALLERS {
        node.error(format!(
            "metrics count each backend and model of a route for each caller and for all others together, which makes \
             {series} combinations: list fewer callers, for at most {MAX_TARGET_CALLERS}"
        ));
    }
    callers
}
