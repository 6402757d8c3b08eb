//! `headers.request` and `headers.response` of a route.

use crate::config::error::Report;
use crate::config::keys::EDITS;
use crate::config::section::Section;
use crate::config::source::Place;
use crate::proxy::fields::{Fate, may_keep_underscore, request_fate};
use crate::proxy::route::HeaderEdits;
use http::{HeaderName, HeaderValue};

/// Whose fields are changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the upstream gets.
    Request,
    /// What the client gets.
    Response,
}

/// Fields of a response that frame it, belong to its connection, or are made by the gateway.
const RESPONSE: [&str; 10] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Fields of a request that frame it or belong to its connection.
const CONNECTION: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads `set` and `remove`.
pub(super) fn edits(section: &Section<'_>, side: Side) -> HeaderEdits {
    let section = section.section(if side == Side::Request { "request" } else { "response" }, EDITS);
    let report = section.report;
    let mut edits = HeaderEdits::default();
    for entry in section.named("set") {
        let Some(name) = name(&entry.key, &entry.key_at, side, report) else { continue };
        if edits.set.iter().any(|(known, _)| *known == name) {
            report.problem(&entry.key_at, format!("`{name}` is set twice"), "upper and lower case are one");
        }
        let Some(text) = entry.node.text() else { continue };
        match HeaderValue::from_str(text) {
            Ok(value) if text.trim() == text => edits.set.push((name, value)),
            _ => {
                let help = "a value has no line breaks, no control characters, and no space at its ends";
                report.problem(&entry.node.at, format!("`{name}` cannot have this value"), help);
            }
        }
    }
    for (node, text) in section.texts("remove") {
        edits.remove.extend(name(text, &node.at, side, report));
    }
    edits
}

/// Reads `underscores`: in lower case.
pub(super) fn underscored(section: &Section<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for (node, text) in section.texts("underscores") {
        if HeaderName::from_bytes(text.as_bytes()).is_ok() && may_keep_underscore(text.as_bytes()) {
            names.push(text.to_ascii_lowercase());
        } else {
            let help = "name fields with `_` that mean nothing to the gateway; without one a field passes anyway";
            section.report.problem(&node.at, format!("`{text}` cannot be let pass"), help);
        }
    }
    names
}

fn name(text: &str, at: &Place, side: Side, report: &Report) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        report.problem(
            at,
            format!("`{text}` cannot be the name of a field"),
            "RFC 9110 section 5.1 says what a name is",
        );
        return None;
    };
    if is_ours(name.as_str(), side) {
        report.problem(at, format!("`{name}` is the gateway's own to set and to remove"), "leave it out");
        return None;
    }
    Some(name)
}

/// Whether a route may not touch the field. What the upstream is to see in `Authorization` is the
/// operator's business: the client's token is out of it by then. So is a name by which others say who
/// is asking (`X-User`): no client's copy passes, whatever its spelling.
fn is_ours(name: &str, side: Side) -> bool {
    match (side, request_fate(name.as_bytes())) {
        (Side::Response, _) => RESPONSE.contains(&name),
        (Side::Request, Fate::Pass) => false,
        (Side::Request, Fate::Ours | Fate::Forwarding) => name != "authorization",
        (Side::Request, Fate::Drop) => name.starts_with("x-auth-") || name.contains('_') || CONNECTION.contains(&name),
    }
}
