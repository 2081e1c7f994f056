//! Renders Envoy's clusters: one for each backend, and the aggregate clusters.

use std::net::IpAddr;

use super::EnvoyArgs;
use super::endpoint::Server;
use super::key::Key;
use super::template::Template;
use super::topology::{Aggregate, ReachableBackend, Topology};
use crate::schema::Schema;

/// The settings that all clusters share.
pub(super) struct ClusterRenderer<'a> {
    pub(super) args: &'a EnvoyArgs,
    /// Whether the document is in the older mode, in which the route gives each host its own name.
    pub(super) is_older: bool,
}

impl ClusterRenderer<'_> {
    pub(super) fn all(&self, site: &Topology<'_>) -> Vec<String> {
        let aggregates = site.aggregates.iter().map(|one| self.aggregate(one));
        let own = site.reached.iter().map(|one| self.cluster(one));
        let clusters: Vec<Vec<String>> = aggregates.chain(own).collect();
        clusters.join(&String::new())
    }

    fn cluster(&self, reached: &ReachableBackend<'_>) -> Vec<String> {
        let ReachableBackend {
            backend, endpoint, ..
        } = reached;
        let outliers = match reached.is_member {
            true => include_str!("templates/member_outliers.yaml"),
            false => include_str!("templates/outliers.yaml"),
        };
        let tls = match endpoint.is_tls {
            true => tls(&reached.server(), &self.args.ca),
            false => Vec::new(),
        };
        let plaintext = match endpoint.is_tls {
            true => "",
            false => "# Plaintext: only for a server on this machine or in a trusted network.",
        };
        let filters = UpstreamFilters {
            backend: &backend.name,
            schema: backend.schema,
            key: &reached.key,
        };
        Template::new(include_str!("templates/cluster.yaml"))
            .text("cluster", &backend.cluster)
            .word("discovery", self.discovery(reached))
            .lines("plaintext", Template::new(plaintext).fill())
            .lines("hostname", self.hostname(reached))
            .text("address", &endpoint.server.to_string())
            .word("port", endpoint.port)
            .lines("tls", tls)
            .lines("breakers", breakers())
            .lines("outliers", Template::new(outliers).fill())
            .lines("protocol", protocol(reached))
            .lines("filters", self.filters(&filters))
            .fill()
    }

    fn aggregate(&self, aggregate: &Aggregate<'_>) -> Vec<String> {
        let members = aggregate.members.iter();
        let members =
            members.map(|name| Template::new("- $name").text("name", name).fill().concat());
        let filters = UpstreamFilters {
            backend: aggregate.name,
            schema: aggregate.schema,
            key: &aggregate.key,
        };
        Template::new(include_str!("templates/aggregate.yaml"))
            .text("cluster", aggregate.name)
            .lines("members", members.collect())
            .lines("breakers", breakers())
            .lines("filters", self.filters(&filters))
            .fill()
    }

    /// Returns how Envoy finds the hosts. Hosts of a static cluster have no names.
    fn discovery(&self, reached: &ReachableBackend<'_>) -> &'static str {
        match &reached.endpoint.server {
            Server::Address(_) if !self.is_older => "STATIC",
            _ if reached.endpoint.is_tls => "LOGICAL_DNS",
            _ => "STRICT_DNS",
        }
    }

    fn hostname(&self, reached: &ReachableBackend<'_>) -> Vec<String> {
        if !self.is_older {
            return Vec::new();
        }
        let authority = || reached.endpoint.authority();
        let host = reached.backend.host.clone().unwrap_or_else(authority);
        let template =
            Template::new("# The host header of requests to this endpoint.\nhostname: $host");
        template.text("host", &host).fill()
    }

    fn filters(&self, filters: &UpstreamFilters<'_>) -> Vec<String> {
        let injector = filters.key.injector(filters.schema, &self.args.secrets);
        Template::new(include_str!("templates/filters.yaml"))
            .text("plugin", &format!("llm_backend_{}", filters.backend))
            .text("wasm", &self.args.wasm)
            .text("backend", filters.backend)
            .lines("credential", injector)
            .fill()
    }
}

/// What the upstream filters of a cluster are rendered from.
struct UpstreamFilters<'a> {
    /// The backend name in the backend role's configuration.
    backend: &'a str,
    schema: Schema,
    key: &'a Key,
}

fn breakers() -> Vec<String> {
    Template::new(include_str!("templates/breakers.yaml")).fill()
}

fn tls(server: &Server, ca: &str) -> Vec<String> {
    let name = server.to_string();
    let (kind, sni) = match server {
        Server::Name(_) => (
            "DNS",
            Template::new("sni: $name").text("name", &name).fill(),
        ),
        // A server name must not be an address.
        Server::Address(IpAddr::V4(_) | IpAddr::V6(_)) => ("IP_ADDRESS", Vec::new()),
    };
    Template::new(include_str!("templates/tls.yaml"))
        .lines("sni", sni)
        .text("ca", ca)
        .word("kind", kind)
        .text("server", &name)
        .fill()
}

fn protocol(reached: &ReachableBackend<'_>) -> Vec<String> {
    let template = match (reached.endpoint.is_tls, reached.takes_upgrades) {
        (true, false) => "# HTTP/2 if the backend supports it.\nauto_config: {}",
        (true, true) => {
            "# Only HTTP/1.1, because an upgrade over HTTP/2 works only if the server supports it. To use HTTP/2 for model calls,\n\
             # define a separate backend for them.\n\
             explicit_http_config: {http_protocol_options: {}}"
        }
        (false, _) => "explicit_http_config: {http_protocol_options: {}}",
    };
    Template::new(template).fill()
}
