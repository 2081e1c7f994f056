//! Finds the filter's configurations in a file: the document itself, or those within an Envoy or Istio file.

use super::report::Finding;
use super::source::{LocatedNode, Position, parse};
use crate::config::Tree;

/// The role of the module that a configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Router,
    Backend,
}

impl Role {
    fn of(root_id: &str) -> Option<Role> {
        match root_id {
            "llm_router" => Some(Role::Router),
            "llm_backend" => Some(Role::Backend),
            _ => None,
        }
    }
}

/// One configuration of the filter.
#[derive(Debug)]
pub(super) struct EmbeddedConfig<'a> {
    pub(super) role: Role,
    /// The value that the filter gets, with places in the file; or why it gets none.
    pub(super) value: Result<ConfigValue, (Position, String)>,
    /// The path and the node of Envoy's plugin configuration, if the file is Envoy's.
    pub(super) plugin: Option<(String, &'a LocatedNode)>,
}

/// The value that the filter gets, and the place of each part of it.
#[derive(Debug)]
pub(super) struct ConfigValue {
    pub(super) tree: Tree,
    pub(super) located: LocatedNode,
}

impl ConfigValue {
    /// Converts a node the way Envoy does; an error if it nests too deeply for the filter.
    fn of(located: &LocatedNode) -> Result<ConfigValue, (Position, String)> {
        match located.deeper_than(Tree::MAX_DEPTH) {
            Some(place) => {
                let most = Tree::MAX_DEPTH;
                let message = format!(
                    "lists and maps are nested more than {most} levels deep: make the document flatter"
                );
                Err((place, message))
            }
            None => Ok(ConfigValue {
                tree: located.tree(),
                located: located.clone(),
            }),
        }
    }
}

/// Top-level fields of files that are not the document itself.
const OTHER_FILES: [&str; 7] = [
    "static_resources",
    "staticResources",
    "dynamic_resources",
    "dynamicResources",
    "admin",
    "resources",
    "apiVersion",
];

/// Finds all configurations in a file. `text` is the complete file.
pub(super) fn find<'a>(documents: &'a [LocatedNode], text: &str) -> Vec<EmbeddedConfig<'a>> {
    let mut found = Vec::new();
    for document in documents {
        document.walk("", &mut |path, node| {
            found.extend(of_plugin(path, node, text));
            found.extend(of_wasm_plugin(node));
        });
    }
    if let [document] = documents
        && found.is_empty()
        && document.is_map()
        && !OTHER_FILES.iter().any(|name| document.get(name).is_some())
    {
        found.push(EmbeddedConfig {
            role: Role::Router,
            // `render` writes merged maps out.
            value: ConfigValue::of(&document.clone().merged()),
            plugin: None,
        });
    }
    found
}

/// Returns the error of a file in which no configuration is found only because it has several documents.
pub(super) fn second(documents: &[LocatedNode]) -> Option<Finding> {
    let has_one = |document: &LocatedNode| {
        let names = ["backends", "routes"];
        names.iter().any(|name| document.get(name).is_some())
    };
    let second = documents.get(1)?;
    documents.iter().any(has_one).then(|| {
        let message = "a second document begins here, after a line with `---` or `...`, but a file can contain only \
                       one: remove that line, or move this part into another file";
        Finding::error(second.place, "", message)
    })
}

/// Reads Envoy's `PluginConfig`, which Istio's EnvoyFilter contains too.
fn of_plugin<'a>(path: &str, node: &'a LocatedNode, text: &str) -> Option<EmbeddedConfig<'a>> {
    let root_id = either(node, "root_id", "rootId")?;
    let role = Role::of(root_id.text()?)?;
    let configuration = node.get("configuration");
    let value = match configuration {
        None => Err((
            root_id.place,
            "there is no `configuration` in this plugin config".to_owned(),
        )),
        Some(configuration) => unwrap(configuration, text),
    };
    Some(EmbeddedConfig {
        role,
        value,
        plugin: Some((path.to_owned(), node)),
    })
}

/// Reads Istio's WasmPlugin, whose `pluginConfig` becomes JSON in a StringValue.
fn of_wasm_plugin(node: &LocatedNode) -> Option<EmbeddedConfig<'static>> {
    if node.get("kind")?.text()? != "WasmPlugin" {
        return None;
    }
    let config = node.at(&["spec", "pluginConfig"])?;
    let name = node.at(&["spec", "pluginName"]).and_then(LocatedNode::text);
    let role = match name.and_then(Role::of) {
        Some(role) => role,
        None if config.get("backends").is_some() || config.get("routes").is_some() => Role::Router,
        None => return None,
    };
    let config = config.clone().merged();
    Some(EmbeddedConfig {
        role,
        value: Ok(ConfigValue {
            tree: config.tree_in_json(),
            located: config,
        }),
        plugin: None,
    })
}

/// Returns a field by its protobuf name or by its JSON name.
pub(super) fn either<'a>(
    node: &'a LocatedNode,
    snake: &str,
    camel: &str,
) -> Option<&'a LocatedNode> {
    node.get(snake).or_else(|| node.get(camel))
}

/// Returns the value that the filter gets from a `google.protobuf.Any`.
fn unwrap(any: &LocatedNode, text: &str) -> Result<ConfigValue, (Position, String)> {
    let kind = any
        .get("@type")
        .and_then(LocatedNode::text)
        .unwrap_or_default();
    let value = any.get("value");
    match (kind.rsplit('.').next(), value) {
        (Some("Struct"), Some(value)) => ConfigValue::of(value),
        (Some("StringValue"), Some(value)) => match value.text() {
            Some(json) => of_json(json, value, text),
            None => Err((value.place, "the value of a StringValue must be text".to_owned())),
        },
        (Some("Struct" | "StringValue"), None) => {
            Err((any.place, "`value` is missing".to_owned()))
        }
        _ => Err((
            any.place,
            "must be a google.protobuf.Struct with the document as its `value`, or a google.protobuf.StringValue with \
             it as JSON"
                .to_owned(),
        )),
    }
}

/// Parses JSON in a string of the file.
fn of_json(json: &str, at: &LocatedNode, text: &str) -> Result<ConfigValue, (Position, String)> {
    let inner = EmbeddedText::find(json, at.place, text);
    let tree: Tree = serde_json::from_str(json).map_err(|error| {
        let place = Position {
            line: error.line().max(1),
            column: error.column().max(1),
        };
        let why = error.to_string();
        // The parser's place is within the text, not in the file.
        let why = why.split(" at line ").next().unwrap_or_default();
        let message = format!(
            "the value of a StringValue must be JSON, but it is not: {why}. JSON needs double quotes around names and \
             texts, and allows no comments and no comma before a closing bracket. To write YAML, use a \
             google.protobuf.Struct"
        );
        (inner.place(place), message)
    })?;
    match parse(json) {
        Ok(documents) => {
            let located = documents.into_iter().next();
            let located = located.unwrap_or(LocatedNode::null(at.place));
            Ok(ConfigValue {
                tree,
                located: located.map_places(&|place| inner.place(place)),
            })
        }
        Err(errors) => {
            let first = errors.into_iter().next();
            let first = first.map(|error| (inner.place(error.place), error.message));
            Err(first.unwrap_or((at.place, "must be JSON".to_owned())))
        }
    }
}

/// Where an embedded text is in the file.
struct EmbeddedText {
    /// The place of the whole text.
    whole: Position,
    /// The place of its first line, if the file has all of its lines one below the other.
    first: Option<Position>,
}

impl EmbeddedText {
    fn find(inner: &str, whole: Position, text: &str) -> EmbeddedText {
        let lines: Vec<&str> = text.lines().collect();
        // A block begins in the line below its `|`.
        let starts = [whole.line, whole.line.saturating_add(1)];
        let mut places = starts.into_iter().filter_map(|line| {
            let above = line.checked_sub(1)?;
            let outer = lines.get(above..)?;
            let mut inner_lines = inner.lines();
            let first = inner_lines.next()?;
            let at = outer.first()?.find(first)?;
            let indent = outer.first()?.get(..at)?;
            let fits = inner_lines.zip(outer.iter().skip(1)).all(|(inner, outer)| {
                inner.is_empty() || outer.strip_prefix(indent) == Some(inner)
            });
            fits.then(|| Position {
                line,
                column: indent.chars().count().saturating_add(1),
            })
        });
        EmbeddedText {
            whole,
            first: places.next(),
        }
    }

    /// Converts a place in the text to a place in the file.
    fn place(&self, inner: Position) -> Position {
        let Some(first) = self.first else {
            return self.whole;
        };
        Position {
            line: first.line.saturating_add(inner.line).saturating_sub(1),
            column: first.column.saturating_add(inner.column).saturating_sub(1),
        }
    }
}
