//! Reads requests: the body in one pass over its bytes, headers and caller; and edits bodies by spans.

mod body_kind;
mod caller;
mod changes;
mod clamp;
mod content;
mod edit;
mod form;
mod header_parameters;
mod headers;
mod members;
mod query;
mod rewrite;
mod scan;
pub mod text;
pub use text::is_one_field;
mod state_references;
mod view;

pub use body_kind::{AcceptedBodies, BodyKind, BodyKindError, body_kind};
pub use caller::{CLAIMS_NAMESPACE, Caller, CallerParts, Claims, MeshIdentity};
pub use changes::ParameterChanges;
pub use clamp::{Bound, Clamp};
pub use content::{Content, PromptPart, RawFieldValue};
pub use edit::{ChunkEdit, Edit, Edits, StreamingEdit, make_relative_to_first};
pub use form::scan_form;
pub use headers::Headers;
pub use query::Query;
pub use rewrite::{INCLUDE_USAGE, Rewriter};
pub use scan::{MAX_DEPTH, MAX_MODEL_BYTES, ScanError, scan};
pub use view::{BodyView, InsertionPoint, ModelField, ModelRequirement, Notation};
