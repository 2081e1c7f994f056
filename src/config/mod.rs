//! Turns the written document into a validated and compiled [`Document`], or returns all of its errors at once.

mod aliases;
mod backend;
mod catalog;
mod condition;
mod error;
mod fallback;
pub(crate) mod fields;
mod golden;
mod header_lists;
mod model;
mod older;
mod page;
mod parameters;
mod pass_through;
mod protobuf_struct;
mod reachability;
mod reader;
mod requirements;
mod role;
mod route;
mod steering;
mod sticky;
mod targets;
mod telemetry;
mod tree;

use std::sync::Arc;
use std::time::Duration;

pub use aliases::Aliases;
pub use backend::Backend;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub(crate) use condition::PARTS;
pub use error::ConfigError;
pub use golden::{GoldenRequest, GoldenRun, run_tests};
pub use header_lists::{
    AllowedHeaders, CREDENTIAL_HEADERS, INTERNAL_HEADERS, NEEDED_HEADERS, PRIVATE_HEADERS,
    is_credential_header, is_internal_header, is_private_header,
};
pub use model::{Capability, Labels, MaxPrices, Model, Price, Prices, RequiredLabel};
pub use page::{Page, PageAccess};
pub use requirements::TargetRequirements;
pub use role::backend_name;
pub use route::Route;
pub use steering::{STEERING_HEADERS, Steering};
#[cfg(any(test, all(feature = "cli", not(target_arch = "wasm32"))))]
pub(crate) use sticky::NAMED_SOURCES;
pub use targets::{Strategy, Target};
pub use telemetry::Telemetry;
pub use tree::Tree;

use crate::attempt::FallbackPolicy;
use crate::health::CooldownPolicy;
use crate::request::CallerParts;
use crate::routing::{Pattern, RouteIndex};
use crate::schema::Catalog;
use reader::{Errors, Fields, Node};

/// A valid document, compiled for routing.
#[derive(Clone, Debug)]
pub struct Document {
    /// The backends, in the order of the document.
    pub backends: Vec<Arc<Backend>>,
    /// Whether `defaults` has a `sticky`.
    pub has_sticky: bool,
    /// The routes, in the order in which they are tried.
    pub routes: Vec<Route>,
    /// The routes, indexed by the models that they match.
    pub index: RouteIndex,
    /// The model aliases.
    pub aliases: Aliases,
    /// The models that clients can ask for by name.
    pub catalog: Catalog,
    /// How targets that fail are remembered; `None`: they are not.
    pub cooldown: Option<CooldownPolicy>,
    /// Whether response headers tell which backend and model gave the answer.
    pub response_headers: bool,
    /// What the router reports about requests.
    pub telemetry: Telemetry,
    /// What callers may ask for by request headers.
    pub steering: Steering,
    /// What conditions need to know about the caller.
    pub caller_parts: CallerParts,
    /// The mesh peers that are trusted to name the caller for whom they send a request.
    pub mesh_gateways: Vec<Pattern>,
    /// The largest request body in bytes; `None`: Envoy's own limit.
    pub max_body_bytes: Option<u32>,
    /// The request header that receives the chosen cluster, for Envoys that cannot select another cluster for a retry;
    /// in lower case.
    pub cluster_header: Option<String>,
    /// The status page that the filter serves itself; `None`: no page.
    pub page: Option<Page>,
    /// How long Envoy may hold back a body before the router concludes that a setting is missing.
    pub missing_flag_timeout: Duration,
    /// Whether the filter runs the document's tests when it loads the document.
    pub enforce_tests: bool,
}

impl Document {
    /// Reads a document as Envoy hands it to the filter: JSON text (from a `StringValue`) or the bytes of a
    /// `google.protobuf.Struct`.
    ///
    /// # Errors
    /// All errors of the document, in its order.
    pub fn load(configuration: &[u8]) -> Result<Document, Vec<ConfigError>> {
        Document::compile(&parse(configuration)?)
    }

    /// Validates and compiles a document, and runs its tests if `enforce_tests` is set.
    ///
    /// # Errors
    /// All errors of the document, in its order.
    pub fn compile(tree: &Tree) -> Result<Document, Vec<ConfigError>> {
        let document = Document::compile_untested(tree)?;
        if document.enforce_tests {
            let errors = run_tests(tree, &document, &no_file).errors;
            if !errors.is_empty() {
                return Err(errors);
            }
        }
        Ok(document)
    }

    /// Validates and compiles a document without running its tests.
    ///
    /// # Errors
    /// All errors of the document, in its order.
    pub fn compile_untested(tree: &Tree) -> Result<Document, Vec<ConfigError>> {
        let errors = Errors::default();
        let document = read_document(&Node::root(tree, &errors));
        if errors.is_empty() {
            Ok(document)
        } else {
            Err(errors.into_vec())
        }
    }
}

#[cfg(test)]
impl Document {
    /// Loads a document from YAML.
    #[track_caller]
    pub(crate) fn of_yaml(written: &str) -> Result<Document, Vec<ConfigError>> {
        let tree: Tree = serde_saphyr::from_str(written).unwrap();
        Document::compile(&tree)
    }
}

/// Reads a file that a test names. The filter cannot read files, so it uses this function.
///
/// # Errors
/// Always.
pub fn no_file(_: &str) -> Result<Vec<u8>, String> {
    Err("only the tool can read a file: with `enforce_tests: true`, use `body`".to_owned())
}

/// Parses a configuration into a tree, from either encoding.
fn parse(configuration: &[u8]) -> Result<Tree, Vec<ConfigError>> {
    // A non-empty Struct begins with a newline character, as JSON text may too; but no JSON text is also a complete
    // Struct.
    if configuration.first() == Some(&b'\n')
        && let Some(tree) = Tree::from_protobuf(configuration)
    {
        return Ok(tree);
    }
    if configuration.trim_ascii().is_empty() {
        return Err(vec![ConfigError::new(
            "",
            "there is no configuration: put the document into the plugin's `configuration`, as a \
             google.protobuf.Struct or as JSON in a google.protobuf.StringValue",
        )]);
    }
    serde_json::from_slice(configuration).map_err(|error| {
        vec![ConfigError::new(
            "",
            format!("the configuration is neither JSON nor a google.protobuf.Struct: {error}"),
        )]
    })
}

fn read_document(node: &Node<'_>) -> Document {
    let document = node.fields(fields::DOCUMENT);
    let backends = document
        .required("backends")
        .map(backend::read_all)
        .unwrap_or_default();
    let defaults = document.fields("defaults", fields::DEFAULTS);
    let default = |name: &str| defaults.optional(name);
    let policy = defaults.or_default("fallback", |node| {
        fallback::read_policy(node, &FallbackPolicy::default())
    });
    let cluster_header =
        default("cluster_header").map(|node| older::read_cluster_header(node, &backends));
    let sticky = defaults.or_default("sticky", |node| sticky::read(node, false));
    let around = route::RouteContext {
        backends: &backends,
        policy: &policy,
        sticky: &sticky,
        is_older: cluster_header.is_some(),
    };
    let routes = document
        .required("routes")
        .map(|node| route::read_all(node, &around))
        .unwrap_or_default();
    let aliases = document.or_default("aliases", |node| aliases::read(node, &routes, &backends));
    let missing_flag_timeout = default("missing_flag_timeout_ms")
        .and_then(|node| node.integer(100, 60_000))
        .unwrap_or(2_000);
    let enforce_tests = read_enforce_tests(&document);
    let telemetry = defaults.or_default("telemetry", |node| telemetry::read(node, &routes));
    let mut caller_parts = route::caller_parts(&routes);
    telemetry.add_caller_parts(&mut caller_parts);
    Document {
        index: route::index(&routes),
        catalog: catalog::catalog(&routes, &backends, &aliases),
        aliases,
        has_sticky: !sticky.is_empty(),
        caller_parts,
        telemetry,
        mesh_gateways: defaults.or_default("mesh_gateways", condition::read_gateways),
        backends,
        routes,
        cooldown: match default("cooldown") {
            Some(node) => fallback::read_cooldown(node),
            None => Some(CooldownPolicy::default()),
        },
        response_headers: defaults
            .or_default("response_headers", Node::boolean)
            .unwrap_or(false),
        steering: defaults.or_default("allow_request_headers", steering::read),
        max_body_bytes: default("max_body_bytes")
            .and_then(|node| node.integer(1_024, 1_073_741_824)),
        cluster_header: cluster_header.flatten(),
        page: default("page").and_then(page::read),
        missing_flag_timeout: Duration::from_millis(missing_flag_timeout.into()),
        enforce_tests,
    }
}

fn read_enforce_tests(document: &Fields<'_>) -> bool {
    let enforced = document.or_default("enforce_tests", Node::boolean);
    let enforced = enforced.unwrap_or(false);
    if enforced && document.optional("tests").is_none() {
        document.error("`enforce_tests: true` needs `tests`: add some, or remove it");
    }
    enforced
}

#[cfg(test)]
mod choice_tests;
#[cfg(test)]
mod matching_tests;
#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
