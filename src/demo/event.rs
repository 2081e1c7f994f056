//! The events of a streamed answer that the APIs have in common.

use serde_json::Value;

/// One server-sent event, a comment between two events, or one message of a binary stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) part: StreamPart,
    /// The bytes as they are sent; a server-sent event includes the empty line at its end.
    pub(crate) bytes: Vec<u8>,
}

/// The parts of a stream, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamPart {
    /// What precedes the content, and the frame around its blocks.
    Opening,
    /// A piece of the content.
    Token,
    /// The end of the content.
    Closing,
    /// The finish reason.
    Finish,
    /// The usage, if it is an event of its own.
    Usage,
    /// The event that ends the stream.
    Terminator,
}

impl Event {
    pub(crate) fn new(part: StreamPart, bytes: impl Into<Vec<u8>>) -> Event {
        Event {
            part,
            bytes: bytes.into(),
        }
    }

    /// Creates an event that has only data.
    pub(crate) fn data(part: StreamPart, data: &Value) -> Event {
        Event::new(part, format!("data: {data}\n\n"))
    }

    /// Creates an event that has its type both in the line `event:` and in the data.
    pub(crate) fn typed(part: StreamPart, kind: &str, mut data: Value) -> Event {
        if let Some(data) = data.as_object_mut() {
            data.insert("type".to_owned(), Value::from(kind));
        }
        Event::new(part, format!("event: {kind}\ndata: {data}\n\n"))
    }

    /// Changes line ends to CRLF; a binary event stays as it is.
    pub(crate) fn end_lines_with_crlf(&mut self) {
        if let Ok(text) = std::str::from_utf8(&self.bytes) {
            self.bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into();
        }
    }
}
/// Returns the number of events up to and including this many tokens of the content, without those that follow.
pub(crate) fn up_to_tokens(events: &[Event], tokens: usize) -> usize {
    let mut left = tokens;
    events
        .iter()
        .take_while(|event| match event.part {
            StreamPart::Opening => true,
            StreamPart::Token => match left.checked_sub(1) {
                Some(fewer) => {
                    left = fewer;
                    true
                }
                None => false,
            },
            _ => false,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_by_its_tokens() {
        let events: Vec<Event> = [
            StreamPart::Opening,
            StreamPart::Token,
            StreamPart::Token,
            StreamPart::Finish,
        ]
        .into_iter()
        .map(|part| Event::new(part, ""))
        .collect();
        let counts = [0, 1, 2, 3].map(|tokens| up_to_tokens(&events, tokens));
        assert_eq!(counts, [1, 2, 3, 3]);
    }
}
