//! Configurations for older Envoys: those of the end-to-end tests, with the cluster in a request header.

use serde_json::{Value, json};

/// How the routes select the cluster.
#[derive(Clone, Copy)]
pub(crate) enum Selection {
    /// By filter state, which newer Envoys read again for each attempt.
    Matcher,
    /// By the value of this request header.
    ClusterHeader,
    /// By a route for each value of the header, as a VirtualService creates them.
    HeaderMatch(&'static [&'static str]),
}

/// The user's name for the header.
pub(crate) const HEADER: &str = "x-llm-cluster";

const VIRTUAL_HOST: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0";

/// Sets this selection in a configuration. `route` and `retry_policy` are additions to a route and its retry policy;
/// names that begin with `route.` belong to the action.
pub(crate) fn select(
    config: &mut Value,
    selection: Selection,
    route: &Value,
    retry_policy: &Value,
) {
    let routes = routes(config);
    // The other routes are for limits of their own.
    let mut usual = routes.pop().expect("one of them");
    let policy = usual["route"]["retry_policy"].as_object_mut();
    policy.expect("a policy").extend(object(retry_policy));
    for (name, value) in object(route) {
        match name.strip_prefix("route.") {
            Some(name) => usual["route"][name] = value,
            None => usual[name] = value,
        }
    }
    let mut older = usual.clone();
    let action = older["route"].as_object_mut().expect("an action");
    action.remove("inline_cluster_specifier_plugin");
    *routes = match selection {
        Selection::Matcher => vec![usual],
        Selection::ClusterHeader => {
            older["route"]["cluster_header"] = json!(HEADER);
            vec![older]
        }
        Selection::HeaderMatch(clusters) => clusters
            .iter()
            .map(|cluster| {
                let mut route = older.clone();
                let exact = json!({"name": HEADER, "string_match": {"exact": cluster}});
                route["match"]["headers"] = json!([exact]);
                route["route"]["cluster"] = json!(cluster);
                route
            })
            .collect(),
    };
    if !matches!(selection, Selection::Matcher) {
        drop_refresh(config);
    }
}

/// Removes from a configuration what older Envoys do not know.
pub(crate) fn drop_refresh(config: &mut Value) {
    for route in routes(config) {
        let policy = route["route"]["retry_policy"].as_object_mut();
        policy.expect("a policy").remove("refresh_cluster_on_retry");
    }
}

fn routes(config: &mut Value) -> &mut Vec<Value> {
    let host = config.pointer_mut(VIRTUAL_HOST).expect("a virtual host");
    host["routes"].as_array_mut().expect("it has routes")
}

fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Adds a cluster of this kind, `aggregate` or `composite`, with the upstream filters of the first member.
pub(crate) fn add_pool(config: &mut Value, name: &str, kind: &str, members: &[&str]) {
    let clusters = config["static_resources"]["clusters"]
        .as_array_mut()
        .expect("there are clusters");
    let pool = clusters
        .iter_mut()
        .find(|cluster| cluster["name"] == name)
        .expect("the pool is among the clusters")
        .as_object_mut()
        .expect("a cluster is an object");
    pool.remove("type");
    pool.remove("load_assignment");
    let members: Vec<Value> = members
        .iter()
        .map(|name| match kind {
            "composite" => json!({"name": name}),
            _ => json!(name),
        })
        .collect();
    pool.insert("lb_policy".to_owned(), json!("CLUSTER_PROVIDED"));
    pool.insert(
        "cluster_type".to_owned(),
        json!({"name": format!("envoy.clusters.{kind}"), "typed_config": {
            "@type": format!("type.googleapis.com/envoy.extensions.clusters.{kind}.v3.ClusterConfig"),
            "clusters": members,
        }}),
    );
}

/// Ejects a cluster's only host after its first failure, which makes an aggregate cluster skip it.
pub(crate) fn eject(config: &mut Value, name: &str) {
    let clusters = config["static_resources"]["clusters"].as_array_mut();
    let mut clusters = clusters.expect("there are clusters").iter_mut();
    let cluster = clusters
        .find(|cluster| cluster["name"] == name)
        .expect("it is among them");
    cluster["outlier_detection"] = json!({
        "consecutive_5xx": 1, "max_ejection_percent": 100, "base_ejection_time": "60s", "interval": "60s",
    });
    cluster["common_lb_config"] = json!({"healthy_panic_threshold": {"value": 0}});
}

/// Gives a cluster's only host a name, for the route's `auto_host_rewrite`.
pub(crate) fn name_host(config: &mut Value, name: &str) {
    let clusters = config["static_resources"]["clusters"].as_array_mut();
    let mut clusters = clusters.expect("there are clusters").iter_mut();
    let cluster = clusters
        .find(|cluster| cluster["name"] == name)
        .expect("it is among them");
    // Hosts of a static cluster have no names.
    cluster["type"] = json!("STRICT_DNS");
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["hostname"] =
        json!(format!("{name}.member"));
}
