//! Tests of usages as each provider writes them.

use super::*;

/// Input, cached input, written to the cache, output, reasoning.
fn of(objects: &[&str]) -> [Option<u64>; 5] {
    let mut counts = Counts::default();
    for object in objects {
        counts.read(object.as_bytes());
    }
    let usage = counts.usage();
    [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.output,
        usage.reasoning,
    ]
}

const NOT_TOLD: [Option<u64>; 5] = [None; 5];

/// With a prompt and a completion, the prompt includes the cached tokens, whatever their counts are called.
#[test]
fn chat_completions() {
    for (provider, object, expected) in [
        (
            "OpenAI",
            r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":128,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
            [Some(2006), Some(1920), None, Some(300), Some(128)],
        ),
        (
            "LiteLLM",
            r#"{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900},"cache_read_input_tokens":900,"cache_creation_input_tokens":90}"#,
            [Some(1000), Some(900), Some(90), Some(10), None],
        ),
        (
            "LiteLLM, without a total",
            r#"{"completion_tokens":10,"cache_creation_input_tokens":90,"cache_read_input_tokens":900,"prompt_tokens":1000,"prompt_tokens_details":{"cached_tokens":900,"cache_creation_tokens":90}}"#,
            [Some(1000), Some(900), Some(90), Some(10), None],
        ),
        (
            "vLLM",
            r#"{"prompt_tokens":42,"total_tokens":170,"completion_tokens":128,"prompt_tokens_details":{"cached_tokens":32}}"#,
            [Some(42), Some(32), None, Some(128), None],
        ),
        (
            "vLLM, without details",
            r#"{"prompt_tokens":42,"total_tokens":170,"completion_tokens":128,"prompt_tokens_details":null}"#,
            [Some(42), None, None, Some(128), None],
        ),
        (
            "SGLang",
            r#"{"prompt_tokens":9,"total_tokens":109,"completion_tokens":100,"prompt_tokens_details":null,"reasoning_tokens":80}"#,
            [Some(9), None, None, Some(100), Some(80)],
        ),
        (
            "OpenRouter",
            r#"{"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":0},"cost":0.95,"cost_details":{"upstream_inference_cost":19},"prompt_tokens":194,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100,"audio_tokens":0},"total_tokens":196}"#,
            [Some(194), Some(0), Some(100), Some(2), Some(0)],
        ),
        (
            "DeepSeek",
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":20},"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#,
            [Some(100), Some(64), None, Some(50), Some(20)],
        ),
        (
            "Moonshot",
            r#"{"prompt_tokens":8192,"completion_tokens":21,"total_tokens":8213,"cached_tokens":7936}"#,
            [Some(8192), Some(7936), None, Some(21), None],
        ),
        (
            "Mistral",
            r#"{"prompt_tokens":1013,"total_tokens":1043,"completion_tokens":30,"prompt_audio_seconds":null,"prompt_tokens_details":{"cached_tokens":1008}}"#,
            [Some(1013), Some(1008), None, Some(30), None],
        ),
        (
            "Groq",
            r#"{"queue_time":0.037493756,"prompt_tokens":4641,"prompt_time":0.4,"completion_tokens":1817,"completion_time":5.57,"total_tokens":6458,"total_time":5.97,"prompt_tokens_details":{"cached_tokens":4608},"completion_tokens_details":{"reasoning_tokens":1000}}"#,
            [Some(4641), Some(4608), None, Some(1817), Some(1000)],
        ),
        (
            "xAI",
            r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":{"text_tokens":10120,"audio_tokens":0,"image_tokens":0,"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809},"num_sources_used":0}"#,
            [Some(10120), Some(128), None, Some(4308), Some(2809)],
        ),
        (
            "xAI, little reasoning",
            r#"{"prompt_tokens":32,"completion_tokens":94,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":9}}"#,
            [Some(32), None, None, Some(103), Some(9)],
        ),
        (
            "xAI, no reasoning",
            r#"{"prompt_tokens":125,"completion_tokens":48,"total_tokens":173,"prompt_tokens_details":{"cached_tokens":98},"completion_tokens_details":{"reasoning_tokens":0}}"#,
            [Some(125), Some(98), None, Some(48), Some(0)],
        ),
        (
            "xAI, a cache larger than the rest",
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":40}}"#,
            [Some(50), Some(40), None, Some(5), None],
        ),
        (
            "Perplexity, whose total has no reasoning",
            r#"{"prompt_tokens":108,"completion_tokens":3256,"total_tokens":3364,"citation_tokens":7299,"num_search_queries":74,"reasoning_tokens":73248}"#,
            [Some(108), None, None, Some(76504), Some(73248)],
        ),
        (
            "gateways that have both names",
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":0},"input_tokens":0,"output_tokens":0,"input_tokens_details":null}"#,
            [Some(100), Some(40), None, Some(50), Some(0)],
        ),
        (
            "embeddings",
            r#"{"prompt_tokens":8,"total_tokens":8}"#,
            [Some(8), None, None, None, None],
        ),
    ] {
        assert_eq!(of(&[object]), expected, "{provider}");
    }
}

/// `input_tokens` is OpenAI's, which includes cached tokens, or Anthropic's, which does not.
#[test]
fn input_tokens() {
    for (provider, object, expected) in [
        (
            "OpenAI's responses",
            r#"{"input_tokens":328,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":0},"output_tokens":52,"output_tokens_details":{"reasoning_tokens":8},"total_tokens":380}"#,
            [Some(328), Some(64), Some(0), Some(52), Some(8)],
        ),
        (
            "xAI's responses",
            r#"{"input_tokens":125,"output_tokens":48,"total_tokens":273,"input_tokens_details":{"cached_tokens":98},"output_tokens_details":{"reasoning_tokens":100}}"#,
            [Some(125), Some(98), None, Some(148), Some(100)],
        ),
        (
            "Perplexity's responses",
            r#"{"input_tokens":100,"input_tokens_details":{"cache_creation_input_tokens":10,"cache_read_input_tokens":40},"output_tokens":5,"total_tokens":105}"#,
            [Some(100), Some(40), Some(10), Some(5), None],
        ),
        (
            "Anthropic",
            r#"{"input_tokens":50,"cache_creation_input_tokens":10,"cache_read_input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":0},"output_tokens":503,"service_tier":"standard"}"#,
            [Some(100), Some(40), Some(10), Some(503), None],
        ),
        (
            "Anthropic, no cache",
            r#"{"input_tokens":50,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":503}"#,
            [Some(50), None, None, Some(503), None],
        ),
        (
            "Anthropic's names, with a total of all",
            r#"{"input_tokens":50,"cache_read_input_tokens":40,"output_tokens":5,"total_tokens":95}"#,
            [Some(90), Some(40), None, Some(5), None],
        ),
        (
            "Anthropic's names, and a total that has the cache in the input",
            r#"{"input_tokens":50,"cache_read_input_tokens":40,"output_tokens":5,"total_tokens":55}"#,
            [Some(50), Some(40), None, Some(5), None],
        ),
        (
            "Anthropic's names, and the cache as a detail, too",
            r#"{"cache_read_input_tokens":40,"input_tokens":50,"input_tokens_details":{"cached_tokens":40},"output_tokens":5}"#,
            [Some(50), Some(40), None, Some(5), None],
        ),
        (
            "Bedrock",
            r#"{"inputTokens":30,"outputTokens":628,"totalTokens":768,"cacheReadInputTokens":100,"cacheWriteInputTokens":10,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":10}"#,
            [Some(140), Some(100), Some(10), Some(628), None],
        ),
        (
            "Bedrock's invocation metrics",
            r#"{"inputTokenCount":30,"outputTokenCount":7,"invocationLatency":515,"firstByteLatency":300,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":10}"#,
            [Some(140), Some(100), Some(10), Some(7), None],
        ),
    ] {
        assert_eq!(of(&[object]), expected, "{provider}");
    }
}

#[test]
fn gemini() {
    for (object, expected) in [
        (
            r#"{"promptTokenCount":100,"cachedContentTokenCount":40,"candidatesTokenCount":30,"thoughtsTokenCount":20,"toolUsePromptTokenCount":7,"totalTokenCount":157,"promptTokensDetails":[{"modality":"TEXT","tokenCount":100}]}"#,
            [Some(107), Some(40), None, Some(50), Some(20)],
        ),
        (
            r#"{"promptTokenCount":100,"thoughtsTokenCount":20,"totalTokenCount":120}"#,
            [Some(100), None, None, Some(20), Some(20)],
        ),
        (
            r#"{"toolUsePromptTokenCount":7,"candidatesTokenCount":3}"#,
            [Some(7), None, None, Some(3), None],
        ),
    ] {
        assert_eq!(of(&[object]), expected, "{object}");
    }
}

/// Later counts replace earlier ones, and a total refers only to its own usage.
#[test]
fn one_after_the_other() {
    let start = r#"{"input_tokens":50,"cache_creation_input_tokens":10,"cache_read_input_tokens":40,"output_tokens":1}"#;
    let whole = [Some(100), Some(40), Some(10), Some(50), None];
    for (then, expected) in [
        (r#"{"output_tokens":50}"#, whole),
        (
            r#"{"input_tokens":null,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":50}"#,
            whole,
        ),
        (
            r#"{"input_tokens":60,"cache_creation_input_tokens":0,"cache_read_input_tokens":40,"output_tokens":50}"#,
            [Some(100), Some(40), Some(0), Some(50), None],
        ),
        (r#"{"output_tokens":-1}"#, NOT_TOLD),
    ] {
        assert_eq!(of(&[start, then]), expected, "{then}");
    }
    let first = r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":3}}"#;
    let second = r#"{"prompt_tokens":9,"completion_tokens":5}"#;
    assert_eq!(of(&[first])[3], Some(8));
    assert_eq!(of(&[first, second])[3], Some(5));
    // A count that was invalid and is given again counts.
    let odd = r#"{"prompt_tokens":-9,"completion_tokens":5}"#;
    assert_eq!(of(&[odd]), NOT_TOLD);
    assert_eq!(of(&[odd, second]), [Some(9), None, None, Some(5), None]);
}

#[test]
fn numbers() {
    let most = MAX_TOKENS.to_string();
    for (written, expected) in [
        ("0", Some(0)),
        ("100", Some(100)),
        ("100.0", Some(100)),
        ("100.000000000000000000000000000000", Some(100)),
        ("1e2", Some(100)),
        ("1E+2", Some(100)),
        ("1.5e3", Some(1_500)),
        ("1000e-1", Some(100)),
        ("\"100\"", Some(100)),
        ("\"1e2\"", Some(100)),
        (most.as_str(), Some(MAX_TOKENS)),
        ("100000001", None),
        ("281474976710656", None),
        ("99999999999999999999999", None),
        ("1e99999999999", None),
        ("1e999", None),
        ("1e-999", None),
        ("-100", None),
        ("-0", None),
        ("1.5", None),
        ("1e-1", None),
        ("\"\"", None),
        ("\"-1\"", None),
        ("\"many\"", None),
        ("\"", None),
        (".5", None),
        ("e2", None),
        ("true", None),
        ("[1]", None),
        ("{}", None),
    ] {
        assert_eq!(number(written.as_bytes()), expected, "{written}");
    }
}

/// An invalid count makes the whole usage unknown. Missing counts, and fields that are not counts, change nothing.
#[test]
fn what_is_not_believed() {
    for odd in [
        "-1",
        "1.5",
        "99999999999999999999999",
        "\"x\"",
        "true",
        "{}",
    ] {
        for name in [
            "prompt_tokens",
            "completion_tokens",
            "cache_read_input_tokens",
        ] {
            let mut fields = vec![("prompt_tokens", "5"), ("completion_tokens", "7")];
            fields.retain(|(known, _)| *known != name);
            fields.push((name, odd));
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            let object = format!("{{{}}}", fields.join(","));
            assert_eq!(of(&[&object]), NOT_TOLD, "{object}");
        }
        let detail = format!(
            r#"{{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{{"cached_tokens":{odd}}}}}"#
        );
        assert_eq!(of(&[&detail]), NOT_TOLD, "{detail}");
        let other = format!(
            r#"{{"prompt_tokens":5,"completion_tokens":7,"total_tokens":{odd},"audio_tokens":{odd}}}"#
        );
        assert_eq!(of(&[&other]), [Some(5), None, None, Some(7), None]);
    }
    for untold in [
        r#"{"completion_tokens":7}"#,
        r#"{"prompt_tokens":null,"completion_tokens":7}"#,
        "{}",
        "null",
    ] {
        assert_eq!(of(&[untold]), NOT_TOLD, "{untold}");
    }
    let escaped = r#"{"prompt\u005ftokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached\u005ftokens":2}}"#;
    assert_eq!(of(&[escaped]), [Some(5), Some(2), None, Some(7), None]);
}
