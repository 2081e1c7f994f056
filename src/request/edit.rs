//! Edits of a body by span: every byte outside the spans stays as it was sent.

use std::borrow::Cow;
use std::ops::Range;

/// Some bytes in place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go, counted from the body's start. Where there are none, a byte follows at least.
    pub span: Range<usize>,
    /// What comes in their place.
    pub with: Vec<u8>,
}

/// What happens to a body: edits in its order, which do not overlap; none: it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(pub Vec<Edit>);

impl Edits {
    /// Whether the body stays as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long a body of `length` bytes is afterwards.
    pub fn length_after(&self, length: usize) -> usize {
        let mut after = length;
        for edit in &self.0 {
            after = after.saturating_sub(edit.span.len());
            after = after.saturating_add(edit.with.len());
        }
        after
    }

    /// How many bytes at the beginning [`Edits::beginning`] takes the place of.
    pub fn replaced(&self) -> usize {
        self.0.last().map_or(0, |last| last.span.end)
    }

    /// What takes the place of the body's first bytes. The rest of the body need not be copied: Envoy can replace the
    /// beginning of a buffer alone.
    pub fn beginning(&self, body: &[u8]) -> Vec<u8> {
        let replaced = self.replaced();
        let mut out = Vec::with_capacity(self.length_after(replaced));
        write(&self.0, 0..replaced, body, &mut out);
        out
    }

    /// The whole body afterwards.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut edited = self.beginning(body);
        edited.extend_from_slice(body.get(self.replaced()..).unwrap_or_default());
        edited
    }
}

/// Writes a part of a body with these edits in it. `bytes` begin where the part does, and need not go on behind what
/// the last edit keeps.
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
        // The first part that a span touches brings the new bytes; later ones only lose theirs.
        if span.start >= part.start {
            out.extend_from_slice(with);
        }
        at = span.end.min(part.end);
    }
    out.extend_from_slice(kept(at, part.end.max(at)));
}

/// Makes the edits of several items, all of the same body, follow one another: those of the first one are returned, and
/// what they make of the body is what the edits of every item, the first one included, are about afterwards.
pub fn relate<T>(body: &[u8], items: &mut [T], edits: impl Fn(&mut T) -> &mut Edits) -> Edits {
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
        // How far the first edits have moved what follows.
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

/// A region of a body with those of these edits that are in it, which are taken.
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

/// Puts a span among regions in their order; what overlaps or abuts becomes one.
fn include(regions: &mut Vec<Range<usize>>, span: Range<usize>) {
    let from = regions.partition_point(|region| region.end < span.start);
    let to = regions.partition_point(|region| region.start <= span.end);
    let mut whole = span;
    for region in regions.drain(from..to.max(from)) {
        whole = whole.start.min(region.start)..whole.end.max(region.end);
    }
    regions.insert(from, whole);
}

/// Carries [`Edits`] out on a body that passes in chunks of any size.
#[derive(Debug)]
pub struct StreamingEdit {
    edits: Edits,
    /// How many of them are done.
    done: usize,
    /// How many bytes of the original body have passed.
    passed: usize,
}

/// What to do to one chunk: a new beginning.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkEdit<'a> {
    /// How many of the chunk's first bytes are replaced; one at least.
    pub replaced: usize,
    /// How many of the chunk's first bytes have to be known for that.
    pub needed: usize,
    edits: &'a [Edit],
    start: usize,
}

impl StreamingEdit {
    /// Starts at the body's beginning.
    pub fn new(edits: Edits) -> Self {
        StreamingEdit {
            edits,
            done: 0,
            passed: 0,
        }
    }

    /// What to do to the next chunk, of `length` bytes; `None`: it passes as it is.
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
    /// The new beginning, from the `needed` bytes of the old one.
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
