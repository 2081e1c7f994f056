//! What a request says, by one pass over its bytes, and edits of it by span.

mod caller;
mod content;
mod edit;
mod form;
mod headers;
mod kind;
mod parameters;
mod scan;
pub mod text;
mod ties;
mod view;

pub use caller::Caller;
pub use content::{Content, Part, Written};
pub use edit::{ChunkEdit, Edit, StreamingEdit};
pub use form::scan_form;
pub use headers::Headers;
pub use kind::{Accepts, BodyKind, KindError, body_kind};
pub use scan::{MAX_DEPTH, MAX_MODEL_BYTES, ScanError, scan};
pub use view::{Insertion, ModelField, Notation, Rewrite, View, Wants};
