//! Model capabilities, as far as a request shows which ones it needs.

use crate::config::fallback::one_of;
use crate::config::reader::Node;

/// Something that not every model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Tool calls.
    Tools,
    /// Images in the prompt.
    Images,
    /// Audio in the prompt.
    Audio,
    /// Files in the prompt, such as PDFs.
    Files,
    /// Answers that follow a JSON schema.
    JsonSchema,
    /// Reasoning before the answer, with an effort that the request sets.
    Reasoning,
}

impl Capability {
    /// All capabilities, with their names in the document.
    pub const ALL: [(&'static str, Capability); 6] = [
        ("tools", Capability::Tools),
        ("images", Capability::Images),
        ("audio", Capability::Audio),
        ("files", Capability::Files),
        ("json_schema", Capability::JsonSchema),
        ("reasoning", Capability::Reasoning),
    ];

    /// Returns the name in the document.
    pub fn name(self) -> &'static str {
        let mut all = Capability::ALL.iter();
        all.find(|(_, one)| *one == self)
            .map_or("", |(name, _)| name)
    }
}

/// Reads a model's capabilities, in the order of [`Capability::ALL`].
pub(super) fn read_all(node: &Node<'_>) -> Vec<Capability> {
    let mut all = Vec::new();
    for node in node.list() {
        let Some(one) = one_of(&node, &Capability::ALL) else {
            continue;
        };
        if all.contains(&one) {
            node.error("is given twice: remove one");
        }
        all.push(one);
    }
    let in_order = Capability::ALL.into_iter().map(|(_, one)| one);
    in_order.filter(|one| all.contains(one)).collect()
}
