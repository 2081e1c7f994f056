//! A backend that answers byte for byte by a script, in ways that no HTTP library would. The model's name selects the
//! script.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::case::Api;
use super::oversized;

/// The pause between two pieces of an answer.
const PAUSE: Duration = Duration::from_millis(50);

/// Returns an event with content.
pub(crate) fn content(api: Api) -> &'static str {
    match api {
        Api::OpenAi => {
            "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Reykjav\u{ed}k\"},\"finish_reason\":null}]}\n\n"
        }
        Api::Anthropic => {
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Reykjav\u{ed}k\"}}\n\n"
        }
    }
}

/// Returns the first half of an event.
pub(crate) fn half(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"cont",
        Api::Anthropic => "event: content_block_delta\ndata: {\"type\":\"content_bl",
    }
}

/// Returns an event with only the usage, which OpenAI sends only on request.
pub(crate) fn usage(api: Api) -> &'static str {
    match api {
        Api::OpenAi => {
            "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n"
        }
        Api::Anthropic => {
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":1}}\n\n"
        }
    }
}

/// Returns the events that finish an answer.
pub(crate) fn finish(api: Api) -> &'static str {
    match api {
        Api::OpenAi => {
            "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        }
        Api::Anthropic => {
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        }
    }
}

/// A script: the pieces of a stream, its framing and its end.
struct Script {
    pieces: Vec<String>,
    framing: Framing,
    /// Additional header lines, each with its line end.
    headers: &'static str,
    trailers: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length,
    /// With a length greater than what is sent.
    Longer,
    /// Ended by the end of the connection.
    None,
}

fn script(model: &str, api: Api) -> Script {
    let chunked = |pieces: &[&str]| Script {
        pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(),
        framing: Framing::Chunked,
        headers: FORGED,
        trailers: "",
    };
    let (content, half, finish) = (content(api), half(api), finish(api));
    match model {
        "half-an-event" => chunked(&[content, half]),
        // The last event lacks its blank line.
        "no-blank-line" => chunked(&[content, finish.trim_end()]),
        "until-close" => Script {
            framing: Framing::None,
            ..chunked(&[content, content])
        },
        "until-close-finished" => Script {
            framing: Framing::None,
            ..chunked(&[content, finish])
        },
        // With an event in the middle that has only the usage.
        "with-length" => Script {
            framing: Framing::Length,
            ..chunked(&[content, usage(api), finish])
        },
        "cut-off" => Script {
            framing: Framing::Longer,
            headers: "",
            ..chunked(&[content, content])
        },
        "trailers" => Script {
            trailers: "x-trailer: here\r\n",
            ..chunked(&[content, content])
        },
        "trailers-first" => Script {
            trailers: "x-trailer: here\r\n",
            ..chunked(&[])
        },
        "trailers-finished" => Script {
            trailers: "x-trailer: here\r\n",
            ..chunked(&[content, finish])
        },
        _ if model.contains("oversized-") => oversized_script(model),
        _ => chunked(&["data: {\"error\":{\"message\":\"no such script\"}}\n\n"]),
    }
}

/// Returns the script for `oversized-NAME` or `oversized-NAME-length`, after any prefix that selects the route.
fn oversized_script(model: &str) -> Script {
    let name = model.split("oversized-").last().unwrap_or_default();
    let (name, framing) = match name.strip_suffix("-length") {
        Some(name) => (name, Framing::Length),
        None => (name, Framing::Chunked),
    };
    Script {
        pieces: oversized::pieces(name).unwrap_or_default(),
        framing,
        headers: "",
        trailers: "",
    }
}

/// Headers that only the router may set.
const FORGED: &str = "x-llm-router-backend: forged\r\nx-llm-router-backend: forged\r\nx-llm-router-failures: forged\r\n\
                      x-llm-router-unretried: forged\r\n";

/// Answers every connection once and closes it.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // A client that leaves is not a failure of the backend.
            let _ = answer(stream).await;
        });
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let request = request(&mut stream).await?;
    let api = if request.contains("/messages ") {
        Api::Anthropic
    } else {
        Api::OpenAi
    };
    let in_body = request
        .split_once("\"model\":\"")
        .and_then(|(_, rest)| rest.split('"').next());
    let in_path = request
        .split_once("/models/")
        .and_then(|(_, rest)| rest.split(':').next());
    let name = in_body.or(in_path).unwrap_or_default();
    if request.to_ascii_lowercase().contains("\r\nupgrade: ") {
        return converse(stream).await;
    }
    match name {
        "reset" => return stream.set_zero_linger(),
        "hang" => return wait(&mut stream).await,
        "begin" => {
            let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx";
            stream.write_all(begun.as_bytes()).await?;
            return wait(&mut stream).await;
        }
        _ => {}
    }
    let script = script(name, api);
    let length: usize = script.pieces.iter().map(String::len).sum();
    let framing = match script.framing {
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Length => format!("content-length: {length}\r\n"),
        Framing::Longer => format!("content-length: {}\r\n", length + 1),
        Framing::None => String::new(),
    };
    let headers = script.headers;
    let is_chunked = script.framing == Framing::Chunked;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n{headers}{framing}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    for piece in &script.pieces {
        let piece = if is_chunked {
            format!("{:x}\r\n{piece}\r\n", piece.len())
        } else {
            piece.clone()
        };
        stream.write_all(piece.as_bytes()).await?;
        tokio::time::sleep(PAUSE).await;
    }
    if is_chunked {
        let end = format!("0\r\n{}\r\n", script.trailers);
        stream.write_all(end.as_bytes()).await?;
    }
    stream.shutdown().await?;
    // Envoy has to see the end before a RST, which unread bytes would cause.
    let _ = tokio::time::timeout(PAUSE * 4, stream.read(&mut [0; 1024])).await;
    Ok(())
}

/// Waits until the client leaves.
async fn wait(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Accepts an upgrade and echoes everything, until it is told to close the connection or to break it off.
async fn converse(mut stream: TcpStream) -> io::Result<()> {
    let head =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut piece = [0; 1024];
    loop {
        let read = stream.read(&mut piece).await?;
        match piece.get(..read).unwrap_or_default() {
            b"" => return Ok(()),
            b"close" => {
                stream.shutdown().await?;
                return wait(&mut stream).await;
            }
            b"break" => return stream.set_zero_linger(),
            piece => stream.write_all(piece).await?,
        }
    }
}

/// Reads a request with a content-length, head and body.
async fn request(stream: &mut TcpStream) -> io::Result<String> {
    let mut request = vec![];
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if body.len() >= length.unwrap_or(0_usize) {
            return Ok(text.into_owned());
        }
    }
}
