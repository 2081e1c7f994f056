//! Tests of Envoy and Istio files that contain a document, and of what the filter needs from the rest of the file.

use super::*;

#[test]
fn what_an_envoy_file_lacks() {
    let text = include_str!("../../envoy/providers.yaml");
    for (from, to, expected) in [
        (
            "                allow_on_headers_stop_iteration: true\n",
            "",
            ".config: `allow_on_headers_stop_iteration: true` is missing",
        ),
        (
            "  - name: anthropic\n    type:",
            "  - name: antropic\n    type:",
            "static_resources.clusters: there is no cluster \"anthropic\"",
        ),
        (
            "value: {backend: azure}",
            "value: {backend: openai}",
            "its llm_backend says `backend: openai`, but this is the cluster of backend \"azure\"",
        ),
        (
            "value: {backend: azure}",
            "value: {backnd: azure}",
            "backnd: unknown field, did you mean \"backend\"?",
        ),
        (
            "root_id: llm_backend",
            "root_id: other",
            "there is no filter with `root_id: llm_backend`",
        ),
        (
            "refresh_cluster_on_retry: true",
            "refresh_cluster_on_retry: false",
            "`refresh_cluster_on_retry: true` is missing",
        ),
        (
            "- {name: x-llm-router-retry",
            "- {name: x-other",
            "`retriable_headers: [{name: x-llm-router-retry",
        ),
        (
            ",retriable-headers",
            "",
            "`retriable_headers: [{name: x-llm-router-retry",
        ),
        (
            "key: wasm.llm.next",
            "key: wasm.llm.nxt",
            "no route asks the matcher",
        ),
        (
            "                                anthropic:\n",
            "                                other:\n",
            "the matcher has no entry for \"anthropic\"",
        ),
        (
            "                                      cluster: anthropic\n",
            "                                      cluster: openai\n",
            "the matcher's entry for \"anthropic\" leads to another cluster",
        ),
        (
            "request_body_buffer_limit: 16777216",
            "request_body_buffer_limit: 1048576",
            "request_body_buffer_limit: is less than the document's max_body_bytes, 16777216",
        ),
        (
            "request_body_buffer_limit: 16777216",
            "include_request_attempt_count: false",
            "there is no `request_body_buffer_limit`",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "failure_policy: FAIL_OPEN",
            "write `failure_policy: FAIL_RELOAD`",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "fail_open: true",
            "write `failure_policy: FAIL_RELOAD`",
        ),
    ] {
        let found = findings(&changed(text, from, to));
        let errors: Vec<_> = found
            .iter()
            .filter(|one| !one.contains(": warning: "))
            .collect();
        assert!(
            !errors.is_empty() && errors.iter().any(|one| one.contains(expected)),
            "{from} {found:#?}"
        );
    }
}

#[test]
fn what_an_envoy_file_hardly_means() {
    let text = include_str!("../../envoy/minimal.yaml");
    let (before, backend) = text.split_once("root_id: llm_backend").unwrap();
    let apart = format!(
        "{before}root_id: llm_backend{}",
        changed(backend, "vm_id: llm_router", "vm_id: llm_backend")
    );
    for (text, expected) in [
        (apart, "no llm_router has the same `vm_id`"),
        (
            changed(text, "                  timeout: 0s\n", ""),
            "`timeout: 0s` is missing",
        ),
    ] {
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{expected} {found:#?}");
        assert!(found[0].contains(": warning: "), "{found:#?}");
        assert!(found[0].contains(expected), "{found:#?}");
    }
    let both = text.replace("vm_id: llm_router", "vm_id: any");
    assert_eq!(findings(&both), [""; 0]);
}

/// Routes with conditions on the caller need an Envoy that verifies the caller.
#[test]
fn who_vouches_for_callers() {
    let text = include_str!("../../envoy/minimal.yaml");
    let asking = |condition: &str| {
        changed(
            text,
            "match: {model: \"*\"}",
            &format!("match: {condition}"),
        )
    };
    let with = |text: &str, filter: &str| {
        let filters = "          http_filters:\n";
        changed(text, filters, &format!("{filters}{filter}"))
    };
    let jwt = |provider: &str| {
        format!(
            "          - name: jwt
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers: {{a: {provider}}}
"
        )
    };
    let tls = |more: &str| {
        let chain = "    filter_chains:\n    - filters:\n";
        let socket = format!(
            "    filter_chains:\n    - transport_socket: {{typed_config: {{common_tls_context: {{validation_context: {{{more}}}}}}}}}\n      filters:\n"
        );
        changed(&asking("{mesh: {namespace: x}}"), chain, &socket)
    };
    let claims = asking("{claims: {sub: x}}");
    for (text, expected) in [
        (
            claims.clone(),
            Some("warning: .*there is no `envoy.filters.http.jwt_authn` before"),
        ),
        (
            with(&claims, &jwt("{issuer: x}")),
            Some("warning: .*no provider has `payload_in_metadata`"),
        ),
        (with(&claims, &jwt("{payload_in_metadata: x}")), None),
        (
            with(&claims, "          - {name: x, config_discovery: {}}\n"),
            None,
        ),
        (
            asking("{mesh: {namespace: x}}"),
            Some("warning: .*without TLS no caller has an identity"),
        ),
        (tls("trusted_ca: {}"), None),
        (
            tls("trust_chain_verification: ACCEPT_UNTRUSTED"),
            Some("anyone can create a certificate"),
        ),
    ] {
        let found = findings(&text);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{found:#?}");
        if let Some(expected) = expected {
            let parts = expected.split(".*");
            assert!(
                parts.into_iter().all(|part| found[0].contains(part)),
                "{found:#?}"
            );
        }
    }
    let gateways = format!("{DOCUMENT}defaults: {{mesh_gateways: [spiffe://td/x]}}\n");
    let found = findings(&gateways);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains(
            "warning: defaults.mesh_gateways: has no effect, because no route matches `mesh`"
        ),
        "{found:#?}"
    );
}

/// The places of errors in a document that is JSON in a string.
#[test]
fn json_in_a_string() {
    let plugin = |value: &str| {
        format!(
            "static_resources:
  x:
  - config:
      root_id: llm_router
      allow_on_headers_stop_iteration: true
      configuration:
        \"@type\": type.googleapis.com/google.protobuf.StringValue
        value: {value}
"
        )
    };
    let found = findings(&plugin(
        "|
          {\"backends\": [{\"name\": \"a\", \"schema\": \"openai\", \"models\": [{\"name\": \"*\"}]}],
           \"routes\": [{\"name\": \"r\", \"match\": {\"model\": \"*\"}, \"targets\": [{\"backend\": \"b\"}]}]}",
    ));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("f:10:86: routes[0].targets[0].backend: unknown backend \"b\""),
        "{found:#?}"
    );
    let found = findings(&plugin("'{\"backends\": []}'"));
    assert!(
        found[1].starts_with("f:8:18: backends: must not be empty"),
        "{found:#?}"
    );
    let found = findings(&plugin("|\n          {\"backends\": [],\n           x}"));
    assert!(
        found[0].starts_with(
            "f:10:12: the value of a StringValue must be JSON, but it is not: key must be a string"
        ),
        "{found:#?}"
    );
    let found = findings(&plugin("\"{\\\"backends\\\": []}\""));
    assert!(
        found[0].starts_with("f:8:16: backends: must not be empty"),
        "{found:#?}"
    );
}

#[test]
fn files_of_istio() {
    let indented = DOCUMENT.replace('\n', "\n    ");
    let plugin = format!(
        "apiVersion: v1
kind: ConfigMap
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
spec:
  pluginName: llm_router
  pluginConfig:
    {indented}"
    );
    assert_eq!(findings(&plugin), [""; 0]);
    let found = findings(&changed(&plugin, "backend: claude", "backend: claud"));
    assert_eq!(
        found[0],
        "f:14:59: routes[1].targets[0].backend: unknown backend \"claud\", did you mean \"claude\"?"
    );
    let filter = "
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
spec:
  configPatches:
  - applyTo: HTTP_FILTER
    patch:
      value:
        typed_config:
          config:
            root_id: llm_router
            configuration:
              \"@type\": type.googleapis.com/google.protobuf.StringValue
              value: |
                {\"backends\": 1, \"routes\": []}
";
    let found = findings(filter);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].contains("`allow_on_headers_stop_iteration: true` is missing"),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("f:15:30: backends: must be a list"),
        "{found:#?}"
    );
    assert!(found[2].contains("routes: must not be empty"), "{found:#?}");
}

#[test]
fn what_has_no_document() {
    for text in [
        "",
        "[1, 2]",
        "static_resources: {}",
        "kind: Service\napiVersion: v1\n",
    ] {
        assert!(check(Path::new("f"), text).is_err(), "{text}");
    }
}
