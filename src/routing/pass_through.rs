//! Routes requests that are not model calls: the first pass-through route that matches takes them, by their headers
//! alone.

use super::condition::Subject;
use super::dry_run;
use super::flow::headers_to_remove;
use super::steering::RequestSteering;
use crate::attempt::{Moment, PassThroughPlan};
use crate::config::{Document, Route};
use crate::request::{Caller, Headers, Query};
use crate::schema::{Answer, ErrorCode, Schema, is_ambiguous, is_stored_state, split_query};

/// A request that passes through: what the host has to do, in this order.
#[derive(Debug)]
pub struct PassThroughRequest {
    /// The name of the route that takes it.
    pub route: String,
    /// The API schema in which the caller expects answers.
    pub schema: Schema,
    /// Request headers to remove.
    pub remove_headers: Vec<String>,
    /// The cluster of its backend.
    pub cluster: String,
    /// The request header that names the cluster, for Envoys that do not use the matcher.
    pub cluster_header: Option<String>,
    /// The passage, encoded for the backend role.
    pub passage: Vec<u8>,
}

/// Routes the headers of a request that is not a model call. `subject` knows everything but the time and the random
/// bits; `schema` is the caller's. `method`: the only method of a path that the router knows.
pub(super) fn route_pass_through<'m>(
    document: &Document,
    headers: &Headers,
    subject: Subject<'_>,
    moment: impl FnOnce() -> Moment<'m>,
    (schema, method): (Schema, Option<&'static str>),
) -> Result<PassThroughRequest, Answer> {
    let (path, query) = split_query(headers.text(":path").unwrap_or_default());
    let asked_method = headers.text(":method").unwrap_or_default();
    // A WebSocket begins with a GET. Any other request with upgrade headers may be a model call by its path.
    let is_odd_upgrade = headers.contains("upgrade") && asked_method != "GET";
    if is_odd_upgrade || asked_method == "TRACE" {
        return Err(refuse(path, headers, schema, method));
    }
    let route = first_route(document, subject, moment);
    let target = route.and_then(|route| Some((route, route.targets.first()?)));
    let Some((route, target)) = target else {
        return Err(refuse(path, headers, schema, method));
    };
    let backend = &target.backend;
    let there = backend.path.pass(path, "");
    if [path, &there]
        .iter()
        .any(|path| is_ambiguous(path, asked_method))
    {
        let message = "Servers could mistake this path for another one because of its encoded slashes or dots, its \
                       letter case, or its end. Write it exactly as in the API.";
        return Err(ErrorCode::PathNotFound.answer(schema, message));
    }
    let steering = RequestSteering::read(document.steering, headers)
        .map_err(|message| ErrorCode::InvalidRouterHeader.answer(schema, &message))?;
    if steering.dry_run {
        return Err(dry_run::pass_through(&route.name, backend));
    }
    let cluster_header = document.cluster_header.as_deref();
    Ok(PassThroughRequest {
        route: route.name.clone(),
        schema,
        remove_headers: headers_to_remove(headers, cluster_header),
        cluster: backend.cluster.clone(),
        cluster_header: cluster_header.map(str::to_owned),
        passage: PassThroughPlan::make(schema, backend, headers, (path, query), cluster_header)
            .encode(),
    })
}

/// Returns the route that takes the request.
fn first_route<'d, 'm>(
    document: &'d Document,
    mut subject: Subject<'_>,
    moment: impl FnOnce() -> Moment<'m>,
) -> Option<&'d Route> {
    let mut moment = Some(moment);
    let mut routes = document.routes.iter().filter(|route| route.pass_through);
    routes.find(|route| {
        let takes = route.condition.evaluate(&subject);
        // The decision depends on the time or on a random draw.
        if takes.is_none()
            && let Some(moment) = moment.take()
        {
            subject = at_moment(subject, moment());
            return route.condition.evaluate(&subject) == Some(true);
        }
        takes == Some(true)
    })
}

/// Adds the time and the random bits of this moment.
pub(crate) fn at_moment<'a>(subject: Subject<'a>, moment: Moment<'_>) -> Subject<'a> {
    Subject {
        now: Some(moment.now),
        random: Some(moment.random),
        ..subject
    }
}

/// Returns all facts that conditions may use about a request that is not a model call, except for the time and the
/// random bits.
pub(crate) fn pass_through_subject<'a>(
    headers: &'a Headers,
    query: &'a Query,
    caller: &'a Caller,
) -> Subject<'a> {
    let (path, _) = split_query(headers.text(":path").unwrap_or_default());
    Subject {
        path: Some(path),
        method: Some(headers.text(":method").unwrap_or_default()),
        headers: Some(headers),
        query: Some(query),
        caller: Some(caller),
        ..Subject::default()
    }
}

/// Whether this is the answer to a request that is not a model call and that no route takes.
pub(crate) fn is_no_route_answer(answer: &Answer) -> bool {
    matches!(
        answer.code,
        Some(
            ErrorCode::PathNotFound
                | ErrorCode::UpgradeNotRouted
                | ErrorCode::MethodNotAllowed
                | ErrorCode::StoredStateNotRouted
        )
    )
}

/// The methods that can pass through, for the `allow` header of an answer.
const PASSED_METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/// Returns the error answer, which says why the request cannot be routed and what would change that.
fn refuse(path: &str, headers: &Headers, schema: Schema, method: Option<&'static str>) -> Answer {
    if headers.text(":method") == Some("TRACE") {
        let message = "TRACE is not forwarded: a backend would answer with the headers that it received, including \
                       its key.";
        let answer = ErrorCode::MethodNotAllowed.answer(schema, message);
        return answer.with_header("allow", method.unwrap_or(PASSED_METHODS));
    }
    if headers.contains("upgrade") {
        let message = "No route takes this upgrade, which must be a GET. It needs a route with `pass_through: true`, \
                       this path in its match, and one backend as its target.";
        return ErrorCode::UpgradeNotRouted.answer(schema, message);
    }
    if let Some(method) = method {
        let message = format!("This path only supports the method {method}.");
        let answer = ErrorCode::MethodNotAllowed.answer(schema, &message);
        return answer.with_header("allow", method);
    }
    if is_stored_state(path) {
        let message = "This path refers to state that is stored at one provider, but no route says which. It needs a \
                       route with `pass_through: true`, this path in its match, and that provider's backend as its \
                       target.";
        return ErrorCode::StoredStateNotRouted.answer(schema, message);
    }
    let message = "There is nothing at this path. Supported are POST /v1/chat/completions, POST /v1/messages, GET \
                   /v1/models, GET /v1/models/{model} and other model calls; any other path needs a route with \
                   `pass_through: true`.";
    ErrorCode::PathNotFound.answer(schema, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::NoHealthStore;
    use crate::routing::{AfterHeaders, receive_headers};

    const DOCUMENT: &[u8] = br#"{
        "backends": [{"name": "a", "schema": "openai", "models": [{"name": "m"}]}],
        "routes": [
            {"name": "mondays", "match": {"path": "/v1/files*", "time": {"weekdays": "mon"}}, "pass_through": true,
             "targets": [{"backend": "a"}]},
            {"name": "other days", "match": {"path": "/v1/*"}, "pass_through": true, "targets": [{"backend": "a"}]}
        ]
    }"#;

    /// Reading the time costs a host call.
    #[test]
    fn the_moment_is_asked_for_where_it_decides() {
        let document = Document::load(DOCUMENT).unwrap();
        let monday = crate::schema::rfc_3339("2026-01-05T12:00:00Z").unwrap();
        let tuesday = crate::schema::rfc_3339("2026-01-06T12:00:00Z").unwrap();
        for (path, now, expected) in [
            ("/v1/files/x", monday, ("mondays", true)),
            ("/v1/files/x", tuesday, ("other days", true)),
            ("/v1/batches/x", monday, ("other days", false)),
        ] {
            let headers = [(":path", path), (":method", "GET")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            let mut is_asked = false;
            let moment = || {
                is_asked = true;
                Moment {
                    now,
                    random: 0,
                    health: &NoHealthStore,
                }
            };
            let headers = Headers::new(headers.to_vec());
            let arrival = receive_headers(&document, headers, Caller::default(), moment);
            let AfterHeaders::PassThrough(passed) = arrival else {
                panic!("it passes: {arrival:?}");
            };
            assert_eq!((passed.route.as_str(), is_asked), expected, "{path} {now}");
        }
    }
}
