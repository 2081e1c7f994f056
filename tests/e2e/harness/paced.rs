//! A backend that sends its answer in pieces with pauses, in bytes that no JSON library would write.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::config::RETRY_HEADER;

/// The pause before each piece but the first.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// The answer to every request: events with odd spacing, a comment, an event that the pause cuts in two, and bytes that
/// are not UTF-8.
pub(crate) const PIECES: [&[u8]; 4] = [
    b"data:   { \"id\" :1e0,\"model\":\"upstream\\u002dname\", \"choices\":[ {} ] }\n\n",
    b": keep-alive\r\n\r\ndata: {\"cut",
    b"\": \"in two \xff\xfe\"}\n\n",
    b"data: [DONE]\n\n",
];

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
    // One read is enough: the requests are small, and their content makes no difference.
    let _ = stream.read(&mut [0; 16 * 1024]).await?;
    // A backend that sends the filter's own header must not cause a retry, and the client must not see the header.
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-from: paced\r\n{RETRY_HEADER}: 1\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    for (index, piece) in PIECES.iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        stream
            .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
            .await?;
        stream.write_all(piece).await?;
        stream.write_all(b"\r\n").await?;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    stream.shutdown().await
}
