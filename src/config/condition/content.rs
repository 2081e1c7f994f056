//! Reads match conditions on the content of a body: `body`, `tools`, `prompt` and the fields listed between them.

use super::{fields, read_pattern};
use crate::config::error::suggestion;
use crate::config::reader::{Fields, Node};
use crate::config::tree::Tree;
use crate::prompt::{self, Script, TextPattern};
use crate::request::PromptPart;
use crate::routing::{
    Bounds, Condition, ContentCondition, ContentFeature, ContentMeasure, FieldTest, FieldValue,
};

/// The parts of a prompt that a condition can name.
pub(crate) const PARTS: [(&str, PromptPart); 3] = [
    ("last_user", PromptPart::LastUser),
    ("user", PromptPart::User),
    ("all", PromptPart::All),
];

/// Reads this module's conditions from a match; `None` stands for a condition with errors.
pub(super) fn read(match_: &Fields<'_>) -> Vec<Option<Condition>> {
    let mut conditions = Vec::new();
    if let Some(node) = match_.optional("body") {
        conditions.extend(read_body(node));
    }
    for fact in ContentFeature::ALL {
        if let Some(node) = match_.optional(fact.name()) {
            conditions.push(match (fact, node.tree()) {
                (ContentFeature::SystemPrompt, Tree::Map(_)) => {
                    read_text(node, fields::SYSTEM_PROMPT)
                        .map(|(_, pattern)| ContentCondition::Text(PromptPart::System, pattern))
                }
                _ => node
                    .boolean()
                    .map(|wanted| ContentCondition::Has(fact, wanted)),
            });
        }
    }
    for amount in ContentMeasure::ALL {
        if let Some(node) = match_.optional(amount.name()) {
            let bounds = read_count(node);
            conditions.push(bounds.map(|bounds| ContentCondition::Counts(amount, bounds)));
        }
    }
    if let Some(node) = match_.optional("prompt") {
        let text = read_text(node, fields::PROMPT);
        conditions.push(text.map(|(part, pattern)| ContentCondition::Text(part, pattern)));
    }
    if let Some(node) = match_.optional("script") {
        let scripts: Vec<Option<Script>> = node.one_or_many().iter().map(read_script).collect();
        let scripts: Option<Vec<Script>> = scripts.into_iter().collect();
        conditions.push(scripts.map(ContentCondition::Script));
    }
    let conditions = conditions.into_iter();
    conditions
        .map(|condition| condition.map(Condition::Content))
        .collect()
}

fn read_body(node: &Node<'_>) -> Vec<Option<ContentCondition>> {
    let entries = node.entries();
    if entries.is_empty() && matches!(node.tree(), Tree::Map(_)) {
        node.error("must not be empty: add a field");
    }
    let read = |(path, node): (&str, Node<'_>)| {
        if path.split('.').any(str::is_empty) {
            node.error("must be the name of a field, or several names separated by dots");
            return None;
        }
        let path = path.to_owned();
        read_test(&node).map(|test| ContentCondition::Field { path, test })
    };
    entries.into_iter().map(read).collect()
}

/// Reads the test that a body field has to pass.
fn read_test(node: &Node<'_>) -> Option<FieldTest> {
    if !matches!(node.tree(), Tree::Map(_)) {
        let nodes = node.one_or_many();
        let values = nodes.iter().map(read_scalar).collect::<Option<Vec<_>>>()?;
        let values: Vec<FieldValue> = values.into_iter().flatten().collect();
        return (!values.is_empty()).then_some(FieldTest::OneOf(values));
    }
    let test = node.fields(fields::FIELD);
    let is_there = |name: &&str| test.optional(name).is_some();
    let bounds = ["min", "max"].iter().any(is_there);
    let kinds = ["regex", "exists"].into_iter().filter(is_there).count();
    if kinds.saturating_add(usize::from(bounds)) != 1 {
        node.error("must have `min`, `max` or both; or `regex`; or `exists`");
        return None;
    }
    if let Some(node) = test.optional("regex") {
        let written = prompt::PatternSource {
            regex: Some(node.name()?),
            case_sensitive: true,
            ..prompt::PatternSource::default()
        };
        return compile(&written, &|_| node.clone()).map(FieldTest::Matches);
    }
    if let Some(node) = test.optional("exists") {
        return node.boolean().map(FieldTest::Exists);
    }
    read_bounds(&test, |node| node.number()).map(FieldTest::Within)
}

/// Reads a value that a field may have. Returns two values where the document does not tell which one was written.
fn read_scalar(node: &Node<'_>) -> Option<Vec<FieldValue>> {
    // This includes text that Envoy made of a number.
    if let Some(number) = node.tree().number() {
        let text = node.tree().wide_number().and_then(|_| node.text());
        let text = text.and_then(|text| read_pattern(node, text));
        let number = std::iter::once(FieldValue::Number(number));
        return Some(number.chain(text.map(FieldValue::Text)).collect());
    }
    match node.tree() {
        Tree::Bool(value) => Some(vec![FieldValue::Bool(*value)]),
        Tree::Null => {
            node.error(
                "must not be null: write {exists: false} for a field that is null or absent",
            );
            None
        }
        // For anything but text, `text()` reports the error.
        _ => read_pattern(node, node.text()?).map(|text| vec![FieldValue::Text(text)]),
    }
}

/// Reads how many there must be: a number, or bounds.
fn read_count(node: &Node<'_>) -> Option<Bounds> {
    let count = |node: &Node<'_>| node.integer(0, u32::MAX).map(f64::from);
    if node.is_scalar() {
        return count(node).map(|count| Bounds {
            min: count,
            max: count,
        });
    }
    read_bounds(&node.fields(fields::BOUNDS), count)
}

fn read_bounds(fields: &Fields<'_>, read: impl Fn(&Node<'_>) -> Option<f64>) -> Option<Bounds> {
    let bound = |name: &str, default: f64| match fields.optional(name) {
        Some(node) => read(node),
        None => Some(default),
    };
    let Bounds { min, max } = Bounds::ANY;
    let (min, max) = (bound("min", min), bound("max", max));
    let bounds = Bounds {
        min: min?,
        max: max?,
    };
    if bounds == Bounds::ANY {
        fields.error("needs `min`, `max` or both");
        return None;
    }
    if bounds.min > bounds.max {
        fields.error("`min` must not be more than `max`");
        return None;
    }
    Some(bounds)
}

/// Reads a text pattern and the part of the prompt in which to look for it.
fn read_text(node: &Node<'_>, known: &'static [&'static str]) -> Option<(PromptPart, TextPattern)> {
    let text = node.fields(known);
    let flag = |name: &str, default: bool| match text.optional(name) {
        Some(node) => node.boolean(),
        None => Some(default),
    };
    let list = |name: &str| -> Option<(Vec<Node<'_>>, Vec<&str>)> {
        let nodes = text.or_default(name, Node::one_or_many);
        let texts: Vec<Option<&str>> = nodes.iter().map(Node::name).collect();
        let texts: Vec<&str> = texts.into_iter().collect::<Option<_>>()?;
        Some((nodes, texts))
    };
    let regex = match text.optional("regex") {
        Some(node) => node.name().map(Some),
        None => Some(None),
    };
    let part = match text.optional("in") {
        Some(node) => read_part(node),
        None => Some(PromptPart::LastUser),
    };
    let default = prompt::PatternSource::default();
    let case_sensitive = flag("case_sensitive", default.case_sensitive);
    let whole_words = flag("whole_words", default.whole_words);
    let (words, phrases) = (list("words"), list("phrases"));
    let ((word_nodes, words), (phrase_nodes, phrases)) = (words?, phrases?);
    let written = prompt::PatternSource {
        words: &words,
        phrases: &phrases,
        regex: regex?,
        case_sensitive: case_sensitive?,
        whole_words: whole_words?,
    };
    let pattern = compile(&written, &|part| {
        let at = match part {
            prompt::PatternPart::Whole => None,
            prompt::PatternPart::Word(at) => word_nodes.get(at),
            prompt::PatternPart::Phrase(at) => phrase_nodes.get(at),
            prompt::PatternPart::Regex => text.optional("regex"),
        };
        at.unwrap_or(node).clone()
    });
    Some((part?, pattern?))
}

fn read_part(node: &Node<'_>) -> Option<PromptPart> {
    one_of(node, "part", &PARTS)
}

fn read_script(node: &Node<'_>) -> Option<Script> {
    one_of(node, "script", &Script::ALL)
}

/// Returns the value whose name is written in this node.
fn one_of<T: Copy>(node: &Node<'_>, what: &str, known: &[(&'static str, T)]) -> Option<T> {
    let written = node.name()?;
    let found = known.iter().find(|(name, _)| *name == written);
    if found.is_none() {
        let names = || known.iter().map(|(name, _)| *name);
        let close = suggestion(written, names());
        let all = names().collect::<Vec<_>>().join(", ");
        node.error(format!(
            "unknown {what} \"{written}\"{close}; expected one of {all}"
        ));
    }
    found.map(|(_, value)| *value)
}

/// Compiles a text pattern; `at` returns the node at which an error in a part of it is reported.
fn compile<'a>(
    written: &prompt::PatternSource<'_>,
    at: &dyn Fn(prompt::PatternPart) -> Node<'a>,
) -> Option<TextPattern> {
    TextPattern::new(written)
        .map_err(|errors| {
            for error in errors {
                at(error.part).error(error.message);
            }
        })
        .ok()
}
