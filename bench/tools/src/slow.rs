//! Peers that are as slow as a gateway lets them be.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Between an octet and the next.
const PACE: Duration = Duration::from_millis(100);
/// The least that a system gives: what is not read waits at the gateway.
const RECEIVED: u32 = 4096;
/// More than anybody waits for.
const LENGTH: u64 = 1 << 30;

/// Senders of heads and of bodies, half and half, and readers, until the process is stopped.
pub async fn dawdle(port: u16, path: &str, token: &str, senders: usize, readers: usize) {
    let field = format!("Host: bench.local\r\nAuthorization: Bearer {token}\r\n");
    let heads = format!("GET {path}/octets/2 HTTP/1.1\r\n{field}X-Slow: ");
    let bodies = format!("POST {path}/body HTTP/1.1\r\n{field}Content-Length: {LENGTH}\r\n\r\n");
    let answers = format!("GET {path}/octets/{LENGTH} HTTP/1.1\r\n{field}\r\n");
    for number in 0..senders + readers {
        let (start, reads) = match number {
            _ if number >= senders => (answers.clone(), true),
            _ if number % 2 == 0 => (heads.clone(), false),
            _ => (bodies.clone(), false),
        };
        tokio::task::spawn_local(async move {
            loop {
                // Whoever is sent away comes again, a pace later.
                let _ended = visit(port, &start, reads).await;
                tokio::time::sleep(PACE).await;
            }
        });
        // They are not all of one beat.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{}", senders + readers);
    std::future::pending().await
}

/// One connection, until the gateway ends it.
async fn visit(port: u16, start: &str, reads: bool) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVED)?;
    let mut stream: TcpStream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.set_nodelay(true)?;
    stream.write_all(start.as_bytes()).await?;
    let mut octet = [0];
    loop {
        tokio::time::sleep(PACE).await;
        if reads {
            stream.read_exact(&mut octet).await?;
        } else {
            stream.write_all(b"a").await?;
        }
    }
}
