//! The text that is printed once everything runs.

use std::path::Path;

/// Returns where everything is, and what to try.
pub(crate) fn ready(listener: u16, admin: u16, log: &Path) -> String {
    let url = format!("http://localhost:{listener}");
    let chat = |model: &str| {
        format!(
            "  curl {url}/v1/chat/completions -H 'content-type: application/json' \\\n    \
             -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n"
        )
    };
    let fast = chat("fast");
    let smart = chat("smart");
    let unknown = chat("gpt-nine");
    let log = log.display();
    format!(
        "\n\
llm-router is ready: {url}
What happens there, live: {url}/llm-router

Try, in another terminal. Each demo backend answers with what reached it.

A virtual model, shared out between two backends:
{fast}
A virtual model whose first backend is dead, so that Envoy falls back to the next:
{smart}
A stream that its first backend breaks off in the middle; -i shows which attempts were made:
  curl -iN {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{\"model\": \"rescued\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

Streamed:
  curl -N {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{\"model\": \"gpt-5.4-mini\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

Anthropic messages:
  curl {url}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \\
    -d '{{\"model\": \"claude-sonnet-5-5\", \"max_tokens\": 100, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

Responses, and Gemini:
  curl {url}/v1/responses -H 'content-type: application/json' -d '{{\"model\": \"smart\", \"input\": \"Hello\"}}'
  curl {url}/v1beta/models/smart:generateContent -H 'content-type: application/json' \\
    -d '{{\"contents\": [{{\"parts\": [{{\"text\": \"Hello\"}}]}}]}}'

The models that there are, and one that there is not:
  curl {url}/v1/models
{unknown}
From Python, with the official client:
  from openai import OpenAI
  client = OpenAI(base_url=\"{url}/v1\", api_key=\"anything\")
  print(client.chat.completions.create(model=\"fast\", messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}]))

Envoy's admin page: http://localhost:{admin}    Its log: {log}
Below: one line of access log for each request. Ctrl-C stops everything.

"
    )
}
