//! Trials of the identification of callers: what Envoy has verified counts, and nothing that a client merely claims.

mod claims;
mod mesh;

use crate::fleet::SharedEnvoy;
use crate::harness::{Call, Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite) {
    on_both(suite, "callers::by_query", by_query);
    on_both(suite, "callers::by_time", by_time);
    on_both(suite, "callers::what_passes", what_passes);
    claims::add(suite);
    mesh::add(suite);
}

fn on_both<Run>(suite: &mut Suite, name: &str, scenario: fn(Case) -> Run)
where
    Run: Future<Output = ()> + 'static,
{
    for protocol in Protocol::ALL {
        suite.on(name, SharedEnvoy::Callers, protocol, scenario);
    }
}

/// Whether a request goes where its condition sends it.
async fn is_taken(call: Call) -> bool {
    let answer = call.send().await;
    answer.is(200);
    match answer.attempts().as_slice() {
        [("azure-east", _)] => true,
        [("openai", _)] => false,
        other => {
            let names: Vec<&str> = other.iter().map(|(name, _)| *name).collect();
            panic!("went to {names:?}{}", answer.describe());
        }
    }
}

async fn by_query(case: Case) {
    for (query, expected) in [
        ("?beta=true&k%C3%A4se=a+b", true),
        ("?k%c3%a4se=a%20bc&%62eta=%74rue", true),
        // Any of the values may match.
        ("?beta=false&beta=true&k%C3%A4se=x&k%C3%A4se=1%2B", true),
        ("", false),
        ("?beta=true", false),
        ("?beta=TRUE&k%C3%A4se=a+b", false),
        ("?Beta=true&k%C3%A4se=a+b", false),
        ("?beta=true;k%C3%A4se=a+b", false),
        ("?beta=true&k%C3%A4se=1+", false),
        ("?x=beta=true&x=k%C3%A4se=a+b", false),
        ("?beta=true&k%C3%A4se=%ff%00%", false),
        ("?beta=true%26k%C3%A4se=a+b", false),
    ] {
        let mut call = case.chat("query");
        call.path.push_str(query);
        assert_eq!(is_taken(call).await, expected, "{query}");
    }
}

async fn by_time(case: Case) {
    assert!(is_taken(case.chat("time-now")).await);
    assert!(!is_taken(case.chat("time-else")).await);
}

/// Requests that are not model calls are routed by the same conditions, except for those on the body.
async fn what_passes(case: Case) {
    let identities = &case.world.backends.identities;
    let token = identities.company.token(&claims::of_company("svc-1"));
    let address = mesh::as_workload(&case, "sanitize.test", "prod", "batch").await;
    for (name, is_met) in [
        ("claims", false),
        ("mesh", false),
        ("query", false),
        ("time", true),
        ("never", false),
    ] {
        let backend = |is_met| {
            if is_met {
                "echo-openai-two"
            } else {
                "echo-openai"
            }
        };
        let path = format!("/v1/files/{name}");
        case.get(&path).send().await.only_at(backend(is_met));
        let call = case.get(&format!("{path}?beta=true")).by(address);
        let call = call.header("authorization", format!("Bearer {token}"));
        call.send().await.only_at(backend(name != "never"));
    }
}
