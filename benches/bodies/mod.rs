//! The five request bodies of all benchmarks: generated, not stored, with the same bytes every time.
//!
//! They are chat completions as SDKs send them: compact JSON, mostly plain text, with an occasional escape and some
//! text that is not ASCII. No two passages are equal, so that compression of repeated parts cannot make the bodies
//! look cheaper than real ones.
//!
//! Include this file with `#[path]`. It needs only `serde_json`, and is built for wasm too.

use std::fmt::Write;

/// Returns each body with its name, smallest first. `model` is the first field; each body says whether it asks for a
/// stream.
pub(crate) fn all(model: &str) -> [(&'static str, Vec<u8>); 5] {
    let mut random = Random(0x6c6c_6d2d_726f_7574);
    [
        ("chat-1k", chat(model, &mut random)),
        ("agent-30k", agent(model, &mut random)),
        ("escapes-100k", escapes(model, &mut random)),
        ("conversation-1m", conversation(model, &mut random)),
        ("image-1m", image(model, &mut random)),
    ]
}

/// A question with a system prompt: 1 KiB.
fn chat(model: &str, random: &mut Random) -> Vec<u8> {
    let mut body = beginning(model);
    message(&mut body, "system", &random.prose(300));
    body.push(',');
    message(&mut body, "user", &random.prose(520));
    body.push_str(r#"],"temperature":0.7,"max_tokens":1024,"stream":false}"#);
    padded(body, 1024)
}

/// One turn of an agent: twelve tools with their schemas, and calls with their results: 30 KiB.
fn agent(model: &str, random: &mut Random) -> Vec<u8> {
    let mut body = beginning(model);
    message(&mut body, "system", &random.prose(4_000));
    body.push(',');
    message(&mut body, "user", &random.prose(600));
    for call in 0..8 {
        let arguments = format!(
            r#"{{"path":"src/{}/{}.rs","lines":[{call},{}],"query":"{}"}}"#,
            random.word(),
            random.word(),
            random.below(900),
            random.prose(60)
        );
        let _ = write!(
            body,
            r#",{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{call}","type":"function","function":{{"name":"read_file","arguments":{}}}}}]}},{{"role":"tool","tool_call_id":"call_{call}","content":{}}}"#,
            quoted(&arguments),
            quoted(&random.code(1_700))
        );
    }
    body.push_str(r#"],"tools":["#);
    for tool in 0..12 {
        if tool > 0 {
            body.push(',');
        }
        let _ = write!(
            body,
            r#"{{"type":"function","function":{{"name":"{}_{tool}","description":{},"parameters":{{"type":"object","properties":{{"path":{{"type":"string","description":{}}},"lines":{{"type":"array","items":{{"type":"integer","minimum":1}},"maxItems":2}},"query":{{"type":"string"}},"recursive":{{"type":"boolean","default":false}}}},"required":["path"],"additionalProperties":false}},"strict":true}}}}"#,
            random.word(),
            quoted(&random.prose(280)),
            quoted(&random.prose(90))
        );
    }
    body.push_str(r#"],"tool_choice":"auto","parallel_tool_calls":true,"stream":true}"#);
    padded(body, 30 << 10)
}

/// A document within a string within a string, with an escape every few bytes: 100 KiB.
fn escapes(model: &str, random: &mut Random) -> Vec<u8> {
    let mut rows = String::from("[");
    while rows.len() < 61_000 {
        if rows.len() > 1 {
            rows.push(',');
        }
        let _ = write!(
            rows,
            "\n  {{\"id\": {}, \"{}\": \"{}\", \"tags\": [\"{}\", \"{}\"]}}",
            random.below(100_000),
            random.word(),
            random.word(),
            random.word(),
            random.word()
        );
    }
    rows.push_str("\n]");
    let wrapped = format!(r#"{{"rows":{}}}"#, quoted(&rows));
    let mut body = beginning(model);
    message(&mut body, "user", &wrapped);
    body.push_str(r#"],"stream":false}"#);
    padded(body, 100 << 10)
}

/// Hundreds of turns: 1 MiB.
fn conversation(model: &str, random: &mut Random) -> Vec<u8> {
    const SIZE: usize = 1 << 20;
    let mut body = beginning(model);
    message(&mut body, "system", &random.prose(2_000));
    while body.len() < SIZE.saturating_sub(8_000) {
        body.push(',');
        let question = random.below(600).saturating_add(40);
        message(&mut body, "user", &random.prose(question));
        body.push(',');
        let answer = random.below(5_000).saturating_add(200);
        message(&mut body, "assistant", &random.prose(answer));
    }
    body.push_str(r#"],"stream":true}"#);
    padded(body, SIZE)
}

/// A question about a picture, which the body contains as base64: 1 MiB.
fn image(model: &str, random: &mut Random) -> Vec<u8> {
    const SIZE: usize = 1 << 20;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = beginning(model);
    let _ = write!(
        body,
        r#"{{"role":"user","content":[{{"type":"text","text":{}}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,"#,
        quoted(&random.prose(200))
    );
    while body.len() < SIZE.saturating_sub(64) {
        let sextet = ALPHABET.get(random.below(64)).copied().unwrap_or(b'A');
        body.push(char::from(sextet));
    }
    body.push_str(r#""}}]}],"stream":false}"#);
    padded(body, SIZE)
}

fn beginning(model: &str) -> String {
    format!(r#"{{"model":{},"messages":["#, quoted(model))
}

fn message(body: &mut String, role: &str, content: &str) {
    let _ = write!(body, r#"{{"role":"{role}","content":{}}}"#, quoted(content));
}

/// Quotes a text as JSON. Text always serializes.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Pads a body to a size with a field that clients send too. The padding is too short to matter.
fn padded(mut body: String, size: usize) -> Vec<u8> {
    const FIELD: &str = r#","user":""}"#;
    let room = size
        .checked_sub(body.len())
        .and_then(|room| room.checked_sub(FIELD.len().saturating_sub(1)));
    if let (Some(room), Some('}')) = (room, body.pop()) {
        let _ = write!(body, r#","user":"{}"}}"#, "u".repeat(room));
    } else {
        body.push('}');
    }
    body.into_bytes()
}

/// Numbers that are the same in every run (SplitMix64, Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    const WORDS: [&str; 48] = [
        "the",
        "of",
        "router",
        "request",
        "that",
        "model",
        "answer",
        "is",
        "and",
        "when",
        "which",
        "buffer",
        "latency",
        "a",
        "an",
        "to",
        "provider",
        "message",
        "token",
        "stream",
        "with",
        "without",
        "before",
        "after",
        "function",
        "returns",
        "configuration",
        "cluster",
        "header",
        "value",
        "should",
        "could",
        "must",
        "value",
        "in",
        "on",
        "by",
        "from",
        "measure",
        "compare",
        "explain",
        "summary",
        "naive",
        "Zurich",
        "language",
        "again",
        "then",
        "latest",
    ];

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let high = usize::try_from(self.next() >> 40).unwrap_or(0);
        high.checked_rem(limit).unwrap_or(0)
    }

    fn word(&mut self) -> &'static str {
        let index = self.below(Self::WORDS.len());
        Self::WORDS.get(index).copied().unwrap_or_default()
    }

    fn word_not_ascii(&mut self) -> &'static str {
        const WORDS: [&str; 5] = ["naïve", "Zürich", "日本語", "it’s", "→"];
        let index = self.below(WORDS.len());
        WORDS.get(index).copied().unwrap_or_default()
    }

    /// Returns at most `bytes` bytes of sentences, with an occasional quotation or new paragraph.
    fn prose(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes);
        while text.len().saturating_add(20) < bytes {
            match self.below(60) {
                0 => text.push_str("\n\n"),
                1 => text.push_str(". "),
                2 => {
                    let _ = write!(text, "\"{}\" ", self.word());
                }
                3 => {
                    let _ = write!(text, "{} ", self.below(10_000));
                }
                4 => {
                    text.push_str(self.word_not_ascii());
                    text.push(' ');
                }
                _ => {
                    text.push_str(self.word());
                    text.push(' ');
                }
            }
        }
        text
    }

    /// Returns what a tool that reads files returns: short, indented lines.
    fn code(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes);
        while text.len().saturating_add(60) < bytes {
            let _ = writeln!(
                text,
                "    let {} = {}(\"{}\", {});",
                self.word(),
                self.word(),
                self.word(),
                self.below(1_000)
            );
        }
        text
    }
}
