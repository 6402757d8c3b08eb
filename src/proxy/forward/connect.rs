//! Making connections to servers.

use super::pool::Node;
use crate::http1::stream::tls::TlsStream;
use crate::http1::stream::{Stream, bound_unsent};
use crate::proxy::upstream::Server;
use crate::tls::ClientTls;
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

/// A stream of a connection of HTTP/2, which `connecting` makes unless another request does meanwhile.
///
/// # Errors
/// As [`connect`].
pub(super) async fn shared(
    node: &Node,
    limit: Duration,
    connecting: impl Future<Output = io::Result<Stream>>,
) -> io::Result<Stream> {
    timeout(limit, node.shared.connected(connecting)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn open(server: &Server, address: Option<SocketAddr>) -> io::Result<Stream> {
    match server {
        Server::Http { .. } => tcp(address).await,
        Server::Https { host, tls, .. } => secured(tcp(address).await?, host, tls).await,
        Server::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Server::Echo => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn tcp(address: Option<SocketAddr>) -> io::Result<Stream> {
    let address = address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    bound_unsent(&stream);
    Ok(Stream::Tcp(stream))
}

/// The handshake; whom the server must be is verified in it (TLS-3).
async fn secured(stream: Stream, host: &str, tls: &ClientTls) -> io::Result<Stream> {
    let name = tls.name_of(host).ok_or_else(|| io::Error::other("its certificate cannot be for this host"))?;
    let secured = TlsStream::connect(stream, tls.config(), name).await;
    let secured = secured.map_err(|error| io::Error::new(error.kind(), format!("TLS: {error}")))?;
    if !tls.takes(secured.protocol().as_deref()) {
        return Err(io::Error::other("TLS: the server speaks another version of HTTP"));
    }
    Ok(secured.into())
}
