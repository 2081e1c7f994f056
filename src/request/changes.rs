//! Applies a target's `parameters` to a body: changes the named fields and leaves every other byte as it was sent.
//!
//! A change applies to a field in every spelling that some server accepts for it ([`text::is_one_field`]), so that no
//! spelling bypasses it; afterwards the field has its exact name. A body that has such a field twice is refused, as for
//! the fields that routing reads, because readers differ in which of the two counts. A field that is `null` counts as
//! absent.

use super::clamp::Clamp;
use super::content::value_in;
use super::edit::Edit;
use super::members::{Member, Object, ObjectError};
use super::scan::ScanError;
use super::text;

/// The changes to the fields of an object; if empty, the object stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterChanges(Vec<FieldChange>);

/// The change of one field.
#[derive(Clone, Debug, PartialEq)]
struct FieldChange {
    /// The field's name: ASCII that needs no escapes in JSON.
    name: String,
    /// The name that the field is renamed from, in the same object.
    from: Option<String>,
    action: ChangeAction,
}

#[derive(Clone, Debug, PartialEq)]
enum ChangeAction {
    Remove,
    /// Sets the field to this JSON value.
    Set(Vec<u8>),
    /// Sets the field to the default if it is absent, then keeps it within the bounds.
    Adjust(Option<Vec<u8>>, Option<Clamp>),
    /// Changes fields of the object that the field contains.
    Nested(ParameterChanges),
}

impl ChangeAction {
    /// Returns the value that an absent field gets.
    fn value_if_absent(&self) -> Option<&[u8]> {
        match self {
            ChangeAction::Set(value) | ChangeAction::Adjust(Some(value), None) => Some(value),
            ChangeAction::Adjust(Some(value), Some(clamp)) => {
                Some(clamp.replacement(value).unwrap_or(value))
            }
            _ => None,
        }
    }

    /// Returns the new value of a field that has this value, or none.
    fn replacement<'v>(&'v self, value: Option<&'v [u8]>) -> Option<&'v [u8]> {
        match (self, value.filter(|value| *value != b"null")) {
            (ChangeAction::Remove, _) => None,
            (ChangeAction::Adjust(_, Some(clamp)), Some(value)) => {
                Some(clamp.replacement(value).unwrap_or(value))
            }
            (ChangeAction::Adjust(..) | ChangeAction::Nested(_), Some(value)) => Some(value),
            _ => self.value_if_absent(),
        }
    }
}

impl ParameterChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the field at this path, for another change. `None` if an earlier change affects an object on the path,
    /// or the field itself, as a whole.
    fn at(&mut self, path: &str) -> Option<&mut FieldChange> {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let known = self.0.iter().position(|field| field.name == name);
        let at = known.unwrap_or_else(|| {
            let action = match rest {
                Some(_) => ChangeAction::Nested(ParameterChanges::default()),
                None => ChangeAction::Adjust(None, None),
            };
            // Kept sorted, so that equal changes compare as equal.
            let at = self.0.iter().position(|field| field.name.as_str() > name);
            let at = at.unwrap_or(self.0.len());
            let (name, from) = (name.to_owned(), None);
            self.0.insert(at, FieldChange { name, from, action });
            at
        });
        let field = self.0.get_mut(at)?;
        match (rest, &field.action) {
            (None, ChangeAction::Adjust(..)) => Some(field),
            (Some(rest), ChangeAction::Nested(_)) => match &mut field.action {
                ChangeAction::Nested(inside) => inside.at(rest),
                _ => None,
            },
            _ => None,
        }
    }

    /// Renames the field at this path, within the same object. As with the other changes, `false` means that it
    /// contradicts an earlier one.
    pub fn rename(&mut self, path: &str, name: &str) -> bool {
        let (parent, old) = match path.rsplit_once('.') {
            Some((parent, old)) => (format!("{parent}."), old),
            None => (String::new(), path),
        };
        let field = self.at(&format!("{parent}{name}"));
        field.is_some_and(|field| fill(&mut field.from, old.to_owned()))
    }

    /// Removes the field at this path.
    pub fn remove(&mut self, path: &str) -> bool {
        self.set_action(path, ChangeAction::Remove)
    }

    /// Sets the field at this path to a JSON value.
    pub fn set(&mut self, path: &str, value: Vec<u8>) -> bool {
        self.set_action(path, ChangeAction::Set(value))
    }

    fn set_action(&mut self, path: &str, action: ChangeAction) -> bool {
        let untouched = ChangeAction::Adjust(None, None);
        let field = self.at(path);
        field
            .filter(|field| field.from.is_none() && field.action == untouched)
            .map(|field| field.action = action)
            .is_some()
    }

    /// Sets the field at this path to a JSON value if it is absent.
    pub fn default_to(&mut self, path: &str, value: Vec<u8>) -> bool {
        match self.at(path).map(|field| &mut field.action) {
            Some(ChangeAction::Adjust(default, _)) => fill(default, value),
            _ => false,
        }
    }

    /// Keeps the field at this path within bounds.
    pub fn clamp(&mut self, path: &str, bounds: Clamp) -> bool {
        match self.at(path).map(|field| &mut field.action) {
            Some(ChangeAction::Adjust(_, clamp)) => fill(clamp, bounds),
            _ => false,
        }
    }

    /// Returns the JSON value that the field at this path has after the changes. `before` reads fields of the original
    /// body.
    pub(super) fn after<'v>(
        &'v self,
        path: &str,
        before: &dyn Fn(&str) -> Option<&'v [u8]>,
    ) -> Option<&'v [u8]> {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let is_it = |other: &str| text::is_one_field(name.as_bytes(), other.as_bytes());
        let Some(field) = self.0.iter().find(|field| is_it(&field.name)) else {
            let mut old = self.0.iter().filter_map(|field| field.from.as_deref());
            return if old.any(is_it) { None } else { before(path) };
        };
        let here = before(name).filter(|value| *value != b"null");
        let here = here.or_else(|| before(field.from.as_deref()?));
        match (&field.action, rest) {
            (ChangeAction::Nested(inside), Some(rest)) => {
                inside.after(rest, &|path| value_in(here?, path))
            }
            (action, rest) => {
                let value = action.replacement(here)?;
                rest.map_or(Some(value), |rest| value_in(value, rest))
            }
        }
    }

    /// Whether a key is the name of a field that is changed.
    pub(super) fn names(&self, key: &[u8]) -> bool {
        self.0.iter().any(|field| {
            let is = |name: &str| text::is_one_field(key, name.as_bytes());
            is(&field.name) || field.from.as_deref().is_some_and(is)
        })
    }

    /// Appends the edits of an object, in the order of the body. `first` is a field to insert before all others.
    pub(super) fn edits(
        &self,
        body: &[u8],
        object: &Object<'_>,
        first: Option<Vec<u8>>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), ScanError> {
        let mut changes: Vec<MemberChange<'_>> =
            object.members.iter().map(|_| MemberChange::Keep).collect();
        let mut inserted: Vec<Vec<u8>> = first.into_iter().collect();
        for field in &self.0 {
            let found = field.find(&object.members);
            if let Some(gone) = found.gone.and_then(|gone| changes.get_mut(gone)) {
                *gone = MemberChange::Remove;
            }
            match found.here.and_then(|here| changes.get_mut(here)) {
                Some(change) => *change = MemberChange::Edit(field),
                None => inserted.extend(field.inserted()),
            }
        }
        let removed = changes.iter().filter(|change| change.is_removal()).count();
        if !inserted.is_empty() {
            let mut with = inserted.join(&b","[..]);
            if object.count > removed {
                with.push(b',');
            }
            let span = object.inside..object.inside;
            edits.push(Edit { span, with });
        }
        let mut members = object.members.iter().zip(&changes).peekable();
        while let Some((member, change)) = members.next() {
            match change {
                MemberChange::Keep => {}
                MemberChange::Edit(field) => field.edits(body, member, edits)?,
                MemberChange::Remove => {
                    let mut last = member;
                    while let Some((next, _)) = members.next_if(|(next, change)| {
                        change.is_removal() && next.index == last.index.saturating_add(1)
                    }) {
                        last = next;
                    }
                    edits.push(removal(member, last));
                }
            }
        }
        Ok(())
    }

    /// Returns an object of the fields that get a value even if they are absent; `None` if there are none.
    fn new_object(&self) -> Option<Vec<u8>> {
        let fields: Vec<Vec<u8>> = self.0.iter().filter_map(FieldChange::inserted).collect();
        (!fields.is_empty()).then(|| [b"{", fields.join(&b","[..]).as_slice(), b"}"].concat())
    }

    /// Whether a field inside is set whatever the body contains.
    fn has_set(&self) -> bool {
        self.0.iter().any(|field| match &field.action {
            ChangeAction::Set(_) => true,
            ChangeAction::Nested(inside) => inside.has_set(),
            _ => false,
        })
    }
}

/// Fills an empty place; `false` if it already has a value.
fn fill<T>(place: &mut Option<T>, value: T) -> bool {
    let is_free = place.is_none();
    if is_free {
        *place = Some(value);
    }
    is_free
}

/// What happens to a field of the body.
enum MemberChange<'a> {
    Keep,
    Remove,
    Edit(&'a FieldChange),
}

impl MemberChange<'_> {
    fn is_removal(&self) -> bool {
        matches!(self, MemberChange::Remove)
    }
}

/// Removes neighbouring fields, together with one comma.
fn removal(first: &Member<'_>, last: &Member<'_>) -> Edit {
    let span = match (last.after, first.before) {
        (Some(after), _) => first.start()..after,
        (None, Some(before)) => before..last.end(),
        (None, None) => first.start()..last.end(),
    };
    let with = Vec::new();
    Edit { span, with }
}

/// Where a field is in the body: indexes of the object's members.
struct MemberIndexes {
    here: Option<usize>,
    gone: Option<usize>,
}

impl FieldChange {
    fn find(&self, members: &[Member<'_>]) -> MemberIndexes {
        let find = |name: &str| {
            let mut keys = members.iter().map(|member| member.key);
            keys.position(|key| text::is_one_field(key, name.as_bytes()))
        };
        let is_null = |at: usize| {
            let member = members.get(at);
            member.is_some_and(|member| member.value == b"null")
        };
        let here = find(&self.name);
        let old = self.from.as_deref().and_then(find);
        if matches!(self.action, ChangeAction::Remove) {
            let gone = here;
            return MemberIndexes { here: None, gone };
        }
        match (here, old) {
            // A value under the new name takes precedence, unless it is `null`.
            (Some(here), Some(old)) if is_null(here) => MemberIndexes {
                here: Some(old),
                gone: Some(here),
            },
            (Some(here), gone) => MemberIndexes {
                here: Some(here),
                gone,
            },
            (None, here) => MemberIndexes { here, gone: None },
        }
    }

    /// Returns the field to insert if the body does not have it; `None` if it stays absent.
    fn inserted(&self) -> Option<Vec<u8>> {
        let value = match &self.action {
            ChangeAction::Nested(inside) => inside.new_object()?,
            action => action.value_if_absent()?.to_vec(),
        };
        Some([b"\"", self.name.as_bytes(), b"\":", &value].concat())
    }

    /// Appends the edits of a field that the body has.
    fn edits(
        &self,
        body: &[u8],
        member: &Member<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), ScanError> {
        if !member.is_named(&self.name) {
            edits.push(Edit {
                span: member.key_span.clone(),
                with: self.name.as_bytes().to_vec(),
            });
        }
        let is_null = member.value == b"null";
        let value = match &self.action {
            ChangeAction::Set(value) => Some(value.clone()),
            ChangeAction::Adjust(Some(_), _) if is_null => {
                self.action.value_if_absent().map(<[u8]>::to_vec)
            }
            ChangeAction::Adjust(_, Some(clamp)) => {
                clamp.replacement(member.value).map(<[u8]>::to_vec)
            }
            ChangeAction::Nested(inside) => match self.object(body, member, inside)? {
                Some(object) => return inside.edits(body, &object, None, edits),
                // A value that is not an object cannot hold the field, so it is replaced if a field is set there.
                None if is_null || inside.has_set() => inside.new_object(),
                None => None,
            },
            ChangeAction::Remove | ChangeAction::Adjust(..) => None,
        };
        if let Some(with) = value
            && with != member.value
        {
            let span = member.value_span.clone();
            edits.push(Edit { span, with });
        }
        Ok(())
    }

    fn object<'a>(
        &self,
        body: &'a [u8],
        member: &Member<'a>,
        inside: &ParameterChanges,
    ) -> Result<Option<Object<'a>>, ScanError> {
        match Object::read(body, member.value, &|key| inside.names(key)) {
            Ok(object) => Ok(Some(object)),
            Err(ObjectError::NotAnObject) => Ok(None),
            Err(ObjectError::DuplicateField(at)) => Err(ScanError::ChangedTwice(at)),
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
