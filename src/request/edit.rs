//! One edit of a body by span: every byte outside the span stays as it was sent.

use std::ops::Range;

/// Some bytes in place of others, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go, counted from the body's start.
    pub span: Range<usize>,
    /// What comes in their place.
    pub with: Vec<u8>,
}

impl Edit {
    /// How long a body of `length` bytes is afterwards.
    pub fn length_after(&self, length: usize) -> usize {
        length
            .saturating_sub(self.span.len())
            .saturating_add(self.with.len())
    }

    /// What takes the place of the body's first `self.span.end` bytes. The rest of the body need not be
    /// copied: Envoy can replace the beginning of a buffer alone.
    pub fn beginning(&self, body: &[u8]) -> Vec<u8> {
        let kept = body.get(..self.span.start).unwrap_or(body);
        [kept, &self.with].concat()
    }

    /// The whole body afterwards.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut edited = self.beginning(body);
        edited.extend_from_slice(body.get(self.span.end..).unwrap_or_default());
        edited
    }
}

/// Carries an [`Edit`] out on a body that passes in chunks of any size.
#[derive(Debug)]
pub struct StreamingEdit {
    edit: Edit,
    /// How many bytes of the original body have passed.
    passed: usize,
}

/// What to do to one chunk: its first `keep + drop` bytes become its first `keep` bytes and then `insert`.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkEdit<'a> {
    /// How many bytes stay at the chunk's beginning.
    pub keep: usize,
    /// How many bytes after these go.
    pub drop: usize,
    /// What comes in their place.
    pub insert: &'a [u8],
}

impl StreamingEdit {
    /// Starts at the body's beginning.
    pub fn new(edit: Edit) -> Self {
        StreamingEdit { edit, passed: 0 }
    }

    /// What to do to the next chunk, of `length` bytes; `None`: it passes as it is.
    pub fn chunk(&mut self, length: usize) -> Option<ChunkEdit<'_>> {
        let start = self.passed;
        let end = start.saturating_add(length);
        self.passed = end;
        let Edit { span, with } = &self.edit;
        if end <= span.start || start >= span.end {
            return None;
        }
        let keep = span.start.saturating_sub(start);
        Some(ChunkEdit {
            keep,
            drop: span.end.min(end).saturating_sub(start.saturating_add(keep)),
            // The first chunk that the span touches brings the new bytes; later ones only lose theirs.
            insert: if span.start >= start { with } else { &[] },
        })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chunks_add_up_to_the_whole(
            body in prop::collection::vec(any::<u8>(), 1..40),
            with in prop::collection::vec(any::<u8>(), 0..6),
            cuts in prop::collection::vec(1_usize..8, 0..40),
            a: prop::sample::Index,
            b: prop::sample::Index,
        ) {
            let (a, b) = (a.index(body.len()), b.index(body.len()));
            let edit = Edit { span: a.min(b)..a.max(b) + 1, with };
            let whole = edit.apply(&body);
            prop_assert_eq!(whole.len(), edit.length_after(body.len()));

            let mut streaming = StreamingEdit::new(edit);
            let mut rest = body.as_slice();
            let mut cuts = cuts.into_iter();
            let mut out = Vec::new();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(cuts.next().unwrap_or(usize::MAX).min(rest.len()));
                rest = after;
                match streaming.chunk(chunk.len()) {
                    None => out.extend_from_slice(chunk),
                    Some(ChunkEdit { keep, drop, insert }) => {
                        out.extend_from_slice(&chunk[..keep]);
                        out.extend_from_slice(insert);
                        out.extend_from_slice(&chunk[keep + drop..]);
                    }
                }
            }
            prop_assert_eq!(out, whole);
        }
    }
}
