//! Tests of documents with conditions on the content of a body.

use super::route_errors;

fn errors_of(condition: &str) -> Vec<String> {
    route_errors(&format!(
        "- {{name: a, match: {condition}, targets: [{{backend: openai}}]}}"
    ))
}

#[test]
fn conditions_on_bodies_that_are_right() {
    for condition in [
        "{body: {a: b}}",
        "{body: {a.b: [c*, 1, 1.5, true], d: {min: -1, max: 0.5}, e: {min: 1}, f: {regex: '^u-'}, g: {exists: false}}}",
        "{tools: true, tool_results: false, images: true, audio: true, files: true, json_schema: true}",
        "{turns: 3, prompt_bytes: {max: 0}, prompt_tokens: {min: 1, max: 1}}",
        "{system_prompt: false}",
        "{system_prompt: {words: a}, prompt: {words: [a, b], phrases: [c d], regex: e, in: all, case_sensitive: true, whole_words: false}}",
        "{script: han}",
        "{script: [han, kana]}",
    ] {
        assert_eq!(errors_of(condition), [""; 0], "{condition}");
    }
}

#[test]
fn errors_of_conditions_on_bodies() {
    for (condition, expected) in [
        (
            "{body: {}}",
            "routes[0].match.body: must not be empty: add a field",
        ),
        ("{body: a}", "routes[0].match.body: must be a map"),
        (
            "{body: {a..b: 1}}",
            "routes[0].match.body.a..b: must be the name of a field",
        ),
        (
            "{body: {a: null}}",
            "routes[0].match.body.a: must not be null: write {exists: false}",
        ),
        (
            "{body: {a: 'b*c'}}",
            "routes[0].match.body.a: \"b*c\" is not a valid pattern",
        ),
        (
            "{body: {a: []}}",
            "routes[0].match.body.a: must not be empty",
        ),
        (
            "{body: {a: {}}}",
            "routes[0].match.body.a: must have `min`, `max` or both",
        ),
        (
            "{body: {a: {min: 1, exists: true}}}",
            "routes[0].match.body.a: must have `min`, `max` or both",
        ),
        (
            "{body: {a: {min: 2, max: 1}}}",
            "routes[0].match.body.a: `min` must not be more than `max`",
        ),
        (
            "{body: {a: {min: x}}}",
            "routes[0].match.body.a.min: must be a number",
        ),
        (
            "{body: {a: {regex: '('}}}",
            "routes[0].match.body.a.regex: ",
        ),
        (
            "{body: {a: {least: 1}}}",
            "routes[0].match.body.a.least: unknown field",
        ),
        ("{tools: 1}", "routes[0].match.tools: must be true or false"),
        (
            "{turns: 1.5}",
            "routes[0].match.turns: must be a whole number",
        ),
        (
            "{turns: {}}",
            "routes[0].match.turns: needs `min`, `max` or both",
        ),
        (
            "{turns: {min: -1}}",
            "routes[0].match.turns.min: must be a whole number",
        ),
        (
            "{system_prompt: yes please}",
            "routes[0].match.system_prompt: must be true or false",
        ),
        (
            "{system_prompt: {words: a, in: all}}",
            "routes[0].match.system_prompt.in: unknown field",
        ),
        ("{prompt: refund}", "routes[0].match.prompt: must be a map"),
        (
            "{prompt: {in: all}}",
            "routes[0].match.prompt: matches nothing",
        ),
        (
            "{prompt: {words: [a, b c]}}",
            "routes[0].match.prompt.words[1]: is more than one word",
        ),
        (
            "{prompt: {words: a, in: lastuser}}",
            "routes[0].match.prompt.in: unknown part \"lastuser\"",
        ),
        (
            "{script: chinese}",
            "routes[0].match.script: unknown script \"chinese\"",
        ),
        (
            "{all: [{tools: true}, {tools: false}]}",
            "routes[0]: no request can ever match this",
        ),
        (
            "{all: [{turns: 1}, {turns: {min: 2}}]}",
            "routes[0]: no request can ever match this",
        ),
        (
            "{body: {seed: 1}, all: [{body: {seed: {exists: false}}}]}",
            "routes[0]: no request can ever match this",
        ),
        (
            "{script: han, not: {script: [han, kana]}}",
            "routes[0]: no request can ever match this",
        ),
    ] {
        let errors = errors_of(condition);
        let is_it = errors.iter().any(|error| error.starts_with(expected));
        assert!(is_it, "{condition}: {errors:#?}");
    }
}

#[test]
fn routes_that_another_one_covers() {
    let two = |first: &str, second: &str| {
        let errors = route_errors(&format!(
            "- {{name: a, match: {first}, targets: [{{backend: openai}}]}}
- {{name: b, match: {second}, targets: [{{backend: openai}}]}}"
        ));
        errors
            .iter()
            .any(|error| error.starts_with("routes[1]: can never be reached"))
    };
    for (first, second) in [
        (
            "{prompt_tokens: {min: 1}}",
            "{prompt_tokens: {min: 2, max: 3}}",
        ),
        ("{system_prompt: true}", "{system_prompt: {words: a}}"),
        ("{body: {a: {exists: true}}}", "{body: {a: b}, tools: true}"),
        ("{body: {a: [b*, 1]}}", "{body: {a: [bc, 1]}}"),
        ("{body: {a: {min: 0}}}", "{body: {a: [0, 2]}}"),
        ("{prompt: {words: a}}", "{prompt: {words: a}, tools: true}"),
        ("{script: [han, kana]}", "{script: kana}"),
        (
            "{prompt: {words: [a, b, c]}}",
            "{prompt: {words: [C, A, c]}}",
        ),
        ("{prompt: {words: [a, b]}}", "{prompt: {phrases: b}}"),
        (
            "{prompt: {words: [a, b], regex: x}}",
            "{prompt: {words: a, regex: x}}",
        ),
        (
            "{prompt: {words: [a, b], regex: x}}",
            "{prompt: {words: b}}",
        ),
        (
            "{prompt: {words: [a, b], in: user}}",
            "{prompt: {words: [b]}}",
        ),
        (
            "{prompt: {words: [a, b], in: all}}",
            "{system_prompt: {words: b}}",
        ),
        (
            "{system_prompt: {words: [a, b]}}",
            "{system_prompt: {words: b}}",
        ),
        (
            "{prompt: {phrases: [a b, c], in: user}}",
            "{prompt: {phrases: a b}}",
        ),
        (
            "{prompt: {phrases: [a b, c], in: all}}",
            "{prompt: {phrases: c}}",
        ),
        ("{turns: {min: 0}}", "{images: true}"),
    ] {
        assert!(two(first, second), "{first} covers {second}");
        assert!(!two(second, first), "{second} does not cover {first}");
    }
    for (first, second) in [
        ("{prompt: {words: [a, b]}}", "{prompt: {words: [a, c]}}"),
        (
            "{prompt: {words: [a, b], case_sensitive: true}}",
            "{prompt: {words: a}}",
        ),
        (
            "{prompt: {words: [a, b]}}",
            "{prompt: {words: a, whole_words: false}}",
        ),
        (
            "{prompt: {words: [a, b]}}",
            "{prompt: {words: a, regex: x}}",
        ),
        (
            "{prompt: {words: [a, b], regex: ^x, in: all}}",
            "{prompt: {words: a, regex: ^x}}",
        ),
        ("{prompt: {words: [a, b]}}", "{system_prompt: {words: a}}"),
        // Between two messages of the user there may be one of the model.
        (
            "{prompt: {phrases: [a b, c], in: all}}",
            "{prompt: {phrases: a b, in: user}}",
        ),
        (
            "{prompt: {phrases: [a b, c], in: all}}",
            "{system_prompt: {phrases: a b}}",
        ),
    ] {
        assert!(!two(first, second), "{first} does not cover {second}");
    }
}
