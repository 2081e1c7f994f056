//! What a request says, by one pass over its bytes, and edits of it by span.

mod edit;
mod headers;
mod scan;
pub mod text;

pub use edit::{ChunkEdit, Edit, StreamingEdit};
pub use headers::Headers;
pub use scan::{MAX_DEPTH, MAX_MODEL_BYTES, ScanError, View, scan};
