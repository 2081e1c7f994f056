//! Trials of mesh identities, which clients prove by certificates.

use std::net::SocketAddr;

use super::on_both;
use crate::fleet::callers::chain_of;
use crate::harness::identities::Certificate;
use crate::harness::{Call, Case, Suite};

pub(super) fn add(suite: &mut Suite) {
    on_both(suite, "callers::mesh_in_every_mode", in_every_mode);
    on_both(suite, "callers::mesh_identities", identities);
    on_both(
        suite,
        "callers::mesh_without_a_certificate",
        without_a_certificate,
    );
    on_both(
        suite,
        "callers::mesh_of_a_foreign_certificate",
        of_a_foreign_certificate,
    );
    on_both(suite, "callers::mesh_behind_a_gateway", behind_a_gateway);
}

const HEADER: &str = "x-forwarded-client-cert";
const CHAT: &str = "spiffe://cluster.local/ns/prod/sa/chat-ui";
const ADMIN: &str = "spiffe://cluster.local/ns/prod/sa/admin";
const GATEWAY: &str = "spiffe://cluster.local/ns/istio-ingress/sa/gateway";

/// Returns an address that leads to the filter chain of this name with this certificate.
async fn with(case: &Case, chain: &str, certificate: Certificate<'_>) -> SocketAddr {
    let identities = &case.world.backends.identities;
    identities
        .tunnel(case.envoy.address, chain, certificate)
        .await
}

/// Returns an address that leads to the filter chain as a workload of the mesh.
pub(super) async fn as_workload(
    case: &Case,
    chain: &str,
    namespace: &str,
    name: &str,
) -> SocketAddr {
    let uri = format!("spiffe://cluster.local/ns/{namespace}/sa/{name}");
    with(case, chain, Certificate::OfMesh(&uri)).await
}

/// Returns the caller of a request, by the backend that it reaches.
async fn who(call: Call) -> &'static str {
    let answer = call.send().await;
    answer.is(200);
    match answer.attempts().as_slice() {
        [("azure-east", _)] => "chat",
        [("second", _)] => "admin",
        [("bare", _)] => "another",
        [("openai", _)] => "nobody",
        _ => panic!("went elsewhere{}", answer.describe()),
    }
}

/// Returns the rows of the table in the docs.
fn modes() -> Vec<[&'static str; 4]> {
    let docs = include_str!("../../../docs/identity.md");
    let (_, table) = docs
        .split_once("<!-- table: modes -->\n")
        .expect("the table is there");
    let rows = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().expect("four cells")
    })
    .collect()
}

/// Checks the table in the docs cell by cell.
async fn in_every_mode(case: Case) {
    let modes = modes();
    assert_eq!(modes.len(), 5);
    for [mode, own, forged, behind] in modes {
        let chain = chain_of(mode.split('`').nth(1).expect("a name"));
        let chat = with(&case, &chain, Certificate::OfMesh(CHAT)).await;
        let gateway = with(&case, &chain, Certificate::OfMesh(GATEWAY)).await;
        let seen = |name| match name {
            "chat" => "the client's",
            "nobody" => "none",
            other => other,
        };
        let call = || case.chat("mesh");
        assert_eq!(seen(who(call().by(chat)).await), own, "{mode}");
        for header in [
            format!("URI={ADMIN}"),
            format!("By=x;Hash=0;URI={ADMIN}"),
            format!("URI={ADMIN},URI={CHAT}"),
            format!("URI={CHAT},URI={ADMIN}"),
            format!("URI={ADMIN};Subject=\""),
        ] {
            let call = call().header(HEADER, header.as_str());
            assert_eq!(seen(who(call.by(chat)).await), forged, "{mode} {header}");
        }
        let header = format!("Hash=0;Subject=\"CN=\\\"x\\\", O=y\";URI={CHAT}");
        let call = call().header(HEADER, header);
        assert_eq!(seen(who(call.by(gateway)).await), behind, "{mode}");
    }
}

async fn identities(case: Case) {
    for (uri, expected) in [
        (CHAT, "chat"),
        (ADMIN, "admin"),
        ("spiffe://other.example/ns/dev/sa/admin", "admin"),
        ("spiffe://other.example/ns/prod/sa/chat-ui", "another"),
        ("spiffe://cluster.local/ns/dev/sa/chat-ui", "another"),
        ("spiffe://cluster.local/ns/prod/sa/chat-ui/x", "another"),
        ("spiffe://cluster.local/payments", "another"),
        ("https://cluster.local/ns/prod/sa/chat-ui", "nobody"),
        ("spiffe://CLUSTER.local/ns/prod/sa/chat-ui", "nobody"),
        ("spiffe://cluster.local/ns/prod/sa/", "nobody"),
    ] {
        let address = with(&case, "sanitize.test", Certificate::OfMesh(uri)).await;
        assert_eq!(who(case.chat("mesh").by(address)).await, expected, "{uri}");
    }
}

/// In this mode every header passes, including one that the client sets.
async fn without_a_certificate(case: Case) {
    let by_tls = with(&case, "optional.test", Certificate::None).await;
    for header in [
        None,
        Some(format!("URI={CHAT}")),
        Some(format!("URI={CHAT},URI={GATEWAY}")),
    ] {
        for address in [case.envoy.address, by_tls] {
            let mut call = case.chat("mesh").by(address);
            if let Some(header) = &header {
                call = call.header(HEADER, header.as_str());
            }
            assert_eq!(who(call).await, "nobody", "{header:?}");
        }
    }
    let address = with(&case, "optional.test", Certificate::OfMesh(CHAT)).await;
    assert_eq!(who(case.chat("mesh").by(address)).await, "chat");
}

/// A foreign certificate proves nothing, and Envoy refuses the connection; but if Envoy accepts any certificate, the
/// identity in it counts.
async fn of_a_foreign_certificate(case: Case) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    for chain in ["sanitize.test", "optional.test", "always-forward-only.test"] {
        let address = with(&case, chain, Certificate::Foreign(CHAT)).await;
        let answer = client
            .get(format!("http://{address}/v1/models"))
            .send()
            .await;
        assert!(answer.is_err(), "{chain}: {answer:?}");
    }
    let address = with(&case, "untrusted.test", Certificate::Foreign(CHAT)).await;
    assert_eq!(who(case.chat("mesh").by(address)).await, "chat");
}

/// Only what the gateway itself has added counts: the last element before its own.
async fn behind_a_gateway(case: Case) {
    let other = "spiffe://cluster.local/ns/istio-ingress/sa/other";
    for (peer, header, expected) in [
        (GATEWAY, format!("URI={CHAT}"), "chat"),
        (GATEWAY, format!("URI={ADMIN},URI={CHAT}"), "chat"),
        (GATEWAY, format!("URI={CHAT},URI={GATEWAY}"), "chat"),
        (
            GATEWAY,
            format!("URI={ADMIN},Hash=0;Subject=\"CN=x\""),
            "nobody",
        ),
        (GATEWAY, format!("URI={CHAT};URI={ADMIN}"), "nobody"),
        (
            GATEWAY,
            format!("URI={ADMIN};Subject=\",URI={CHAT}"),
            "nobody",
        ),
        (GATEWAY, String::new(), "nobody"),
        // A gateway that is not in the document speaks for itself.
        (other, format!("URI={CHAT}"), "another"),
    ] {
        for chain in ["append-forward.test", "forward-only.test"] {
            let address = with(&case, chain, Certificate::OfMesh(peer)).await;
            let call = case.chat("mesh").by(address);
            let call = call.header(HEADER, header.as_str());
            assert_eq!(who(call).await, expected, "{peer} {header} by {chain}");
        }
    }
}
