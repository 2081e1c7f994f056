//! Tests of files that are not YAML, and of the errors reported for each.

use super::*;

/// Returns all errors as `line:column: message`.
fn said(text: &str) -> Vec<String> {
    let errors = parse(text).err().unwrap_or_default();
    let errors = errors.into_iter();
    errors
        .map(|error| {
            let Position { line, column } = error.place;
            format!("{line}:{column}: {}", error.message)
        })
        .collect()
}

#[test]
fn each_in_own_words_with_its_place_and_what_to_do() {
    for (text, expected) in [
        (
            "a: *-mini",
            "1:4: in YAML `*` begins an alias, but there is no anchor `&-mini` above. If it is text, quote it: '*-mini'",
        ),
        (
            "a: [x, *-mini, b]",
            "1:8: in YAML `*` begins an alias, but there is no anchor `&-mini` above. If it is text, quote it: '*-mini'",
        ),
        (
            "a: {m: *}",
            "1:8: in YAML `*` begins an alias, but no name follows it. If it is text, quote it: '*'",
        ),
        ("a: *x y\n", "1:4: in YAML `*` begins an alias"),
        ("*x: 1\n", "1:1: in YAML `*` begins an alias"),
        (
            "a: &x",
            "1:4: in YAML `&` begins the name of an anchor, but no value follows it. If it is text, quote it: '&x'",
        ),
        ("a: &x\nb: 1", "1:4: in YAML `&` begins"),
        ("a: [&x , 1]", "1:5: in YAML `&` begins"),
        ("a: &", "1:4: in YAML `&` begins"),
        (
            "a: !x # y",
            "1:4: in YAML `!` begins a tag, but no value follows it. If it is text, quote it: '!x'",
        ),
        (
            "a: !e!x 1",
            "1:4: in YAML `!` begins a tag. If it is text, quote it: '!e!x 1'",
        ),
        ("a: !!", "1:4: in YAML `!` begins"),
        ("a: !<x 1", "1:4: in YAML `!` begins"),
        (
            "a: @x",
            "1:4: in YAML no plain value can begin with '@'. If it is text, quote it: '@x'",
        ),
        (
            "a: `x`",
            "1:4: in YAML no plain value can begin with '`'. If it is text, quote it: '`x`'",
        ),
        (
            "@x: 1",
            "1:1: in YAML no plain value can begin with '@'. If it is text, quote it: '@x'",
        ),
        (
            "a: %x",
            "1:4: in YAML `%` begins a directive. If it is text, quote it: '%x'",
        ),
        (
            "%x: 1",
            "1:1: in YAML `%` begins a directive at the beginning of a line",
        ),
        (
            "%FOO\na: 1",
            "2:1: after a line that begins with `%`, the document",
        ),
        (
            "a: |x",
            "1:4: in YAML `|` begins a block of text in the lines below. If it is text, quote it: '|x'",
        ),
        (
            "a: >= 5",
            "1:4: in YAML `>` begins a block of text in the lines below. If it is text, quote it: '>= 5'",
        ),
        (
            "a: {x",
            "1:4: in YAML `{` begins a map, but no `}` ends it: add the `}`. If it is text, quote it: '{x'",
        ),
        (
            "a: [x",
            "1:4: in YAML `[` begins a list, but no `]` ends it: add the `]`. If it is text, quote it: '[x'",
        ),
        (
            "a: {{name}}",
            "1:4: in YAML `{` begins a map, which cannot be the name of a field. If it is text, quote it: '{{name}}'",
        ),
        (
            "? [a, b]\n: 1",
            "1:3: in YAML `[` begins a list, which cannot be the name of a field",
        ),
        (
            "a: - x",
            "1:4: in YAML `-` begins an item of a list, which must be on a separate line. If it is text, quote it: '- x'",
        ),
        ("a: [-]", "1:5: in YAML `-` begins"),
        ("a: ? b", "1:4: in YAML `?` begins the name of a field"),
        (
            "a: [1}",
            "1:4: the `[` that begins here is closed with `}`: close it with `]`",
        ),
        (
            "a: [1]]",
            "1:7: there is nothing that this `]` could close: remove it",
        ),
        ("a: }", "1:4: there is nothing that this `}` could close"),
        (
            "a: {x: 1\nb: 2\n",
            "2:2: a `,` is missing before this, or the `}` that ends the map",
        ),
        (
            "a: [1, 2\nb: 2\n",
            "2:2: a list or map that began above continues here: add the `]` or `}`",
        ),
        ("{\"a\": 1 \"b\": 2}", "1:12: a `,` is missing before this"),
        (
            "a: [1,,2]",
            "1:7: a value is missing before this: remove a `,`",
        ),
        ("{\"a\": 1} x", "1:10: the document ended before this"),
        (
            "a: \"x",
            "1:4: the quoted text that begins here does not end: add \" after it",
        ),
        (
            "a: 'x",
            "1:4: the quoted text that begins here does not end: add ' after it",
        ),
        (
            "a: \"x\nb: 2\nc: \"y\"\n",
            "2:1: quoted text that began above continues here: add the closing quote above",
        ),
        (
            "a: 'it's'",
            "1:8: the quoted text ends before this: quote all of it, and write a ' inside it twice",
        ),
        (
            "a: \"x\"y\"",
            "1:7: the quoted text ends before this: quote all of it, and write a \" inside it as \\\"",
        ),
        (
            "a: \"x y\\.5\"",
            "1:8: `\\.` is not an escape sequence in double quotes: write `\\\\.` for a backslash, or use single quotes",
        ),
        ("a: \"x\n  \\\\ \\d\"", "2:6: `\\d` is not an escape"),
        (
            "a: \"\\x4\"",
            "1:5: `\\x` must be followed by hexadecimal digits",
        ),
        (
            "a: \"\\ud83d\"",
            "1:5: this escape is not a valid character",
        ),
        (
            "a: \"x\\ud83d\\ude00\"",
            "1:6: Envoy does not support surrogate pairs in YAML",
        ),
        (
            "a: b: c",
            "1:5: there is a second `:` in one line: if it is text, quote it: 'b: c'",
        ),
        (
            "a: 1\nb:1\nc: 2",
            "2:1: this is one text and not a field, because there is no space after its `:`: write `b: 1`",
        ),
        (
            "a:1\nb: 2",
            "2:2: the line above is one text and not a field, because there is no space after its `:`: write `a: 1`",
        ),
        ("a: x\n  b: 1", "2:4: a `:` is not allowed here"),
        (
            "a:\n  b: 1\n c: 2",
            "3:2: this line belongs to nothing above it: indent it exactly",
        ),
        ("a:\n  - x\n  b: 1\n", "3:3: this line belongs to nothing"),
        (
            "a:\n\tb: 1",
            "2:1: there is a tab here, but YAML must be indented with spaces",
        ),
        ("a:\n  b: 1\n\tc: 2\n", "3:1: there is a tab here"),
        ("a: |\n  x\n\ty", "3:1: there is a tab here"),
        ("a: \"x\"#y", "1:7: a comment needs a space before its `#`"),
        ("a: x\n  #c\n  y\n", "3:3: this line belongs to nothing"),
        (
            "a: x\u{1}y",
            "1:5: there is an invisible control character (U+0001) here",
        ),
        (
            "a: \"x\u{0}y\"",
            "1:6: there is an invisible control character (U+0000) here",
        ),
        (
            "a: 1\n\u{feff}b: 2",
            "2:1: there is an invisible byte order mark (U+FEFF) here",
        ),
        ("a: x\rb: 2", "1:5: there is a carriage return (U+000D)"),
        (
            "a: 1\nb: 2\n'a': 3",
            "3:1: 'a' is given twice, first in line 1: remove one of them",
        ),
        (
            "a: &a [*a]",
            "1:8: this alias is inside the value that it refers to",
        ),
    ] {
        let said = said(text);
        assert_eq!(said.len(), 1, "{text:?} {said:#?}");
        assert!(said[0].starts_with(expected), "{text:?} {said:#?}");
    }
    let deep = "[".repeat(300);
    assert!(said(&deep)[0].contains("too deeply"));
}

#[test]
fn what_is_no_error() {
    for text in [
        "a: 1\r\nb: 2\r\n",
        "\u{feff}a: 1",
        "%YAML 1.2\n---\na: 1\n",
        "a: ?x",
        "a: -x",
        "a: x#y",
        "a: <5",
        "a: 10%",
        "a: :x",
        "a: http://x:1/y",
        "{\"a\": \"\\ud83d\\ude00\"}",
        "a: '\\q'",
        "a: &x 1\nb: *x\n",
        "a: \"x\n  y\"",
        "a: \"\\\\ud83d\"",
        "{a: \"x\", b: '\\ud83d'}",
        "{a: \"x\", b: \\ud83d}",
        "a: [1, 2,]",
        "a: {x, y: 1}",
        "!ignore a: 1\nb: 2",
    ] {
        assert_eq!(said(text), [""; 0], "{text:?}");
    }
}

#[test]
fn several_at_once() {
    let text = "a: *x\nb: [*y, 1]\na: 2\nb: 3\nc: @x\nd: *z\n";
    let places: Vec<String> = said(text)
        .iter()
        .map(|one| one.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(places, ["1:4", "2:5", "3:1", "4:1", "5:4"]);
}

#[test]
fn each_half_once() {
    let text = "{a: \"x\", b: \"\\ud83d\\ude00\", c: \"y\", d: \"\\ud83d\\ude00\"}";
    let places = parse(text).unwrap_err();
    let columns = places.iter().map(|one| one.place.column);
    assert_eq!(columns.collect::<Vec<_>>(), [14, 41]);
}

/// Programs write JSON in one line.
#[test]
fn a_long_line_takes_memory_linear_in_it() {
    let parsed = |count: usize| {
        let text = format!("[{}]", "\"some text\", ".repeat(count));
        let mut items = 0;
        let allocated = allocation_counter::measure(|| {
            items = parse(&text).unwrap()[0].items().len();
        });
        assert_eq!(items, count);
        allocated.bytes_total
    };
    let (short, long) = (parsed(5_000), parsed(20_000));
    assert!(long < short * 5, "{short} bytes, then {long}");
}

#[test]
fn aliases_of_aliases_have_an_end() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = format!("*a{}", level - 1);
        text.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            [before.as_str(); 10].join(", ")
        ));
    }
    let said = said(&text);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("more than 1000000 values"), "{said:#?}");
}

/// Every error is one of the module's own sentences, at a place that exists.
#[test]
fn cut_and_changed_everywhere() {
    let text = include_str!("../../../envoy/documents/demo.yaml");
    let text: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .take(12)
        .map(|line| format!("{line}\n"))
        .collect();
    let mut count = 0;
    for (at, _) in text.char_indices() {
        for inserted in [
            "", "\t", "*", "&", "\"", "'", "[", "}", ":", ": ", "\n", "- ", "\\", "`", "|",
            "\u{0}", "!",
        ] {
            let (before, after) = text.split_at(at);
            for changed in [
                format!("{before}{inserted}{after}"),
                format!("{before}{inserted}"),
            ] {
                let Err(errors) = parse(&changed) else {
                    continue;
                };
                for error in errors {
                    count += 1;
                    let lines = changed.lines().count();
                    assert!(error.place.line <= lines + 1, "{error:?}");
                    for word in [
                        "while",
                        "did not find",
                        "expected",
                        "token",
                        "EOF",
                        "simple key",
                    ] {
                        assert!(!error.message.contains(word), "{error:?}");
                    }
                }
            }
        }
    }
    assert!(count > 4000, "{count}");
}
