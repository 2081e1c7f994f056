//! Compares the table of facts in docs/matching.md with the fields that the code reads for each API.

use serde_json::{Map, Value, json};

use super::super::format::{FieldContent, Format};
use super::super::*;
use crate::request::BodyKind;

/// The table's columns after that of the APIs.
const COLUMNS: [&str; 6] = [
    "system prompt",
    "messages",
    "tools",
    "results of tools",
    "images, audio, files",
    "JSON schema",
];

/// The names in a cell that may be roles of messages rather than fields.
const ROLES: [&str; 4] = ["system", "developer", "tool", "function"];

/// A row: its APIs, and the names in each of its cells. "as in any of these" stands for all names of the other rows in
/// that column.
struct Row {
    apis: Vec<Api>,
    cells: Vec<Vec<&'static str>>,
}

fn rows() -> Vec<Row> {
    let docs = include_str!("../../../docs/matching.md");
    let (_, table) = docs.split_once("<!-- table: facts -->\n").unwrap();
    let lines = table.lines().take_while(|line| line.starts_with('|'));
    let lines: Vec<Vec<&str>> = lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(lines[0][1..], COLUMNS);
    let names = |cell: &'static str| cell.split('`').skip(1).step_by(2);
    let rows = lines[2..].iter().map(|line| Row {
        apis: names(line[0])
            .map(|name| *Api::ALL.iter().find(|api| api.name() == name).unwrap())
            .collect(),
        cells: (1..line.len())
            .map(|at| {
                // Only rows of APIs with conversations.
                let is_meant =
                    |other: &&Vec<&str>| line[at].contains("any of these") && other[4] != "–";
                let others = lines[2..].iter().filter(is_meant);
                let others = others.flat_map(|other| names(other[at]));
                // These fields tell the kind of a part or of data.
                let all = names(line[at]).chain(others);
                all.filter(|name| !["type", "mimeType"].contains(name))
                    .collect()
            })
            .collect(),
    });
    rows.collect()
}

/// Returns a body with one value at a path.
fn at(path: &str, value: Value) -> Value {
    let outward = path.rsplit('.');
    outward.fold(value, |value, name| {
        Value::Object(Map::from_iter([(name.to_owned(), value)]))
    })
}

/// Returns bodies in which the user says these blocks, in each field of the API that takes blocks.
fn said(api: Api, block: &Value) -> Vec<Value> {
    let read = Format::of(api).prompt_fields.iter();
    read.filter_map(|(path, content)| match content {
        FieldContent::Messages | FieldContent::Items => {
            Some(at(path, json!([{"role": "user", "content": [block]}])))
        }
        FieldContent::Contents => Some(at(path, json!([{"role": "user", "parts": [block]}]))),
        FieldContent::Prompt => Some(at(path, json!([block]))),
        _ => None,
    })
    .collect()
}

/// Whether any of these bodies has a fact.
fn any(api: Api, bodies: &[Value], has: fn(&Content<'_>) -> bool) -> bool {
    bodies.iter().any(|body| {
        let body = body.to_string();
        has(&Content::new(api, &BodyKind::Json, body.as_bytes()))
    })
}

/// Returns bodies in which a tool result has this name: as a role, at the end of an item's type, as a block's type, or
/// as its key.
fn results(api: Api, name: &str) -> Vec<Value> {
    let read = Format::of(api).prompt_fields.iter();
    let items =
        read.filter(|(_, content)| matches!(content, FieldContent::Messages | FieldContent::Items));
    let mut bodies: Vec<Value> = items
        .flat_map(|(path, _)| {
            let by_type = format!("function_call{name}");
            [json!([{"role": name}]), json!([{"type": by_type}])].map(|value| at(path, value))
        })
        .collect();
    bodies.push(at(name, json!([{"name": "f"}])));
    for block in [json!({"type": name}), at(name, json!({"name": "f"}))] {
        bodies.extend(said(api, &block));
    }
    bodies
}

/// Returns bodies with a medium that has this name: as a block's type, as its key, or as a field.
fn media(api: Api, name: &str) -> Vec<Value> {
    let by_key = at(name, json!({"mimeType": "image/png"}));
    let mut bodies = said(api, &json!({"type": name}));
    bodies.extend(said(api, &by_key));
    bodies.push(at(name, json!("data:")));
    bodies
}

/// Asserts that the fields in a cell of the table are those that the code reads.
fn same_fields(api: Api, names: &[&str], read: impl Iterator<Item = &'static str>) {
    // A request inside of a request to count tokens has the same names.
    let read = read.map(|path| path.strip_prefix("generateContentRequest.").unwrap_or(path));
    let mut documented = names.to_vec();
    let mut read: Vec<&str> = read.collect();
    for all in [&mut documented, &mut read] {
        // A name may be both a field and a role.
        all.retain(|name| !ROLES.contains(name));
        all.sort_unstable();
        all.dedup();
    }
    assert_eq!(documented, read, "{}", api.name());
}

#[test]
fn every_api_has_a_row() {
    let mut documented: Vec<&str> = rows()
        .iter()
        .flat_map(|row| row.apis.iter().map(|api| api.name()))
        .collect();
    let mut all: Vec<&str> = Api::ALL.iter().map(|api| api.name()).collect();
    documented.sort_unstable();
    all.sort_unstable();
    assert_eq!(documented, all);
}

#[test]
fn the_fields_are_those_that_are_read() {
    for row in rows() {
        for api in row.apis {
            let format = Format::of(api);
            let paths = |wanted: fn(&FieldContent) -> bool| {
                let read = format
                    .prompt_fields
                    .iter()
                    .filter(move |(_, content)| wanted(content));
                read.map(|(path, _)| *path)
            };
            let [system, messages, tools, _, _, schemas] = row.cells.as_slice() else {
                panic!("a row has other columns");
            };
            same_fields(
                api,
                system,
                paths(|content| *content == FieldContent::System),
            );
            let mut messages = messages.clone();
            // Moderations share a row with embeddings, which have more fields.
            messages.retain(|name| api != Api::Moderations || *name != "messages");
            let is_said = |content: &FieldContent| {
                !matches!(content, FieldContent::System | FieldContent::Images)
            };
            same_fields(api, &messages, paths(is_said));
            same_fields(api, tools, format.tools.iter().copied());
            // Counting tokens gives no answer.
            if api != Api::GeminiCountTokens {
                same_fields(api, schemas, format.schemas.iter().map(|(path, _)| *path));
            }
        }
    }
}

/// Tests each name in the table with a minimal body.
#[test]
fn what_the_table_names_is_found() {
    for row in rows() {
        for api in row.apis.iter().copied() {
            for (column, names) in COLUMNS.iter().zip(&row.cells) {
                for name in names {
                    let is_found = is_found(api, column, name, &row.cells[1]);
                    let is_counted = api == Api::GeminiCountTokens && *column == "JSON schema";
                    let is_missing = api == Api::Moderations && *name == "messages";
                    let expected = !is_counted && !is_missing;
                    assert_eq!(is_found, expected, "{} {column} {name}", api.name());
                }
            }
        }
    }
}

fn is_found(api: Api, column: &str, name: &str, messages: &[&str]) -> bool {
    let text = at(name, json!("x"));
    match column {
        "system prompt" => {
            let by_role = json!([{"role": name, "content": "x"}]);
            let bodies = messages.iter().map(|path| at(path, by_role.clone()));
            let bodies: Vec<Value> = bodies.chain([text]).collect();
            any(api, &bodies, |content| {
                content.text(PromptPart::System) == "x"
            })
        }
        "messages" => {
            let message = at(
                name,
                json!([{"role": "user", "content": "x", "parts": [{"text": "x"}]}]),
            );
            let bodies = [text, message];
            any(api, &bodies, |content| {
                content.text(PromptPart::All).starts_with('x')
            })
        }
        "tools" => {
            let bodies = [at(name, json!([{"name": "f"}]))];
            any(api, &bodies, |content| content.has_tools())
        }
        "results of tools" => any(api, &results(api, name), |content| {
            content.has_tool_results()
        }),
        "JSON schema" => {
            let bodies = [json!("json_schema"), json!({"type": "object"})];
            let bodies = bodies.map(|value| at(name, value));
            any(api, &bodies, |content| content.wants_json_schema())
        }
        _ => any(api, &media(api, name), |content| {
            content.has_images() || content.has_audio() || content.has_files()
        }),
    }
}
