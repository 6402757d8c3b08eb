//! TLS over a socket as a byte stream: the handshake, and the [`Layer`] that it results in.

mod session;
#[cfg(test)]
mod tests;

use self::session::{Role, Session, Socket};
use super::{Layer, Stream};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The first octet of every TLS connection: a record of type handshake.
const HANDSHAKE: u8 = 0x16;

/// A connection on which a handshake has succeeded.
#[derive(Debug)]
pub struct TlsStream(RefCell<Session>);

/// How the handshake with a client ended.
#[derive(Debug)]
pub enum Accepted {
    /// TLS is spoken.
    Tls(Box<TlsStream>),
    /// The client speaks something else, and began with this octet.
    Other(Stream, u8),
}

impl TlsStream {
    /// The handshake with a client. Until its first octets are there, nothing is held for it. Takes as
    /// long as the client does: the caller sets a limit.
    ///
    /// # Errors
    /// Those of the socket and, as `InvalidData` around a [`rustls::Error`], those of the handshake; the
    /// client has been told then.
    pub async fn accept(stream: Stream, config: Arc<ServerConfig>) -> io::Result<Accepted> {
        stream.readable().await?;
        let mut socket = Socket::of(stream)?;
        let mut first = Vec::new();
        poll_fn(|context| socket.poll_first(context, &mut first)).await?;
        if first.first().is_some_and(|octet| *octet != HANDSHAKE) {
            return Ok(Accepted::Other(socket.into_stream(), first[0]));
        }
        let stream = Self::answering(socket, config, &first)?;
        drop(first);
        stream.establish().await?;
        Ok(Accepted::Tls(stream))
    }

    /// The handshake with a server that must be `name`.
    ///
    /// # Errors
    /// As those of [`accept`](Self::accept).
    pub async fn connect(
        stream: Stream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Box<Self>> {
        let stream = Self::asking(Socket::of(stream)?, config, name)?;
        stream.establish().await?;
        Ok(stream)
    }

    /// Made outside of what waits, which is small then: it holds a pointer.
    fn answering(socket: Socket, config: Arc<ServerConfig>, first: &[u8]) -> io::Result<Box<Self>> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut session = Session::new(socket, Role::Server(tls));
        session.begin(first)?;
        Ok(Box::new(Self(RefCell::new(session))))
    }

    fn asking(socket: Socket, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Box<Self>> {
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Box::new(Self(RefCell::new(Session::new(socket, Role::Client(tls))))))
    }

    async fn establish(&self) -> io::Result<()> {
        poll_fn(|context| self.0.borrow_mut().poll_handshake(context)).await
    }

    /// The name that the client asked for (SNI), in lower case.
    pub fn server_name(&self) -> Option<String> {
        match self.0.borrow().role() {
            Role::Server(tls) => tls.server_name().map(str::to_ascii_lowercase),
            Role::Client(_) => None,
        }
    }

    /// The protocol that was agreed on by ALPN.
    pub fn protocol(&self) -> Option<Vec<u8>> {
        self.0.borrow().common().alpn_protocol().map(<[u8]>::to_vec)
    }
}

impl From<Box<TlsStream>> for Stream {
    fn from(tls: Box<TlsStream>) -> Self {
        Self::Layered(tls)
    }
}

impl Layer for TlsStream {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut session = self.0.borrow_mut();
        let before = buffer.len();
        loop {
            session.hand_out(buffer);
            if buffer.len() > before {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            if let Some(end) = session.end() {
                return Poll::Ready(end.map(|()| 0));
            }
            ready!(session.poll_receive(Some(context), buffer))?;
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut session = self.0.borrow_mut();
        // No more is encrypted ahead than what the bound of one call allows.
        ready!(session.poll_send(Some(context)))?;
        let taken = session.encrypt(parts)?;
        match session.poll_send(Some(context)) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_send(Some(context))
    }

    fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_finish(context)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.0.borrow_mut();
        while !session.has_input() {
            ready!(session.poll_receive(Some(context), &mut Vec::new()))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Records that are no data (session tickets, new keys) are taken in on the way.
    fn has_input(&self) -> bool {
        let mut session = self.0.borrow_mut();
        while !session.has_input() {
            match session.poll_receive(None, &mut Vec::new()) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return true,
            }
        }
        true
    }

    fn is_closed(&self) -> bool {
        self.0.borrow().is_closed()
    }
}
