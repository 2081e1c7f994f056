//! Finds fields that refer to state stored at one provider, which tie a request to that provider's backend.
//!
//! They count only where a provider reads them. Within values whose fields the caller has named (the schema of a tool,
//! the arguments of a call, metadata) the same names mean nothing.

/// Returns the name of this top-level field if it ties the request: to an earlier answer, a conversation, a container
/// or a Gemini cache. `value` is as it is written.
pub(super) fn of_top_level(key: &[u8], value: &[u8]) -> Option<&'static str> {
    let name = match key {
        b"cachedContent" | b"cached_content" => "cachedContent",
        b"container" => "container",
        b"conversation" => "conversation",
        b"previous_response_id" => "previous_response_id",
        // An object refers to a stored prompt; any other value is the prompt itself.
        b"prompt" => return value.starts_with(b"{").then_some("prompt"),
        _ => return None,
    };
    (!matches!(value, b"null" | b"\"\"")).then_some(name)
}

/// Examines a nested key and the text from its value on. Returns `true` if the caller has named the fields of that
/// value.
///
/// There may be many keys, so the checks that rule out most of them come first.
pub(super) fn inspect_nested(
    key: &[u8],
    value: &[u8],
    state_reference: &mut Option<&'static str>,
) -> bool {
    let found = match (value, key.len()) {
        ([b'{', ..], _) => return is_callers_own(key, value),
        ([b'"', b'i', ..], 4) => item_reference(key, value),
        ([b'"', ..], 2 | 7 | 8 | 9 | 12) => text_reference(key, value),
        ([b'[', ..], 8 | 16 | 20 | 23) => list_reference(key, value),
        _ => None,
    };
    *state_reference = state_reference.or(found);
    false
}

/// Whether this is an object whose fields the caller has named: the schema of a tool, the arguments or the result of a
/// call, metadata.
pub(super) fn is_callers_own(key: &[u8], value: &[u8]) -> bool {
    let is_its_name = matches!(
        key,
        b"args"
            | b"arguments"
            | b"input"
            | b"input_schema"
            | b"metadata"
            | b"parameters"
            | b"response"
            | b"schema"
    );
    is_its_name && value.starts_with(b"{")
}

/// Returns the field if it refers to a stored part of a conversation.
fn item_reference(key: &[u8], value: &[u8]) -> Option<&'static str> {
    let is_reference = key == b"type" && value.starts_with(b"\"item_reference\"");
    is_reference.then_some("item_reference")
}

/// Returns the field if its string ties the request.
fn text_reference(key: &[u8], value: &[u8]) -> Option<&'static str> {
    let (name, beginning): (_, &[u8]) = match key {
        b"file_id" => ("file_id", b"\""),
        b"container" | b"container_id" => ("container", b"\"cntr_"),
        // Audio of an earlier answer.
        b"id" => ("audio", b"\"audio_"),
        // Files elsewhere are given by their addresses in the same field.
        b"fileUri" | b"file_uri" => ("fileUri", b"\"https://generativelanguage.googleapis.com/"),
        _ => return None,
    };
    // Some JSON writers escape slashes.
    let text = value.iter().filter(|byte| **byte != b'\\');
    let begins = text.take(beginning.len()).eq(beginning);
    let is_stored = begins && !value.starts_with(b"\"\"");
    is_stored.then_some(name)
}

/// Returns the field if its array ties the request, that is, if it is not empty.
fn list_reference(key: &[u8], value: &[u8]) -> Option<&'static str> {
    let name = match key {
        b"file_ids" => "file_ids",
        b"fileSearchStoreNames" | b"file_search_store_names" => "fileSearchStoreNames",
        b"vector_store_ids" => "vector_store_ids",
        _ => return None,
    };
    let inside = value.strip_prefix(b"[")?.trim_ascii_start();
    (!inside.starts_with(b"]")).then_some(name)
}
