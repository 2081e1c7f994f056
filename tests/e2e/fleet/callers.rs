//! The document of the Envoy that identifies its callers, and its listener, which docs/identity.md shows.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::harness::backends::Backends;
use crate::harness::cluster::Cluster;
use crate::harness::config::{Config, NO_MATCH};
use crate::harness::files;

/// The backends.
const NAMES: [&str; 6] = [
    "openai",
    "azure-east",
    "second",
    "bare",
    "echo-openai",
    "echo-openai-two",
];

/// The names by which clients connect over TLS, each with its filter chain. The first ones are for the values of
/// `forward_client_cert_details`.
pub(crate) const CHAINS: [&str; 7] = [
    "sanitize.test",
    "sanitize-set.test",
    "append-forward.test",
    "forward-only.test",
    "always-forward-only.test",
    // The certificate is optional.
    "optional.test",
    // The certificate may be from any CA.
    "untrusted.test",
];

/// Returns the filter chain's name for a value of `forward_client_cert_details`.
pub(crate) fn chain_of(mode: &str) -> String {
    format!("{}.test", mode.to_ascii_lowercase().replace('_', "-"))
}

/// Returns a block from a section of docs/identity.md, by its number within the section.
fn documented(heading: &str, index: usize) -> Value {
    let docs = include_str!("../../../docs/identity.md");
    let (_, section) = docs
        .split_once(&format!("\n## {heading}\n"))
        .expect("the section is there");
    let block = section
        .split("```yaml\n")
        .nth(index + 1)
        .expect("it has a block");
    let (block, _) = block.split_once("```").expect("the block ends");
    files::yaml(block).expect("the block is YAML")
}

pub(crate) fn config(backends: &Backends) -> Config {
    let to = |name: &str| Cluster::new(name).to(backends.address(name));
    let mut config = Config::new(document())
        .unmatched_cluster(to(NO_MATCH).plain())
        .in_front(jwt_authn(backends));
    for name in NAMES {
        config = config.cluster(to(name));
    }
    let identities = &backends.identities;
    let files = [
        identities.ca.clone(),
        identities.certificate.clone(),
        identities.key.clone(),
    ];
    config.change(move |config| add_chains(config, &files))
}

/// Returns the filter of the docs, with this run's keys and another provider, and letting requests pass whatever their
/// tokens.
fn jwt_authn(backends: &Backends) -> Value {
    let mut filter = documented("Claims", 0);
    let config = &mut filter["typed_config"];
    let provider = &mut config["providers"]["company"];
    assert!(
        provider["remote_jwks"].is_object(),
        "it has its keys from afar"
    );
    let fields = provider.as_object_mut().expect("a map");
    fields.remove("remote_jwks");
    let keys = |jwks: String| json!({"inline_string": jwks});
    let identities = &backends.identities;
    provider["local_jwks"] = keys(identities.company.jwks());
    config["providers"]["partner"] = json!({
        "issuer": "https://partner.example",
        "from_headers": [{"name": "x-partner-token"}],
        "local_jwks": keys(identities.partner.jwks()),
        "payload_in_metadata": "partner",
        "header_in_metadata": "partner_header",
        "failed_status_in_metadata": "partner_failed",
    });
    let both = json!([{"provider_name": "company"}, {"provider_name": "partner"}]);
    config["rules"][0]["requires"] = json!({"requires_any": {"requirements": [
        {"requires_all": {"requirements": both}},
        {"provider_name": "company"},
        {"provider_name": "partner"},
        {"allow_missing_or_failed": {}},
    ]}});
    filter
}

/// Adds a filter chain for each name beside the one without TLS.
fn add_chains(config: &mut Value, files: &[std::path::PathBuf; 3]) {
    let [ca, certificate, key] = files;
    let listener = &mut config["static_resources"]["listeners"][0];
    let mut socket = documented("Mesh identity", 0);
    let context = &mut socket["typed_config"]["common_tls_context"];
    context["tls_certificates"] = json!([{
        "certificate_chain": {"filename": certificate}, "private_key": {"filename": key},
    }]);
    let validation = &mut context["validation_context"];
    assert!(validation["trusted_ca"].is_object(), "it verifies");
    validation["trusted_ca"] = json!({"filename": ca});
    let plain = listener["filter_chains"][0].clone();
    for name in CHAINS {
        let (mut chain, mut socket) = (plain.clone(), socket.clone());
        let manager = &mut chain["filters"][0]["typed_config"];
        let mode = name.trim_end_matches(".test").replace('-', "_");
        let mode = match name {
            "optional.test" | "untrusted.test" => "ALWAYS_FORWARD_ONLY".to_owned(),
            _ => mode.to_ascii_uppercase(),
        };
        if ["SANITIZE_SET", "APPEND_FORWARD"].contains(&mode.as_str()) {
            manager["set_current_client_cert_details"] =
                json!({"subject": true, "uri": true, "dns": true});
        }
        manager["forward_client_cert_details"] = json!(mode);
        let context = &mut socket["typed_config"];
        if name == "optional.test" {
            context["require_client_certificate"] = json!(false);
        }
        if name == "untrusted.test" {
            context["common_tls_context"]["validation_context"]["trust_chain_verification"] =
                json!("ACCEPT_UNTRUSTED");
        }
        chain["filter_chain_match"] = json!({"server_names": [name]});
        chain["transport_socket"] = socket;
        let chains = listener["filter_chains"].as_array_mut().expect("a list");
        chains.push(chain);
    }
    // Without TLS, everything that a client claims passes.
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
    listener["listener_filters"] = json!([{
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    }]);
}

/// Returns the conditions. Each has a model of its name; requests that meet it go to `azure-east`, others to `openai`.
fn conditions() -> Vec<(&'static str, Value)> {
    vec![
        (
            "query",
            json!({"query": {"beta": "true", "käse": ["a b*", "*+"]}}),
        ),
        ("caller-header", json!({"headers": {"x-caller": "svc-*"}})),
        ("claim-text", json!({"claims": {"sub": "svc-*"}})),
        ("claim-number", json!({"claims": {"level": "7"}})),
        ("claim-boolean", json!({"claims": {"admin": "true"}})),
        (
            "claim-list",
            json!({"claims": {"groups": ["research", "ops"]}}),
        ),
        (
            "claim-parts",
            json!({"claims": {"realm_access.roles": "llm-*"}}),
        ),
        (
            "claim-url",
            json!({"claims": {"https://example.com/tier": "gold"}}),
        ),
        ("claim-there", json!({"claims": {"sub": "*"}})),
        ("claim-not", json!({"not": {"claims": {"sub": "*"}}})),
        (
            "claims-of-one",
            json!({"claims": {"iss": "https://login.example.com", "sub": "svc-1"}}),
        ),
        (
            "claims-of-two",
            json!({"all": [{"claims": {"sub": "svc-1"}}, {"claims": {"iss": "https://partner.example"}}]}),
        ),
        // The metadata of a token that Envoy could not verify.
        ("claim-of-failure", json!({"claims": {"message": "*"}})),
        ("time-now", json!({"time": around_now(false)})),
        ("time-else", json!({"time": around_now(true)})),
    ]
}

/// Returns six hours before and after now, or the rest of the day.
fn around_now(is_other: bool) -> Value {
    let now = SystemTime::now();
    let clock = |time: SystemTime| {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("it is later");
        let minutes = since.as_secs() / 60 % 1440;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    let hours = Duration::from_secs(6 * 3600);
    let (before, after) = (clock(now - hours), clock(now + hours));
    if is_other {
        json!({"from": after, "to": before})
    } else {
        json!({"from": before, "to": after})
    }
}

fn document() -> Value {
    let model = |name: &str| json!({"name": name, "schema": "openai", "models": [{"name": "*"}]});
    let mut routes = vec![];
    let route = |name: String, condition: Value, backend: &str| json!({"name": name, "match": condition, "targets": [{"backend": backend}]});
    for (name, condition) in conditions() {
        let both = json!({"all": [{"model": name}, condition]});
        routes.push(route(name.to_owned(), both, "azure-east"));
        routes.push(route(
            format!("{name}-else"),
            json!({"model": name}),
            "openai",
        ));
    }
    for (name, mesh, backend) in [
        (
            "chat",
            json!({"trust_domain": "cluster.local", "namespace": "prod", "service_account": "chat*"}),
            "azure-east",
        ),
        (
            "admin",
            json!({"service_account": ["admin", "root"]}),
            "second",
        ),
        ("other", json!({"trust_domain": "*"}), "bare"),
    ] {
        let both = json!({"model": "mesh", "mesh": mesh});
        routes.push(route(format!("mesh-{name}"), both, backend));
    }
    routes.push(route(
        "mesh-nobody".into(),
        json!({"model": "mesh"}),
        "openai",
    ));
    let passes = [
        ("claims", json!({"claims": {"sub": "svc-*"}})),
        ("mesh", json!({"mesh": {"namespace": "prod"}})),
        ("query", json!({"query": {"beta": "true"}})),
        ("time", json!({"time": around_now(false)})),
        ("never", json!({"time": around_now(true)})),
    ];
    for (name, condition) in passes {
        let path = json!({"path": format!("/v1/files/{name}")});
        for (name, condition, backend) in [
            (
                name.to_owned(),
                json!({"all": [path, condition]}),
                "echo-openai-two",
            ),
            (format!("{name}-else"), path, "echo-openai"),
        ] {
            let mut route = route(format!("pass-{name}"), condition, backend);
            route["pass_through"] = json!(true);
            routes.push(route);
        }
    }
    json!({
        "backends": NAMES.map(model),
        "routes": routes,
        "defaults": {"mesh_gateways": ["spiffe://cluster.local/ns/istio-ingress/sa/gateway"]},
    })
}
