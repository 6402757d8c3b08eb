//! An upstream that costs two system calls a request: a fixed JSON body of 205 octets, or, for a
//! path that ends in `/echo`, the request's own head.
//!
//! `upstream PORT`

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9100);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(port))
}

async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let canned: &'static [u8] = Vec::leak(canned());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(connection(stream, canned));
    }
}

async fn connection(mut stream: TcpStream, canned: &'static [u8]) -> io::Result<()> {
    let mut head = Vec::with_capacity(4096);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let line = head.split(|octet| *octet == b'\r').next().unwrap_or_default();
        if line.windows(6).any(|part| part == b"/echo ") {
            stream.write_all(&echo(&head)).await?;
        } else {
            stream.write_all(canned).await?;
        }
    }
}

fn canned() -> Vec<u8> {
    let items = r#"[{"id":1,"name":"alpha"},{"id":2,"name":"beta"}]"#;
    let body = format!(r#"{{"items":{items},"pad":"{}"}}"#, "x".repeat(138));
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nserver: stub\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\ncache-control: no-store\r\n\r\n{body}"
    )
    .into_bytes()
}

fn echo(head: &[u8]) -> Vec<u8> {
    let length = head.len();
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    answer.extend_from_slice(head);
    answer
}
