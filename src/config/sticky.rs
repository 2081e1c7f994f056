//! Reads the sources of sticky keys.

use std::sync::Arc;

use super::backend::read_header_name;
use super::fallback::one_of;
use super::fields;
use super::reader::Node;
use super::tree::Tree;
use crate::routing::KeySource;

/// The key sources that take no name.
const NAMED: [KeySource; 3] = [KeySource::Mesh, KeySource::User, KeySource::Conversation];

/// The names of these sources in the document.
pub(crate) const NAMED_SOURCES: [(&str, usize); NAMED.len()] = [
    (NAMED[0].name(), 0),
    (NAMED[1].name(), 1),
    (NAMED[2].name(), 2),
];

/// Reads the key sources, in the order in which they are tried. `is_passing`: the route does not read the body.
pub(super) fn read(node: &Node<'_>, is_passing: bool) -> Arc<[KeySource]> {
    let mut sources: Vec<KeySource> = Vec::new();
    for node in node.list() {
        let Some(source) = read_source(&node) else {
            continue;
        };
        if sources.contains(&source) {
            node.error("is given twice: remove one");
        }
        if is_passing && source.is_in_body() {
            node.error("cannot be used with `pass_through: true`: the body is not read");
        }
        sources.push(source);
    }
    sources.into()
}

pub(super) fn read_source(node: &Node<'_>) -> Option<KeySource> {
    if node.is_scalar() {
        return read_named(node);
    }
    let fields = node.fields(fields::KEY_SOURCE);
    let mut written = fields::KEY_SOURCE
        .iter()
        .filter_map(|name| Some((*name, fields.optional(name)?)));
    let (Some((name, node)), None) = (written.next(), written.next()) else {
        // An unknown source has already reported its error.
        let is_unknown = matches!(node.tree(), Tree::Map(entries) if entries.len() == 1);
        if !is_unknown {
            let known = fields::KEY_SOURCE.join(", ");
            fields.error(format!("must be exactly one of {known}, with a name"));
        }
        return None;
    };
    let written = node.name()?;
    Some(match name {
        "header" => KeySource::Header(match read_header_name(node, written)?.as_str() {
            // Envoy hands over `host` as `:authority`.
            "host" => ":authority".to_owned(),
            name => name.to_owned(),
        }),
        "query" => KeySource::Query(written.to_owned()),
        "claim" => KeySource::Claim(written.to_owned()),
        _ => KeySource::Body(written.to_owned()),
    })
}

fn read_named(node: &Node<'_>) -> Option<KeySource> {
    if let Tree::Text(written) = node.tree()
        && fields::KEY_SOURCE.contains(&written.as_str())
    {
        node.error(format!("needs a name: write {{{written}: <name>}}"));
        return None;
    }
    NAMED.get(one_of(node, &NAMED_SOURCES)?).cloned()
}

/// Returns the sources that exist for requests whose bodies are not read.
pub(super) fn without_bodies(sources: &Arc<[KeySource]>) -> Arc<[KeySource]> {
    let kept = sources.iter().filter(|source| !source.is_in_body());
    kept.cloned().collect()
}
