//! The way of one request: one reading, the route, the token, the decision, the upstream.

use super::Gateway;
use super::credential::{Sent, Taken};
use super::failure::{Failure, REQUEST_ID};
use super::notes::Notes;
use super::request_id::RequestIds;
use super::wanted::{Wanted, ways};
use crate::clock;
use crate::enforce::bearer::Methods;
use crate::enforce::decide::{self, Access, Denial, Permit};
use crate::enforce::guard::{CheckError, Identity, Invalid};
use crate::http1::body::BodyLength;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::{HeadError, Request};
use crate::http1::stream::Peer;
use crate::oauth::token::TokenDigest;
use crate::proxy::forward::{self, ForwardError};
use crate::proxy::origin::Origin;
use crate::proxy::route::{Matched, NoRoute};
use crate::proxy::target::{Host, PathPolicy, Target, TargetError};
use crate::telemetry::{Event, Verdict};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Who asks, and under which identifier.
struct Asker<'a> {
    origin: &'a Origin,
    id: &'a str,
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
    pub(super) async fn serve(&self, exchange: &mut Exchange<'_>, ids: &RequestIds) -> Outcome {
        let request = exchange.request;
        let origin = self.plan.trusted.origin(&request, exchange.peer);
        let id = ids.of(&request, origin.trusted);
        let mut notes = Notes::begin();
        let asker = Asker { origin: &origin, id: id.as_str() };
        let outcome = match self.pass(exchange, &asker, &mut notes).await {
            Ok(outcome) => outcome,
            Err(failure) => self.fail(exchange, &failure, &asker, &mut notes).await,
        };
        let identity = notes.identity.as_deref();
        self.recorder.record(&Event {
            request_id: asker.id,
            method: request.method(),
            path: path_of(request.target()),
            route: notes.route.map(|route| (route.index, route.spec.name.as_str())),
            client: identity.map(Identity::client_id),
            subject: identity.and_then(Identity::subject),
            address: origin.address,
            verdict: notes.verdict,
            reason: notes.reason,
            status: notes.status,
            ended: notes.timestamp(),
            duration: notes.duration(),
            upstream: notes.upstream,
            sent: notes.sent,
        });
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
            Failure::Forward(ForwardError::ClientGone) => {
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
            | Failure::NoRoute(_)
            | Failure::NoToken(_)
            | Failure::Origin
            | Failure::Scope(_)
            | Failure::Tunnel => {}
        }
        reply(exchange, failure.response(self.challenge(notes.resource), request_id), notes).await
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
        if self.endpoints.owns(target.normal()) {
            if target.oddities() != PathPolicy::default() {
                return Err(TWO_READINGS);
            }
            let response = Box::pin(self.own(exchange, &target, asker.origin, asker.id)).await?;
            return Ok(reply(exchange, response, notes).await);
        }
        let (matched, preflight) = self.route(&request, &host, &target)?;
        notes.route = Some(matched.route);
        let public = preflight || matches!(**matched.access, Access::Public);
        let resource = self.resources.get(matched.route.spec.resource.of(target.normal()));
        notes.resource = resource.id;
        let methods = if public { NO_WAY } else { ways(matched.route.spec.action.bearer, resource) };
        let mut taken = Taken::from(exchange, &target, methods, self.plan.form_body).await?;
        let wanted = Wanted::new(&matched, resource, &request);
        let permit = if preflight {
            wanted.check_origin().map(|()| decide::preflight())?
        } else {
            self.decide(&wanted, &target, &mut taken, notes).await?
        };
        if taken.has_unsearched_form() {
            Box::pin(taken.clean_form(exchange, self.plan.form_body)).await?;
        }
        let passage = Passage { matched: &matched, target: &target, host: &host, taken: &taken };
        self.forward(permit, &passage, exchange, asker, notes).await
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
        let consumed = permit.identity().is_some() && matches!(taken.token, Ok(Some(Sent::Header(_))));
        let plan = forward::Plan {
            start: notes.now(),
            action,
            path: &path,
            query: taken.query.as_deref(),
            host,
            origin: asker.origin,
            request_id: asker.id,
            strip_authorization: taken.ours_in_header || consumed,
            body: taken.body.as_body(),
            token_in_query: matches!(taken.token, Ok(Some(Sent::Query(_)))),
        };
        let forwarded = self.forwarder.send(permit, &plan, exchange).await.map_err(Failure::Forward)?;
        notes.status = forwarded.status;
        notes.waited_until(forwarded.ended);
        notes.upstream = Some(forwarded.waited);
        notes.sent = forwarded.sent;
        Ok(forwarded.outcome)
    }

    /// The one host of the request: an absolute-form target's authority replaces the field, which
    /// must be right all the same (H-host-1, H-host-2).
    fn host<'c>(&'c self, request: &Request<'c>, target: &Target<'c>) -> Result<Host<'c>, Failure> {
        let field = request.host().map(Host::read).transpose().map_err(malformed)?;
        match (target.authority(), field) {
            (Some(authority), _) => Host::read(authority.as_bytes()).map_err(malformed),
            (None, Some(host)) => Ok(host),
            (None, None) => Host::read(self.authority.as_bytes()).map_err(malformed),
        }
    }

    /// The route, and whether the request is a CORS preflight of it.
    fn route<'g>(
        &'g self,
        request: &Request<'_>,
        host: &Host<'_>,
        target: &Target<'_>,
    ) -> Result<(Matched<'g>, bool), Failure> {
        let preflight = preflight_method(request);
        let found = match (self.plan.routes.find(request.method(), host, target), preflight) {
            (Err(NoRoute::MethodNotAllowed(_)), Some(method)) => self.plan.routes.find(method, host, target),
            (found, _) => found,
        };
        match found {
            Ok(matched) if !matched.route.spec.action.path_policy.allows(target.oddities()) => Err(TWO_READINGS),
            Ok(_) if request.method() == "TRACE" => {
                Err(Failure::NoRoute(NoRoute::MethodNotAllowed(WITHOUT_TRACE.to_owned())))
            }
            Ok(matched) => Ok((matched, preflight.is_some())),
            Err(_) if target.oddities() != PathPolicy::default() => Err(TWO_READINGS),
            Err(none) => Err(Failure::NoRoute(none)),
        }
    }

    /// The permit, or why there is none. A route in `report_only` gives one whatever was decided.
    async fn decide(
        &self,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        taken: &mut Taken<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<Permit, Failure> {
        match self.judge(wanted, target, taken, notes).await {
            Err(failure) if wanted.matched.route.spec.action.report_only && failure.is_decision() => {
                notes.verdict = Verdict::WouldDeny;
                notes.reason = failure.reason();
                Ok(decide::report_only(notes.identity.clone()))
            }
            decided => decided,
        }
    }

    async fn judge(
        &self,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        taken: &mut Taken<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<Permit, Failure> {
        wanted.check_origin()?;
        let Wanted { matched, resource, .. } = wanted;
        if let Some(permit) = decide::public(matched.access) {
            return Ok(permit);
        }
        let params = matched.values(target);
        if taken.has_form() {
            notes.waited();
        }
        let sent = match std::mem::replace(&mut taken.token, Ok(None)) {
            Ok(sent) => sent,
            Err(misuse) => return Err(misuse),
        };
        let Some(sent) = sent else { return Err(Failure::NoToken(decide::needed(matched.access, &params))) };
        let checked = self.check(sent.as_bytes(), notes).await;
        taken.token = Ok(Some(sent));
        let identity = checked.map_err(|error| match error {
            CheckError::Invalid(why) => wanted.invalid(why, &params),
            CheckError::Store(error) => Failure::Store(error),
        })?;
        notes.identity = Some(Arc::clone(&identity));
        notes.verdict = Verdict::Allowed;
        decide::decide(matched.access, identity, resource, &params, &self.plan.scopes).map_err(|denial| match denial {
            Denial::Audience => wanted.invalid(Invalid::Audience, &params),
            Denial::Scope { needed } => Failure::Scope(needed),
        })
    }

    async fn check(&self, token: &[u8], notes: &mut Notes<'_>) -> Result<Arc<Identity>, CheckError> {
        let now = notes.timestamp();
        let digest = TokenDigest::of(token);
        let counters = self.recorder.counters();
        if let Some(answer) = self.guard.cached(&digest, now) {
            counters.cache_hits.increment();
            return answer.map_err(CheckError::Invalid);
        }
        let asked = notes.now();
        let checked = Box::pin(self.guard.check(token, &digest, now)).await;
        notes.waited();
        match &checked {
            Err(CheckError::Invalid(Invalid::Forged)) => counters.tokens_forged.increment(),
            Err(CheckError::Store(_)) => counters.store_failures.increment(),
            Ok(_) | Err(CheckError::Invalid(_)) => {
                counters.cache_misses.increment();
                counters.store_lookups.observe(notes.now().duration_since(asked));
            }
        }
        checked
    }
}

/// Answers without an upstream.
async fn reply(exchange: &mut Exchange<'_>, response: Response<Bytes>, notes: &mut Notes<'_>) -> Outcome {
    notes.status = response.status().as_u16();
    let outcome = exchange.respond(response).await;
    notes.waited();
    outcome
}

/// PATH-2 to PATH-11.
const TWO_READINGS: Failure = Failure::Malformed("the path can be read in two ways");

const fn malformed(error: TargetError) -> Failure {
    Failure::Malformed(error.0)
}

/// No way of sending a token is looked at.
const NO_WAY: Methods = Methods { header: false, form: false, query: false };

/// What a route that takes every method takes (H-trace).
const WITHOUT_TRACE: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What needs no look at the target: `OPTIONS *` is answered, CONNECT and odd expectations are not.
fn without_target(request: &Request<'_>) -> Result<Option<Response<Bytes>>, Failure> {
    if request.method() == "CONNECT" {
        return Err(Failure::Tunnel);
    }
    if request.other_expectation() {
        return Err(Failure::Expectation);
    }
    if request.target() != b"*" {
        return Ok(None);
    }
    if request.method() != "OPTIONS" {
        return Err(Failure::Malformed("only OPTIONS takes the target `*`"));
    }
    let mut response = no_content();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(WITHOUT_TRACE));
    Ok(Some(response))
}

fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn with_id(mut response: Response<Bytes>, id: &str) -> Response<Bytes> {
    super::failure::insert(response.headers_mut(), REQUEST_ID, id);
    response
}

/// The method that a CORS preflight asks for (PX-10). A request with a credential or content is none,
/// whatever else it says.
fn preflight_method<'r>(request: &Request<'r>) -> Option<&'r str> {
    if request.method() != "OPTIONS" || request.length() != BodyLength::None {
        return None;
    }
    request.values("origin").next()?;
    if request.values("authorization").next().is_some() {
        return None;
    }
    std::str::from_utf8(request.values("access-control-request-method").next()?).ok()
}

/// The path for the log: never the query, which may hold a secret.
fn path_of(target: &[u8]) -> &str {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    std::str::from_utf8(&target[..end]).unwrap_or_default()
}
