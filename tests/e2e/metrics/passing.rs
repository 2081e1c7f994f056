//! The metrics of requests that are not model calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::scrape_until;
use crate::harness::world::World;
use crate::outcomes::sockets;
use crate::rendered::{Tool, endpoint, start};

/// Requests that are not model calls: files and WebSocket sessions.
pub(super) fn passing(world: &Arc<World>) {
    let pass = |name: &str, matches: Value, backend: &str| json!({"name": name, "match": matches, "pass_through": true, "targets": [{"backend": backend}]});
    let model = json!([{"name": "gpt-4o"}]);
    let document = json!({
        "backends": [
            {"name": "openai", "schema": "openai", "models": model},
            {"name": "scripted", "schema": "openai", "models": model},
            {"name": "dead", "schema": "openai", "models": model},
        ],
        "routes": [
            pass("raw", json!({"path": "/v1/raw*", "headers": {"upgrade": "websocket"}}), "scripted"),
            pass("files", json!({"path": "/v1/files*"}), "openai"),
            pass("void", json!({"path": "/v1/void"}), "dead"),
        ],
    });
    let tool = Tool::new(world, "metrics-passing");
    let options = [
        endpoint(world, "openai", "http", "openai"),
        endpoint(world, "scripted", "http", "scripted"),
        endpoint(world, "dead", "http", "dead"),
    ];
    let case = start(world, &tool, &document, &options, 2);
    let call = case.request("POST", "/v1/files").piece("x".repeat(100));
    let uploaded = world.runtime.block_on(call.send());
    let sessions = async {
        for how in ["close", "break", ""] {
            let (mut stream, _) = sockets::open(&case, "").await;
            for said in [sockets::HELLO, sockets::CLOSING] {
                // One session breaks off before it is closed.
                if how != "break" || said == sockets::HELLO {
                    sockets::say(&mut stream, said).await;
                }
            }
            if !how.is_empty() {
                stream.write_all(how.as_bytes()).await.expect("it is sent");
                sockets::hung_up(&mut stream).await;
            }
        }
    };
    world.runtime.block_on(sessions);
    world.runtime.block_on(case.get("/v1/void").send()).is(503);
    let requests = 5.0;
    let scrape = scrape_until(&case, |scrape| {
        scrape.sum("llm_router_requests_total", &[]) == requests
            && scrape.sum("gen_ai_client_operation_duration_milliseconds_count", &[]) == requests
    });
    let all = "llm_router_answers_total{end=complete,route=files} 1
         llm_router_answers_total{end=complete,route=raw} 2
         llm_router_answers_total{end=cut,route=raw} 1
         llm_router_answers_total{end=none,route=void} 1
         llm_router_attempts_total{backend=dead,model=other,verdict=connect_failure} 1
         llm_router_attempts_total{backend=openai,model=other,verdict=VERDICT} 1
         llm_router_attempts_total{backend=scripted,model=other,verdict=accepted} 3
         llm_router_caller_requests_total{caller=other,status=1xx} 3
         llm_router_caller_requests_total{caller=other,status=STATUS} 1
         llm_router_caller_requests_total{caller=other,status=5xx} 1
         llm_router_decisions_total{decision=pass_through,route=files} 1
         llm_router_decisions_total{decision=pass_through,route=raw} 3
         llm_router_decisions_total{decision=pass_through,route=void} 1
         llm_router_errors_total{error=upstream_unreachable,route=void} 1
         llm_router_request_bytes_total{route=files} 100
         llm_router_request_bytes_total{route=raw} SAID
         llm_router_requests_total{route=files,status=STATUS} 1
         llm_router_requests_total{route=raw,status=1xx} 3
         llm_router_requests_total{route=void,status=5xx} 1
         llm_router_response_bytes_total{route=files} FILE
         llm_router_response_bytes_total{route=raw} BACK
         gen_ai_client_operation_duration_milliseconds_count{backend=dead,model=other,route=void} 1
         gen_ai_client_operation_duration_milliseconds_count{backend=openai,model=other,route=files} 1
         gen_ai_client_operation_duration_milliseconds_count{backend=scripted,model=other,route=raw} 3";
    let back = 3 * sockets::HELLO.len() + 2 * sockets::CLOSING.len();
    let said = back + "close".len() + "break".len();
    let (status, verdict) = match uploaded.status {
        200..300 => ("2xx", "accepted"),
        _ => ("4xx", "rejected"),
    };
    let all = all
        .replace("STATUS", status)
        .replace("VERDICT", verdict)
        .replace("SAID", &said.to_string())
        .replace("BACK", &back.to_string())
        .replace("FILE", &uploaded.body.len().to_string());
    let expected: BTreeSet<String> = all.lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(scrape.counted(&[]), expected);
}
