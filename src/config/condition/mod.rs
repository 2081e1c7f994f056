//! Reads the `match` of a route into a condition.

mod caller;
mod content;

use std::sync::Arc;

pub(super) use caller::read_gateways;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use content::PARTS;

use super::backend::read_header_name;
use super::fields;
use super::reader::Node;
use crate::routing::{Condition, KeySource, Pattern, TrafficShare};

/// How deeply matches may nest. Three levels are enough in practice, and the time to compare two matches doubles with
/// each level.
const MAX_MATCH_DEPTH: usize = 6;

/// What reading a match needs to know of its route.
pub(super) struct MatchContext<'a> {
    /// The name of the route.
    pub(super) route: &'a str,
    /// The sources in which the route looks for sticky keys.
    pub(super) sticky: &'a Arc<[KeySource]>,
}

/// Reads a route's `match`; `None` if it has errors.
pub(super) fn read(node: &Node<'_>, context: &MatchContext<'_>) -> Option<Condition> {
    read_match(node, context, MAX_MATCH_DEPTH)
}

fn read_match(node: &Node<'_>, context: &MatchContext<'_>, depth: usize) -> Option<Condition> {
    let Some(depth) = depth.checked_sub(1) else {
        node.error(format!(
            "matches are nested more than {MAX_MATCH_DEPTH} levels deep"
        ));
        return None;
    };
    let fields = node.fields(fields::MATCH);
    if fields.is_empty() {
        fields.error("must not be empty: write {model: \"*\"} to match every request");
        return None;
    }
    let mut conditions = Vec::new();
    for (name, make) in [
        ("model", Condition::Model as fn(Vec<Pattern>) -> Condition),
        ("path", Condition::Path),
        ("method", Condition::Method),
    ] {
        if let Some(node) = fields.optional(name) {
            conditions.push(read_spelled_patterns(node, name).map(make));
        }
    }
    if let Some(node) = fields.optional("headers") {
        conditions.extend(read_headers(node));
    }
    if let Some(node) = fields.optional("stream") {
        conditions.push(node.boolean().map(Condition::Stream));
    }
    conditions.extend(caller::read(&fields));
    conditions.extend(content::read(&fields));
    if let Some(node) = fields.optional("percent") {
        conditions.push(read_percent(node, context));
    }
    for (name, make) in [
        ("any", Condition::Any as fn(Vec<Condition>) -> Condition),
        ("all", Condition::All),
    ] {
        if let Some(node) = fields.optional(name) {
            conditions.push(read_parts(node, context, depth).map(make));
        }
    }
    if let Some(node) = fields.optional("not") {
        let not = |condition| Condition::Not(Box::new(condition));
        conditions.push(read_match(node, context, depth).map(not));
    }
    let mut conditions: Vec<Condition> = conditions.into_iter().collect::<Option<_>>()?;
    if conditions.len() == 1 {
        return conditions.pop();
    }
    Some(Condition::All(conditions))
}

/// Reads a condition for each header; `None` stands for a condition with errors.
fn read_headers(node: &Node<'_>) -> Vec<Option<Condition>> {
    let read = |(written, node): (&str, Node<'_>)| {
        let name = read_header_name(&node, written).map(|name| match name.as_str() {
            // Envoy hands over `host` as `:authority`.
            "host" => ":authority".to_owned(),
            _ => name,
        });
        let values = read_patterns(&node);
        let (name, values) = name.zip(values)?;
        Some(Condition::Header { name, values })
    };
    node.entries().into_iter().map(read).collect()
}

fn read_percent(node: &Node<'_>, context: &MatchContext<'_>) -> Option<Condition> {
    let parts = node.decimal(100, 4, "percent")?;
    let share = TrafficShare::new(
        u32::try_from(parts).ok()?,
        context.route,
        Arc::clone(context.sticky),
    );
    Some(Condition::Percent(share))
}

/// Reads a list of matches.
fn read_parts(node: &Node<'_>, context: &MatchContext<'_>, depth: usize) -> Option<Vec<Condition>> {
    let parts = node.non_empty_list();
    // Read every match before collecting, so that each reports its errors.
    let parts: Vec<_> = parts
        .iter()
        .map(|node| read_match(node, context, depth))
        .collect();
    let parts: Vec<Condition> = parts.into_iter().collect::<Option<_>>()?;
    // An empty list has already reported its error.
    (!parts.is_empty()).then_some(parts)
}

/// Refuses text that cannot be a path, a method or a trust domain.
fn check_spelling(field: &str, node: &Node<'_>, written: &str) {
    match field {
        "path" if !written.starts_with(['/', '*']) => node.error("a path must begin with \"/\""),
        "path" if written.contains(['?', '#', ' ']) => {
            node.error("paths are matched without the query and cannot contain spaces");
        }
        "method" if written.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            node.error("methods must be in upper case");
        }
        "trust_domain" if written.contains(['/', ':']) => {
            node.error("write only the domain, as \"cluster.local\": without \"spiffe://\" and without a path");
        }
        _ => {}
    }
}

fn read_patterns(node: &Node<'_>) -> Option<Vec<Pattern>> {
    read_spelled_patterns(node, "")
}

/// Reads the patterns of a field whose values may have to follow a syntax of their own.
#[inline(never)]
fn read_spelled_patterns(node: &Node<'_>, field: &str) -> Option<Vec<Pattern>> {
    let read = |node: &Node<'_>| {
        let written = node.name()?;
        check_spelling(field, node, written);
        read_pattern(node, written)
    };
    // Read every pattern before collecting, so that each reports its error.
    let patterns: Vec<Option<Pattern>> = node.one_or_many().iter().map(read).collect();
    patterns.into_iter().collect()
}

pub(super) fn read_pattern(node: &Node<'_>, written: &str) -> Option<Pattern> {
    let pattern = Pattern::parse(written);
    if pattern.is_none() {
        node.error(format!(
            "\"{written}\" is not a valid pattern: a \"*\" is only allowed at the beginning or at the end"
        ));
    }
    pattern
}
