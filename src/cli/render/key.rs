//! The secret that requests to a cluster carry, and the header that it is in.

use super::template::Template;
use crate::schema::Schema;

/// The key for one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Envoy adds no key.
    None,
    /// The key is in a file of this name, which secret discovery reads.
    File(String),
    /// The key is in this environment variable, which is read once.
    Environment(String),
}

impl Key {
    /// Parses `none`, `env:VARIABLE`, or the name of a secret.
    pub(super) fn read(text: &str) -> Result<Key, String> {
        if text == "none" {
            return Ok(Key::None);
        }
        if let Some(variable) = text.strip_prefix("env:") {
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if variable.is_empty() || !variable.bytes().all(is_of_name) {
                return Err(format!(
                    "\"{variable}\" is not the name of an environment variable"
                ));
            }
            return Ok(Key::Environment(variable.to_owned()));
        }
        if text.is_empty() || text.contains(char::is_control) {
            return Err("must be the name of a secret, env:VARIABLE, or none".to_owned());
        }
        Ok(Key::File(text.to_owned()))
    }

    /// Returns the default key of a backend: the secret of its name.
    pub(super) fn of_name(backend: &str) -> Key {
        let safe = |char: char| match char {
            '-' | '_' | '.' => char,
            char if char.is_alphanumeric() => char,
            _ => '_',
        };
        let name: String = backend.chars().map(safe).collect();
        let name = match name.strip_prefix('.') {
            Some(rest) => format!("_{rest}"),
            None => name,
        };
        Key::File(format!("{name}-key"))
    }

    /// Returns the filter that adds the key; no lines for no key. `folder` has the secret files.
    pub(super) fn injector(&self, schema: Schema, folder: &str) -> Vec<String> {
        let secret = match self {
            Key::None => return Vec::new(),
            Key::File(name) => Template::new(include_str!("templates/file_secret.yaml"))
                .text("name", name)
                .text("path", &format!("{folder}/{name}.yaml"))
                .text("folder", folder)
                .fill(),
            Key::Environment(variable) => Template::new("credential: {name: $name}")
                .text("name", variable)
                .fill(),
        };
        Template::new(include_str!("templates/credential.yaml"))
            .lines("secret", secret)
            .lines("header", header(schema))
            .fill()
    }
}

/// Returns the header in which the API expects its key.
fn header(schema: Schema) -> Vec<String> {
    let (name, is_bearer) = match schema {
        Schema::OpenAi | Schema::Bedrock => ("authorization", true),
        Schema::AzureOpenAi => ("api-key", false),
        Schema::Anthropic => ("x-api-key", false),
        Schema::Gemini => ("x-goog-api-key", false),
    };
    let mut lines = Vec::new();
    if schema == Schema::Bedrock {
        lines.push("# A Bedrock API key. To sign requests instead, replace this filter".to_owned());
        lines.push("# with envoy.filters.http.aws_request_signing.".to_owned());
    }
    lines.push(format!("header: {name}"));
    if is_bearer {
        lines.push("header_value_prefix: \"Bearer \"".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let file = |name: &str| Key::File(name.to_owned());
        for (text, expected) in [
            ("none", Key::None),
            ("openai-key", file("openai-key")),
            ("env:KEY_1", Key::Environment("KEY_1".to_owned())),
        ] {
            assert_eq!(Key::read(text), Ok(expected));
        }
        for wrong in ["", "env:", "env:A B", "a\nb"] {
            assert!(Key::read(wrong).is_err(), "{wrong}");
        }
        for (backend, expected) in [
            ("azure-east.2", "azure-east.2-key"),
            ("../../etc/x y", "_._.._etc_x_y-key"),
            ("é", "é-key"),
        ] {
            assert_eq!(Key::of_name(backend), file(expected));
        }
    }
}
