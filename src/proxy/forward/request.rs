//! The head of the request that an upstream gets: what passes of the client's fields, then ours.
//!
//! The client's fields are stripped first and ours are added afterwards, so that no client can have
//! one of ours removed by naming it in `Connection` (H-conn-3), nor add a second one (IDH-4).

use super::edits::{append_set, content_length, covers, line, value_of};
use super::upgrade::Offer;
use super::{Plan, cookies, provenance, trail, trailers};
use crate::http1::Version;
use crate::http1::body::{BodyLength, BodyReader};
use crate::http1::head::{Field, Request};
use crate::http1::stream::Peer;
use crate::proxy::fields::{Fate, Named, list, request_fate};
use crate::secret::{hex, random};
use std::sync::LazyLock;

/// Our name in `Via`, another one for each process: a gateway at the edge and one beside the service
/// are two stations of one way, not a loop.
static PSEUDONYM: LazyLock<String> = LazyLock::new(|| {
    // Without randomness they share a name, and a chain of them would be taken for a loop.
    random::<4>().map_or_else(|_| "tollgate".to_owned(), |octets| format!("tollgate-{}", hex(&octets)))
});

/// What the head is made of.
#[derive(Debug)]
pub(super) struct Outgoing<'o> {
    pub(super) plan: &'o Plan<'o>,
    pub(super) request: Request<'o>,
    pub(super) peer: &'o Peer,
    /// The identity fields, ready to be copied; empty without an identity.
    pub(super) identity: &'o [u8],
    /// How the body is framed on the way to the upstream.
    pub(super) framing: BodyLength,
    /// The protocols that the connection may be switched to, where the client wants that.
    pub(super) offer: Option<Offer>,
    /// The client waits for `100 Continue`, and nothing of the body has come: the upstream is asked.
    pub(super) expects: bool,
}

/// What the client's fields held.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// A length was announced.
    length: bool,
    /// The request is part of a trace.
    trace: bool,
    /// The client understands trailers.
    takes_trailers: bool,
}

/// The request has been here before (H-via).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looped;

impl Outgoing<'_> {
    /// Writes the head for a server whose `Host` is `host` into `out`.
    pub(super) fn write(&self, host: &[u8], out: &mut Vec<u8>) -> Result<(), Looped> {
        out.clear();
        self.request_line(out);
        line(out, b"host", value_of(&self.plan.action.request_headers, "host").unwrap_or(host));
        let seen = self.passed(out)?;
        self.framed(seen.length, out);
        if self.expects {
            out.extend_from_slice(b"expect: 100-continue\r\n");
        }
        if let Some(offer) = &self.offer {
            offer.append(out);
        } else if seen.takes_trailers {
            // H-te-1
            out.extend_from_slice(b"te: trailers\r\nconnection: te\r\n");
        }
        self.ours(out);
        if !seen.trace && !covers(&self.plan.action.request_headers, b"traceparent") {
            trail::traceparent(self.plan.request_id, out);
        }
        append_set(out, &self.plan.action.request_headers);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends the end of a chunked body whose content has been sent.
    pub(super) fn last_chunk(&self, body: &BodyReader<'_>, out: &mut Vec<u8>) {
        trailers::last_chunk(body.trailers(), self.request.connection(), &self.plan.action.request_headers, out);
    }

    fn request_line(&self, out: &mut Vec<u8>) {
        let path = if self.plan.path.is_empty() { "/" } else { self.plan.path };
        out.extend_from_slice(self.request.method().as_bytes());
        out.push(b' ');
        out.extend_from_slice(path.as_bytes());
        if let Some(query) = self.plan.query {
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }

    /// The fields that pass, in order.
    fn passed(&self, out: &mut Vec<u8>) -> Result<Seen, Looped> {
        let named = Named::read(self.request.connection());
        let limit = trail::max_forwards(&self.request);
        let mut seen = Seen::default();
        for field in self.request.fields() {
            let passes = match request_fate(field.name) {
                Fate::Pass => limit.is_none() || !field.is("max-forwards"),
                Fate::Drop => {
                    self.made_anew(&field, &mut seen, out);
                    self.plan.action.lets_pass(field.name)
                }
                Fate::Forwarding => self.plan.origin.trusted && !provenance::is_made_here(field.name),
                Fate::Ours => {
                    seen.length |= field.is("content-length");
                    self.passes_nevertheless(&field)?
                }
            };
            if passes && !named.contains(field.name) && !covers(&self.plan.action.request_headers, field.name) {
                pass(&field, out);
                seen.trace |= field.is("traceparent");
            }
        }
        if let Some(limit) = limit {
            trail::forwarded(limit, out);
        }
        Ok(seen)
    }

    /// Of what belongs to the connection: trailers may be announced, and that they are understood may be said.
    fn made_anew(&self, field: &Field<'_>, seen: &mut Seen, out: &mut Vec<u8>) {
        match field.name.len() {
            2 if field.is("te") => {
                let modern = self.request.version() != Version::Http10;
                seen.takes_trailers |=
                    modern && list(field.value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            }
            7 if self.framing == BodyLength::Chunked && field.is("trailer") => {
                trailers::announced(field.value, &self.plan.action.request_headers, out);
            }
            _ => {}
        }
    }

    /// Of the fields that the gateway looks at, two may pass.
    fn passes_nevertheless(&self, field: &Field<'_>) -> Result<bool, Looped> {
        if field.is("via") {
            return if list(field.value).any(is_ours) { Err(Looped) } else { Ok(true) };
        }
        Ok(field.is("authorization") && !self.plan.strip_authorization)
    }

    fn framed(&self, announced: bool, out: &mut Vec<u8>) {
        match self.framing {
            BodyLength::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            BodyLength::Length(length) => content_length(out, length),
            // A request never ends with its connection.
            BodyLength::None | BodyLength::Close => {
                if announced || matches!(self.request.method(), "POST" | "PUT" | "PATCH") {
                    content_length(out, 0);
                }
            }
        }
    }

    fn ours(&self, out: &mut Vec<u8>) {
        let edits = &self.plan.action.request_headers;
        self.identified(out);
        if !covers(edits, b"x-request-id") {
            line(out, b"x-request-id", self.plan.request_id.as_bytes());
        }
        provenance::append(self.plan, &self.request, self.peer, out);
        out.extend_from_slice(match self.request.version() {
            Version::Http10 => b"via: 1.0 ",
            Version::Http11 => b"via: 1.1 ",
            Version::Http2 => b"via: 2.0 ",
        });
        out.extend_from_slice(PSEUDONYM.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The identity fields, less those that the operator sets or removes.
    fn identified(&self, out: &mut Vec<u8>) {
        let edits = &self.plan.action.request_headers;
        if edits.set.is_empty() && edits.remove.is_empty() {
            out.extend_from_slice(self.identity);
            return;
        }
        for field in self.identity.split_inclusive(|&octet| octet == b'\n') {
            let name = field.split(|&octet| octet == b':').next().unwrap_or_default();
            if !covers(edits, name) {
                out.extend_from_slice(field);
            }
        }
    }
}

/// Passes a field on, without the cookies that are between the gateway and the browser.
fn pass(field: &Field<'_>, out: &mut Vec<u8>) {
    match field.is("cookie").then(|| cookies::without_ours(field.value)).flatten() {
        None => line(out, field.name, field.value),
        Some(left) if left.is_empty() => {}
        Some(left) => line(out, field.name, &left),
    }
}

/// Whether an element of `Via` says that the message was received by us.
fn is_ours(element: &[u8]) -> bool {
    let mut words = element.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).is_some_and(|received_by| received_by.eq_ignore_ascii_case(PSEUDONYM.as_bytes()))
}

#[cfg(test)]
mod tests;
