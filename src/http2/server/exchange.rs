//! A stream of a client's connection: a request that reads as HTTP/1.1, and a response that is written
//! so.

use crate::http1::body::BodyLength;
use crate::http1::head::{Response, ResponseHead};
use crate::http1::stream::Layer;
use crate::http2::incoming::Incoming;
use crate::http2::outgoing::{Outgoing, write_parts};
use crate::http2::{failure, fields};
use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::{Method, StatusCode};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

/// A stream.
#[derive(Debug)]
pub(super) struct ServerStream {
    incoming: RefCell<Incoming>,
    answer: RefCell<Answer>,
}

impl ServerStream {
    pub(super) const fn new(incoming: Incoming, answer: Answer) -> Self {
        Self { incoming: RefCell::new(incoming), answer: RefCell::new(answer) }
    }
}

impl Layer for ServerStream {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        self.incoming.borrow_mut().poll_read(context, buffer)
    }

    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut answer = self.answer.borrow_mut();
        let written = write_parts(parts, |octets| answer.poll_write(context, octets));
        if answer.switched {
            self.incoming.borrow_mut().begin_tunnel();
        }
        written
    }

    fn poll_flush(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task sends what was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.answer.borrow_mut().shutdown())
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.incoming.borrow_mut().poll_fill(context)
    }

    fn has_input(&self) -> bool {
        self.incoming.borrow_mut().has_input()
    }

    fn is_closed(&self) -> bool {
        self.answer.borrow_mut().is_reset()
    }
}

/// The response to a request.
#[derive(Debug)]
pub(super) struct Answer {
    respond: SendResponse<Bytes>,
    method: Method,
    /// The request wants a tunnel, which HTTP/1.1 grants with 101.
    tunnel: bool,
    switched: bool,
    /// As much as there is of the head.
    head: Vec<u8>,
    parsed: ResponseHead,
    /// Behind the head of the final response.
    content: Option<Outgoing>,
}

impl Answer {
    pub(super) fn new(respond: SendResponse<Bytes>, method: Method, tunnel: bool) -> Self {
        let parsed = ResponseHead::default();
        Self { respond, method, tunnel, switched: false, head: Vec::new(), parsed, content: None }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.content {
            Some(sending) => sending.poll_write(context, octets),
            None => Poll::Ready(self.take_head(octets)),
        }
    }

    /// Takes octets up to the end of the head; gives how many.
    fn take_head(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.head.extend_from_slice(octets);
        let parsed = self.parsed.parse(&self.head, self.method.as_str()).map_err(io::Error::other)?;
        let Some(length) = parsed else { return Ok(octets.len()) };
        let behind = self.head.len() - length;
        self.head.truncate(length);
        self.pass_on()?;
        self.head.clear();
        Ok(octets.len().saturating_sub(behind))
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let response = Response::new(&self.parsed, &self.head);
        let mut head = head(&response).map_err(io::Error::other)?;
        let framing = match response.status() {
            101 if self.tunnel => {
                self.switched = true;
                *head.status_mut() = StatusCode::OK;
                head.headers_mut().remove("sec-websocket-accept");
                BodyLength::Close
            }
            101 => return Err(io::Error::other("HTTP/2 has no protocol switch")),
            100..=199 => return self.respond.send_informational(head).map_err(failure),
            200..=299 if self.tunnel => {
                // In HTTP/1.1 this is a response without a switch; here the client would take it for one (RFC 8441).
                *head.status_mut() = StatusCode::NOT_IMPLEMENTED;
                response.length()
            }
            _ => response.length(),
        };
        if framing == BodyLength::None && is_grpc(head.headers()) {
            // Clients of gRPC take every field of a head that ends its stream for what the server says of the call.
            head.headers_mut().remove(CONTENT_LENGTH);
        }
        let stream = self.respond.send_response(head, framing == BodyLength::None).map_err(failure)?;
        self.content = Some(Outgoing::new(stream, framing, Reason::INTERNAL_ERROR));
        Ok(())
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.content.as_mut().map_or(Ok(()), Outgoing::shutdown)
    }

    fn is_reset(&mut self) -> bool {
        match &mut self.content {
            Some(content) => content.is_reset(),
            None => self.respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.content.is_none() {
            self.respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

fn is_grpc(fields: &HeaderMap) -> bool {
    fields.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn head(response: &Response<'_>) -> Result<http::Response<()>, http::Error> {
    let mut head = http::Response::builder().status(response.status()).body(())?;
    for field in response.fields() {
        fields::add(head.headers_mut(), &field)?;
    }
    Ok(head)
}
