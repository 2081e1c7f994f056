//! Tests of a demo backend, as its clients see it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::backend::{Backend, Recorder};

/// Starts a recording backend, which ends with the test's runtime.
async fn start() -> (String, Arc<Recorder>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let backend = Backend::recording("tested");
    let recorder = backend.recorder();
    tokio::spawn(backend.serve(listener));
    (address.to_string(), recorder)
}

fn http1() -> Client {
    Client::new()
}

fn http2() -> Client {
    Client::builder().http2_prior_knowledge().build().unwrap()
}

async fn post(client: &Client, address: &str, path: &str, body: Value) -> (StatusCode, String) {
    let answer = client
        .post(format!("http://{address}{path}"))
        .header("x-test-id", "mine")
        .header("authorization", "Bearer demo-key-123456789")
        .json(&body)
        .send()
        .await
        .unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns the data of each event.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(parsed)
        .collect()
}

#[tokio::test]
async fn answers_tell_what_came() {
    let (address, _) = start().await;
    for client in [http1(), http2()] {
        let (status, text) = post(
            &client,
            &address,
            "/v1/chat/completions?a=b",
            json!({"model": "gpt-5.5"}),
        )
        .await;
        assert_eq!(status, 200);
        let answer = parsed(&text);
        assert_eq!(
            answer["choices"][0]["message"]["content"],
            format!(
                "Hello from demo backend \"tested\". What reached me: POST /v1/chat/completions?a=b, \
                 host {address}, model \"gpt-5.5\", authorization: Bearer demo-key-12345678…."
            )
        );
        let demo = &answer["demo"];
        assert_eq!(demo["backend"], "tested");
        assert_eq!(demo["host"], address);
        assert_eq!(demo["body_bytes"], 19);
        let headers = demo["headers"].as_array().unwrap();
        assert!(headers.contains(&json!(["authorization", "Bearer demo-key-123456789"])));
    }
}

#[tokio::test]
async fn an_openai_stream_ends_with_usage_and_done() {
    let (address, _) = start().await;
    let body =
        json!({"model": "gpt-5.5", "stream": true, "stream_options": {"include_usage": true}});
    let (_, text) = post(&http1(), &address, "/v1/chat/completions", body).await;
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let events = events(&text);
    let text: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(text.starts_with("Hello from demo backend"), "{text}");
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn an_anthropic_stream_has_all_of_its_events() {
    let (address, _) = start().await;
    let body = json!({"model": "claude", "stream": true});
    let (_, text) = post(&http1(), &address, "/v1/messages", body).await;
    let mut kinds: Vec<String> = events(&text)
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
}

#[tokio::test]
async fn streamed_words_come_one_by_one() {
    let (address, _) = start().await;
    let mut answer = http1()
        .post(format!("http://{address}/v1/messages"))
        .json(&json!({"model": "claude", "stream": true}))
        .send()
        .await
        .unwrap();
    let mut chunks = 0;
    while answer.chunk().await.unwrap().is_some() {
        chunks += 1;
    }
    assert!(chunks > 10, "{chunks}");
}

#[tokio::test]
async fn errors_are_in_the_apis_own_format() {
    let (address, _) = start().await;
    let body = json!({"model": "status-429"});
    let (status, text) = post(&http1(), &address, "/v1/chat/completions", body.clone()).await;
    assert_eq!(status, 429);
    assert_eq!(parsed(&text)["error"]["code"], "rate_limit_exceeded");
    let (status, text) = post(&http1(), &address, "/v1/messages", body).await;
    assert_eq!(status, 429);
    assert_eq!(parsed(&text)["error"]["type"], "rate_limit_error");
    let (status, text) = post(&http1(), &address, "/v1/unknown", json!({})).await;
    assert_eq!(status, 404);
    assert_eq!(parsed(&text)["error"]["type"], "invalid_request_error");
}

/// Returns how the connection of a request with this model ends: the bytes read, or the error.
async fn ending(model: &str) -> Result<Vec<u8>, std::io::ErrorKind> {
    let (address, _) = start().await;
    let body = format!("{{\"model\": \"{model}\"}}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        Ok(_) => Ok(answer),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn connections_that_break() {
    assert_eq!(ending("close").await, Ok(Vec::new()));
    assert_eq!(
        ending("reset").await,
        Err(std::io::ErrorKind::ConnectionReset)
    );
    let hung = tokio::time::timeout(Duration::from_millis(200), ending("hang")).await;
    assert!(hung.is_err());
}

#[tokio::test]
async fn requests_are_recorded_as_they_came() {
    let (address, recorder) = start().await;
    for client in [http1(), http2()] {
        post(&client, &address, "/v1/messages?a=b", json!({"model": "m"})).await;
    }
    let requests = recorder.requests("mine");
    let versions: Vec<&str> = requests
        .iter()
        .map(|request| request.version.as_str())
        .collect();
    assert_eq!(versions, ["HTTP/1.1", "HTTP/2.0"]);
    for request in &requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.path, "/v1/messages?a=b");
        assert_eq!(request.authority, address);
        assert_eq!(request.body, br#"{"model":"m"}"#);
    }
    assert!(recorder.requests("other").is_empty());
}

#[tokio::test]
async fn only_a_recording_backend_records() {
    let backend = Backend::new("forgetful");
    let recorder = backend.recorder();
    let (mut client, server) = tokio::io::duplex(4096);
    // A connection need not be TCP.
    tokio::spawn(async move { backend.serve_connection(server).await });
    let request = "GET / HTTP/1.1\r\nhost: h\r\nx-test-id: mine\r\nconnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(recorder.requests("mine").is_empty());
}
