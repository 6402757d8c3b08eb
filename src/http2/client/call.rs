//! A request to a server, written as HTTP/1.1, and the response, read so.

use super::{Streaming, response};
use crate::http1::Limits;
use crate::http1::body::BodyLength;
use crate::http1::head::{Request, RequestHead};
use crate::http1::stream::Layer;
use crate::http2::incoming::{Coding, Incoming};
use crate::http2::outgoing::{Outgoing, write_parts};
use crate::http2::{Unprocessed, failure};
use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
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
        let (used, asked) = asking.take_head(octets, self.streaming.scheme())?;
        if let Some((response, method)) = asked {
            self.streaming.asked();
            let before = self.listening.replace(Listening::Response(response, method, Vec::new()));
            if let Listening::Nothing(Some(waker)) = before {
                waker.wake();
            }
        }
        Poll::Ready(Ok(used))
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
            Listening::Response(_, _, interim) => {
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
    fn take_head(&mut self, octets: &[u8], scheme: Scheme) -> io::Result<(usize, Option<(ResponseFuture, Method)>)> {
        self.head.extend_from_slice(octets);
        let parsed = self.parsed.parse(&self.head, &LIMITS).map_err(io::Error::other)?;
        let Some(length) = parsed else { return Ok((octets.len(), None)) };
        let behind = self.head.len() - length;
        self.head.truncate(length);
        let request = Request::new(&self.parsed, &self.head);
        let framing = request.length();
        let head = response::request(&request, scheme).map_err(io::Error::other)?;
        let method = head.method().clone();
        let (response, stream) = self.send.send_request(head, framing == BodyLength::None).map_err(failure)?;
        self.content = Some(Outgoing::new(stream, framing, Reason::CANCEL));
        self.head = Vec::new();
        Ok((octets.len().saturating_sub(behind), Some((response, method))))
    }
}

/// The response.
#[derive(Debug)]
enum Listening {
    /// The request has not been sent; who waits already.
    Nothing(Option<Waker>),
    /// Its head is awaited; the method, and what came of interim responses.
    Response(ResponseFuture, Method, Vec<u8>),
    /// It has begun.
    Content(Incoming),
}

impl Listening {
    /// Ready when there is a response, or an interim one.
    fn poll_response(&mut self, context: &mut Context<'_>, streaming: &Streaming) -> Poll<io::Result<()>> {
        let (future, method, interim) = match self {
            Self::Content(_) => return Poll::Ready(Ok(())),
            Self::Nothing(waker) => {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Self::Response(future, method, interim) => (future, method, interim),
        };
        if !interim.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(Some(head)) = future.poll_informational(context) {
            streaming.answered();
            response::interim(&head.map_err(failure)?, interim);
            return Poll::Ready(Ok(()));
        }
        let answered = ready!(Pin::new(future).poll(context)).map_err(failure);
        if !answered.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            streaming.answered();
        }
        let (parts, body) = answered?.into_parts();
        let ended = body.is_end_stream();
        let coding = if response::is_chunked(&parts, method, ended) { Coding::Chunked } else { Coding::Plain };
        let head = response::head(&parts, method, ended);
        *self = Self::Content(Incoming::new(head, body, coding));
        Poll::Ready(Ok(()))
    }
}
