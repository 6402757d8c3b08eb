//! The head of the response that a client gets (H-conn, H-body-1, H-body-2, H-date, PX-9).

use super::caching::{self, Audience};
use super::edits::{append_set, content_length, covers, line};
use super::{Plan, cookies, trailers};
use crate::http1::body::BodyLength;
use crate::http1::head::{Field, Request, Response};
use crate::http1::{Version, date};
use crate::proxy::cors;
use crate::proxy::fields::{Named, ResponseFate, response_fate};
use crate::text::decimal;

/// What the head depends on beside the upstream's.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) request: Request<'a>,
    /// The request was one bearer's.
    pub(super) identified: bool,
    /// The client's connection may take another request, as far as the request is concerned.
    pub(super) persist: bool,
}

/// What the upstream says, of what is not simply passed on.
#[expect(clippy::struct_excessive_bools, reason = "each is one field that was there or not")]
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// A `Date` that was passed on.
    date: bool,
    cache_control: bool,
    vary: bool,
    /// Trailers are announced.
    trailer: bool,
}

/// How the content goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passing {
    /// In chunks; else as it is.
    pub(super) chunked: bool,
    /// The client's connection lives on.
    pub(super) persist: bool,
}

impl Answer<'_> {
    /// Writes the head for the client into `out`.
    pub(super) fn write(&self, response: &Response<'_>, out: &mut Vec<u8>) -> Passing {
        out.clear();
        status_line(response, out);
        let said = self.passed(response, out);
        let edits = &self.plan.action.response_headers;
        if !said.date && !covers(edits, b"date") {
            date::append(out);
        }
        let audience = self.audience();
        if !covers(edits, b"cache-control") {
            caching::cache_control(response, said.cache_control, audience, out);
        }
        if !covers(edits, b"vary") {
            caching::vary(response, said.vary, audience, out);
        }
        if !covers(edits, b"x-request-id") {
            line(out, b"x-request-id", self.plan.request_id.as_bytes());
        }
        append_set(out, edits);
        append_ours(self.plan, &self.request, out);
        let passing = self.framed(response, out);
        if said.trailer && passing.chunked {
            let announced = response.values("trailer");
            announced.for_each(|value| trailers::announced(value, edits, out));
        }
        out.extend_from_slice(b"\r\n");
        passing
    }

    /// The upstream's fields that pass, in order.
    fn passed(&self, response: &Response<'_>, out: &mut Vec<u8>) -> Said {
        let named = Named::read(response.connection());
        let edits = &self.plan.action.response_headers;
        let private = self.audience() != Audience::Anybody;
        let mut said = Said::default();
        for field in response.fields() {
            let passes = match response_fate(field.name) {
                ResponseFate::Pass if is_for_us_to_say(&field, self.plan) => false,
                ResponseFate::Pass => !(private && caching::is_targeted(field.name)),
                ResponseFate::Date => !std::mem::replace(&mut said.date, true),
                ResponseFate::CacheControl => {
                    said.cache_control = true;
                    false
                }
                ResponseFate::Vary => {
                    said.vary = true;
                    false
                }
                ResponseFate::Drop => {
                    said.trailer |= field.is("trailer");
                    false
                }
            };
            if passes && !named.contains(field.name) && !covers(edits, field.name) {
                line(out, field.name, field.value);
            } else if field.is("date") && named.contains(field.name) {
                said.date = false;
            }
        }
        said
    }

    fn audience(&self) -> Audience {
        if self.plan.token_in_query {
            Audience::HiddenBearer
        } else if !self.identified {
            Audience::Anybody
        } else if self.plan.strip_authorization {
            Audience::Bearer
        } else {
            Audience::HiddenBearer
        }
    }

    /// The framing: a length stays one, anything else is chunked for HTTP/1.1 and ends with the
    /// connection for HTTP/1.0. Where there is no content, only what the upstream announced is said.
    fn framed(&self, response: &Response<'_>, out: &mut Vec<u8>) -> Passing {
        let modern = self.request.version() != Version::Http10;
        let mut passing = Passing { chunked: false, persist: self.persist };
        match response.length() {
            BodyLength::Length(length) => content_length(out, length),
            BodyLength::None => self.without_content(response, out),
            BodyLength::Chunked | BodyLength::Close if modern => {
                passing.chunked = true;
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            BodyLength::Chunked | BodyLength::Close => passing.persist = false,
        }
        if !passing.persist {
            out.extend_from_slice(b"connection: close\r\n");
        } else if !modern {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        passing
    }

    fn without_content(&self, response: &Response<'_>, out: &mut Vec<u8>) {
        let silent = matches!(response.status(), 204 | 304) || self.request.method() == "HEAD";
        match response.announced_length() {
            Some(length) if response.status() != 204 => content_length(out, length),
            None if !silent => content_length(out, 0),
            Some(_) | None => {}
        }
    }
}

/// What the gateway itself says of the route: to pages of other origins, and of its limit.
pub(super) fn append_ours(plan: &Plan<'_>, request: &Request<'_>, out: &mut Vec<u8>) {
    if let Some(cors) = &plan.action.cors {
        cors.response(request.values("origin")).for_each(|(name, value)| line(out, name.as_bytes(), value));
    }
    if let Some(standing) = plan.standing {
        standing.fields().iter().for_each(|(name, value)| line(out, name.as_bytes(), value));
    }
}

/// Writes an interim response (H-1xx) into `out`: what passes of it, unchanged.
pub(super) fn interim(response: &Response<'_>, plan: &Plan<'_>, out: &mut Vec<u8>) {
    out.clear();
    status_line(response, out);
    unchanged(response, plan, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends the fields of a head that is not the final one, as far as they pass.
pub(super) fn unchanged(response: &Response<'_>, plan: &Plan<'_>, out: &mut Vec<u8>) {
    let named = Named::read(response.connection());
    let edits = &plan.action.response_headers;
    let passes = |field: &Field<'_>| {
        response_fate(field.name) != ResponseFate::Drop
            && !is_for_us_to_say(field, plan)
            && !named.contains(field.name)
            && !covers(edits, field.name)
    };
    for field in response.fields().filter(passes) {
        line(out, field.name, field.value);
    }
}

/// Whether a field is one that no upstream sets: a cookie of ours (PX-18), or what `cors` says.
fn is_for_us_to_say(field: &Field<'_>, plan: &Plan<'_>) -> bool {
    if field.is("set-cookie") {
        return cookies::is_ours(field.value);
    }
    plan.action.cors.is_some() && cors::is_ours(field.name)
}

pub(super) fn status_line(response: &Response<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, response.status().into());
    out.push(b' ');
    out.extend_from_slice(response.reason());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
