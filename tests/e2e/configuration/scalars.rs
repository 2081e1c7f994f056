//! Checks how Envoy reads scalars in its YAML, with the table that the tool `llm-router` is tested with as well.

use serde_json::Value;

use crate::harness::envoy::{Envoy, Programs};
use crate::harness::world::World;

const TABLE: &str = include_str!("../../data/yaml/scalars.tsv");

/// Returns the configuration of an Envoy with a Struct of these lines, which the same code reads as all of its YAML.
fn config(lines: &[String]) -> String {
    format!(
        "admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}}}
node:
  id: scalars
  cluster: scalars
  metadata:
{}
static_resources:
  listeners:
  - name: any
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.echo
        typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}
",
        lines.join("\n")
    )
}

pub(super) fn are_what_the_table_says(world: &World, programs: &Programs) {
    let rows: Vec<(&str, Value)> = TABLE
        .lines()
        .map(|line| {
            let (written, read) = line.split_once('\t').expect("two columns");
            (written, serde_json::from_str(read).expect("JSON"))
        })
        .collect();
    assert!(rows.len() > 70, "{}", rows.len());
    let lines = rows.iter().enumerate();
    let lines: Vec<String> = lines
        .map(|(index, (written, _))| format!("    k{index}: {written}"))
        .collect();
    let file = programs.directory.join("scalars.yaml");
    std::fs::write(&file, config(&lines)).expect("a file");
    let dump = world.runtime.block_on(async {
        let envoy = Envoy::start_file(programs, "scalars", 1, &file).await;
        let envoy = envoy.unwrap_or_else(|error| panic!("{error}"));
        envoy.admin("/config_dump").await
    });
    let dump = dump.unwrap_or_else(|error| panic!("{error}"));
    let dump: Value = serde_json::from_str(&dump).expect("JSON");
    let metadata = find(&dump).unwrap_or_else(|| panic!("{dump:#}"));
    for (index, (written, read)) in rows.iter().enumerate() {
        assert_eq!(metadata.get(format!("k{index}")), Some(read), "{written}");
    }
}

/// Finds the metadata of the node.
fn find(dump: &Value) -> Option<&Value> {
    match dump {
        Value::Object(fields) => fields
            .get("metadata")
            .or_else(|| fields.values().find_map(find)),
        Value::Array(items) => items.iter().find_map(find),
        _ => None,
    }
}
