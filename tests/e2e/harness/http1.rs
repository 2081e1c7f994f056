//! An HTTP/1.1 client that controls every byte of the request.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::case::{Call, Piece};
use super::wire::Parts;

/// One connection.
pub(crate) struct Http1 {
    reader: Reader,
    writer: OwnedWriteHalf,
    authority: String,
}

impl Http1 {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // Every piece must leave in a packet of its own.
        stream.set_nodelay(true)?;
        let (read, writer) = stream.into_split();
        Ok(Self {
            reader: Reader {
                read,
                buffer: vec![],
            },
            writer,
            authority: address.to_string(),
        })
    }

    pub(crate) async fn exchange(&mut self, call: &Call) -> io::Result<Parts> {
        let Self {
            reader,
            writer,
            authority,
        } = self;
        let writing = write(writer, authority, call, true);
        let reading = reader.answer();
        tokio::pin!(writing, reading);
        let mut written = false;
        loop {
            tokio::select! {
                biased;
                answer = &mut reading => return answer,
                // An early answer closes the connection during the request. The answer tells more than this error.
                _ = &mut writing, if !written => written = true,
            }
        }
    }

    /// Writes a request; its end only if `whole`.
    pub(crate) async fn write(&mut self, call: &Call, whole: bool) -> io::Result<()> {
        write(&mut self.writer, &self.authority, call, whole).await
    }
}

async fn write(
    writer: &mut OwnedWriteHalf,
    authority: &str,
    call: &Call,
    whole: bool,
) -> io::Result<()> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {authority}\r\n",
        call.method, call.path
    )
    .into_bytes();
    for (name, value) in &call.headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    if call.chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    } else {
        // A request that must stay unfinished announces one byte more than it sends.
        let length = call.bytes().len() + usize::from(!whole);
        head.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    }
    writer.write_all(&head).await?;
    for piece in &call.body {
        match piece {
            Piece::Pause(pause) => tokio::time::sleep(*pause).await,
            Piece::Bytes(bytes) if call.chunked && !bytes.is_empty() => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                writer.write_all(&chunk).await?;
            }
            Piece::Bytes(bytes) => writer.write_all(bytes).await?,
        }
    }
    if call.chunked && whole {
        let trailers: String = call
            .trailers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        writer
            .write_all(format!("0\r\n{trailers}\r\n").as_bytes())
            .await?;
    }
    writer.flush().await
}

struct Reader {
    read: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Reader {
    async fn answer(&mut self) -> io::Result<Parts> {
        let (status, headers) = loop {
            let (status, headers) = self.head().await?;
            // Interim responses such as `100 Continue` precede the answer.
            if status >= 200 {
                break (status, headers);
            }
        };
        let value = |name: &str| {
            let (_, value) = headers.iter().find(|(header, _)| header == name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let body = if value("transfer-encoding").is_some() {
            self.chunks().await?
        } else {
            let length = value("content-length").and_then(|length| length.parse().ok());
            let length = length.ok_or_else(|| io::Error::other("an answer without framing"))?;
            self.take(length).await?
        };
        Ok((status, headers, body))
    }

    async fn head(&mut self) -> io::Result<(u16, Vec<(String, Vec<u8>)>)> {
        let mut lines = self.until(b"\r\n\r\n").await?.into_iter();
        let status = lines.next().and_then(|line| {
            let line = String::from_utf8(line).ok()?;
            line.split(' ').nth(1)?.parse().ok()
        });
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        Ok((status, lines.filter_map(|line| header(&line)).collect()))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = vec![];
        loop {
            let size = self.until(b"\r\n").await?.concat();
            let size = String::from_utf8(size)
                .ok()
                .and_then(|size| usize::from_str_radix(&size, 16).ok());
            let size = size.ok_or_else(|| io::Error::other("no chunk size"))?;
            let chunk = self.take(size).await?;
            body.extend_from_slice(&chunk);
            // Trailers of an answer would be an error here; nothing in the tests sends any.
            if !self.take(2).await?.eq(b"\r\n") {
                return Err(io::Error::other("a chunk does not end"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Returns the lines up to a separator that ends with a line's end.
    async fn until(&mut self, separator: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        loop {
            let found = self
                .buffer
                .windows(separator.len())
                .position(|window| window == separator);
            if let Some(end) = found {
                let head: Vec<u8> = self.buffer.drain(..end + separator.len()).collect();
                let text = head.strip_suffix(separator).unwrap_or_default();
                return Ok(text
                    .split(|byte| *byte == b'\n')
                    .map(|line| line.trim_ascii_end().to_vec())
                    .collect());
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.read.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::other(
                "the connection ends in the middle of an answer",
            )),
            _ => Ok(()),
        }
    }
}

fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Some((name, value.strip_prefix(b":")?.trim_ascii().to_vec()))
}
