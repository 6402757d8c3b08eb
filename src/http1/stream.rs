//! A connection's byte stream and who is at the other end. Plain TCP and unix sockets.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
        match self {
            Self::Tcp(stream) => {
                let (reader, writer) = stream.split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            Self::Unix(stream) => {
                let (reader, writer) = stream.split();
                (Reader::Unix(reader), Writer::Unix(writer))
            }
        }
    }

    /// Waits until there is something to read or the stream has ended, without holding a buffer.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    /// Whether the stream has something to read or has ended, without waiting: an idle pooled
    /// connection of which this is true must not be used (SMUG-20). Costs no system call as long as
    /// nothing has come.
    pub fn has_input(&mut self) -> bool {
        let mut probe = [0; 1];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut probe),
            Self::Unix(stream) => stream.try_read(&mut probe),
        };
        !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
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
    pub async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.read_buf(buffer).await,
            Self::Unix(half) => half.read_buf(buffer).await,
        }
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
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(half) => half.write_all(bytes).await,
            Self::Unix(half) => half.write_all(bytes).await,
        }
    }

    /// Writes every part in order, with as few system calls as the socket allows (`writev`).
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn write_parts<const N: usize>(&mut self, parts: [&[u8]; N]) -> io::Result<()> {
        let mut slices = parts.map(IoSlice::new);
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = match self {
                Self::Tcp(half) => half.write_vectored(rest).await?,
                Self::Unix(half) => half.write_vectored(rest).await?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    /// Ends this direction (FIN).
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(half) => half.shutdown().await,
            Self::Unix(half) => half.shutdown().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(work: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn parts_arrive_in_order_and_empty_ones_are_skipped() {
        block_on(async {
            let (left, right) = UnixStream::pair().unwrap();
            let (mut left, mut right) = (Stream::Unix(left), Stream::Unix(right));
            left.split().1.write_parts([b"", b"ab", b"", b"c"]).await.unwrap();
            left.split().1.shutdown().await.unwrap();
            let mut got = Vec::with_capacity(16);
            while right.split().0.read(&mut got).await.unwrap() > 0 {}
            assert_eq!(got, b"abc");
        });
    }

    /// SMUG-20
    #[test]
    fn input_on_an_idle_connection_is_seen() {
        block_on(async {
            let (left, right) = UnixStream::pair().unwrap();
            let (mut left, mut right) = (Stream::Unix(left), Stream::Unix(right));
            assert!(!right.has_input());
            left.split().1.write_all(b"x").await.unwrap();
            right.readable().await.unwrap();
            assert!(right.has_input());
        });
    }
}
