//! The way of one request: one reading, the route, the token, the decision, the upstream.

use super::credential::{Sent, Taken};
use super::failure::{Failure, REQUEST_ID};
use super::notes::Notes;
use super::recheck::Recheck;
use super::request_id::RequestIds;
use super::wanted::{ONLY_OPTIONS, TWO_READINGS, malformed};
use super::{Gateway, Worker};
use crate::clock;
use crate::endpoint::EXT_AUTHZ;
use crate::enforce::decide::Permit;
use crate::enforce::guard::Identity;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::{HeadError, Request};
use crate::http1::stream::Peer;
use crate::proxy::forward::{self, ForwardError, Progress};
use crate::proxy::origin::Origin;
use crate::proxy::route::{METHODS, Matched};
use crate::proxy::target::{Host, PathPolicy, Target};
use crate::telemetry::Event;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

/// Who asks, and under which identifier.
pub(super) struct Asker<'a> {
    pub(super) origin: &'a Origin,
    pub(super) id: &'a str,
    pub(super) progress: &'a Progress,
    /// Who knows the configuration in force, which a long exchange may outlive.
    pub(super) worker: &'a Worker,
}

/// What is recorded of a request when this is dropped: at its end, or when it is cut off from outside because
/// the time for finishing is over.
struct Record<'r> {
    gateway: &'r Gateway,
    request: Request<'r>,
    asker: &'r Asker<'r>,
    notes: Notes<'r>,
    /// It came to its own end.
    ended: bool,
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let Self { notes, asker, .. } = self;
        if !self.ended {
            notes.cut(asker.progress.status.get());
        }
        let identity = notes.identity.as_deref();
        let described = notes.described.as_deref();
        self.gateway.recorder.record(&Event {
            request_id: asker.id,
            method: described.map_or(self.request.method(), |described| &described.method),
            path: described.map_or(path_of(self.request.target()), |described| path_of(described.target.as_bytes())),
            route: notes.route.map(|route| (route.index, route.spec.name.as_str())),
            client: identity.map(Identity::client_id),
            subject: identity.and_then(Identity::subject),
            address: notes.client.or(asker.origin.address),
            verdict: notes.verdict,
            reason: notes.reason,
            status: notes.status,
            ended: notes.timestamp(),
            duration: notes.duration(),
            upstream: notes.upstream,
            sent: asker.progress.sent.get(),
            received: asker.progress.received.get(),
        });
    }
}

/// A request on its way, decided.
struct Passage<'a> {
    matched: &'a Matched<'a>,
    target: &'a Target<'a>,
    host: &'a Host<'a>,
    taken: &'a Taken<'a>,
}

impl Gateway {
    /// Answers one request and records it.
    pub(super) async fn serve(&self, exchange: &mut Exchange<'_>, worker: &Worker) -> Outcome {
        let request = exchange.request;
        let origin = self.plan.trusted.origin(&request, exchange.peer);
        let id = worker.ids.of(&request, origin.trusted);
        let progress = Progress::default();
        let asker = Asker { origin: &origin, id: id.as_str(), progress: &progress, worker };
        let mut record = Record { gateway: self, request, asker: &asker, notes: Notes::begin(), ended: false };
        let outcome = match self.pass(exchange, &asker, &mut record.notes).await {
            Ok(outcome) => outcome,
            Err(failure) => self.fail(exchange, &failure, &asker, &mut record.notes).await,
        };
        record.ended = true;
        outcome
    }

    /// Answers a head that never became a request, and records it.
    pub(super) fn refuse(&self, error: HeadError, peer: &Peer, ids: &RequestIds) -> Response<Bytes> {
        let id = ids.make();
        let failure = Failure::Head(error);
        let response = failure.response(&self.challenge, id.as_str());
        self.recorder.record(&Event {
            request_id: id.as_str(),
            method: "",
            path: "",
            route: None,
            client: None,
            subject: None,
            address: peer.address(),
            verdict: failure.verdict(),
            reason: failure.reason(),
            status: response.status().as_u16(),
            ended: clock::now(),
            duration: Duration::ZERO,
            upstream: None,
            sent: 0,
            received: 0,
        });
        response
    }

    async fn fail(
        &self,
        exchange: &mut Exchange<'_>,
        failure: &Failure,
        asker: &Asker<'_>,
        notes: &mut Notes<'_>,
    ) -> Outcome {
        notes.verdict = failure.verdict();
        notes.reason = failure.reason();
        let request_id = asker.id;
        match failure {
            Failure::Forward(ForwardError::ClientGone | ForwardError::Revoked) => {
                notes.waited();
                return Outcome::Abort;
            }
            Failure::Forward(error) => tracing::warn!(request_id, %error, "the upstream did not answer"),
            Failure::Store(error) => tracing::warn!(request_id, %error, "a token was not checked"),
            Failure::Body(_)
            | Failure::Credential(_)
            | Failure::Encoded
            | Failure::Expectation
            | Failure::Head(_)
            | Failure::Invalid(..)
            | Failure::Malformed(_)
            | Failure::Misdirected
            | Failure::NoRoute(_)
            | Failure::NotGrpc
            | Failure::NoToken(_)
            | Failure::Origin
            | Failure::RateLimited(_)
            | Failure::Scope(_)
            | Failure::TooEarly
            | Failure::Tunnel
            | Failure::Untrusted => {}
        }
        let mut response = failure.response(self.challenge(notes.resource), request_id);
        self.secure(&mut response, asker.origin);
        notes.complete(response.headers_mut(), &exchange.request);
        reply(exchange, response, notes).await
    }

    async fn pass<'g>(
        &'g self,
        exchange: &mut Exchange<'_>,
        asker: &Asker<'_>,
        notes: &mut Notes<'g>,
    ) -> Result<Outcome, Failure> {
        let request = exchange.request;
        if let Some(answer) = without_target(&request)? {
            return Ok(reply(exchange, with_id(answer, asker.id), notes).await);
        }
        let target = Target::read(request.target()).map_err(malformed)?;
        let host = self.host(&request, &target)?;
        if exchange.names.is_some_and(|names| !names.cover(&host.name)) {
            return Err(Failure::Misdirected);
        }
        if self.endpoints.owns(target.normal()) {
            return Box::pin(self.at_own(exchange, &target, asker, notes)).await;
        }
        if let Some(answer) = self.preflight(&request, &host, &target, notes) {
            return Ok(reply(exchange, with_id(answer?, asker.id), notes).await);
        }
        let wanted = self.wanted(&request, &host, &target, notes)?;
        let mut taken = Taken::from(exchange, &target, wanted.methods(), self.plan.form_body).await?;
        let permit = self.decide(&wanted, &target, &mut taken, asker, notes).await?;
        if taken.has_unsearched_form() {
            Box::pin(taken.clean_form(exchange, self.plan.form_body)).await?;
        }
        let passage = Passage { matched: &wanted.matched, target: &target, host: &host, taken: &taken };
        self.forward(permit, &passage, exchange, asker, notes).await
    }

    /// What is the gateway's own to answer.
    async fn at_own<'g>(
        &'g self,
        exchange: &mut Exchange<'_>,
        target: &Target<'_>,
        asker: &Asker<'_>,
        notes: &mut Notes<'g>,
    ) -> Result<Outcome, Failure> {
        if target.oddities() != PathPolicy::default() {
            return Err(TWO_READINGS);
        }
        if target.normal() == EXT_AUTHZ {
            return self.ext_authz(exchange, asker, notes).await;
        }
        let response = if self.endpoints.is_decision(target.normal()) {
            self.decision(&exchange.request, asker, exchange.limits, notes).await?
        } else {
            self.own(exchange, target, asker.origin, asker.id).await?
        };
        Ok(reply(exchange, response, notes).await)
    }

    async fn forward(
        &self,
        permit: Permit,
        passage: &Passage<'_>,
        exchange: &mut Exchange<'_>,
        asker: &Asker<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<Outcome, Failure> {
        let Passage { matched, target, host, taken } = passage;
        if forward::max_forwards(&exchange.request) == Some(0) {
            return Ok(reply(exchange, with_id(no_content(), asker.id), notes).await);
        }
        if taken.has_form() {
            notes.waited();
        }
        let action = &matched.route.spec.action;
        let path = match &action.rewrite {
            None => Cow::Borrowed(target.path()),
            Some(rewrite) => Cow::Owned(rewrite.apply(matched, target).map_err(malformed)?),
        };
        let checked = permit.identity().filter(|_| !action.report_only && !self.plan.recheck.is_zero());
        let recheck = checked.map(|identity| Recheck {
            worker: asker.worker,
            taken,
            expires_at: identity.expires_at,
            unanswered: Cell::new(false),
        });
        let plan = forward::Plan {
            start: notes.now(),
            action,
            path: &path,
            query: taken.query.as_deref(),
            host,
            origin: asker.origin,
            provenance: self.plan.provenance,
            request_id: asker.id,
            strip_authorization: taken.strips_authorization(&permit),
            body: taken.body.as_body(),
            token_in_query: matches!(taken.token, Ok(Some(Sent::Query(_)))),
            standing: notes.standing.as_ref(),
            watched: recheck.as_ref().map(|watch| forward::Watched { watch, every: self.plan.recheck }),
            progress: asker.progress,
        };
        let forwarded = self.forwarder.send(permit, &plan, exchange).await.map_err(Failure::Forward)?;
        notes.status = forwarded.status;
        notes.waited_until(forwarded.ended);
        notes.upstream = Some(forwarded.waited);
        if forwarded.revoked {
            notes.reason = "token_ended";
        }
        Ok(forwarded.outcome)
    }
}

/// Answers without an upstream.
async fn reply(exchange: &mut Exchange<'_>, response: Response<Bytes>, notes: &mut Notes<'_>) -> Outcome {
    notes.status = response.status().as_u16();
    let outcome = exchange.respond(response).await;
    notes.waited();
    outcome
}

/// What needs no look at the target: `OPTIONS *` is answered, CONNECT and odd expectations are not.
fn without_target(request: &Request<'_>) -> Result<Option<Response<Bytes>>, Failure> {
    if request.method() == "CONNECT" {
        return Err(Failure::Tunnel);
    }
    if request.other_expectation() {
        return Err(Failure::Expectation);
    }
    if is_too_early(request) {
        return Err(Failure::TooEarly);
    }
    if request.target() != b"*" {
        return Ok(None);
    }
    if request.method() != "OPTIONS" {
        return Err(ONLY_OPTIONS);
    }
    let mut response = no_content();
    super::failure::insert(response.headers_mut(), header::ALLOW, &METHODS.join(", "));
    Ok(Some(response))
}

/// RFC 8470 section 5.2: somebody could send it once more. Whoever says so is believed: it costs a round trip.
pub(super) fn is_too_early(request: &Request<'_>) -> bool {
    let safe = matches!(request.method(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
    !safe && request.values("early-data").any(|value| value == b"1")
}

pub(super) fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn with_id(mut response: Response<Bytes>, id: &str) -> Response<Bytes> {
    super::failure::insert(response.headers_mut(), REQUEST_ID, id);
    response
}

/// The path for the log: never the query, which may hold a secret, nor what stands in front of a host, which may
/// be a password.
fn path_of(target: &[u8]) -> &str {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let text = std::str::from_utf8(&target[..end]).unwrap_or_default();
    if text.starts_with('/') {
        return text;
    }
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.find('/').map_or_else(|| rest.rsplit('@').next().unwrap_or_default(), |path| &rest[path..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6750-2.3c
    #[test]
    fn the_logs_path_holds_neither_a_query_nor_a_password() {
        for (target, path) in [
            ("/a/b?access_token=secret", "/a/b"),
            ("/a#access_token=secret", "/a"),
            ("http://alice:secret@a.example/b?c", "/b"),
            ("http://alice:secret@a.example", "a.example"),
            ("alice:secret@a.example:443", "a.example:443"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path_of(target.as_bytes()), path, "{target}");
        }
    }
}
