//! Loads the document of a file, for the commands that need a valid one.

use std::path::Path;

use super::embedded::{self, Role};
use super::report::Finding;
use super::source::parse;
use super::{CommandError, check};
use crate::config::{Document, Tree};

/// The first document of a file.
pub(super) struct LoadedDocument {
    pub(super) document: Document,
    pub(super) tree: Tree,
    /// The text of the complete file.
    pub(super) text: String,
}

/// Loads a file's first document; `None` if it has errors, which are then already printed.
pub(super) fn load(file: &Path) -> Result<Option<LoadedDocument>, CommandError> {
    let text = super::read(file)?;
    match of_text(file, text.clone())? {
        Ok(loaded) => Ok(Some(loaded)),
        Err(findings) => {
            for finding in findings {
                anstream::eprint!("{}", finding.render(&file.display().to_string(), &text));
            }
            Ok(None)
        }
    }
}

/// Loads the first document of a text, or returns its errors.
pub(super) fn of_text(
    file: &Path,
    text: String,
) -> Result<Result<LoadedDocument, Vec<Finding>>, CommandError> {
    let documents = match parse(&text) {
        Ok(documents) => documents,
        // Report the error with its place.
        Err(_) => return Ok(Err(check::check(file, &text)?.findings)),
    };
    let mut carried = embedded::find(&documents, &text).into_iter();
    let Some(one) = carried.find(|one| one.role == Role::Router) else {
        return check::check(file, &text).map(|checked| Err(checked.findings));
    };
    let Ok(value) = one.value else {
        return Ok(Err(check::check(file, &text)?.findings));
    };
    Ok(match Document::compile_untested(&value.tree) {
        Ok(document) => Ok(LoadedDocument {
            document,
            tree: value.tree,
            text,
        }),
        Err(errors) => Err(check::located(&errors, &value.located)),
    })
}
