//! The decision alone, for another proxy that asks before it forwards a request itself: nginx
//! `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth`, HAProxy (PX-20).
//!
//! The proxy describes the request in fields. What it describes is written as the head of a request and
//! read as every request is, so that it cannot be decided in another way than it would be forwarded.
//! Only a trusted peer is believed; what it says twice must agree, because a field that the proxy does
//! not set itself is the client's.

use super::Gateway;
use super::credential::Taken;
use super::failure::{Failure, REQUEST_ID, insert};
use super::notes::Notes;
use super::passage::{Asker, is_too_early};
use super::wanted::{ONLY_OPTIONS, TWO_READINGS, malformed};
use crate::enforce::decide::Permit;
use crate::http1::Limits;
use crate::http1::head::{Request, RequestHead};
use crate::proxy::route::{NoRoute, Route};
use crate::proxy::target::Target;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;

/// The request that a proxy describes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) method: String,
    /// In origin-form.
    pub(super) target: String,
    pub(super) host: String,
}

/// Of the described request's own fields, those that a decision looks at.
pub(super) const LOOKED_AT: [&str; 4] = ["authorization", "origin", "access-control-request-method", "early-data"];

impl Gateway {
    /// Answers whether the described request would be forwarded.
    pub(super) async fn decision<'g>(
        &'g self,
        request: &Request<'_>,
        asker: &Asker<'_>,
        limits: &Limits,
        notes: &mut Notes<'g>,
    ) -> Result<Response<Bytes>, Failure> {
        if !asker.origin.trusted {
            return Err(Failure::Untrusted);
        }
        let described = Described::read(request).map_err(Failure::Malformed)?;
        let fields = LOOKED_AT.iter().flat_map(|name| request.values(name).map(move |value| (*name, value)));
        let bytes = described.head(fields);
        notes.described = Some(Box::new(described));
        let mut response = match self.examine(&bytes, limits, asker, notes).await {
            Ok(passed) => permitted(&passed.permit),
            Err(failure) => refused(self.refusal(&failure, asker, notes)),
        };
        notes.complete(response.headers_mut(), request);
        insert(response.headers_mut(), REQUEST_ID, asker.id);
        Ok(response)
    }

    /// What the client would get from the gateway itself, noted.
    pub(super) fn refusal(&self, failure: &Failure, asker: &Asker<'_>, notes: &mut Notes<'_>) -> Response<Bytes> {
        notes.verdict = failure.verdict();
        notes.reason = failure.reason();
        if let Failure::Store(error) = failure {
            tracing::warn!(request_id = asker.id, %error, "a token was not checked");
        }
        failure.response(self.challenge(notes.resource), asker.id)
    }

    /// The way of a request, up to where it would be forwarded.
    pub(super) async fn examine<'g>(
        &'g self,
        bytes: &[u8],
        limits: &Limits,
        asker: &Asker<'_>,
        notes: &mut Notes<'g>,
    ) -> Result<Passed, Failure> {
        let mut head = RequestHead::default();
        let Some(length) = head.parse(bytes, limits).map_err(Failure::Head)? else {
            return Err(Failure::Malformed("the described request is not complete"));
        };
        let request = Request::new(&head, bytes.get(..length).unwrap_or_default());
        match (request.method(), request.target()) {
            ("CONNECT", _) | ("OPTIONS", b"*") => return Err(Failure::Malformed("such a request is not forwarded")),
            (_, b"*") => return Err(ONLY_OPTIONS),
            _ => {}
        }
        if is_too_early(&request) {
            return Err(Failure::TooEarly);
        }
        let target = Target::read(request.target()).map_err(malformed)?;
        if target.authority().is_some() {
            // The host was said already, and whoever forwards may not take it from here.
            return Err(Failure::Malformed("the described target is a path"));
        }
        let host = self.host(&request, &target)?;
        if self.endpoints.owns(target.normal()) {
            // They answer for themselves: no other proxy forwards them by a decision.
            return Err(Failure::NoRoute(NoRoute::NotFound));
        }
        if let Some(Err(refused)) = self.preflight(&request, &host, &target, notes) {
            return Err(refused);
        }
        let wanted = self.wanted(&request, &host, &target, notes)?;
        if let Some(rewrite) = &wanted.matched.route.spec.action.rewrite {
            // A path that could not be forwarded must not pass here either (PATH-15).
            rewrite.apply(&wanted.matched, &target).map_err(|_| TWO_READINGS)?;
        }
        let mut taken = Taken::from_head(&request, &target, wanted.methods());
        let permit = self.decide(&wanted, &target, &mut taken, asker, notes).await?;
        Ok(Passed {
            authorization: taken.strips_authorization(&permit),
            parameters: left_out(target.query().unwrap_or_default(), taken.query.as_deref().unwrap_or_default()),
            route: Arc::clone(wanted.matched.route),
            permit,
        })
    }
}

/// A request that would be forwarded, and what would be taken out of it on the way.
pub(super) struct Passed {
    pub(super) permit: Permit,
    /// The `Authorization` field.
    pub(super) authorization: bool,
    /// Parameters of the query, by their names as they are written.
    pub(super) parameters: Vec<String>,
    /// Its route.
    pub(super) route: Arc<Route>,
}

/// The names of the parameters of a query that `rest` has no more.
fn left_out(query: &str, rest: &str) -> Vec<String> {
    let mut kept = rest.split('&').peekable();
    let gone = query.split('&').filter(|pair| kept.next_if_eq(pair).is_none());
    gone.map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// 200 with the identity, as an upstream would see it.
fn permitted(permit: &Permit) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.extend(identified(permit));
    response
}

/// The identity fields of the forwarded request.
pub(super) fn identified(permit: &Permit) -> Vec<(HeaderName, HeaderValue)> {
    let fields = permit.identity().map(|identity| identity.fields()).unwrap_or_default();
    let field = |line: &[u8]| {
        let (name, value) = line.split_at(line.iter().position(|&octet| octet == b':')?);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        HeaderName::from_bytes(name).ok().zip(HeaderValue::from_bytes(value).ok())
    };
    fields.split(|&octet| octet == b'\n').filter_map(field).collect()
}

/// A proxy takes 401 and 403 for a refusal; other refusals would be its own error to it.
fn refused(mut response: Response<Bytes>) -> Response<Bytes> {
    let status = response.status();
    let is_understood = status == StatusCode::UNAUTHORIZED || status == StatusCode::TOO_MANY_REQUESTS;
    if status.is_client_error() && !is_understood {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response.headers_mut().remove(header::CONNECTION);
    response
}

impl Described {
    /// Reads what the proxy says: `X-Original-URI` or `X-Original-URL` with `X-Original-Method`, or
    /// `X-Forwarded-Method`, `-Host` and `-Uri`.
    fn read(request: &Request<'_>) -> Result<Self, &'static str> {
        let methods = [one(request, "x-original-method")?, one(request, "x-forwarded-method")?];
        let method = agreed(methods, "two fields name different methods")?
            .ok_or("the method is missing: send X-Original-Method or X-Forwarded-Method")?;
        // Any of them may be a whole URL: a client may send its target so, and then the host in it counts as well.
        let [url, original, forwarded] = ["x-original-url", "x-original-uri", "x-forwarded-uri"]
            .map(|name| one(request, name).map(|said| said.map(split)));
        let targets = [url?, original?, forwarded?];
        let path = agreed(targets.map(|said| Some(said?.1)), "two fields name different targets")?
            .ok_or("the target is missing: send X-Original-URI or X-Forwarded-Uri")?;
        let [url, original, forwarded] = targets.map(|said| said?.0);
        let hosts = [url, original, forwarded, one(request, "x-forwarded-host")?];
        let named = hosts.map(|host| host.map(str::to_ascii_lowercase));
        let host = match agreed(named, "two fields name different hosts")? {
            Some(host) => host,
            None => text(request.host().unwrap_or_default())?.to_owned(),
        };
        Ok(Self { method: method.to_owned(), target: path.to_owned(), host })
    }

    /// The head of the described request, with those of its fields that a decision looks at. What is odd
    /// in it is found when it is parsed.
    pub(super) fn head<'f>(&self, fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        for part in [&self.method, " ", &self.target, " HTTP/1.1\r\nhost: ", &self.host, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        for (name, value) in fields {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// The value of a field that stands there once; an empty one says nothing.
fn one<'r>(request: &Request<'r>, name: &str) -> Result<Option<&'r str>, &'static str> {
    let mut values = request.values(name);
    let value = values.next().unwrap_or_default();
    if values.next().is_some() {
        return Err("a field that describes the request stands there twice");
    }
    let value = text(value)?;
    Ok((!value.is_empty()).then_some(value))
}

fn text(value: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(value).map_err(|_| "a field that describes the request is not ASCII")
}

/// What all that say something agree on.
fn agreed<T: PartialEq, const N: usize>(said: [Option<T>; N], why: &'static str) -> Result<Option<T>, &'static str> {
    let mut said = said.into_iter().flatten();
    let first = said.next();
    if said.any(|other| first.as_ref() != Some(&other)) { Err(why) } else { Ok(first) }
}

/// The authority of a URL, where it has one, and the rest in origin-form.
fn split(url: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?'])) else {
        return (None, url);
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return (None, url);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    (Some(authority), if target.is_empty() { "/" } else { target })
}

#[cfg(test)]
mod tests;
