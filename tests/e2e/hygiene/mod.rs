//! Trials of header hygiene: every header and parameter that must not reach a backend, and the complete list of those
//! that do.

mod logs;

use llm_router::config::{CREDENTIAL_HEADERS, INTERNAL_HEADERS, PRIVATE_HEADERS};
use llm_router::schema::CREDENTIAL_PARAMETERS;

use crate::harness::{Call, Case, Protocol, SeenRequest, Suite};

/// Names that patterns of the lists stand for, in addition to a made-up one.
const WELL_KNOWN: [&str; 15] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-by",
    "x-forwarded-client-cert",
    "cf-connecting-ip",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-amz-signature",
    // Envoy sets these itself, for each attempt.
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-attempt-count",
    "x-envoy-is-timeout-retry",
    "x-envoy-original-path",
];

/// Headers that any client may send to any backend.
const HARMLESS: [(&str, &str); 8] = [
    ("accept", "application/json"),
    ("accept-encoding", "gzip"),
    ("b3", "1"),
    ("traceparent", "2"),
    ("tracestate", "3"),
    ("user-agent", "a client"),
    ("x-kept", "one"),
    ("x-kept", "two"),
];

/// A value, also in the query, that must not reach any backend.
const SECRET: &str = "stays-here";

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("hygiene::what_arrives", what_arrives);
    suite.matrix("hygiene::what_arrives_in_a_retry", what_arrives_in_a_retry);
    suite.matrix(
        "hygiene::what_arrives_where_it_is_allowed",
        what_arrives_where_it_is_allowed,
    );
    suite.matrix("hygiene::queries", queries);
    logs::add(suite);
}

/// Splits the header names into groups, because Envoy accepts at most a hundred headers.
fn groups() -> Vec<Vec<String>> {
    let lists: [&[&str]; 3] = [&CREDENTIAL_HEADERS, &PRIVATE_HEADERS, &INTERNAL_HEADERS];
    let mut groups: Vec<Vec<String>> = lists
        .iter()
        .flat_map(|list| list.chunks(35))
        .map(|names| {
            let names = names.iter();
            names
                .map(|name| match name.strip_suffix('*') {
                    Some(prefix) => format!("{prefix}made-up"),
                    None => (*name).to_owned(),
                })
                .collect()
        })
        .collect();
    groups.push(WELL_KNOWN.map(str::to_owned).to_vec());
    groups
}

/// Returns a request with these headers, each twice, and with all harmless ones.
fn with(case: &Case, model: &str, names: &[String]) -> Call {
    let mut call = case.chat(model);
    for (name, value) in HARMLESS {
        call = call.header(name, value);
    }
    for name in names {
        // HTTP/2 has only lower-case names.
        let odd = match case.protocol {
            Protocol::Http1 => in_odd_case(name),
            Protocol::Http2 => name.clone(),
        };
        // Envoy needs a valid value.
        let value = if name == "x-forwarded-proto" {
            "https".to_owned()
        } else {
            format!("{SECRET}-{name}")
        };
        call = call.header(name, value.clone()).header(&odd, value);
    }
    call.path.push_str(&format!("?beta=true&key={SECRET}"));
    call
}

fn in_odd_case(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .map(|letter| {
            upper = !upper;
            if upper {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        })
        .collect()
}

/// Returns the complete list of names that arrived, without those that only the tests use.
fn names(seen: &SeenRequest) -> Vec<String> {
    let headers = seen.0.headers.iter().map(|(name, _)| name.clone());
    let mut names: Vec<String> = headers
        .filter(|name| !name.starts_with("x-test-"))
        .collect();
    names.sort();
    names
}

/// Returns the names that every request has over this protocol, and these.
fn expected(is_http2: bool, more: &[&str]) -> Vec<String> {
    let mut names = vec![
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
    ];
    names.extend(more);
    if !is_http2 {
        names.push("host");
    }
    names.sort_unstable();
    names.into_iter().map(str::to_owned).collect()
}

const ELSE: [&str; 6] = [
    "b3",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-kept",
    "x-kept",
];

#[track_caller]
fn check(seen: &SeenRequest, expected: &[String], what: &str) {
    assert_eq!(names(seen), expected, "{what}: the headers that arrive");
    assert!(!seen.has_anywhere(SECRET), "{what}: {:?}", seen.0);
    assert!(
        seen.0.path.ends_with("?beta=true"),
        "{what}: {}",
        seen.0.path
    );
}

/// One target: the first attempt, and another at the same backend.
async fn what_arrives(case: Case) {
    for group in groups() {
        for route in ["patient", "rewritten"] {
            let mut wire = case.connect().await;
            let call = with(&case, "hygiene-alone", &group).route(route);
            let answer = call.send_on(&mut wire).await;
            let attempts = answer.is(500).went_to(&["openai", "openai"]);
            for seen in attempts {
                check(
                    &seen,
                    &expected(false, &ELSE),
                    &format!("{route} {}", group[0]),
                );
            }
        }
    }
}

/// The first attempt, another at the same backend, and one at another backend, over HTTP/2.
async fn what_arrives_in_a_retry(case: Case) {
    for group in groups() {
        let mut wire = case.connect().await;
        let call = with(&case, "hygiene-default", &group);
        let answer = call.send_on(&mut wire).await;
        let attempts = answer.is(200).went_to(&["openai", "openai", "second"]);
        for (index, seen) in attempts.iter().enumerate() {
            let mut more = ELSE.to_vec();
            if index == 2 {
                more.extend(["x-second", "x-shared"]);
            }
            let expected = expected(index == 2, &more);
            check(seen, &expected, &format!("attempt {index} {}", group[0]));
        }
    }
}

/// The same with backends that have `allow_headers`: the first allows little, the second everything that is not
/// stripped by default, and both allow two names that are.
async fn what_arrives_where_it_is_allowed(case: Case) {
    for group in groups() {
        let mut wire = case.connect().await;
        let call = with(&case, "hygiene-allowed", &group);
        let answer = call.send_on(&mut wire).await;
        let attempts = answer.is(200).went_to(&["bare", "bare", "bare"]);
        for (index, seen) in attempts.iter().enumerate() {
            let mut more = if index < 2 {
                vec!["traceparent", "x-kept", "x-kept"]
            } else {
                ELSE.to_vec()
            };
            // Envoy gives each request an ID if the client does not, and adds the scheme by which the request arrived.
            more.extend(["x-forwarded-proto", "x-request-id"]);
            assert_eq!(
                names(seen),
                expected(index == 2, &more),
                "attempt {index} {}",
                group[0]
            );
            let id = seen.values("x-request-id");
            let is_ours = group.iter().any(|name| name == "x-request-id");
            assert_eq!(id[0].starts_with(SECRET.as_bytes()), is_ours, "{id:?}");
            let allowed: usize = ["x-request-id", "x-forwarded-proto"]
                .iter()
                .map(|name| seen.values(name).len())
                .sum();
            let with_secret = seen.0.headers.iter();
            let with_secret =
                with_secret.filter(|(_, value)| String::from_utf8_lossy(value).contains(SECRET));
            assert!(with_secret.count() <= allowed, "{:?}", seen.0);
        }
    }
}

async fn queries(case: Case) {
    let mut query = vec!["beta=true".to_owned()];
    for name in CREDENTIAL_PARAMETERS {
        let name = name.replace('*', "signature");
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for spelled in [name.clone(), name.to_uppercase(), escaped] {
            query.push(format!("{spelled}={SECRET}"));
        }
        query.push(name);
    }
    for (model, backends) in [
        ("hygiene-alone", vec!["openai", "openai"]),
        ("hygiene-default", vec!["openai", "openai", "second"]),
    ] {
        let mut call = case.chat(model);
        call.path = format!("{}?{}", call.path, query.join("&"));
        let answer = call.send().await;
        for seen in answer.went_to(&backends) {
            assert!(seen.0.path.ends_with("?beta=true"), "{}", seen.0.path);
        }
    }
}
