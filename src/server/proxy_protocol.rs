//! The PROXY protocol, versions 1 and 2: a proxy that passes on octets says in front of them for whom.
//!
//! It is read off the socket to the octet, before anything is layered over it, so that whatever comes
//! behind it is found where it would be without it. Only peers whose forwarding fields are believed are
//! asked for it, and of them it is demanded: a connection without one would pass for the proxy's own.

mod v1;
mod v2;

use super::connection::{self, State};
use super::worker::Entry;
use super::{Service, handshake};
use crate::http1::deadline::Deadline;
use crate::http1::stream::{Peer, Stream, Tls};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncReadExt};

/// For whom a proxy connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// For itself, to see whether somebody is there.
    Proxy,
    /// For a client.
    Client(Client),
}

/// Whom a proxy connects for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// `None`: it does not tell.
    pub address: Option<SocketAddr>,
    /// Whether the client speaks TLS with it; `None`: it does not tell.
    pub tls: Option<bool>,
}

impl Client {
    const UNNAMED: Self = Self { address: None, tls: None };

    const fn at(address: SocketAddr) -> Self {
        Self { address: Some(address), tls: None }
    }
}

/// Why it is not known for whom a proxy connects.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The proxy is gone, or something is wrong with its connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no header, or it is wrong.
    #[error("{0}")]
    Malformed(&'static str),
}

/// No header of either version is shorter, and both are known by less.
const SHORTEST: usize = 15;

/// Serves a connection of a proxy to its end, as one of the client that it is for.
pub(super) async fn serve<S: Service>(
    mut stream: Stream,
    peer: Peer,
    service: Rc<S>,
    state: Rc<Cell<State>>,
    entry: Entry,
) {
    // Nothing has been asked yet: a server that drains may end it.
    state.set(State::Idle);
    let limit = entry.connections.limits().head_timeout;
    let read = async {
        match &mut stream {
            Stream::Tcp(stream) => read(stream).await,
            Stream::Unix(stream) => read(stream).await,
            Stream::Layered(_) => Err(AnnounceError::Malformed("the header stands in front of every layer")),
        }
    };
    let address = peer.address();
    match Deadline::new().within(limit, read).await {
        Ok(Ok(announced)) => {
            let client = client(announced, peer);
            if client.is_tls() {
                handshake::serve(stream, client, service, state, entry).await;
            } else {
                connection::serve((stream, None), client, service, state, entry).await;
            }
        }
        Ok(Err(AnnounceError::Malformed(why))) => {
            tracing::warn!(?address, "a trusted proxy's connection was refused: {why}");
        }
        // A probe that only connects.
        Ok(Err(AnnounceError::Io(error))) => tracing::debug!(?address, %error, "a connection ended before it began"),
        Err(_) => tracing::warn!(?address, "a trusted proxy's connection was refused: no PROXY header came in time"),
    }
}

/// Who is at the other end of the proxy.
fn client(announced: Announced, proxy: Peer) -> Peer {
    match (announced, proxy) {
        (Announced::Proxy, proxy) => proxy,
        (Announced::Client(client), proxy) => {
            let tls = if proxy.is_tls() { Tls::Here } else { client.tls.map_or(Tls::Unknown, Tls::Ahead) };
            let Some(remote) = client.address else { return Peer::Unnamed { tls } };
            let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
            let local_port = if let Peer::Tcp { local_port, .. } = proxy { local_port } else { 0 };
            Peer::Tcp { remote, local_port, tls }
        }
    }
}

/// Reads a header, and nothing of what stands behind it.
///
/// # Errors
/// When the stream fails or ends, or does not begin with a header that is as it must be.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Announced, AnnounceError> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    let announced = if header.starts_with(v2::SIGNATURE) {
        grow(stream, &mut header, v2::FIXED - SHORTEST).await?;
        let length = v2::length(&header).ok_or(AnnounceError::Malformed("the PROXY header is too long"))?;
        grow(stream, &mut header, length).await?;
        v2::parse(&header)
    } else if header.starts_with(v1::SIGNATURE) {
        while !header.contains(&b'\n') {
            let missing = v1::missing(&header);
            if header.len() + missing > v1::LONGEST {
                return Err(AnnounceError::Malformed("the PROXY header is too long"));
            }
            grow(stream, &mut header, missing).await?;
        }
        v1::parse(&header)
    } else {
        return Err(AnnounceError::Malformed("it does not begin with a PROXY header"));
    };
    announced.ok_or(AnnounceError::Malformed("its PROXY header is malformed"))
}

async fn grow(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>, by: usize) -> io::Result<()> {
    let known = header.len();
    header.resize(known + by, 0);
    stream.read_exact(header.get_mut(known..).unwrap_or_default()).await.map(drop)
}

#[cfg(test)]
mod tests;
