//! Bodies of any length whose every octet is known by its place, so that one that is lost, doubled or moved is seen.

use std::io::{self, Read, Write};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the pattern repeats after: a prime, so that no block of a power of two looks like the next.
const PERIOD: usize = 251;
/// Octets that are written or compared at once.
const BLOCK: usize = 64 * 1024;

/// The octet at place `n` is `n` modulo 251.
pub struct Pattern(Vec<u8>);

impl Default for Pattern {
    fn default() -> Self {
        Self((0..=250).cycle().take(PERIOD + BLOCK).collect())
    }
}

impl Pattern {
    /// What stands from place `at` on: as much as fits into a block, and no more than is left of `length`.
    fn block(&self, at: u64, length: u64) -> &[u8] {
        let start = usize::try_from(at % 251).unwrap_or_default();
        let left = usize::try_from(length - at).unwrap_or(BLOCK).min(BLOCK);
        self.0.get(start..start + left).unwrap_or_default()
    }

    /// # Errors
    /// When `out` takes no more.
    pub fn write(&self, length: u64, out: &mut impl Write) -> io::Result<()> {
        let mut at = 0;
        while at < length {
            let block = self.block(at, length);
            out.write_all(block)?;
            at += block.len() as u64;
        }
        out.flush()
    }

    /// `N right`, or `wrong at K`.
    ///
    /// # Errors
    /// When reading fails.
    pub fn compare(&self, length: u64, from: &mut impl Read) -> io::Result<String> {
        let (mut at, mut chunk) = (0, vec![0; BLOCK]);
        loop {
            let read = from.read(&mut chunk)?;
            let Some(chunk) = chunk.get(..read).filter(|chunk| !chunk.is_empty()) else {
                return Ok(verdict(at, length));
            };
            if at + read as u64 > length || self.block(at, at + read as u64) != chunk {
                return Ok(format!("wrong at {at}"));
            }
            at += read as u64;
        }
    }
}

fn verdict(at: u64, length: u64) -> String {
    if at == length { format!("{length} right") } else { format!("wrong at {at}") }
}

/// An upstream of HTTP/1.1 that sends and takes the pattern.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(connection(stream));
    }
}

async fn connection(stream: TcpStream) -> io::Result<()> {
    let pattern = Pattern::default();
    let mut stream = BufReader::with_capacity(BLOCK, stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        if let Some(length) = crate::length_of(&head) {
            let said = taken(&pattern, length as u64, &mut stream).await?;
            let length = said.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{said}");
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        let target = head.split(' ').nth(1).unwrap_or_default();
        let length = target.rsplit_once("/octets/").and_then(|(_, length)| length.parse().ok()).unwrap_or(2);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await?;
        let mut at = 0;
        while at < length {
            let block = pattern.block(at, length);
            stream.write_all(block).await?;
            at += block.len() as u64;
        }
    }
}

/// Reads a body of so many octets; what is to be said of it.
async fn taken(pattern: &Pattern, length: u64, stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let (mut at, mut wrong) = (0, None);
    let mut body = stream.take(length);
    loop {
        let chunk = body.fill_buf().await?;
        let read = chunk.len() as u64;
        if read == 0 {
            return Ok(wrong.unwrap_or_else(|| verdict(at, length)));
        }
        if wrong.is_none() && pattern.block(at, at + read) != chunk {
            wrong = Some(format!("wrong at {at}"));
        }
        let read = chunk.len();
        body.consume(read);
        at += read as u64;
    }
}
