//! Describes conditions on a body and what the body has: names and numbers, never the text of a prompt.

use crate::config::PARTS;
use crate::prompt::Script;
use crate::request::{Content, PromptPart};
use crate::routing::{ContentCondition, FieldTest};

/// How many characters of a field's text are shown.
const MAX_SHOWN: usize = 64;

/// Words a condition like the document.
pub(super) fn wanted(condition: &ContentCondition) -> String {
    match condition {
        ContentCondition::Has(fact, wanted) => format!("{}: {wanted}", fact.name()),
        ContentCondition::Counts(amount, bounds) => format!("{}: {bounds}", amount.name()),
        ContentCondition::Field { path, test } => format!("body {path}: {}", tested(test)),
        ContentCondition::Script(scripts) => {
            let names: Vec<&str> = scripts.iter().map(|script| script.name()).collect();
            match names.as_slice() {
                [one] => format!("script: {one}"),
                all => format!("script: [{}]", all.join(", ")),
            }
        }
        ContentCondition::Text(PromptPart::System, pattern) => format!("system_prompt: {pattern}"),
        ContentCondition::Text(part, pattern) => {
            let name = PARTS.iter().find(|(_, known)| known == part);
            let name = name.map_or("", |(name, _)| name);
            format!("prompt: {pattern} in {name}")
        }
    }
}

fn tested(test: &FieldTest) -> String {
    match test {
        FieldTest::OneOf(values) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            match values.as_slice() {
                [one] => one.clone(),
                all => format!("[{}]", all.join(", ")),
            }
        }
        FieldTest::Within(bounds) => bounds.to_string(),
        FieldTest::Matches(pattern) => pattern.to_string(),
        FieldTest::Exists(true) => "present".to_owned(),
        FieldTest::Exists(false) => "absent".to_owned(),
    }
}

/// Describes what the request has for a condition.
pub(super) fn seen(condition: &ContentCondition, content: &Content<'_>) -> String {
    match condition {
        ContentCondition::Has(fact, _) => fact.is_in(content).to_string(),
        ContentCondition::Counts(amount, _) => amount.of(content).to_string(),
        ContentCondition::Script(_) => content
            .script()
            .map_or("no letters", Script::name)
            .to_owned(),
        ContentCondition::Field { path, .. } => seen_field(content, path),
        ContentCondition::Text(part, _) => match content.text(*part).len() {
            0 => "no text".to_owned(),
            bytes => format!("{bytes} bytes of text"),
        },
    }
}

fn seen_field(content: &Content<'_>, path: &str) -> String {
    let mut seen = Vec::new();
    content.any_value(path, &mut |value| {
        seen.push(match value.text() {
            Some(text) if content.is_prompt(path) || text.chars().nth(MAX_SHOWN).is_some() => {
                format!("text of {} bytes", text.len())
            }
            Some(text) => format!("\"{text}\""),
            None => match (value.number(), value.boolean()) {
                (Some(number), _) => number.to_string(),
                (_, Some(value)) => value.to_string(),
                _ if value.is_null() => "null".to_owned(),
                _ => "a list or an object".to_owned(),
            },
        });
        false
    });
    match seen.as_slice() {
        [] => "absent".to_owned(),
        seen => seen.join(", "),
    }
}
