//! A backend that reads requests, discards them, and answers each with the same short text.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = "{\"id\":\"x\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Yes.\"},\"finish_reason\":\"stop\"}]}";

pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // A client that leaves is not a failure of the backend.
            let _ = answer(stream).await;
        });
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(256 * 1024, stream);
    loop {
        let mut length = 0_u64;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 && line != "\r\n" {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut body = (&mut stream).take(length);
        tokio::io::copy_buf(&mut body, &mut tokio::io::sink()).await?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
            ANSWER.len()
        );
        stream.get_mut().write_all(head.as_bytes()).await?;
    }
}
