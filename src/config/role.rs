//! Reads the configuration of the backend role, which names the backend on whose cluster the filter runs.

use super::error::ConfigError;
use super::reader::{Errors, Node};
use super::{fields, parse};

/// Reads the backend role's configuration and returns the backend's name.
///
/// # Errors
/// All errors of the configuration.
pub fn backend_name(configuration: &[u8]) -> Result<String, Vec<ConfigError>> {
    let tree = parse(configuration).map_err(|_| {
        vec![ConfigError::new(
            "",
            "the configuration must name the backend whose cluster has this filter: {backend: NAME}, in a \
             google.protobuf.Struct or as JSON in a google.protobuf.StringValue",
        )]
    })?;
    let errors = Errors::default();
    let name = Node::root(&tree, &errors)
        .fields(fields::BACKEND_ROLE)
        .required("backend")
        .and_then(Node::name)
        .map(str::to_owned);
    name.filter(|_| errors.is_empty())
        .ok_or_else(|| errors.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_its_backend() {
        assert_eq!(backend_name(br#"{"backend": "openai"}"#).unwrap(), "openai");
        for (wrong, expected) in [
            ("", "must name the backend"),
            ("{}", "`backend` is missing"),
            (r#"{"backend": ""}"#, "backend: must not be empty"),
            (r#"{"backend": "a", "x": 1}"#, "x: unknown field"),
            (r#"{"backnd": "a"}"#, "backnd: unknown field, did you mean"),
        ] {
            let errors = backend_name(wrong.as_bytes()).unwrap_err();
            assert!(errors[0].to_string().contains(expected), "{}", errors[0]);
        }
    }
}
