//! The decision for Envoy, and for whatever speaks its `ext_authz` over gRPC
//! (`envoy.service.auth.v3.Authorization`). The described request goes the way of every decision; the
//! answer says what Envoy has to do to the request, or what the client gets.

mod message;

use super::Gateway;
use super::decision::{Described, LOOKED_AT, Passed, identified};
use super::failure::{Failure, REQUEST_ID};
use super::notes::Notes;
use super::passage::Asker;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::Request;
use crate::http1::{Limits, Version};
use crate::proxy::fields::is_for_nobody;
use crate::proxy::forward::without_ours;
use crate::proxy::route::NoRoute;
use crate::telemetry::Verdict;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use message::{CheckRequest, CheckResponse, Denied, HttpRequest, Permitted};
use prost::Message as _;

/// The longest message: the fields of one request, and no body.
const LONGEST: usize = 256 * 1024;

/// In front of a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Of the codes of gRPC those that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok = 0,
    InvalidArgument = 3,
    PermissionDenied = 7,
    Unimplemented = 12,
}

/// Why there is no decision.
#[derive(Debug, PartialEq, Eq)]
struct Refused(Status, &'static str);

impl Gateway {
    /// Answers a call of `Check`.
    pub(super) async fn ext_authz<'g>(
        &'g self,
        exchange: &mut Exchange<'_>,
        asker: &Asker<'_>,
        notes: &mut Notes<'g>,
    ) -> Result<Outcome, Failure> {
        is_call(&exchange.request)?;
        let content = exchange.collect(LONGEST + PREFIX).await.map_err(Failure::Body)?;
        notes.waited();
        let answer = if asker.origin.trusted {
            self.answer(&content, asker, exchange.limits, notes).await
        } else {
            notes.reason = Failure::Untrusted.reason();
            Err(Refused(Status::PermissionDenied, "only a trusted proxy may ask for a decision"))
        };
        if answer.is_err() {
            notes.verdict = Verdict::Denied;
            notes.status = 200;
        }
        Ok(answered(exchange, &answer, asker.id, notes).await)
    }

    /// The message that answers a message.
    async fn answer<'g>(
        &'g self,
        content: &[u8],
        asker: &Asker<'_>,
        limits: &Limits,
        notes: &mut Notes<'g>,
    ) -> Result<Vec<u8>, Refused> {
        notes.reason = "malformed";
        let request = CheckRequest::decode(unframed(content)?)
            .map_err(|_| Refused(Status::InvalidArgument, "the message cannot be read"))?;
        let client = request.client();
        let http = request.http().ok_or(Refused(Status::InvalidArgument, "the message describes no HTTP request"))?;
        notes.reason = "ok";
        notes.client = client;
        let answer = match self.examined(&http, asker, limits, notes).await {
            Ok(passed) => {
                notes.status = 200;
                permitted(&passed, &http)
            }
            Err(failure) => {
                let response = self.refusal(&failure, asker, notes);
                notes.status = response.status().as_u16();
                denied(&response)
            }
        };
        Ok(framed(&answer))
    }

    async fn examined<'g>(
        &'g self,
        http: &HttpRequest,
        asker: &Asker<'_>,
        limits: &Limits,
        notes: &mut Notes<'g>,
    ) -> Result<Passed, Failure> {
        let described = described(http).map_err(Failure::Malformed)?;
        let head = described.head(http.fields().filter(|(name, _)| is_looked_at(name)));
        notes.described = Some(Box::new(described));
        self.examine(&head, limits, asker, notes).await
    }
}

/// Whether the request is a gRPC call.
fn is_call(request: &Request<'_>) -> Result<(), Failure> {
    if request.method() != "POST" {
        return Err(Failure::NoRoute(NoRoute::MethodNotAllowed("POST".to_owned())));
    }
    let mut types = request.values("content-type");
    let is_grpc = types.next().is_some_and(|said| {
        let said = said.split(|&octet| octet == b';').next().unwrap_or_default().trim_ascii();
        said.eq_ignore_ascii_case(b"application/grpc") || said.eq_ignore_ascii_case(b"application/grpc+proto")
    });
    if !is_grpc || types.next().is_some() {
        return Err(Failure::NotGrpc);
    }
    if request.version() == Version::Http10 {
        return Err(Failure::Malformed("gRPC needs HTTP/2, or HTTP/1.1 with trailers"));
    }
    Ok(())
}

/// The one message of a call.
fn unframed(content: &[u8]) -> Result<&[u8], Refused> {
    const TORN: Refused = Refused(Status::InvalidArgument, "the call has to hold exactly one message");
    let (&[compressed, length @ ..], message) = content.split_first_chunk::<PREFIX>().ok_or(TORN)?;
    match compressed {
        0 if usize::try_from(u32::from_be_bytes(length)) == Ok(message.len()) => Ok(message),
        1 => Err(Refused(Status::Unimplemented, "compressed messages are not taken")),
        _ => Err(TORN),
    }
}

fn framed(answer: &CheckResponse) -> Vec<u8> {
    let message = answer.encode_to_vec();
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// A message has the fields of the described request alone, so that they say whether it has content as well: one that
/// has is no preflight (PX-10).
fn is_looked_at(name: &str) -> bool {
    LOOKED_AT.contains(&name) || matches!(name, "content-length" | "transfer-encoding")
}

/// What the message describes. It is no text of a request yet, so that nothing in it may end a line.
fn described(http: &HttpRequest) -> Result<Described, &'static str> {
    let looked_at = http.fields().filter(|(name, _)| is_looked_at(name)).map(|(_, value)| value);
    let parts = [&http.method[..], &http.path, &http.host];
    if parts.into_iter().chain(looked_at).any(|part| part.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))) {
        return Err("the described request holds a line break");
    }
    if !http.query.is_empty() || !http.fragment.is_empty() {
        return Err("the described target is to have its query in the path");
    }
    let text = |part: &[u8]| std::str::from_utf8(part).map(str::to_owned).map_err(|_| "the description is not ASCII");
    let described = Described { method: text(&http.method)?, target: text(&http.path)?, host: text(&http.host)? };
    let is_word = |part: &str| !part.is_empty() && !part.contains([' ', '\t']);
    if is_word(&described.method) && is_word(&described.target) {
        Ok(described)
    } else {
        Err("the described request has no method or no target")
    }
}

/// The request goes on: with our fields in the place of the client's, and without what is not for the
/// upstream. Envoy sets first and removes then, so nothing is both set and removed.
fn permitted(passed: &Passed, http: &HttpRequest) -> CheckResponse {
    let mut set = identified(&passed.permit);
    let left = cookies(http);
    let cookie = left.as_deref().filter(|left| !left.is_empty()).and_then(|left| HeaderValue::from_bytes(left).ok());
    let without_cookie = left.is_some() && cookie.is_none();
    set.extend(cookie.map(|cookie| (header::COOKIE, cookie)));
    let action = &passed.route.spec.action;
    let mut removed: Vec<String> = http
        .fields()
        .map(|(name, _)| name)
        .filter(|name| is_for_nobody(name.as_bytes()) && !action.lets_pass(name.as_bytes()))
        .filter(|name| !set.iter().any(|(set, _)| set.as_str() == *name))
        .map(str::to_owned)
        .collect();
    removed.extend(passed.authorization.then(|| "authorization".to_owned()));
    removed.extend(without_cookie.then(|| "cookie".to_owned()));
    let mut parameters = passed.parameters.clone();
    if !parameters.is_empty() {
        // Envoy may compare names as they are written, or decoded.
        parameters.push("access_token".to_owned());
    }
    for names in [&mut removed, &mut parameters] {
        names.sort_unstable();
        names.dedup();
    }
    let fields = set.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    CheckResponse::permitted(Permitted::new(fields, removed, parameters))
}

/// What is left of the cookies without those of the gateway (PX-18), which may be nothing; `None`: all of them.
fn cookies(http: &HttpRequest) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = http.fields().filter(|(name, _)| *name == "cookie").map(|(_, value)| value).collect();
    without_ours(&lines.join(&b"; "[..]))
}

/// The client gets what the gateway itself would answer.
fn denied(response: &Response<Bytes>) -> CheckResponse {
    let fields = response.headers().iter().filter(|(name, _)| **name != header::CONNECTION);
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    CheckResponse::denied(Denied::new(response.status().as_u16(), fields, response.body()))
}

/// Answers a call: the message in a chunk, how it went in the trailers.
async fn answered(
    exchange: &mut Exchange<'_>,
    answer: &Result<Vec<u8>, Refused>,
    id: &str,
    notes: &mut Notes<'_>,
) -> Outcome {
    let persists = exchange.may_persist();
    let (message, status, why) = match answer {
        Ok(message) => (&message[..], Status::Ok, ""),
        Err(Refused(status, why)) => (&b""[..], *status, *why),
    };
    let head = head(persists, id);
    let chunk = if message.is_empty() { String::new() } else { format!("{:x}\r\n", message.len()) };
    let end = if message.is_empty() { "0\r\n" } else { "\r\n0\r\n" };
    let why = if why.is_empty() { String::new() } else { format!("grpc-message: {why}\r\n") };
    let end = format!("{end}grpc-status: {}\r\n{why}\r\n", status as u8);
    let sent = exchange.write([head.as_bytes(), chunk.as_bytes(), message, end.as_bytes()]).await;
    notes.waited();
    match sent {
        Err(_) => Outcome::Abort,
        Ok(()) if persists => Outcome::Complete,
        Ok(()) => Outcome::Close,
    }
}

fn head(persists: bool, id: &str) -> String {
    let close = if persists { "" } else { "connection: close\r\n" };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n{REQUEST_ID}: {id}\r\ntransfer-encoding: chunked\r\n{close}\r\n"
    )
}

#[cfg(test)]
mod tests;
