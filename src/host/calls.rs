//! Wrappers of Envoy's host calls.
//!
//! A call that the SDK reports as failed is logged and otherwise treated as if there was nothing to read: a request
//! must not end because a header could not be read. Most of the SDK's calls panic on a status that they do not
//! expect, which Envoy returns if a map or a buffer does not exist at that moment, so callers must know that it
//! exists. The SDK also assumes that header names are UTF-8, which Envoy's codecs ensure.

use std::time::{Duration, SystemTime};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status};

use crate::schema::Answer;

fn value_or_log<T: Default>(what: &str, result: Result<T, Status>) -> T {
    result.unwrap_or_else(|status| {
        log::warn!("host call failed: {what}: {status:?}");
        T::default()
    })
}

/// Adopts Envoy's log level for wasm.
pub(super) fn adopt_log_level() {
    proxy_wasm::set_log_level(hostcalls::get_log_level().unwrap_or(LogLevel::Info));
}

pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    value_or_log("get_property", hostcalls::get_property(path.to_vec()))
}

/// Reads an integer property, which Envoy encodes as eight bytes in little-endian order.
pub(super) fn integer_property(path: &[&str]) -> Option<i64> {
    Some(i64::from_le_bytes(property(path)?.try_into().ok()?))
}

/// Writes filter state, which Envoy keeps for the whole request under this name with the prefix `wasm.`.
pub(super) fn set_state(name: &str, value: &[u8]) {
    value_or_log(name, hostcalls::set_property(vec![name], Some(value)));
}

pub(super) fn configuration() -> Vec<u8> {
    let buffer = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX);
    value_or_log("configuration", buffer).unwrap_or_default()
}

pub(super) fn request_body(size: usize) -> Vec<u8> {
    let buffer = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size);
    value_or_log("body", buffer).unwrap_or_default()
}

/// Reads bytes of an answer's body: of the held body, or of the piece that is passing through.
pub(super) fn response_body(start: usize, length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    let buffer = hostcalls::get_buffer(BufferType::HttpResponseBody, start, length);
    value_or_log("response body", buffer).unwrap_or_default()
}

/// Replaces the first `size` bytes of a body.
pub(super) fn replace_body(body: BufferType, size: usize, with: &[u8]) {
    value_or_log("set_buffer", hostcalls::set_buffer(body, 0, size, with));
}

pub(super) fn request_headers() -> Vec<(String, Vec<u8>)> {
    value_or_log(
        "headers",
        hostcalls::get_map_bytes(MapType::HttpRequestHeaders),
    )
}

pub(super) fn request_header(name: &str) -> Option<Vec<u8>> {
    value_or_log(
        name,
        hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name),
    )
}

/// Removes all trailers of a request that has trailers.
pub(super) fn remove_request_trailers() {
    let result = hostcalls::set_map_bytes(MapType::HttpRequestTrailers, vec![]);
    value_or_log("trailers", result);
}

/// Replaces all request headers: no header stays that is not in the list.
pub(super) fn replace_request_headers(headers: &[(String, Vec<u8>)]) {
    let pairs = headers.iter();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_slice()));
    let result = hostcalls::set_map_bytes(MapType::HttpRequestHeaders, pairs.collect());
    value_or_log("set_map", result);
}

pub(super) fn remove_header(map: MapType, name: &str) {
    value_or_log(name, hostcalls::remove_map_value(map, name));
}

pub(super) fn set_header(map: MapType, name: &str, value: &[u8]) {
    value_or_log(name, hostcalls::set_map_value_bytes(map, name, Some(value)));
}

pub(super) fn add_header(map: MapType, name: &str, value: &[u8]) {
    value_or_log(name, hostcalls::add_map_value_bytes(map, name, value));
}

pub(super) fn response_header(name: &str) -> Option<Vec<u8>> {
    value_or_log(
        name,
        hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name),
    )
}

/// Releases an answer that was held back.
pub(super) fn resume_response() {
    value_or_log("resume_http_response", hostcalls::resume_http_response());
}

/// Resets the client's stream, so that the answer does not look complete.
pub(super) fn reset_response() {
    value_or_log("reset_http_response", hostcalls::reset_http_response());
}

/// The time since the Unix epoch.
pub(super) fn clock() -> Duration {
    let now = hostcalls::get_current_time().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

/// Converts a time to milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Unix time in milliseconds.
pub(super) fn now() -> u64 {
    millis(clock())
}

/// The status of the response whose headers callback is running.
pub(super) fn response_status() -> Option<u32> {
    let value = hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, ":status");
    let value = value_or_log(":status", value)?;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// Makes Envoy select the route and the cluster again.
pub(super) fn clear_route_cache() {
    let result = hostcalls::call_foreign_function("clear_route_cache", None);
    value_or_log("clear_route_cache", result);
}

pub(super) fn send(answer: &Answer) {
    send_text(
        answer.status,
        Answer::CONTENT_TYPE,
        &answer.headers,
        &answer.body,
    );
}

/// Answers with a body of this `content-type`.
pub(super) fn send_text(status: u32, kind: &str, more: &[(&'static str, String)], body: &[u8]) {
    let mut headers = vec![("content-type", kind)];
    let more = more.iter();
    headers.extend(more.map(|(name, value)| (*name, value.as_str())));
    let result = hostcalls::send_http_response(status, headers, Some(body));
    value_or_log("send_http_response", result);
}

/// A counter that is defined when the plugin is configured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter(Option<u32>);

impl Counter {
    pub(super) fn define(name: &str) -> Self {
        let id = hostcalls::define_metric(MetricType::Counter, name);
        Counter(value_or_log(name, id.map(Some)))
    }

    pub(super) fn increment(self) {
        if let Some(id) = self.0 {
            value_or_log("increment", hostcalls::increment_metric(id, 1));
        }
    }
}
