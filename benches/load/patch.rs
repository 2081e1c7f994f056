//! Makes the variants' configurations from envoy/demo.yaml. Whatever is not the point of a variant is the same in
//! all.

use std::path::Path;

use serde_json::{Value, json};

use crate::record::{
    BARE, BUFFER, NO_WASM, NOOP_1, NOOP_2, OBSERVED, ROUTER, ROUTER_100, UNOBSERVED,
};
use crate::{Outcome, requests};

/// The total number of routes in the variant with many.
const ROUTES: usize = 100;

/// The cluster of the route that all requests take.
const CLUSTER: &str = "openai";

/// The only route to that cluster in envoy/demo.yaml.
const ROUTE: &str = "gpt";

/// More memory than any variant uses.
const HEAP_BYTES: u64 = 64 << 30;

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The ports and modules of a configuration.
pub(crate) struct ConfigInputs<'a> {
    pub(crate) admin: u16,
    pub(crate) listener: u16,
    pub(crate) backend: u16,
    /// Absolute paths, because Envoy is started in another folder.
    pub(crate) module: &'a Path,
    pub(crate) noop: &'a Path,
}

/// Returns this variant of the demo's configuration.
pub(crate) fn variant(demo: &Value, name: &str, inputs: &ConfigInputs<'_>) -> Outcome<Value> {
    let mut config = demo.clone();
    set(
        &mut config,
        "/admin/address/socket_address/port_value",
        inputs.admin.into(),
    )?;
    let listener = "/static_resources/listeners/0";
    let port = format!("{listener}/address/socket_address/port_value");
    set(&mut config, &port, inputs.listener.into())?;
    for cluster in list(&mut config, "/static_resources/clusters")? {
        let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint";
        let port = format!("{endpoint}/address/socket_address/port_value");
        if let Some(port) = cluster.pointer_mut(&port) {
            *port = inputs.backend.into();
        }
    }
    // Measure how much is held, not how Envoy defends itself against it.
    let monitor = at(
        &mut config,
        "/overload_manager/resource_monitors/0/typed_config",
    )?;
    set(monitor, "/max_heap_size_bytes", HEAP_BYTES.into())?;
    let module = inputs.module.display().to_string();
    replace_file(&mut config, &module);
    let manager = at(&mut config, MANAGER)?;
    manager
        .as_object_mut()
        .and_then(|manager| manager.remove("access_log"))
        .ok_or("envoy/demo.yaml has no access log any more: look at benches/load/patch.rs")?;

    match name {
        ROUTER => held_and_unheld(&mut config)?,
        OBSERVED | UNOBSERVED => {
            held_and_unheld(&mut config)?;
            observing(&mut config, name == OBSERVED)?;
        }
        ROUTER_100 => many_routes(&mut config)?,
        NO_WASM => without_wasm(&mut config)?,
        BARE => bare(&mut config)?,
        BUFFER => {
            without_wasm(&mut config)?;
            list(&mut config, FILTERS)?.insert(0, buffer());
        }
        NOOP_1 | NOOP_2 => {
            let filter = noop(&mut config, inputs.noop)?;
            bare(&mut config)?;
            list(&mut config, FILTERS)?.insert(0, filter.clone());
            if name == NOOP_2 {
                for cluster in list(&mut config, "/static_resources/clusters")? {
                    set_new(cluster, "http_filters", json!([filter, codec()]))?;
                }
            }
        }
        other => return Err(format!("there is no variant {other}").into()),
    }
    Ok(config)
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
const ACTION: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0/route";
const MATCHER: &str = "/inline_cluster_specifier_plugin/extension/typed_config/cluster_matcher";

/// One static route to one cluster, and nothing that only a router needs.
fn bare(config: &mut Value) -> Outcome<()> {
    let action = at(config, ACTION)?;
    let timeout = at(action, "/timeout")?.clone();
    *action = json!({"cluster": CLUSTER, "timeout": timeout});
    list(config, FILTERS)?.retain(|filter| !is_wasm(filter));
    let clusters = list(config, "/static_resources/clusters")?;
    clusters.retain(|cluster| cluster.pointer("/name") == Some(&json!(CLUSTER)));
    for cluster in clusters {
        options(cluster)?
            .as_object_mut()
            .map(|options| options.remove("http_filters"));
    }
    Ok(())
}

/// Removes the wasm filters. The matcher then finds nothing in filter state, and uses its default.
fn without_wasm(config: &mut Value) -> Outcome<()> {
    let to = format!("{ACTION}{MATCHER}/on_no_match/action/typed_config/cluster");
    set(config, &to, json!(CLUSTER))?;
    list(config, FILTERS)?.retain(|filter| !is_wasm(filter));
    for cluster in list(config, "/static_resources/clusters")? {
        if let Ok(options) = options(cluster) {
            list(options, "/http_filters")?.retain(|filter| !is_wasm(filter));
        }
    }
    Ok(())
}

/// Returns the listener's wasm filter with another module and without a document.
fn noop(config: &mut Value, module: &Path) -> Outcome<Value> {
    let filters = list(config, FILTERS)?;
    let filter = filters.iter().find(|filter| is_wasm(filter));
    let mut filter = filter
        .cloned()
        .ok_or("envoy/demo.yaml has no wasm filter")?;
    replace_file(&mut filter, &module.display().to_string());
    let plugin = at(&mut filter, "/typed_config/config")?;
    set(plugin, "/name", json!("noop"))?;
    set(plugin, "/root_id", json!("noop"))?;
    set(plugin, "/vm_config/vm_id", json!("noop"))?;
    plugin
        .as_object_mut()
        .map(|plugin| plugin.remove("configuration"));
    Ok(filter)
}

/// Adds two routes after the others, which differ only in what they hold back.
fn held_and_unheld(config: &mut Value) -> Outcome<()> {
    let routes = routes(config)?;
    for (model, hold) in [(requests::UNHELD, "none"), (requests::HELD, "first_token")] {
        routes.push(json!({
            "name": model,
            "match": {"model": model},
            "targets": [{"backend": CLUSTER, "model": "gpt-5.5"}],
            "fallback": {"hold": hold},
        }));
    }
    Ok(())
}

/// Removes the page and, unless `is_observed`, everything else about observing that a document can turn off.
fn observing(config: &mut Value, is_observed: bool) -> Outcome<()> {
    let defaults = at(document(config)?, "/defaults")?;
    let fields = defaults.as_object_mut();
    let fields = fields.ok_or("defaults in envoy/demo.yaml is no object")?;
    fields
        .remove("page")
        .ok_or("envoy/demo.yaml has no page any more: look at benches/load/patch.rs")?;
    if !is_observed {
        let off = json!({"metrics": false, "access_log": false, "ask_for_usage": false});
        fields.insert("telemetry".to_owned(), off);
    }
    Ok(())
}

/// Returns the router's own document.
fn document(config: &mut Value) -> Outcome<&mut Value> {
    let filters = list(config, FILTERS)?;
    let filter = filters.iter_mut().find(|filter| is_wasm(filter));
    let filter = filter.ok_or("envoy/demo.yaml has no wasm filter")?;
    at(filter, "/typed_config/config/configuration/value")
}

fn routes(config: &mut Value) -> Outcome<&mut Vec<Value>> {
    list(document(config)?, "/routes")
}

fn many_routes(config: &mut Value) -> Outcome<()> {
    let routes = routes(config)?;
    let used = routes
        .iter()
        .position(|route| route.pointer("/name") == Some(&json!(ROUTE)))
        .map(|index| routes.remove(index))
        .ok_or("envoy/demo.yaml has no route `gpt` any more: look at benches/load/patch.rs")?;
    for index in 0..ROUTES.saturating_sub(routes.len() + 1) {
        routes.insert(index, other_route(index));
    }
    routes.push(used);
    Ok(())
}

/// Returns a route that the requests do not take: mostly model names, some patterns, some with a header too.
fn other_route(index: usize) -> Value {
    let condition = match index % 4 {
        0 | 1 => json!({"model": format!("team-{index}-smart")}),
        2 => json!({"model": format!("family-{index}-*")}),
        _ => json!({"model": "gpt-*", "headers": {"x-tenant": format!("tenant-{index}")}}),
    };
    json!({
        "name": format!("route-{index}"),
        "match": condition,
        "targets": [{"backend": CLUSTER, "model": "gpt-5.5"}],
    })
}

fn is_wasm(filter: &Value) -> bool {
    let kind = filter
        .pointer("/typed_config/@type")
        .and_then(Value::as_str);
    kind.is_some_and(|kind| kind.ends_with(".wasm.v3.Wasm"))
}

/// A filter that waits for the whole body, with the same limit as the other variants.
fn buffer() -> Value {
    json!({
        "name": "envoy.filters.http.buffer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
            "max_request_bytes": 16_777_216,
        },
    })
}

fn codec() -> Value {
    json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    })
}

fn options(cluster: &mut Value) -> Outcome<&mut Value> {
    let pointer = format!("/typed_extension_protocol_options/{HTTP_OPTIONS}");
    at(cluster, &pointer)
}

fn set_new(cluster: &mut Value, key: &str, value: Value) -> Outcome<()> {
    options(cluster)?
        .as_object_mut()
        .ok_or("a cluster has no HTTP options")?
        .insert(key.to_owned(), value);
    Ok(())
}

/// Replaces every `filename` that names a module.
fn replace_file(value: &mut Value, with: &str) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_module =
                    key == "filename" && value.as_str().is_some_and(|file| file.ends_with(".wasm"));
                if is_module {
                    *value = json!(with);
                } else {
                    replace_file(value, with);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                replace_file(item, with);
            }
        }
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> Outcome<&'a mut Value> {
    value.pointer_mut(pointer).ok_or_else(|| {
        format!("envoy/demo.yaml has no {pointer} any more: look at benches/load/patch.rs").into()
    })
}

fn set(value: &mut Value, pointer: &str, to: Value) -> Outcome<()> {
    *at(value, pointer)? = to;
    Ok(())
}

fn list<'a>(value: &'a mut Value, pointer: &str) -> Outcome<&'a mut Vec<Value>> {
    at(value, pointer)?
        .as_array_mut()
        .ok_or_else(|| format!("{pointer} in envoy/demo.yaml is no list").into())
}
