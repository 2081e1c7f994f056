//! Reads where the filter serves its status page, and who may see it.

use super::backend::read_changed_header;
use super::fields;
use super::reader::{Fields, Node};
use crate::page::{Sha256Digest, from_hex, sha256};
use crate::schema::{Endpoint, is_stored_state};

/// The path of the status page, and who may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The path of the page; the page's data is at the same path followed by `.json`.
    pub path: String,
    /// Who may see it.
    pub access: PageAccess,
}

/// Who may see the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageAccess {
    /// Everybody.
    Public,
    /// Callers that send the secret. All others are answered as if the path did not exist.
    Secret {
        /// The header that carries the secret; in lower case.
        header: String,
        /// The SHA-256 of the secret. The secret itself is not in the document.
        sha256: Sha256Digest,
    },
}

/// The default path of the page.
const PATH: &str = "/llm-router";

pub(super) fn read(node: &Node<'_>) -> Option<Page> {
    let fields = node.fields(fields::PAGE);
    let path = match fields.optional("path") {
        Some(node) => read_path(node),
        None => Some(PATH.to_owned()),
    };
    let access = read_access(node, &fields);
    Some(Page {
        path: path?,
        access: access?,
    })
}

fn read_path(node: &Node<'_>) -> Option<String> {
    let path = node.name()?;
    let is_path = path.len() > 1
        && path.starts_with('/')
        && !path.ends_with('/')
        && !path.ends_with(".json")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    if !is_path {
        node.error(
            "must begin with \"/\", contain only letters, digits and \"/-._~\", and not end with \"/\" or \".json\" \
             (the page's data has that path)",
        );
        return None;
    }
    let mut parts = path.split('/').skip(1);
    if parts.any(|part| matches!(part, "" | "." | "..")) {
        node.error(
            "has an empty segment, \".\" or \"..\", which requests never have if Envoy uses `merge_slashes` and \
             `normalize_path`: write the path without them",
        );
        return None;
    }
    if Endpoint::at(path).is_some() || is_stored_state(path) {
        node.error("is a path of an API: choose another path for the page");
        return None;
    }
    Some(path.to_owned())
}

fn read_access(node: &Node<'_>, fields: &Fields<'_>) -> Option<PageAccess> {
    let public = fields.optional("public");
    let is_public = public.and_then(Node::boolean).unwrap_or(false);
    let header = fields.optional("secret_header");
    let sha256 = fields.optional("secret_sha256");
    if is_public {
        if header.is_some() || sha256.is_some() {
            node.error("has both `public: true` and a secret: remove one of them");
            return None;
        }
        return Some(PageAccess::Public);
    }
    let (Some(header), Some(sha256)) = (header, sha256) else {
        node.error(
            "must say who may see the page: either `secret_header` (the name of a header) and `secret_sha256` (the \
             SHA-256 of its value), or `public: true`",
        );
        return None;
    };
    let name = header
        .name()
        .and_then(|written| read_changed_header(header, written));
    let digest = read_digest(sha256);
    Some(PageAccess::Secret {
        header: name?,
        sha256: digest?,
    })
}

fn read_digest(node: &Node<'_>) -> Option<Sha256Digest> {
    let Some(digest) = from_hex(node.name()?) else {
        node.error(
            "must be 64 hexadecimal digits, which `tr -d '\\n' < page-secret | sha256sum` prints for a secret in a file",
        );
        return None;
    };
    if digest == sha256(b"") {
        node.error(
            "is the SHA-256 of an empty value, so everybody would know the secret: the file or variable that it was \
             computed from was empty",
        );
        return None;
    }
    Some(digest)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
