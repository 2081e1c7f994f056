//! What a body says, as far as routing reads it, and the edit that makes it name a model.

use std::ops::Range;

use super::{Edit, text};

/// What a body says. Positions are bytes of the body as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The model that is asked for, if the body names one.
    pub model: Option<ModelField>,
    /// Where a field can be inserted: in JSON, which always has such a place.
    pub insert_at: Option<Insertion>,
    /// Whether a streamed answer is asked for.
    pub stream: bool,
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
    /// All of them.
    pub const ALL: [Notation; 2] = [Notation::Json, Notation::Form];

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

/// What a body becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// `None`: it stays as it is.
    pub edit: Option<Edit>,
    /// Where the model's name stands afterwards.
    pub model_span: Option<Range<usize>>,
    /// How long the body is afterwards.
    pub length: usize,
}

impl View {
    /// Makes the body, of which this is the view, name this model, by its own field or an inserted one. `None`: it keeps
    /// what it says. A byte order mark goes either way.
    pub fn rewrite(&self, body: &[u8], model: Option<&str>) -> Rewrite {
        // What is replaced, by what, and which part of that is the name.
        let (span, with, name) = match (model, &self.model, self.insert_at) {
            (Some(model), Some(field), _) if field.name != model => {
                let with = self.notation.write(model);
                let name = 0..with.len();
                (field.span.clone(), with, name)
            }
            (Some(model), None, Some(place)) => {
                let (with, name) = inserted(model, place.comma);
                (place.at..place.at, with, name)
            }
            (_, field, _) => {
                let span = field.as_ref().map(|field| field.span.clone());
                return self.without_mark(body.len(), span);
            }
        };
        let kept = body.get(self.mark..span.start).unwrap_or_default();
        let at = kept.len();
        let edit = if self.mark == 0 {
            Edit { span, with }
        } else {
            Edit {
                span: 0..span.end,
                with: [kept, &with].concat(),
            }
        };
        Rewrite {
            length: edit.length_after(body.len()),
            edit: Some(edit),
            model_span: Some(name.start.saturating_add(at)..name.end.saturating_add(at)),
        }
    }

    fn without_mark(&self, length: usize, model: Option<Range<usize>>) -> Rewrite {
        let mark = self.mark;
        Rewrite {
            edit: (mark > 0).then(|| Edit {
                span: 0..mark,
                with: Vec::new(),
            }),
            model_span: model
                .map(|span| span.start.saturating_sub(mark)..span.end.saturating_sub(mark)),
            length: length.saturating_sub(mark),
        }
    }
}

/// The field `model` as it is inserted, and where the name stands in it.
fn inserted(model: &str, comma: bool) -> (Vec<u8>, Range<usize>) {
    let mut with = br#""model":""#.to_vec();
    let start = with.len();
    with.extend_from_slice(&text::encode(model));
    let name = start..with.len();
    with.push(b'"');
    if comma {
        with.push(b',');
    }
    (with, name)
}
