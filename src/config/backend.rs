//! Reads the document's backends and their models.

use std::sync::Arc;

use hashbrown::HashSet;

use super::fields;
use super::header_lists::{AllowedHeaders, is_credential_header, is_internal_header, read_allowed};
use super::model::{self, Labels, Model};
use super::reader::{Fields, Node};
use crate::schema::{PathTemplate, Schema};

/// One LLM API endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// The name that routes use for it.
    pub name: String,
    /// The Envoy cluster through which it is reached.
    pub cluster: String,
    /// The API schema that it speaks.
    pub schema: Schema,
    /// The `:authority` that it receives; `None`: the client's own.
    pub host: Option<String>,
    /// The template from which request paths are built.
    pub path: PathTemplate,
    /// Headers that are set on every request to it; names in lower case.
    pub set_headers: Vec<(String, String)>,
    /// Headers that are removed from every request to it; names in lower case.
    pub remove_headers: Vec<String>,
    /// The client's other headers that it may receive.
    pub allow_headers: AllowedHeaders,
    /// Whether the client's own credentials are forwarded to it.
    pub forward_client_credentials: bool,
    /// Whether the router may ask for the usage in streams of chat completions.
    pub ask_for_usage: bool,
    /// The labels that the document gives it.
    pub labels: Labels,
    /// The models that it serves.
    pub models: Vec<Model>,
}

impl Backend {
    /// Returns the entry of a model; `None` if this backend does not serve it.
    ///
    /// An exact name takes precedence over a pattern. If only a pattern matches, the name may still be the upstream
    /// name of another entry. Then that entry is returned, so that what the document says of the model applies under
    /// either name.
    pub fn model(&self, model: &str) -> Option<&Model> {
        let find = |is: &dyn Fn(&Model) -> bool| self.models.iter().find(|known| is(known));
        find(&|known| known.name.as_exact() == Some(model)).or_else(|| {
            let pattern = find(&|known| known.name.matches(model.as_bytes()))?;
            find(&|known| known.upstream_name.as_deref() == Some(model)).or(Some(pattern))
        })
    }

    /// Whether requests that keep the client's model can reach `entry`. `takes` tells which model names can arrive
    /// here.
    pub fn may_be_asked(&self, entry: &Model, takes: impl Fn(&str) -> bool) -> bool {
        let Some(name) = entry.name.as_exact() else {
            return true;
        };
        let is_its = |name: &&str| {
            self.model(name)
                .is_some_and(|found| std::ptr::eq(found, entry))
        };
        let upstream_name = entry.upstream_name.as_deref().filter(is_its);
        takes(name) || upstream_name.is_some_and(takes)
    }

    /// Returns the upstream name of a model; `None` if this backend does not serve it.
    pub fn upstream_name<'a>(&'a self, model: &'a str) -> Option<&'a str> {
        let known = self.model(model)?;
        Some(known.upstream_name.as_deref().unwrap_or(model))
    }

    /// Returns the names of all models that are not patterns.
    pub fn exact_models(&self) -> impl Iterator<Item = &str> {
        self.models.iter().filter_map(|model| model.name.as_exact())
    }
}

pub(super) fn read_all(node: &Node<'_>) -> Vec<Arc<Backend>> {
    let mut names = HashSet::new();
    let mut clusters = HashSet::new();
    let mut backends = Vec::new();
    for node in node.non_empty_list() {
        let fields = node.fields(fields::BACKEND);
        let Some(backend) = read(&node, &fields) else {
            continue;
        };
        if !names.insert(backend.name.clone()) {
            node.error(format!(
                "another backend is also called \"{}\": backends need unique names",
                backend.name
            ));
        }
        if !clusters.insert(backend.cluster.clone()) {
            node.error(format!(
                "another backend also has the cluster \"{}\": each backend needs its own cluster, which identifies \
                 the backend of an attempt",
                backend.cluster
            ));
        }
        backends.push(Arc::new(backend));
    }
    backends
}

fn read(node: &Node<'_>, fields: &Fields<'_>) -> Option<Backend> {
    let name = fields.required("name").and_then(Node::name);
    let schema = fields.required("schema").and_then(read_schema);
    let labels = fields.or_default("labels", model::read_labels);
    let models = fields
        .required("models")
        .map(|node| model::read_all(node, name.unwrap_or_default(), &labels))
        .unwrap_or_default();
    let host = fields.optional("host").and_then(read_host);
    let path = read_path(node, fields, schema.unwrap_or(Schema::OpenAi));
    if let Some(node) = fields.optional("path_template") {
        check_template(node, &path, &models);
    }
    let set_headers = fields.or_default("set_headers", read_set_headers);
    let remove_headers = fields.or_default("remove_headers", |node| {
        read_remove_headers(node, &set_headers)
    });
    let allow_headers =
        fields.or_default("allow_headers", |node| read_allowed(node, &remove_headers));
    let forward_client_credentials = fields
        .optional("forward_client_credentials")
        .and_then(Node::boolean)
        .unwrap_or(false);
    let ask_for_usage = fields.optional("ask_for_usage").and_then(Node::boolean);
    let cluster = fields.optional("cluster").and_then(Node::name);
    // A backend with an invalid schema is kept: otherwise its routes would be reported as naming an unknown backend.
    Some(Backend {
        name: name?.to_owned(),
        cluster: cluster.or(name)?.to_owned(),
        schema: schema.unwrap_or(Schema::OpenAi),
        host,
        path,
        set_headers,
        remove_headers,
        allow_headers,
        forward_client_credentials,
        ask_for_usage: ask_for_usage.unwrap_or(true),
        labels,
        models,
    })
}

fn read_schema(node: &Node<'_>) -> Option<Schema> {
    let written = node.name()?;
    let schema = Schema::ALL.into_iter().find(|one| one.name() == written);
    if schema.is_none() {
        let names = Schema::ALL.map(Schema::name);
        node.error(format!(
            "unknown schema \"{written}\"{}; expected one of {}",
            super::error::suggestion(written, names),
            names.join(", ")
        ));
    }
    schema
}

fn read_host(node: &Node<'_>) -> Option<String> {
    let host = node.name()?;
    if !is_authority(host) {
        node.error(
            "must be only a host name or an address, optionally with a port from 1 to 65535 (an IPv6 address in \
             brackets: [::1]:8443)",
        );
        return None;
    }
    Some(host.to_owned())
}

fn is_authority(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = match name.strip_prefix('[') {
        Some(address) => {
            let address = address.strip_suffix(']').unwrap_or_default();
            address.parse::<std::net::Ipv6Addr>().is_ok()
        }
        None => !name.is_empty() && name.bytes().all(is_of_name),
    };
    is_name && port.is_none_or(is_port)
}

const PREFIX: &str = "must be empty, or begin with \"/\" and not end with it, without spaces, \"?\" or \"#\"; for \
                      {model}, use path_template";

fn read_path(node: &Node<'_>, fields: &Fields<'_>, schema: Schema) -> PathTemplate {
    let is_path = |path: &str| {
        path.starts_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    };
    let prefix = fields.optional("path_prefix");
    let template = fields.optional("path_template");
    if prefix.is_some() && template.is_some() {
        node.error("has both path_prefix and path_template: remove one");
    }
    if let Some(node) = template
        && let Some(text) = node.name()
    {
        match PathTemplate::parse(schema, text) {
            Ok(template) if is_path(text) => return template,
            Ok(_) => {
                node.error("must begin with \"/\" and contain only ASCII, without spaces and \"#\"")
            }
            Err(message) => node.error(message),
        }
    }
    if let Some(node) = prefix
        && let Some(text) = node.text()
    {
        if text.is_empty()
            || is_path(text) && !text.ends_with('/') && !text.contains(['?', '{', '}'])
        {
            return PathTemplate::new(schema, Some(text));
        }
        node.error(PREFIX);
    }
    PathTemplate::new(schema, None)
}

/// Refuses a path template without the model where nothing else tells which of several models is called.
fn check_template(node: &Node<'_>, path: &PathTemplate, models: &[Model]) {
    let is_one = matches!(models, [model] if model.name.as_exact().is_some());
    if path.omits_model() && !is_one {
        node.error(
            "has no {model}, but in this schema only the path names the model: add {model}, or give the backend \
             exactly one model that is not a pattern",
        );
    }
}

/// Returns the header's name in lower case, if a document may set, remove or match this header.
pub(super) fn read_header_name(node: &Node<'_>, written: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if written.is_empty() || !written.bytes().all(is_token) {
        node.error(format!("\"{written}\" is not a valid header name"));
        return None;
    }
    Some(written.to_ascii_lowercase())
}

/// Returns the header's name in lower case, if a document may change this header on its way to a backend.
pub(super) fn read_changed_header(node: &Node<'_>, written: &str) -> Option<String> {
    let name = read_header_name(node, written)?;
    let why_not = match name.as_str() {
        "host" => "use the backend's `host`",
        "content-length" | "transfer-encoding" | "connection" | "te" | "trailer" | "upgrade" => {
            "Envoy sets it according to the request"
        }
        name if is_credential_header(name) => {
            "credentials do not belong in this document, and those of clients are removed by default: let Envoy's \
             credential_injector add the key from a secret, or see forward_client_credentials"
        }
        name if is_internal_header(name) => "the name is reserved for Envoy or the router",
        _ => return Some(name),
    };
    node.error(format!("\"{written}\" cannot be changed here: {why_not}"));
    None
}

fn read_set_headers(node: &Node<'_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (written, node) in node.entries() {
        let name = read_changed_header(&node, written);
        if let (Some(name), Some(value)) = (name, node.text()) {
            if headers.iter().any(|(known, _)| *known == name) {
                node.error("is given twice, in different letter case: remove one");
            }
            headers.push((name, value.to_owned()));
        }
    }
    headers
}

fn read_remove_headers(node: &Node<'_>, set: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in node.list() {
        let Some(name) = node
            .name()
            .and_then(|written| read_changed_header(&node, written))
        else {
            continue;
        };
        if names.contains(&name) {
            node.error("is given twice: remove one");
        }
        if set.iter().any(|(known, _)| *known == name) {
            node.error("is set by set_headers: remove one of the two");
        }
        names.push(name);
    }
    names
}
