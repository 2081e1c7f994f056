//! Edits of a body by byte spans: every byte outside of the spans stays as it was sent.

use std::borrow::Cow;
use std::ops::Range;

/// Replaces some bytes by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to remove, counted from the body's start. If the span is empty, at least one byte follows it.
    pub span: Range<usize>,
    /// The bytes to insert in their place.
    pub with: Vec<u8>,
}

/// The edits of a body, in its order and without overlap; if empty, the body stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(pub Vec<Edit>);

impl Edits {
    /// Whether the body stays as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the length of the body after the edits, if it has `length` bytes before.
    pub fn length_after(&self, length: usize) -> usize {
        let mut after = length;
        for edit in &self.0 {
            after = after.saturating_sub(edit.span.len());
            after = after.saturating_add(edit.with.len());
        }
        after
    }

    /// Returns how many bytes at the beginning of the body [`Edits::beginning`] replaces.
    pub fn replaced(&self) -> usize {
        self.0.last().map_or(0, |last| last.span.end)
    }

    /// Returns the replacement of the body's first bytes. The rest of the body need not be copied, because Envoy can
    /// replace the beginning of a buffer.
    pub fn beginning(&self, body: &[u8]) -> Vec<u8> {
        let replaced = self.replaced();
        let mut out = Vec::with_capacity(self.length_after(replaced));
        write(&self.0, 0..replaced, body, &mut out);
        out
    }

    /// Returns the complete body after the edits.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut edited = self.beginning(body);
        edited.extend_from_slice(body.get(self.replaced()..).unwrap_or_default());
        edited
    }
}

/// Writes a part of a body with these edits. `bytes` start where the part does, and may end after the last byte that
/// the edits keep.
fn write(edits: &[Edit], part: Range<usize>, bytes: &[u8], out: &mut Vec<u8>) {
    let mut at = part.start;
    let kept = |from: usize, to: usize| {
        let (from, to) = (
            from.saturating_sub(part.start),
            to.saturating_sub(part.start),
        );
        bytes.get(from..to).unwrap_or_default()
    };
    for Edit { span, with } in edits {
        out.extend_from_slice(kept(at, span.start.max(at)));
        // The part in which a span starts gets the new bytes; later parts only lose theirs.
        if span.start >= part.start {
            out.extend_from_slice(with);
        }
        at = span.end.min(part.end);
    }
    out.extend_from_slice(kept(at, part.end.max(at)));
}

/// Relates the edits of several items to the first item's edits, which are returned. Afterwards, each item's edits (the
/// first item's included) apply to the body after the returned edits.
pub fn make_relative_to_first<T>(
    body: &[u8],
    items: &mut [T],
    edits: impl Fn(&mut T) -> &mut Edits,
) -> Edits {
    let mut regions: Vec<Range<usize>> = Vec::new();
    for item in items.iter_mut() {
        for edit in &edits(item).0 {
            include(&mut regions, edit.span.clone());
        }
    }
    let Some((first, others)) = items.split_first_mut() else {
        return Edits::default();
    };
    let first = std::mem::take(edits(first));
    for other in others {
        let edits = edits(other);
        let own = std::mem::take(edits);
        let (mut firsts, mut theirs) = (first.0.as_slice(), own.0.as_slice());
        // How far the first item's edits shift what follows.
        let (mut gone, mut come) = (0_usize, 0_usize);
        for region in &regions {
            let is = content(&mut firsts, region, body);
            let wanted = content(&mut theirs, region, body);
            let start = region.start.saturating_sub(gone).saturating_add(come);
            gone = gone.saturating_add(region.len());
            come = come.saturating_add(is.len());
            if is != wanted {
                edits.0.push(Edit {
                    span: start..start.saturating_add(is.len()),
                    with: wanted.into_owned(),
                });
            }
        }
    }
    first
}

/// Returns the content of a region after the edits within it, which are removed from `edits`.
fn content<'a>(edits: &mut &'a [Edit], region: &Range<usize>, body: &'a [u8]) -> Cow<'a, [u8]> {
    let inside = edits.iter().take_while(|edit| edit.span.end <= region.end);
    let (inside, later) = edits.split_at(inside.count());
    *edits = later;
    let bytes = body.get(region.clone()).unwrap_or_default();
    match inside {
        [] => Cow::Borrowed(bytes),
        [all] if all.span == *region => Cow::Borrowed(&all.with),
        _ => {
            let mut out = Vec::new();
            write(inside, region.clone(), bytes, &mut out);
            Cow::Owned(out)
        }
    }
}

/// Inserts a span into sorted regions; regions that overlap or touch are merged.
fn include(regions: &mut Vec<Range<usize>>, span: Range<usize>) {
    let from = regions.partition_point(|region| region.end < span.start);
    let to = regions.partition_point(|region| region.start <= span.end);
    let mut whole = span;
    for region in regions.drain(from..to.max(from)) {
        whole = whole.start.min(region.start)..whole.end.max(region.end);
    }
    regions.insert(from, whole);
}

/// Applies [`Edits`] to a body that arrives in chunks of any size.
#[derive(Debug)]
pub struct StreamingEdit {
    edits: Edits,
    /// How many edits are done.
    done: usize,
    /// How many bytes of the original body have passed.
    passed: usize,
}

/// The edit of one chunk: a replacement of its beginning.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkEdit<'a> {
    /// How many of the chunk's first bytes are replaced; at least one.
    pub replaced: usize,
    /// How many of the chunk's first bytes are needed for that.
    pub needed: usize,
    edits: &'a [Edit],
    start: usize,
}

impl StreamingEdit {
    /// Starts at the beginning of the body.
    pub fn new(edits: Edits) -> Self {
        StreamingEdit {
            edits,
            done: 0,
            passed: 0,
        }
    }

    /// Returns the edit of the next chunk, of `length` bytes; `None`: it passes unchanged.
    pub fn chunk(&mut self, length: usize) -> Option<ChunkEdit<'_>> {
        let start = self.passed;
        let end = start.saturating_add(length);
        self.passed = end;
        let left = self.edits.0.get(self.done..).unwrap_or_default();
        let here = left.iter().take_while(|edit| edit.span.start < end).count();
        let edits = left.get(..here)?;
        let last = edits.last().filter(|_| length > 0)?;
        let done = edits.iter().filter(|edit| edit.span.end <= end).count();
        self.done = self.done.saturating_add(done);
        let kept = last.span.start.saturating_sub(start);
        let touched = last.span.end.min(end).saturating_sub(start);
        Some(ChunkEdit {
            replaced: touched.max(1),
            needed: kept.max(usize::from(touched == 0)),
            edits,
            start,
        })
    }
}

impl ChunkEdit<'_> {
    /// Returns the new beginning, made from the `needed` bytes of the old one.
    pub fn beginning(&self, needed: &[u8]) -> Vec<u8> {
        let end = self.start.saturating_add(self.replaced);
        let mut out = Vec::new();
        write(self.edits, self.start..end, needed, &mut out);
        out
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#[path = "edit_tests.rs"]
mod tests;
