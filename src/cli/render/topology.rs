//! What Envoy has to know about backends in addition to the document: where they are, and which key each gets.

use std::sync::Arc;

use super::EnvoyArgs;
use super::endpoint::{Endpoint, Server};
use super::key::Key;
use crate::cli::CommandError;
use crate::config::{Backend, Document, Route};
use crate::schema::Schema;

/// All backends and aggregate clusters.
pub(super) struct Topology<'a> {
    pub(super) reached: Vec<ReachableBackend<'a>>,
    pub(super) aggregates: Vec<Aggregate<'a>>,
}

/// A backend, and how it is reached.
pub(super) struct ReachableBackend<'a> {
    pub(super) backend: &'a Backend,
    pub(super) endpoint: Endpoint,
    pub(super) key: Key,
    /// Whether a route sends upgrades to it.
    pub(super) takes_upgrades: bool,
    /// Whether its cluster is a member of an aggregate cluster.
    pub(super) is_member: bool,
}

/// An aggregate cluster.
pub(super) struct Aggregate<'a> {
    pub(super) name: &'a str,
    pub(super) schema: Schema,
    /// The clusters of its members.
    pub(super) members: Vec<&'a str>,
    pub(super) key: Key,
}

impl<'a> Topology<'a> {
    pub(super) fn of(
        document: &'a Document,
        args: &EnvoyArgs,
    ) -> Result<Topology<'a>, CommandError> {
        check_names(document, args)?;
        let mut reached = Vec::new();
        let mut nowhere = Vec::new();
        for backend in &document.backends {
            match endpoint(backend, args) {
                Some(endpoint) => reached.push(reach(document, backend, endpoint, args)),
                None => nowhere.push(backend.name.as_str()),
            }
        }
        if !nowhere.is_empty() {
            return Err(CommandError(format!(
                "the address of {} is not known: set the backend's `host`, or use --endpoint NAME=https://HOST (or \
                 http://HOST:PORT)",
                listed(&nowhere)
            )));
        }
        check_keys(&reached, args)?;
        let aggregates = aggregates(document, &reached, args)?;
        Ok(Topology {
            reached,
            aggregates,
        })
    }
}

impl ReachableBackend<'_> {
    /// Returns the expected server: the document's host, even if an option gives another address.
    pub(super) fn server(&self) -> Server {
        let host = self.backend.host.as_deref();
        let host = host.and_then(|host| Endpoint::of_authority(host, true));
        host.map_or_else(|| self.endpoint.server.clone(), |host| host.server)
    }
}

/// Returns the value of an option for this name.
fn option_for<'a, T>(options: &'a [(String, T)], name: &str) -> Option<&'a T> {
    let mut options = options.iter();
    options.find(|(of, _)| of == name).map(|(_, value)| value)
}

fn endpoint(backend: &Backend, args: &EnvoyArgs) -> Option<Endpoint> {
    match option_for(&args.endpoints, &backend.name) {
        Some(endpoint) => Some(endpoint.clone()),
        None => Endpoint::of_authority(backend.host.as_deref()?, true),
    }
}

fn reach<'a>(
    document: &Document,
    backend: &'a Backend,
    endpoint: Endpoint,
    args: &EnvoyArgs,
) -> ReachableBackend<'a> {
    let leads_here = |route: &Route| {
        let mut targets = route.targets.iter();
        targets.any(|target| target.backend.name == backend.name)
    };
    let is_without = !endpoint.is_tls || backend.forward_client_credentials;
    let key = match option_for(&args.keys, &backend.name) {
        Some(key) => key.clone(),
        None if is_without => Key::None,
        None => Key::of_name(&backend.name),
    };
    let mut routes = document.routes.iter();
    let is_member = routes.any(|route| route.aggregate_cluster.is_some() && leads_here(route));
    let mut routes = document.routes.iter();
    ReachableBackend {
        backend,
        endpoint,
        key,
        takes_upgrades: routes.any(|route| takes_upgrades(route) && leads_here(route)),
        is_member,
    }
}

/// Whether a route's match asks for upgrades.
pub(super) fn takes_upgrades(route: &Route) -> bool {
    route.pass_through && route.condition.asks_for_header("upgrade")
}

/// Refuses options for unknown names, and two options for the same name.
fn check_names(document: &Document, args: &EnvoyArgs) -> Result<(), CommandError> {
    let backends: Vec<&str> = document
        .backends
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let routes = document.routes.iter();
    let aggregates = routes.filter_map(|route| route.aggregate_cluster.as_deref());
    let keyed: Vec<&str> = backends.iter().copied().chain(aggregates).collect();
    let endpoints = args.endpoints.iter().map(|(name, _)| name.as_str());
    check_option("--endpoint", &endpoints.collect::<Vec<_>>(), &backends)?;
    let keys = args.keys.iter().map(|(name, _)| name.as_str());
    check_option("--key", &keys.collect::<Vec<_>>(), &keyed)
}

fn check_option(option: &str, names: &[&str], known: &[&str]) -> Result<(), CommandError> {
    for (index, name) in names.iter().enumerate() {
        if !known.contains(name) {
            let known = listed(known);
            return Err(CommandError(format!(
                "{option} {name}: there is no backend of that name; the document has {known}"
            )));
        }
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(CommandError(format!(
                "{option} {name} is given twice: remove one"
            )));
        }
    }
    Ok(())
}

/// Refuses to give two backends the same secret file because their names look alike.
fn check_keys(reached: &[ReachableBackend<'_>], args: &EnvoyArgs) -> Result<(), CommandError> {
    let unsaid = reached
        .iter()
        .filter(|one| one.key != Key::None && option_for(&args.keys, &one.backend.name).is_none());
    let unsaid: Vec<&ReachableBackend<'_>> = unsaid.collect();
    for (index, one) in unsaid.iter().enumerate() {
        let mut earlier = unsaid.iter().take(index);
        if let Some(other) = earlier.find(|earlier| earlier.key == one.key) {
            return Err(CommandError(format!(
                "{} would have the same key file: use --key NAME=SECRET for one of them",
                listed(&[&other.backend.name, &one.backend.name])
            )));
        }
    }
    Ok(())
}

fn aggregates<'a>(
    document: &'a Document,
    reached: &[ReachableBackend<'_>],
    args: &EnvoyArgs,
) -> Result<Vec<Aggregate<'a>>, CommandError> {
    let mut found: Vec<Aggregate<'a>> = Vec::new();
    for route in &document.routes {
        let (Some(name), Some(first)) = (route.aggregate_cluster.as_deref(), route.targets.first())
        else {
            continue;
        };
        let mut members: Vec<&Arc<Backend>> = Vec::new();
        for target in &route.targets {
            if !members
                .iter()
                .any(|known| known.name == target.backend.name)
            {
                members.push(&target.backend);
            }
        }
        let aggregate = Aggregate {
            name,
            schema: first.backend.schema,
            members: members
                .iter()
                .map(|backend| backend.cluster.as_str())
                .collect(),
            key: aggregate_key(name, &members, reached, args)?,
        };
        match found.iter().find(|known| known.name == name) {
            None => found.push(aggregate),
            Some(known) if known.members == aggregate.members => {}
            Some(_) => {
                return Err(CommandError(format!(
                    "two routes with different targets have the aggregate_cluster \"{name}\": use a separate one for \
                     each"
                )));
            }
        }
    }
    Ok(found)
}

/// Returns the key that all members of an aggregate cluster get.
fn aggregate_key(
    name: &str,
    members: &[&Arc<Backend>],
    reached: &[ReachableBackend<'_>],
    args: &EnvoyArgs,
) -> Result<Key, CommandError> {
    if let Some(key) = option_for(&args.keys, name) {
        return Ok(key.clone());
    }
    let is_member =
        |one: &&ReachableBackend<'_>| members.iter().any(|member| member.name == one.backend.name);
    let mut keys = reached.iter().filter(is_member).map(|one| &one.key);
    let first = keys.next().unwrap_or(&Key::None);
    match keys.all(|key| key == first) {
        true => Ok(first.clone()),
        false => Err(CommandError(format!(
            "the targets of the aggregate_cluster \"{name}\" have different keys, but Envoy uses one key for all of \
             them: choose it with --key {name}=SECRET, or use --key {name}=none"
        ))),
    }
}

/// Lists names for a message.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
