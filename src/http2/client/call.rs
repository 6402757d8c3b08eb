//! A request to a server, written as HTTP/1.1, and the response, read so.

use super::tunnel::Handshake;
use super::{Streaming, response};
use crate::http1::Limits;
use crate::http1::body::BodyLength;
use crate::http1::head::{Request, RequestHead};
use crate::http1::stream::Layer;
use crate::http2::incoming::{Coding, Incoming};
use crate::http2::outgoing::{Outgoing, write_parts};
use crate::http2::{NoTunnels, Unprocessed, failure};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::Method;
use http::uri::Scheme;
use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// What the gateway itself writes is as long as it is.
const LIMITS: Limits = Limits {
    head_timeout: std::time::Duration::MAX,
    body_timeout: std::time::Duration::MAX,
    idle_timeout: std::time::Duration::MAX,
    tunnel_idle_timeout: std::time::Duration::MAX,
    head_size: 1024 * 1024,
    head_fields: 4096,
    target_size: 1024 * 1024,
};

/// One request and its response.
#[derive(Debug)]
pub(super) struct Call {
    asking: RefCell<Asking>,
    listening: RefCell<Listening>,
    streaming: Streaming,
}

impl Call {
    pub(super) fn new(send: SendRequest<Bytes>, streaming: Streaming) -> Self {
        let asking = Asking { send, head: Vec::new(), parsed: RequestHead::default(), content: None, broken: false };
        Self { asking: RefCell::new(asking), listening: RefCell::new(Listening::Nothing(None)), streaming }
    }

    /// Takes octets up to the end of the head, and sends it.
    fn poll_head(&self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut asking = self.asking.borrow_mut();
        // Nothing is taken before it can be sent: a connection that is lost has seen nothing of it.
        ready!(asking.send.poll_ready(context)).map_err(|error| {
            tracing::debug!(%error, "an HTTP/2 connection takes no request");
            io::Error::new(io::ErrorKind::ConnectionAborted, Unprocessed)
        })?;
        let Some((length, handshake)) = asking.parse(octets)? else { return Poll::Ready(Ok(octets.len())) };
        if handshake.is_some() && !asking.send.is_extended_connect_protocol_enabled() {
            let known = self.streaming.poll_settings(context);
            asking.forget(octets.len());
            ready!(known);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, NoTunnels)));
        }
        let behind = asking.head.len() - length;
        let asked = asking.ask(length, handshake, self.streaming.scheme())?;
        self.streaming.asked();
        let before = self.listening.replace(Listening::Response(asked, Vec::new()));
        if let Listening::Nothing(Some(waker)) = before {
            waker.wake();
        }
        Poll::Ready(Ok(octets.len().saturating_sub(behind)))
    }

    fn poll_any(&self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.asking.borrow().content.is_none() {
            return self.poll_head(context, octets);
        }
        let mut asking = self.asking.borrow_mut();
        let broken = asking.broken;
        let Some(sending) = asking.content.as_mut().filter(|_| !broken) else { return Poll::Ready(Ok(octets.len())) };
        match sending.poll_write(context, octets) {
            // Why the server takes no more is what the response says: a request of which a part was sent
            // must not look like one of which nothing was.
            Poll::Ready(Err(_)) => {
                asking.broken = true;
                Poll::Ready(Ok(octets.len()))
            }
            written @ (Poll::Ready(Ok(_)) | Poll::Pending) => written,
        }
    }
}

impl Layer for Call {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut listening = self.listening.borrow_mut();
        ready!(listening.poll_response(context, &self.streaming))?;
        match &mut *listening {
            Listening::Content(incoming) => incoming.poll_read(context, buffer),
            Listening::Response(_, interim) => {
                let size = interim.len().min(buffer.capacity() - buffer.len());
                buffer.extend(interim.drain(..size));
                Poll::Ready(Ok(size))
            }
            Listening::Nothing(_) => Poll::Pending,
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        write_parts(parts, |octets| self.poll_any(context, octets))
    }

    fn poll_flush(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task sends what was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.asking.borrow_mut().content.as_mut().map_or(Ok(()), Outgoing::shutdown))
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut listening = self.listening.borrow_mut();
        ready!(listening.poll_response(context, &self.streaming))?;
        match &mut *listening {
            Listening::Content(incoming) => incoming.poll_fill(context),
            Listening::Response(..) | Listening::Nothing(_) => Poll::Ready(Ok(())),
        }
    }

    fn has_input(&self) -> bool {
        self.poll_readable(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn is_closed(&self) -> bool {
        self.asking.borrow_mut().content.as_mut().is_some_and(Outgoing::is_reset)
    }
}

/// The request.
#[derive(Debug)]
struct Asking {
    send: SendRequest<Bytes>,
    /// As much as there is of the head.
    head: Vec<u8>,
    parsed: RequestHead,
    /// Behind the head.
    content: Option<Outgoing>,
    /// The server takes no more of it.
    broken: bool,
}

impl Asking {
    /// Takes octets; the length of the head where it is whole, and the handshake that it is.
    fn parse(&mut self, octets: &[u8]) -> io::Result<Option<(usize, Option<Handshake>)>> {
        self.head.extend_from_slice(octets);
        let parsed = self.parsed.parse(&self.head, &LIMITS).map_err(io::Error::other)?;
        Ok(parsed.map(|length| (length, Handshake::of(&Request::new(&self.parsed, &self.head)))))
    }

    /// As if the last `count` octets had not been taken.
    fn forget(&mut self, count: usize) {
        self.head.truncate(self.head.len().saturating_sub(count));
    }

    /// Sends the head, which is `length` octets long.
    fn ask(&mut self, length: usize, handshake: Option<Handshake>, scheme: Scheme) -> io::Result<Asked> {
        self.head.truncate(length);
        let request = Request::new(&self.parsed, &self.head);
        let framing = if handshake.is_some() { BodyLength::Close } else { request.length() };
        let mut head = response::request(&request, scheme).map_err(io::Error::other)?;
        let method = head.method().clone();
        if handshake.is_some() {
            Handshake::ask(&mut head);
        }
        let (response, stream) = self.send.send_request(head, framing == BodyLength::None).map_err(failure)?;
        self.content = Some(Outgoing::new(stream, framing, Reason::CANCEL));
        self.head = Vec::new();
        Ok(Asked { response, method, handshake })
    }
}

/// A request that has been sent.
#[derive(Debug)]
struct Asked {
    response: ResponseFuture,
    method: Method,
    /// It asks for a tunnel.
    handshake: Option<Handshake>,
}

impl Asked {
    /// The response, whose head reads as one of HTTP/1.1.
    fn incoming(&self, response: http::Response<RecvStream>) -> Incoming {
        let (parts, body) = response.into_parts();
        if let Some(head) = self.handshake.as_ref().and_then(|handshake| handshake.switch(&parts)) {
            return Incoming::new(head, body, Coding::Plain);
        }
        let ended = body.is_end_stream();
        let empty = ended || response::is_bodiless(&parts, &self.method);
        let coding = if empty { Coding::Plain } else { Coding::of(&parts.headers) };
        Incoming::new(response::head(&parts, &self.method, ended), body, coding)
    }
}

/// The response.
#[derive(Debug)]
enum Listening {
    /// The request has not been sent; who waits already.
    Nothing(Option<Waker>),
    /// Its head is awaited; what came of interim responses.
    Response(Asked, Vec<u8>),
    /// It has begun.
    Content(Incoming),
}

impl Listening {
    /// Ready when there is a response, or an interim one.
    fn poll_response(&mut self, context: &mut Context<'_>, streaming: &Streaming) -> Poll<io::Result<()>> {
        let (asked, interim) = match self {
            Self::Content(_) => return Poll::Ready(Ok(())),
            Self::Nothing(waker) => {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Self::Response(asked, interim) => (asked, interim),
        };
        if !interim.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(Some(head)) = asked.response.poll_informational(context) {
            streaming.answered();
            response::interim(&head.map_err(failure)?, interim);
            return Poll::Ready(Ok(()));
        }
        let answered = ready!(Pin::new(&mut asked.response).poll(context)).map_err(failure);
        if !answered.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            streaming.answered();
        }
        let incoming = asked.incoming(answered?);
        *self = Self::Content(incoming);
        Poll::Ready(Ok(()))
    }
}
