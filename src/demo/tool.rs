//! Chooses the tool call for a request that offers tools, and the value for one that asks for a JSON schema.

use serde_json::Value;

use super::api::Operation;
use super::fields::Fields;

/// A tool that the request offers, with arguments that its schema accepts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// Returns the first tool, unless the request forbids tools or has a tool result.
pub(crate) fn tool_to_call(operation: Operation, fields: &Fields) -> Option<Tool> {
    let (tools, messages) = match operation {
        Operation::Chat | Operation::Messages | Operation::Invoke => {
            (fields.get("tools")?, "messages")
        }
        Operation::Responses => (fields.get("tools")?, "input"),
        Operation::Generate { .. } => (fields.get("tools")?, "contents"),
        Operation::Converse => (fields.get("toolConfig")?.get("tools")?.clone(), "messages"),
        _ => return None,
    };
    let answered = fields
        .last(messages)
        .is_some_and(|message| is_tool_result(operation, &message));
    if forbids_tools(operation, fields) || answered {
        return None;
    }
    let first = tools.as_array()?.first()?;
    let (tool, schema) = match operation {
        Operation::Chat => {
            let tool = first.get("function")?;
            (tool, tool.get("parameters"))
        }
        Operation::Responses => (first, first.get("parameters")),
        Operation::Generate { .. } => {
            let tool = first.get("functionDeclarations")?.as_array()?.first()?;
            // Protobuf's JSON has two spellings of every name, and the official client mixes them.
            let names = [
                "parameters",
                "parametersJsonSchema",
                "parameters_json_schema",
            ];
            (tool, names.iter().find_map(|name| tool.get(name)))
        }
        Operation::Converse => {
            let tool = first.get("toolSpec")?;
            (tool, tool.pointer("/inputSchema/json"))
        }
        _ => (first, first.get("input_schema")),
    };
    Some(Tool {
        name: tool.get("name")?.as_str()?.to_owned(),
        arguments: least(schema),
    })
}

fn forbids_tools(operation: Operation, fields: &Fields) -> bool {
    let (choice, at) = match operation {
        Operation::Chat | Operation::Responses => (fields.get("tool_choice"), ""),
        Operation::Generate { .. } => (fields.get("toolConfig"), "/functionCallingConfig/mode"),
        _ => (fields.get("tool_choice"), "/type"),
    };
    choice
        .as_ref()
        .and_then(|choice| choice.pointer(at))
        .and_then(Value::as_str)
        .is_some_and(|choice| choice.eq_ignore_ascii_case("none"))
}

fn is_tool_result(operation: Operation, message: &Value) -> bool {
    let is = |field: &str, wanted: &str| message.get(field).and_then(Value::as_str) == Some(wanted);
    let any_part = |parts: &str, test: &dyn Fn(&Value) -> bool| {
        message
            .get(parts)
            .and_then(Value::as_array)
            .is_some_and(|parts| parts.iter().any(test))
    };
    match operation {
        Operation::Chat => is("role", "tool"),
        Operation::Responses => is("type", "function_call_output"),
        Operation::Generate { .. } => {
            any_part("parts", &|part| part.get("functionResponse").is_some())
        }
        Operation::Converse => any_part("content", &|part| part.get("toolResult").is_some()),
        _ => any_part("content", &|part| {
            part.get("type").and_then(Value::as_str) == Some("tool_result")
        }),
    }
}

/// Returns an answer in the form that a request asks for with a JSON schema.
pub(crate) fn structured(operation: Operation, fields: &Fields) -> Option<Value> {
    let (field, places): (&str, &[&str]) = match operation {
        Operation::Chat => ("response_format", &["/json_schema/schema"]),
        Operation::Responses => ("text", &["/format/schema"]),
        Operation::Messages => ("output_config", &["/format/schema"]),
        Operation::Generate { .. } => (
            "generationConfig",
            &["/responseJsonSchema", "/responseSchema"],
        ),
        _ => return None,
    };
    let asked = fields.get(field)?;
    let schema = places.iter().find_map(|place| asked.pointer(place))?;
    Some(least(Some(schema)))
}

/// Returns the smallest object that fits a JSON schema: its required properties, each with a value of its type.
fn least(schema: Option<&Value>) -> Value {
    let required = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Value::as_array);
    let properties = schema.and_then(|schema| schema.get("properties"));
    let filled = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| {
            let property = properties.and_then(|properties| properties.get(name));
            (name.to_owned(), example(property))
        })
        .collect();
    Value::Object(filled)
}

fn example(property: Option<&Value>) -> Value {
    let first_choice = property
        .and_then(|property| property.get("enum"))
        .and_then(Value::as_array)
        .and_then(|choices| choices.first());
    if let Some(choice) = first_choice {
        return choice.clone();
    }
    let kind = property
        .and_then(|property| property.get("type"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Gemini writes types in capitals.
    match kind.to_ascii_lowercase().as_str() {
        "integer" | "number" => Value::from(1),
        "boolean" => Value::Bool(true),
        "array" => Value::Array(Vec::new()),
        "object" => least(property),
        _ => Value::from("demo"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: &Value) -> Fields {
        Fields::Json(serde_json::from_value(body.clone()).unwrap())
    }

    #[test]
    fn required_properties_are_filled() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "INTEGER"},
                "where": {"type": "object", "properties": {"at": {"type": "array"}}, "required": ["at"]},
                "not_required": {"type": "string"}
            },
            "required": ["city", "unit", "days", "where"]
        });
        assert_eq!(
            least(Some(&schema)),
            json!({"city": "demo", "unit": "celsius", "days": 1, "where": {"at": []}})
        );
        assert_eq!(least(None), json!({}));
    }

    #[test]
    fn a_tool_is_called_once_in_each_api() {
        let schema = json!({"properties": {"city": {"type": "string"}}, "required": ["city"]});
        let generate = Operation::Generate { sse: false };
        for (operation, tools, messages, result, none) in [
            (
                Operation::Chat,
                json!({"tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]}),
                "messages",
                json!({"role": "tool"}),
                json!({"tool_choice": "none"}),
            ),
            (
                Operation::Responses,
                json!({"tools": [{"type": "function", "name": "weather", "parameters": schema}]}),
                "input",
                json!({"type": "function_call_output"}),
                json!({"tool_choice": "none"}),
            ),
            (
                Operation::Messages,
                json!({"tools": [{"name": "weather", "input_schema": schema}]}),
                "messages",
                json!({"content": [{"type": "tool_result"}]}),
                json!({"tool_choice": {"type": "none"}}),
            ),
            (
                generate,
                json!({"tools": [{"functionDeclarations": [{"name": "weather", "parameters": schema}]}]}),
                "contents",
                json!({"parts": [{"functionResponse": {}}]}),
                json!({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
            ),
            (
                Operation::Converse,
                json!({"toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}}]}}),
                "messages",
                json!({"content": [{"toolResult": {}}]}),
                json!({"toolConfig": {}}),
            ),
        ] {
            let tool = |changes: &Value| {
                let mut body = tools.clone();
                for (name, value) in changes.as_object().unwrap() {
                    body[name] = value.clone();
                }
                tool_to_call(operation, &fields(&body))
            };
            let expected = Tool {
                name: "weather".to_owned(),
                arguments: json!({"city": "demo"}),
            };
            assert_eq!(tool(&json!({messages: [{"role": "user"}]})), Some(expected));
            assert_eq!(tool(&json!({messages: [{"role": "user"}, result]})), None);
            assert_eq!(tool(&none), None, "{operation:?}");
        }
    }

    #[test]
    fn answers_of_a_form() {
        let schema = json!({"properties": {"day": {"type": "integer"}}, "required": ["day"]});
        for (operation, body) in [
            (
                Operation::Chat,
                json!({"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}),
            ),
            (
                Operation::Responses,
                json!({"text": {"format": {"type": "json_schema", "schema": schema}}}),
            ),
            (
                Operation::Generate { sse: true },
                json!({"generationConfig": {"responseSchema": schema}}),
            ),
        ] {
            assert_eq!(
                structured(operation, &fields(&body)),
                Some(json!({"day": 1}))
            );
            assert_eq!(structured(operation, &fields(&json!({}))), None);
        }
    }
}
