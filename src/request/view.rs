//! What a body says, as far as routing reads it.

use std::ops::Range;

use super::text;

/// What a body says. Positions are bytes of the body as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The model that is asked for, if the body names one.
    pub model: Option<ModelField>,
    /// Where a field can be inserted: in JSON, which always has such a place.
    pub insert_at: Option<Insertion>,
    /// Whether a streamed answer is asked for.
    pub stream: bool,
    /// Whether it may say something about its stream, under whichever spelling of `stream_options`.
    pub has_stream_options: bool,
    /// The field that names what only one provider has: an earlier answer, a conversation, a file.
    pub tie: Option<&'static str>,
    /// How a model's name is written.
    pub notation: Notation,
    /// How many bytes at the beginning are a byte order mark, which goes with the first edit.
    pub mark: usize,
}

/// The field that names the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// What it means.
    pub name: String,
    /// Where it stands: the inside of a JSON string, without the quotes, or the value of a form's field.
    pub span: Range<usize>,
}

/// A place right behind the `{` of the top-level object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The byte before which a field can be put.
    pub at: usize,
    /// Whether there are other fields, so that a comma has to follow.
    pub comma: bool,
}

/// How text is written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// Inside of a JSON string.
    Json,
    /// As it is.
    Form,
}

impl Notation {
    /// The text as it is written in place of another.
    pub fn write(self, text: &str) -> Vec<u8> {
        match self {
            Notation::Json => text::encode(text),
            Notation::Form => text.as_bytes().to_vec(),
        }
    }
}

/// Whether a body has to name a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// It has to.
    Model,
    /// The path names it; the body may.
    MayHaveModel,
}

/// The edits by which a body names this model and nothing else changes.
#[cfg(test)]
pub(super) fn rename(view: &View, body: &[u8], model: Option<&str>) -> super::Edits {
    use super::{ParameterChanges, Rewriter};
    let rewriter = Rewriter::new(view, body, std::iter::empty()).unwrap();
    rewriter.edits(model, &ParameterChanges::default()).unwrap()
}
