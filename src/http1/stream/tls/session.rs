//! The state of a TLS connection over a socket, driven by whoever reads or writes. An idle one holds
//! little: encrypted octets come in through a buffer of the thread, and decrypted ones wait only where
//! the reader has no room for them.

use super::super::{Stream, is_read_closed};
use rustls::{ClientConnection, CommonState, ServerConnection};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead as _, ErrorKind, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead as _, AsyncWrite as _, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What is read of a socket at once: a whole record (16 KiB and its frame) and the start of the next.
const READ: usize = 32 * 1024;

thread_local! {
    /// Encrypted octets on their way from a socket.
    static ARRIVING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What lies below.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Which end of the connection this is.
pub(super) enum Role {
    Client(ClientConnection),
    Server(ServerConnection),
}

/// How the other end has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It said so: `close_notify`.
    Clean,
    /// It did not: what came may be a part of what it meant to send.
    Cut,
}

/// A connection.
pub(super) struct Session {
    socket: Socket,
    role: Role,
    /// Decrypted octets for which the reader had no room, and how many of them it has got meanwhile.
    plain: Vec<u8>,
    taken: usize,
    end: Option<End>,
    finishing: bool,
}

impl Socket {
    pub(super) fn of(stream: Stream) -> io::Result<Self> {
        match stream {
            Stream::Tcp(stream) => Ok(Self::Tcp(stream)),
            Stream::Unix(stream) => Ok(Self::Unix(stream)),
            Stream::Layered(_) => Err(ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn into_stream(self) -> Stream {
        match self {
            Self::Tcp(stream) => Stream::Tcp(stream),
            Self::Unix(stream) => Stream::Unix(stream),
        }
    }

    /// The first octets of the connection.
    pub(super) fn poll_first(&mut self, context: &mut Context<'_>, first: &mut Vec<u8>) -> Poll<io::Result<()>> {
        ARRIVING.with_borrow_mut(|arriving| {
            arriving.resize(READ, 0);
            let count = ready!(self.poll_read(Some(context), arriving))?;
            if count == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            first.extend_from_slice(&arriving[..count]);
            Poll::Ready(Ok(()))
        })
    }

    /// Without a context nobody is woken.
    fn poll_read(&mut self, context: Option<&mut Context<'_>>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(context) = context else {
            return at_once(match self {
                Self::Tcp(stream) => stream.try_read(into),
                Self::Unix(stream) => stream.try_read(into),
            });
        };
        let mut buffer = ReadBuf::new(into);
        ready!(match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&mut self, context: Option<&mut Context<'_>>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Some(context) = context else {
            return at_once(match self {
                Self::Tcp(stream) => stream.try_write_vectored(parts),
                Self::Unix(stream) => stream.try_write_vectored(parts),
            });
        };
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }
}

fn at_once<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// A socket as rustls wants to write to it.
struct Wire<'w, 'c, 'd> {
    socket: &'w mut Socket,
    context: Option<&'c mut Context<'d>>,
}

impl Write for Wire<'_, '_, '_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(octets)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.poll_write(self.context.as_deref_mut(), parts) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {:?})", self.socket, self.end)
    }
}

impl Session {
    pub(super) const fn new(socket: Socket, role: Role) -> Self {
        Self { socket, role, plain: Vec::new(), taken: 0, end: None, finishing: false }
    }

    pub(super) const fn role(&self) -> &Role {
        &self.role
    }

    pub(super) fn common(&self) -> &CommonState {
        match &self.role {
            Role::Client(tls) => tls,
            Role::Server(tls) => tls,
        }
    }

    /// The handshake to its end: what is to be sent has been sent.
    pub(super) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(Some(context)))?;
            if !self.common().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.end.is_some() {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            ready!(self.poll_receive(Some(context), &mut Vec::new()))?;
        }
    }

    /// What was read before there was a session.
    pub(super) fn begin(&mut self, octets: &[u8]) -> io::Result<()> {
        self.feed(octets, &mut Vec::new())
    }

    /// Reads the socket once. What is decrypted goes into the spare capacity of `buffer`, the rest is
    /// kept. Ready when something has come, data or not.
    pub(super) fn poll_receive(
        &mut self,
        context: Option<&mut Context<'_>>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        ARRIVING.with_borrow_mut(|arriving| {
            arriving.resize(READ, 0);
            match ready!(self.socket.poll_read(context, arriving)) {
                Ok(0) => self.end = Some(End::Cut),
                Ok(count) => return Poll::Ready(self.feed(&arriving[..count], buffer)),
                Err(error) => {
                    self.end = Some(End::Cut);
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    fn feed(&mut self, mut octets: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
        while !octets.is_empty() && self.end.is_none() {
            let state = match &mut self.role {
                Role::Client(tls) => tls.read_tls(&mut octets).map(|_| tls.process_new_packets()),
                Role::Server(tls) => tls.read_tls(&mut octets).map(|_| tls.process_new_packets()),
            };
            match state? {
                Ok(state) => {
                    self.take_over(buffer);
                    if state.peer_has_closed() {
                        self.end = Some(End::Clean);
                    }
                }
                Err(error) => {
                    self.end = Some(End::Cut);
                    // The other end is told as far as that goes at once.
                    let _ = self.poll_send(None);
                    return Err(io::Error::new(ErrorKind::InvalidData, error));
                }
            }
        }
        Ok(())
    }

    /// Empties rustls of what it has decrypted, so that it never holds more than a record.
    fn take_over(&mut self, buffer: &mut Vec<u8>) {
        let mut reader = match &mut self.role {
            Role::Client(tls) => tls.reader(),
            Role::Server(tls) => tls.reader(),
        };
        while let Ok(chunk) = reader.fill_buf() {
            if chunk.is_empty() {
                return;
            }
            let room = if self.plain.is_empty() { buffer.capacity() - buffer.len() } else { 0 };
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            buffer.extend_from_slice(now);
            self.plain.extend_from_slice(later);
            let count = chunk.len();
            reader.consume(count);
        }
    }

    /// Gives what was kept, as far as there is room.
    pub(super) fn hand_out(&mut self, buffer: &mut Vec<u8>) {
        let kept = &self.plain[self.taken..];
        let count = kept.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&kept[..count]);
        self.taken += count;
        if self.taken == self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
    }

    /// Encrypts a part of `parts`: rustls takes 64 KiB at most.
    pub(super) fn encrypt(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.role {
            Role::Client(tls) => tls.writer().write_vectored(parts),
            Role::Server(tls) => tls.writer().write_vectored(parts),
        }
    }

    /// Sends what is encrypted. Without a context nobody is woken.
    pub(super) fn poll_send(&mut self, mut context: Option<&mut Context<'_>>) -> Poll<io::Result<()>> {
        while self.common().wants_write() {
            let mut wire = Wire { socket: &mut self.socket, context: context.as_deref_mut() };
            let written = match &mut self.role {
                Role::Client(tls) => tls.write_tls(&mut wire),
                Role::Server(tls) => tls.write_tls(&mut wire),
            };
            match ready!(at_once(written)) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// `close_notify`, then FIN.
    pub(super) fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finishing {
            self.finishing = true;
            match &mut self.role {
                Role::Client(tls) => tls.send_close_notify(),
                Role::Server(tls) => tls.send_close_notify(),
            }
        }
        ready!(self.poll_send(Some(context)))?;
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    /// Whether the next read has something to say.
    pub(super) const fn has_input(&self) -> bool {
        !self.plain.is_empty() || self.end.is_some()
    }

    /// How the stream has ended, once everything was handed out.
    pub(super) fn end(&self) -> Option<io::Result<()>> {
        self.end.map(|end| match end {
            End::Clean => Ok(()),
            End::Cut => Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was cut (no close_notify)")),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.end.is_some()
            || match &self.socket {
                Socket::Tcp(stream) => is_read_closed(stream.ready(Interest::READABLE)),
                Socket::Unix(stream) => is_read_closed(stream.ready(Interest::READABLE)),
            }
    }
}
