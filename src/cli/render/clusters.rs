//! The clusters: one for each backend, and those that have others as members.

use std::net::IpAddr;

use super::EnvoyArgs;
use super::endpoint::Server;
use super::key::Key;
use super::site::{Aggregate, Reached, Site};
use super::template::Template;
use crate::schema::Schema;

/// What all clusters are made with.
pub(super) struct Clusters<'a> {
    pub(super) args: &'a EnvoyArgs,
    /// Whether the route gives each host its own name.
    pub(super) is_older: bool,
}

impl Clusters<'_> {
    pub(super) fn all(&self, site: &Site<'_>) -> Vec<String> {
        let aggregates = site.aggregates.iter().map(|one| self.aggregate(one));
        let own = site.reached.iter().map(|one| self.cluster(one));
        let clusters: Vec<Vec<String>> = aggregates.chain(own).collect();
        clusters.join(&String::new())
    }

    fn cluster(&self, reached: &Reached<'_>) -> Vec<String> {
        let Reached {
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
        let filters = Filters {
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
        let filters = Filters {
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

    /// How Envoy finds the hosts. A static cluster's have no names.
    fn discovery(&self, reached: &Reached<'_>) -> &'static str {
        match &reached.endpoint.server {
            Server::Address(_) if !self.is_older => "STATIC",
            _ if reached.endpoint.is_tls => "LOGICAL_DNS",
            _ => "STRICT_DNS",
        }
    }

    fn hostname(&self, reached: &Reached<'_>) -> Vec<String> {
        if !self.is_older {
            return Vec::new();
        }
        let authority = || reached.endpoint.authority();
        let host = reached.backend.host.clone().unwrap_or_else(authority);
        let template =
            Template::new("# The host header of requests to this endpoint.\nhostname: $host");
        template.text("host", &host).fill()
    }

    fn filters(&self, filters: &Filters<'_>) -> Vec<String> {
        let injector = filters.key.injector(filters.schema, &self.args.secrets);
        Template::new(include_str!("templates/filters.yaml"))
            .text("plugin", &format!("llm_backend_{}", filters.backend))
            .text("wasm", &self.args.wasm)
            .text("backend", filters.backend)
            .lines("credential", injector)
            .fill()
    }
}

/// What the upstream filters of a cluster are made for.
struct Filters<'a> {
    /// The name that the backend role has.
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
        // An address is no server name.
        Server::Address(IpAddr::V4(_) | IpAddr::V6(_)) => ("IP_ADDRESS", Vec::new()),
    };
    Template::new(include_str!("templates/tls.yaml"))
        .lines("sni", sni)
        .text("ca", ca)
        .word("kind", kind)
        .text("server", &name)
        .fill()
}

fn protocol(reached: &Reached<'_>) -> Vec<String> {
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
