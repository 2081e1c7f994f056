//! Makes the edits that turn a body into the one that a target needs: with its model name and its parameter changes.

use super::changes::ParameterChanges;
use super::edit::{Edit, Edits};
use super::members::{Object, ObjectError};
use super::scan::ScanError;
use super::view::BodyView;
use super::{Notation, text};

/// The field in which an OpenAI body asks for the usage of its stream.
pub const INCLUDE_USAGE: &str = "stream_options.include_usage";

/// A body that may be rewritten for several targets.
#[derive(Debug)]
pub struct Rewriter<'a> {
    view: &'a BodyView,
    body: &'a [u8],
    /// The top-level object, if a parameter is changed there.
    top: Option<Object<'a>>,
}

impl<'a> Rewriter<'a> {
    /// Creates a rewriter of `body`, whose view this is, for targets with these changes.
    ///
    /// # Errors
    /// If the body has a field twice that one of the targets changes.
    pub fn new<'c>(
        view: &'a BodyView,
        body: &'a [u8],
        changes: impl Iterator<Item = &'c ParameterChanges> + Clone,
    ) -> Result<Self, ScanError> {
        let wanted = |key: &[u8]| changes.clone().any(|changes| changes.names(key));
        let is_changed = changes.clone().any(|changes| !changes.is_empty());
        let mut top = None;
        // Forms have no fields that can be changed; routing has left out targets that would change one.
        if is_changed && view.notation == Notation::Json {
            let text = body.get(view.bom_length..).unwrap_or_default();
            top = match Object::read(body, text, &wanted) {
                Ok(top) => Some(top),
                Err(ObjectError::NotAnObject) => None,
                Err(ObjectError::DuplicateField(at)) => return Err(ScanError::ChangedTwice(at)),
            };
        }
        Ok(Rewriter { view, body, top })
    }

    /// Creates a rewriter for targets that only insert fields that the body does not have, so that no field need be
    /// looked for. `None` if the body has no place to insert them.
    pub fn inserting(view: &'a BodyView, body: &'a [u8]) -> Option<Self> {
        let place = view.insert_at.filter(|_| view.notation == Notation::Json)?;
        let top = Some(Object {
            inside: place.at,
            count: usize::from(place.comma),
            members: Vec::new(),
        });
        Some(Rewriter { view, body, top })
    }

    /// Whether the body does not ask for its stream's usage and can be made to. If it has an odd value there, that is
    /// left to the client and the backend.
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

    /// Returns the edits that make the body name this model (in its own field or an inserted one) and change its
    /// parameters. `None`: the body keeps its model. A byte order mark is removed in any case.
    ///
    /// # Errors
    /// If an object in the body has a field twice that is changed.
    pub fn edits(
        &self,
        model: Option<&str>,
        changes: &ParameterChanges,
    ) -> Result<Edits, ScanError> {
        let mut edits = Vec::new();
        if self.view.bom_length > 0 {
            edits.push(Edit {
                span: 0..self.view.bom_length,
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

/// Returns the field `model` to insert.
fn inserted(model: &str) -> Vec<u8> {
    [br#""model":""#.as_slice(), &text::encode(model), b"\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{ModelRequirement, scan};

    fn asking() -> ParameterChanges {
        let mut asking = ParameterChanges::default();
        assert!(asking.set(INCLUDE_USAGE, b"true".to_vec()));
        asking
    }

    #[test]
    fn what_is_not_there_need_not_be_looked_for() {
        let asking = asking();
        for body in [
            r#"{"model":"m"}"#,
            " \n{ \"messages\":[{\"stream_options\":1}] , \"model\" : \"m\" }",
            "\u{feff}{\"stream\":true,\"model\":\"m\"}",
            "{}",
        ] {
            let body = body.as_bytes();
            let view = scan(body, ModelRequirement::Optional).unwrap();
            assert!(!view.has_stream_options);
            let looking = Rewriter::new(&view, body, std::iter::once(&asking)).unwrap();
            let inserting = Rewriter::inserting(&view, body).unwrap();
            assert!(looking.lacks_usage() && inserting.lacks_usage());
            for model in [None, Some("m"), Some("other")] {
                let expected = looking.edits(model, &asking).unwrap();
                assert!(!expected.is_empty());
                assert_eq!(inserting.edits(model, &asking).unwrap(), expected);
            }
        }
    }

    #[test]
    fn whether_usage_is_asked_for() {
        let asking = asking();
        for (options, lacks) in [
            ("null", true),
            ("{}", true),
            (r#"{"include_usage":null}"#, true),
            (r#"{"include_usage": false,"x":1}"#, true),
            (r#"{"include_usage":true}"#, false),
            // Invalid values are not the router's to correct.
            (r#"{"include_usage":"yes"}"#, false),
            (r#"{"include_usage":1,"include_usage":2}"#, false),
            ("[]", false),
            ("7", false),
        ] {
            for key in ["stream_options", r"stream\u005foptions", "Stream_Options"] {
                let body = format!(r#"{{"model":"m","{key}":{options}}}"#);
                let view = scan(body.as_bytes(), ModelRequirement::Required).unwrap();
                assert!(view.has_stream_options, "{body}");
                let changes = std::iter::once(&asking);
                let rewriter = Rewriter::new(&view, body.as_bytes(), changes).unwrap();
                assert_eq!(rewriter.lacks_usage(), lacks, "{body}");
            }
        }
    }
}
