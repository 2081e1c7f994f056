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
Live status page:     {url}/llm-router

Try these in another terminal. Each demo backend answers with the request that reached it.

A virtual model with two weighted backends:
{fast}
A virtual model whose first backend is down, so Envoy falls back to the next one:
{smart}
A stream that the first backend breaks off in the middle; the headers (-i) show which attempts were made:
  curl -iN {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{\"model\": \"rescued\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

A streamed answer:
  curl -N {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{\"model\": \"gpt-5.4-mini\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

Anthropic's messages API:
  curl {url}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \\
    -d '{{\"model\": \"claude-sonnet-5-5\", \"max_tokens\": 100, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

OpenAI's responses API and Gemini:
  curl {url}/v1/responses -H 'content-type: application/json' -d '{{\"model\": \"smart\", \"input\": \"Hello\"}}'
  curl {url}/v1beta/models/smart:generateContent -H 'content-type: application/json' \\
    -d '{{\"contents\": [{{\"parts\": [{{\"text\": \"Hello\"}}]}}]}}'

The list of models, and a model that does not exist:
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
