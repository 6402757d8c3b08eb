//! Where a request comes from, told to the upstream: `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and
//! `Forwarded` (FWD-1, FWD-2, RFC 7239). What a trusted peer says is extended; what anybody else
//! says has been dropped, and ours stands alone.

use super::Plan;
use super::edits::{covers, line};
use crate::http1::head::Request;
use crate::http1::stream::Peer;
use crate::proxy::origin::is_forwarded;
use crate::text::address;
use std::net::IpAddr;

/// What upstreams are told: `[server] forwarded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// `X-Forwarded-For` and its kin.
    pub x_forwarded: bool,
    /// `Forwarded`, with these parameters.
    pub forwarded: Option<Parameters>,
}

/// The parameters of our element of `Forwarded` (RFC 7239 section 5), one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `for`: the peer's address.
    pub node: bool,
    /// `proto`.
    pub proto: bool,
    /// `host`.
    pub host: bool,
}

/// Whether [`append`] makes this field, where it is wanted: the client's is not copied, but read.
pub(super) fn is_made_here(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] =
        [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"forwarded"];
    NAMES.iter().any(|made| name.eq_ignore_ascii_case(made))
}

/// Appends the fields, each exactly once.
pub(super) fn append(plan: &Plan<'_>, request: &Request<'_>, peer: &Peer, out: &mut Vec<u8>) {
    let edits = &plan.action.request_headers;
    let scheme: &[u8] = if plan.origin.https { b"https" } else { b"http" };
    if plan.provenance.x_forwarded {
        x_forwarded(plan, request, (peer, scheme), out);
    }
    if let Some(parameters) = plan.provenance.forwarded.filter(|_| !covers(edits, b"forwarded")) {
        forwarded((plan, parameters), request, (peer, scheme), out);
    }
}

fn x_forwarded(plan: &Plan<'_>, request: &Request<'_>, (peer, scheme): (&Peer, &[u8]), out: &mut Vec<u8>) {
    let edits = &plan.action.request_headers;
    if !covers(edits, b"x-forwarded-for") {
        forwarded_for(plan, request, peer, out);
    }
    if !covers(edits, b"x-forwarded-proto") {
        line(out, b"x-forwarded-proto", scheme);
    }
    if !covers(edits, b"x-forwarded-host") {
        line(out, b"x-forwarded-host", said(plan, request, "x-forwarded-host").unwrap_or(plan.host.raw.as_bytes()));
    }
    if !covers(edits, b"x-forwarded-port") {
        let default: &[u8] = if plan.origin.https { b"443" } else { b"80" };
        let port = said(plan, request, "x-forwarded-port").or_else(|| port(plan.host.raw)).unwrap_or(default);
        line(out, b"x-forwarded-port", port);
    }
}

/// The last line that a trusted peer sent of a field.
fn said<'r>(plan: &Plan<'_>, request: &Request<'r>, name: &str) -> Option<&'r [u8]> {
    let value = if plan.origin.trusted { request.values(name).last() } else { None };
    value.filter(|value| !value.is_empty())
}

/// The port of a host; a colon inside brackets is none.
fn port(host: &str) -> Option<&[u8]> {
    let (_, port) = host.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit())).then_some(port.as_bytes())
}

/// `X-Forwarded-For`: what the trusted peer says, then the peer itself. A trusted peer that says who
/// the client is in `Forwarded` alone is understood as well.
fn forwarded_for(plan: &Plan<'_>, request: &Request<'_>, peer: &Peer, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"x-forwarded-for: ");
    let value = out.len();
    if plan.origin.trusted {
        join(request.values("x-forwarded-for"), out);
        if out.len() == value && plan.origin.address != peer.address() {
            addressed(plan.origin.address, out);
        }
    }
    if let Some(peer) = peer.address() {
        separate(value, out);
        address(out, peer);
    }
    if out.len() == value {
        out.truncate(start);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

/// `Forwarded`: likewise.
fn forwarded(
    (plan, parameters): (&Plan<'_>, Parameters),
    request: &Request<'_>,
    (peer, scheme): (&Peer, &[u8]),
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(b"forwarded: ");
    let value = out.len();
    if plan.origin.trusted {
        // A line that ends inside quotes would take in what follows it.
        join(request.values("forwarded").filter(|value| is_forwarded(value)), out);
        if out.len() == value && plan.origin.address != peer.address() {
            out.extend_from_slice(b"for=");
            node(plan.origin.address, out);
        }
    }
    let before = out.len();
    separate(value, out);
    let element = out.len();
    if parameters.node {
        out.extend_from_slice(b"for=");
        node(peer.address(), out);
    }
    if parameters.proto {
        parameter(element, b"proto=", out);
        out.extend_from_slice(scheme);
    }
    if parameters.host && !plan.host.raw.is_empty() {
        parameter(element, b"host=", out);
        quoted(plan.host.raw, out);
    }
    if out.len() == element {
        // There is nothing to say: a request of HTTP/1.0 may have no host.
        out.truncate(before);
    }
    if out.len() == value {
        out.truncate(start);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

fn join<'v>(values: impl Iterator<Item = &'v [u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    for value in values.filter(|value| !value.is_empty()) {
        separate(start, out);
        out.extend_from_slice(value);
    }
}

fn separate(start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.extend_from_slice(b", ");
    }
}

fn parameter(start: usize, name: &[u8], out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b';');
    }
    out.extend_from_slice(name);
}

fn addressed(origin: Option<IpAddr>, out: &mut Vec<u8>) {
    if let Some(origin) = origin {
        address(out, origin);
    }
}

/// RFC 7239 section 6.
fn node(node: Option<IpAddr>, out: &mut Vec<u8>) {
    match node {
        None => out.extend_from_slice(b"unknown"),
        Some(IpAddr::V4(_)) => addressed(node, out),
        Some(IpAddr::V6(_)) => {
            out.extend_from_slice(b"\"[");
            addressed(node, out);
            out.extend_from_slice(b"]\"");
        }
    }
}

/// A value as a token where it is one, else as a quoted-string (RFC 7239 section 4).
fn quoted(value: &str, out: &mut Vec<u8>) {
    if value.bytes().all(crate::proxy::origin::is_token) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.push(b'"');
    for octet in value.bytes() {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}
