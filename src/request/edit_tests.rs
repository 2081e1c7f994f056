//! Tests of edits on whole bodies and on bodies in chunks.

use proptest::prelude::*;

use super::*;

const LENGTH: usize = 40;

/// Generates edits of a body of [`LENGTH`] bytes, in order and without overlap; some insert, some touch.
fn edits() -> impl Strategy<Value = Edits> {
    let one = (
        0_usize..6,
        0_usize..4,
        prop::collection::vec(any::<u8>(), 0..4),
    );
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let mut at = 0;
        let mut edits: Vec<Edit> = Vec::new();
        for (skipped, length, with) in all {
            let start = at + skipped;
            let span = start..start + length;
            at = span.end;
            // An insertion needs a byte after it.
            if span.end < LENGTH {
                edits.push(Edit { span, with });
            }
        }
        Edits(edits)
    })
}

/// Edits a body that arrives in chunks of these lengths.
fn in_chunks(edits: &Edits, body: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut streaming = StreamingEdit::new(edits.clone());
    let mut rest = body;
    let mut cuts = cuts.iter().copied();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let length = cuts.next().unwrap_or(usize::MAX).min(rest.len());
        let (chunk, after) = rest.split_at(length);
        rest = after;
        match streaming.chunk(chunk.len()) {
            None => out.extend_from_slice(chunk),
            Some(edit) => {
                assert!(edit.needed <= edit.replaced && edit.replaced <= chunk.len());
                assert!(edit.replaced > 0, "Envoy replaces a byte at least");
                out.extend(edit.beginning(&chunk[..edit.needed]));
                out.extend_from_slice(&chunk[edit.replaced..]);
            }
        }
    }
    out
}

/// Applies edits by the simplest possible code.
fn spliced(edits: &Edits, body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    for edit in edits.0.iter().rev() {
        out.splice(edit.span.clone(), edit.with.iter().copied());
    }
    out
}

proptest! {
    #[test]
    fn chunks_add_up_to_the_whole(
        body in prop::collection::vec(any::<u8>(), LENGTH),
        edits in edits(),
        cuts in prop::collection::vec(0_usize..9, 0..40),
    ) {
        let whole = spliced(&edits, &body);
        prop_assert_eq!(&edits.apply(&body), &whole);
        prop_assert_eq!(whole.len(), edits.length_after(body.len()));
        prop_assert_eq!(in_chunks(&edits, &body, &cuts), whole);
    }

    #[test]
    fn related_edits_come_to_the_same(
        body in prop::collection::vec(any::<u8>(), LENGTH),
        all in prop::collection::vec(edits(), 1..5),
        cuts in prop::collection::vec(1_usize..9, 0..40),
    ) {
        let wanted: Vec<Vec<u8>> = all.iter().map(|edits| spliced(edits, &body)).collect();
        let mut related = all.clone();
        let first = make_relative_to_first(&body, &mut related, |edits| edits);
        prop_assert_eq!(&first, &all[0]);
        prop_assert!(related[0].is_empty());
        let left = first.apply(&body);
        for (edits, wanted) in related.iter().zip(&wanted) {
            prop_assert_eq!(&edits.apply(&left), wanted);
            prop_assert_eq!(edits.length_after(left.len()), wanted.len());
            prop_assert_eq!(&in_chunks(edits, &left, &cuts), wanted);
        }
        // Items that ask for the same edits as the first have none left.
        let same = all.iter().zip(&related).filter(|(of, _)| **of == all[0]);
        for (_, edits) in same {
            prop_assert!(edits.is_empty());
        }
    }
}
