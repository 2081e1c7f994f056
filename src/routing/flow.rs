//! The router role, from a request's headers to the plan of its attempts: events in, effects out.
//!
//! [`arrive`] takes the headers and either answers or gives a [`Pending`], which takes the body and either answers or
//! gives a [`Routed`]. There is no other order in which this can happen.

use super::condition::Subject;
use super::decision::{LeftOut, Undecided, decide};
use crate::attempt::Plan;
use crate::config::{CREDENTIAL_HEADERS, Document, Route, Target, is_internal_header};
use crate::request::{Headers, scan};
use crate::schema::{Answer, Api, Endpoint, ErrorCode, Schema, split_query};

/// What becomes of a request whose headers have arrived.
#[derive(Debug)]
pub enum Arrival {
    /// It is answered at once.
    Answer(Answer),
    /// Its body decides.
    AwaitBody(Pending),
}

/// A request whose body is awaited.
#[derive(Debug)]
pub struct Pending {
    api: Api,
    headers: Headers,
}

/// A request on its way: what the host has to do, in this order.
#[derive(Debug)]
pub struct Routed<'d> {
    /// The route that takes it.
    pub route: &'d Route,
    /// The route's targets that did not enter the plan.
    pub left_out: Vec<(&'d Target, LeftOut)>,
    /// Headers that must go.
    pub remove_headers: Vec<String>,
    /// How often Envoy may try again.
    pub max_retries: usize,
    /// What makes the body what the first target needs.
    pub body: Option<BodyChange>,
    /// The cluster of the first attempt.
    pub cluster: String,
    /// The plan, encoded for the backend role.
    pub plan: Vec<u8>,
}

/// A new beginning of a body: the rest of it stays where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct BodyChange {
    /// How many bytes go from the beginning.
    pub replaced: usize,
    /// What comes in their place.
    pub beginning: Vec<u8>,
    /// The `content-length` afterwards, if the client gave one.
    pub content_length: Option<usize>,
}

/// Takes a request's headers.
pub fn arrive(document: &Document, headers: Headers) -> Arrival {
    let (path, _) = split_query(headers.text(":path").unwrap_or_default());
    let endpoint = Endpoint::at(path);
    let schema = Endpoint::caller_schema(endpoint.as_ref(), &headers);
    let Some(endpoint) = endpoint else {
        let message = "There is nothing at this path. There are POST /v1/chat/completions, POST /v1/messages, \
                       GET /v1/models and GET /v1/models/{model}.";
        return Arrival::Answer(ErrorCode::PathNotFound.answer(schema, message));
    };
    let method = endpoint.method();
    if headers.text(":method") != Some(method) {
        let message = format!("The method of this path is {method}.");
        let answer = ErrorCode::MethodNotAllowed.answer(schema, &message);
        return Arrival::Answer(answer.with_header("allow", method));
    }
    match endpoint {
        Endpoint::ListModels => Arrival::Answer(document.catalog.list(schema)),
        Endpoint::RetrieveModel(name) => Arrival::Answer(document.catalog.retrieve(schema, name)),
        Endpoint::Model(api) => Arrival::AwaitBody(Pending { api, headers }),
    }
}

impl Pending {
    /// The dialect of the caller, for answers.
    pub fn schema(&self) -> Schema {
        self.api.schema()
    }

    /// By how much Envoy's `request.total_size` exceeds the bytes of the body that have come.
    pub fn header_bytes(&self) -> usize {
        self.headers.byte_size()
    }

    /// Takes the whole body. `random` is 64 random bits.
    ///
    /// # Errors
    /// The answer, if the request goes nowhere.
    pub fn route<'d>(
        &self,
        document: &'d Document,
        body: &[u8],
        random: u64,
    ) -> Result<Routed<'d>, Answer> {
        let schema = self.schema();
        let view = scan(body)
            .map_err(|error| ErrorCode::from(error).answer(schema, &error.to_string()))?;
        let (path, query) = split_query(self.headers.text(":path").unwrap_or_default());
        let subject = Subject {
            model: Some(&view.model),
            path: Some(path),
            method: Some(self.headers.text(":method").unwrap_or_default()),
            headers: Some(&self.headers),
            stream: Some(view.stream),
        };
        let decision = decide(document, self.api, &view.model, &subject, random)
            .map_err(|undecided| explain(undecided, schema, &view.model))?;
        log::debug!("{decision}");
        let (plan, edit) = Plan::make(self.api, &self.headers, query, &view, &decision, body.len());
        Ok(Routed {
            route: decision.route,
            left_out: decision.left_out,
            remove_headers: self.headers_to_remove(),
            max_retries: plan.max_retries(),
            body: edit.map(|edit| BodyChange {
                replaced: edit.span.end,
                beginning: edit.beginning(body),
                content_length: self
                    .headers
                    .contains("content-length")
                    .then(|| plan.body_length()),
            }),
            cluster: plan.cluster().to_owned(),
            plan: plan.encode(),
        })
    }

    /// What a client sent to identify itself, or under a name that is Envoy's or ours.
    fn headers_to_remove(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.headers.iter() {
            let goes = CREDENTIAL_HEADERS.contains(&name) || is_internal_header(name);
            if goes && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

fn explain(undecided: Undecided<'_>, schema: Schema, model: &str) -> Answer {
    let message = match undecided {
        Undecided::NoRoute => format!("The model \"{model}\" does not exist here."),
        Undecided::ModelNotServed(route) => {
            format!(
                "No backend of the route \"{}\" serves the model \"{model}\".",
                route.name
            )
        }
        Undecided::ApiNotSupported(route) => format!(
            "No backend of the route \"{}\", which takes this request for \"{model}\", speaks the API of this path.",
            route.name
        ),
    };
    undecided.code().answer(schema, &message)
}
