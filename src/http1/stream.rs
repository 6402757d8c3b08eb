//! A connection's byte stream and who is at the other end. Plain TCP and unix sockets.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tokio::net::{TcpStream, UnixStream, tcp, unix};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8080`.
    Tcp(SocketAddr),
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP connection, and the local port it arrived at.
    Tcp {
        /// Where it comes from; IPv4 addresses mapped into IPv6 are unmapped.
        remote: SocketAddr,
        /// The port of the listener.
        local_port: u16,
    },
    /// A unix socket.
    Unix,
}

impl Peer {
    /// The address of the other end; `None` on a unix socket.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { remote, .. } => Some(remote.ip()),
            Self::Unix => None,
        }
    }
}

/// A byte stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP, with `TCP_NODELAY` set by whoever made it.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Both directions, to be used at the same time.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        todo!()
    }

    /// Whether the stream has something to read or has ended, without waiting: an idle pooled
    /// connection of which this is true must not be used (SMUG-20).
    pub fn has_input(&mut self) -> bool {
        todo!()
    }
}

/// The reading direction.
#[derive(Debug)]
pub enum Reader<'s> {
    /// Of TCP.
    Tcp(tcp::ReadHalf<'s>),
    /// Of a unix socket.
    Unix(unix::ReadHalf<'s>),
}

impl Reader<'_> {
    /// Appends what arrives to `buffer`, at most its spare capacity (which must not be zero);
    /// zero: the other end has finished. Cancel-safe. At most one system call when data is there.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn read(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        let _ = buffer;
        todo!()
    }
}

/// The writing direction.
#[derive(Debug)]
pub enum Writer<'s> {
    /// Of TCP.
    Tcp(tcp::WriteHalf<'s>),
    /// Of a unix socket.
    Unix(unix::WriteHalf<'s>),
}

impl Writer<'_> {
    /// Writes everything.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let _ = bytes;
        todo!()
    }

    /// Writes every part in order, with as few system calls as the socket allows (`writev`).
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn write_parts<const N: usize>(&mut self, parts: [&[u8]; N]) -> std::io::Result<()> {
        let _ = parts;
        todo!()
    }

    /// Ends this direction (FIN).
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn shutdown(&mut self) -> std::io::Result<()> {
        todo!()
    }
}
