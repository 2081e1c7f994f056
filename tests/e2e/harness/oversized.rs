//! Streams with events that are larger than the part of an event that the filter holds, selected by the model's name.

/// The size of the large parts: more than the filter holds of an event, but little enough for Envoy's buffers.
const LENGTH: usize = 100_000;

/// Returns the pieces of a stream; `None` if there is no stream of this name.
pub(crate) fn pieces(model: &str) -> Option<Vec<String>> {
    let text = "x".repeat(LENGTH);
    let response = |kind: &str, more: &str| {
        let tool = r#"{"type":"function","name":"f","parameters":{"type":"object","error":"no"}}"#;
        let tools = vec![tool; 300].join(",");
        event(
            kind,
            &format!(
                r#"{{"type":"{kind}","response":{{"id":"resp_1","instructions":"{text}","tools":[{tools}]{more}}}}}"#
            ),
        )
    };
    let created = response("response.created", r#","error":null,"usage":null"#);
    let delta = event(
        "response.output_text.delta",
        r#"{"type":"response.output_text.delta","delta":"hi"}"#,
    );
    let usage = r#""usage":{"input_tokens":37,"output_tokens":11}"#;
    Some(match model {
        "responses" => {
            let more = format!(r#","error":null,"model":"gpt-5.5",{usage}"#);
            vec![created, delta, response("response.completed", &more)]
        }
        "failed" => {
            let more = r#","error":{"code":"server_error","message":"It broke."}"#;
            vec![created, response("response.failed", more)]
        }
        "image" => vec![event(
            "image_generation.completed",
            &format!(r#"{{"type":"image_generation.completed","b64_json":"{text}",{usage}}}"#),
        )],
        "chunk" => vec![event(
            "",
            &format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":37,"completion_tokens":11}}}}"#
            ),
        )],
        "gemini" => vec![event(
            "",
            &format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":"{text}"}}}}]}},"finishReason":"STOP"}}],"usageMetadata":{{"promptTokenCount":37,"candidatesTokenCount":11}}}}"#
            ),
        )],
        _ => return None,
    })
}

fn event(name: &str, data: &str) -> String {
    match name {
        "" => format!("data: {data}\n\n"),
        _ => format!("event: {name}\ndata: {data}\n\n"),
    }
}
