//! The offer to switch a connection to another protocol, and its acceptance (H-upg-1, H-upg-2, SMUG-22).

use super::Plan;
use super::edits::{append_set, covers, line};
use super::response::{append_ours, status_line, unchanged};
use crate::http1::Version;
use crate::http1::body::BodyLength;
use crate::http1::head::{Request, Response};
use crate::proxy::fields::list;
use crate::proxy::route::Upgrade;

/// The protocols that a client offers and a route allows, as they are written to the upstream.
#[derive(Debug)]
pub(super) struct Offer(Vec<u8>);

impl Offer {
    /// What `request` offers: WebSocket by GET alone, nothing beside a body, nothing in HTTP/1.0, and
    /// nothing that `Connection` does not name. The usual request costs a look at its `Connection`.
    pub(super) fn of(request: &Request<'_>, framing: BodyLength, allowed: &Upgrade) -> Option<Self> {
        let asks = request.connection().flat_map(list).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
        if !asks || request.version() == Version::Http10 || framing != BodyLength::None {
            return None;
        }
        let get = request.method() == "GET";
        let mut offered = Vec::new();
        for protocol in request.values("upgrade").flat_map(list) {
            let websocket = protocol.eq_ignore_ascii_case(b"websocket");
            if allowed.allows(protocol) && (get || !websocket) {
                if !offered.is_empty() {
                    offered.extend_from_slice(b", ");
                }
                offered.extend_from_slice(protocol);
            }
        }
        (!offered.is_empty()).then_some(Self(offered))
    }

    /// Appends the two fields that make the offer.
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        line(out, b"connection", b"upgrade");
        line(out, b"upgrade", &self.0);
    }

    /// Whether `response` switches to something that was offered, and to nothing else.
    pub(super) fn is_accepted(&self, response: &Response<'_>) -> bool {
        let mut chosen = response.values("upgrade").flat_map(list).peekable();
        response.status() == 101
            && chosen.peek().is_some()
            && chosen.all(|protocol| list(&self.0).any(|offered| offered.eq_ignore_ascii_case(protocol)))
    }
}

/// Writes the head of an accepted 101 for the client that sent `request` into `out`.
pub(super) fn switching(response: &Response<'_>, plan: &Plan<'_>, request: &Request<'_>, out: &mut Vec<u8>) {
    out.clear();
    status_line(response, out);
    unchanged(response, plan, out);
    let edits = &plan.action.response_headers;
    if !covers(edits, b"x-request-id") {
        line(out, b"x-request-id", plan.request_id.as_bytes());
    }
    append_set(out, edits);
    append_ours(plan, request, out);
    line(out, b"connection", b"upgrade");
    for protocol in response.values("upgrade") {
        line(out, b"upgrade", protocol);
    }
    out.extend_from_slice(b"\r\n");
}
