//! Reads requests: the body in one pass over its bytes, headers and caller; and edits bodies by spans.

mod caller;
mod changes;
mod clamp;
mod content;
mod edit;
mod form;
mod headers;
mod kind;
mod members;
mod parameters;
mod query;
mod rewrite;
mod scan;
pub mod text;
pub use text::is_one_field;
mod ties;
mod view;

pub use caller::{CLAIMS_NAMESPACE, Caller, CallerAsks, Claims, Mesh};
pub use changes::ParameterChanges;
pub use clamp::{Bound, Clamp};
pub use content::{Content, Part, Written};
pub use edit::{ChunkEdit, Edit, Edits, StreamingEdit, relate};
pub use form::scan_form;
pub use headers::Headers;
pub use kind::{Accepts, BodyKind, KindError, body_kind};
pub use query::Query;
pub use rewrite::{INCLUDE_USAGE, Rewriter};
pub use scan::{MAX_DEPTH, MAX_MODEL_BYTES, ScanError, scan};
pub use view::{Insertion, ModelField, Notation, View, Wants};
