//! Conditions on the content of a body.

use std::fmt;

use crate::prompt::{Script, TextPattern};
use crate::request::{Content, PromptPart, RawFieldValue};
use crate::routing::pattern::Pattern;

/// A condition on the content of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum ContentCondition {
    /// Whether the request has something.
    Has(ContentFeature, bool),
    /// How much of something the request has.
    Counts(ContentMeasure, Bounds),
    /// A test of a body field.
    Field {
        /// The path of the field: its name, or names separated by dots, outermost first.
        path: String,
        /// The test that one of the field's values must pass.
        test: FieldTest,
    },
    /// A text pattern that a part of the prompt must contain.
    Text(PromptPart, TextPattern),
    /// The script of the user's last message is one of these.
    Script(Vec<Script>),
}

/// Something that a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentFeature {
    /// The request offers tools.
    Tools,
    /// The messages contain tool results.
    ToolResults,
    /// Images.
    Images,
    /// Audio.
    Audio,
    /// Files.
    Files,
    /// The request asks for an answer that follows a JSON schema.
    JsonSchema,
    /// A system prompt.
    SystemPrompt,
}

/// Something in a request that can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentMeasure {
    /// User messages.
    Turns,
    /// Bytes of prompt text.
    PromptBytes,
    /// Prompt tokens, as estimated.
    PromptTokens,
}

/// Bounds of a number, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The lower bound.
    pub min: f64,
    /// The upper bound.
    pub max: f64,
}

/// A test of a field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldTest {
    /// It equals one of these values.
    OneOf(Vec<FieldValue>),
    /// It is a number within these bounds.
    Within(Bounds),
    /// It is text in which the regular expression finds a match.
    Matches(TextPattern),
    /// Whether the field exists and is not `null`.
    Exists(bool),
}

/// A value to compare a field with.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Text that matches the pattern.
    Text(Pattern),
    /// This number, in any notation.
    Number(f64),
    /// This boolean.
    Bool(bool),
}

impl ContentFeature {
    /// All facts.
    pub const ALL: [ContentFeature; 7] = [
        ContentFeature::Tools,
        ContentFeature::ToolResults,
        ContentFeature::Images,
        ContentFeature::Audio,
        ContentFeature::Files,
        ContentFeature::JsonSchema,
        ContentFeature::SystemPrompt,
    ];

    /// Returns the name in a match.
    pub const fn name(self) -> &'static str {
        match self {
            ContentFeature::Tools => "tools",
            ContentFeature::ToolResults => "tool_results",
            ContentFeature::Images => "images",
            ContentFeature::Audio => "audio",
            ContentFeature::Files => "files",
            ContentFeature::JsonSchema => "json_schema",
            ContentFeature::SystemPrompt => "system_prompt",
        }
    }

    /// Whether the request has it.
    pub fn is_in(self, content: &Content<'_>) -> bool {
        match self {
            ContentFeature::Tools => content.has_tools(),
            ContentFeature::ToolResults => content.has_tool_results(),
            ContentFeature::Images => content.has_images(),
            ContentFeature::Audio => content.has_audio(),
            ContentFeature::Files => content.has_files(),
            ContentFeature::JsonSchema => content.wants_json_schema(),
            ContentFeature::SystemPrompt => !content.text(PromptPart::System).is_empty(),
        }
    }
}

impl ContentMeasure {
    /// All amounts.
    pub const ALL: [ContentMeasure; 3] = [
        ContentMeasure::Turns,
        ContentMeasure::PromptBytes,
        ContentMeasure::PromptTokens,
    ];

    /// Returns the name in a match.
    pub const fn name(self) -> &'static str {
        match self {
            ContentMeasure::Turns => "turns",
            ContentMeasure::PromptBytes => "prompt_bytes",
            ContentMeasure::PromptTokens => "prompt_tokens",
        }
    }

    /// Returns how much of it the request has.
    pub fn of(self, content: &Content<'_>) -> u64 {
        match self {
            ContentMeasure::Turns => content.turns().into(),
            ContentMeasure::PromptBytes => content.prompt_bytes(),
            ContentMeasure::PromptTokens => content.prompt_tokens(),
        }
    }
}

impl Bounds {
    /// Bounds that contain every number.
    pub const ANY: Bounds = Bounds {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    /// Whether a number is within the bounds.
    pub fn contain(&self, number: f64) -> bool {
        (self.min..=self.max).contains(&number)
    }

    fn covers(&self, other: &Bounds) -> bool {
        self.min <= other.min && self.max >= other.max
    }

    fn excludes(&self, other: &Bounds) -> bool {
        self.max < other.min || other.max < self.min
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min.is_finite(), self.max.is_finite()) {
            _ if self.min == self.max => write!(out, "{}", self.min),
            (true, true) => write!(out, "{} to {}", self.min, self.max),
            (true, false) => write!(out, "at least {}", self.min),
            (false, true) => write!(out, "at most {}", self.max),
            (false, false) => out.write_str("any"),
        }
    }
}

impl ContentCondition {
    /// Whether the condition holds for this content.
    pub(super) fn evaluate(&self, content: &Content<'_>) -> bool {
        match self {
            ContentCondition::Has(fact, wanted) => fact.is_in(content) == *wanted,
            ContentCondition::Counts(amount, bounds) => {
                bounds.contain(as_number(amount.of(content)))
            }
            ContentCondition::Field { path, test } => test.holds(content, path),
            ContentCondition::Text(part, pattern) => content.has_text(*part, pattern),
            ContentCondition::Script(scripts) => {
                let script = content.script();
                script.is_some_and(|script| scripts.contains(&script))
            }
        }
    }

    /// Whether this condition holds for every request for which `other` holds. `false` if that cannot be shown.
    pub(super) fn covers(&self, other: &ContentCondition) -> bool {
        use ContentCondition::{Counts, Field, Has, Script, Text};
        match (self, other) {
            (Counts(this, bounds), Counts(other, others)) => this == other && bounds.covers(others),
            (Counts(_, bounds), _) if bounds.covers(&COUNTS) => true,
            (Has(ContentFeature::SystemPrompt, true), Text(PromptPart::System, _)) => true,
            (
                Field { path, test },
                Field {
                    path: other_path,
                    test: other,
                },
            ) => path == other_path && test.covers(other),
            (Script(these), Script(others)) => others.iter().all(|other| these.contains(other)),
            (Text(part, this), Text(of, other)) => {
                (part == of || is_part(*of, *part, other)) && this.covers(other)
            }
            _ => self == other,
        }
    }

    /// Whether no request can meet both conditions. `false` if that cannot be shown.
    pub(super) fn excludes(&self, other: &ContentCondition) -> bool {
        use ContentCondition::{Counts, Field, Has, Script, Text};
        match (self, other) {
            (Has(this, wanted), Has(other, others)) => this == other && wanted != others,
            (Has(ContentFeature::SystemPrompt, false), Text(PromptPart::System, _))
            | (Text(PromptPart::System, _), Has(ContentFeature::SystemPrompt, false)) => true,
            (Counts(this, bounds), Counts(other, others)) => {
                this == other && bounds.excludes(others)
            }
            (Script(these), Script(others)) => !others.iter().any(|other| these.contains(other)),
            // Values of a list do not exclude each other: one item may match here and another there.
            (
                Field { path, test },
                Field {
                    path: other_path,
                    test: other,
                },
            ) => path == other_path && test.is_absence() != other.is_absence(),
            _ => false,
        }
    }

    /// Whether no request can meet the condition.
    pub(super) fn is_impossible(&self) -> bool {
        match self {
            ContentCondition::Counts(_, bounds) => bounds.excludes(&COUNTS),
            _ => false,
        }
    }
}

/// Whether every match of the pattern in `part` is also a match in `of`.
fn is_part(part: PromptPart, of: PromptPart, pattern: &TextPattern) -> bool {
    // A regular expression may anchor at the beginning or end of the text.
    if pattern.has_regex() {
        return false;
    }
    match (part, of) {
        (PromptPart::LastUser, PromptPart::User) => true,
        // Between two messages of one author there may be others.
        (_, PromptPart::All) => !pattern.has_rows(),
        _ => false,
    }
}

/// The values that a count can have.
const COUNTS: Bounds = Bounds {
    min: 0.0,
    max: f64::INFINITY,
};

impl FieldTest {
    fn holds(&self, content: &Content<'_>, path: &str) -> bool {
        let is_there = |wanted: &dyn Fn(RawFieldValue<'_>) -> bool| {
            content.any_value(path, &mut |value| value.any_item(wanted))
        };
        match self {
            FieldTest::OneOf(values) => {
                is_there(&|value| values.iter().any(|wanted| wanted.is(value)))
            }
            FieldTest::Within(bounds) => is_there(&|value| {
                let number = value.number();
                number.is_some_and(|number| bounds.contain(number))
            }),
            FieldTest::Matches(pattern) => {
                is_there(&|value| value.text().is_some_and(|text| pattern.matches(&text)))
            }
            FieldTest::Exists(wanted) => {
                content.any_value(path, &mut |value| !value.is_null()) == *wanted
            }
        }
    }

    fn covers(&self, other: &FieldTest) -> bool {
        match (self, other) {
            (FieldTest::Exists(true), _) => !other.is_absence(),
            (FieldTest::OneOf(these), FieldTest::OneOf(others)) => others
                .iter()
                .all(|other| these.iter().any(|this| this.covers(other))),
            (FieldTest::Within(this), FieldTest::Within(other)) => this.covers(other),
            (FieldTest::Within(bounds), FieldTest::OneOf(values)) => values.iter().all(
                |value| matches!(value, FieldValue::Number(number) if bounds.contain(*number)),
            ),
            (FieldTest::Matches(this), FieldTest::Matches(other)) => this.covers(other),
            _ => self == other,
        }
    }

    /// Whether the test requires that the field does not exist.
    fn is_absence(&self) -> bool {
        *self == FieldTest::Exists(false)
    }
}

impl FieldValue {
    fn is(&self, value: RawFieldValue<'_>) -> bool {
        match self {
            FieldValue::Text(pattern) => value
                .text()
                .is_some_and(|text| pattern.matches(text.as_bytes())),
            FieldValue::Number(number) => value.number() == Some(*number),
            FieldValue::Bool(wanted) => value.boolean() == Some(*wanted),
        }
    }

    fn covers(&self, other: &FieldValue) -> bool {
        match (self, other) {
            (FieldValue::Text(this), FieldValue::Text(other)) => this.covers(other),
            _ => self == other,
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Text(pattern) => pattern.fmt(out),
            FieldValue::Number(number) => number.fmt(out),
            FieldValue::Bool(wanted) => wanted.fmt(out),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "counts of what is in a body are far below what an f64 has exactly"
)]
fn as_number(count: u64) -> f64 {
    count as f64
}
