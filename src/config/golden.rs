//! Golden tests: what a document says of its own routing, and whether it is so.
//!
//! The tool runs them whenever it checks a document, the filter where `enforce_tests` asks for it. Both decide with the
//! code that decides about requests; nothing is known against any target.

use hashbrown::HashSet;
use serde_json::{Map, Value};

use super::error::suggestion;
use super::fields;
use super::reader::{Errors, Fields, Node};
use super::{Backend, ConfigError, Document, Strategy, Tree};
use crate::request::Headers;
use crate::routing::{Arrival, Candidate, arrive, is_only_first};
use crate::schema::{Answer, ErrorCode};

/// What came of a document's tests.
#[derive(Debug)]
pub struct GoldenRun {
    /// How many there are.
    pub count: usize,
    /// What is wrong with them, and how those failed that did.
    pub errors: Vec<ConfigError>,
}

/// The bytes of a file that a test names, or why there are none.
type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Runs the tests of a document, which was compiled of this tree.
pub fn run_tests(tree: &Tree, document: &Document, file: ReadFile<'_>) -> GoldenRun {
    let errors = Errors::default();
    let count = run_all(&Node::root(tree, &errors), document, file);
    GoldenRun {
        count,
        errors: errors.into_vec(),
    }
}

/// How many there are.
fn run_all(root: &Node<'_>, document: &Document, file: ReadFile<'_>) -> usize {
    let root = root.fields(fields::DOCUMENT);
    let tests = root
        .optional("tests")
        .map(Node::non_empty_list)
        .unwrap_or_default();
    let mut names = HashSet::new();
    for node in &tests {
        let fields = node.fields(fields::TEST);
        let name = fields.required("name").and_then(Node::name);
        if let Some(name) = name.filter(|name| !names.insert(*name)) {
            node.error(format!(
                "there is another test \"{name}\": give each its own name"
            ));
        }
        let request = fields
            .required("request")
            .and_then(|node| read_request(node, file));
        let expected = fields
            .required("expect")
            .and_then(|node| read_expected(node, document));
        if let (Some(request), Some(expected)) = (request, expected) {
            compare(&expected, &see(document, request));
        }
    }
    tests.len()
}

/// A request as it is written in a document or for the tool.
#[derive(Clone, Debug)]
pub struct GoldenRequest {
    /// With the query.
    pub path: String,
    /// In upper case.
    pub method: String,
    /// Names in lower case; without pseudo-headers and `content-length`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Any bytes.
    pub body: Vec<u8>,
}

impl GoldenRequest {
    /// Where a request goes that does not say.
    pub const PATH: &'static str = "/v1/chat/completions";

    /// The headers as Envoy has them.
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

fn read_request(node: &Node<'_>, file: ReadFile<'_>) -> Option<GoldenRequest> {
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
    let body = read_body(&fields, &method, file)?;
    Some(GoldenRequest {
        path: path?,
        method,
        headers: headers.unwrap_or_default(),
        body,
    })
}

fn read_headers(node: &Node<'_>) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::new();
    for (written, node) in node.entries() {
        let name = match super::backend::read_header_name(&node, written) {
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

/// The body: as it is written, or made of what is written of it.
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
                "has a whole body, and `{name}` beside it: write it there"
            ));
        }
        return Some(whole);
    }
    let mut object = Map::new();
    if let Some(node) = body {
        let entries = node.entries().into_iter();
        object.extend(entries.map(|(name, node)| (name.to_owned(), Value::from(node.tree()))));
    }
    if let Some(node) = fields.optional("model") {
        object.insert("model".to_owned(), Value::from(node.text()?));
    }
    if let Some(node) = fields.optional("stream") {
        object.insert("stream".to_owned(), Value::from(node.boolean()?));
    }
    if object.is_empty() && method != "POST" {
        return Some(Vec::new());
    }
    Some(Value::Object(object).to_string().into_bytes())
}

/// What a test expects: each with the place in the document where it stands.
struct Expected<'a> {
    node: Node<'a>,
    route: Option<(Node<'a>, &'a str)>,
    target: Option<(Node<'a>, &'a str)>,
    plan: Option<(Node<'a>, Vec<&'a str>)>,
    left_out: Option<(Node<'a>, Vec<&'a str>)>,
    error: Option<(Node<'a>, &'a str)>,
}

fn read_expected<'a>(node: &Node<'a>, document: &Document) -> Option<Expected<'a>> {
    let fields = node.fields(fields::EXPECT);
    if fields.is_empty() {
        fields.error(format!(
            "must not be empty: known are {}",
            fields::EXPECT.join(", ")
        ));
        return None;
    }
    let name = |field: &str| {
        let node = fields.optional(field)?;
        Some((node.clone(), node.name().unwrap_or_default()))
    };
    let names = |field: &str| {
        let node = fields.optional(field)?;
        let items = node.list();
        let names = items.iter().map(|item| item.name().unwrap_or_default());
        Some((node.clone(), names.collect::<Vec<_>>()))
    };
    let expected = Expected {
        node: node.clone(),
        route: name("route"),
        target: name("target"),
        plan: names("plan"),
        left_out: names("left_out"),
        error: name("error"),
    };
    let routes = document.routes.iter().map(|route| route.name.as_str());
    let codes = ErrorCode::ALL.iter().map(|code| code.name());
    let known = is_known(&expected.route, "route", routes);
    let known = is_known(&expected.error, "error code", codes) && known;
    if expected.error.is_some() && fields.optional("error").is_some() {
        let others = ["route", "target", "plan", "left_out"];
        if let Some(other) = others.iter().find(|name| fields.optional(name).is_some()) {
            fields.error(format!(
                "has both `error` and `{other}`: what is answered with an error goes nowhere"
            ));
            return None;
        }
    }
    known.then_some(expected)
}

/// Whether a name is one that there is. What is not there at all is.
fn is_known<'n>(
    written: &Option<(Node<'_>, &str)>,
    what: &str,
    mut names: impl Iterator<Item = &'n str> + Clone,
) -> bool {
    let Some((node, written)) = written else {
        return true;
    };
    let close = suggestion(written, names.clone());
    let is_known = names.any(|name| name == *written);
    if !is_known {
        node.error(format!("there is no {what} \"{written}\"{close}"));
    }
    is_known
}

/// What became of a request.
enum Seen<'d> {
    /// It goes somewhere.
    Goes {
        route: &'d str,
        /// What each attempt would be, and whether it may be the first one.
        plan: Vec<(Place, bool)>,
        /// Whether the order is drawn.
        is_drawn: bool,
        /// With the reason.
        left_out: Vec<(Place, &'static str)>,
    },
    /// It is answered here.
    Answered(Answer),
}

/// A backend and a model of it.
struct Place {
    backend: String,
    model: Option<String>,
}

impl Place {
    fn of(candidate: &Candidate<'_>) -> Place {
        Place {
            backend: candidate.backend.name.clone(),
            model: Some(candidate.model.to_owned()),
        }
    }

    /// As a document names it: with the model or without.
    fn is(&self, written: &str) -> bool {
        written == self.backend || written == self.to_string()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.backend)?;
        match &self.model {
            Some(model) => write!(out, "/{model}"),
            None => Ok(()),
        }
    }
}

fn see(document: &Document, request: GoldenRequest) -> Seen<'_> {
    let pending = match arrive(document, Headers::new(request.all_headers())) {
        Arrival::Answer(answer) => return Seen::Answered(answer),
        Arrival::AwaitBody(pending) => pending,
        Arrival::Pass(passed) => {
            let mut routes = document.routes.iter();
            let route = routes.find(|route| route.name == passed.route);
            let is_there = |backend: &&std::sync::Arc<Backend>| backend.cluster == passed.cluster;
            let backend = document.backends.iter().find(is_there);
            let place = backend.map(|backend| Place {
                backend: backend.name.clone(),
                model: None,
            });
            return Seen::Goes {
                route: route.map_or("", |route| route.name.as_str()),
                plan: place.map(|place| (place, true)).into_iter().collect(),
                is_drawn: false,
                left_out: Vec::new(),
            };
        }
    };
    let decided = pending.read(&request.body).and_then(|view| {
        let subject = pending.subject(&view)?;
        let mut decision = pending.decide(document, &view, &subject, 0)?;
        let is_drawn = decision.route.strategy == Strategy::Weighted;
        let mut left_out = Vec::new();
        for (target, reason) in &decision.left_out {
            let place = Place {
                backend: target.backend.name.clone(),
                model: target.model.clone(),
            };
            left_out.push((place, reason.name()));
        }
        if is_only_first(document, &decision, &view) && !is_drawn {
            decision.plan.truncate(1);
        }
        let plan = decision.plan.iter().enumerate().map(|(index, candidate)| {
            let may_be_first = index == 0 || is_drawn && candidate.weight > 0;
            (Place::of(candidate), may_be_first)
        });
        Ok(Seen::Goes {
            route: &decision.route.name,
            plan: plan.collect(),
            is_drawn,
            left_out,
        })
    });
    decided.unwrap_or_else(Seen::Answered)
}

fn compare(expected: &Expected<'_>, seen: &Seen<'_>) {
    let (route, plan, is_drawn, left_out) = match seen {
        Seen::Answered(answer) => return compare_answer(expected, answer),
        Seen::Goes {
            route,
            plan,
            is_drawn,
            left_out,
        } => (*route, plan, *is_drawn, left_out),
    };
    if let Some((node, error)) = &expected.error {
        node.error(format!(
            "the request is routed by \"{route}\", not answered with {error}"
        ));
        return;
    }
    if let Some((node, written)) = expected.route.as_ref().filter(|(_, name)| *name != route) {
        node.error(format!(
            "the request is routed by \"{route}\", not by \"{written}\""
        ));
        return;
    }
    let places = || {
        let places: Vec<String> = plan.iter().map(|(place, _)| place.to_string()).collect();
        places.join(", ")
    };
    if let Some((node, written)) = &expected.target
        && !plan
            .iter()
            .any(|(place, may_be_first)| *may_be_first && place.is(written))
    {
        node.error(format!(
            "\"{written}\" is not tried first by \"{route}\": the plan is {}",
            places()
        ));
    }
    if let Some((node, written)) = &expected.plan {
        let is_equal = if is_drawn {
            is_same_set(written, plan, |(place, _), name| place.is(name))
        } else {
            written.len() == plan.len()
                && written
                    .iter()
                    .zip(plan)
                    .all(|(name, (place, _))| place.is(name))
        };
        if !is_equal {
            let order = if is_drawn { ", in any order" } else { "" };
            node.error(format!("the plan of \"{route}\" is {}{order}", places()));
        }
    }
    if let Some((node, written)) = &expected.left_out {
        let is = |(place, reason): &(Place, &str), written: &str| {
            place.is(written)
                || written
                    .strip_suffix(reason)
                    .and_then(|rest| rest.strip_suffix(' '))
                    .is_some_and(|rest| place.is(rest))
        };
        if !is_same_set(written, left_out, is) {
            let left_out = left_out.iter();
            let left_out: Vec<String> = left_out
                .map(|(place, reason)| format!("{place} {reason}"))
                .collect();
            let left_out = match left_out.join(", ") {
                nothing if nothing.is_empty() => "nothing".to_owned(),
                places => places,
            };
            node.error(format!("what \"{route}\" leaves out is {left_out}"));
        }
    }
}

fn is_same_set<T>(written: &[&str], seen: &[T], is: impl Fn(&T, &str) -> bool) -> bool {
    written.len() == seen.len()
        && written
            .iter()
            .all(|name| seen.iter().any(|one| is(one, name)))
        && seen
            .iter()
            .all(|one| written.iter().any(|name| is(one, name)))
}

fn compare_answer(expected: &Expected<'_>, answer: &Answer) {
    let code = answer.code.map(ErrorCode::name);
    let seen = match code {
        Some(code) => format!("the request is answered with {} {code}", answer.status),
        None => format!("the request is answered here, with {}", answer.status),
    };
    match &expected.error {
        Some((_, written)) if code == Some(*written) => {}
        Some((node, written)) => node.error(format!("{seen}, not with {written}")),
        None => expected.node.error(format!("{seen}, and goes nowhere")),
    }
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
