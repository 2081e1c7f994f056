//! Checks the Envoy file around a configuration for what the filter needs there, as far as the file tells.

use super::embedded::{EmbeddedConfig, Role, either};
use super::report::Finding;
use super::source::LocatedNode;
use crate::config::Document;

/// The response header with which the backend role asks for the next attempt.
const RETRY: &str = "x-llm-router-retry";

/// The parts of an Envoy file around the filter's configurations.
pub(super) struct EnvoyFile<'a> {
    pub(super) file: &'a LocatedNode,
    /// The paths of the backend roles, each with the name of its backend.
    pub(super) backends: Vec<(&'a str, String)>,
}

/// Checks that a plugin of either role gets bodies, and that Envoy lets no request through if the module fails.
pub(super) fn check_plugin(config: &EmbeddedConfig<'_>) -> Vec<Finding> {
    let Some((path, plugin)) = config.plugin.as_ref() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let flag = either(
        plugin,
        "allow_on_headers_stop_iteration",
        "allowOnHeadersStopIteration",
    );
    if !flag.is_some_and(LocatedNode::is_true) {
        findings.push(Finding::error(
            flag.map_or(plugin.place, |flag| flag.place),
            path,
            "`allow_on_headers_stop_iteration: true` is missing: without it Envoy never passes a body to the filter",
        ));
    }
    let policy = either(plugin, "failure_policy", "failurePolicy");
    let policy = policy.filter(|policy| policy.text() == Some("FAIL_OPEN"));
    let flag = either(plugin, "fail_open", "failOpen").filter(|flag| flag.is_true());
    if let Some(open) = policy.or(flag) {
        findings.push(Finding::error(
            open.place,
            path,
            "if the module ever fails, requests reach backends as clients sent them, with the clients' keys and headers \
             that only the filter may set: write `failure_policy: FAIL_RELOAD`",
        ));
    }
    findings
}

/// Warns about backend roles in a VM that no router role shares: the router then learns nothing about attempts.
pub(super) fn check_vms(configs: &[EmbeddedConfig<'_>]) -> Vec<Finding> {
    let of = |wanted: Role| {
        let plugins = configs.iter().filter(move |one| one.role == wanted);
        plugins.filter_map(|one| one.plugin.as_ref())
    };
    let vm = |plugin: &LocatedNode| {
        let config = either(plugin, "vm_config", "vmConfig")?;
        let id = either(config, "vm_id", "vmId");
        Some(
            id.and_then(LocatedNode::text)
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let routers: Option<Vec<String>> = of(Role::Router).map(|(_, plugin)| vm(plugin)).collect();
    // A `vm_config` that is defined elsewhere may have any `vm_id`.
    let Some(routers) = routers.filter(|routers| !routers.is_empty()) else {
        return Vec::new();
    };
    let apart = of(Role::Backend).filter(|(_, plugin)| {
        let vm = vm(plugin);
        vm.is_some_and(|vm| !routers.contains(&vm))
    });
    let told = apart.map(|(path, plugin)| {
        Finding::warning(
            plugin.place,
            path,
            "no llm_router has the same `vm_id`: requests are still answered and retried, but outcomes lack attempts, \
             backends, usage and cost",
        )
    });
    told.collect()
}

/// Checks what a document needs of the file that contains it. `path` is that of its plugin.
pub(super) fn check(document: &Document, path: &str, envoy_file: &EnvoyFile<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_clusters(document, envoy_file, &mut findings);
    let manager = manager_of(envoy_file.file, path);
    let config = manager
        .and_then(|(path, manager)| Some((path, either(manager, "route_config", "routeConfig")?)));
    if let Some((path, config)) = config {
        check_routes(
            document,
            &format!("{path}.route_config"),
            config,
            &mut findings,
        );
    }
    findings
}

/// Returns the clusters of the file by name, with their paths; `None` if clusters may also come from elsewhere.
fn clusters(file: &LocatedNode) -> Option<Vec<(String, String, &LocatedNode)>> {
    let elsewhere = ["cds_config", "ads_config", "cdsConfig", "adsConfig"];
    let dynamic = either(file, "dynamic_resources", "dynamicResources");
    if dynamic.is_some_and(|dynamic| elsewhere.iter().any(|name| dynamic.get(name).is_some())) {
        return None;
    }
    let clusters = either(file, "static_resources", "staticResources")?.get("clusters")?;
    let clusters = clusters.items().iter().enumerate();
    let named = clusters.filter_map(|(index, cluster)| {
        let name = cluster.get("name")?.text()?;
        Some((
            name.to_owned(),
            format!("static_resources.clusters[{index}]"),
            cluster,
        ))
    });
    Some(named.collect())
}

fn check_clusters(document: &Document, envoy_file: &EnvoyFile<'_>, findings: &mut Vec<Finding>) {
    let Some(clusters) = clusters(envoy_file.file) else {
        return;
    };
    let missing = |what: &str, name: &str, why: &str| {
        let path = "static_resources.clusters";
        Finding::error(
            envoy_file.file.find(path, true),
            path,
            format!("there is no cluster \"{name}\", which {what}{why}"),
        )
    };
    let is_there = |name: &str| clusters.iter().any(|(known, ..)| known == name);
    for backend in &document.backends {
        let Some((_, path, cluster)) = clusters.iter().find(|(name, ..)| *name == backend.cluster)
        else {
            let what = format!("backend \"{}\" uses", backend.name);
            findings.push(missing(
                &what,
                &backend.cluster,
                ": add it, or set the backend's `cluster`",
            ));
            continue;
        };
        // The backend role of members is on the aggregate cluster.
        let is_member = document.routes.iter().any(|route| {
            let mut targets = route.targets.iter();
            route.aggregate_cluster.is_some()
                && targets.any(|target| target.backend.name == backend.name)
        });
        if !is_member {
            findings.extend(check_role(&backend.name, path, cluster, envoy_file));
        }
    }
    for route in &document.routes {
        if let Some(name) = route
            .aggregate_cluster
            .as_deref()
            .filter(|name| !is_there(name))
        {
            let what = format!("route \"{}\" uses as its aggregate_cluster", route.name);
            findings.push(missing(&what, name, ": add it"));
        }
    }
}

/// Checks that a backend's cluster has the backend role of this backend.
fn check_role(
    backend: &str,
    path: &str,
    cluster: &LocatedNode,
    envoy_file: &EnvoyFile<'_>,
) -> Option<Finding> {
    let mut roles = envoy_file.backends.iter();
    let Some((place, role)) = roles.find(|(place, _)| is_below(place, path)) else {
        let name = cluster.get("name").map_or(cluster.place, |name| name.place);
        return Some(Finding::error(
            name,
            path,
            format!(
                "there is no filter with `root_id: llm_backend` among the cluster's upstream HTTP filters: requests \
                 would reach backend \"{backend}\" as the client sent them"
            ),
        ));
    };
    (role != backend).then(|| {
        Finding::error(
            envoy_file.file.find(&format!("{place}.configuration"), true),
            path,
            format!(
                "its llm_backend says `backend: {role}`, but this is the cluster of backend \"{backend}\""
            ),
        )
    })
}

/// Whether a path is inside of another.
pub(super) fn is_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// Returns the connection manager that has the plugin at this path among its filters.
pub(super) fn manager_of<'a>(
    file: &'a LocatedNode,
    plugin: &str,
) -> Option<(String, &'a LocatedNode)> {
    let mut found = None;
    file.walk("", &mut |path, node| {
        let has_filters = either(node, "http_filters", "httpFilters").is_some();
        if has_filters && is_below(plugin, path) {
            found = Some((path.to_owned(), node));
        }
    });
    found
}

fn check_routes(
    document: &Document,
    path: &str,
    config: &LocatedNode,
    findings: &mut Vec<Finding>,
) {
    let mut limits: Vec<(String, &LocatedNode)> = Vec::new();
    let mut matchers = 0_usize;
    config.walk(path, &mut |path, node| {
        if let Some(limit) = either(node, "request_body_buffer_limit", "requestBodyBufferLimit") {
            limits.push((format!("{path}.request_body_buffer_limit"), limit));
        }
        if let Some(map) = matcher(node) {
            matchers = matchers.saturating_add(1);
            check_matcher(document, path, map, findings);
            check_retries(path, node, findings);
            findings.extend(check_timeout(path, node));
        }
    });
    if matchers == 0 && document.backends.len() > 1 && document.cluster_header.is_none() {
        findings.push(Finding::error(
            config.place,
            path,
            "no route asks the matcher for the cluster (`inline_cluster_specifier_plugin` with `wasm.llm.next`), but the \
             document has several backends",
        ));
    }
    check_limits(document, (path, config), &limits, findings);
}

/// Returns the clusters that the matcher of a route's action knows, if it reads the router's choice.
fn matcher(action: &LocatedNode) -> Option<&LocatedNode> {
    let plugin = either(
        action,
        "inline_cluster_specifier_plugin",
        "inlineClusterSpecifierPlugin",
    )?;
    let mut found = None;
    plugin.walk("", &mut |_, node| {
        let key = node.at(&["input", "typed_config", "key"]);
        if key.and_then(LocatedNode::text) == Some("wasm.llm.next") {
            found = node.at(&["exact_match_map", "map"]);
        }
    });
    found
}

fn check_matcher(document: &Document, path: &str, map: &LocatedNode, findings: &mut Vec<Finding>) {
    for backend in &document.backends {
        let Some(entry) = map.get(&backend.cluster) else {
            findings.push(Finding::error(
                map.place,
                path,
                format!(
                    "the matcher has no entry for \"{}\", the cluster of backend \"{}\"",
                    backend.cluster, backend.name
                ),
            ));
            continue;
        };
        let cluster = entry.at(&["action", "typed_config", "cluster"]);
        if let Some(other) = cluster.filter(|cluster| cluster.text() != Some(&backend.cluster)) {
            findings.push(Finding::error(
                other.place,
                path,
                format!(
                    "the matcher's entry for \"{}\" leads to another cluster",
                    backend.cluster
                ),
            ));
        }
    }
}

fn check_retries(path: &str, action: &LocatedNode, findings: &mut Vec<Finding>) {
    let Some(policy) = either(action, "retry_policy", "retryPolicy") else {
        findings.push(Finding::error(
            action.place,
            path,
            "there is no `retry_policy`: Envoy never retries anything",
        ));
        return;
    };
    let path = format!("{path}.retry_policy");
    let refresh = either(policy, "refresh_cluster_on_retry", "refreshClusterOnRetry");
    if !refresh.is_some_and(LocatedNode::is_true) {
        findings.push(Finding::error(
            policy.place,
            &path,
            "`refresh_cluster_on_retry: true` is missing: every further attempt would go to the cluster of the first \
             one",
        ));
    }
    let on = either(policy, "retry_on", "retryOn").and_then(LocatedNode::text);
    let on = on.unwrap_or_default().split(',').map(str::trim);
    let headers = either(policy, "retriable_headers", "retriableHeaders");
    let headers = headers.map(LocatedNode::items).unwrap_or_default();
    let is_ours =
        |header: &LocatedNode| header.get("name").and_then(LocatedNode::text) == Some(RETRY);
    if !headers.iter().any(is_ours) || !on.into_iter().any(|on| on == "retriable-headers") {
        findings.push(Finding::error(
            policy.place,
            &path,
            format!(
                "`retriable_headers: [{{name: {RETRY}, present_match: true}}]` and `retriable-headers` in `retry_on` \
                 are both needed, but one is missing: Envoy would not retry what the filter marks"
            ),
        ));
    }
}

/// Warns about a route without a timeout, because Envoy's default is short.
fn check_timeout(path: &str, action: &LocatedNode) -> Option<Finding> {
    action.get("timeout").is_none().then(|| {
        Finding::warning(
            action.place,
            path,
            "`timeout: 0s` is missing: Envoy cuts off every answer that takes longer than 15 s",
        )
    })
}

fn check_limits(
    document: &Document,
    (path, config): (&str, &LocatedNode),
    limits: &[(String, &LocatedNode)],
    findings: &mut Vec<Finding>,
) {
    let Some(most) = document.max_body_bytes else {
        return;
    };
    if limits.is_empty() && most > ENVOYS_LIMIT {
        findings.push(Finding::error(
            config.place,
            path,
            format!(
                "there is no `request_body_buffer_limit`, and Envoy's default of {ENVOYS_LIMIT} bytes is less than \
                 the document's max_body_bytes, {most}"
            ),
        ));
    }
    for (path, limit) in limits {
        if limit.number().is_some_and(|limit| limit < f64::from(most)) {
            findings.push(Finding::error(
                limit.place,
                path,
                format!("is less than the document's max_body_bytes, {most}: Envoy would answer 413 before the router \
                         does"),
            ));
        }
    }
}

/// Envoy's default limit for the body that it buffers, in bytes.
const ENVOYS_LIMIT: u32 = 1_048_576;

/// Returns the backend roles of a file, each with its path and the name of its backend.
pub(super) fn backend_roles<'a>(configs: &'a [EmbeddedConfig<'_>]) -> Vec<(&'a str, String)> {
    let roles = configs.iter().filter(|one| one.role == Role::Backend);
    let named = roles.filter_map(|one| {
        let (path, _) = one.plugin.as_ref()?;
        let value = one.value.as_ref().ok()?;
        let name = value.located.get("backend")?.text()?;
        Some((path.as_str(), name.to_owned()))
    });
    named.collect()
}
