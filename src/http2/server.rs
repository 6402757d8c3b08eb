//! Connections of clients: each stream becomes an exchange of HTTP/1.1.

mod exchange;
pub(super) mod request;

use self::exchange::{Answer, ServerStream};
use super::incoming::{Coding, Incoming};
use super::socket::Socket;
use super::{SEND_BUFFER, STREAM_WINDOW, STREAMS};
use crate::http1::Limits;
use crate::http1::head::HeadError;
use crate::http1::stream::Stream;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// What may come on a connection before it has been read.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Streams that were reset, by the client before anybody looked at them and by us a moment ago, and are
/// still remembered. With more of the first kind the connection ends (H2-4).
const RESET_STREAMS: usize = 20;

/// Exchanges of one connection at a time.
pub const MOST_EXCHANGES: usize = STREAMS;

/// A connection of a client.
#[derive(Debug)]
pub struct Connection {
    inner: h2::server::Connection<Socket, Bytes>,
}

/// A request has begun to arrive.
#[derive(Debug)]
pub struct Arrival {
    /// Reads as the request in HTTP/1.1, takes the response to it. Dropped before a whole response was
    /// written to it, it tells the client so.
    pub stream: Stream,
    /// The request cannot be put into HTTP/1.1: there is nothing to read, but the client may be told.
    pub refused: Option<HeadError>,
}

impl Connection {
    /// Takes a connection of which `ahead` was read already. Waits for what a client begins with.
    ///
    /// # Errors
    /// When that is not HTTP/2, or the socket fails.
    pub async fn open(stream: Stream, ahead: Vec<u8>, limits: &Limits) -> Result<Self, h2::Error> {
        let size = u32::try_from(limits.head_size).unwrap_or(u32::MAX);
        let mut builder = Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(u32::try_from(STREAMS).unwrap_or(u32::MAX))
            .max_header_list_size(size)
            .max_send_buffer_size(SEND_BUFFER)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .enable_connect_protocol();
        Ok(Self { inner: builder.handshake(Socket::new(stream, ahead)).await? })
    }

    /// The next request; `None`: the connection has ended. Without `accept`, no request is taken; what
    /// is under way goes on meanwhile, here as there. Cancel-safe.
    pub async fn next(&mut self, accept: bool) -> Option<Arrival> {
        poll_fn(|context| self.poll_next(context, accept)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>, accept: bool) -> Poll<Option<Arrival>> {
        if !accept {
            return self.inner.poll_closed(context).map(|_| None);
        }
        match ready!(self.inner.poll_accept(context)) {
            Some(Ok((request, respond))) => Poll::Ready(Some(arrival(request, respond))),
            Some(Err(error)) => {
                tracing::debug!(%error, "an HTTP/2 connection ended");
                Poll::Ready(None)
            }
            None => Poll::Ready(None),
        }
    }

    /// Has no further streams begin (GOAWAY); those under way go on.
    pub fn finish(&mut self) {
        self.inner.graceful_shutdown();
    }

    /// Whether a stream is open, or a response has not gone out yet.
    pub fn has_streams(&self) -> bool {
        self.inner.has_streams()
    }
}

fn arrival(request: http::Request<RecvStream>, respond: SendResponse<Bytes>) -> Arrival {
    let (parts, body) = request.into_parts();
    let (tunnel, ended) = (request::is_tunnel(&parts), body.is_end_stream());
    let (head, refused) = match request::head(&parts, ended) {
        Ok(head) => (head, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let coding = if tunnel || ended { Coding::Plain } else { Coding::of(&parts.headers) };
    let answer = Answer::new(respond, parts.method, tunnel);
    let layer = ServerStream::new(Incoming::new(head, body, coding).strict(), answer);
    Arrival { stream: Stream::Layered(Box::new(layer)), refused }
}
