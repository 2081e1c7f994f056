//! Renders Envoy's configuration: both roles of the module, the route that reads the next hop from filter state, and
//! the clusters. The output is JSON, which Envoy reads like YAML.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cluster::Cluster;

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The response header with which the filter asks Envoy for the next attempt.
pub(crate) const RETRY_HEADER: &str = "x-llm-router-retry";
/// The request header that selects one of the [`ROUTES`] below; without it, a request takes the route with long limits.
pub(crate) const ROUTE_HEADER: &str = "x-test-route";
/// The cluster to which the matcher sends unknown names. No request may ever arrive there.
pub(crate) const NO_MATCH: &str = "no-match";

/// Returns the routes by [`ROUTE_HEADER`], each with additions to the route's action and to its retry policy.
///
/// Short limits have routes of their own, so that a busy machine does not make other tests fail.
fn routes() -> [(&'static str, Value, Value); 3] {
    [
        ("deadline", json!({"timeout": "0.7s"}), json!({})),
        ("idle", json!({"idle_timeout": "0.7s"}), json!({})),
        // Rewrites the prefix to what it already is, which makes Envoy record the original path.
        ("rewritten", json!({"prefix_rewrite": "/"}), json!({})),
    ]
}

/// How the document is embedded in the plugin's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wrapping {
    /// As a `google.protobuf.Struct`: native YAML in Envoy's file.
    Struct,
    /// As a `google.protobuf.StringValue` that contains JSON.
    Text,
}

impl Wrapping {
    pub(crate) const ALL: [Self; 2] = [Self::Struct, Self::Text];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Text => "text",
        }
    }

    pub(super) fn wrap(self, document: &Value) -> Value {
        match self {
            Self::Struct => {
                json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": document})
            }
            // A string is passed on as it is, so that a test can use text that is not JSON.
            Self::Text => json!({
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": document.as_str().map_or_else(|| document.to_string(), str::to_owned),
            }),
        }
    }
}

/// One Envoy's configuration.
#[derive(Clone)]
pub(crate) struct Config {
    document: Value,
    wrapping: Wrapping,
    flag: bool,
    buffer_limit: Option<u64>,
    websockets: bool,
    in_front: Vec<Value>,
    clusters: Vec<Cluster>,
    hops: Vec<(String, String)>,
    changes: Vec<Change>,
}

/// A change that a trial makes in a rendered configuration.
type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;

impl Config {
    pub(crate) fn new(document: Value) -> Self {
        Self {
            document,
            wrapping: Wrapping::Struct,
            flag: true,
            buffer_limit: None,
            websockets: false,
            in_front: vec![],
            clusters: vec![],
            hops: vec![],
            changes: vec![],
        }
    }

    /// Changes the rendered configuration.
    pub(crate) fn change(mut self, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.changes.push(Arc::new(change));
        self
    }

    /// Changes the connection manager.
    pub(crate) fn change_manager(
        self,
        change: impl Fn(&mut Value) + Send + Sync + 'static,
    ) -> Self {
        let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        self.change(move |config| change(config.pointer_mut(place).expect("it is there")))
    }

    pub(crate) fn wrapping(mut self, wrapping: Wrapping) -> Self {
        self.wrapping = wrapping;
        self
    }

    /// Sets `allow_on_headers_stop_iteration`.
    pub(crate) fn flag(mut self, flag: bool) -> Self {
        self.flag = flag;
        self
    }

    /// Sets the virtual host's `request_body_buffer_limit`.
    pub(crate) fn buffer_limit(mut self, bytes: u64) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Allows clients to upgrade to WebSocket.
    pub(crate) fn websockets(mut self) -> Self {
        self.websockets = true;
        self
    }

    /// Adds a filter before the router.
    pub(crate) fn in_front(mut self, filter: Value) -> Self {
        self.in_front.push(filter);
        self
    }

    /// Adds a cluster that the matcher knows by its own name.
    pub(crate) fn cluster(mut self, cluster: Cluster) -> Self {
        self.hops
            .push((cluster.name().to_owned(), cluster.name().to_owned()));
        self.clusters.push(cluster);
        self
    }

    /// Adds a cluster that the matcher does not know.
    pub(crate) fn unmatched_cluster(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Makes the matcher send requests for the first cluster to the second.
    pub(crate) fn hop(mut self, meant: &str, sent_to: &str) -> Self {
        self.hops.push((meant.to_owned(), sent_to.to_owned()));
        self
    }

    /// Renders the configuration. Envoy chooses both ports, so that nothing else can take them in between.
    pub(crate) fn render(&self, wasm: &Path) -> Value {
        let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let mut config = json!({
            "admin": {"address": any_port},
            "static_resources": {
                "listeners": [{
                    "name": "client",
                    "address": any_port,
                    "filter_chains": [{"filters": [self.connection_manager(wasm)]}],
                }],
                "clusters": self.clusters.iter().map(|cluster| cluster.render(wasm)).collect::<Vec<_>>(),
                "secrets": self.clusters.iter().filter_map(Cluster::secret).collect::<Vec<_>>(),
            },
        });
        for change in &self.changes {
            change(&mut config);
        }
        config
    }

    fn connection_manager(&self, wasm: &Path) -> Value {
        let mut filters = self.in_front.clone();
        filters.push(module(
            "llm_router",
            &self.wrapping.wrap(&self.document),
            self.flag,
            wasm,
        ));
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }));
        json!({
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "client",
                "http_protocol_options": {"enable_trailers": true},
                "upgrade_configs": if self.websockets { json!([{"upgrade_type": "websocket"}]) } else { json!([]) },
                "stream_error_on_invalid_http_message": true,
                // Over HTTP/2, Envoy holds as much as fits into this window (16 MiB by default), if that is more than
                // the buffer limit.
                "http2_protocol_options": {"initial_stream_window_size": 65_536},
                "route_config": {"virtual_hosts": [self.virtual_host()]},
                "http_filters": filters,
            },
        })
    }

    fn virtual_host(&self) -> Value {
        let mut all: Vec<Value> = routes()
            .into_iter()
            .map(|(name, action, policy)| {
                let by_header = json!([{"name": ROUTE_HEADER, "string_match": {"exact": name}}]);
                let path = json!({"prefix": "/", "headers": by_header});
                json!({"match": path, "route": self.action(action, policy)})
            })
            .collect();
        all.push(json!({"match": {"prefix": "/"}, "route": self.action(json!({}), json!({}))}));
        let mut host = json!({
            "name": "all", "domains": ["*"], "routes": all,
            // Headers that Envoy adds and that no backend may see.
            "include_request_attempt_count": true, "include_is_timeout_retry_header": true,
        });
        if let Some(bytes) = self.buffer_limit {
            set(&mut host, "request_body_buffer_limit", json!(bytes));
        }
        host
    }

    fn action(&self, action: Value, policy: Value) -> Value {
        let cluster_action = |cluster: &str| {
            json!({"action": {"name": "cluster", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                "cluster": cluster,
            }}})
        };
        let map: Map<String, Value> = self
            .hops
            .iter()
            .map(|(meant, sent_to)| (meant.clone(), cluster_action(sent_to)))
            .collect();
        merged(
            json!({
                "timeout": "60s",
                "inline_cluster_specifier_plugin": {"extension": {
                    "name": "next-hop",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
                        "cluster_matcher": {
                            "matcher_tree": {
                                "input": {"name": "next", "typed_config": {
                                    "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                                    "key": "wasm.llm.next",
                                }},
                                "exact_match_map": {"map": map},
                            },
                            "on_no_match": cluster_action(NO_MATCH),
                        },
                    },
                }},
                "retry_policy": merged(
                    json!({
                        "retry_on": "connect-failure,refused-stream,reset,retriable-headers",
                        // Less than the longest plan and more than the shortest, so that the filter has to set the
                        // number.
                        "num_retries": 1,
                        "refresh_cluster_on_retry": true,
                        "retriable_headers": [{"name": RETRY_HEADER, "present_match": true}],
                    }),
                    policy,
                ),
            }),
            action,
        )
    }
}

/// Returns the module in one of its roles.
pub(super) fn module(root_id: &str, configuration: &Value, flag: bool, wasm: &Path) -> Value {
    json!({
        "name": root_id,
        "typed_config": {
            "@type": WASM,
            "config": {
                "name": root_id,
                "root_id": root_id,
                "allow_on_headers_stop_iteration": flag,
                "configuration": configuration,
                "vm_config": {
                    "vm_id": "llm_router",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": wasm}},
                },
            },
        },
    })
}

pub(super) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}

fn merged(mut base: Value, over: Value) -> Value {
    if let (Some(base), Value::Object(over)) = (base.as_object_mut(), over) {
        base.extend(over);
    }
    base
}
