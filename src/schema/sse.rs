//! Parses server-sent events from a stream that arrives in arbitrary chunks.
//!
//! Source: the WHATWG's HTML standard, sections 9.2.5 and 9.2.6: UTF-8 with or without a byte order mark, lines that
//! end with LF, CRLF or CR, fields and comments, an event's end at a blank line.
//!
//! A stream is a sequence of pieces. A piece is either an event (its lines, the comments between them, and the blank
//! line), or something between events that has no meaning: a comment, a blank line or the byte order mark. A piece
//! that lies within one chunk is read in place.

use super::json::line_length;
use super::large::LargeEvent;

/// The maximum number of bytes of an event that are held. A larger event is read while it passes through.
pub(super) const MAX_EVENT_BYTES: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The reader of the events.
pub(super) trait EventSink {
    /// Handles an event that has data. Returns whether it may pass.
    fn event(&mut self, name: &[u8], data: &[u8]) -> bool;

    /// Handles an event that was too large to be held and has passed through.
    fn large(&mut self, large: &LargeEvent);
}

/// The state of the parser between two chunks.
#[derive(Debug)]
pub(super) struct SseParser {
    /// How many bytes of a byte order mark have arrived; its full length once it is known whether there is one.
    mark: usize,
    /// The beginning of an incomplete piece.
    held: Vec<u8>,
    /// The piece was too large, and what has arrived of it was passed on.
    is_passing: bool,
    /// The reader of that piece, if it is an event.
    large: Option<Box<LargeEvent>>,
    /// The piece has begun with a comment.
    is_comment: bool,
    /// The piece contains a complete field line, so it is an event.
    is_event: bool,
    /// No byte of the current line has arrived yet.
    at_line_start: bool,
    /// The last byte was a CR, so an LF that follows does not end another line.
    after_cr: bool,
    /// The last piece was not passed on.
    was_dropped: bool,
}

impl SseParser {
    pub(super) fn new() -> Self {
        SseParser {
            mark: 0,
            held: Vec::new(),
            is_passing: false,
            large: None,
            is_comment: false,
            is_event: false,
            at_line_start: true,
            after_cr: false,
            was_dropped: false,
        }
    }

    /// Whether no piece has begun.
    pub(super) fn is_between(&self) -> bool {
        self.at_line_start && !self.is_event && !self.is_in_mark()
    }

    /// Whether the stream so far may be the beginning of a byte order mark.
    fn is_in_mark(&self) -> bool {
        (1..BYTE_ORDER_MARK.len()).contains(&self.mark)
    }

    /// Treats bytes that looked like a byte order mark as the beginning of a line.
    fn settle_mark(&mut self) {
        let begun = BYTE_ORDER_MARK.get(..self.mark).unwrap_or_default();
        self.at_line_start = begun.is_empty();
        self.held.extend_from_slice(begun);
        self.mark = BYTE_ORDER_MARK.len();
    }

    /// Takes the next bytes. Appends what passes to `out`: everything except dropped events.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        reader: &mut impl EventSink,
        out: &mut Option<Vec<u8>>,
    ) {
        let chunk = self.after_mark(chunk, out);
        // Where in this chunk the current piece begins, and the position of the parser.
        let mut start = 0_usize;
        let mut at = 0_usize;
        while let Some(first) = chunk.get(at) {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                at = at.saturating_add(1);
                if self.is_between() {
                    // The LF belongs to the piece before.
                    if !self.was_dropped {
                        pass(out, b"\n");
                    }
                    start = at;
                }
                continue;
            }
            let length = line_length(chunk.get(at..).unwrap_or_default());
            if length > 0 {
                if self.is_between() {
                    self.is_comment = *first == b':';
                }
                self.at_line_start = false;
                at = at.saturating_add(length);
            }
            let Some(end) = chunk.get(at) else {
                break;
            };
            at = at.saturating_add(1);
            self.after_cr = *end == b'\r';
            let is_blank = std::mem::replace(&mut self.at_line_start, true);
            if is_blank || (self.is_comment && !self.is_event) {
                let piece = chunk.get(start..at).unwrap_or_default();
                self.complete(piece, reader, out);
                start = at;
            } else {
                self.is_event = true;
            }
        }
        self.hold(chunk.get(start..).unwrap_or_default(), out);
    }

    /// Ends the stream. An event that lacks only its blank line is read and completed.
    pub(super) fn end(&mut self, reader: &mut impl EventSink, out: &mut Option<Vec<u8>>) {
        if self.is_in_mark() {
            self.settle_mark();
        }
        if self.is_between() {
            return;
        }
        // The first LF after a CR does not end another line.
        let is_one_missing = self.at_line_start && !self.after_cr;
        let missing: &[u8] = if is_one_missing { b"\n" } else { b"\n\n" };
        self.at_line_start = true;
        self.after_cr = false;
        self.is_event |= !self.is_comment;
        self.complete(b"", reader, out);
        if !self.was_dropped {
            pass(out, missing);
        }
    }

    /// Returns the part of a chunk after a byte order mark at the stream's beginning.
    fn after_mark<'a>(&mut self, chunk: &'a [u8], out: &mut Option<Vec<u8>>) -> &'a [u8] {
        let mut rest = chunk;
        while let Some(expected) = BYTE_ORDER_MARK.get(self.mark) {
            match rest.split_first() {
                None => break,
                Some((byte, after)) if byte == expected => {
                    self.mark = self.mark.saturating_add(1);
                    rest = after;
                    if self.mark == BYTE_ORDER_MARK.len() {
                        pass(out, BYTE_ORDER_MARK);
                    }
                }
                Some(_) => self.settle_mark(),
            }
        }
        rest
    }

    /// Completes a piece with these bytes.
    fn complete(&mut self, end: &[u8], reader: &mut impl EventSink, out: &mut Option<Vec<u8>>) {
        let is_event = std::mem::take(&mut self.is_event);
        self.is_comment = false;
        self.was_dropped = false;
        if std::mem::take(&mut self.is_passing) {
            self.large_goes_on(end);
            self.large_ends(reader);
            pass(out, end);
        } else if !self.fits(end) {
            if is_event {
                self.begin_large(end);
                self.large_ends(reader);
            }
            self.pass_held(out);
            pass(out, end);
        } else if !is_event {
            self.pass_held(out);
            pass(out, end);
        } else if self.held.is_empty() {
            self.was_dropped = !dispatch(end, reader);
            if !self.was_dropped {
                pass(out, end);
            }
        } else {
            self.held.extend_from_slice(end);
            self.was_dropped = !dispatch(&self.held, reader);
            if !self.was_dropped {
                pass(out, &self.held);
            }
            self.held.clear();
        }
    }

    /// Continues a piece with these bytes.
    fn hold(&mut self, part: &[u8], out: &mut Option<Vec<u8>>) {
        if self.is_passing {
            self.large_goes_on(part);
            pass(out, part);
        } else if self.fits(part) {
            self.held.extend_from_slice(part);
        } else {
            self.is_passing = true;
            if self.is_event || !self.is_comment {
                self.begin_large(part);
            }
            self.pass_held(out);
            pass(out, part);
        }
    }

    /// Starts to read an event that is too large: the bytes held so far, and this part.
    fn begin_large(&mut self, part: &[u8]) {
        let mut large = Box::new(LargeEvent::new());
        large.push(&self.held);
        large.push(part);
        self.large = Some(large);
    }

    fn large_goes_on(&mut self, part: &[u8]) {
        if let Some(large) = &mut self.large {
            large.push(part);
        }
    }

    fn large_ends(&mut self, reader: &mut impl EventSink) {
        if let Some(mut large) = self.large.take() {
            large.end();
            reader.large(&large);
        }
    }

    fn fits(&self, more: &[u8]) -> bool {
        self.held.len().saturating_add(more.len()) <= MAX_EVENT_BYTES
    }

    fn pass_held(&mut self, out: &mut Option<Vec<u8>>) {
        pass(out, &self.held);
        self.held.clear();
    }
}

fn pass(out: &mut Option<Vec<u8>>, bytes: &[u8]) {
    if let Some(out) = out {
        out.extend_from_slice(bytes);
    }
}

/// Reads the lines of an event. Returns whether it may pass: an event without data may, because readers ignore it.
fn dispatch(event: &[u8], reader: &mut impl EventSink) -> bool {
    let mut name: &[u8] = b"";
    let mut data: Option<&[u8]> = None;
    // Only used for data in several lines, which are joined with line feeds.
    let mut joined: Option<Vec<u8>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        let (line, after) = rest
            .split_at_checked(line_length(rest))
            .unwrap_or((rest, b""));
        rest = after.get(1..).unwrap_or_default();
        if let Some(value) = field(line, b"data") {
            match (data, &mut joined) {
                (None, _) => data = Some(value),
                (Some(_), Some(joined)) => {
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
                (Some(first), None) => joined = Some([first, b"\n", value].concat()),
            }
        } else if let Some(value) = field(line, b"event") {
            name = value;
        }
    }
    match (&joined, data) {
        (Some(data), _) => reader.event(name, data),
        (None, Some(data)) => reader.event(name, data),
        (None, None) => true,
    }
}

/// Returns the value of a field, if this is its line.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
