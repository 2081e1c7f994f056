//! The events of a streamed answer, as far as the APIs have them.

use serde_json::Value;

/// One server-sent event, a comment between two, or one message of a binary stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) part: Part,
    /// As it is sent; a server-sent event with the empty line at its end.
    pub(crate) bytes: Vec<u8>,
}

/// The parts of a stream, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What comes before the content, and the frame around its blocks.
    Opening,
    /// A piece of the content.
    Token,
    /// The end of the content.
    Closing,
    /// Why the answer finishes.
    Finish,
    /// What it has cost, where that is an event of its own.
    Usage,
    /// That it is over.
    Terminator,
}

impl Event {
    pub(crate) fn new(part: Part, bytes: impl Into<Vec<u8>>) -> Event {
        Event {
            part,
            bytes: bytes.into(),
        }
    }

    /// An event that is only data.
    pub(crate) fn data(part: Part, data: &Value) -> Event {
        Event::new(part, format!("data: {data}\n\n"))
    }

    /// An event that names its type twice, in the line `event:` and in the data.
    pub(crate) fn typed(part: Part, kind: &str, mut data: Value) -> Event {
        if let Some(data) = data.as_object_mut() {
            data.insert("type".to_owned(), Value::from(kind));
        }
        Event::new(part, format!("event: {kind}\ndata: {data}\n\n"))
    }

    /// An event that is no text stays as it is.
    pub(crate) fn end_lines_with_crlf(&mut self) {
        if let Ok(text) = std::str::from_utf8(&self.bytes) {
            self.bytes = text.replace("\r\n", "\n").replace('\n', "\r\n").into();
        }
    }
}
/// The number of events up to and with this many tokens of the content, and before whatever follows on it.
pub(crate) fn up_to_tokens(events: &[Event], tokens: usize) -> usize {
    let mut left = tokens;
    events
        .iter()
        .take_while(|event| match event.part {
            Part::Opening => true,
            Part::Token => match left.checked_sub(1) {
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
        let events: Vec<Event> = [Part::Opening, Part::Token, Part::Token, Part::Finish]
            .into_iter()
            .map(|part| Event::new(part, ""))
            .collect();
        let counts = [0, 1, 2, 3].map(|tokens| up_to_tokens(&events, tokens));
        assert_eq!(counts, [1, 2, 3, 3]);
    }
}
