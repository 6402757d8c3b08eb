//! A connection's byte stream and who is at the other end. TCP and unix sockets, and what is layered
//! over them.

pub mod tls;

use socket2::SockRef;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
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
        /// Whether TLS is spoken.
        tls: Tls,
    },
    /// A unix socket.
    Unix,
    /// A client whose address the proxy in front does not tell (PROXY protocol).
    Unnamed {
        /// Whether TLS is spoken.
        tls: Tls,
    },
}

/// Where TLS is spoken with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// On this connection.
    Here,
    /// Not on this connection; in front of it, as nobody tells.
    Unknown,
    /// Not on this connection; whether with the proxy in front, as that one says (PROXY protocol).
    Ahead(bool),
}

impl Peer {
    /// The address of the other end; `None` on a unix socket, and where nobody tells it.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { remote, .. } => Some(remote.ip()),
            Self::Unix | Self::Unnamed { .. } => None,
        }
    }

    /// Whether TLS is spoken with the other end.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: Tls::Here, .. } | Self::Unnamed { tls: Tls::Here })
    }

    /// Whether the client's side is https, as far as the connection says it.
    pub const fn is_https(&self) -> Option<bool> {
        match self {
            Self::Tcp { tls: Tls::Here, .. } | Self::Unnamed { tls: Tls::Here } => Some(true),
            Self::Tcp { tls: Tls::Ahead(tls), .. } | Self::Unnamed { tls: Tls::Ahead(tls) } => Some(*tls),
            Self::Tcp { tls: Tls::Unknown, .. } | Self::Unnamed { tls: Tls::Unknown } | Self::Unix => None,
        }
    }
}

/// A byte stream that is no socket itself: TLS over one, or a stream of an HTTP/2 connection. Both
/// directions are used at the same time, by one task: that is why nothing here takes `&mut self`.
pub trait Layer: fmt::Debug {
    /// As [`Reader::read`].
    ///
    /// # Errors
    /// Those of the layer and of the socket below it.
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>>;

    /// Writes a part of `parts`, and passes it on to the socket as far as that takes it.
    ///
    /// # Errors
    /// Those of the layer and of the socket below it.
    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Ready when the socket has taken everything that was written.
    ///
    /// # Errors
    /// Those of the layer and of the socket below it.
    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing direction; what was written arrives.
    ///
    /// # Errors
    /// Those of the layer and of the socket below it.
    fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when something has come or the stream has ended; may be early, and then the next read waits.
    ///
    /// # Errors
    /// Those of the layer and of the socket below it.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether there is something to read or the stream has ended, without waiting.
    fn has_input(&self) -> bool;

    /// Whether the other end has finished or is lost, as far as that is known without reading.
    fn is_closed(&self) -> bool;
}

/// Octets that may wait at the system until what was written before them is on its way (`TCP_NOTSENT_LOWAT`). What a
/// slow reader does not take then stays at the other end, instead of filling some megabytes here.
const UNSENT: u32 = 128 * 1024;

/// Bounds what the system keeps for the other end of a TCP connection, or of each that a listener accepts. Some
/// systems have no such bound (gVisor, say): that is no reason not to serve.
pub fn bound_unsent<'s>(socket: impl Into<SockRef<'s>>) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket.into().set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the system may keep much for a slow reader");
    }
}

/// A byte stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP, with `TCP_NODELAY` set by whoever made it.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS, or a stream of an HTTP/2 connection.
    Layered(Box<dyn Layer>),
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
            Self::Layered(layer) => (Reader::Layered(&**layer), Writer::Layered(&**layer)),
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
            Self::Layered(layer) => poll_fn(|context| layer.poll_readable(context)).await,
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
            Self::Layered(layer) => return layer.has_input(),
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
    /// Of a layer.
    Layered(&'s dyn Layer),
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
            Self::Layered(layer) => poll_fn(|context| layer.poll_read(context, buffer)).await,
        }
    }

    /// Waits until there is something to read or the stream has ended, without holding a buffer.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(half) => half.readable().await,
            Self::Unix(half) => half.readable().await,
            Self::Layered(layer) => poll_fn(|context| layer.poll_readable(context)).await,
        }
    }

    /// Whether the other end has finished its side of the stream or lost it, without waiting and without
    /// reading.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Tcp(half) => is_read_closed(half.ready(Interest::READABLE)),
            Self::Unix(half) => is_read_closed(half.ready(Interest::READABLE)),
            Self::Layered(layer) => layer.is_closed(),
        }
    }
}

fn is_read_closed(ready: impl Future<Output = io::Result<Ready>>) -> bool {
    match pin!(ready).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

/// The writing direction.
#[derive(Debug)]
pub enum Writer<'s> {
    /// Of TCP.
    Tcp(tcp::WriteHalf<'s>),
    /// Of a unix socket.
    Unix(unix::WriteHalf<'s>),
    /// Of a layer.
    Layered(&'s dyn Layer),
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
            Self::Layered(_) => self.write_parts([bytes]).await,
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
                Self::Layered(layer) => poll_fn(|context| layer.poll_write(context, rest)).await?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Layered(layer) => poll_fn(|context| layer.poll_flush(context)).await,
        }
    }

    /// Ends this direction (FIN).
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(half) => half.shutdown().await,
            Self::Unix(half) => half.shutdown().await,
            Self::Layered(layer) => poll_fn(|context| layer.poll_shutdown(context)).await,
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
