//! The command `render`: prints the files around a document.

mod clusters;
mod command;
mod endpoint;
mod envoy;
mod key;
mod template;
mod topology;
mod yaml;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{CommandError, load};
use endpoint::Endpoint;
use key::Key;

const EXAMPLES: &str = "\
Examples:
  llm-router render envoy router.yaml > envoy.yaml
  llm-router render envoy router.yaml --endpoint local=http://127.0.0.1:8000 --key openai=env:OPENAI_API_KEY

By default, Envoy connects to a backend by TLS at its `host`, and its key is in the file SECRETS/NAME-key.yaml. Backends in \
plaintext, or with `forward_client_credentials`, get no key.";

/// What is rendered.
#[derive(Debug, clap::Subcommand)]
pub(super) enum RenderCommand {
    /// Print a complete Envoy configuration for a document, with the reason for each setting.
    #[command(after_help = EXAMPLES)]
    Envoy(EnvoyArgs),
}

/// A document, and what Envoy has to know beside it.
#[derive(Debug, clap::Args)]
pub(super) struct EnvoyArgs {
    /// The document, or an Envoy or Istio file (YAML or JSON) that contains one.
    file: PathBuf,
    /// The address on which Envoy accepts clients.
    #[arg(long, default_value = "127.0.0.1:10000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The address of Envoy's admin interface.
    #[arg(long, default_value = "127.0.0.1:9901", value_name = "ADDRESS")]
    admin: SocketAddr,
    /// The Wasm module.
    #[arg(long, default_value = "llm_router.wasm", value_name = "FILE")]
    wasm: String,
    /// The address of a backend: https://HOST[:PORT], or http://HOST:PORT for plaintext. Default: https:// and the `host` in
    /// the document. Can be given once for each backend.
    #[arg(long = "endpoint", value_parser = read_endpoint, value_name = "BACKEND=URL")]
    endpoints: Vec<(String, Endpoint)>,
    /// The key for a backend: the name of a secret, which is in the file SECRETS/NAME.yaml; env:VARIABLE; or none. Can be
    /// given once for each backend and each `aggregate_cluster`.
    #[arg(long = "key", value_parser = read_key, value_name = "BACKEND=SECRET")]
    keys: Vec<(String, Key)>,
    /// The folder that contains the secrets.
    #[arg(long, default_value = "secrets", value_name = "FOLDER")]
    secrets: String,
    /// The file with the CA certificates that Envoy trusts for backends.
    #[arg(
        long,
        default_value = "/etc/ssl/certs/ca-certificates.crt",
        value_name = "FILE"
    )]
    ca: String,
    /// The largest request body, if the document has no `max_body_bytes`. Default without either: 16777216.
    #[arg(long, value_name = "BYTES")]
    max_body_bytes: Option<u32>,
    /// How much heap memory Envoy may use before it refuses requests.
    #[arg(long, default_value_t = 2_147_483_648, value_name = "BYTES")]
    max_heap_bytes: u64,
}

/// Splits a text at its last `=`.
fn split<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<(String, T), String> {
    match text.rsplit_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), read(value)?)),
        _ => Err("must be the backend's name, \"=\", and a value".to_owned()),
    }
}

fn read_endpoint(text: &str) -> Result<(String, Endpoint), String> {
    split(text, Endpoint::of_url)
}

fn read_key(text: &str) -> Result<(String, Key), String> {
    split(text, Key::read)
}

/// Renders what the arguments ask for.
pub(super) fn run(render: &RenderCommand) -> Result<ExitCode, CommandError> {
    let RenderCommand::Envoy(args) = render;
    let Some(loaded) = load::load(&args.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    super::say(&envoy::render(&loaded, args, &command::shown(&arguments))?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
#[path = "envoy_tests.rs"]
mod tests;
