//! The objects of which conversations consist, in all APIs: the fields that are read, and which values are media other
//! than text.

use super::format::Medium;
use super::value::object;

object! {
    /// A message, or another item of a conversation.
    Message {
        role: b"role",
        kind: b"type",
        content: b"content",
        parts: b"parts",
        text: b"message",
        tool_calls: b"tool_calls",
        function_call: b"function_call",
        output: b"output",
        summary: b"summary",
        audio: b"audio",
    }
}

object! {
    /// A tool call.
    Call {
        inside: b"function" | b"custom",
        name: b"name",
        arguments: b"arguments" | b"input" | b"args",
    }
}

object! {
    /// A part of a message. The alternatives on one line never occur in the same block.
    Block {
        kind: b"type",
        text: b"text",
        refusal: b"refusal",
        thinking: b"thinking",
        content: b"content",
        source: b"source",
        title: b"title",
        context: b"context",
        name: b"name",
        input: b"input",
        parts: b"parts",
        json: b"json",
        guarded: b"guardContent",
        wrapped: b"reasoningContent" | b"reasoningText" | b"citationsContent",
        call: b"toolUse" | b"functionCall" | b"function_call",
        result: b"toolResult" | b"functionResponse" | b"function_response",
        code: b"executableCode" | b"executable_code" | b"codeExecutionResult" | b"code_execution_result",
        data: b"inlineData" | b"inline_data" | b"fileData" | b"file_data",
        image: b"image" | b"image_url",
        audio: b"audio" | b"input_audio" | b"audio_url",
        file: b"document" | b"video" | b"video_url" | b"file",
    }
}

impl<'a> Block<'a> {
    /// Returns the parts of a block that only its keys tell, after its `type` has been handled.
    pub(super) fn beside_type(self, kind: &[u8]) -> Block<'a> {
        let medium = medium(kind);
        let is_result = kind.ends_with(b"tool_result");
        let besides = |of: Medium| medium != Some(of);
        Block {
            text: self.text.filter(|_| medium.is_some() || is_result),
            content: self.content.filter(|_| medium.is_some()),
            image: self.image.filter(|_| besides(Medium::Image)),
            audio: self.audio.filter(|_| besides(Medium::Audio)),
            file: self.file.filter(|_| besides(Medium::File)),
            ..self
        }
    }
}

object! {
    /// The source of a document.
    Source {
        kind: b"type",
        data: b"data",
        text: b"text",
        content: b"content",
    }
}

object! {
    /// A document in Bedrock's format.
    Document {
        source: b"source",
        context: b"context",
    }
}

object! {
    /// A tool result.
    ToolResult {
        content: b"content",
        parts: b"parts",
        response: b"response",
    }
}

object! {
    /// Code that the model ran, or its output.
    Code {
        code: b"code",
        output: b"output",
    }
}

object! {
    /// Data with a MIME type.
    Data {
        mime_type: b"mimeType" | b"mime_type",
    }
}

/// Returns the medium of a block type; `None` if it is text.
pub(super) fn medium(kind: &[u8]) -> Option<Medium> {
    Some(match kind {
        b"image"
        | b"image_url"
        | b"input_image"
        | b"image_file"
        | b"computer_screenshot"
        | b"image_generation_call" => Medium::Image,
        b"input_audio" | b"audio" | b"audio_url" => Medium::Audio,
        b"file" | b"input_file" | b"document" | b"container_upload" | b"video" | b"video_url" => {
            Medium::File
        }
        _ => return None,
    })
}

/// Returns the medium of a MIME type.
pub(super) fn by_mime(mime: &[u8]) -> Medium {
    let begins = |with: &[u8]| {
        mime.get(..with.len())
            .is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    if begins(b"image/") {
        Medium::Image
    } else if begins(b"audio/") {
        Medium::Audio
    } else {
        Medium::File
    }
}
