//! The host side of proxy-wasm's ABI 0.2.1, as far as the module calls it, with the state of one request.
//!
//! It behaves like Envoy wherever the module can tell the difference. Anything it does not implement is an error with a
//! message.

use std::collections::BTreeMap;

use wasmi::{Caller, Error, Memory, Val};

pub(crate) type Headers = Vec<(String, Vec<u8>)>;

/// One host call of the module in readable form, and the bytes that it moved.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) detail: String,
    /// Whether the host allocated memory in the module to return something.
    pub(crate) allocates: bool,
    /// The bytes that the host copied into the module, and out of it.
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
}

/// Whether a call reads the request's body.
pub(crate) fn reads_request_body(call: &Call) -> bool {
    call.name == "proxy_get_buffer_bytes" && call.detail.starts_with("request body")
}

/// The state of the host.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) root_id: String,
    pub(crate) configuration: Vec<u8>,
    pub(crate) request: Headers,
    pub(crate) response: Headers,
    pub(crate) request_body: Vec<u8>,
    pub(crate) response_body: Vec<u8>,
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    /// Filter state, by its name without the prefix `wasm.` that Envoy adds.
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    /// The value of `llm.next` when the route cache was last cleared, which selects the first attempt's cluster.
    pub(crate) selected: Option<Vec<u8>>,
    pub(crate) logs: Vec<String>,
    pub(crate) local_response: Option<u32>,
    pub(crate) shared: BTreeMap<String, Vec<u8>>,
    /// The calls since they were last taken.
    pub(crate) calls: Vec<Call>,
    pub(crate) metrics: u32,
    /// Nanoseconds since the beginning.
    pub(crate) clock: u64,
}

const OK: i32 = 0;
const NOT_FOUND: i32 = 1;

/// Handles one call of an import.
pub(crate) fn call(
    caller: Caller<'_, Host>,
    name: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let numbers: Vec<u32> = params
        .iter()
        .map(|value| match value {
            Val::I32(value) => value.cast_unsigned(),
            Val::I64(value) => u32::try_from(*value).unwrap_or(u32::MAX),
            _ => u32::MAX,
        })
        .collect();
    let Some(Some(memory)) = caller
        .get_export("memory")
        .map(|export| export.into_memory())
    else {
        return Err(Error::new("the module has no memory"));
    };
    let mut import = Import {
        caller,
        memory,
        call: Call {
            name: name.to_owned(),
            detail: String::new(),
            allocates: false,
            bytes_in: 0,
            bytes_out: 0,
        },
    };
    let status = import.answer(name, &numbers);
    let call = import.call;
    import.caller.data_mut().calls.push(call);
    if let Some(result) = results.first_mut() {
        *result = Val::I32(status?);
    } else {
        status?;
    }
    Ok(())
}

struct Import<'a> {
    caller: Caller<'a, Host>,
    memory: Memory,
    call: Call,
}

impl Import<'_> {
    fn answer(&mut self, name: &str, params: &[u32]) -> Result<i32, Error> {
        match (name, params) {
            ("proxy_log", &[level, text, size]) => {
                let text = self.text(text, size)?;
                self.call.detail = format!("level {level}: {text}");
                self.host().logs.push(text);
                Ok(OK)
            }
            // The level `info`, which is Envoy's default.
            ("proxy_get_log_level", &[level]) => self.write(level, &2_u32.to_le_bytes()),
            ("proxy_set_tick_period_milliseconds", &[_]) => Ok(OK),
            ("proxy_get_current_time_nanoseconds", &[time]) => {
                // Time advances with each call; otherwise nothing would take any time.
                self.host().clock += 100_000;
                let now = 1_700_000_000_000_000_000 + self.caller.data().clock;
                self.write(time, &now.to_le_bytes())
            }
            ("proxy_get_buffer_bytes", &[kind, start, size, data, length]) => {
                let (what, buffer) = self.buffer(kind)?;
                let rest = buffer.get(start as usize..).unwrap_or_default();
                let bytes = rest[..rest.len().min(size as usize)].to_vec();
                self.call.detail = format!("{what}: {} bytes", bytes.len());
                self.give(&bytes, data, length)
            }
            ("proxy_set_buffer_bytes", &[kind, start, size, data, length]) => {
                let with = self.read(data, length)?;
                let (what, buffer) = self.buffer(kind)?;
                if start > 0 {
                    return Err(Error::new(
                        "Envoy cannot replace the middle of a buffer".to_owned(),
                    ));
                }
                let size = buffer.len().min(size as usize);
                buffer.splice(..size, with.iter().copied());
                self.call.detail = format!("{what}: {} bytes for the first {size}", with.len());
                Ok(OK)
            }
            ("proxy_get_header_map_pairs", &[kind, data, length]) => {
                let (what, headers) = self.headers(kind)?;
                let bytes = serialized(headers);
                self.call.detail = format!("{what}: {} headers", headers.len());
                self.give(&bytes, data, length)
            }
            ("proxy_set_header_map_pairs", &[kind, data, size]) => {
                let bytes = self.read(data, size)?;
                let new = deserialized(&bytes).ok_or_else(|| Error::new("no header map"))?;
                let count = new.len();
                let (what, headers) = self.headers(kind)?;
                *headers = new;
                self.call.detail = format!("{what}: {count} headers");
                Ok(OK)
            }
            ("proxy_get_header_map_value", &[kind, key, key_size, data, length]) => {
                let name = self.text(key, key_size)?;
                let (what, headers) = self.headers(kind)?;
                let value = headers.iter().find(|(known, _)| *known == name);
                let value = value.map(|(_, value)| value.clone());
                self.call.detail = format!("{what}: {name}");
                self.give_if_any(value, data, length)
            }
            ("proxy_remove_header_map_value", &[kind, key, key_size]) => {
                let name = self.text(key, key_size)?;
                let (what, headers) = self.headers(kind)?;
                let before = headers.len();
                headers.retain(|(known, _)| *known != name);
                let none = if headers.len() == before {
                    ", which is not there"
                } else {
                    ""
                };
                self.call.detail = format!("{what}: {name}{none}");
                Ok(OK)
            }
            (
                "proxy_replace_header_map_value" | "proxy_add_header_map_value",
                &[kind, key, key_size, data, size],
            ) => {
                let header = self.text(key, key_size)?;
                let value = self.read(data, size)?;
                let shown = String::from_utf8_lossy(&value).into_owned();
                let (what, headers) = self.headers(kind)?;
                if name == "proxy_replace_header_map_value" {
                    headers.retain(|(known, _)| *known != header);
                }
                headers.push((header.clone(), value));
                self.call.detail = format!("{what}: {header}: {shown}");
                Ok(OK)
            }
            ("proxy_get_property", &[path, path_size, data, length]) => {
                let path = self.text(path, path_size)?.replace('\0', ".");
                let host = self.caller.data();
                let value = if path == "plugin_root_id" {
                    Some(host.root_id.clone().into_bytes())
                } else {
                    let known = host.properties.get(&path);
                    known.or_else(|| host.state.get(&path)).cloned()
                };
                self.call.detail.clone_from(&path);
                self.give_if_any(value, data, length)
            }
            ("proxy_set_property", &[path, path_size, data, size]) => {
                let path = self.text(path, path_size)?;
                let value = self.read(data, size)?;
                self.call.detail = format!("{path}: {} bytes", value.len());
                self.host().state.insert(path, value);
                Ok(OK)
            }
            ("proxy_call_foreign_function", &[function, size, ..]) => {
                let function = self.text(function, size)?;
                if function != "clear_route_cache" {
                    return Err(Error::new(format!("foreign function {function}")));
                }
                let next = self.caller.data().state.get("llm.next").cloned();
                self.host().selected = next;
                self.call.detail = function;
                Ok(OK)
            }
            ("proxy_define_metric", &[_, text, size, id]) => {
                self.call.detail = self.text(text, size)?;
                let metrics = self.caller.data().metrics + 1;
                self.host().metrics = metrics;
                self.write(id, &metrics.to_le_bytes())
            }
            ("proxy_increment_metric" | "proxy_record_metric", &[_, _])
            | ("proxy_set_effective_context", &[_]) => Ok(OK),
            ("proxy_get_shared_data", &[key, key_size, data, length, cas]) => {
                let key = self.text(key, key_size)?;
                let value = self.caller.data().shared.get(&key).cloned();
                self.call.detail.clone_from(&key);
                self.write(cas, &1_u32.to_le_bytes())?;
                self.give_if_any(value, data, length)
            }
            ("proxy_set_shared_data", &[key, key_size, data, size, _]) => {
                let key = self.text(key, key_size)?;
                let value = self.read(data, size)?;
                self.call.detail = format!("{key}: {} bytes", value.len());
                self.host().shared.insert(key, value);
                Ok(OK)
            }
            ("proxy_send_local_response", &[status, ..]) => {
                self.call.detail = status.to_string();
                self.host().local_response = Some(status);
                Ok(OK)
            }
            // WASI: no environment variables, and no true randomness.
            ("environ_sizes_get", &[count, size]) => {
                self.write(count, &[0; 4])?;
                self.write(size, &[0; 4])
            }
            ("environ_get", _) => Ok(OK),
            ("random_get", &[data, size]) => self.write(data, &vec![7; size as usize]),
            _ => Err(Error::new(format!(
                "the module called {name}{params:?}, which tests/budget/host.rs does not play"
            ))),
        }
    }

    fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    fn buffer(&mut self, kind: u32) -> Result<(&'static str, &mut Vec<u8>), Error> {
        match kind {
            0 => Ok(("request body", &mut self.host().request_body)),
            1 => Ok(("response body", &mut self.host().response_body)),
            7 => Ok(("configuration", &mut self.host().configuration)),
            _ => Err(Error::new(format!("buffer {kind}"))),
        }
    }

    fn headers(&mut self, kind: u32) -> Result<(&'static str, &mut Headers), Error> {
        match kind {
            0 => Ok(("request", &mut self.host().request)),
            2 => Ok(("response", &mut self.host().response)),
            _ => Err(Error::new(format!("header map {kind}"))),
        }
    }

    fn read(&mut self, at: u32, size: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; size as usize];
        self.memory
            .read(&self.caller, at as usize, &mut bytes)
            .map_err(|error| Error::new(error.to_string()))?;
        self.call.bytes_out += bytes.len();
        Ok(bytes)
    }

    fn text(&mut self, at: u32, size: u32) -> Result<String, Error> {
        let bytes = self.read(at, size)?;
        String::from_utf8(bytes).map_err(|error| Error::new(error.to_string()))
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<i32, Error> {
        self.memory
            .write(&mut self.caller, at as usize, bytes)
            .map_err(|error| Error::new(error.to_string()))?;
        Ok(OK)
    }

    fn give_if_any(
        &mut self,
        value: Option<Vec<u8>>,
        data: u32,
        length: u32,
    ) -> Result<i32, Error> {
        match value {
            Some(value) => {
                self.call.detail += &format!(": {} bytes", value.len());
                self.give(&value, data, length)
            }
            None => {
                self.call.detail += ": none";
                Ok(NOT_FOUND)
            }
        }
    }

    /// Writes bytes to memory that the module allocates, as Envoy does; nothing is allocated for empty data.
    fn give(&mut self, bytes: &[u8], data: u32, length: u32) -> Result<i32, Error> {
        let mut at = 0;
        if !bytes.is_empty() {
            let Some(Some(allocate)) = self
                .caller
                .get_export("proxy_on_memory_allocate")
                .map(|export| export.into_func())
            else {
                return Err(Error::new("the module does not allocate"));
            };
            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let allocate = allocate.typed::<u32, u32>(&self.caller)?;
            at = allocate.call(&mut self.caller, size)?;
            self.write(at, bytes)?;
            self.call.allocates = true;
            self.call.bytes_in += bytes.len();
        }
        self.write(data, &at.to_le_bytes())?;
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.write(length, &size.to_le_bytes())
    }
}

/// Serializes headers as the ABI defines: their number, all sizes, and then each name and value followed by a zero.
fn serialized(headers: &Headers) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in headers {
        for text in [name.as_bytes(), value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

fn deserialized(bytes: &[u8]) -> Option<Headers> {
    let number = |index: usize| {
        let four = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
    };
    let count = number(0)?;
    let mut at = (1 + count * 2) * 4;
    let mut text = |length: usize| {
        let text = bytes.get(at..at + length)?.to_vec();
        at += length + 1;
        Some(text)
    };
    (0..count)
        .map(|index| {
            let name = text(number(1 + index * 2)?)?;
            Some((String::from_utf8(name).ok()?, text(number(2 + index * 2)?)?))
        })
        .collect()
}
