//! A cluster in Envoy's configuration, with the backend role.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::config::{Wrapping, module, set};

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// One upstream cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    name: String,
    address: Option<SocketAddr>,
    backend_role: Option<Value>,
    injects: Option<(String, String)>,
    transport_socket: Option<Value>,
    http2: bool,
    full: bool,
    max_retries: u32,
    retry_budget: bool,
}

impl Cluster {
    /// Creates the cluster of the backend of the same name, without a host.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: None,
            backend_role: Some(json!({"backend": name})),
            injects: None,
            transport_socket: None,
            http2: false,
            full: false,
            // The default of 3 concurrent retries is too low for the trials.
            max_retries: 1000,
            retry_budget: false,
        }
    }

    /// Sets the only host.
    pub(crate) fn to(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the backend's name if it differs from the cluster's.
    pub(crate) fn backend(self, name: &str) -> Self {
        self.backend_role(json!({"backend": name}))
    }

    /// Sets the complete configuration of the backend role.
    pub(crate) fn backend_role(mut self, configuration: Value) -> Self {
        self.backend_role = Some(configuration);
        self
    }

    /// Leaves out the backend role.
    pub(crate) fn plain(mut self) -> Self {
        self.backend_role = None;
        self
    }

    /// Adds Envoy's credential injector behind the backend role.
    pub(crate) fn injects(mut self, header: &str, value: &str) -> Self {
        self.injects = Some((header.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn transport_socket(mut self, transport_socket: Value) -> Self {
        self.transport_socket = Some(transport_socket);
        self
    }

    /// Uses HTTP/2 to the backend.
    pub(crate) fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Leaves no room for a request that has to wait for its connection.
    pub(crate) fn full(mut self) -> Self {
        self.full = true;
        self
    }

    fn secret_name(&self) -> String {
        format!("key-of-{}", self.name)
    }

    /// Makes Envoy's circuit breaker prevent any retry.
    pub(crate) fn without_retries(mut self) -> Self {
        self.max_retries = 0;
        self.retry_budget = false;
        self
    }

    /// Sets the retry limits that docs/fallback.md recommends.
    pub(crate) fn retry_budget(mut self) -> Self {
        self.retry_budget = true;
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn secret(&self) -> Option<Value> {
        let (_, value) = self.injects.as_ref()?;
        Some(
            json!({"name": self.secret_name(), "generic_secret": {"secret": {"inline_string": value}}}),
        )
    }

    fn injector(&self) -> Option<Value> {
        let (header, _) = self.injects.as_ref()?;
        Some(json!({
            "name": "envoy.filters.http.credential_injector",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
                "overwrite": true,
                "credential": {
                    "name": "envoy.http.injected_credentials.generic",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                        "credential": {"name": self.secret_name()},
                        "header": header,
                    },
                },
            },
        }))
    }

    /// Renders the cluster. Unlike the examples it has no outlier detection: the tests make backends fail over and
    /// over, and an ejected host would change the result of the next test.
    pub(super) fn render(&self, wasm: &Path) -> Value {
        let endpoints: Vec<Value> = self
            .address
            .iter()
            .map(|address| {
                json!({"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                    "address": address.ip().to_string(), "port_value": address.port(),
                }}}}]})
            })
            .collect();
        let mut filters = Vec::new();
        if let Some(role) = &self.backend_role {
            filters.push(module(
                "llm_backend",
                &Wrapping::Struct.wrap(role),
                true,
                wasm,
            ));
        }
        filters.extend(self.injector());
        filters.push(json!({
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"},
        }));
        let protocol = if self.http2 {
            json!({"http2_protocol_options": {}})
        } else {
            json!({"http_protocol_options": {"enable_trailers": true}})
        };
        let mut limits = json!({"max_retries": self.max_retries});
        if self.retry_budget {
            let budget = json!({"budget_percent": {"value": 50}, "min_retry_concurrency": 1024});
            limits = json!({"retry_budget": budget});
        }
        if self.full {
            set(&mut limits, "max_pending_requests", json!(0));
        }
        let mut cluster = json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "load_assignment": {"cluster_name": self.name, "endpoints": endpoints},
            "circuit_breakers": {"thresholds": [limits]},
            "typed_extension_protocol_options": {HTTP_OPTIONS: {
                "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
                "explicit_http_config": protocol,
                "http_filters": filters,
            }},
        });
        if let Some(transport_socket) = &self.transport_socket {
            set(&mut cluster, "transport_socket", transport_socket.clone());
        }
        cluster
    }
}
