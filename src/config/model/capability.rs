//! What a model can do, as far as a request shows that it needs it.

use crate::config::fallback::one_of;
use crate::config::reader::Node;

/// Something that not every model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Calls tools.
    Tools,
    /// Sees images.
    Images,
    /// Hears audio.
    Audio,
    /// Reads files, PDFs say.
    Files,
    /// Answers by a JSON schema.
    JsonSchema,
    /// Thinks before it answers, as much as it is told to.
    Reasoning,
}

impl Capability {
    /// All of them, with their names in the document.
    pub const ALL: [(&'static str, Capability); 6] = [
        ("tools", Capability::Tools),
        ("images", Capability::Images),
        ("audio", Capability::Audio),
        ("files", Capability::Files),
        ("json_schema", Capability::JsonSchema),
        ("reasoning", Capability::Reasoning),
    ];

    /// The name in the document.
    pub fn name(self) -> &'static str {
        let mut all = Capability::ALL.iter();
        all.find(|(_, one)| *one == self)
            .map_or("", |(name, _)| name)
    }
}

/// In the order of [`Capability::ALL`].
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
