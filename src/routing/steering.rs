//! Reads the steering headers by which callers may change how their request is routed, where the document allows it.

use crate::config::{STEERING_HEADERS, Steering};
use crate::request::Headers;

/// The steering that one request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestSteering {
    pub(super) no_fallback: bool,
    pub(super) deadline_ms: Option<u32>,
    pub(super) dry_run: bool,
}

impl RequestSteering {
    /// Reads the steering headers that the document allows.
    ///
    /// # Errors
    /// The message, if a header has an invalid value.
    pub(super) fn read(allowed: Steering, headers: &Headers) -> Result<RequestSteering, String> {
        let [(_, no_fallback), (_, deadline), (_, dry_run)] = STEERING_HEADERS;
        Ok(RequestSteering {
            no_fallback: allowed.no_fallback && flag(headers, no_fallback)?,
            deadline_ms: if allowed.deadline {
                milliseconds(headers, deadline)?
            } else {
                None
            },
            dry_run: allowed.dry_run && flag(headers, dry_run)?,
        })
    }
}

fn flag(headers: &Headers, name: &str) -> Result<bool, String> {
    match headers.values(name).next() {
        None | Some(b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(format!("The header {name} must be true or false.")),
    }
}

fn milliseconds(headers: &Headers, name: &str) -> Result<Option<u32>, String> {
    if !headers.contains(name) {
        return Ok(None);
    }
    let value = headers.text(name).and_then(|value| value.parse().ok());
    match value.filter(|value| *value > 0) {
        Some(value) => Ok(Some(value)),
        None => Err(format!(
            "The header {name} must be a whole number of milliseconds, at least 1."
        )),
    }
}
