//! Making connections to servers.

use super::pool::Node;
use crate::http1::stream::Stream;
use crate::http1::stream::tls::TlsStream;
use crate::proxy::upstream::Server;
use crate::tls::ClientTls;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

/// How long the addresses of a name are believed.
const RESOLVED_FOR: Duration = Duration::from_secs(10);

/// Connects to the server of `node` within `limit`.
///
/// # Errors
/// `TimedOut` when the time is up; else what the last address of the server answered.
pub(super) async fn connect(node: &Node, limit: Duration) -> io::Result<Stream> {
    timeout(limit, open(node, limit)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
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

async fn open(node: &Node, limit: Duration) -> io::Result<Stream> {
    match &node.server {
        Server::Http { host, port } => tcp(node, host, *port, limit).await,
        Server::Https { host, port, tls } => {
            let stream = tcp(node, host, *port, limit).await?;
            secured(stream, host, tls).await
        }
        Server::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Server::Echo => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn tcp(node: &Node, host: &str, port: u16, limit: Duration) -> io::Result<Stream> {
    let addresses = resolve(node, host, port).await?;
    let stream = first_of(&addresses, limit).await?;
    stream.set_nodelay(true)?;
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

/// Every address in turn; each but the last has only a share of the time, so that one that does not
/// answer does not use it up.
async fn first_of(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

async fn resolve(node: &Node, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let now = Instant::now();
    if let Some((until, addresses)) = node.resolved.borrow().as_ref()
        && now < *until
    {
        return Ok(addresses.clone());
    }
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    *node.resolved.borrow_mut() = Some((now + RESOLVED_FOR, addresses.clone()));
    Ok(addresses)
}
