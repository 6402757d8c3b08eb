//! Making connections to servers.

use crate::http1::stream::Stream;
use crate::proxy::upstream::Server;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Connects to `server`, at this one of the addresses of its name, within `limit`.
///
/// # Errors
/// `TimedOut` when the time is up; else what the server answered.
pub(in crate::proxy) async fn connect(
    server: &Server,
    address: Option<SocketAddr>,
    limit: Duration,
) -> io::Result<Stream> {
    timeout(limit, open(server, address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn open(server: &Server, address: Option<SocketAddr>) -> io::Result<Stream> {
    match server {
        Server::Http { .. } => tcp(address).await,
        Server::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Server::Echo => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn tcp(address: Option<SocketAddr>) -> io::Result<Stream> {
    let address = address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream))
}
