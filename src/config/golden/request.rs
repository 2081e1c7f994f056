//! Reads the request of a golden test.

use serde_json::{Map, Value};

use super::ReadFile;
use crate::config::backend::read_header_name;
use crate::config::reader::{Fields, Node};
use crate::config::{Tree, fields};
use crate::request::{Caller, Claims, MeshIdentity};
use crate::schema::rfc_3339;

/// A request as written in a document or on the tool's command line.
#[derive(Clone, Debug)]
pub struct GoldenRequest {
    /// The path, with the query.
    pub path: String,
    /// The method, in upper case.
    pub method: String,
    /// The headers; names in lower case, without pseudo-headers and `content-length`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; any bytes.
    pub body: Vec<u8>,
    /// What Envoy would know about the caller.
    pub caller: Caller,
    /// When the request arrives: Unix time in milliseconds.
    pub now: u64,
}

impl GoldenRequest {
    /// The default path of a request.
    pub const PATH: &'static str = "/v1/chat/completions";

    /// The default arrival time of a golden test's request: 2026-01-05T12:00:00Z, a Monday. Unix time in milliseconds.
    pub const TIME: u64 = 1_767_614_400_000;

    /// Returns the headers as Envoy hands them over, with pseudo-headers.
    pub fn all_headers(&self) -> Vec<(String, Vec<u8>)> {
        let host = |(name, _): &(String, Vec<u8>)| name == ":authority";
        let mut headers = Vec::new();
        if !self.headers.iter().any(host) {
            headers.push((":authority".to_owned(), b"gateway.example".to_vec()));
        }
        headers.push((":path".to_owned(), self.path.clone().into_bytes()));
        headers.push((":method".to_owned(), self.method.clone().into_bytes()));
        headers.extend(self.headers.iter().cloned());
        if !self.body.is_empty() {
            let length = self.body.len().to_string();
            headers.push(("content-length".to_owned(), length.into_bytes()));
        }
        headers
    }
}

pub(super) fn read_request(node: &Node<'_>, file: ReadFile<'_>) -> Option<GoldenRequest> {
    let fields = node.fields(fields::TEST_REQUEST);
    let text = |name: &str, default: &str| match fields.optional(name) {
        Some(node) => node.name().map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let path = text("path", GoldenRequest::PATH);
    if let (Some(path), Some(node)) = (&path, fields.optional("path"))
        && !path.starts_with('/')
    {
        node.error("must begin with \"/\"");
    }
    let method = text("method", "POST")?;
    let headers = fields.optional("headers").map(read_headers);
    let now = match fields.optional("time") {
        Some(node) => read_time(node)?,
        None => GoldenRequest::TIME,
    };
    let caller = read_caller(&fields)?;
    let body = read_body(&fields, &method, file)?;
    Some(GoldenRequest {
        path: path?,
        method,
        headers: headers.unwrap_or_default(),
        body,
        caller,
        now,
    })
}

fn read_caller(fields: &Fields<'_>) -> Option<Caller> {
    let mut caller = Caller::default();
    if let Some(node) = fields.optional("claims") {
        // Reports the error if the claims are not a map.
        node.entries();
        caller = caller.with_claims(Claims::new(node.tree().clone())?);
    }
    if let Some(node) = fields.optional("mesh") {
        caller = caller.with_mesh(Some(read_mesh(node)?));
    }
    Some(caller)
}

fn read_time(node: &Node<'_>) -> Option<u64> {
    let time = rfc_3339(node.name()?);
    if time.is_none() {
        node.error("is not a valid time: write it as \"2026-01-05T12:00:00Z\"");
    }
    time
}

fn read_mesh(node: &Node<'_>) -> Option<MeshIdentity> {
    let fields = node.fields(fields::MESH);
    let part = |name: &str| fields.required(name).and_then(Node::name);
    let (trust_domain, namespace) = (part("trust_domain"), part("namespace"));
    let service_account = part("service_account");
    let (trust_domain, namespace) = (trust_domain?, namespace?);
    let uri = format!(
        "spiffe://{trust_domain}/ns/{namespace}/sa/{}",
        service_account?
    );
    let mesh = MeshIdentity::parse(&uri).filter(|mesh| mesh.service_account.is_some());
    if mesh.is_none() {
        node.error(format!("\"{uri}\" is not a mesh identity"));
    }
    mesh
}

fn read_headers(node: &Node<'_>) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::new();
    for (written, node) in node.entries() {
        let name = match read_header_name(&node, written) {
            Some(name) if name == "host" => ":authority".to_owned(),
            Some(name) => name,
            None => continue,
        };
        for value in node.one_or_many() {
            let value = value.text().unwrap_or_default().as_bytes();
            headers.push((name.clone(), value.to_vec()));
        }
    }
    headers
}

/// Returns the body: the bytes as written, or JSON built from the fields.
fn read_body(fields: &Fields<'_>, method: &str, file: ReadFile<'_>) -> Option<Vec<u8>> {
    let body = fields.optional("body");
    let written = body.and_then(|node| match node.tree() {
        Tree::Text(text) => Some(text.clone().into_bytes()),
        _ => None,
    });
    let whole = match (fields.optional("file"), written) {
        (Some(node), None) => {
            let read = file(node.name()?);
            Some(read.map_err(|why| node.error(why)).ok()?)
        }
        (_, written) => written,
    };
    if let Some(whole) = whole {
        let is_written_too = |name: &&str| fields.optional(name).is_some();
        let others: &[&str] = match fields.optional("file") {
            Some(_) => &["model", "stream", "body"],
            None => &["model", "stream"],
        };
        if let Some(name) = others.iter().copied().find(is_written_too) {
            fields.error(format!(
                "has the whole body as text or a file, and also `{name}`: write it in the body"
            ));
        }
        return Some(whole);
    }
    let mut object = Map::new();
    if let Some(node) = body {
        let entries = node.entries().into_iter();
        object.extend(entries.map(|(name, node)| (name.to_owned(), node.tree().in_body())));
    }
    let mut add = |name: &str, node: &Node<'_>, value: Value| {
        if object.insert(name.to_owned(), value).is_some() {
            node.error(format!("is also in `body`: write `{name}` only once"));
        }
    };
    if let Some(node) = fields.optional("model") {
        add("model", node, Value::from(node.text()?));
    }
    if let Some(node) = fields.optional("stream") {
        add("stream", node, Value::from(node.boolean()?));
    }
    if object.is_empty() && method != "POST" {
        return Some(Vec::new());
    }
    Some(Value::Object(object).to_string().into_bytes())
}
