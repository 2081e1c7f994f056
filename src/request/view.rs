//! The view of a body: the few facts that routing reads of every request.

use std::ops::Range;

use super::text;

/// What routing reads of a body. Positions are in bytes of the body as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyView {
    /// The model that the body names, if it does.
    pub model: Option<ModelField>,
    /// Where a field can be inserted; set for every JSON body.
    pub insert_at: Option<InsertionPoint>,
    /// Whether the request asks for a streamed answer.
    pub stream: bool,
    /// Whether the body may have a field `stream_options`, in any spelling.
    pub has_stream_options: bool,
    /// The field that refers to state at one provider, such as an earlier answer, a conversation or a file.
    pub state_reference: Option<&'static str>,
    /// How text is written in the body.
    pub notation: Notation,
    /// The length of the byte order mark at the beginning, which the first edit removes.
    pub bom_length: usize,
}

/// The field that names the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// The model's name, decoded.
    pub name: String,
    /// Its span: the inside of a JSON string, without the quotes, or the value of a form field.
    pub span: Range<usize>,
}

/// The place right behind the `{` of the top-level object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsertionPoint {
    /// The position before which a field can be inserted.
    pub at: usize,
    /// Whether a comma must follow, because the object has other fields.
    pub comma: bool,
}

/// How text is written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As the inside of a JSON string.
    Json,
    /// Unchanged.
    Form,
}

impl Notation {
    /// Returns the text as it is written in the body.
    pub fn write(self, text: &str) -> Vec<u8> {
        match self {
            Notation::Json => text::encode(text),
            Notation::Form => text.as_bytes().to_vec(),
        }
    }
}

/// Whether a body has to name a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelRequirement {
    /// The body has to.
    Required,
    /// The path names the model; the body may, too.
    Optional,
}

/// Returns the edits that only change the model's name.
#[cfg(test)]
pub(super) fn rename(view: &BodyView, body: &[u8], model: Option<&str>) -> super::Edits {
    use super::{ParameterChanges, Rewriter};
    let rewriter = Rewriter::new(view, body, std::iter::empty()).unwrap();
    rewriter.edits(model, &ParameterChanges::default()).unwrap()
}
