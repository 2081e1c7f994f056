//! OpenAI's audio API: speech from text, and text from speech.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::super::api::{Operation, WholeAnswer};
use super::super::call::Call;
use super::super::event::{Event, StreamPart};
use super::super::reply::{Reply, pieces};

/// The header of an MPEG frame of 128 kbit/s at 44.1 kHz, and the length of that frame.
const FRAME_HEADER: [u8; 4] = [0xff, 0xfb, 0x90, 0x00];
const FRAME_BYTES: usize = 417;

/// The samples of a WAV file in each second, of one byte each.
const SAMPLE_RATE: u32 = 8000;
const SAMPLES: u32 = 800;
const SILENCE: u8 = 0x80;

/// Returns silence: an MP3 frame for every word, or a WAV file.
pub(crate) fn speech(call: &Call, reply: &Reply) -> WholeAnswer {
    if call.fields.text("response_format").as_deref() == Some("wav") {
        return WholeAnswer {
            content_type: "audio/wav",
            body: wav(),
        };
    }
    WholeAnswer {
        content_type: "audio/mpeg",
        body: pieces(reply.text()).flat_map(|_| frame()).collect(),
    }
}

/// Returns the same silence as events, one piece each.
pub(crate) fn speech_events(reply: &Reply) -> Vec<Event> {
    let mut events: Vec<Event> = pieces(reply.text())
        .map(|_| {
            let audio = BASE64_STANDARD.encode(frame());
            Event::typed(
                StreamPart::Token,
                "speech.audio.delta",
                json!({"audio": audio}),
            )
        })
        .collect();
    events.push(Event::typed(
        StreamPart::Terminator,
        "speech.audio.done",
        json!({"usage": token_counts(reply)}),
    ));
    events
}

/// Returns a transcription, in the format that the request asks for.
pub(crate) fn text(call: &Call, reply: &Reply) -> WholeAnswer {
    let text = reply.text();
    let translates = call.operation == Operation::Translations;
    match call.fields.text("response_format").as_deref() {
        Some("text") => plain(format!("{text}\n")),
        Some("srt") => plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        Some("vtt") => plain(format!(
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n"
        )),
        Some("verbose_json") => WholeAnswer::from(json!({
            "task": if translates { "translate" } else { "transcribe" },
            "language": "english",
            "duration": 1.0,
            "text": text,
            "segments": [{
                "id": 0,
                "seek": 0,
                "start": 0.0,
                "end": 1.0,
                "text": text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": 0.0,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.0,
            }],
            "usage": {"type": "duration", "seconds": 1},
            "demo": reply.demo,
        })),
        _ if translates => WholeAnswer::from(json!({"text": text, "demo": reply.demo})),
        _ => WholeAnswer::from(json!({"text": text, "usage": usage(reply), "demo": reply.demo})),
    }
}

/// Returns a transcription piece by piece.
pub(crate) fn text_events(reply: &Reply) -> Vec<Event> {
    let mut events: Vec<Event> = pieces(reply.text())
        .map(|piece| {
            Event::typed(
                StreamPart::Token,
                "transcript.text.delta",
                json!({"delta": piece}),
            )
        })
        .collect();
    events.push(Event::typed(
        StreamPart::Terminator,
        "transcript.text.done",
        json!({"text": reply.text(), "usage": usage(reply)}),
    ));
    events
}

fn plain(text: String) -> WholeAnswer {
    WholeAnswer {
        content_type: "text/plain; charset=utf-8",
        body: text.into_bytes(),
    }
}

fn frame() -> Vec<u8> {
    let mut frame = FRAME_HEADER.to_vec();
    frame.resize(FRAME_BYTES, 0);
    frame
}

fn wav() -> Vec<u8> {
    let mut wav = b"RIFF".to_vec();
    wav.extend(SAMPLES.saturating_add(36).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend([1, 0, 1, 0]);
    wav.extend(SAMPLE_RATE.to_le_bytes());
    // Bytes a second, bytes in a sample, bits in a sample.
    wav.extend(SAMPLE_RATE.to_le_bytes());
    wav.extend([1, 0, 8, 0]);
    wav.extend(b"data");
    wav.extend(SAMPLES.to_le_bytes());
    wav.extend((0..SAMPLES).map(|_| SILENCE));
    wav
}

fn usage(reply: &Reply) -> Value {
    let mut usage = token_counts(reply);
    super::set(&mut usage, "type", Value::from("tokens"));
    usage
}

fn token_counts(reply: &Reply) -> Value {
    json!({
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens.saturating_add(reply.output_tokens),
    })
}
