//! Compares the token estimate with OpenAI's own vocabulary, for the texts in tests/data/tokens, which were written for
//! this test, and for the project's own sources and documents. Nothing was fitted to the texts that have to meet
//! [`CLOSE`].

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::LazyLock;

use llm_router::prompt::estimate;
use serde_json::{Value, json};
use tiktoken_rs::CoreBPE;

static VOCABULARY: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::o200k_base().unwrap());

/// How far the estimate may be off, in percent: for English, code, Chinese and JSON.
const CLOSE: f64 = 15.0;
/// How far the estimate may be off, in percent: for all other texts, in other languages, logs and emoji.
const FAR: f64 = 25.0;

fn off(text: &str) -> f64 {
    let tokens = VOCABULARY.encode_ordinary(text).len();
    assert!(tokens > 0);
    let tokens = f64::from(u32::try_from(tokens).unwrap());
    let estimated = f64::from(u32::try_from(estimate(text)).unwrap());
    (estimated / tokens - 1.0) * 100.0
}

fn judge(name: &str, text: &str, most: f64) {
    let off = off(text);
    println!("{name:32} {off:+6.1} %");
    assert!(off.abs() <= most, "{name} is off by {off:.1} %");
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the limit for a text of the corpus, by its name.
fn bound(name: &str) -> f64 {
    let (stem, extension) = name.split_once('.').unwrap();
    match extension {
        "txt" if stem.starts_with("english") || stem.starts_with("chinese") => CLOSE,
        "txt" | "log" => FAR,
        _ => CLOSE,
    }
}

#[test]
fn the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokens");
    let mut close = 0;
    let mut far = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let most = bound(&name);
        if most > CLOSE {
            far += 1;
        } else {
            close += 1;
        }
        judge(&name, &std::fs::read_to_string(&path).unwrap(), most);
    }
    assert!(close >= 20 && far >= 15, "{close} and {far} texts");
}

#[test]
fn the_projects_own_texts() {
    for path in [
        "README.md",
        "docs/configuration.md",
        "docs/design.md",
        "docs/envoy.md",
        "Makefile",
        "Cargo.toml",
        "envoy/demo.yaml",
        "src/attempt/plan.rs",
        "src/prompt/tokens.rs",
        "src/request/scan.rs",
        "tests/requests.rs",
        "tests/sdk/conftest.py",
    ] {
        judge(path, &read(path), CLOSE);
    }
}

/// JSON of numbers, of identifiers, of text, and deep; compact and pretty.
#[test]
fn json_that_is_made_here() {
    let numbers: Vec<Value> = (0..400)
        .map(|n| json!([n, n * 7919 % 10_007, f64::from(n) * 1.37, n % 3 == 0]))
        .collect();
    let records: Vec<Value> = (0..150_u64)
        .map(|n| {
            let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            json!({
                "id": format!("{id:016x}"),
                "createdAt": format!("2026-0{}-1{}T08:{}:00Z", 1 + n % 9, n % 10, 10 + n % 50),
                "user_name": format!("user{n}"),
                "score": n * 31 % 100,
                "tags": ["new", "beta"],
                "address": {"city": "Rotterdam", "zip": null, "isPrimary": true},
            })
        })
        .collect();
    let messages: Vec<Value> = read("tests/data/tokens/english-essay.txt")
        .split('.')
        .map(|text| json!({"role": "user", "content": [{"type": "text", "text": text}]}))
        .collect();
    let deep = (0..40).fold(
        json!("leaf"),
        |inner, n| json!({ "level": n, "child": [inner] }),
    );
    for (name, value) in [
        ("numbers", json!({ "rows": numbers })),
        ("records", json!({ "data": records })),
        (
            "messages",
            json!({ "model": "gpt-5.5", "messages": messages }),
        ),
        ("deep", deep),
    ] {
        judge(name, &value.to_string(), CLOSE);
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        judge(&format!("{name}, pretty"), &pretty, CLOSE);
    }
}

/// Random text without words.
#[test]
fn what_is_at_random() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut drawn = |alphabet: &str, length: usize| -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let count = u64::try_from(alphabet.len()).unwrap();
        (0..length)
            .map(|_| *alphabet.get(usize::try_from(next(count)).unwrap()).unwrap())
            .collect()
    };
    let base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    judge("base64", &drawn(base64, 8000), FAR);
    judge("hexadecimal", &drawn("0123456789abcdef", 8000), FAR);
    judge("digits", &drawn("0123456789", 8000), 1.0);
    let lengths = [8, 4, 4, 4, 12].into_iter().cycle().take(1000);
    let parts: Vec<String> = lengths
        .map(|length| drawn("0123456789abcdef", length))
        .collect();
    judge(
        "UUIDs",
        &parts
            .chunks(5)
            .map(|id| id.join("-"))
            .collect::<Vec<_>>()
            .join("\n"),
        FAR,
    );
    judge("spaces", &" ".repeat(1000), FAR);
    judge("line ends", &"\n".repeat(1000), FAR);
}

/// Sentences of 10 to 200 bytes: half of them within 5 %, nine in ten within 15 %, and all together as close as long
/// texts.
#[test]
fn short_prompts() {
    let mut each: Vec<f64> = Vec::new();
    let mut tokens = (0, 0);
    for name in [
        "english-essay",
        "english-dialogue",
        "english-chat",
        "english-science",
        "chinese-chat",
        "chinese-tech",
    ] {
        let text = read(&format!("tests/data/tokens/{name}.txt"));
        for sentence in text
            .split_inclusive(['.', '?', '!', '\n', '。', '?'])
            .map(str::trim)
        {
            if (10..=200).contains(&sentence.len()) {
                each.push(off(sentence).abs());
                tokens.0 += VOCABULARY.encode_ordinary(sentence).len();
                tokens.1 += usize::try_from(estimate(sentence)).unwrap();
            }
        }
    }
    assert!(each.len() > 80, "{}", each.len());
    each.sort_by(f64::total_cmp);
    let at = |share: usize| *each.get(each.len() * share / 100).unwrap();
    println!(
        "{} sentences: half within {:.1} %, 90 in 100 within {:.1} %, all within {:.1} %; {tokens:?}",
        each.len(),
        at(50),
        at(90),
        at(99)
    );
    assert!(at(50) <= 5.0, "{}", at(50));
    assert!(at(90) <= CLOSE, "{}", at(90));
    assert!(tokens.0.abs_diff(tokens.1) * 20 <= tokens.0, "{tokens:?}");
}
