//! The edits that make a body what a target needs: the model's name, and the changes of its parameters.

use super::changes::ParameterChanges;
use super::edit::{Edit, Edits};
use super::members::{Object, Unclear};
use super::scan::ScanError;
use super::view::View;
use super::{Notation, text};

/// Where a body of OpenAI's asks for the usage of its stream.
pub const INCLUDE_USAGE: &str = "stream_options.include_usage";

/// A body that is to be rewritten for some targets.
#[derive(Debug)]
pub struct Rewriter<'a> {
    view: &'a View,
    body: &'a [u8],
    /// Its top level, if a parameter is changed there.
    top: Option<Object<'a>>,
}

impl<'a> Rewriter<'a> {
    /// Of the body of which this is the view, for targets with these changes.
    ///
    /// # Errors
    /// If the body has a field twice that one of them changes.
    pub fn new<'c>(
        view: &'a View,
        body: &'a [u8],
        changes: impl Iterator<Item = &'c ParameterChanges> + Clone,
    ) -> Result<Self, ScanError> {
        let wanted = |key: &[u8]| changes.clone().any(|changes| changes.names(key));
        let is_changed = changes.clone().any(|changes| !changes.is_empty());
        let mut top = None;
        // A form has no fields that can be changed: such targets are left out.
        if is_changed && view.notation == Notation::Json {
            let text = body.get(view.mark..).unwrap_or_default();
            top = match Object::read(body, text, &wanted) {
                Ok(top) => Some(top),
                Err(Unclear::NoObject) => None,
                Err(Unclear::Twice(at)) => return Err(ScanError::ChangedTwice(at)),
            };
        }
        Ok(Rewriter { view, body, top })
    }

    /// Whether the body does not ask for its stream's usage, and can be made to: where it says something odd there, that is
    /// between its sender and the backend.
    pub fn lacks_usage(&self) -> bool {
        let Some((options, usage)) = INCLUDE_USAGE.split_once('.') else {
            return false;
        };
        let Some(top) = &self.top else { return false };
        let find = |object: &Object<'a>, name: &str| {
            let mut members = object.members.iter();
            let member = members.find(|member| text::is_one_field(member.key, name.as_bytes()));
            member.map(|member| member.value)
        };
        let options = match find(top, options) {
            None | Some(b"null") => return true,
            Some(options) => options,
        };
        let is_usage = |key: &[u8]| text::is_one_field(key, usage.as_bytes());
        let Ok(options) = Object::read(self.body, options, &is_usage) else {
            return false;
        };
        matches!(find(&options, usage), None | Some(b"null" | b"false"))
    }

    /// What makes the body name this model, by its own field or an inserted one, and have its parameters changed. `None`:
    /// it keeps the model. A byte order mark goes in any case.
    ///
    /// # Errors
    /// If an object in the body has a field twice that is changed.
    pub fn edits(
        &self,
        model: Option<&str>,
        changes: &ParameterChanges,
    ) -> Result<Edits, ScanError> {
        let mut edits = Vec::new();
        if self.view.mark > 0 {
            edits.push(Edit {
                span: 0..self.view.mark,
                with: Vec::new(),
            });
        }
        let field = self.view.model.as_ref();
        let inserted = model.filter(|_| field.is_none()).map(inserted);
        match (&self.top, self.view.insert_at) {
            (Some(top), _) if !changes.is_empty() => {
                changes.edits(self.body, top, inserted, &mut edits)?;
            }
            (_, Some(place)) => edits.extend(inserted.map(|mut with| {
                if place.comma {
                    with.push(b',');
                }
                let span = place.at..place.at;
                Edit { span, with }
            })),
            _ => {}
        }
        if let (Some(model), Some(field)) = (model, field)
            && field.name != model
        {
            let before = edits
                .iter()
                .take_while(|edit| edit.span.start < field.span.start);
            let at = before.count();
            let span = field.span.clone();
            let with = self.view.notation.write(model);
            edits.insert(at, Edit { span, with });
        }
        Ok(Edits(edits))
    }
}

/// The field `model` as it is inserted.
fn inserted(model: &str) -> Vec<u8> {
    [br#""model":""#.as_slice(), &text::encode(model), b"\""].concat()
}
